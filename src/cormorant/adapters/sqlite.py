"""SQLite through aiosqlite: one writer and several readers for each file, at most one thread hop for each statement."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from traceback import clear_frames
from typing import Any, TypeVar
from weakref import ref

from cormorant.adapters import sqlite_thread as in_thread
from cormorant.adapters.base import Adapter, Connection, RawRows, Row
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.pool import Pool
from cormorant.adapters.sqlite_constraints import note_name
from cormorant.adapters.sqlite_cursor import OpenCursors, SQLiteCursor
from cormorant.adapters.sqlite_errors import translate
from cormorant.adapters.sqlite_hops import Hop, Line, Route, TurnedAway, nobody
from cormorant.adapters.sqlite_locks import by_itself, deadline, is_locked
from cormorant.adapters.sqlite_opening import end_thread, open_driver, set_up
from cormorant.adapters.sqlite_reasons import note_reason
from cormorant.adapters.sqlite_short import LATER, OnLoop, Short
from cormorant.adapters.stats import PoolStats
from cormorant.adapters.text import check_sendable
from cormorant.dialects.base import IsolationLevel
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.errors import ConfigurationError, ConnectionLost

R = TypeVar("R")


_INTERRUPT_EVERY = 0.05

_APART_FOR = 0.1
"""Seconds in which readers are lent to one at a time after a statement was slow: they may come in numbers."""


class SQLiteConnection:
    """One SQLite connection in a thread of its own.

    Args:
        driver: The open driver connection.
        writer: Whether it may be lent to who writes; a reader refuses to.
        statement_timeout: Seconds a statement may run; None sets no limit.
        turn: What the threads of one file take to open and to close it.
        known: The statements of which is known that they tell as much without RETURNING.
        others: Connections that do what several have sent to this one and its thread does not come to.
        on_loop: Runs what is short on the event loop; None leaves everything to the thread.
        lock_patience: Seconds that it waits for another process's lock.
    """

    resumable = True

    __slots__ = (
        "__weakref__",
        "_cursors",
        "_driver",
        "_lock_patience",
        "_on_loop",
        "_raw",
        "_refuses",
        "_route",
        "_running",
        "_statement_timeout",
        "_stopped",
        "_timer",
        "_turn",
        "altered",
        "is_closed",
        "known",
        "looks_lost",
        "others",
        "read_only",
        "writer",
    )

    def __init__(
        self,
        driver: Any,
        *,
        writer: bool,
        statement_timeout: float | None,
        turn: threading.Lock,
        known: set[str],
        others: Others | None = None,
        on_loop: OnLoop | None = None,
        lock_patience: float = 0.0,
    ) -> None:
        self.known: set[str] = known
        self.writer: bool = writer
        # who has it now may not write; the one connection of a database in memory is lent for both
        self.read_only: bool = not writer
        self._refuses = not writer
        # what a pragma sets stays set
        self.altered: bool = False
        self._driver = driver
        self._route = Route(driver, nobody if others is None else partial(leaving, ref(self)))
        self._raw: sqlite3.Connection = driver._conn
        self._statement_timeout = statement_timeout
        self._turn = turn
        self.others: Others | None = others
        self._on_loop = on_loop
        self._lock_patience = lock_patience
        self._timer: asyncio.TimerHandle | None = None
        self.is_closed: bool = False
        # nobody is at its other end
        self.looks_lost: bool = False
        # the statement that somebody waits for
        self._running: str | None = None
        # written by the event loop, read by the thread before each step of a hop
        self._stopped = False
        self._cursors: OpenCursors = OpenCursors()

    @property
    def in_transaction(self) -> bool:
        return not self.is_closed and self._raw.in_transaction

    @property
    def needs_reset(self) -> bool:
        return (not self.is_closed and self._raw.in_transaction) or bool(self._cursors)

    def fetch(self, sql: str, args: Sequence[Any] = ()) -> Coroutine[Any, Any, Sequence[Row]]:
        return self.call(sql, in_thread.fetch, sql, args)

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        return await self.call(sql, in_thread.execute, sql, args)

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        return await self.call(sql, in_thread.fetch_each, self.check_stopped, sql, arg_rows)

    async def write_all(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> None:
        await self.call(sql, in_thread.write_all, self.check_stopped, sql, arg_rows)

    def write_each(self, silent: str, sql: str, arg_rows: Sequence[Sequence[Any]]) -> Coroutine[Any, Any, list[int]]:
        return self.call(sql, in_thread.write_each, self.check_stopped, self.known, silent, sql, arg_rows)

    def insert_each(self, silent: str, sql: str, arg_rows: Sequence[Sequence[Any]]) -> Coroutine[Any, Any, list[Row]]:
        return self.call(sql, in_thread.insert_each, self.check_stopped, self.known, silent, sql, arg_rows)

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        return await self.call(sql, in_thread.query, sql, args)

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> SQLiteCursor:
        return SQLiteCursor(self.call, self._cursors, sql, args)

    async def reset(self) -> None:
        """Rolls back what is open."""
        await self._route.send(self._cursors.end)
        if self.in_transaction:
            await self.execute("ROLLBACK")

    async def close(self) -> None:
        """Closes the file and ends the thread."""
        if not self.is_closed:
            self.is_closed = True
            self._cursors.clear()
            try:
                await self._route.send(in_thread.close, self._raw, self._turn)
            finally:
                await self._driver.close()

    def terminate(self) -> None:
        """Has the thread close the file and end, without waiting for it."""
        if self.is_closed:
            return
        self.is_closed = self._stopped = True
        self._cursors.clear()
        # as garbage the driver may have been closed before it
        with contextlib.suppress(sqlite3.ProgrammingError):
            self._raw.interrupt()
        # at the program's end nothing starts a thread any more, and the file is closed with the process
        if sys.is_finalizing():
            return
        # from a thread without a loop: otherwise the answer goes to a loop that may be closed by then
        threading.Thread(target=end_thread, args=(self._driver, self._raw), daemon=True).start()

    def call(self, sql: str, work: Callable[..., R], *args: Any) -> Coroutine[Any, Any, R]:
        """Runs `work(sqlite3_connection, *args)` in the connection's thread, in one hop.

        A cancelled caller gets its CancelledError once the thread has answered, so that nobody else meets a
        statement that still runs.

        Args:
            sql: The statement it runs, for errors.
            work: A plain function.
            *args: What it takes after the connection.
        """
        if not sql.isascii() or "\0" in sql:
            check_sendable(sql)
        if self.others is not None and self.others.has_left(self):
            # somebody else may have it by now
            return self.others.call(self, sql, work, args)
        return self.do(sql, work, args)

    async def do(self, sql: str, work: Callable[..., R], args: tuple[Any, ...]) -> R:
        """Does so for who has the connection."""
        if self.is_closed:
            raise ConnectionLost("the connection is closed", statement=sql)
        on_loop = self._on_loop
        if on_loop is not None and on_loop.offers(sql, work, args):
            if on_loop.takes_turn():
                await self._route.turn()
            if not (self.is_closed or self._route.is_taken):
                try:
                    here: Any = on_loop.run(sql, partial(self._do, work, args))
                except Exception as error:
                    raise translate(error, sql) from error
                if here is not LATER:
                    found: R = here
                    return found
        if self._statement_timeout is not None and not in_thread.is_protected(sql):
            self._timer = _timer(self._statement_timeout, self._time_out)
        self._running = sql
        try:
            hop: Hop[R] = self._route.send(self._work, sql, work, args)
            try:
                return await hop
            except asyncio.CancelledError:
                line = self._route.line
                assert line is not None
                await _settle(self, hop, sql, line, self._cursors, self._raw)
                raise
        except TurnedAway:
            others = self.others
        except Exception as error:
            if self.is_closed:
                raise ConnectionLost("the connection was closed before the statement ended", statement=sql) from error
            raise translate(error, sql) from error
        finally:
            self._running = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
                self._stopped = self.is_closed
        assert others is not None
        return await others.call(self, sql, work, args)

    async def interrupt(self) -> None:
        """Has the running statement fail as one that takes too long."""
        # what comes too late must not stop the next one
        if self._running is not None and not in_thread.is_protected(self._running):
            self._time_out()

    def _time_out(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.is_closed:
            return
        self._stopped = self._cursors.cut = True
        self._raw.interrupt()
        self._timer = _timer(_INTERRUPT_EVERY, self._time_out)

    # ---- in the thread

    def _work(self, sql: str, work: Callable[..., R], args: tuple[Any, ...]) -> R:
        before, until = self._raw.total_changes, None
        while True:
            self.check_stopped()
            started = monotonic()
            try:
                if self._on_loop is None:
                    return self._do(work, args)
                found: R = self._on_loop.measure(sql, work, args, partial(self._do, work, args))
                return found
            except sqlite3.OperationalError as error:
                # where SQLite does not wait at all, two would wait for each other
                waited = monotonic() - started >= by_itself(self._lock_patience) / 2
                if waited and is_locked(error) and self._raw.total_changes == before:
                    until = deadline(self._raw, self._lock_patience) if until is None else until
                    if monotonic() < until:
                        continue
                # of those who share a reader one may be stopped when the next has begun
                if self.writer or work is not in_thread.fetch or not in_thread.is_interrupted(error):
                    raise

    def _do(self, work: Callable[..., R], args: tuple[Any, ...]) -> R:
        if self._cursors.cut:
            self._cursors.end()
        if self.read_only is not self._refuses:
            self._raw.execute(f"PRAGMA query_only = {self.read_only:d}")
            self._refuses = self.read_only
        try:
            return work(self._raw, *args)
        except Exception as error:
            # an error may be kept, and its frames with it: a cursor there that is freed by the event loop would have it
            # wait for whatever statement the thread runs by then
            clear_frames(error.__traceback__)
            if isinstance(error, sqlite3.IntegrityError):
                note_name(self._raw, error)
            elif isinstance(error, sqlite3.OperationalError):
                note_reason(error)
            raise

    def check_stopped(self) -> None:
        """Raises an error where the rest of a hop is not to be done."""
        if self._stopped or self._route.is_stopped:
            error = sqlite3.OperationalError("interrupted")
            error.sqlite_errorname = "SQLITE_INTERRUPT"
            raise error


async def _settle(
    connection: SQLiteConnection, hop: Hop[Any], sql: str, line: Line, cursors: OpenCursors, raw: sqlite3.Connection
) -> None:
    """Waits until the thread has answered, after asking it to stop where that is safe."""
    interruptible = not in_thread.is_protected(sql)
    cursors.cut = interruptible
    if interruptible and line.leave(hop):
        return
    # a BEGIN is not interrupted, but waits no further
    hop.stopped = interruptible or in_thread.is_begin(sql)
    answered = asyncio.get_running_loop().create_future()
    hop.add_done_callback(lambda _: answered.set_result(None), context=Context())
    while not answered.done():
        # again and again, because an interrupt between two steps of the thread is lost
        if line.now is hop and interruptible and not connection.is_closed:
            raw.interrupt()
        # a second cancellation changes nothing: the first is raised in the end
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((answered,), timeout=_INTERRUPT_EVERY)


def leaving(connection: Callable[[], SQLiteConnection | None]) -> Callable[[], bool] | None:
    """Gives what tells whether who waits for a slow statement is to have another reader; nothing, if that is gone."""
    found = connection()
    return None if found is None or found.others is None else partial(found.others.note_slow, found)


class Others:
    """The readers that do what waits behind a slow statement of one of them.

    Args:
        readers: All of them.
    """

    def __init__(self, readers: Pool[SQLiteConnection]) -> None:
        self._readers = readers
        self._apart_until = 0.0
        # who has given back a reader that he still takes for his
        self.left: set[tuple[asyncio.Task[Any] | None, SQLiteConnection]] = set()
        # there was no slow statement of late
        self.sharing_pays: bool = True

    def note_slow(self, connection: SQLiteConnection) -> bool:
        """Notes that a statement is slow; gives whether it is that of somebody who shares a reader."""
        if not self._readers.is_shared(connection):
            return False
        self._readers.seal()
        self.sharing_pays, self._apart_until = False, monotonic() + _APART_FOR
        return True

    def may_share(self) -> bool:
        """Whether sharing pays again."""
        self.sharing_pays = self._apart_until < monotonic()
        return self.sharing_pays

    async def call(self, left: SQLiteConnection, sql: str, work: Callable[..., R], args: tuple[Any, ...]) -> R:
        """Does what `SQLiteConnection.call` does, for who has left one that he shares.

        That one is given back first: nobody must wait for a connection while he has another. His own `release` of it
        comes when all is done, and is passed over then.
        """
        if not self.has_left(left):
            self.left.add((asyncio.current_task(), left))
            self._readers.release(left)
        connection = await self._readers.acquire()
        try:
            return await connection.do(sql, work, args)
        finally:
            self._readers.release(connection)

    def has_left(self, connection: SQLiteConnection) -> bool:
        """Whether the caller's task has given a reader back that it takes for its own."""
        return bool(self.left) and (asyncio.current_task(), connection) in self.left


class SQLiteAdapter(Adapter):
    """Connects to an SQLite file, or to a database in memory.

    A file has one writer, which makes its users queue in order, and `pool_size` readers; a database in memory has
    one connection for both.

    Args:
        source: A DSN such as sqlite:///app.db, or a configuration.

    Raises:
        ConfigurationError: The DSN cannot be read or names another database.
    """

    def __init__(self, source: ConnectionConfig | str) -> None:
        config = ConnectionConfig.from_dsn(source) if isinstance(source, str) else source
        if config.scheme != "sqlite" or config.path is None:
            raise ConfigurationError(f"{config.redacted} is no SQLite database", hint="write sqlite:///file.db")
        self._config = config
        # the working directory may change before the first connection opens
        self._path = config.path if config.in_memory else os.path.abspath(config.path)
        self._dialect = SQLiteDialect()
        self._turn = threading.Lock()
        self._known: set[str] = set()
        self._writers = Pool(
            self._open_writer,
            size=1,
            acquire_timeout=config.acquire_timeout,
            # a database in memory lives as long as its connection
            max_age=None if config.in_memory else config.max_connection_age,
            max_waiting=config.max_waiting,
            watched=False,
            outlives_loops=True,
        )
        self._readers = self._writers if config.in_memory else self._reader_pool(config)
        # what an answer is waited for with is a connection's own; and one that is lent for both does one at a time
        self._shares = config.statement_timeout is None and not config.in_memory
        self._others = Others(self._readers)
        self._short = Short() if config.runs_on_loop else None

    def _reader_pool(self, config: ConnectionConfig) -> Pool[SQLiteConnection]:
        return Pool(
            self._open_reader,
            size=config.pool_size,
            min_size=config.min_pool_size,
            acquire_timeout=config.acquire_timeout,
            max_age=config.max_connection_age,
            max_waiting=config.max_waiting,
            watched=False,
            outlives_loops=True,
        )

    @property
    def config(self) -> ConnectionConfig:
        return self._config

    @property
    def dialect(self) -> SQLiteDialect:
        return self._dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return sqlite3.sqlite_version_info

    @property
    def default_isolation(self) -> IsolationLevel:
        """The level of transactions that name none: SQLite has no other."""
        return "serializable"

    @property
    def stats(self) -> PoolStats:
        """How the pools are used at the moment."""
        return self._writers.stats if self._config.in_memory else self._writers.stats + self._readers.stats

    def acquire(self, *, write: bool = False) -> Coroutine[Any, Any, SQLiteConnection]:
        if self._readers is self._writers:
            return self._acquire_for(write)
        return (self._writers if write else self._readers).acquire()

    def acquire_shared(self, *, write: bool = True) -> Coroutine[Any, Any, SQLiteConnection]:
        """Lends a connection to several at a time, each for one statement.

        A thread for each of them would be slower than one for all: they would take the interpreter from each other at
        every row. Who waits behind a slow statement gets another reader.
        """
        if not self._shares:
            return self.acquire(write=write)
        if write:
            return self._writers.acquire(shares=True)
        others = self._others
        return self._readers.acquire(shares=others.sharing_pays or others.may_share())

    async def _acquire_for(self, write: bool) -> SQLiteConnection:
        # the one connection is lent for both
        connection = await self._writers.acquire()
        connection.read_only = not write
        return connection

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives whether readers and writers take their connections from one place, and how many there are."""
        if self._config.in_memory:
            return "any", 1
        return ("writer", 1) if write else ("reader", self._config.pool_size)

    def release(self, connection: Connection) -> None:
        if not isinstance(connection, SQLiteConnection):
            raise ConfigurationError(f"{connection!r} is no SQLite connection", hint="release it where it was acquired")
        left = self._others.left
        if left and (who := (asyncio.current_task(), connection)) in left:
            left.discard(who)
            return
        (self._writers if connection.writer else self._readers).release(connection)

    def schema_changed(self) -> None:
        """Has found out anew what statements tell; SQLite itself prepares them anew when tables have changed."""
        self._known.clear()

    async def close(self, timeout: float | None = None) -> None:
        """Closes every connection, those in use as they come back.

        Args:
            timeout: Seconds to wait for the ones in use, which are then terminated; None waits without end.
        """
        await asyncio.gather(*(pool.close(timeout) for pool in {self._writers, self._readers}))

    def another(self) -> SQLiteAdapter | None:
        """Gives an adapter to the same file; none to a database in memory, which is its one connection's."""
        if self._config.in_memory:
            return None
        made = type(self)(self._config)
        made._path = self._path
        return made

    # ---- opening

    async def _open_writer(self) -> SQLiteConnection:
        return await self._open(writer=True)

    async def _open_reader(self) -> SQLiteConnection:
        return await self._open(writer=False)

    async def _open(self, *, writer: bool) -> SQLiteConnection:
        config = self._config
        driver = await open_driver(self._path, config)
        short = self._short
        connection = SQLiteConnection(
            driver,
            on_loop=None if short is None else OnLoop(driver._conn, short, writer=writer),
            writer=writer,
            statement_timeout=config.statement_timeout,
            turn=self._turn,
            known=self._known,
            others=None if writer or not self._shares else self._others,
            lock_patience=config.lock_patience,
        )
        try:
            await connection.call("PRAGMA", set_up, config, self._turn, writer)
        except BaseException:
            connection.terminate()
            raise
        return connection


def _timer(seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
    # the loop keeps a cancelled timer, and its context, until its time has come
    return asyncio.get_running_loop().call_later(seconds, function, context=Context())
