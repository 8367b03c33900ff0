"""A server that is restarted or killed, or ends connections: who comes later does not notice, and nothing is lost.

CORMORANT_KILLS is the number of times that the server is killed under load.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from itertools import count
from typing import Literal

import pytest

from cormorant import (
    AsyncSession,
    CommitOutcomeUnknown,
    ConfigurationError,
    ConnectionConfig,
    ConnectionLost,
    Database,
    Mapped,
    Model,
    One,
    foreign_key,
    generated,
)
from tests.support.postgres import Cluster

pytestmark = pytest.mark.postgresql

KILLS = int(os.environ.get("CORMORANT_KILLS", "2"))
WRITERS = 8
BETWEEN_KILLS = 60
"""How many writes are acknowledged between two kills."""


class Order(Model, table="kill_order"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int]


class Line(Model, table="kill_line"):
    id: Mapped[int] = generated(primary_key=True)
    order: One[Order] = foreign_key()


@pytest.fixture
async def cluster(own_cluster: Cluster) -> Cluster:
    """A server with empty tables."""
    async with Database(own_cluster.dsn) as database:
        await database.drop_all(Order, Line)
        await database.create_all(Order, Line)
    return own_cluster


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
async def test_a_restart_while_connections_are_idle_fails_no_request(
    cluster: Cluster, how: Literal["fast", "immediate", "kill"], noticed: bool
) -> None:
    async with Database(ConnectionConfig.from_dsn(cluster.dsn, pool_size=20)) as database:
        held = [await database.adapter.acquire() for _ in range(20)]
        for connection in held:
            database.adapter.release(connection)
        if noticed:
            await asyncio.to_thread(cluster.end, how)
            await asyncio.to_thread(cluster.start)
        else:
            # the event loop stands still, and reads nothing meanwhile
            cluster.end(how)
            cluster.start()

        async def visit(number: int) -> int:
            async with AsyncSession(database) as session:
                session.add(Order(number=number))
                await session.flush()
                return await session.query(Order).filter(Order.number == number).count()

        assert await asyncio.gather(*map(visit, range(60))) == [1] * 60


class Load:
    """Writers that write one order with its line at a time, each under a number of its own, whatever happens."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.acknowledged: list[int] = []
        self.unknown: Counter[str | None] = Counter()
        self.progress = asyncio.Condition()
        self.up = asyncio.Event()
        self.stopped = False
        self._numbers = count()

    async def run(self) -> None:
        """Writes until it is stopped."""
        while not self.stopped:
            number = next(self._numbers)
            # again only where it is certain that nothing was committed
            while not await self._write(number):
                await self.up.wait()
            self.acknowledged.append(number)
            async with self.progress:
                self.progress.notify_all()

    async def _write(self, number: int) -> bool:
        try:
            await self.database.run(order, number)
        except ConnectionLost:
            return False
        except CommitOutcomeUnknown as error:
            await self.up.wait()
            outcome = await self._outcome(error)
            self.unknown[outcome] += 1
            return outcome == "committed"
        return True

    async def _outcome(self, error: CommitOutcomeUnknown) -> str | None:
        # the server may be gone again
        while True:
            try:
                if (found := await self.database.outcome(error)) != "in progress":
                    return found
            except ConnectionLost:
                await self.up.wait()

    async def wait_for(self, further: int) -> None:
        """Waits until so many further writes are acknowledged."""
        goal = len(self.acknowledged) + further
        async with self.progress:
            await self.progress.wait_for(lambda: len(self.acknowledged) >= goal)


async def order(session: AsyncSession, number: int) -> None:
    session.add(Line(order=Order(number=number)))


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(cluster: Cluster) -> None:
    config = ConnectionConfig.from_dsn(cluster.dsn, pool_size=5)
    async with Database(config, track_commits=True) as database:
        load = Load(database)
        load.up.set()
        writers = [asyncio.create_task(load.run()) for _ in range(WRITERS)]
        for _ in range(KILLS):
            await load.wait_for(BETWEEN_KILLS)
            load.up.clear()
            await asyncio.to_thread(cluster.end, "kill")
            await asyncio.to_thread(cluster.start)
            load.up.set()
        await load.wait_for(BETWEEN_KILLS)
        load.stopped = True
        await asyncio.gather(*writers)
        async with AsyncSession(database) as session:
            orders = await session.query(Order).scalars(Order.number)
            lines = await session.query(Line).scalars(Line.order.number)
        # none lost, none there that was not acknowledged in the end, none twice
        assert sorted(orders) == sorted(load.acknowledged)
        assert sorted(lines) == sorted(orders)
        assert len(set(orders)) == len(orders)
        assert set(load.unknown) <= {"committed", "aborted"}


async def test_a_number_that_was_lost_in_a_crash_and_given_again(cluster: Cluster) -> None:
    async with Database(cluster.dsn) as database:
        async with AsyncSession(database) as session:
            session.add(Order(number=1), Order(number=2))
            await session.flush()
            kept = await unknown(session)
        session = AsyncSession(database)
        await session.__aenter__()
        # nothing of it reaches the disk
        lost = await unknown(session)
        await asyncio.to_thread(cluster.end, "kill")
        await asyncio.to_thread(cluster.start)
        with pytest.raises(ConnectionLost):
            await session.__aexit__(None, None, None)
        assert [await database.outcome(error) for error in (kept, lost)] == ["committed", "aborted"]
        again: CommitOutcomeUnknown | None = None
        while again is None or again.xid != lost.xid:
            async with AsyncSession(database) as session:
                session.add(Order(number=3), Order(number=4))
                await session.flush()
                again = await unknown(session)
        # the same number, and not the same transaction
        assert again.begun != lost.begun
        assert [await database.outcome(error) for error in (kept, lost)] == ["committed", "aborted"]
        # a checkpoint knows its time by the second: within that nobody tells
        assert await database.outcome(again) in ("committed", None)
        assert await database.outcome(lost.xid or 0) == "committed"
        connection = await database.adapter.acquire()
        await connection.execute("CHECKPOINT")
        database.adapter.release(connection)
        # from now on the server cannot tell any more which of the two was meant
        assert [await database.outcome(error) for error in (kept, lost, again)] == [None, None, "committed"]


async def unknown(session: AsyncSession) -> CommitOutcomeUnknown:
    """The error that there would be if the session's COMMIT were not answered."""
    number = "SELECT pg_current_xact_id()::text::bigint, now()"
    xid, begun = (await session.execute(number, write=True))[0]
    return CommitOutcomeUnknown("not answered", xid=xid, begun=begun)


async def test_a_transaction_without_a_number_cannot_be_asked_for(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        with pytest.raises(ConfigurationError, match="no number"):
            await database.outcome(CommitOutcomeUnknown("not answered"))


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_connection_ended_inside_of_a_transaction(postgres_database: str, noticed: bool) -> None:
    async with Database(postgres_database) as database, Database(postgres_database) as other:
        await database.create_all(Order, Line)
        session = AsyncSession(database)
        await session.__aenter__()
        session.add(Order(number=1), Order(number=2))
        await session.flush()
        pid = (await session.execute("SELECT pg_backend_pid()")).scalar()
        await terminate(other, pid)
        if noticed:
            await other.ping()
        with pytest.raises(ConnectionLost) as caught:
            await session.query(Order).count()
        await session.__aexit__(ConnectionLost, caught.value, None)
        assert not caught.value.sent or caught.value.code == "57P01"
        assert session.last_commit is None
        async with AsyncSession(database) as session:
            assert await session.query(Order).count() == 0
        assert database.adapter.stats.in_use == 0


@pytest.mark.direct("the server's own words are looked at")
async def test_a_connection_ended_in_the_middle_of_a_statement(postgres_database: str) -> None:
    async with Database(postgres_database) as database, Database(postgres_database) as other:
        await database.create_all(Order, Line)
        async with AsyncSession(database) as session:
            pid = (await session.execute("SELECT pg_backend_pid()", write=True)).scalar()
            waiting = asyncio.create_task(slow(session))
            async with AsyncSession(other) as watcher:
                active = "SELECT count(*) FROM pg_stat_activity WHERE pid = :pid AND wait_event = 'PgSleep'"
                while not (await watcher.execute(active, {"pid": pid})).scalar():
                    await asyncio.sleep(0)
            await terminate(other, pid)
            with pytest.raises(ConnectionLost, match="terminating connection") as caught:
                await waiting
            assert caught.value.code == "57P01"
            await session.rollback()
            # the same session goes on, on another connection
            assert await session.query(Order).count() == 0


async def slow(session: AsyncSession) -> None:
    await session.execute("SELECT pg_sleep(60)")


async def terminate(database: Database, pid: int) -> None:
    async with AsyncSession(database) as session:
        assert (await session.execute("SELECT pg_terminate_backend(:pid, 5000)", {"pid": pid})).scalar()
