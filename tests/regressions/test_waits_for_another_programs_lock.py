"""Who waits for the lock that another program has on an SQLite file can be stopped, and gets it once it is free."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, Database, LockTimeout, Mapped, Model, QueryTimeout, generated
from cormorant.adapters import sqlite as adapter_module
from cormorant.adapters.sqlite import SQLiteAdapter, SQLiteConnection
from cormorant.adapters.sqlite_locks import deadline


class LockedTicket(Model, table="locked_ticket"):
    id: Mapped[int] = generated(primary_key=True)
    seat: Mapped[int]


@pytest.fixture(params=["true", "false"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'tickets.db'}?busy_timeout=600&on_loop={request.param}") as made:
        await made.create_all(LockedTicket)
        yield made


@pytest.fixture
def other(tmp_path: Path, database: Database) -> Iterator[sqlite3.Connection]:
    """The other program's connection, which has the lock."""
    with closing(sqlite3.connect(tmp_path / "tickets.db", isolation_level=None, check_same_thread=False)) as made:
        made.execute("BEGIN IMMEDIATE")
        yield made


@pytest.fixture
async def met(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Is set when a statement has met the lock, and goes on waiting."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def noted(raw: sqlite3.Connection, seconds: float) -> float:
        loop.call_soon_threadsafe(event.set)
        return deadline(raw, seconds)

    monkeypatch.setattr(adapter_module, "deadline", noted)
    return event


async def ended(task: asyncio.Task[Any], other: sqlite3.Connection) -> BaseException | None:
    """Gives the error of a task that ends while the lock is held."""
    done, _ = await asyncio.wait((task,), timeout=30)
    other.execute("ROLLBACK")
    await asyncio.wait((task,))
    assert done, "it waited for the lock"
    try:
        return task.exception()
    except asyncio.CancelledError as error:
        return error


async def seats(database: Database) -> list[int]:
    async with AsyncSession(database) as session:
        return await session.query(LockedTicket).order_by(LockedTicket.seat).scalars(LockedTicket.seat)


async def begin(session: AsyncSession) -> None:
    await session.begin()
    await session.execute("DELETE FROM locked_ticket")


async def write_one(session: AsyncSession) -> None:
    session.add(LockedTicket(seat=1))
    await session.commit()


async def write_several(session: AsyncSession) -> None:
    session.add(LockedTicket(seat=1), LockedTicket(seat=2))
    await session.commit()


async def write_by_query(session: AsyncSession) -> None:
    await session.query(LockedTicket).update(LockedTicket.seat.set(2))


@pytest.mark.parametrize("work", [begin, write_one, write_several, write_by_query])
async def test_a_timeout_counts(
    database: Database, other: sqlite3.Connection, work: Callable[[AsyncSession], Coroutine[Any, Any, None]]
) -> None:
    async def limited() -> None:
        async with AsyncSession(database, timeout=0.05) as session:
            await work(session)

    assert type(await ended(asyncio.create_task(limited()), other)) is QueryTimeout
    assert await seats(database) == []


async def test_a_cancellation_counts(database: Database, other: sqlite3.Connection, met: asyncio.Event) -> None:
    async def write() -> None:
        async with AsyncSession(database) as session, session.transaction():
            session.add(LockedTicket(seat=1))

    task = asyncio.create_task(write())
    await met.wait()
    task.cancel()
    assert isinstance(await ended(task, other), asyncio.CancelledError)
    assert await seats(database) == []
    assert database.adapter.stats.in_use == 0


async def test_closing_counts(database: Database, other: sqlite3.Connection, met: asyncio.Event) -> None:
    connection = await database.adapter.acquire(write=True)
    task: asyncio.Task[int] = asyncio.ensure_future(connection.execute("INSERT INTO locked_ticket (seat) VALUES (1)"))
    await met.wait()
    await database.close(0)
    assert await ended(task, other) is not None
    database.adapter.release(connection)


async def test_once_it_is_free_all_is_written_once(
    database: Database, other: sqlite3.Connection, met: asyncio.Event
) -> None:
    async def write(*numbers: int) -> None:
        async with AsyncSession(database) as session:
            session.add(*(LockedTicket(seat=number) for number in numbers))

    tasks = [asyncio.create_task(write(*numbers)) for numbers in ((1,), (2, 3), (4,))]
    await met.wait()
    other.execute("COMMIT")
    await asyncio.gather(*tasks)
    assert await seats(database) == [1, 2, 3, 4]


async def test_what_a_pragma_says_counts_alone(database: Database, other: sqlite3.Connection) -> None:
    connection = await database.adapter.acquire(write=True)
    await connection.execute("PRAGMA busy_timeout = 0")
    task: asyncio.Task[int] = asyncio.ensure_future(connection.execute("INSERT INTO locked_ticket (seat) VALUES (1)"))
    assert type(await ended(task, other)) is LockTimeout
    database.adapter.release(connection)


async def test_a_reader_that_would_write_is_refused_at_once_as_sqlite_does(
    database: Database, other: sqlite3.Connection, met: asyncio.Event
) -> None:
    connection = await database.adapter.acquire(write=True)
    await connection.execute("BEGIN")
    assert await connection.fetch("SELECT count(*) FROM locked_ticket") == [(0,)]
    task: asyncio.Task[int] = asyncio.ensure_future(connection.execute("INSERT INTO locked_ticket (seat) VALUES (1)"))
    assert type(await ended(task, other)) is LockTimeout
    assert not met.is_set()
    await connection.execute("ROLLBACK")
    database.adapter.release(connection)


async def test_a_statement_of_ones_own_is_not_waited_for(database: Database) -> None:
    connection = await database.adapter.acquire(write=True)
    await connection.execute("BEGIN")
    cursor = connection.cursor("INSERT INTO locked_ticket (seat) VALUES (1), (2) RETURNING seat")
    assert len(await cursor.fetch(1)) == 1
    async with asyncio.timeout(30):
        with pytest.raises(LockTimeout, match="SQL statements in progress") as caught:
            await connection.execute("COMMIT")
    assert caught.value.hint == "end the other statement first"
    await cursor.close()
    await connection.execute("COMMIT")
    database.adapter.release(connection)
    assert await seats(database) == [1, 2]


async def test_it_ends_in_time(tmp_path: Path, database: Database, other: sqlite3.Connection) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'tickets.db'}?busy_timeout=0.12")
    connection = await adapter.acquire(write=True)
    assert isinstance(connection, SQLiteConnection)
    for wait in (
        connection.execute("BEGIN IMMEDIATE"),
        connection.execute("INSERT INTO locked_ticket (seat) VALUES (1)"),
    ):
        with pytest.raises(LockTimeout):
            await wait
    # a write that comes after a read meets the lock too, and nothing of several rows is written twice
    await connection.execute("BEGIN")
    with pytest.raises(LockTimeout):
        await connection.write_all("INSERT INTO locked_ticket (seat) VALUES (?1)", [(1,), (2,)])
    other.execute("ROLLBACK")
    await connection.write_all("INSERT INTO locked_ticket (seat) VALUES (?1)", [(1,), (2,)])
    await connection.execute("COMMIT")
    adapter.release(connection)
    await adapter.close()
    assert await seats(database) == [1, 2]
