"""The event loop that sync sessions run on: one for each process.

anyio's portal would do, were it not for four things. Its end calls its thread, which a forked child does not have and
would wait for without end. It cancels a task again at every `await`, also while the task cleans up. A call takes two
turns of the loop. And every call waits for another thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from cormorant.adapters.base import Adapter
from cormorant.adapters.stats import PoolStats
from cormorant.database import Database
from cormorant.errors import SessionClosedError, SessionTaskError
from cormorant.sync.calls import Call
from cormorant.sync.loop import SharedLoop
from cormorant.sync.turns import Turns

T = TypeVar("T")

EXIT_TIMEOUT = 5.0
"""Seconds that sessions and connections left open get at the end of the program."""


class Closable(Protocol):
    """What is open on the loop."""

    async def close(self) -> None:
        """Ends it."""
        ...


class Portal:
    """An event loop, on which any thread has coroutines run."""

    def __init__(self) -> None:
        self.pid: int = os.getpid()
        self.sessions: WeakSet[Closable] = WeakSet()
        self._twins: WeakKeyDictionary[Database, tuple[Adapter, Database]] = WeakKeyDictionary()
        self._connected: WeakSet[Database] = WeakSet()
        self._connecting = threading.Lock()
        self._turns = Turns()
        self.loop: SharedLoop = self._turns.loop
        atexit.register(self.stop)

    @property
    def is_ending(self) -> bool:
        """Whether the program ends."""
        return self._turns.is_ending

    @property
    def is_alive(self) -> bool:
        """Whether it can be called: not after its end, nor in a fork of the process that started it."""
        return self.pid == os.getpid() and self._turns.is_served and not self._turns.is_ended

    @property
    def is_here(self) -> bool:
        """Whether the caller is in the thread that runs the loop at the moment."""
        return threading.get_ident() == self.loop.thread

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
        call = Call(function, self._turns)
        self._turns.do(call, context)
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
        if self._turns.is_ended:
            if threading.current_thread().daemon:
                # it ends with the program, which is about to
                threading.Event().wait()
            raise SessionClosedError("the session was closed at the end of the program", hint="do it earlier")

    def post(self, function: Callable[[], object]) -> None:
        """Has a function run on the loop and does not wait; does nothing once the loop has ended."""
        if self.is_alive:
            self.loop.call_soon_threadsafe(function)
            self._turns.wake()

    async def forward(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Awaits a coroutine that must run on the loop, from whatever loop; does nothing once the loop has ended."""
        if self.is_here:
            await function()
        elif self.is_alive:
            done = asyncio.run_coroutine_threadsafe(function(), self.loop)
            self._turns.wake()
            await asyncio.wrap_future(done)

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
        self._turns.is_ending = True
        self.run(self._end, Context())
        self._turns.end()

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
