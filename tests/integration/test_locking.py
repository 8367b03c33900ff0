"""Rows that are locked, seen from a second session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cormorant import (
    AsyncSession,
    CompileError,
    Database,
    LockTimeout,
    StaleObjectError,
    TransactionError,
    WrongType,
)
from tests.support.newsroom import MODELS, Memo, Story, Writer, make_writer, rolled_back, sql_of, words


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    for name in ("Ada", "Bob", "Cy"):
        await make_writer(database, name=name)
    async with AsyncSession(database) as session:
        yield session


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(postgres_database) as database:
        await database.create_all(*MODELS)
        for name in ("Ada", "Bob", "Cy"):
            await make_writer(database, name=name)
        yield database


# ------------------------------------------------------------------ both databases


async def test_a_lock_begins_the_transaction(database: Database, session: AsyncSession) -> None:
    writers = await session.query(Writer).order_by(Writer.id).for_update()
    assert [writer.name for writer in writers] == ["Ada", "Bob", "Cy"]
    assert session.in_transaction
    begin = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}[database.dialect.name]
    assert sql_of(session, "BEGIN") == [begin]
    assert len(sql_of(session, "SELECT")) == 1


@pytest.mark.parametrize("strength", ["for_update", "for_share"])
async def test_every_terminal_takes_a_lock(session: AsyncSession, strength: str) -> None:
    async with session.transaction():
        query = getattr(session.query(Writer).order_by(Writer.id), strength)()
        ada = await query.first()
        assert ada is not None
        assert await query.filter(Writer.id == ada.id).one() is ada
        assert await query.last() is not None
        assert await query.values(Writer.name).first() == ("Ada",)
        assert [row async for row in query.scalars(Writer.name)] == ["Ada", "Bob", "Cy"]
        assert (await query.page(2)).items[0] is ada
        assert [writer.name async for writer in query.stream(2)] == ["Ada", "Bob", "Cy"]
        assert await query.count() == 3
        assert await query.exists()


async def test_a_known_object_takes_what_the_row_holds(database: Database, session: AsyncSession) -> None:
    ada = await session.get_one(Writer, 1)
    async with AsyncSession(database) as other:
        (await other.get_one(Writer, 1)).age = 50
    assert await session.get_one(Writer, 1, for_update=True) is ada
    assert ada.age == 50


async def test_a_lock_that_waited_brings_the_newest_row(postgres: Database) -> None:
    async with AsyncSession(postgres) as session, AsyncSession(postgres) as other:
        theirs = await other.get_one(Writer, 1, for_update=True)
        waiting = asyncio.ensure_future(session.get_one(Writer, 1, for_update=True))
        # each question is a round trip, in which the other session goes on
        async with asyncio.timeout(30):
            while not await postgres_waits(other):
                pass
        theirs.age = 50
        await other.commit()
        assert (await waiting).age == 50


async def postgres_waits(session: AsyncSession) -> bool:
    """Whether a session of the server waits for a lock."""
    rows = await session.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool(rows.scalar())


async def test_an_object_with_changes_is_refused(session: AsyncSession) -> None:
    ada, bob = await session.get_one(Writer, 1), await session.get_one(Writer, 2)
    ada.age += 1
    with pytest.raises(StaleObjectError, match="has unsaved changes to age, made before it was locked") as caught:
        await session.query(Writer).filter(Writer.id == 1).for_update()
    assert caught.value.hint == "lock first and change then, or flush before"
    with pytest.raises(StaleObjectError):
        await session.get(Writer, 1, for_update=True)
    with pytest.raises(StaleObjectError):
        await session.query(Writer).values(Writer.age, Writer).for_update()
    with pytest.raises(StaleObjectError):
        assert [writer async for writer in session.query(Writer).for_update().stream()]
    # nothing was written, nothing is lost, the transaction goes on
    assert not sql_of(session, "UPDATE")
    assert await session.get_one(Writer, 2, for_update=True) is bob
    assert ada.age == 1
    await session.flush()
    assert (await session.get_one(Writer, 1, for_update=True)).age == 1


async def test_changes_inside_documents_are_changes(session: AsyncSession) -> None:
    memo = await session.create(Memo, body={"n": 1})
    await session.commit()
    memo.body["n"] = 2
    with pytest.raises(StaleObjectError, match="changes to body"):
        await session.query(Memo).for_update()
    assert memo.body == {"n": 2}


async def test_what_is_new_is_written_before(session: AsyncSession) -> None:
    session.add(Writer(name="Dee"))
    assert [writer.name for writer in await session.query(Writer).order_by(Writer.id).for_update()][-1] == "Dee"


async def test_a_deleted_object_is_not_given(session: AsyncSession) -> None:
    session.delete(await session.get_one(Writer, 3))
    assert await session.get(Writer, 3, for_update=True) is None
    assert await session.get(Writer, 99, for_update=True) is None


async def test_locks_need_a_transaction_that_keeps_them(database: Database) -> None:
    await make_writer(database)
    async with AsyncSession(database, autocommit=True) as session:
        for use in (session.query(Writer).for_update().all, session.query(Writer).for_share().first):
            with pytest.raises(TransactionError, match="in autocommit mode: the lock would end with the query"):
                await use()
        async with session.transaction():
            assert len(await session.query(Writer).for_update()) == 1
    async with AsyncSession(database, read_only=True) as session:
        with pytest.raises(TransactionError, match="in a transaction that is read only"):
            await session.query(Writer).for_update()
    async with AsyncSession(database) as session:
        async with session.transaction(read_only=True):
            with pytest.raises(TransactionError, match="read only"):
                await session.get(Writer, 1, for_update=True)
        assert len(await session.query(Writer).for_update()) == 1


async def test_a_locked_stream_keeps_its_locks(session: AsyncSession) -> None:
    async for writer in session.query(Writer).for_update().stream(2):
        writer.age = 9
    assert session.in_transaction
    assert words(session)["BEGIN"] == 1


# ------------------------------------------------------------------ PostgreSQL


async def test_a_locked_row_is_skipped(postgres: Database) -> None:
    async with AsyncSession(postgres) as one, AsyncSession(postgres) as other:
        queue = [session.query(Writer).order_by(Writer.id).for_update(skip_locked=True) for session in (one, other)]
        first = await queue[0].first()
        second = await queue[1].first()
        assert first is not None
        assert second is not None
        assert (first.name, second.name) == ("Ada", "Bob")
        assert [writer.name for writer in await queue[1]] == ["Bob", "Cy"]
        await one.commit()
        assert [writer.name for writer in await queue[1]] == ["Ada", "Bob", "Cy"]


async def test_nowait_raises_at_a_locked_row(postgres: Database) -> None:
    async with AsyncSession(postgres) as one:
        await one.get(Writer, 1, for_update=True)
        async with rolled_back(AsyncSession(postgres)) as other:
            assert await other.query(Writer).filter(Writer.id == 2).for_update(nowait=True).one()
            with pytest.raises(LockTimeout):
                await other.query(Writer).filter(Writer.id == 1).for_update(nowait=True)
        async with AsyncSession(postgres) as other:
            # shared locks go together, and with plain reads
            assert await other.query(Writer).count() == 3
            async with rolled_back(AsyncSession(postgres)) as third:
                await other.query(Writer).filter(Writer.id == 3).for_share()
                await third.query(Writer).filter(Writer.id == 3).for_share(nowait=True)


async def test_only_the_named_rows_are_locked(postgres: Database) -> None:
    async with AsyncSession(postgres) as session:
        session.add(Story(title="Notes", writer=await session.get_one(Writer, 1)))
    async with AsyncSession(postgres) as one:
        story = await one.query(Story).select_related(Story.writer).for_update().one()
        assert story.writer.name == "Ada"
        async with rolled_back(AsyncSession(postgres)) as other:
            assert await other.query(Writer).filter(Writer.id == 1).for_update(nowait=True).one()
            with pytest.raises(LockTimeout):
                await other.query(Story).for_update(nowait=True)
    async with AsyncSession(postgres) as one:
        await one.query(Story).filter(Story.writer.name == "Ada").for_update(of=Story.writer)
        async with rolled_back(AsyncSession(postgres)) as other:
            assert await other.query(Story).for_update(nowait=True).one()
            with pytest.raises(LockTimeout):
                await other.query(Writer).filter(Writer.id == 1).for_update(nowait=True)


# ------------------------------------------------------------------ SQLite


async def test_sqlite_locks_the_database(tmp_path: object) -> None:
    async with (
        Database(f"sqlite:///{tmp_path}/one.db") as one,
        Database(f"sqlite:///{tmp_path}/one.db?lock_timeout=0.01") as other,
    ):
        await one.create_all(Writer)
        async with AsyncSession(one) as session, AsyncSession(other) as second:
            await session.query(Writer).for_update()
            assert await second.query(Writer).count() == 0
            with pytest.raises(LockTimeout):
                await second.query(Writer).for_update()
            await second.rollback()
            with pytest.raises(CompileError):
                await session.query(Writer).for_update(skip_locked=True)


async def test_a_key_of_another_type(session: AsyncSession) -> None:
    with pytest.raises(WrongType):
        await session.get(Writer, "1", for_update=True)
