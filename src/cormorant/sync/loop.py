"""An event loop that threads run in turns, and on which any of them may start a task."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from socket import socket
from threading import get_ident
from typing import Any, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")


_NOTHING = Context()


class _Selector(selectors.DefaultSelector):
    """Waits no longer than it is told to."""

    at_most: float | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        at_most = self.at_most
        if at_most is not None and (timeout is None or timeout > at_most):
            timeout = at_most
        return super().select(timeout)


class SharedLoop(asyncio.SelectorEventLoop):
    """A loop on which any thread may start a task: one turn of it is enough, where `call_soon` for one takes two.

    Its `thread` is the one that runs it, or is about to.
    """

    thread: int | None = None

    def __init__(self) -> None:
        self._waits = _Selector()
        super().__init__(self._waits)
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, thread: int, at_most: float | None) -> None:
        """Says which thread is about to run it, and how long that may sleep: what signals it may not wake it."""
        self.thread, self._waits.at_most = thread, at_most

    def has_raised(self, error: BaseException) -> bool:
        """Whether an error that has left the loop is that of a task, which has it too."""
        return any(task.done() and not task.cancelled() and task.exception() is error for task in tuple(self._tasks))

    @property
    def is_busy(self) -> bool:
        """Whether tasks go on here that somebody has started on the loop; any thread may ask."""
        return bool(self._tasks) and any(not task.done() for task in tuple(self._tasks))

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard, context=_NOTHING)
        return task

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if get_ident() == self.thread:
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
