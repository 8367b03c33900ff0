"""The event loop that sync sessions run on: one for each process, in a thread of its own.

anyio's portal would do, were it not for three things. Its end calls its thread, which a forked child does not have and
would wait for without end. It cancels a task again at every `await`, also while the task cleans up. And a call takes
two turns of the loop.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from socket import socket
from threading import get_ident
from typing import Any, Generic, Protocol, TypeVar, TypeVarTuple, Unpack
from weakref import WeakKeyDictionary, WeakSet

from cormorant.adapters.base import Adapter
from cormorant.adapters.stats import PoolStats
from cormorant.database import Database
from cormorant.errors import SessionClosedError, SessionTaskError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EXIT_TIMEOUT = 5.0
"""Seconds that sessions and connections left open get at the end of the program."""

LOOK_UP = 0.5
"""Seconds after which a waiting thread sees what was signalled just before it fell asleep, which wakes nobody."""


class Closable(Protocol):
    """What is open on the loop."""

    async def close(self) -> None:
        """Ends it."""
        ...


class _Call(Generic[T]):
    """A coroutine on its way through the loop, and its answer for the thread that waits.

    A lock is what a thread wakes fastest by; a Future of `concurrent.futures` would take as long as the loop does.
    """

    __slots__ = ("_answered", "_error", "_function", "_is_daemon", "_portal", "_result", "_task", "_work", "is_done")
    _result: T

    def __init__(self, portal: Portal, function: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self.is_done: bool = False
        self._answered = threading.Lock()
        self._answered.acquire()
        self._error: BaseException | None = None
        self._portal = portal
        self._function = function
        self._is_daemon = threading.current_thread().daemon
        self._task: asyncio.Task[Any] | None = None
        self._work: Coroutine[Any, Any, None] | None = None

    # ---- in the thread that waits

    def send(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Has it begin on the loop, in a context."""
        work = self._work = self._run()
        _Task(work, loop=loop, name=threading.current_thread().name, context=context)

    def wait(self) -> None:
        """Waits for the answer; Ctrl-C that comes while the thread falls asleep is not slept through."""
        while not self.is_done:
            self._answered.acquire(timeout=LOOK_UP)

    @property
    def failure(self) -> BaseException | None:
        """What it failed with, unless it was cancelled."""
        return None if isinstance(self._error, asyncio.CancelledError) else self._error

    def take(self) -> T:
        """Gives the result, or raises the error, which is not kept: its traceback leads back here."""
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error

    # ---- on the loop

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        try:
            self._result = await self._function()
        except BaseException as error:
            # at the end only daemons are left to wait: they end with the program, and nobody asked for their error
            if self._portal.is_ending and (self._is_daemon or isinstance(error, asyncio.CancelledError)):
                return
            self._error = error
        self._answer()

    def _answer(self) -> None:
        self.is_done = True
        self._answered.release()

    def cancel(self) -> None:
        """Has it end early, or not begin; its answer is awaited all the same."""
        if self._task is not None:
            self._task.cancel()
        elif not self.is_done:
            # what is on its way to the loop comes before this, so nobody will begin it any more
            if self._work is not None:
                self._work.close()
            self._error = asyncio.CancelledError()
            self._answer()


class _Task(asyncio.Task[None]):
    """A call's task, which Ctrl-C may forget while it is made: asyncio would complain that it was never done."""

    def __del__(self) -> None:
        pass


class _Loop(asyncio.SelectorEventLoop):
    """A loop on which any thread may start a task: one turn of it is enough, where `call_soon` for one takes two."""

    _thread: int | None = None

    def run_forever(self) -> None:
        self._thread = threading.get_ident()
        super().run_forever()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if get_ident() == self._thread:
            return super().call_soon(callback, *args, context=context)
        return self.call_soon_threadsafe(callback, *args, context=context)

    def _read_from_self(self) -> None:
        # asyncio reads until nothing is left, and waits for the interpreter once more to learn that; what one read
        # leaves wakes the loop again. The names are asyncio's own: one that has others reads in its own way
        mine: socket | None = getattr(self, "_ssock", None)
        if mine is None:
            usual: Any = super()
            usual._read_from_self()
            return
        with suppress(BlockingIOError, InterruptedError):
            mine.recv(4096)


class Portal:
    """An event loop in a thread of its own, on which other threads have coroutines run."""

    def __init__(self) -> None:
        self.pid: int = os.getpid()
        self.sessions: WeakSet[Closable] = WeakSet()
        self._twins: WeakKeyDictionary[Database, tuple[Adapter, Database]] = WeakKeyDictionary()
        self._connected: WeakSet[Database] = WeakSet()
        self._connecting = threading.Lock()
        self.loop: asyncio.AbstractEventLoop = _Loop()
        self.is_ending: bool = False
        self._ended = False
        # a daemon, so that a program may end without saying so; `stop` ends it in good order
        self._thread = threading.Thread(target=self._run, name="cormorant-sync", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def _run(self) -> None:
        while not self._ended:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                # raised by somebody's task: who waits for it is told, and the loop is there for the others
                continue
        self.loop.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can be called: not after its end, nor in a fork of the process that started it."""
        return self.pid == os.getpid() and self._thread.is_alive() and not self._ended

    @property
    def is_here(self) -> bool:
        """Whether the caller is in the loop's own thread."""
        return threading.get_ident() == self._thread.ident

    # ---- calls

    def run(self, function: Callable[[], Coroutine[Any, Any, T]], context: Context) -> T:
        """Has a coroutine run on the loop, in a context, and waits for its result.

        An exception that interrupts the waiting, as Ctrl-C does, cancels the coroutine and is raised once that has
        ended.

        Raises:
            SessionTaskError: The loop belongs to another process.
            SessionClosedError: The coroutine was cancelled by somebody else.
        """
        self._check_alive()
        call = _Call(self, function)
        try:
            call.send(self.loop, context)
            call.wait()
        except BaseException as interruption:
            self.loop.call_soon_threadsafe(call.cancel)
            call.wait()
            if call.failure is not None:
                raise interruption from call.failure
            raise
        try:
            return call.take()
        except asyncio.CancelledError as error:
            raise SessionClosedError("the call was cancelled: its session was ended by another thread") from error
        finally:
            # an error's traceback holds this frame, which must not hold the error
            del call

    def _check_alive(self) -> None:
        if self.pid != os.getpid():
            raise SessionTaskError(
                f"the session was opened by process {self.pid}, of which this one is a fork",
                hint="open a session in the process that uses it",
            )
        if not self.is_alive:
            if self.is_ending and threading.current_thread().daemon:
                # it ends with the program, which is about to
                threading.Event().wait()
            raise SessionClosedError("the session was closed at the end of the program", hint="do it earlier")

    def post(self, function: Callable[[], object]) -> None:
        """Has a function run on the loop and does not wait; does nothing once the loop has ended."""
        if self.is_alive:
            self.loop.call_soon_threadsafe(function)

    async def forward(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Awaits a coroutine that must run on the loop, from whatever loop; does nothing once the loop has ended."""
        if self.is_here:
            await function()
        elif self.is_alive:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(), self.loop))

    # ---- databases

    def connected(self, database: Database) -> Database:
        """Gives a database with connections that belong to this loop; the program may use it on others meanwhile."""
        origin, found = self._twins.get(database, (None, database))
        # a sandbox puts another adapter in its place for a while
        return found if origin is database.adapter else self._connect(database)

    def _connect(self, database: Database) -> Database:
        with self._connecting:
            origin, found = self._twins.get(database, (None, database))
            if origin is not database.adapter:
                found = database.beside()
                if found is not database:
                    self._twins[database] = (database.adapter, found)
                    database.accompany(_OnLoop(self, found))
                self._connected.add(found)
            return found

    # ---- the end

    def stop(self) -> None:
        """Ends what is open, and the loop; the program's end calls it."""
        if not self.is_alive:
            return
        self.is_ending = True
        self.run(self._end, Context())
        self._ended = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        # nobody is left who could be told of an error
        await asyncio.wait([asyncio.create_task(self._close_all())], timeout=EXIT_TIMEOUT)
        await asyncio.get_running_loop().shutdown_asyncgens()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=EXIT_TIMEOUT)

    async def _close_all(self) -> None:
        await asyncio.gather(*(session.close() for session in list(self.sessions)), return_exceptions=True)
        databases = list(self._connected)
        await asyncio.gather(*(database.close(EXIT_TIMEOUT) for database in databases), return_exceptions=True)


class _OnLoop:
    """A database's connections on the portal's loop, as the database knows them."""

    def __init__(self, portal: Portal, database: Database) -> None:
        self._portal = portal
        self._database = database

    @property
    def pool(self) -> PoolStats:
        """How its connections are used."""
        return self._database.adapter.stats

    def schema_changed(self) -> None:
        """Has what its connections remember of tables forgotten."""
        self._portal.post(self._database.schema_changed)

    async def close(self, timeout: float | None) -> None:
        """Closes its connections."""
        await self._portal.forward(lambda: self._database.close(timeout))


_portals: dict[int, Portal] = {}
_starting = threading.Lock()


def portal() -> Portal:
    """Gives the process's portal; the first call starts it, and the first one in a fork its own."""
    found = _portals.get(os.getpid())
    if found is not None and found.is_alive:
        return found
    with _starting:
        found = _portals.get(os.getpid())
        if found is None or not found.is_alive:
            found = _portals[os.getpid()] = Portal()
        return found


def _after_fork() -> None:
    # another thread of the parent may have held it
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
