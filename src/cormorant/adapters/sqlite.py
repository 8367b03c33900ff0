"""SQLite through aiosqlite: one writer and several readers for each file, one thread hop for each statement."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, ref

from cormorant.adapters import sqlite_thread as in_thread
from cormorant.adapters.base import Adapter, Connection, RawRows, Row
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.pool import Pool
from cormorant.adapters.sqlite_constraints import note_name
from cormorant.adapters.sqlite_cursor import OpenCursors, SQLiteCursor
from cormorant.adapters.sqlite_errors import translate
from cormorant.adapters.sqlite_opening import open_driver, set_up
from cormorant.adapters.stats import PoolStats
from cormorant.adapters.text import check_sendable
from cormorant.dialects.base import IsolationLevel
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.errors import ConfigurationError, ConnectionLost

R = TypeVar("R")

_INTERRUPT_EVERY = 0.05


class Answers:
    """What threads have for one loop: it is woken once for all that comes until it looks."""

    __slots__ = ("_come", "_told")

    def __init__(self) -> None:
        self._come: deque[Hop[Any]] = deque()
        self._told = False

    def put(self, hop: Hop[Any], loop: asyncio.AbstractEventLoop) -> None:
        """Takes what a thread has done."""
        self._come.append(hop)
        if not self._told:
            self._told = True
            try:
                loop.call_soon_threadsafe(self._look, loop)
            except RuntimeError:
                # the loop is closed: nobody waits for an answer any more
                return

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        # before the first is taken: what comes from now on wakes the loop again
        self._told = False
        come = self._come
        try:
            while come:
                come.popleft().arrive()
        finally:
            if come:
                # a task has ended the loop
                loop.call_soon(self._look, loop)


_answers: WeakKeyDictionary[asyncio.AbstractEventLoop, Answers] = WeakKeyDictionary()


def _answers_of(loop: asyncio.AbstractEventLoop) -> Answers:
    """Gives what threads answer a loop by."""
    found = _answers.get(loop)
    if found is None:
        found = _answers[loop] = Answers()
    return found


class Hop(Generic[R]):
    """A function on its way through a connection's thread, to be awaited once by the task that has sent it.

    The driver answers by a Future, whose result is set in one turn of the loop and read in the next. This wakes its
    task in the turn in which the answer comes, which spares a third of what a short statement costs. To the task it
    is what a Future is: the names are those by which asyncio knows what a task may wait for.

    Args:
        loop: The loop of the task.
        function: What the thread does.
        args: What it takes.
        answers: By which the loop is told of what threads have done.
    """

    __slots__ = (
        "_answers",
        "_args",
        "_arrived",
        "_asyncio_future_blocking",
        "_cancelled",
        "_error",
        "_function",
        "_loop",
        "_result",
        "_waiting",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[..., R],
        args: tuple[Any, ...],
        answers: Answers | None = None,
    ) -> None:
        # where asyncio looks whose it is
        self._loop = loop
        self._answers = answers or _answers_of(loop)
        self._function: Callable[..., R] | None = function
        self._args = args
        self._asyncio_future_blocking: bool = False
        self._waiting: list[tuple[Callable[[Any], object], Context]] = []
        self._result: Any = None
        self._error: BaseException | None = None
        self._cancelled: tuple[Any, ...] | None = None
        self._arrived = False

    def __repr__(self) -> str:
        # the driver logs it, and would log what it is given otherwise
        return f"<a hop of {getattr(self._function, '__name__', 'a function')}>"

    # ---- in the thread

    def __call__(self) -> None:
        function, args = self._function, self._args
        # the thread remembers its last hop until the next one
        self._function, self._args = None, ()
        assert function is not None
        try:
            self._result = function(*args)
        except BaseException as error:
            self._error = error
        self._answers.put(self, self._loop)

    # ---- on the loop

    def arrive(self) -> None:
        """Takes note of the answer, and wakes the task."""
        self._arrived = True
        if self._cancelled is not None:
            # the task has gone on without it
            self._result = self._error = None
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wake, context in waiting:
            context.run(wake, self)

    def __await__(self) -> Generator[Any, None, R]:
        self._asyncio_future_blocking = True
        # an error is thrown in here
        yield self
        result: R = self._result
        self._result = None
        return result

    def add_done_callback(self, wake: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Has the task woken when the answer is there."""
        context = copy_context() if context is None else context
        if self._arrived:
            # while another task took over what waits for it
            self._loop.call_soon(wake, self, context=context)
        else:
            self._waiting.append((wake, context))

    def remove_done_callback(self, wake: Callable[[Any], object]) -> int:
        """Has a task not woken any more; gives how often it would have been."""
        left = [(other, context) for other, context in self._waiting if other != wake]
        removed = len(self._waiting) - len(left)
        self._waiting = left
        return removed

    def cancel(self, msg: Any = None) -> bool:
        """Has the task go on with a CancelledError; what is in the thread goes on all the same."""
        if not self._waiting or self._cancelled is not None:
            return False
        self._cancelled = () if msg is None else (msg,)
        self._loop.call_soon(self._wake)
        return True

    def result(self) -> None:
        """Raises what there was instead of an answer; the task asks for that when it is woken."""
        if self._cancelled is not None:
            raise asyncio.CancelledError(*self._cancelled)
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                # its traceback leads back here
                del error


class SQLiteConnection:
    """One SQLite connection in a thread of its own.

    Args:
        driver: The open driver connection.
        writer: Whether it may be lent to who writes; a reader refuses to.
        statement_timeout: Seconds a statement may run; None sets no limit.
        turn: What the threads of one file take to open and to close it.
        known: The statements of which is known that they tell as much without RETURNING.
    """

    resumable = True

    __slots__ = (
        "_answers",
        "_cursors",
        "_driver",
        "_loop",
        "_put",
        "_raw",
        "_refuses",
        "_running",
        "_statement_timeout",
        "_stopped",
        "_timer",
        "_turn",
        "altered",
        "is_closed",
        "known",
        "looks_lost",
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
    ) -> None:
        self.known: set[str] = known
        self.writer: bool = writer
        # who has it now may not write; the one connection of a database in memory is lent for both
        self.read_only: bool = not writer
        self._refuses = not writer
        # what a pragma sets stays set
        self.altered: bool = False
        self._driver = driver
        # to whom the driver hands what its thread does; one of other insides does that in its own way
        queue: Any = getattr(driver, "_tx", None)
        self._put: Callable[[Any], None] | None = None if queue is None else queue.put_nowait
        # and who is told of it on the loop that used the connection last
        self._answers: Answers | None = None
        self._loop: Callable[[], asyncio.AbstractEventLoop | None] = type(None)
        self._raw: sqlite3.Connection = driver._conn
        self._statement_timeout = statement_timeout
        self._turn = turn
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
        await self._hop(self._cursors.end)
        if self.in_transaction:
            await self.execute("ROLLBACK")

    async def close(self) -> None:
        """Closes the file and ends the thread."""
        if not self.is_closed:
            self.is_closed = True
            self._cursors.clear()
            try:
                await self._hop(in_thread.close, self._raw, self._turn)
            finally:
                await self._driver.close()

    def terminate(self) -> None:
        """Has the thread close the file and end, without waiting for it."""
        if self.is_closed:
            return
        self.is_closed = self._stopped = True
        self._cursors.clear()
        self._raw.interrupt()
        # at the program's end nothing starts a thread any more, and the file is closed with the process
        if sys.is_finalizing():
            return
        # from a thread without a loop: otherwise the answer goes to a loop that may be closed by then
        threading.Thread(target=self._driver.stop, daemon=True).start()

    async def call(self, sql: str, work: Callable[..., R], *args: Any) -> R:
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
        if self.is_closed:
            raise ConnectionLost("the connection is closed", statement=sql)
        if self._statement_timeout is not None and not in_thread.is_protected(sql):
            self._timer = _timer(self._statement_timeout, self._time_out)
        self._running = sql
        try:
            return await self._hop(self._work, work, args)
        except asyncio.CancelledError:
            await self._settle(sql)
            raise
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

    def _hop(self, function: Callable[..., R], *args: Any) -> Awaitable[R]:
        """Sends a function to the thread; gives what is to be awaited, at once and by the caller."""
        # the driver's public methods take a hop for each step: cursor, execute, fetch
        put = self._put
        if put is None:
            answer: Awaitable[R] = self._driver._execute(function, *args)
            return answer
        if not self._driver._running:
            raise ValueError("the thread has ended")
        loop = asyncio.get_running_loop()
        if self._answers is None or self._loop() is not loop:
            self._answers, self._loop = _answers_of(loop), ref(loop)
        put((None, hop := Hop(loop, function, args, self._answers)))
        return hop

    async def _settle(self, sql: str) -> None:
        """Waits until the thread has answered, after asking it to stop where that is safe."""
        interruptible = not in_thread.is_protected(sql)
        self._stopped = interruptible
        # the thread works in order: once it has run this, it has ended the statement
        barrier = asyncio.ensure_future(_idle(self._hop))
        while not barrier.done() or barrier.cancelled():
            if barrier.cancelled():
                barrier = asyncio.ensure_future(_idle(self._hop))
            # again and again, because an interrupt between two steps of the thread is lost
            if interruptible and not self.is_closed:
                self._cursors.cut = True
                self._raw.interrupt()
            # a second cancellation changes nothing: the first is raised in the end
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((barrier,), timeout=_INTERRUPT_EVERY)
        # of a connection that was closed meanwhile; the thread has ended, or is about to
        barrier.exception()
        # only here: an earlier call that ends meanwhile must not set this one going
        self._stopped = self.is_closed

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

    def _work(self, work: Callable[..., R], args: tuple[Any, ...]) -> R:
        if self._cursors.cut:
            self._cursors.end()
        self.check_stopped()
        if self.read_only is not self._refuses:
            self._raw.execute(f"PRAGMA query_only = {self.read_only:d}")
            self._refuses = self.read_only
        try:
            return work(self._raw, *args)
        except sqlite3.IntegrityError as error:
            note_name(self._raw, error)
            raise

    def check_stopped(self) -> None:
        """Raises an error where the rest of a hop is not to be done."""
        if self._stopped:
            error = sqlite3.OperationalError("interrupted")
            error.sqlite_errorname = "SQLITE_INTERRUPT"
            raise error


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

    def acquire_shared(self) -> Coroutine[Any, Any, SQLiteConnection]:
        """Lends the writer to several at a time, each for one statement."""
        # what an answer is waited for with, or may be broken off, is a connection's own; and readers write nothing
        shares = self._config.statement_timeout is None and self._readers is not self._writers
        return self._writers.acquire(shares=True) if shares else self.acquire(write=True)

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
        connection = SQLiteConnection(
            driver,
            writer=writer,
            statement_timeout=config.statement_timeout,
            turn=self._turn,
            known=self._known,
        )
        try:
            await connection.call("PRAGMA", set_up, config, self._turn, writer)
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _idle(hop: Callable[..., Awaitable[None]]) -> None:
    await hop(in_thread.nothing)


def _timer(seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
    # the loop keeps a cancelled timer, and its context, until its time has come
    return asyncio.get_running_loop().call_later(seconds, function, context=Context())
