"""The sandbox: what is done inside of it is undone, and the program does not notice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Session, configure, hooks
from cormorant.errors import (
    ConfigurationError,
    ConnectionLost,
    ForeignKeyViolation,
    PoolTimeout,
    SerializationError,
    StatementError,
    UniqueViolation,
    WouldDeadlock,
)
from cormorant.testing import Keeper, Sandbox
from cormorant.testing.savepoints import Inner
from tests.support.newsroom import MODELS, Label, Story, Writer, rolled_back


@pytest.fixture
async def outside(database_dsn: str) -> AsyncIterator[Database]:
    """A database that is in no sandbox, with a label that stays."""
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            session.add(Label(name="kept"))
        yield database
        assert await names(database) == ["kept"]


@pytest.fixture
async def database(outside: Database) -> AsyncIterator[Database]:
    async with Sandbox(outside) as database:
        yield database
        assert database.adapter.stats.in_use == 0


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Label).scalars(Label.name))


async def test_commits_are_seen_inside_and_undone(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
    async with AsyncSession(database) as session:
        story = Story(title="Notes", writer=Writer(name="Ada"))
        story.labels.add(*await session.query(Label))
        session.add(story)
        await session.commit()
        assert session.last_commit is not None
    assert await names(database) == ["kept", "one"]
    async with AsyncSession(database) as session:
        assert await session.query(Story).filter(Story.labels.any(Label.name == "one")).count() == 1


async def test_a_rollback_inside_takes_back_its_own(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
    async with rolled_back(AsyncSession(database)) as session:
        await session.create(Label, name="two")
    assert await names(database) == ["kept", "one"]


async def test_transactions_nest(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        session.add(Label(name="one"))
        async with rolled_back(session.transaction()):
            await session.create(Label, name="two")
        with pytest.raises(UniqueViolation):
            async with session.transaction():
                await session.create(Label, name="kept")
        session.add(Label(name="three"))
    assert await names(database) == ["kept", "one", "three"]


async def test_statements_that_fail_harm_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError):
            await session.execute("SELECT * FROM nowhere")
        assert await session.query(Label).count() == 1
    with pytest.raises(UniqueViolation):
        async with AsyncSession(database) as session:
            session.add(Label(name="kept"))
    assert await names(database) == ["kept"]


async def test_units_of_work_are_run_again(database: Database) -> None:
    attempts: list[int] = []

    async def work(session: AsyncSession) -> None:
        await session.create(Label, name="one")
        attempts.append(1)
        if len(attempts) == 1:
            raise SerializationError("met another")

    await database.run(work)
    assert (len(attempts), await names(database)) == (2, ["kept", "one"])


async def test_hooks_after_a_commit_run(database: Database) -> None:
    seen: list[str] = []
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
        hooks.after_commit(session)(lambda _: seen.append("committed"))
    async with rolled_back(AsyncSession(database)) as session:
        hooks.after_rollback(session)(lambda _: seen.append("rolled back"))
        await session.create(Label, name="two")
    assert seen == ["committed", "rolled back"]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
async def test_isolation_levels_are_taken_as_they_are(database: Database, level: Any) -> None:
    async with AsyncSession(database, isolation=level) as session:
        assert await session.query(Label).count() == 1
        session.add(Label(name="one"))
    async with AsyncSession(database) as session, session.transaction(isolation=level):
        assert await session.query(Label).count() == 2


async def test_read_only_sessions_refuse_to_write(database: Database) -> None:
    with pytest.raises(StatementError):
        async with AsyncSession(database, read_only=True) as session:
            session.add(Label(name="one"))
    async with AsyncSession(database) as session:
        session.add(Label(name="two"))
    assert await names(database) == ["kept", "two"]


async def test_deferred_constraints_are_looked_at_by_commits(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.execute("CREATE TABLE shelf (id integer PRIMARY KEY)")
        await session.execute("CREATE TABLE item (shelf integer REFERENCES shelf (id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(ForeignKeyViolation):
        async with AsyncSession(database) as session:
            await session.execute("INSERT INTO item VALUES (7)")
    async with AsyncSession(database) as session:
        assert (await session.execute("SELECT * FROM item")).dicts() == []
        await session.execute("INSERT INTO item VALUES (8)")
        await session.execute("INSERT INTO shelf VALUES (8)")


async def test_sessions_at_the_same_time_take_turns(database: Database) -> None:
    async def work(number: int) -> None:
        async with AsyncSession(database) as session:
            if number % 2:
                await session.query(Label).count()
            await session.create(Label, name=f"label {number}")
            await session.query(Label).count()
            if number % 3 == 0:
                await session.rollback()

    await asyncio.gather(*(work(number) for number in range(20)))
    assert await names(database) == sorted(["kept", *(f"label {number}" for number in range(20) if number % 3)])


async def test_a_session_inside_of_another_goes_on(database: Database) -> None:
    async with AsyncSession(database) as outer:
        await outer.create(Label, name="outer")
        async with AsyncSession(database) as inner:
            await inner.create(Label, name="inner")
        # what the program under test opens is inside of the test's own session
        await asyncio.gather(*(asyncio.create_task(add(database, f"task {number}")) for number in range(5)))
        assert await outer.query(Label).count() == 8
    assert "inner" in await names(database)


async def add(database: Database, name: str) -> None:
    async with AsyncSession(database) as session:
        await session.create(Label, name=name)
        await session.query(Label).count()


async def test_an_outer_session_does_not_wait_for_an_inner_one(database: Database) -> None:
    async with AsyncSession(database) as outer:
        await outer.create(Label, name="outer")
        async with AsyncSession(database) as inner:
            await inner.create(Label, name="inner")
            with pytest.raises(WouldDeadlock, match="one connection"):
                await outer.query(Label).count()
            await inner.rollback()
        await outer.rollback()


async def test_whoever_waits_too_long_is_told_for_whom(database_dsn: str) -> None:
    separator = "&" if "?" in database_dsn else "?"
    async with Database(f"{database_dsn}{separator}acquire_timeout=0.5") as made, Sandbox(made) as database:
        await database.create_all(*MODELS)
        held, done = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with AsyncSession(database) as session:
                await session.create(Label, name="held")
                held.set()
                await done.wait()

        task = asyncio.create_task(hold(), name="holder")
        await held.wait()
        with pytest.raises(PoolTimeout, match=r"used by holder at .*test_sandbox\.py"):
            await names(database)
        done.set()
        await task


async def test_cancelled_at_every_await(database: Database) -> None:
    for turns in range(0, 120, 3):
        task = asyncio.create_task(add(database, "cut"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = await names(database)
        assert found in (["kept"], ["cut", "kept"])
        if "cut" in found:
            async with AsyncSession(database) as session:
                await session.query(Label).filter(name="cut").delete()


async def test_many_cancelled_at_once(database: Database) -> None:
    tasks = [asyncio.create_task(add(database, f"label {number}")) for number in range(30)]
    for number, task in enumerate(tasks):
        await asyncio.sleep(0)
        if number % 3:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found = await names(database)
    assert {f"label {number}" for number in range(0, 30, 3)} <= {*found}
    await add(database, "after")


async def test_streams(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Label).bulk_create({"name": f"label {number:02}"} for number in range(25))
        seen = [label.name async for label in session.query(Label).order_by(Label.name).stream(chunk=10)]
        async with session.transaction():
            rows = [row[0] async for row in session.stream("SELECT name FROM newsroom_label ORDER BY name", chunk=7)]
    assert seen == rows == ["kept", *(f"label {number:02}" for number in range(25))]


async def test_sync_sessions_share_the_sandbox(database: Database) -> None:
    def use(name: str) -> int:
        with Session(database) as session:
            session.add(Label(name=name))
        with Session(database) as session:
            return session.query(Label).count()

    assert await asyncio.to_thread(use, "from a thread") == 2
    await add(database, "from the loop")
    assert await asyncio.to_thread(use, "again") == 4
    async with AsyncSession(database) as session:
        await session.create(Label, name="open")
        assert await asyncio.to_thread(use, "inside") == 6


async def test_sync_sessions_that_knew_the_database_before(outside: Database) -> None:
    assert await asyncio.to_thread(count_by_sync, outside) == 1
    async with Sandbox(outside) as database:
        await add(database, "one")
        assert await asyncio.to_thread(count_by_sync, database) == 2
    assert await asyncio.to_thread(count_by_sync, outside) == 1


async def test_another_loop_shares_the_sandbox(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.create(Label, name="open")
        await asyncio.to_thread(asyncio.run, add(database, "elsewhere"))
        assert await session.query(Label).count() == 3


def test_a_sandbox_without_a_loop(database_dsn: str) -> None:
    database = Database(database_dsn)
    keeper = Keeper()
    keeper.run(lambda: make_tables(database))
    for _ in range(2):
        with Sandbox(database, keeper=keeper), Session(database) as session:
            session.add(Label(name="one"))
            assert session.query(Label).count() == 1
    with Session(database) as session:
        assert session.query(Label).count() == 0
    # it was used outside of the sandbox too, on the loop of sync sessions
    asyncio.run(database.close())
    keeper.stop()
    assert "cormorant-sandbox" not in {thread.name for thread in threading.enumerate()}


async def make_tables(database: Database) -> None:
    twin = database.beside()
    await twin.create_all(*MODELS)
    if twin is not database:
        await twin.close()


async def test_closing_the_database_inside_closes_nothing(database: Database) -> None:
    async with database:
        await add(database, "one")
    assert await names(database) == ["kept", "one"]
    assert await asyncio.to_thread(count_by_sync, database) == 2


async def test_the_end_waits_for_what_a_connection_left_open(
    outside: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nobody waits for that where it is given back: it met the next sandbox's BEGIN
    undone, roll_back, begun = list[bool](), Inner._roll_back, threading.Event()

    async def slowly(inner: Inner) -> None:
        begun.set()
        for _ in range(50):
            await asyncio.sleep(0)
        await roll_back(inner)
        undone.append(inner.shared.real.in_transaction)

    async with Sandbox(outside) as database:
        connection = await database.adapter.acquire(write=True)
        await connection.execute("BEGIN")
        monkeypatch.setattr(Inner, "_roll_back", slowly)
        database.adapter.release(connection)
        assert await asyncio.to_thread(begun.wait, 10)
    assert undone == [True]


async def test_a_database_closed_inside_goes_on_outside(outside: Database) -> None:
    # its own connections, and those of sync sessions, are not the sandbox's
    assert await asyncio.to_thread(count_by_sync, outside) == 1
    async with Sandbox(outside) as database:
        await database.close()
    assert await names(outside) == ["kept"]
    assert await asyncio.to_thread(count_by_sync, outside) == 1
    twin = outside.beside()
    assert await names(twin) == ["kept"]
    await twin.close()


def count_by_sync(database: Database) -> int:
    with Session(database) as session:
        return session.query(Label).count()


async def test_tables_made_inside_are_undone(outside: Database) -> None:
    async with Sandbox(outside) as database, AsyncSession(database) as session:
        await session.execute("CREATE TABLE t AS SELECT 1 AS a")
        database.schema_changed()
        assert (await session.execute("SELECT * FROM t")).columns == ("a",)
    async with AsyncSession(outside) as session:
        with pytest.raises(StatementError):
            await session.execute("SELECT * FROM t")


async def test_the_configured_database(outside: Database) -> None:
    configure(outside)
    try:
        async with Sandbox():
            async with AsyncSession() as session:
                session.add(Label(name="one"))
            assert await names(outside) == ["kept", "one"]
    finally:
        configure(None)


async def test_misuse_is_named(outside: Database) -> None:
    async with Sandbox(outside):
        with pytest.raises(ConfigurationError, match="in a sandbox already"):
            async with Sandbox(outside):
                pass
    async with AsyncSession(outside) as session:
        await session.create(Label, name="open")
        with pytest.raises(ConfigurationError, match="in use"):
            async with Sandbox(outside):
                pass
        await session.rollback()
    with pytest.raises(ConfigurationError, match="not entered"):
        await Sandbox(outside).__aexit__(None, None, None)


async def test_a_connection_outlives_its_sandbox(outside: Database) -> None:
    async with Sandbox(outside) as database:
        connection = await database.adapter.acquire(write=True)
        await connection.execute("BEGIN")
        adapter = database.adapter
    assert connection.is_closed
    assert not connection.in_transaction
    with pytest.raises(ConnectionLost, match="sandbox has ended"):
        await connection.fetch("SELECT 1")
    adapter.release(connection)


async def test_a_database_in_memory() -> None:
    async with Database("sqlite://") as database:
        await database.create_all(*MODELS)
        async with Sandbox(database):
            await add(database, "one")
            assert await names(database) == ["one"]
            assert await asyncio.to_thread(count_by_sync, database) == 1
        assert await names(database) == []


async def test_a_programs_own_database_is_taken_along(outside: Database) -> None:
    nowhere = "postgresql://127.0.0.1:1/nowhere" if outside.dialect.name == "postgresql" else "sqlite:////no/where.db"
    program = Database(nowhere)
    async with Sandbox(outside, also=[program, program, outside]):
        await add(program, "one")
        assert await names(outside) == ["kept", "one"]
        assert await asyncio.to_thread(count_by_sync, program) == 2
    with pytest.raises(ConnectionLost):
        await names(program)
    other = Database("sqlite://" if outside.dialect.name == "postgresql" else "postgresql://nowhere")
    with pytest.raises(ConfigurationError, match="speaks"):
        async with Sandbox(outside, also=[other]):
            pass
    await program.close()
