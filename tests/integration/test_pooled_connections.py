"""The pool on real servers: many sessions, few connections, and connections that the server has ended.

CORMORANT_SESSIONS is the number of sessions that are opened and closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    ConnectionConfig,
    ConnectionLost,
    Database,
    Mapped,
    Model,
    PoolTimeout,
    generated,
)

SESSIONS = int(os.environ.get("CORMORANT_SESSIONS", "1000"))


class Page(Model, table="pooled_page"):
    id: Mapped[int] = generated(primary_key=True)


async def backends(dsn: str) -> int:
    """How many connections the server has, but for the one that asks."""
    async with Database(dsn) as database, AsyncSession(database) as session:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'"
        return int((await session.execute(asked)).scalar())


async def test_many_sessions_leave_no_more_connections_than_the_pool_has(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, pool_size=3, application_name="pooled")
    async with Database(config) as database:
        await database.create_all(Page)

        async def visit() -> None:
            async with AsyncSession(database) as session:
                await session.query(Page).count()

        for _ in range(20):
            await asyncio.gather(*[visit() for _ in range(20)])
        assert await backends(postgres_database) == 3
        assert database.adapter.stats.in_use == 0


async def end_all(dsn: str) -> None:
    """Has the server end the pool's connections, and waits until they are gone."""
    asked = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pooled'"
    async with Database(dsn) as database, AsyncSession(database) as session:
        ended = await session.execute(asked)
        assert [tuple(row) for row in ended] == [(True,)] * 20


@pytest.mark.direct("the server's connections are the pooler's")
@pytest.mark.parametrize("noticed", [True, False])
async def test_connections_that_the_server_ended_while_they_were_idle_fail_no_request(
    postgres_database: str, noticed: bool
) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, pool_size=20, min_pool_size=20, application_name="pooled")
    async with Database(config) as database:
        await database.create_all(Page)
        held = [await database.adapter.acquire() for _ in range(20)]
        for connection in held:
            database.adapter.release(connection)
        if noticed:
            await end_all(postgres_database)
        else:
            # the event loop stands still, and reads nothing meanwhile
            thread = threading.Thread(target=asyncio.run, args=(end_all(postgres_database),))
            thread.start()
            thread.join()

        async def visit() -> int:
            async with AsyncSession(database) as session:
                session.add(Page())
                await session.flush()
                return await session.query(Page).filter(Page.id > 0).count()

        assert all(await asyncio.gather(*[visit() for _ in range(60)]))


async def test_who_may_not_wait_is_refused_at_once(database_dsn: str) -> None:
    async with Database(ConnectionConfig.from_dsn(database_dsn, pool_size=1, max_waiting=0)) as database:
        held = await database.adapter.acquire()
        with pytest.raises(PoolTimeout, match="no more callers may wait"):
            await database.ping()
        database.adapter.release(held)
        await database.ping()


def test_the_number_that_may_wait_is_checked() -> None:
    assert ConnectionConfig.from_dsn("postgresql://localhost/x?max_waiting=100").max_waiting == 100
    with pytest.raises(ConfigurationError, match="max_waiting is -1"):
        ConnectionConfig.from_dsn("sqlite://", max_waiting=-1)


async def test_those_who_wait_are_served_in_their_order(postgres_database: str) -> None:
    async with Database(ConnectionConfig.from_dsn(postgres_database, pool_size=5)) as database:
        served: list[int] = []

        async def visit(number: int) -> None:
            connection = await database.adapter.acquire()
            served.append(number)
            await connection.fetch("SELECT 1")
            database.adapter.release(connection)

        held = [await database.adapter.acquire() for _ in range(5)]
        visitors = [asyncio.create_task(visit(number)) for number in range(200)]
        while database.adapter.stats.waiting < 200:
            await asyncio.sleep(0)
        for connection in held:
            database.adapter.release(connection)
        await asyncio.gather(*visitors)
        assert served == list(range(200))


@pytest.mark.parametrize("seconds", [0.2, 0.5])
async def test_waiting_for_a_connection_ends_when_it_was_asked_to(database_dsn: str, seconds: float) -> None:
    # that it ends in its time is what this is about: the clock is looked at
    config = ConnectionConfig.from_dsn(database_dsn, pool_size=1, acquire_timeout=seconds)
    async with Database(config) as database:
        held = None
        while held is None:
            # opening one may take longer than that
            with contextlib.suppress(ConnectionLost):
                held = await database.adapter.acquire()
        loop = asyncio.get_running_loop()
        start = loop.time()
        refused = await asyncio.gather(*[database.ping() for _ in range(20)], return_exceptions=True)
        took = loop.time() - start
        assert [type(error) for error in refused] == [PoolTimeout] * 20
        assert seconds * 0.9 <= took < max(seconds * 1.1, seconds + 0.5)
        database.adapter.release(held)
        await database.ping()


async def test_sessions_opened_and_closed_leave_the_connections_of_the_pool(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, pool_size=5, application_name="pooled")
    async with Database(config) as database:
        await database.create_all(Page)

        async def visit() -> None:
            for _ in range(SESSIONS // 20):
                async with AsyncSession(database) as session:
                    await session.query(Page).count()

        await asyncio.gather(*[visit() for _ in range(20)])
        assert await backends(postgres_database) == 5
        stats = database.adapter.stats
        assert (stats.opened, stats.idle, stats.in_use, stats.waiting) == (5, 5, 0, 0)
