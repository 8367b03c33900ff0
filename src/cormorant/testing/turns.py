"""Who uses the one connection of a sandbox: whoever came last of those that are inside of each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cormorant.errors import PoolTimeout


@dataclass(eq=False, slots=True)
class Holder:
    """Somebody who has the connection, or wants it.

    Args:
        who: What messages call him.
        inside: The holders he is inside of, which go on only after him.
    """

    who: str
    inside: frozenset[Holder] = field(default_factory=frozenset["Holder"])


class _Waiter:
    """Somebody who waits.

    Args:
        may_go: Whether it is his turn.
        go: What is done when it is.
    """

    def __init__(self, may_go: Callable[[], bool], go: Callable[[], None] = lambda: None) -> None:
        self.may_go = may_go
        self.go = go
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Turns:
    """A stack of holders: the one on top runs statements, the others wait until those above have let go.

    A new one gets on top only of those he is inside of, and waits for all others in the order of coming. Everything
    runs on one event loop.

    Args:
        timeout: Seconds that somebody waits; None sets no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._stack: list[Holder] = []
        self._waiting: list[_Waiter] = []
        self._busy = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """How many wait to be among them."""
        return len(self._waiting)

    async def enter(self, holder: Holder) -> None:
        """Makes somebody a holder.

        Raises:
            PoolTimeout: The others did not let go in time.
        """
        if self._may_enter(holder):
            self._stack.append(holder)
            return
        waiter = _Waiter(lambda: self._may_enter(holder), lambda: self._stack.append(holder))
        try:
            await self._wait(holder, waiter)
        except BaseException:
            # it may have been his turn in that very moment
            self.leave(holder)
            raise

    def leave(self, holder: Holder) -> None:
        """Takes a holder off the stack."""
        if holder in self._stack:
            self._stack.remove(holder)
            self._wake()

    @asynccontextmanager
    async def turn(self, holder: Holder) -> AsyncGenerator[None]:
        """Runs a block while the holder is on top, and no other statement runs.

        Raises:
            PoolTimeout: Those above did not let go in time.
        """
        while True:
            while self._stack[-1:] != [holder] and holder in self._stack:
                await self._wait(holder, _Waiter(lambda: self._stack[-1:] == [holder]))
            async with self._busy:
                # somebody may have got on top meanwhile
                if self._stack[-1:] == [holder] or holder not in self._stack:
                    yield
                    return

    def above(self, holder: Holder) -> list[Holder]:
        """Gives those that a holder waits for."""
        stack = list(self._stack)
        return stack[stack.index(holder) + 1 :] if holder in stack else []

    def _may_enter(self, holder: Holder) -> bool:
        return holder.inside.issuperset(self._stack)

    async def _wait(self, holder: Holder, waiter: _Waiter) -> None:
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._timeout):
                await waiter.future
        except TimeoutError:
            raise self._late(holder) from None
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _wake(self) -> None:
        for waiter in list(self._waiting):
            if not waiter.future.done() and waiter.may_go():
                self._waiting.remove(waiter)
                # at once, so that those behind him see it
                waiter.go()
                waiter.future.set_result(None)

    def _late(self, holder: Holder) -> PoolTimeout:
        others = "; ".join(each.who for each in self._stack if each is not holder)
        return PoolTimeout(
            f"{holder.who} waited {self._timeout} s for the one connection of the sandbox, which is used by {others}",
            hint="end that transaction first; a session inside of another, in its context, need not wait for it",
        )
