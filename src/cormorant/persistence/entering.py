"""Which blocks of a session are open, and which of them a caller is in, or leaves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from types import FrameType
from typing import Any, NamedTuple

from cormorant._internal.tuples import maker
from cormorant.errors import AmbiguousSession, SessionClosedError, SessionNotEntered
from cormorant.observability.performance import PerformanceTracker
from cormorant.persistence import context
from cormorant.persistence.parts import let_go
from cormorant.persistence.state import EndedState, SessionState
from cormorant.persistence.transaction import last_commit_of

_KEEPS_ITS_FRAME = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Entrance(NamedTuple):
    """An open block.

    Args:
        state: What it knows and holds.
        cell: What its context holds of it.
        code: The running function whose `async with` it is, where that is known.
    """

    state: SessionState
    cell: context.Cell[SessionState]
    code: FrameType | None


_entrance: Callable[[tuple[Any, ...]], Entrance] = maker(Entrance)


class Entrances:
    """The open blocks of one handle; many tasks may enter it, and each block has a state of its own."""

    __slots__ = ("key", "last_commit", "open", "tracker", "was_open")

    def __init__(self) -> None:
        # what contexts know the handle by, without keeping it
        self.key: object = object()
        self.open: list[Entrance] = []
        self.was_open: context.Ended | str = ""
        # what the last block that ended has counted
        self.tracker: PerformanceTracker | None = None
        self.last_commit: datetime | None = None

    def enter(self, state: SessionState, awaiting: FrameType | None) -> SessionState:
        """Makes a state the innermost one of the calling context, and gives it back.

        Args:
            state: The state.
            awaiting: The frame that awaits the entering.
        """
        # `async with` leaves from the very frame it entered from, whichever task or context that runs in by then;
        # any other frame, such as the event loop's, says nothing
        keeps = awaiting is not None and awaiting.f_code.co_flags & _KEEPS_ITS_FRAME
        self.open.append(_entrance((state, context.enter(state.frame, self.key), awaiting if keeps else None)))
        return state

    def leave(self, state: SessionState, *, inside: bool) -> None:
        """Forgets a state, from whatever context, and empties what contexts hold of it.

        Args:
            state: The state.
            inside: The caller stays in the block that has ended, and is told so.
        """
        self.tracker = state.tracker
        self.last_commit = last_commit_of(state.transactions)
        self.was_open = ended = state.ended
        for entrance in self.open:
            if entrance.state is state:
                entrance.cell.ended = ended
                if inside:
                    entrance.cell.frame = context.nothing
                else:
                    context.leave(entrance.cell)
        if len(self.open) == 1 and self.open[0].state is state:
            self.open.clear()
        else:
            self.open = [entrance for entrance in self.open if entrance.state is not state]
        if state.frame.parent is None:
            # blocks that outlive their session are still to be left
            let_go(state)
            state.__class__ = EndedState

    # ---- which one

    @property
    def only(self) -> SessionState | None:
        """The only open state, for callers whose context knows of none; None for who comes out of an ended block."""
        return self.open[0].state if len(self.open) == 1 and context.ended_block(self.key) is None else None

    def left_by(self, awaiting: FrameType | None) -> SessionState | None:
        """Gives the state of the block that is left; None where `close()` has ended it before.

        It is the newest that the same running function entered by `async with`, else the innermost one of the calling
        context, else the only one.

        Args:
            awaiting: The frame that awaits the leaving.

        Raises:
            AmbiguousSession: Several are open, and nothing tells which of them is left.
        """
        found = self.open
        if len(found) == 1 and awaiting is not None and found[0].code is awaiting:
            return found[0].state
        for entrance in reversed(found):
            if awaiting is not None and entrance.code is awaiting:
                return entrance.state
        return self.closable()

    def closable(self) -> SessionState | None:
        """Gives the caller's open state, if there is any.

        Raises:
            AmbiguousSession: Several are open, and the context names none.
        """
        mine = {id(entrance.cell): entrance.state for entrance in self.open}
        cell = context.current.get()
        while cell is not None:
            if id(cell) in mine:
                return mine[id(cell)]
            cell = cell.parent
        if not self.open or context.ended_block(self.key) is not None:
            return None
        if len(self.open) > 1:
            raise self.why_none()
        return self.open[0].state

    def why_none(self) -> Exception:
        """Gives the error for a caller who is in none of the blocks."""
        ended = context.ended_block(self.key)
        if self.open and ended is None:
            places = "; ".join(str(entrance.state.frame) for entrance in self.open)
            return AmbiguousSession(
                f"{len(self.open)} blocks of this session are open, and {context.used_here()} is in none of them: "
                f"{places}",
                hint="use the session inside its own block, or make one for each task",
            )
        if ended or self.was_open:
            return SessionClosedError(
                f"the session is closed: {ended or self.was_open}; it is used by {context.used_here()}",
                hint="open one for work that goes on: async with AsyncSession()",
            )
        return SessionNotEntered("the session was not entered", hint="use `async with AsyncSession() as session:`")
