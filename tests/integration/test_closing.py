"""`db.close()`: what is in use may end, newcomers are refused, and the deadline is kept."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    ConnectionConfig,
    ConnectionLost,
    Database,
    DatabaseError,
    Mapped,
    Model,
    PoolClosed,
    Session,
    generated,
)
from tests.support.faults import FaultProxy

DEADLINE = 0.5


class Tern(Model, table="closing_tern"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


async def names(dsn: str) -> list[str]:
    """What is committed."""
    async with Database(dsn) as db, AsyncSession(db) as session:
        return [name for (name,) in await session.query(Tern).order_by(Tern.id).values(Tern.name)]


def drivers() -> list[object]:
    """The driver's connections of this loop that are open, whoever knows of them; the tests' caretaker has another."""
    return [each for each in gc.get_objects() if type(each).__name__ == "Connection" and is_open(each)]


def is_open(driver: Any) -> bool:
    is_ours = type(driver).__module__ == "asyncpg.connection" and driver._loop is asyncio.get_running_loop()
    return is_ours and not driver.is_closed()


async def closed_in_time(db: Database, timeout: float = DEADLINE) -> None:
    """Closes, and looks at the clock: a deadline is the behaviour here."""
    start = time.monotonic()
    await db.close(timeout)
    # the tenth is the promise; the rest is for a machine that does other things too, and less than any other time limit
    assert time.monotonic() - start < timeout * 1.1 + 2


async def test_a_transaction_in_use_may_end_and_nobody_else_begins(database_dsn: str) -> None:
    db = Database(database_dsn)
    await db.create_all(Tern)
    async with AsyncSession(db) as session:
        session.add(Tern(name="first"))
        await session.flush()
        closing = asyncio.create_task(db.close())
        await asyncio.sleep(0)
        with pytest.raises(PoolClosed, match="closed"):
            async with AsyncSession(db) as other:
                await other.query(Tern)
        with pytest.raises(PoolClosed):
            await db.ping()
        with pytest.raises(PoolClosed):
            await db.create_all(Tern)
        session.add(Tern(name="second"))
        await session.flush()
        assert not closing.done()
    await closing
    assert await names(database_dsn) == ["first", "second"]
    assert db.stats().pool.opened == 0


async def test_who_waits_for_a_connection_is_sent_away(database_dsn: str) -> None:
    db = Database(ConnectionConfig.from_dsn(database_dsn, pool_size=1))
    held = await db.adapter.acquire()
    waiting = [asyncio.create_task(db.ping()) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(db.close())
    for each in waiting:
        with pytest.raises(PoolClosed):
            await each
    db.adapter.release(held)
    await closing


async def test_what_is_not_committed_at_the_deadline_is_rolled_back(database_dsn: str) -> None:
    db = Database(database_dsn)
    await db.create_all(Tern)
    session = AsyncSession(db)
    await session.__aenter__()
    session.add(Tern(name="lost"))
    await session.flush()
    await closed_in_time(db, 0.1)
    with pytest.raises(DatabaseError) as caught:
        await session.commit()
    assert isinstance(caught.value, (ConnectionLost, PoolClosed))
    await session.close()
    assert await names(database_dsn) == []


async def test_a_statement_that_runs_at_the_deadline_is_ended(database_dsn: str) -> None:
    db = Database(database_dsn)
    await db.create_all(Tern)
    endless = (
        "select pg_sleep(60)"
        if db.dialect.name == "postgresql"
        else "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    )
    flushed = asyncio.Event()

    async def work() -> None:
        async with AsyncSession(db) as session:
            session.add(Tern(name="lost"))
            await session.flush()
            flushed.set()
            await session.execute(endless, write=True)

    task = asyncio.create_task(work())
    await flushed.wait()
    await closed_in_time(db, 0.1)
    with pytest.raises(ConnectionLost):
        await task
    assert await names(database_dsn) == []


async def test_closing_again_and_at_once_does_nothing(database_dsn: str) -> None:
    db = Database(database_dsn)
    await db.ping()
    await asyncio.gather(db.close(), db.close(), db.close(timeout=None))
    await db.close()
    await db.close(timeout=None)
    # nothing is left that belongs to a loop
    await asyncio.to_thread(lambda: asyncio.run(db.close()))


async def test_the_shorter_deadline_counts(database_dsn: str) -> None:
    db = Database(database_dsn)
    await db.adapter.acquire()
    patient = asyncio.create_task(db.close(timeout=None))
    await asyncio.sleep(0)
    assert not patient.done()
    await closed_in_time(db, 0.1)
    await patient


async def test_a_close_that_was_cancelled_may_be_repeated(database_dsn: str) -> None:
    db = Database(database_dsn)
    held = await db.adapter.acquire()
    closing = asyncio.create_task(db.close())
    waiting = asyncio.create_task(db.ping())
    while db.stats().pool.waiting:
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(PoolClosed):
        await db.ping()
    db.adapter.release(held)
    await db.close()
    assert db.stats().pool.opened == 0


@pytest.mark.parametrize("turns", range(6))
async def test_closing_while_a_connection_opens(database_dsn: str, turns: int) -> None:
    db = Database(database_dsn)
    opening = asyncio.create_task(db.ping())
    for _ in range(turns):
        await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(opening, return_exceptions=True)
    assert opening.exception() is None or isinstance(opening.exception(), PoolClosed)
    assert (db.stats().pool.opened, db.stats().pool.waiting) == (0, 0)


@pytest.mark.parametrize(
    "where",
    [
        *("idle", "in use", "opening", "asking", "rolled back"),
        pytest.param("listening", marks=pytest.mark.direct("a pooler gives nobody notifications")),
    ],
)
async def test_the_deadline_is_kept_when_the_server_says_nothing(postgres_database: str, where: str) -> None:
    async with FaultProxy(postgres_database) as proxy:
        db = Database(proxy.dsn)
        tasks: list[asyncio.Task[float]] = []
        if where in ("opening", "asking"):
            # the first thing that a client sends, and what it asks a new connection for
            match = b"\x00\x03\x00\x00" if where == "opening" else b"SHOW default_transaction_isolation"
            fault = proxy.arm(match, when="before", action="blackhole")
            tasks.append(asyncio.create_task(db.ping()))
            await fault.done.wait()
        elif where == "listening":
            await db.listen("orders").__aenter__()
            proxy.break_all("blackhole")
        elif where == "idle":
            await db.ping()
            proxy.break_all("blackhole")
        else:
            connection = await db.adapter.acquire(write=True)
            await connection.execute("BEGIN")
            proxy.break_all("blackhole")
            if where == "in use":
                tasks.append(asyncio.create_task(connection.execute("SELECT 1")))
            else:
                db.adapter.release(connection)
            await asyncio.sleep(0)
        await closed_in_time(db)
        assert db.stats().pool.opened == 0
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, (ConnectionLost, PoolClosed))
        assert drivers() == []


async def test_companions_are_closed_within_the_same_deadline(database_dsn: str) -> None:
    db = Database(database_dsn)
    await db.adapter.acquire()
    holds, goes_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        with Session(db) as session:
            session.begin()
            session.execute("select 1")
            loop.call_soon_threadsafe(holds.set)
            asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result()

    thread = asyncio.create_task(asyncio.to_thread(work))
    await holds.wait()
    await closed_in_time(db)
    goes_on.set()
    with pytest.raises(DatabaseError):
        await thread


@pytest.mark.parametrize("seconds", [-1, True, "x", float("nan"), float("inf")])
async def test_what_is_no_time_to_wait_is_refused_and_closes_nothing(database_dsn: str, seconds: Any) -> None:
    async with Database(database_dsn) as database:
        with pytest.raises(ConfigurationError, match="timeout is"):
            await database.close(seconds)
        await database.ping()
