"""Transactions that hold a connection: told of when idle for long, given back when nobody has them any more."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from time import monotonic

from cormorant._internal.frames import Place
from cormorant.adapters.fair_lock import FairLock

logger: logging.Logger = logging.getLogger("cormorant.transactions")


@dataclass(slots=True, eq=False)
class Held:
    """What is known of a transaction that holds a connection; it leads to nothing that its session consists of.

    Args:
        opener: The task that opened the session.
        opened: The line at which it did.
        task: The task that began the transaction.
        place: The line at which it did.
        lock: Held while a statement runs.
        since: When it was begun, by the clock that `used` is told by too.
        used: When its last statement ended.
        kind: The kind of its connection.
        told: Whether it was said that it is idle.
    """

    opener: str
    opened: Place | str
    task: str
    place: Place | str
    lock: FairLock
    since: float
    used: float
    kind: str = "any"
    told: bool = False


class IdleWatch:
    """Logs each transaction in which no statement was sent for long, once, by one timer while transactions are open.

    Args:
        seconds: How long is long; None watches nothing.
        clock: What time it is.
    """

    def __init__(self, seconds: float | None, clock: Callable[[], float] = monotonic) -> None:
        self.seconds: float | None = seconds
        self.clock = clock
        self._open: Callable[[], Iterable[Held]] = tuple
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, open_ones: Callable[[], Iterable[Held]]) -> None:
        """Looks after transactions until none is left to be told of.

        Args:
            open_ones: Gives those that are open at the moment.
        """
        loop = asyncio.get_running_loop()
        # a loop that was closed has taken its timers with it
        if self.seconds is not None and (self._timer is None or self._loop is not loop):
            self._open, self._loop = open_ones, loop
            self._set_timer(self.seconds)

    def _set_timer(self, seconds: float) -> None:
        assert self._loop is not None
        # an empty context: a timer must not keep the session alive whose transaction was the first
        self._timer = self._loop.call_later(seconds, self._ring, context=Context())

    def _ring(self) -> None:
        self._timer = None
        rest = self.look(self._open())
        if rest is not None:
            self._set_timer(rest)

    def look(self, transactions: Iterable[Held]) -> float | None:
        """Logs what has been idle for long, and gives the seconds until the next one may be; None if none is left."""
        if self.seconds is None:
            return None
        now = self.clock()
        rests: list[float] = []
        for held in transactions:
            if held.told:
                continue
            idle = 0.0 if held.lock.locked() else now - held.used
            if idle < self.seconds:
                rests.append(self.seconds - idle)
                continue
            held.told = True
            logger.warning(
                "a transaction has been idle for %.1f s: begun by %s at %s, %.1f s ago, in the session opened by %s at "
                "%s; it holds a connection, and what it has locked, until it ends",
                *(idle, held.task, held.place, now - held.since, held.opener, held.opened),
            )
        return min(rests, default=None)


class Lease:
    """A transaction's connection, on loan: it goes back at the end, or, with a warning, when its session is dropped.

    Args:
        held: The transaction.
        give_back: Takes the connection back, on the event loop.
    """

    __slots__ = ("_give_back", "_loop", "held")

    def __init__(self, held: Held, give_back: Callable[[], None]) -> None:
        self.held: Held = held
        self._loop = asyncio.get_running_loop()
        self._give_back: Callable[[], None] | None = give_back

    def release(self) -> None:
        """Gives the connection back: the transaction has ended."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def __del__(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        try:
            _on(self._loop, give_back)
        finally:
            held = self.held
            file, _, line = str(held.opened).rpartition(":")
            warnings.warn_explicit(
                f"the session opened by {held.opener} at {held.opened} was dropped without being closed; its "
                f"transaction, begun by {held.task} at {held.place}, is rolled back",
                ResourceWarning,
                file or "<unknown>",
                int(line) if line.isdecimal() else 1,
            )


def _on(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Has a function run on a loop from whatever thread and place garbage is collected in; at once if it is closed."""
    try:
        loop.call_soon_threadsafe(function, context=Context())
    except RuntimeError:
        # asked before, it might be closed by another thread meanwhile
        function()
