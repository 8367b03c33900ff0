"""An event loop that threads run in turns, and on which any of them may start a task."""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from socket import socket
from threading import get_ident
from time import monotonic
from typing import Any, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")

TURN = 0.005
"""Seconds after a turn in which first steps go without one: timers, and what others send, wait no longer than that."""

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
        # of the next task to take its first step at once, and that step
        self._expected: object = self
        self._no_handle = asyncio.Handle(self.stop, (), self)
        self._first: Any = None
        self._turned = 0.0
        self._generator_hooks: Any = None

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

    # ---- a first step without a turn of the loop, which takes as long as many a statement

    @property
    def needs_no_turn(self) -> bool:
        """Whether a first step may go without one: nothing waits for it, and the last one was just now."""
        # the name is asyncio's own: one that has another takes its turns
        ready: object = getattr(self, "_ready", True)
        return not ready and monotonic() - self._turned < TURN and self._generator_hooks is not None

    def start(self, make: Callable[[SharedLoop, Context], object], context: Context) -> None:
        """Makes a task in a context, and has it take its first step at once; what is left of it takes turns."""
        self._expected = context
        make(self, context)
        step, self._first = self._first, None
        if step is not None:
            self._run_first(step, context)

    def _run_first(self, step: Callable[[], object], context: Context) -> None:
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        try:
            sys.set_asyncgen_hooks(*(self._generator_hooks or hooks))
            context.run(step)
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def run_forever(self) -> None:
        if self._generator_hooks is None:
            super().call_soon(self._note_generator_hooks)
        try:
            super().run_forever()
        finally:
            self._turned = monotonic()

    def _note_generator_hooks(self) -> None:
        self._generator_hooks = None if self.get_debug() else sys.get_asyncgen_hooks()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard, context=_NOTHING)
        return task

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if context is self._expected:
            # asyncio takes no notice of what it is given back
            self._expected, self._first = self, callback
            return self._no_handle
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
