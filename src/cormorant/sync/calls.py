"""Coroutines that threads have run on the loop of sync sessions, and their answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LOOK_UP = 0.5
"""Seconds after which a waiting thread sees what was signalled just before it fell asleep, which wakes nobody."""


class Crowd:
    """The calls of one loop that wait for others to run it, and whether the program ends."""

    def __init__(self) -> None:
        self.waiting: set[Call[Any]] = set()
        self.is_ending: bool = False


class Call(Generic[T]):
    """A coroutine on its way through the loop, and its answer for the thread that waits.

    A lock is what a thread wakes fastest by; a Future of `concurrent.futures` would take as long as the loop does.

    Args:
        function: Makes the coroutine.
        crowd: Which it is in while it waits for others to run the loop; it leaves with its answer.
    """

    __slots__ = (
        "_answered",
        "_crowd",
        "_error",
        "_function",
        "_is_cancelled",
        "_result",
        "_task",
        "_work",
        "is_done",
        "then",
        "thread",
    )
    _result: T

    def __init__(self, function: Callable[[], Coroutine[Any, Any, T]], crowd: Crowd) -> None:
        self.is_done: bool = False
        # called on the loop with the answer
        self.then: Callable[[], object] | None = None
        self._answered = threading.Lock()
        self._answered.acquire()
        self._crowd = crowd
        self._error: BaseException | None = None
        self._function = function
        self._is_cancelled = False
        self.thread: threading.Thread = threading.current_thread()
        self._task: asyncio.Task[Any] | None = None
        self._work: Coroutine[Any, Any, None] | None = None

    # ---- in the thread that waits

    def send(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Has it begin on the loop, in a context."""
        work = self._work = self._run()
        task: Any = asyncio.Task(work, loop=loop, name=self.thread.name, context=context)
        # Ctrl-C may forget it while it is made: asyncio would complain that it was never done
        task._log_destroy_pending = False

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
        if self.is_done:
            # cancelled before it was sent
            return
        self._task = asyncio.current_task()
        try:
            self._result = await self._function()
        except BaseException as error:
            # at the end only daemons are left to wait: they end with the program, and nobody asked for their error
            if self._crowd.is_ending and (self.thread.daemon or isinstance(error, asyncio.CancelledError)):
                return
            self._error = error
        self._answer()

    def _answer(self) -> None:
        self.is_done = True
        self._crowd.waiting.discard(self)
        self._answered.release()
        if self.then is not None:
            self.then()

    def cancel(self) -> None:
        """Has it end early, or not begin; its answer is awaited all the same, and a second time changes nothing."""
        if self.is_done:
            self._crowd.waiting.discard(self)
        elif self._task is not None:
            if not self._is_cancelled:
                self._is_cancelled = True
                self._task.cancel()
        else:
            # what is on its way to the loop comes before this, so nobody will begin it any more
            if self._work is not None:
                self._work.close()
            self._error = asyncio.CancelledError()
            self._answer()
