"""S4 and S10: transactions begun by hand, failed ones, deep ones, and what is told of a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Session
from cormorant.errors import (
    CommitOutcomeUnknown,
    DatabaseError,
    TransactionError,
    TransactionFailedError,
)
from tests.support.newsroom import Label, Writer, make_writer, rolled_back, words


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Label).scalars(Label.name))


async def fail(session: AsyncSession) -> None:
    with pytest.raises(DatabaseError):
        await session.execute("SELECT no_such_column FROM newsroom_label")


# ---- begin()


async def test_a_block_of_a_begun_transaction_is_that_transaction(database: Database) -> None:
    async with AsyncSession(database) as session:
        async with await session.begin() as transaction:
            session.add(Label(name="one"))
            for verb in (session.commit, session.rollback, transaction.commit):
                with pytest.raises(TransactionError, match="inside the transaction"):
                    await verb()
        assert not session.in_transaction
        assert session.last_commit is not None
        kept = Label(name="pending")
        session.add(kept)
        async with rolled_back(await session.begin()):
            session.add(Label(name="two"))
            await session.flush()
        # what was pending before is pending again
        assert list(session.new) == [kept]
        assert not session.in_transaction
    assert words(session) == {"BEGIN": 2, "INSERT": 3, "COMMIT": 1, "ROLLBACK": 1}
    assert await names(database) == ["one", "pending"]


@pytest.mark.parametrize("isolation", ["serializable", None])
async def test_a_begun_transaction_ends_by_hand_or_by_its_block(database: Database, isolation: Any) -> None:
    async with AsyncSession(database) as session:
        begun = await session.begin(isolation=isolation)
        session.add(Label(name="one"))
        await begun.commit()
        with pytest.raises(TransactionError, match="is over"):
            await begun.__aenter__()
        begun = await session.begin(isolation=isolation)
        session.add(Label(name="two"))
        async with begun, rolled_back(session.transaction()):
            session.add(Label(name="three"))
        with pytest.raises(TransactionError):
            await begun.__aexit__(None, None, None)
    assert await names(database) == ["one", "two"]


async def test_a_begun_transaction_with_a_block_inside_cannot_be_entered(database: Database) -> None:
    async with AsyncSession(database) as session:
        begun = await session.begin()
        async with session.transaction():
            with pytest.raises(TransactionError, match="others inside of it"):
                await begun.__aenter__()
        await begun.rollback()


def test_a_begun_transaction_of_a_sync_session(database_dsn: str) -> None:
    with Session(database_dsn) as session:
        with session.begin():
            assert session.execute("SELECT 1").scalar() == 1
        assert not session.in_transaction
        assert session.last_commit is not None
    assert session.last_commit is not None


# ---- failed transactions


async def test_a_failed_implicit_transaction_is_told_when_the_session_is_left(database: Database) -> None:
    async def work() -> None:
        async with AsyncSession(database) as session:
            session.add(Label(name="one"))
            await session.flush()
            await fail(session)
            for refused in (session.query(Label).all, session.transaction().__aenter__, session.commit):
                with pytest.raises(TransactionFailedError, match="failed earlier"):
                    await refused()

    with pytest.raises(TransactionFailedError, match="StatementError"):
        await work()
    assert await names(database) == []
    assert database.adapter.stats.in_use == 0


async def test_a_nested_block_does_not_open_in_a_failed_one_and_saves_the_one_around_it(database: Database) -> None:
    async def inner(session: AsyncSession) -> None:
        async with session.transaction():
            await fail(session)
            with pytest.raises(TransactionFailedError):
                await session.transaction().__aenter__()

    async with AsyncSession(database) as session, session.transaction():
        session.add(Label(name="one"))
        with pytest.raises(TransactionFailedError):
            await inner(session)
        async with session.transaction():
            session.add(Label(name="two"))
    assert await names(database) == ["one", "two"]


# ---- depth


async def test_savepoints_are_as_deep_as_one_likes(database: Database) -> None:
    depth = 200

    async def nest(session: AsyncSession, level: int) -> None:
        if level == depth:
            return
        async with session.transaction():
            session.add(Label(name=f"{level:03}"))
            if level % 2:
                await session.flush()
            await nest(session, level + 1)
            # from here outwards every second block is undone, with all that is inside of it
            if level == 100:
                raise ZeroDivisionError

    async with AsyncSession(database) as session, session.transaction():
        with pytest.raises(ZeroDivisionError):
            await nest(session, 100)
        assert not [*session.identity_map, *session.new]
        await nest(session, 101)
        held = sorted(label.name for label in session.identity_map if isinstance(label, Label))
    assert held == await names(database) == [f"{level:03}" for level in range(101, depth)]


async def test_each_level_of_savepoints_goes_back_to_where_it_began(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)

        async def nest(level: int) -> None:
            if level == 20:
                return
            async with rolled_back(session.transaction()):
                ada.age = level
                await session.flush()
                await nest(level + 1)
                assert ada.age == level
                assert await session.query(Writer).scalars(Writer.age) == [level]

        async with session.transaction():
            ada.age = 100
            await nest(1)
            assert ada.age == 100
    async with AsyncSession(database) as session:
        assert (await session.get_one(Writer, key)).age == 100


# ---- what is told of a commit


async def test_the_last_commit_is_told(database: Database) -> None:
    session, before = AsyncSession(database), datetime.now(UTC)
    assert session.last_commit is None
    async with session:
        await session.query(Label).count()
        await session.commit()
        # nothing was written, nothing was committed
        assert session.last_commit is None
        session.add(Label(name="alone"))
        await session.commit()
        alone = session.last_commit
        assert alone is not None
        assert before <= alone <= datetime.now(UTC)
        async with rolled_back(session.transaction()):
            session.add(Label(name="undone"))
            await session.flush()
        assert session.last_commit is alone
        async with session.transaction():
            async with session.transaction():
                session.add(Label(name="inner"))
            assert session.last_commit is alone
        assert session.last_commit != alone
        session.add(Label(name="late"), Label(name="later"))
        inside = session.last_commit
    assert session.last_commit is not None
    assert inside is not None
    assert session.last_commit > inside


@asynccontextmanager
async def never_answered(database: Database, word: str) -> AsyncIterator[asyncio.Event]:
    """Has the database keep silent about a statement; gives what tells that it was sent."""
    connection = await database.adapter.acquire(write=True)
    database.adapter.release(connection)
    sent, cls = asyncio.Event(), type(connection)
    real: Callable[..., Any] = cls.execute

    async def silent(self: Any, sql: str, args: Any = ()) -> Any:
        if sql.startswith(word) and not sent.is_set():
            sent.set()
            await asyncio.Event().wait()
        return await real(self, sql, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cls, "execute", silent)
        yield sent


async def test_a_commit_that_is_never_answered_is_unknown_after_its_time(database: Database) -> None:
    database.commit_timeout = 0.05
    session = AsyncSession(database)

    async def work() -> None:
        async with session:
            session.add(Label(name="one"), Label(name="two"))

    async with never_answered(database, "COMMIT") as sent:
        working = asyncio.create_task(work())
        await sent.wait()
        working.cancel()
        with pytest.raises(CommitOutcomeUnknown, match=r"within 0\.05 s") as caught:
            await working
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert session.last_commit is None
    assert database.adapter.stats.in_use == 0
    assert await names(database) == []


async def test_a_rollback_that_is_never_answered_leaves_nothing_unknown(database: Database) -> None:
    database.commit_timeout = 0.05

    async def work() -> None:
        async with rolled_back(AsyncSession(database)) as session:
            session.add(Label(name="one"), Label(name="two"))
            await session.flush()

    async with never_answered(database, "ROLLBACK") as sent:
        working = asyncio.create_task(work())
        await sent.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert database.adapter.stats.in_use == 0
    assert await names(database) == []


async def test_a_unit_of_work_is_not_run_again_after_an_unknown_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await database.adapter.acquire(write=True)
    database.adapter.release(connection)
    runs, real = 0, type(connection).execute

    async def lost(self: Any, sql: str, args: Any = ()) -> Any:
        answer = await real(self, sql, args)
        if sql == "COMMIT":
            raise CommitOutcomeUnknown("the connection was lost while COMMIT was on its way")
        return answer

    async def unit(session: AsyncSession) -> None:
        nonlocal runs
        runs += 1
        session.add(Label(name="one"), Label(name="two"))

    monkeypatch.setattr(type(connection), "execute", lost)
    with pytest.raises(CommitOutcomeUnknown):
        await database.run(unit, retries=5)
    monkeypatch.undo()
    assert runs == 1
    assert await names(database) == ["one", "two"]
