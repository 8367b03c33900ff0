"""A bounded pool of connections of one event loop, first come first served."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from cormorant._internal.frames import caller
from cormorant.adapters.stats import PoolStats
from cormorant.errors import ConfigurationError, ConnectionLost, PoolClosed, PoolTimeout

RESET_TIMEOUT = 5.0
"""Seconds a connection gets to roll back, or to say goodbye, before it is terminated, unless told otherwise."""

GIVE_UP_TIMEOUT = 0.1
"""Seconds that what is given up gets to end by itself, once it was cancelled."""

_NAMED_HOLDERS = 5

_RESOLUTION = 0.001
"""Seconds by which a clock may be behind the time that a timer was set to."""

_inherited: list[object] = []


class Poolable(Protocol):
    """What the pool asks of a connection."""

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be gone, asked without I/O."""
        ...

    @property
    def looks_lost(self) -> bool:
        """Whether the server has hung up, or said something nobody asked for, while nobody used the connection."""
        ...

    @property
    def needs_reset(self) -> bool:
        """Whether a transaction is open, or may be, after a statement that never answered."""
        ...

    @property
    def altered(self) -> bool:
        """Whether something may have been left behind that outlives transactions."""
        ...

    async def reset(self) -> None:
        """Rolls back what is open, and drops what was left behind."""
        ...

    async def close(self) -> None:
        """Closes the connection politely."""
        ...

    def terminate(self) -> None:
        """Closes the connection at once, also when its event loop is gone; may be called twice."""
        ...


C = TypeVar("C", bound=Poolable)

_SHARED_BY = 1000
"""So many share a connection before it comes back, because it may be too old by then."""

_Task: TypeAlias = "asyncio.Task[Any] | None"


@dataclass(slots=True, eq=False)
class _Waiter(Generic[C]):
    future: asyncio.Future[C]
    task: _Task
    place: str | None
    shares: bool
    deadline: float = inf


class _Waiters(Generic[C]):
    """The callers that wait for a connection, in the order they came.

    They wait equally long, so that one timer looks after all of them: the first in line is the first to be late.

    Args:
        timeout: Seconds that each waits; None waits without end.
        error: Gives what is raised then.
    """

    def __init__(self, timeout: float | None, error: Callable[[], Exception]) -> None:
        self.queue: OrderedDict[_Waiter[C], None] = OrderedDict()
        self._sharing = 0
        self._timeout = timeout
        self._error = error
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self.queue)

    @property
    def wanted(self) -> int:
        """How many connections they need: those who share, one between them."""
        return len(self.queue) - max(0, self._sharing - 1)

    def join(self, place: str | None, *, shares: bool) -> _Waiter[C]:
        """Puts the calling task at the end."""
        loop = asyncio.get_running_loop()
        waiter: _Waiter[C] = _Waiter(loop.create_future(), asyncio.current_task(), place, shares)
        if self._timeout is not None:
            waiter.deadline = loop.time() + self._timeout
            if self._timer is None:
                self._set_timer(loop, waiter.deadline)
        self.queue[waiter] = None
        self._sharing += shares
        return waiter

    def first(self, *, shares: bool = False) -> _Waiter[C] | None:
        """Takes out the first caller that still waits.

        Args:
            shares: Only if it would share a connection.
        """
        while self.queue:
            waiter = next(iter(self.queue))
            if shares and not (waiter.shares or waiter.future.done()):
                return None
            self.leave(waiter)
            if not waiter.future.done():
                return waiter
        return None

    def leave(self, waiter: _Waiter[C]) -> None:
        """Takes out a caller who waits no more."""
        if waiter in self.queue:
            del self.queue[waiter]
            self._sharing -= waiter.shares

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Sends every caller away."""
        while (waiter := self.first()) is not None:
            waiter.future.set_exception(error())

    def _set_timer(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        # an empty context: the loop keeps the timer until its time has come
        self._timer = loop.call_at(when, self._expire, loop, context=Context())

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        # a timer may ring by the clock's resolution too early
        now = loop.time() + _RESOLUTION
        for waiter in list(self.queue):
            if waiter.deadline > now:
                self._set_timer(loop, waiter.deadline)
                return
            if not waiter.future.done():
                waiter.future.set_exception(self._error())
            self.leave(waiter)


class _Notes(Generic[C]):
    """Where each connection was taken, and when: kept in the debug mode of an event loop, for messages."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop if loop is not None and loop.get_debug() else None
        self.active = self._loop is not None
        self._taken: dict[C, tuple[str, float]] = {}

    def take(self, connection: C, place: str | None) -> None:
        """Notes that somebody at a place has got a connection."""
        if self._loop is not None and place is not None:
            self._taken[connection] = (place, self._loop.time())

    def drop(self, connection: C) -> None:
        """Notes that it came back."""
        self._taken.pop(connection, None)

    def holder(self, connection: C, task: str) -> str:
        """Tells who has a connection."""
        if self._loop is None or connection not in self._taken:
            return task
        place, since = self._taken[connection]
        return f"{task} at {place} for {self._loop.time() - since:.1f} s"


class _Shared(Generic[C]):
    """The connections that several use at a time, and the one that who comes next joins."""

    __slots__ = ("_total", "current", "users")

    def __init__(self) -> None:
        self.users: dict[C, int] = {}
        self.current: C | None = None
        self._total = 0

    def begin(self, connection: C, users: int = 1) -> None:
        """Has a connection shared by its first users and those who come."""
        self.current, self._total = connection, users
        self.users[connection] = users

    def join(self) -> C | None:
        """Gives the connection to one more; None if there is none, or it is to come back first."""
        connection = self.current
        if connection is None or connection.is_closed or self._total >= _SHARED_BY:
            return None
        self.users[connection] += 1
        self._total += 1
        return connection

    def leave(self, connection: C) -> bool:
        """Notes that one user has ended; gives whether others have not."""
        self.users[connection] -= 1
        if self.users[connection]:
            return True
        del self.users[connection]
        if connection is self.current:
            self.current = None
        return False

    def seal(self) -> None:
        """Has nobody join any more, until others begin."""
        self.current = None


class Pool(Generic[C]):
    """Opens connections when they are needed, up to a limit, and lends them.

    A pool belongs to the event loop of its first use; when that loop is closed, the next one starts afresh.

    Args:
        connect: Opens one connection.
        size: Connections at most.
        min_size: Connections opened at first use.
        acquire_timeout: Seconds to wait for a connection; None waits without end.
        max_age: Seconds after which a connection is replaced; None keeps it.
        max_waiting: Callers at most that wait for one; None lets any number wait.
        watched: Whether a server may end idle connections, so that they are looked at before they are lent.
        outlives_loops: Whether idle connections may be used by the next event loop.
        reset_timeout: Seconds a connection gets to roll back, or to say goodbye, before it is terminated.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        *,
        size: int,
        min_size: int = 0,
        acquire_timeout: float | None = None,
        max_age: float | None = None,
        max_waiting: int | None = None,
        watched: bool = True,
        outlives_loops: bool = False,
        reset_timeout: float = RESET_TIMEOUT,
    ) -> None:
        self.size = size
        self._connect = connect
        self._min_size = min_size
        self._acquire_timeout = acquire_timeout
        self._max_age = max_age
        self._max_waiting = max_waiting
        self._watched = watched
        self._outlives_loops = outlives_loops
        self._reset_timeout = reset_timeout
        self._closed = False
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        # every connection there is, with the loop's time at its opening
        self._born: dict[C, float] = {}
        # whether one of them may be too old
        self._ages: bool = max_age is not None
        # last in, first out: the warm ones are used, the others may grow old
        self._idle: list[C] = []
        # the users' tasks by name: one that has ended may hold, by its result or its error, the very session that is to
        # give the connection back
        self._in_use: dict[C, str] = {}
        self._waiters: _Waiters[C] = _Waiters(acquire_timeout, self._timeout_error)
        self._notes: _Notes[C] = _Notes(None)
        self._shared: _Shared[C] = _Shared()
        self._opening = 0
        self._acquired = self._timeouts = self._connected = 0
        # strong references: the loop keeps only weak ones
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def stats(self) -> PoolStats:
        """How the pool is used at the moment."""
        return PoolStats(
            self.size,
            len(self._born),
            len(self._idle),
            len(self._in_use),
            len(self._waiters),
            self._acquired,
            self._timeouts,
            self._connected,
            self._connected - len(self._born),
        )

    async def acquire(self, *, shares: bool = False) -> C:
        """Lends a connection; `release` takes it back.

        Args:
            shares: Others who share may use it at the same time.

        Raises:
            PoolTimeout: None became free in time, or too many wait already.
            ConnectionLost: None could be opened.
            PoolClosed: `close` was called.
            ConfigurationError: Another event loop, which is still open, owns the pool.
        """
        if self._loop is not asyncio.get_running_loop():
            self._bind(asyncio.get_running_loop())
            self._grow(0 if self._closed else self._min_size - len(self._born))
        if self._closed:
            raise _closed_error()
        # who waits, waits for it alone, or came after somebody who does
        if shares and self._shared.current is not None and not self._waiters.queue:
            shared = self._shared.join()
            if shared is not None:
                self._acquired += 1
                return shared
        place = caller() if self._notes.active else None
        while self._idle:
            connection = self._idle.pop()
            # most are found here, so what most need not be asked is not asked
            young = not self._ages or self._is_young(connection)
            if young and not connection.is_closed and not (self._watched and connection.looks_lost):
                self._acquired += 1
                task = asyncio.current_task(self._loop)
                self._in_use[connection] = "no task" if task is None else task.get_name()
                if place is not None:
                    self._notes.take(connection, place)
                if shares:
                    self._shared.begin(connection)
                return connection
            self._retire(connection)
        # one that is opened, or may be, is waited for in any case
        if self._max_waiting is not None and len(self._waiters) >= self._max_waiting + self.size - len(self._born):
            raise self._busy_error("no more callers may wait for a connection")
        waiter = self._waiters.join(place, shares=shares)
        self._grow(self._waiters.wanted)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            future = waiter.future
            if future.cancelled():
                self._waiters.leave(waiter)
            # lent in the very tick of the cancellation: the next in line gets it
            elif future.exception() is None:
                self.release(future.result())
            raise

    def release(self, connection: C) -> None:
        """Takes a connection back without waiting; one that needs it is rolled back in the background."""
        # one that was terminated meanwhile, or whose loop is gone, is no longer the pool's
        if connection not in self._in_use:
            return
        if connection in self._shared.users and self._shared.leave(connection):
            return
        del self._in_use[connection]
        if self._notes.active:
            self._notes.drop(connection)
        if self._loop is None or self._loop.is_closed():
            self._discard(connection)
        elif self._closed or connection.is_closed or (self._ages and not self._is_young(connection)):
            self._retire(connection)
        elif connection.needs_reset or connection.altered:
            self._spawn(self._reset(connection))
        elif self._waiters.queue:
            self._lend(connection)
        else:
            self._idle.append(connection)

    def is_shared(self, connection: C) -> bool:
        """Whether a connection is lent to who shares it."""
        return connection in self._shared.users

    def seal(self) -> None:
        """Has nobody join those who share a connection; the next who share take another one."""
        self._shared.seal()

    def renew(self) -> None:
        """Replaces every connection before it is lent again."""
        self._born, self._ages = dict.fromkeys(self._born, -inf), True

    async def close(self, timeout: float | None = None) -> None:
        """Closes every connection, those in use as they come back; the pool stays closed.

        Args:
            timeout: Seconds to wait for the ones in use, which are then terminated; None waits without end.
        """
        if self._closed and not self._born and not self._tasks:
            return
        if self._loop is not asyncio.get_running_loop():
            self._bind(asyncio.get_running_loop())
        self._closed = True
        self._waiters.refuse_all(_closed_error)
        while self._idle:
            self._retire(self._idle.pop())
        try:
            async with asyncio.timeout(timeout):
                while self._born or self._tasks:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            for connection in list(self._born):
                self._discard(connection)
            self._in_use.clear()
            self._shared = _Shared()
            await _give_up(self._tasks)

    # ---- lending

    def _lend(self, connection: C) -> None:
        waiter = self._waiters.first()
        if waiter is None:
            self._idle.append(connection)
        else:
            self._acquired += 1
            self._in_use[connection] = "no task" if waiter.task is None else waiter.task.get_name()
            self._notes.take(connection, waiter.place)
            waiter.future.set_result(connection)
            if waiter.shares:
                users = 1
                while (waiter := self._waiters.first(shares=True)) is not None:
                    self._acquired += 1
                    waiter.future.set_result(connection)
                    users += 1
                self._shared.begin(connection, users)

    def _is_young(self, connection: C) -> bool:
        if self._loop is None:
            return False
        return self._loop.time() - self._born[connection] < (inf if self._max_age is None else self._max_age)

    def _timeout_error(self) -> ConnectionLost | PoolTimeout:
        # all wait equally long, so the one who gives up is the first in line, and an opening is for the first
        if self._opening:
            return ConnectionLost(
                f"no connection could be opened within {self._acquire_timeout} s",
                hint="check that the server can be reached, or raise acquire_timeout",
            )
        return self._busy_error(f"no connection became free within {self._acquire_timeout} s")

    def _busy_error(self, message: str) -> PoolTimeout:
        self._timeouts += 1
        tasks = [self._notes.holder(connection, task) for connection, task in self._in_use.items()]
        more = f" and {len(tasks) - _NAMED_HOLDERS} more" if len(tasks) > _NAMED_HOLDERS else ""
        holders = f" (by {', '.join(tasks[:_NAMED_HOLDERS])}{more})" if tasks else ""
        return PoolTimeout(
            f"{message}: of {self.size} in the pool, "
            f"{len(self._in_use)} are in use{holders}; {len(self._waiters)} callers wait",
            hint="end sessions and transactions sooner, or raise pool_size or acquire_timeout"
            + ("" if self._notes.active else "; the debug mode of asyncio shows which lines hold them"),
        )

    # ---- opening

    def _grow(self, wanted: int) -> None:
        """Opens connections until `wanted` are on their way, as far as the limit allows."""
        while self._opening < wanted and len(self._born) + self._opening < self.size:
            self._opening += 1
            self._spawn(self._open())

    async def _open(self) -> None:
        # counted down before anything else may happen, so that the slot is never lost
        try:
            connection = await self._connect()
        except asyncio.CancelledError:
            self._opening -= 1
            raise
        except Exception as error:
            self._opening -= 1
            if (waiter := self._waiters.first()) is not None:
                waiter.future.set_exception(error)
            self._grow(self._waiters.wanted)
            return
        self._opening -= 1
        self._connected += 1
        self._born[connection] = asyncio.get_running_loop().time()
        if self._closed:
            self._retire(connection)
        else:
            self._lend(connection)

    # ---- ending

    async def _reset(self, connection: C) -> None:
        try:
            async with asyncio.timeout(self._reset_timeout):
                await connection.reset()
        except asyncio.CancelledError:
            self._discard(connection)
            raise
        except Exception:
            # whatever the reason, its state is unknown, and nobody waits for the answer
            connection.terminate()
        usable = not (connection.is_closed or connection.needs_reset or connection.altered)
        if self._closed or not usable or not self._is_young(connection):
            self._retire(connection)
        else:
            self._lend(connection)

    def _retire(self, connection: C) -> None:
        if connection.is_closed:
            self._discard(connection)
        else:
            self._spawn(self._say_goodbye(connection))

    async def _say_goodbye(self, connection: C) -> None:
        try:
            async with asyncio.timeout(self._reset_timeout):
                await connection.close()
        except Exception:
            # the server may be gone already; the connection is given up in either case
            connection.terminate()
        finally:
            self._discard(connection)

    def _discard(self, connection: C) -> None:
        connection.terminate()
        self._born.pop(connection, None)
        self._changed.set()
        if self._loop is not None and not self._loop.is_closed():
            self._grow(self._waiters.wanted)

    # ---- tasks and event loops

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        # an empty context: a connection must not keep its first user's session alive
        task = self._loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Moves the pool to another loop once its own is closed, or left behind in the parent of a fork."""
        if self._pid != os.getpid():
            # what a fork has copied is the parent's; kept alive, because closing it would say goodbye in his name
            _inherited.extend(self._born)
            self._pid = os.getpid()
            self._loop, self._born, self._idle = None, {}, []
        if self._loop is not None and not self._loop.is_closed():
            raise ConfigurationError(
                "the connection pool belongs to another event loop, which is still open",
                hint="make one Database for each event loop, or close the first loop before",
            )
        kept = self._idle if self._outlives_loops else []
        for connection in [connection for connection in self._born if connection not in kept]:
            connection.terminate()
        self._loop = loop
        self._born = dict.fromkeys(kept, loop.time())
        self._idle = kept
        self._in_use, self._opening, self._shared = {}, 0, _Shared()
        self._waiters = _Waiters(self._acquire_timeout, self._timeout_error)
        self._notes = _Notes(loop)
        self._tasks, self._changed = set(), asyncio.Event()


async def _give_up(tasks: set[asyncio.Task[None]]) -> None:
    """Ends openings, rollbacks and goodbyes that the server does not answer."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(list(tasks), timeout=GIVE_UP_TIMEOUT)


def _closed_error() -> PoolClosed:
    return PoolClosed("the connection pool is closed", hint="make a new Database, or close this one later")
