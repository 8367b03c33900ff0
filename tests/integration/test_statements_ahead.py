"""BEGIN and savepoints take no round trip of their own: they go to the server with the statement that comes next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from cormorant import AsyncSession, ConnectionLost, Database, StatementError, UniqueViolation
from cormorant.adapters.postgresql import PostgresConnection
from cormorant.errors import CormorantError
from tests.support.newsroom import MODELS, Ticket, Writer, make_writer
from tests.support.wire import WireTap

_IDLE = "datname = current_database() AND state LIKE 'idle in%'"
_KILL = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_IDLE}"

pytestmark = [pytest.mark.postgresql, pytest.mark.direct("what goes over the wire to a server is counted")]


@pytest.fixture
async def tap(postgres_database: str) -> AsyncIterator[WireTap]:
    async with WireTap(postgres_database) as tap:
        yield tap


@pytest.fixture
async def tapped(tap: WireTap) -> AsyncIterator[Database]:
    """A database behind the tap, with the newsroom's tables and one connection, on which the statements are known."""
    async with Database(tap.dsn, pool_size=1) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            await session.get(Writer, 0)
            await session.execute("SHOW transaction_isolation")
            session.add(Writer(name="Ada"), Ticket(seat="1"))
        tap.reset()
        yield database


def released(database: Database) -> bool:
    """Whether every connection is back in the pool."""
    return database.adapter.stats.in_use == 0


async def test_a_transaction_of_two_rows_is_three_round_trips(tap: WireTap, tapped: Database) -> None:
    for seat in ("2", "3"):
        tap.reset()
        async with AsyncSession(tapped) as session, session.transaction():
            session.add(Ticket(seat=seat))
            await session.flush()
            await session.get(Writer, 0)
    assert tap.words == ["BEGIN", "INSERT", "SELECT", "COMMIT"]
    assert tap.round_trips == 3


async def test_what_is_special_about_it_goes_along(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session, session.transaction(isolation="serializable", read_only=True):
        assert await session.get(Writer, 0) is None
        assert (await session.execute("SHOW transaction_isolation")).scalar() == "serializable"
        assert (await session.execute("SHOW transaction_read_only")).scalar() == "on"
    assert tap.statements[0] == "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"
    assert tap.messages["Query"] == 1


async def test_a_first_statement_that_is_not_prepared_comes_after_it(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session, session.transaction():
        assert await session.query(Writer).filter(Writer.age > 5, Writer.name != "x").count() == 0
    assert tap.words == ["BEGIN", "SELECT", "COMMIT"]
    # with BEGIN and COMMIT as bare commands
    assert tap.messages["Query"] == 2


async def test_a_first_statement_that_the_server_refuses(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session:
        with pytest.raises(UniqueViolation, match="seat"):
            async with session.transaction():
                session.add(Ticket(seat="1"))
        assert tap.words == ["BEGIN", "INSERT", "ROLLBACK"]
        session.add(Ticket(seat="9"))
    assert released(tapped)
    async with AsyncSession(tapped) as session:
        assert await session.query(Ticket).count() == 2


async def test_a_first_statement_that_the_driver_refuses_sends_nothing(tap: WireTap, tapped: Database) -> None:
    # the driver packs the values before it sends anything: what is too much for int8 is refused there
    async with AsyncSession(tapped) as session:
        with pytest.raises(CormorantError):
            async with session.transaction():
                await session.get(Writer, 2**70)
        assert tap.statements == []
        assert released(tapped)
        assert await session.get(Writer, 0) is None
    assert tap.words == ["SELECT"]


async def test_a_connection_without_its_transaction_is_given_back_untouched(tap: WireTap, tapped: Database) -> None:
    connection = await tapped.adapter.acquire(write=True)
    assert isinstance(connection, PostgresConnection)
    assert connection.pipelines
    connection.send_later("BEGIN")
    tapped.adapter.release(connection)
    again = await tapped.adapter.acquire()
    assert again is connection
    assert not again.in_transaction
    assert not again.needs_reset
    tapped.adapter.release(again)
    assert tap.statements == []


async def test_a_first_statement_that_is_cancelled_leaves_no_transaction(
    tap: WireTap, tapped: Database, postgres_database: str
) -> None:
    key = await make_writer(tapped)
    async with AsyncSession(tapped) as session, session.transaction():
        (await session.get_one(Writer, key)).age += 1
    other = await asyncpg.connect(postgres_database)
    try:
        async with other.transaction():
            await other.execute(f"UPDATE {Writer.__info__.table} SET age = 50 WHERE id = $1", key)
            entered = asyncio.Event()

            async def change() -> None:
                async with AsyncSession(tapped) as session:
                    found = await session.get_one(Writer, key)
                    async with session.transaction():
                        found.age = 70
                        entered.set()

            task = asyncio.create_task(change())
            await entered.wait()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
            while not await other.fetchval(waiting):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    finally:
        await other.close()
    async with AsyncSession(tapped) as session:
        assert (await session.get_one(Writer, key)).age == 50


async def test_the_first_error_is_that_of_the_statement(tapped: Database) -> None:
    async with AsyncSession(tapped) as session:
        for _ in range(2):
            with pytest.raises(StatementError) as caught:
                async with session.transaction():
                    await session.execute("SELECT nothing FROM nowhere")
            assert caught.value.statement == "SELECT nothing FROM nowhere"


async def test_it_counts_as_a_statement(tapped: Database) -> None:
    async with AsyncSession(tapped) as session, session.transaction():
        await session.get(Writer, 0)
        counted = {stats.sql: stats.count for stats in session.query_stats()}
    assert counted.pop("BEGIN") == 1
    assert list(counted.values()) == [1]


async def test_a_pooler_is_sent_it_alone(tap: WireTap, postgres_database: str) -> None:
    async with Database(f"{tap.dsn}{'&' if '?' in tap.dsn else '?'}pooler=transaction") as database:
        await database.create_all(*MODELS)
        for _ in range(2):
            tap.reset()
            async with AsyncSession(database) as session, session.transaction():
                await session.get(Writer, 0)
    assert tap.messages["Query"] == 2
    assert tap.words == ["BEGIN", "SELECT", "COMMIT"]


# ---- savepoints


async def test_savepoints_go_along_too(tap: WireTap, tapped: Database) -> None:
    for name in ("a", "b"):
        tap.reset()
        async with AsyncSession(tapped) as session, session.transaction():
            await session.get(Writer, 0)
            for number in range(2):
                async with session.transaction():
                    session.add(Ticket(seat=f"{name}.{number}"))
            await session.get(Writer, 0)
    ahead = ["BEGIN", "SELECT", "SAVEPOINT", "INSERT", "RELEASE", "SAVEPOINT", "INSERT", "RELEASE", "SELECT", "COMMIT"]
    assert tap.words == ahead
    assert tap.round_trips == 5
    async with AsyncSession(tapped) as session:
        assert await session.query(Ticket).count() == 5


async def test_a_transaction_ends_without_what_still_waits(tap: WireTap, tapped: Database) -> None:
    for name in ("a", "b"):
        tap.reset()
        async with AsyncSession(tapped) as session, session.transaction():
            await session.get(Writer, 0)
            async with session.transaction(), session.transaction():
                session.add(Ticket(seat=name))
            async with session.transaction():
                pass
    assert tap.words == ["BEGIN", "SELECT", "SAVEPOINT", "SAVEPOINT", "INSERT", "COMMIT"]
    assert tap.round_trips == 3
    async with AsyncSession(tapped) as session:
        assert await session.query(Ticket).count() == 3


async def test_blocks_of_which_nothing_was_sent_leave_nothing_that_waits(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session, session.transaction():
        await session.get(Writer, 0)
        for _ in range(3):
            async with session.transaction(), session.transaction():
                pass
        await session.get(Writer, 0)
    assert tap.words == ["BEGIN", "SELECT", "SELECT", "COMMIT"]


async def test_a_commit_that_something_waits_for_does_not_overlook_that_the_connection_is_gone(
    tapped: Database, postgres_database: str
) -> None:
    session, other = AsyncSession(tapped), await asyncpg.connect(postgres_database)

    async def work() -> None:
        async with session, session.transaction():
            async with session.transaction():
                session.add(Ticket(seat="2"))
            connection = session.state().transactions.connection
            assert connection is not None
            await other.execute(_KILL)
            while not connection.is_closed:
                await asyncio.sleep(0)

    try:
        with pytest.raises(ConnectionLost):
            await work()
    finally:
        await other.close()
    assert session.last_commit is None
    async with AsyncSession(tapped) as again:
        assert await again.query(Ticket).count() == 1


async def test_a_savepoint_is_gone_back_to_although_its_first_statement_failed(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session, session.transaction():
        session.add(Ticket(seat="2"))
        with pytest.raises(UniqueViolation):
            async with session.transaction():
                session.add(Ticket(seat="1"))
        async with session.transaction():
            session.add(Ticket(seat="3"))
        with pytest.raises(CormorantError):
            async with session.transaction():
                await session.get(Writer, 2**70)
    assert tap.words[:5] == ["BEGIN", "INSERT", "SAVEPOINT", "INSERT", "ROLLBACK"]
    async with AsyncSession(tapped) as session:
        assert sorted([ticket.seat for ticket in await session.query(Ticket)]) == ["1", "2", "3"]


async def test_a_block_that_is_left_badly_before_anything_was_sent(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session, session.transaction():
        session.add(Ticket(seat="2"))
        await session.flush()
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with session.transaction():
                    raise ZeroDivisionError
        await session.get(Writer, 0)
    assert tap.words[-1] == "COMMIT"
    async with AsyncSession(tapped) as session:
        assert await session.query(Ticket).count() == 2


async def test_a_stream_goes_on_across_savepoints(tapped: Database) -> None:
    async with AsyncSession(tapped) as session:
        session.add(*(Ticket(seat=f"{number}") for number in range(2, 8)))
        await session.commit()
        seats: list[str] = []
        async with session.transaction():
            async for ticket in session.query(Ticket).order_by(Ticket.seat).stream(chunk=2):
                seats.append(ticket.seat)
                async with session.transaction():
                    if len(seats) % 2:
                        session.add(Writer(name=ticket.seat))
        assert seats == [f"{number}" for number in range(1, 8)]
        assert await session.query(Writer).count() == 5
