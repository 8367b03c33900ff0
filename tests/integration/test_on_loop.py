"""Statements of SQLite that have proved to be short need no thread, unless `on_loop` is false; nothing else changes."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    IntegrityError,
    LockTimeout,
    Mapped,
    Model,
    Session,
    field,
    generated,
)
from cormorant.adapters import sqlite_short
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.sqlite import SQLiteAdapter
from cormorant.adapters.sqlite_hops import Route
from cormorant.adapters.sqlite_short import OnLoop, Short


class Coin(Model, table="coin"):
    id: Mapped[int] = generated(primary_key=True)
    year: Mapped[int] = field(unique=True)
    worth: Mapped[int] = field(default=1)


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that were sent to a thread."""
    sent: list[str] = []
    send: Any = Route.send

    def counted(self: Route, function: Any, *args: Any) -> Any:
        sent.append(args[0] if args else function.__name__)
        return send(self, function, *args)

    monkeypatch.setattr(Route, "send", counted)
    return sent


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'coins.db'}?busy_timeout=0.01&pool_size=2") as made:
        await made.create_all(Coin)
        yield made


async def units(database: Database, years: range) -> None:
    """Inserts, reads, changes and deletes, each in sessions and transactions."""
    for year in years:
        async with AsyncSession(database) as session:
            session.add(coin := Coin(year=year))
        async with AsyncSession(database) as session:
            (await session.get_one(Coin, coin.id)).worth += 1
        async with AsyncSession(database) as session, session.transaction():
            found = await session.get_one(Coin, coin.id)
            assert found.worth == 2
            found.worth += 1
            await session.flush()
            session.add(Coin(year=year + 10_000))
        async with AsyncSession(database) as session:
            session.delete(await session.get_one(Coin, coin.id))


async def count(database: Database) -> int:
    async with AsyncSession(database) as session:
        return await session.query(Coin).count()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is too long for the loop, however busy the machine is."""
    monkeypatch.setattr(sqlite_short, "SHORT", 10.0)
    monkeypatch.setattr(sqlite_short, "LONG", 10.0)


@pytest.mark.usefixtures("patient")
async def test_what_was_short_a_few_times_needs_no_thread(database: Database, hops: list[str]) -> None:
    await units(database, range(10))
    hops.clear()
    await units(database, range(10, 20))
    assert hops == []
    assert await count(database) == 20


async def test_it_is_a_choice(tmp_path: Path, hops: list[str]) -> None:
    async with Database(f"sqlite:///{tmp_path / 'coins.db'}?on_loop=false") as made:
        await made.create_all(Coin)
        await units(made, range(5))
        hops.clear()
        await units(made, range(5, 6))
        assert len(hops) > 5
    for choice in ("true", "false"):
        with pytest.raises(ConfigurationError, match="on_loop is about SQLite"):
            ConnectionConfig.from_dsn(f"postgresql://h/d?on_loop={choice}")


@pytest.mark.usefixtures("patient")
async def test_many_tasks_write_and_read_beside_each_other(database: Database) -> None:
    await asyncio.gather(*(units(database, range(first, first + 10)) for first in range(0, 200, 10)))
    assert await count(database) == 200
    assert database.adapter.stats.in_use == 0


@pytest.mark.usefixtures("patient")
async def test_others_have_their_turn(database: Database) -> None:
    await units(database, range(5))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with AsyncSession(database) as session:
        task = asyncio.create_task(others())
        for key in range(100_000, 100_100):
            assert await session.get(Coin, key) is None
        task.cancel()
    assert turns >= 100 // sqlite_short.IN_A_ROW


@pytest.mark.usefixtures("patient")
async def test_another_process_is_waited_for_in_the_thread(database: Database, hops: list[str], tmp_path: Path) -> None:
    await units(database, range(5))
    other = sqlite3.connect(tmp_path / "coins.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        hops.clear()
        with pytest.raises(LockTimeout):
            await units(database, range(50, 51))
        assert hops
        other.execute("ROLLBACK")
    finally:
        other.close()
    await units(database, range(60, 61))
    assert await count(database) == 6


@pytest.mark.usefixtures("patient")
async def test_an_error_is_the_one_it_always_is(database: Database) -> None:
    await units(database, range(5))
    async with AsyncSession(database) as session:
        session.add(Coin(year=10_001))
        with pytest.raises(IntegrityError, match="year"):
            await session.commit()
        await session.rollback()
    await units(database, range(5, 7))
    assert await count(database) == 7


@pytest.mark.usefixtures("patient")
async def test_a_read_that_turns_out_long_is_left_to_the_thread(database: Database, hops: list[str]) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Coin(year=year) for year in range(3000)))
    async with AsyncSession(database) as session:
        for _ in range(5):
            assert len(await session.query(Coin).filter(Coin.year < 3)) == 3
        hops.clear()
        assert len(await session.query(Coin).filter(Coin.year < 2)) == 2
        assert hops == []
        assert len(await session.query(Coin).filter(Coin.year < 3000)) == 3000
        assert len(hops) == 1
        # and from then on
        assert len(await session.query(Coin).filter(Coin.year < 2)) == 2
        assert len(hops) == 2


@pytest.mark.usefixtures("patient")
async def test_a_read_that_is_given_up_takes_back_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Coin(year=year) for year in range(3000)))
    async with AsyncSession(database) as session, session.transaction():
        session.add(Coin(year=5000))
        await session.flush()
        for _ in range(5):
            assert len(await session.query(Coin).filter(Coin.year < 3)) == 3
        assert len(await session.query(Coin).filter(Coin.year < 3000)) == 3000
    assert await count(database) == 3001


async def test_what_takes_long_in_the_thread_stays_there(
    database: Database, hops: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_short, "SHORT", 0.0)
    await units(database, range(5))
    hops.clear()
    await units(database, range(5, 6))
    assert len(hops) > 5


@pytest.mark.usefixtures("patient")
async def test_the_log_of_the_file_does_not_grow_without_end(database: Database, tmp_path: Path) -> None:
    # each change writes whole pages to it
    async with AsyncSession(database) as session:
        session.add(coin := Coin(year=1))
        await session.commit()
        for _ in range(4000):
            coin.worth += 1
            await session.commit()
    assert (tmp_path / "coins.db-wal").stat().st_size < 16_000_000


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("statements", [1, 2, 3, 7])
@pytest.mark.parametrize("begins", ["on the loop", "in the thread"])
async def test_the_log_does_not_grow_by_transactions_either(tmp_path: Path, statements: int, begins: str) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'coins.db'}?on_loop=true")
    writer = await adapter.acquire(write=True)
    await writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    await writer.execute("INSERT INTO t VALUES (1, 'a')")
    on_loop: Any = writer._on_loop
    for number in range(9000 // (statements + 2)):
        if begins == "in the thread":
            # as after a lock of another process
            on_loop._short.doubt("BEGIN IMMEDIATE")
        await writer.execute("BEGIN IMMEDIATE")
        for _ in range(statements):
            await writer.fetch_each("UPDATE t SET x = ? WHERE id = ?", [(str(number) * 200, 1)])
        await writer.execute("COMMIT")
    assert (tmp_path / "coins.db-wal").stat().st_size < 8_000_000
    adapter.release(writer)
    await adapter.close()


@pytest.mark.usefixtures("patient")
async def test_what_may_be_about_many_rows_stays_in_the_thread(database: Database, hops: list[str]) -> None:
    async with AsyncSession(database) as session:
        for year in range(5):
            hops.clear()
            assert await session.query(Coin).filter(Coin.year == year).update(Coin.worth.set(2)) == 0
            assert await session.query(Coin).filter(Coin.year == year).delete() == 0
            assert any("UPDATE" in sql for sql in hops)
            assert any("DELETE" in sql for sql in hops)


@pytest.mark.usefixtures("patient")
async def test_what_pragmas_have_set_comes_back(tmp_path: Path) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'coins.db'}?on_loop=true")
    writer = await adapter.acquire(write=True)
    await writer.execute("PRAGMA wal_autocheckpoint = 7")
    await writer.execute("PRAGMA busy_timeout = 30000")
    await writer.execute("CREATE TABLE t (x INTEGER)")
    for _ in range(6):
        await writer.fetch_each("INSERT INTO t VALUES (?)", [(1,)])
    # nothing waits for a lock on the loop, or writes to the disk
    here = [writer._raw.execute(f"PRAGMA {name}").fetchall() for name in ("busy_timeout", "wal_autocheckpoint")]
    assert here == [[(0,)], [(0,)]]
    assert await writer.fetch("PRAGMA wal_autocheckpoint") == [(7,)]
    assert await writer.fetch("PRAGMA busy_timeout") == [(30_000,)]
    adapter.release(writer)
    await adapter.close()


def test_what_a_handler_of_signals_raises_is_not_lost() -> None:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    raw.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    raw.execute(
        "INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 300000) SELECT x FROM n"
    )
    on_loop = OnLoop(raw, Short(), writer=True)
    sql = "SELECT count(*) FROM t WHERE x + 0 < 200000"
    raised = seen = 0

    def handler(*_: object) -> None:
        nonlocal raised
        raised += 1
        raise SystemExit

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for _ in range(50):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001)
                on_loop.run(sql, lambda: raw.execute(sql).fetchall())
                while raised == seen:
                    pass
            except SystemExit:
                seen += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        raw.close()
    assert raised == seen == 50


@pytest.mark.usefixtures("patient")
async def test_closing_in_the_middle(tmp_path: Path) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'coins.db'}?on_loop=true")
    connection = await adapter.acquire()
    for _ in range(5):
        await connection.fetch("SELECT 1")
    adapter.release(connection)
    await adapter.close()
    assert connection.is_closed


@pytest.mark.usefixtures("patient")
def test_a_sync_session_has_the_same(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'coins.db'}?on_loop=true")
    asyncio.run(database.create_all(Coin))
    for year in range(10):
        with Session(database) as session:
            session.add(Coin(year=year))
        with Session(database) as session:
            assert session.query(Coin).filter(Coin.year == year).one().worth == 1
    asyncio.run(database.close())


def test_a_write_that_was_long_sends_all_that_write_to_the_thread() -> None:
    short = Short()
    for sql in ("INSERT INTO t VALUES (1)", "COMMIT", "SELECT 1", "SELECT 2"):
        for _ in range(sqlite_short.PROVEN):
            short.note(sql, 0)
    short.doubt("SELECT 1")
    assert [sql for sql, credit in short.credit.items() if credit < 0] == ["SELECT 1"]
    short.doubt("COMMIT")
    assert [sql for sql, credit in short.credit.items() if credit > 0] == ["SELECT 2"]


async def test_a_connection_whose_driver_was_closed_before_it_ends_too(tmp_path: Path) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'coins.db'}")
    connection = await adapter.acquire()
    await connection.call("", lambda raw: raw.close())
    connection.terminate()
    assert connection.is_closed
    adapter.release(connection)
    await adapter.close()
