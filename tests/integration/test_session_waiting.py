"""S3: what a session waits for: connections, locks, answers; and what it never waits for."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cormorant import AsyncSession, ConfigurationError, ConnectionConfig, Database, Session
from cormorant.errors import PoolTimeout, QueryTimeout, TransactionFailedError, WouldDeadlock
from tests.support.newsroom import MODELS, Label, Writer, make_writer, rolled_back, sql_of, words

HERE = r"test_session_waiting\.py:\d+"
# nobody waits so long in these tests: what they wait for never comes
SOON = 0.4


@asynccontextmanager
async def small(dsn: str, size: int) -> AsyncIterator[Database]:
    async with Database(dsn, pool_size=size) as database:
        await database.create_all(*MODELS)
        yield database


async def write(session: AsyncSession, name: str) -> None:
    session.add(Label(name=name))
    await session.flush()


async def count(database: Database) -> int:
    async with AsyncSession(database) as session:
        return await session.query(Label).count()


# ---- no session waits for one that waits for it


async def test_a_session_inside_of_one_that_has_written_does_not_wait_for_the_one_connection(database_dsn: str) -> None:
    async with small(database_dsn, 1) as database:
        async with AsyncSession(database) as outer:
            await write(outer, "outer")
            async with rolled_back(AsyncSession(database)) as inner:
                inner.add(Label(name="inner"))
                with pytest.raises(
                    WouldDeadlock, match=rf"at .*{HERE} would wait for ever.* inside of the session opened by .*{HERE}"
                ):
                    await inner.flush()
            # it has done nothing, and the outer one goes on
            await write(outer, "more")
        assert await count(database) == 2
        assert database.adapter.stats.in_use == 0


async def test_the_lone_write_of_an_inner_session_does_not_wait_either(database_dsn: str) -> None:
    async with small(database_dsn, 1) as database:
        async with AsyncSession(database) as outer:
            await write(outer, "outer")

            async def inner() -> None:
                async with AsyncSession(database) as session:
                    session.add(Label(name="inner"))

            with pytest.raises(WouldDeadlock):
                await asyncio.wait_for(inner(), 30)
        assert await count(database) == 1


async def test_the_outer_session_does_not_wait_for_the_inner_one(database_dsn: str) -> None:
    async with small(database_dsn, 1) as database, AsyncSession(database) as outer:
        async with AsyncSession(database) as inner:
            await write(inner, "inner")
            with pytest.raises(WouldDeadlock):
                await write(outer, "outer")
        await outer.rollback()
        await write(outer, "after")


async def test_an_inner_session_reads_beside_sqlites_writer(tmp_path: Path) -> None:
    async with small(f"sqlite:///{tmp_path / 'test.db'}", 1) as database, AsyncSession(database) as outer:
        await write(outer, "outer")
        async with AsyncSession(database) as inner:
            assert await inner.query(Label).count() == 0


async def test_a_database_in_memory_is_one_connection() -> None:
    async with small("sqlite://", 1) as database, AsyncSession(database) as outer:
        await write(outer, "outer")
        async with AsyncSession(database) as inner:
            with pytest.raises(WouldDeadlock):
                await inner.query(Label).count()


@pytest.mark.parametrize("depth", [1, 3])
async def test_nested_transactions_use_up_the_pool(postgres_database: str, depth: int) -> None:
    async with small(postgres_database, depth) as database:

        async def nest(level: int) -> None:
            async with AsyncSession(database) as session:
                await write(session, f"{level}")
                await nest(level + 1)

        with pytest.raises(WouldDeadlock, match="the one connection" if depth == 1 else f"all {depth} connections"):
            await nest(0)
        assert database.adapter.stats.in_use == 0
        assert await count(database) == 0


async def test_children_with_sessions_of_their_own_wait_for_each_other(database_dsn: str) -> None:
    async with small(database_dsn, 2) as database:
        async with AsyncSession(database) as outer:
            # reading only: it holds nothing meanwhile
            await outer.query(Label).all()

            async def child(number: int) -> None:
                async with AsyncSession(database) as session:
                    await write(session, f"{number}")

            await asyncio.gather(*(child(number) for number in range(8)))
        assert await count(database) == 8


async def test_children_beside_an_open_transaction_share_what_is_left(postgres_database: str) -> None:
    async with small(postgres_database, 2) as database:
        async with AsyncSession(database) as outer:
            await write(outer, "outer")

            async def child(number: int) -> None:
                async with AsyncSession(database) as session:
                    await write(session, f"{number}")

            await asyncio.gather(*(child(number) for number in range(5)))
        assert await count(database) == 6


async def test_children_that_nest_again_and_use_up_the_pool_are_not_left_waiting(postgres_database: str) -> None:
    async with small(postgres_database, 2) as database:
        both = asyncio.Barrier(2)

        async def child(number: int) -> str:
            try:
                async with AsyncSession(database) as session:
                    await write(session, f"{number}")
                    await both.wait()
                    async with AsyncSession(database) as inner:
                        await write(inner, f"inner {number}")
            except WouldDeadlock:
                return "refused"
            return "done"

        async with asyncio.timeout(60):
            assert sorted(await asyncio.gather(child(1), child(2))) == ["done", "refused"]
        assert await count(database) == 2


async def test_a_task_with_a_context_of_its_own_waits_for_its_turn(database_dsn: str) -> None:
    async with small(database_dsn, 1) as database:

        async def background() -> None:
            async with AsyncSession(database) as session:
                await write(session, "background")

        async with AsyncSession(database) as outer:
            await write(outer, "outer")
            task = asyncio.create_task(background(), context=contextvars.Context())
            while not database.adapter.stats.waiting:
                await asyncio.sleep(0)
        await task
        assert await count(database) == 2


@pytest.mark.parametrize("first", ["read", "write"])
async def test_one_connection_is_enough_for_one_session(database_dsn: str, first: str) -> None:
    async with small(database_dsn, 1) as database, AsyncSession(database) as session:
        session.add(*(Label(name=f"{number}") for number in range(3)))

        async def stream() -> int:
            return len([label async for label in session.query(Label).stream(chunk=1)])

        async def lock() -> int:
            return len(await session.query(Label).for_update())

        reads = [session.query(Writer).all(), session.query(Writer).count(), session.get(Writer, 1)]
        writes = [session.flush(), stream(), lock(), session.query(Label).count()]
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*(reads + writes if first == "read" else writes + reads))
        assert 3 in answers
        assert database.adapter.stats.opened <= (1 if database.dialect.name == "postgresql" else 2)


def nest(database: Database) -> None:
    with Session(database) as outer:
        outer.create(Label, name="outer")
        with pytest.raises(WouldDeadlock), Session(database) as inner:
            inner.create(Label, name="inner")
    with Session(database) as after:
        assert after.query(Label).count() == 1
        after.create(Label, name="after")


async def test_a_sync_session_inside_of_another_does_not_wait_for_it(database_dsn: str) -> None:
    async with small(database_dsn, 1) as database:
        await asyncio.to_thread(nest, database)
        assert await count(database) == 2


async def test_sync_sessions_of_different_threads_wait_for_each_other(database_dsn: str) -> None:
    def work(number: int) -> None:
        with Session(database_dsn) as session:
            session.create(Label, name=f"{number}")
            session.query(Label).count()

    async with small(database_dsn, 1) as database:
        with ThreadPoolExecutor(4) as threads:
            await asyncio.to_thread(lambda: list(threads.map(work, range(12))))
        assert await count(database) == 12


# ---- deadlines


@pytest.mark.parametrize("where", ["session", "database"])
async def test_the_pool_is_waited_for_no_longer_than_the_timeout(database_dsn: str, where: str) -> None:
    async with Database(database_dsn, pool_size=1, timeout=SOON if where == "database" else None) as database:
        await database.create_all(*MODELS)
        connections = [await database.adapter.acquire(write=write) for write in (False,)]
        async with AsyncSession(database, timeout=SOON if where == "session" else None) as session:
            with pytest.raises(PoolTimeout, match=r"timeout of 0\.4 s is over: it waited for a connection"):
                await session.query(Label).count()
            for connection in connections:
                database.adapter.release(connection)
            # nothing has failed outside of a transaction
            assert await session.query(Label).count() == 0


async def test_the_queue_of_sqlites_writers_counts(tmp_path: Path) -> None:
    async with small(f"sqlite:///{tmp_path / 'test.db'}", 3) as database:
        writer = await database.adapter.acquire(write=True)

        async def insert() -> None:
            async with AsyncSession(database, timeout=SOON) as session:
                session.add(Label(name="one"))

        with pytest.raises(PoolTimeout):
            await insert()
        database.adapter.release(writer)
        assert await count(database) == 0
        assert database.adapter.stats.in_use == 0


async def test_waiting_for_a_row_counts_and_fails_the_block(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(*MODELS)
        key = await make_writer(database)
        async with AsyncSession(database) as other:
            await other.get(Writer, key, for_update=True)

            async def change() -> None:
                async with AsyncSession(database, timeout=SOON) as session:
                    writer = await session.get_one(Writer, key)
                    async with session.transaction():
                        writer.name = "Eve"
                        with pytest.raises(QueryTimeout, match="the database's answer") as caught:
                            await session.flush()
                        with pytest.raises(TransactionFailedError) as refused:
                            await session.query(Writer).count()
                        assert refused.value.__cause__ is caught.value

            with pytest.raises(TransactionFailedError, match="QueryTimeout"):
                await asyncio.create_task(change(), context=contextvars.Context())
            # the server was told to stop: nobody waits for the row any more
            waiting = "select count(*) from pg_locks where not granted"
            while (await other.execute(waiting)).scalar():
                await asyncio.sleep(0)
        async with AsyncSession(database) as session:
            assert (await session.get_one(Writer, key)).name == "Ada"
        assert database.adapter.stats.in_use == 0


async def test_a_lone_write_that_waits_for_a_row_is_stopped_and_has_not_happened(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(*MODELS)
        key = await make_writer(database)
        async with AsyncSession(database) as other:
            await other.get(Writer, key, for_update=True)

            async def change() -> AsyncSession:
                session = AsyncSession(database, timeout=SOON)
                with pytest.raises(QueryTimeout):
                    async with session:
                        (await session.get_one(Writer, key)).name = "Eve"
                return session

            session = await asyncio.create_task(change(), context=contextvars.Context())
            assert session.last_commit is None
            assert "BEGIN" not in words(session)
        async with AsyncSession(database) as session:
            assert (await session.get_one(Writer, key)).name == "Ada"


async def test_a_statement_that_runs_too_long_is_stopped(database: Database) -> None:
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    async with AsyncSession(database, timeout=SOON) as session:
        with pytest.raises(QueryTimeout):
            await session.execute(endless, write=False)
        assert await session.query(Label).count() == 0
        await session.flush()
        session.add(Label(name="one"))
        await session.flush()
        with pytest.raises(QueryTimeout):
            await session.execute(endless, write=True)
        with pytest.raises(TransactionFailedError, match="QueryTimeout"):
            await session.query(Label).count()
        await session.rollback()
        assert await session.query(Label).count() == 0
    assert database.adapter.stats.in_use == 0


async def test_a_timeout_that_is_not_reached_changes_nothing(database: Database) -> None:
    async with AsyncSession(database, timeout=60) as session:
        label = await session.create(Label, name="one")
        await session.commit()
        label.name = "two"
        await session.commit()
        assert await session.query(Label).scalars(Label.name) == ["two"]
    assert words(session) == {"BEGIN": 1, "INSERT": 1, "COMMIT": 1, "UPDATE": 1, "SELECT": 1}


async def test_who_waits_behind_other_statements_of_the_session_has_no_more_time(database: Database) -> None:
    async with rolled_back(AsyncSession(database, timeout=SOON)) as session:
        await write(session, "one")
        transactions = session.state().transactions
        async with transactions.lock:
            with pytest.raises(QueryTimeout, match="its turn behind other statements"):
                await session.query(Label).count()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "5"])
async def test_a_timeout_is_a_number_of_seconds(database_dsn: str, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="timeout is"):
        AsyncSession(database_dsn, timeout=seconds)
    with pytest.raises(ConfigurationError, match="commit_timeout is"):
        Database(database_dsn, commit_timeout=seconds)


# ---- the server's isolation level


@pytest.mark.direct("a pooler's connections take no settings")
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_a_stronger_level_of_the_server_is_the_databases(postgres_database: str, level: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, server_settings={"default_transaction_isolation": level})
    async with Database(config) as fresh:
        await fresh.create_all(*MODELS)
    async with Database(config) as database:
        for _ in range(2):
            # also the first statement of all
            async with AsyncSession(database) as session:
                await session.query(Label).count()
                assert session.in_transaction
            assert words(session) == {"BEGIN": 1, "SELECT": 1, "COMMIT": 1}
            assert sql_of(session, "BEGIN") == [f"BEGIN ISOLATION LEVEL {level.upper()}"]
        # what is asked for counts
        async with AsyncSession(database, isolation="read committed") as session:
            await session.query(Label).count()
            assert not session.in_transaction
    async with Database(config, isolation="read committed") as database, AsyncSession(database) as session:
        await session.execute("select 1")
        assert not session.in_transaction


async def test_other_databases_have_reads_of_one_round_trip(database: Database) -> None:
    async with Database(database.config) as fresh, AsyncSession(fresh) as session:
        await session.query(Label).count()
        assert not session.in_transaction
    assert words(session) == {"SELECT": 1}
