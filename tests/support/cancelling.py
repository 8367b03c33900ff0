"""Cancels work at its n-th await, for every n: what becomes of it must not depend on luck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Literal

When = Literal["waiting", "answered"]


class Suspended:
    """Awaits a coroutine and counts how often it suspends; at one of these times its task is cancelled.

    Args:
        work: The coroutine.
        at: The suspension at which it is cancelled, counted from 1.
        when: While it waits, or in the moment in which what it waits for has come.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], at: int, when: When) -> None:
        self.count = 0
        self._work = work
        self._at = at
        self._when = when

    def __await__(self) -> Generator[Any, Any, Any]:
        send: Callable[[], Any] = lambda: self._work.send(None)  # noqa: E731
        while True:
            try:
                waited_for = send()
            except StopIteration as stop:
                return stop.value
            self.count += 1
            if self.count == self._at:
                self._cancel(waited_for)
            try:
                yield waited_for
            except BaseException as error:
                send = lambda error=error: self._work.throw(error)  # noqa: E731
            else:
                send = lambda: self._work.send(None)  # noqa: E731

    def _cancel(self, waited_for: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._when == "waiting" or waited_for is None:
            # the loop has not seen yet what is waited for: it is cancelled as soon as it does
            task.cancel()
        else:
            # called before the task is woken, which then gets the cancellation in the place of the answer
            waited_for.add_done_callback(lambda _: task.cancel())


async def cancelled_at(work: Coroutine[Any, Any, Any], at: int, when: When) -> bool:
    """Runs a coroutine in a task that is cancelled at its n-th await; gives whether it came so far."""
    suspended = Suspended(work, at, when)

    async def run() -> None:
        await suspended

    task = asyncio.create_task(run())
    await asyncio.wait((task,))
    if suspended.count < at:
        # what went wrong on its own is told
        task.result()
        return False
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return True
