"""The session behind a sync one: it lives on the portal's loop, and those who call it wait in threads of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, copy_context
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet, ref

from cormorant._internal import frames
from cormorant.database import Database
from cormorant.errors import (
    AmbiguousSession,
    CormorantError,
    SessionClosedError,
    SessionNotEntered,
    SyncInLoopError,
)
from cormorant.persistence import context
from cormorant.persistence.session import AsyncSession
from cormorant.persistence.state import SessionState
from cormorant.sync.portal import Portal, portal

P = ParamSpec("P")
T = TypeVar("T")


_around: ContextVar[tuple[ref[LoopSession], ...]] = ContextVar("cormorant_sync_sessions", default=())
"""The sessions that this context has entered: none of them goes on before the innermost one is done."""


class LoopSession(AsyncSession):
    """An AsyncSession for callers in other threads.

    Its state is found on the handle, not through the context: whoever calls is in the session's innermost block.
    """

    _portal: Portal | None = None

    @property
    def source(self) -> Database:
        """The database that was asked for."""
        return super().database

    @property
    def database(self) -> Database:
        """The database that was asked for; on the portal's loop the same one with connections of that loop."""
        if self._portal is not None and self._portal.is_here:
            return self._portal.connected(self.source)
        return self.source

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
        self.wait(self._enter)
        _around.set((*(each for each in _around.get() if (other := each()) and other.is_open), ref(self)))

    async def _enter(self) -> None:
        await self.__aenter__()
        self.state().wait = self.wait_if_possible
        if self._portal is not None:
            self._portal.sessions.add(self)

    def leave(
        self,
        block: AbstractAsyncContextManager[Any, None],
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leaves the session, or a transaction of it; in a fork an exception just passes, the block is the parent's."""
        forked = self._portal is not None and self._portal.pid != os.getpid()
        if not (forked and error is not None):
            self.wait(block.__aexit__, kind, error, traceback)

    def _no_state(self) -> Exception:
        if self._entrances.was_open:
            return SessionClosedError(
                f"the session is closed: {self._entrances.was_open}",
                hint="open one for work that goes on: with Session()",
            )
        return SessionNotEntered("the session was not entered", hint="use `with Session() as session:`")

    # ---- waiting

    def wait(self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Has a coroutine function run on the loop, and waits for its result.

        Raises:
            SyncInLoopError: The caller is on that loop.
            SessionNotEntered: The session is not open.
        """
        if self._portal is None:
            raise self._no_state()
        if self._portal.is_here:
            raise SyncInLoopError(
                "a sync session is called on its own event loop, which would wait for itself",
                hint="hooks run there: make the hook `async def`, and use AsyncSession.current()",
            )
        _warn_on_a_loop()
        entered, here = copy_context(), [frames.calling()]
        entered.run(frames.waiting.set, here)
        cells = [entered.run(context.enter, frame) for frame in self._frames()]
        try:
            return self._portal.run(partial(function, *args, **kwargs), entered)
        except CormorantError as error:
            _say_it_without_await(error)
            raise
        finally:
            # what outlives the call must not keep the caller's frames and the session alive
            here.clear()
            for cell in cells:
                cell.frame = context.nothing

    def _frames(self) -> list[context.Frame[SessionState]]:
        """Gives the innermost blocks of the sessions around the caller, and at last of this one."""
        around = [other for each in _around.get() if (other := each()) is not None and other is not self]
        return [other._entrances.open[0].state.frame for other in (*around, self) if other._entrances.open]

    def wait_if_possible(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> bool:
        """Waits like `wait`, and tells whether it did: not on the loop itself, nor after its end."""
        if self._portal is None or self._portal.is_here or self._portal.is_ending:
            return False
        self.wait(function, *args)
        return True


_warned: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def _warn_on_a_loop() -> None:
    """Warns once if the calling thread runs an event loop, which stands still meanwhile; in a REPL it has no work."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if loop in _warned or hasattr(sys, "ps1"):
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
