"""Through a PgBouncer in transaction mode, which has two connections for twenty tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    ConnectionConfig,
    ConnectionLost,
    Database,
    DataError,
    Many,
    Mapped,
    Model,
    One,
    QueryTimeout,
    StatementError,
    UniqueViolation,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)
from tests.support import pgbouncer
from tests.support.wire import WireTap

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(pgbouncer.program() is None, reason=pgbouncer.REMEDY),
]
TASKS = 20


class Flock(Model, table="pooled_flock"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    birds: Many[Bird] = reverse("flock")


class Bird(Model, table="pooled_bird"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    rings: Mapped[list[int]] = field(default_factory=list[int])
    flock: One[Flock] = foreign_key()
    tags: Many[Tag] = many_to_many()


class Tag(Model, table="pooled_tag"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


@pytest.fixture(scope="module", params=["unprepared", "prepared"])
def pooled(request: pytest.FixtureRequest, postgres_dsn: str) -> Iterator[str]:
    """The DSN of a PgBouncer with two connections to the server, which keeps track of prepared statements or not."""
    settings = {"max_prepared_statements": 100} if request.param == "prepared" else {}
    if settings and not pgbouncer.knows_prepared_statements():
        pytest.skip("prepared statements need PgBouncer 1.21; CORMORANT_TEST_PGBOUNCER=/path/to/pgbouncer names one")
    with pgbouncer.started(pgbouncer.server_of(postgres_dsn), pool_size=2, **settings) as dsn:
        yield dsn


@pytest.fixture
async def database(postgres_database: str, pooled: str) -> AsyncIterator[Database]:
    """A database with empty tables."""
    async with Database(pooled, pool_size=TASKS) as database:
        await database.create_all(Flock, Bird, Tag)
        yield database


async def test_twenty_tasks_write_and_read(database: Database) -> None:
    async def work(number: int) -> None:
        async with AsyncSession(database) as session:
            flock = Flock(name=f"{number}")
            birds = [Bird(name=f"{number}", rings=[number, turn], flock=flock) for turn in range(3)]
            birds[0].tags.add(Tag(name="first"))
            session.add(*birds)
            await session.commit()
            found = await session.query(Bird).filter(Bird.flock.name == flock.name).order_by(Bird.id)
            assert [bird.rings for bird in found] == [[number, turn] for turn in range(3)]
            birds[1].name = "renamed"
            session.delete(birds[2])
        async with AsyncSession(database) as session:
            loaded = await session.query(Flock).filter(name=flock.name).one()
            assert sorted(bird.name for bird in await loaded.birds) == sorted([str(number), "renamed"])
            first = await session.get_one(Bird, birds[0].id)
            assert [tag.name for tag in await first.tags] == ["first"]

    await asyncio.gather(*[work(number) for number in range(TASKS)])
    async with AsyncSession(database) as session:
        assert await session.query(Bird).count() == TASKS * 2
        assert await session.query(Tag).count() == TASKS
    assert database.adapter.stats.in_use == 0


async def test_streams_bulk_writes_and_savepoints(database: Database) -> None:
    async def work(number: int) -> int:
        async with AsyncSession(database) as session:
            flock = Flock(name=str(number))
            session.add(flock)
            await session.flush()
            await session.query(Bird).bulk_create([Bird(name="b", rings=[1], flock=flock) for _ in range(600)])
            with pytest.raises(UniqueViolation):
                async with session.transaction():
                    session.add(Flock(name=str(number)))
            return len([bird async for bird in session.query(Bird).filter(flock=flock).stream(chunk=250)])

    assert await asyncio.gather(*[work(number) for number in range(4)]) == [600] * 4


async def test_round_trips(postgres_database: str, pooled: str) -> None:
    async with WireTap(pooled) as tap, Database(tap.dsn, pool_size=1) as database:
        await database.create_all(Flock, Bird, Tag)
        for turn in range(2):
            # the second time with what the first one has prepared
            tap.reset()
            async with AsyncSession(database) as session:
                await session.query(Flock).filter(id=1)
            read = tap.round_trips
            async with AsyncSession(database) as session:
                session.add(Flock(name=str(turn)))
        assert (read, tap.round_trips - read) == ((1, 1) if database.config.cached_statements else (2, 2))
        assert tap.words == ["SELECT", "INSERT"]


async def test_a_value_that_is_refused_here_keeps_no_connection_of_the_pooler(database: Database) -> None:
    # the statement was prepared by then, and the pooler waits for its end
    for _ in range(3):
        connection = await database.adapter.acquire()
        with pytest.raises(DataError):
            await connection.fetch("SELECT $1::int", ["x"])
        database.adapter.release(connection)
    await asyncio.gather(*[database.ping() for _ in range(TASKS)])


async def test_cancelled_statements_leave_the_pooler_free(postgres_database: str, database: Database) -> None:
    async def sleep() -> None:
        async with AsyncSession(database) as session:
            await session.execute("SELECT pg_sleep(60)")

    # two run, the others wait for one of the pooler's connections
    tasks = [asyncio.create_task(sleep()) for _ in range(6)]
    running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    async with Database(pgbouncer.server_of(postgres_database)) as own:
        connection = await own.adapter.acquire()
        while (await connection.fetch(running))[0][0] < 2:
            await asyncio.sleep(0)
        own.adapter.release(connection)
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
    await asyncio.gather(*[database.ping() for _ in range(TASKS)])


async def test_a_statement_is_stopped_after_its_time(database: Database) -> None:
    async with AsyncSession(database, timeout=0.2) as session:
        with pytest.raises(QueryTimeout):
            await session.execute("SELECT pg_sleep(60)")
    await asyncio.gather(*[database.ping() for _ in range(TASKS)])


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SET search_path = app", "SET LOCAL"),
        ("SELECT set_config('app.tenant', '7', false)", "true as its third argument"),
        ("SELECT pg_advisory_lock(1)", "pg_advisory_xact_lock"),
        ("CREATE TEMP TABLE t (id int)", "ON COMMIT DROP"),
        ("LISTEN news", "a connection to the server itself"),
        ("PREPARE q AS SELECT 1", "leave it out"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "session.stream()"),
    ],
)
async def test_what_would_stay_in_a_connection_of_others_is_refused(database: Database, sql: str, hint: str) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError, match="leaves behind") as caught:
            async with session.transaction():
                await session.execute(sql)
    assert hint in str(caught.value.hint)


async def test_what_ends_with_the_transaction_is_allowed(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        await session.execute("SET LOCAL work_mem = '1MB'")
        await session.execute("SELECT pg_advisory_xact_lock(1)")
        await session.execute("CREATE TEMP TABLE t (id int) ON COMMIT DROP")
        assert (await session.execute("SHOW work_mem")).scalar() == "1MB"


async def test_the_outcome_of_a_transaction_is_known(postgres_database: str, pooled: str) -> None:
    async with Database(pooled, track_commits=True) as database:
        await database.create_all(Flock, Bird, Tag)
        async with AsyncSession(database) as session:
            session.add(Flock(name="x"))
            await session.flush()
            number = (await session.execute("SELECT pg_current_xact_id()::text::bigint")).scalar()
        assert await database.outcome(number) == "committed"


async def test_the_name_of_the_program_arrives(postgres_database: str, pooled: str) -> None:
    config = ConnectionConfig.from_dsn(pooled, application_name="birds")
    async with Database(config) as database, AsyncSession(database) as session:
        assert (await session.execute("SHOW application_name")).scalar() == "birds"


async def test_a_setting_that_the_pooler_refuses(pooled: str) -> None:
    config = ConnectionConfig.from_dsn(pooled, server_settings={"work_mem": "1MB"})
    async with Database(config) as database:
        with pytest.raises(ConfigurationError, match="unsupported startup parameter: work_mem") as caught:
            await database.ping()
    assert "ignore_startup_parameters" in str(caught.value.hint)


async def test_without_the_option_the_error_names_it(postgres_database: str, pooled: str) -> None:
    async with Database(
        ConnectionConfig.from_dsn(pooled, pooler=None, statement_cache_size=None, pool_size=4)
    ) as database:

        async def work() -> None:
            # so often that two of them meet on one connection of the server
            for _ in range(200):
                connection = await database.adapter.acquire()
                try:
                    await connection.fetch("SELECT 1 + $1::int", [1])
                finally:
                    database.adapter.release(connection)

        ends = await asyncio.gather(*[work() for _ in range(4)], return_exceptions=True)
    errors = [end for end in ends if isinstance(end, StatementError)]
    assert bool(errors) is ("statement_cache_size" not in pooled)
    assert all("?pooler=transaction" in str(error.hint) for error in errors)


async def test_a_pooler_that_has_no_connection_free(postgres_database: str) -> None:
    with pgbouncer.started(pgbouncer.server_of(postgres_database), pool_size=1, query_wait_timeout=1) as dsn:
        async with Database(dsn, pool_size=2) as database:
            held = await database.adapter.acquire()
            await held.execute("BEGIN")
            other = await database.adapter.acquire()
            with pytest.raises(ConnectionLost, match="query_wait_timeout") as caught:
                await other.execute("DELETE FROM nowhere")
            # it has gone nowhere: there is no outcome to wonder about
            assert not caught.value.sent
            await held.execute("ROLLBACK")
            database.adapter.release(held)
            database.adapter.release(other)
            await database.ping()


async def test_a_statement_that_the_pooler_prepared_for_another_table(database: Database) -> None:
    async def change_and_ask(change: str) -> int:
        connection = await database.adapter.acquire(write=True)
        try:
            await connection.execute(change)
            return len((await connection.query("SELECT * FROM pooled_tag")).columns)
        finally:
            database.adapter.release(connection)

    changes = [f"ALTER TABLE pooled_tag ADD COLUMN more{n} int" for n in range(4)]
    assert [await change_and_ask(change) for change in changes] == [3, 4, 5, 6]
