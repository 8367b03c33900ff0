"""A lock for the tasks of one event loop, which costs next to nothing where nobody else wants it."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class FairLock:
    """One task at a time, first come first served.

    It does what `asyncio.Lock` does. Who finds it free takes it without a coroutine, and it holds nothing until
    somebody has to wait: `if not lock.take(): await lock.acquire()`. Who has it hands it over, so that nobody who comes
    meanwhile is faster than who was told.
    """

    # of the class: there is one for each unit of work, and no `__init__` is a call less
    _taken: bool = False
    _waiting: deque[asyncio.Future[None]] | None = None

    def locked(self) -> bool:
        """Whether somebody has it, or was told that it is his turn."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many tasks wait for it."""
        return sum(not waiter.done() for waiter in self._waiting or ())

    def take(self) -> bool:
        """Takes it if it is free; tells whether it was."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def acquire(self) -> None:
        """Takes it when it is the caller's turn."""
        if self.take():
            return
        if self._waiting is None:
            self._waiting = deque()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            if not waiter.cancelled():
                # told in the very tick of the cancellation: the next in line has it
                self.release()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def release(self) -> None:
        """Gives it to the first who waits, if anybody does."""
        waiting = self._waiting
        while waiting:
            waiter = waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken = False

    async def __aenter__(self) -> None:
        if not self.take():
            await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
