"""The SQLite adapter, on a file and in memory."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cormorant import errors
from cormorant.adapters import sqlite_short
from cormorant.adapters.base import Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.sqlite import SQLiteAdapter, SQLiteConnection
from cormorant.testing.conformance import AdapterConformance, MakeAdapter

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT signal() UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


async def start_endless(connection: Connection) -> asyncio.Task[Any]:
    assert isinstance(connection, SQLiteConnection)
    loop, running = asyncio.get_running_loop(), asyncio.Event()

    def signal() -> int:
        loop.call_soon_threadsafe(running.set)
        return 0

    await connection.call("", lambda raw: raw.create_function("signal", 0, signal))
    task: asyncio.Task[Any] = asyncio.ensure_future(connection.fetch(ENDLESS))
    await running.wait()
    return task


class SQLiteSuite(AdapterConformance):
    placeholder = "?"
    data_error = "SELECT abs(-9223372036854775807 - 1)"

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        return await start_endless(connection)


class TestMemory(SQLiteSuite):
    is_separate = False

    @pytest.fixture
    def config(self) -> ConnectionConfig:
        return ConnectionConfig.from_dsn("sqlite://?on_loop=false")

    async def test_reads_and_writes_share_the_connection(self, make: MakeAdapter) -> None:
        adapter = make()
        writer = await adapter.acquire(write=True)
        await writer.execute("CREATE TABLE t (id integer)")
        adapter.release(writer)
        reader = await adapter.acquire()
        assert reader is writer
        # as the readers of a file do
        with pytest.raises(errors.StatementError, match="readonly"):
            await reader.execute("INSERT INTO t VALUES (1)")
        adapter.release(reader)
        again = await adapter.acquire(write=True)
        assert await again.execute("INSERT INTO t VALUES (1)") == 1
        adapter.release(again)

    def test_the_data_outlives_an_event_loop(self, config: ConnectionConfig) -> None:
        adapter = SQLiteAdapter(config)

        async def run(sql: str) -> list[Any]:
            connection = await adapter.acquire(write=True)
            rows = await connection.fetch(sql)
            adapter.release(connection)
            return list(rows)

        asyncio.run(run("CREATE TABLE t AS SELECT 1 AS id"))
        assert asyncio.run(run("SELECT id FROM t")) == [(1,)]
        asyncio.run(adapter.close())


class TestFile(SQLiteSuite):
    @pytest.fixture
    def config(self, tmp_path: Path) -> ConnectionConfig:
        return ConnectionConfig.from_dsn(f"sqlite:///{tmp_path / 'test.db'}?on_loop=false")

    async def test_readers_go_on_while_the_writer_writes(self, make: MakeAdapter) -> None:
        adapter = make()
        writer = await adapter.acquire(write=True)
        await writer.execute("CREATE TABLE t AS SELECT 1 AS id")
        await writer.execute("BEGIN IMMEDIATE")
        await writer.execute("INSERT INTO t VALUES (2)")
        readers = [await adapter.acquire() for _ in range(3)]
        for reader in readers:
            assert await reader.fetch("SELECT id FROM t") == [(1,)]
            adapter.release(reader)
        await writer.execute("COMMIT")
        reader = await adapter.acquire()
        assert await reader.fetch("SELECT id FROM t") == [(1,), (2,)]
        adapter.release(reader)
        adapter.release(writer)

    async def test_a_reader_refuses_to_write(self, make: MakeAdapter) -> None:
        adapter = make()
        reader = await adapter.acquire()
        with pytest.raises(errors.StatementError, match="read only") as caught:
            await reader.execute("CREATE TABLE t (id integer)")
        assert caught.value.code == "SQLITE_READONLY"
        adapter.release(reader)

    async def test_the_lock_of_another_process_is_waited_for(self, make: MakeAdapter) -> None:
        first, second = make(), make(lock_timeout=0.01)
        holder = await first.acquire(write=True)
        await holder.execute("BEGIN IMMEDIATE")
        other = await second.acquire(write=True)
        with pytest.raises(errors.LockTimeout, match="locked"):
            await other.execute("BEGIN IMMEDIATE")
        await holder.execute("ROLLBACK")
        await other.execute("BEGIN IMMEDIATE")
        await other.execute("COMMIT")
        first.release(holder)
        second.release(other)

    async def test_a_snapshot_that_is_too_old_to_write_on(self, make: MakeAdapter) -> None:
        first, second = make(), make()
        one, two = await first.acquire(write=True), await second.acquire(write=True)
        await one.execute("CREATE TABLE t AS SELECT 1 AS id")
        await two.execute("BEGIN")
        await two.fetch("SELECT * FROM t")
        await one.execute("UPDATE t SET id = 2")
        with pytest.raises(errors.SerializationError):
            await two.execute("UPDATE t SET id = 3")
        first.release(one)
        second.release(two)

    async def test_many_connections_open_a_new_file_at_once(self, make: MakeAdapter) -> None:
        adapters = [make() for _ in range(4)]
        connections = await asyncio.gather(
            *(adapter.acquire(write=write) for adapter in adapters for write in (False, True, False))
        )
        for connection in connections:
            assert await connection.fetch("PRAGMA journal_mode") == [("wal",)]
        for adapter, connection in zip([a for a in adapters for _ in range(3)], connections, strict=True):
            adapter.release(connection)

    async def test_a_locked_new_file(self, make: MakeAdapter, tmp_path: Path) -> None:
        holder = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        adapter = make(busy_timeout=0.01)
        with pytest.raises(errors.LockTimeout, match="busy_timeout"):
            await adapter.acquire()
        holder.close()
        connection = await adapter.acquire()
        assert await connection.fetch("PRAGMA journal_mode") == [("wal",)]
        adapter.release(connection)

    async def test_close_leaves_one_file(self, make: MakeAdapter, tmp_path: Path) -> None:
        adapter = make()
        writer, reader = await adapter.acquire(write=True), await adapter.acquire()
        await writer.execute("CREATE TABLE t AS SELECT 1 AS id")
        adapter.release(writer)
        adapter.release(reader)
        await adapter.close()
        assert os.listdir(tmp_path) == ["test.db"]

    async def test_a_relative_path_is_of_the_time_of_creation(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        adapter = SQLiteAdapter("sqlite:///here.db")
        monkeypatch.chdir("/")
        adapter.release(await adapter.acquire(write=True))
        await adapter.close()
        assert (tmp_path / "here.db").exists()

    async def test_a_missing_folder(self, tmp_path: Path) -> None:
        adapter = SQLiteAdapter(f"sqlite:///{tmp_path}/missing/test.db")
        with pytest.raises(errors.ConnectionLost, match="folder"):
            await adapter.acquire()
        await adapter.close()

    async def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("no database at all" * 100)
        adapter = SQLiteAdapter(f"sqlite:///{tmp_path}/text.db")
        with pytest.raises(errors.ConnectionLost, match="SQLite file"):
            await adapter.acquire()
        await adapter.close()


@pytest.fixture
async def connection() -> Any:
    adapter = SQLiteAdapter("sqlite://")
    connection = await adapter.acquire(write=True)
    yield connection
    adapter.release(connection)
    await adapter.close()


async def test_set_up(connection: SQLiteConnection) -> None:
    assert await connection.fetch("PRAGMA foreign_keys") == [(1,)]
    assert await connection.fetch("PRAGMA synchronous") == [(1,)]
    assert await connection.fetch("PRAGMA busy_timeout") == [(5000,)]


async def test_a_full_disk(connection: SQLiteConnection) -> None:
    await connection.execute("CREATE TABLE t (data blob)")
    await connection.execute("PRAGMA max_page_count = 10")
    with pytest.raises(errors.DiskFullError):
        await connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
    assert await connection.fetch("SELECT count(*) FROM t") == [(0,)]


async def test_an_interrupted_write_ends_its_transaction(connection: SQLiteConnection) -> None:
    await connection.execute("CREATE TABLE t (id)")
    await connection.execute("BEGIN")
    assert connection.in_transaction
    loop, running = asyncio.get_running_loop(), asyncio.Event()

    def signal() -> None:
        loop.call_soon_threadsafe(running.set)

    await connection.call("", lambda raw: raw.create_function("signal", 0, signal))
    task = asyncio.ensure_future(connection.execute(f"INSERT INTO t {ENDLESS}"))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not connection.in_transaction


@pytest.mark.parametrize("word", ["COMMIT", "commit;", "  END"])
async def test_a_cancelled_commit_is_not_interrupted(connection: SQLiteConnection, word: str) -> None:
    await connection.execute("CREATE TABLE t (id)")
    await connection.execute("BEGIN")
    await connection.execute("INSERT INTO t VALUES (1)")
    task = asyncio.ensure_future(connection.execute(word))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not connection.in_transaction
    assert await connection.fetch("SELECT id FROM t") == [(1,)]


async def test_a_statement_cancelled_before_its_turn_does_not_run(connection: SQLiteConnection) -> None:
    await connection.execute("CREATE TABLE t (id)")
    blocked, free = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def block(raw: Any) -> None:
        loop.call_soon_threadsafe(blocked.set)
        free.wait()

    blocker = asyncio.ensure_future(connection.call("COMMIT", block))
    await blocked.wait()
    late = asyncio.ensure_future(connection.execute("INSERT INTO t VALUES (1)"))
    await asyncio.sleep(0)
    late.cancel()
    await asyncio.sleep(0)
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await late
    await blocker
    assert await connection.fetch("SELECT * FROM t") == []


async def test_decimals_are_ordered_and_added_exactly(connection: SQLiteConnection) -> None:
    await connection.execute("CREATE TABLE t (n text)")
    numbers = ["10", "9.5", "-2", "0.1", "0.2", "123456789012345678901234567890.5", None]
    await connection.fetch_each("INSERT INTO t VALUES (?1)", [(number,) for number in numbers])
    rows = await connection.fetch("SELECT n FROM t WHERE n IS NOT NULL ORDER BY n COLLATE cormorant_decimal")
    assert [row[0] for row in rows] == ["-2", "0.1", "0.2", "9.5", "10", "123456789012345678901234567890.5"]
    total = "123456789012345678901234567908.3"
    assert await connection.fetch("SELECT cormorant_decimal_sum(n) FROM t") == [(total,)]
    assert await connection.fetch("SELECT max(n COLLATE cormorant_decimal) FROM t") == [(numbers[5],)]


async def test_a_moving_sum_of_decimals(connection: SQLiteConnection) -> None:
    rows = await connection.fetch(
        "WITH t(n) AS (VALUES ('0.1'), ('0.2'), ('0.3')) "
        "SELECT cormorant_decimal_sum(n) OVER (ORDER BY n ROWS 1 PRECEDING), cormorant_decimal_avg(n) OVER () FROM t"
    )
    assert rows == [("0.1", "0.2"), ("0.3", "0.2"), ("0.5", "0.2")]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT cormorant_decimal_add('0.1', '0.2')", "0.3"),
        ("SELECT cormorant_decimal_sub('0.3', 0.1)", "0.2"),
        ("SELECT cormorant_decimal_mul('1.10', '10')", "11"),
        ("SELECT cormorant_decimal_div('1', '3')", "0." + "3" * 20),
        ("SELECT cormorant_decimal_add('1', NULL)", None),
        ("SELECT cormorant_decimal_sum(NULL)", None),
        ("SELECT 'Ärger' REGEXP '^[Ää]r'", 1),
        ("SELECT 'abc' REGEXP 'x'", 0),
        ("SELECT NULL REGEXP 'x'", None),
        ("SELECT cormorant_lower('ÄRGER')", "ärger"),
        ("SELECT cormorant_upper('straße')", "STRASSE"),
    ],
)
async def test_functions(connection: SQLiteConnection, sql: str, value: Any) -> None:
    assert await connection.fetch(sql) == [(value,)]


@pytest.mark.parametrize("sql", ["SELECT cormorant_decimal_div('1', '0')", "SELECT 'x' REGEXP '('"])
async def test_a_function_that_refuses_its_values(connection: SQLiteConnection, sql: str) -> None:
    with pytest.raises(errors.DataError):
        await connection.fetch(sql)


async def test_a_connection_does_not_keep_its_opener_alive() -> None:
    class Session: ...

    variable: contextvars.ContextVar[Session] = contextvars.ContextVar("variable")
    adapter = SQLiteAdapter("sqlite://")

    async def use() -> weakref.ref[Session]:
        session = Session()
        variable.set(session)
        connection = await adapter.acquire()
        await connection.fetch("SELECT 1")
        adapter.release(connection)
        return weakref.ref(session)

    seen = await asyncio.create_task(use())
    await asyncio.sleep(0)  # the loop itself lets go of the ended task
    gc.collect()
    assert seen() is None
    await adapter.close()


def test_a_forgotten_connection_does_not_keep_the_process_alive() -> None:
    code = """
import asyncio
from cormorant.adapters.sqlite import SQLiteAdapter
adapter = SQLiteAdapter("sqlite://")
async def main():
    connection = await adapter.acquire()
    await connection.execute("BEGIN")
asyncio.run(main())
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


async def test_an_interrupt_that_comes_too_late_stops_nothing(connection: SQLiteConnection) -> None:
    await connection.interrupt()
    assert await connection.fetch("SELECT 1") == [(1,)]
    await connection.fetch("SELECT 2")
    await connection.interrupt()
    await connection.execute("CREATE TABLE late (id INTEGER)")
    assert await connection.fetch_each("INSERT INTO late VALUES (?1) RETURNING id", [(1,), (2,)]) == [[(1,)], [(2,)]]


async def test_an_interrupt_leaves_a_commit_alone(connection: SQLiteConnection) -> None:
    await connection.execute("CREATE TABLE kept (id INTEGER)")
    await connection.execute("BEGIN")
    await connection.execute("INSERT INTO kept VALUES (1)")
    commit = asyncio.ensure_future(connection.execute("COMMIT"))
    await asyncio.sleep(0)
    await connection.interrupt()
    await commit
    assert await connection.fetch("SELECT id FROM kept") == [(1,)]


async def test_cancelled_when_the_connection_was_terminated(connection: SQLiteConnection) -> None:
    """As at the end of a program: the pool is closed at once, and then its tasks are cancelled."""
    thread: threading.Thread = connection._driver._thread
    running, go_on = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> None:
        running.set()
        go_on.wait()

    task = asyncio.ensure_future(connection.call("SELECT 1", work))
    await asyncio.to_thread(running.wait)
    connection.terminate()
    go_on.set()
    # no turn of the loop in between: it has not heard of the answer yet
    thread.join()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await connection.interrupt()
    assert connection.is_closed


async def test_what_is_terminated_between_two_steps_stops(connection: SQLiteConnection) -> None:
    between, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        # no statement runs that an interrupt could stop
        between.set()
        go_on.wait()
        yield (2,)

    await connection.call("", lambda raw: raw.create_function("step", 1, seen.append))
    task = asyncio.ensure_future(connection.fetch_each("SELECT step(?1)", rows()))  # type: ignore[arg-type]
    await asyncio.to_thread(between.wait)
    connection.terminate()
    go_on.set()
    with pytest.raises(errors.CormorantError):
        await task
    assert seen == [1]


# ------------------------------------------------------------------ on the event loop


class AllShort(dict[str, int]):
    """Takes every statement for a short one, until it proves to be long."""

    def get(self, sql: str, default: Any = 0) -> Any:
        return super().get(sql, sqlite_short.PROVEN)


@pytest.fixture
def all_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(self: sqlite_short.Short) -> None:
        self.credit = AllShort()

    monkeypatch.setattr(sqlite_short.Short, "__init__", begin)


class OnLoop:
    async def test_a_cancelled_begin_leaves_nothing_open(self, make: MakeAdapter) -> None:
        connection = await make().acquire(write=True)
        task = asyncio.ensure_future(connection.execute("BEGIN"))
        await asyncio.sleep(0)
        # it has ended before anybody could cancel it
        assert not task.cancel()
        assert connection.in_transaction
        await connection.execute("ROLLBACK")


@pytest.mark.usefixtures("all_short")
class TestMemoryOnLoop(OnLoop, TestMemory):
    @pytest.fixture
    def config(self) -> ConnectionConfig:
        return ConnectionConfig.from_dsn("sqlite://")


@pytest.mark.usefixtures("all_short")
class TestFileOnLoop(OnLoop, TestFile):
    @pytest.fixture
    def config(self, tmp_path: Path) -> ConnectionConfig:
        return ConnectionConfig.from_dsn(f"sqlite:///{tmp_path / 'test.db'}")
