"""The session behind a sync one: it lives on the portal's loop, and those who call it wait in threads of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, copy_context
from functools import partial
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet, ref

from cormorant._internal import frames
from cormorant.database import Database
from cormorant.errors import (
    AmbiguousSession,
    CormorantError,
    SyncInLoopError,
)
from cormorant.observability.report import Report, report_of
from cormorant.persistence import context
from cormorant.persistence.entering import Entrances
from cormorant.persistence.parts import finish, is_untouched
from cormorant.persistence.session import AsyncSession
from cormorant.persistence.state import SessionState
from cormorant.sync.portal import Portal, portal

P = ParamSpec("P")
T = TypeVar("T")


_around: ContextVar[tuple[ref[LoopSession], ...]] = ContextVar("cormorant_sync_sessions", default=())
"""The sessions that this context has entered: none of them goes on before the innermost one is done."""


class DatabaseHolder:
    """What a sync session takes in the place of the database that it holds."""

    database: Database


class LoopEntrances(Entrances):
    """The blocks of a sync session, whose errors speak of its own methods."""

    __slots__ = ()

    def why_none(self) -> Exception:
        """Gives the error for a caller who is in none of the blocks."""
        error = super().why_none()
        if isinstance(error, CormorantError):
            _say_it_without_await(error)
        return error


class LoopSession(AsyncSession):
    """An AsyncSession for callers in other threads.

    Its state is found on the handle, not through the context: whoever calls is in the session's innermost block.
    """

    _portal: Portal | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._entrances = LoopEntrances()
        # the threads that wait for what it does
        self._callers: set[int] = set()

    @property
    def source(self) -> Database:
        """The database that was asked for."""
        return super().database

    @property
    def database(self) -> Database:
        """The database that was asked for; once it was entered the same one with connections of the portal's loop."""
        return self.source if self._portal is None else self._portal.connected(self.source)

    def report(self) -> Report:
        """Gives what the session has done, with the figures of the database that was asked for."""
        return report_of(self._tracker(), self.source.watch.target, self.source.stats().as_dict(), "session")

    @property
    def is_open(self) -> bool:
        """Whether it was entered and not left."""
        return bool(self._entrances.open)

    # ---- life

    def enter(self) -> None:
        """Opens the session; a handle is open once at a time.

        Raises:
            AmbiguousSession: It is open already.
        """
        if self._entrances.open:
            raise AmbiguousSession(
                f"the session is open already: {self._entrances.open[0].state.frame}",
                hint="make a Session for each block",
            )
        self._portal = portal()
        self._check_place(self._portal)
        # in a context of its own: the caller's innermost session stays what it is
        copy_context().run(self._open, self._portal)
        around = [each for each in _around.get() if (other := each()) is not None and other._entrances.open]
        _around.set((*around, ref(self)))

    def _open(self, portal: Portal) -> None:
        # as `async with` does it, which would have no loop to run it here
        state = self.begin_block(frames.place())
        state.loop, state.wait = portal.loop, self.wait_if_possible
        state.frame.task = threading.current_thread().name
        portal.sessions.add(self)

    def leave(
        self,
        block: AbstractAsyncContextManager[Any, None],
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leaves the session, or a transaction of it.

        In a fork an exception just passes, the block is the parent's; so does the end of a generator that was left open
        until the end of the program, which has rolled back by itself.
        """
        forked = self._portal is not None and self._portal.pid != os.getpid()
        dropped = self._portal is not None and self._portal.is_ending and isinstance(error, GeneratorExit)
        if dropped or (forked and error is not None):
            return
        if block is self and self._entrances.open and self._entrances.open[0].state.closed:
            # what let go of it was interrupted
            self._entrances.leave(self._entrances.open[0].state, inside=False)
        elif block is self and error is None and not forked and self._is_idle:
            self._end()
        else:
            self.wait(block.__aexit__, kind, error, traceback)

    @property
    def _is_idle(self) -> bool:
        """Whether leaving it would send nothing, call nobody and wait for nobody, so that no loop has to do it."""
        if not self._entrances.open or self._callers or self._portal is None or self._portal.is_here:
            return False
        state = self._entrances.open[0].state
        if is_untouched(state):
            return not state.closed
        unit, transactions = state.unit, state.transactions
        waiting = transactions.is_open or transactions.connection or transactions.cursors or state.flusher.hooks.due
        pending = not unit.is_empty or state.identity.documents or any(mark.ends for mark in unit.history.marks)
        return not (waiting or pending or state.closed)

    def _end(self) -> None:
        state = self._entrances.open[0].state
        finish(state, frames.place())
        self._entrances.leave(state, inside=False)

    # ---- waiting

    def wait(self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Has a coroutine function run on the loop, and waits for its result.

        Raises:
            SyncInLoopError: The caller is on that loop.
            SessionNotEntered: The session is not open.
        """
        if self._portal is None:
            raise self._entrances.why_none()
        self._check_place(self._portal)
        entered, here = copy_context(), [frames.calling()]
        cells = entered.run(self._come_in, here)
        self._callers.add(thread := threading.get_ident())
        try:
            return self._portal.run(partial(function, *args, **kwargs), entered)
        except CormorantError as error:
            _say_it_without_await(error)
            raise
        finally:
            # what outlives the call must not keep the caller's frames and the session alive
            self._callers.discard(thread)
            here.clear()
            for cell in cells:
                cell.frame = context.nothing

    def _come_in(self, here: list[FrameType]) -> list[context.Cell[SessionState]]:
        """Has a context know who waits, and the innermost blocks of the sessions around him, at last of this one."""
        frames.waiting.set(here)
        cells: list[context.Cell[SessionState]] = []
        for each in _around.get():
            other = each()
            if other is not None and other is not self and other._entrances.open:
                cells.append(context.enter(other._entrances.open[0].state.frame))
        if self._entrances.open:
            cells.append(context.enter(self._entrances.open[0].state.frame))
        return cells

    def _check_place(self, portal: Portal) -> None:
        """Refuses to wait on the loop that would do the work, and warns of waiting on another one."""
        if portal.is_here:
            raise SyncInLoopError(
                "a sync session is called on its own event loop, which would wait for itself",
                hint="hooks run there: make the hook `async def`, and use AsyncSession.current()",
            )
        warn_on_a_loop()

    def wait_if_possible(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> bool:
        """Waits like `wait`, and tells whether it did: not on the loop itself, nor after its end."""
        if self._portal is None or self._portal.is_here or self._portal.is_ending:
            return False
        self.wait(function, *args)
        return True


def open_transaction() -> str | None:
    """Tells of the innermost session around the caller that has a transaction open."""
    for found in reversed([each() for each in _around.get()]):
        if found is not None and found.is_open and found.in_transaction:
            return str(found.state().frame.root)
    return None


_warned: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def warn_on_a_loop() -> None:
    """Warns once if the calling thread runs an event loop, which stands still meanwhile; in a REPL it has no work."""
    loop = context.running_loop()
    if loop is None or loop in _warned or hasattr(sys, "ps1"):
        return
    _warned.add(loop)
    frame = frames.frame_outside("cormorant.", "contextlib")
    warnings.warn_explicit(
        "a sync Session blocks the event loop that runs in this thread; use AsyncSession here",
        RuntimeWarning,
        frame.f_code.co_filename if frame is not None else "<unknown>",
        frame.f_lineno if frame is not None else 1,
    )


def _say_it_without_await(error: CormorantError) -> None:
    """Has an error's hint speak of the sync session's own methods."""
    if error.hint is None or "AsyncSession.current" in error.hint:
        return
    hint = error.hint.replace("await ", "").replace("async with", "with").replace("AsyncSession", "Session")
    if hint != error.hint:
        error.args = tuple(_replaced(argument, error.hint, hint) for argument in error.args)
        error.hint = hint


def _replaced(argument: object, old: str, new: str) -> object:
    return argument.replace(old, new) if isinstance(argument, str) else argument


def each_of(session: LoopSession, chunks: AsyncGenerator[list[T], None]) -> Generator[T, None, None]:
    """Gives the rows of chunks that are read on the loop one after another."""

    async def read() -> list[T]:
        nothing: list[T] = []
        return await anext(chunks, nothing)

    async def close() -> None:
        await chunks.aclose()

    try:
        while rows := session.wait(read):
            yield from rows
    finally:
        session.wait_if_possible(close)
