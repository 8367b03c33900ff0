"""Which blocks of a session are open, and which of them a caller is in."""

from __future__ import annotations

from cormorant.errors import AmbiguousSession, SessionClosedError, SessionNotEntered
from cormorant.observability.performance import PerformanceTracker
from cormorant.persistence import context
from cormorant.persistence.state import SessionState


class Entrances:
    """The open blocks of one handle; many tasks may enter it, and each block has a state of its own."""

    __slots__ = ("open", "tracker", "was_open")

    def __init__(self) -> None:
        self.open: list[tuple[SessionState, context.Cell[SessionState]]] = []
        self.was_open: str = ""
        # what the last block that ended has counted
        self.tracker: PerformanceTracker | None = None

    def enter(self, state: SessionState) -> None:
        """Makes a state the innermost one of the calling context."""
        self.open.append((state, context.enter(state.frame)))

    def leave(self, state: SessionState) -> None:
        """Forgets a state, from whatever context, and empties what contexts hold of it."""
        self.tracker = state.tracker
        self.was_open = f"{state.frame.root} ended at {state.closed_at}"
        for known, cell in self.open:
            if known is state:
                context.leave(cell)
        self.open = [entry for entry in self.open if entry[0] is not state]

    @property
    def only(self) -> SessionState | None:
        """The only open state, for callers whose context knows of none."""
        return self.open[0][0] if len(self.open) == 1 else None

    def why_none(self) -> Exception:
        """Gives the error for a caller who is in none of the blocks."""
        if self.open:
            places = "; ".join(str(state.frame) for state, _ in self.open)
            return AmbiguousSession(
                f"{len(self.open)} blocks of this session are open, and none of them in this context: {places}",
                hint="use the session inside its own block, or make one for each task",
            )
        if self.was_open:
            return SessionClosedError(
                f"the session is closed: {self.was_open}",
                hint="open one for work that goes on: async with AsyncSession()",
            )
        return SessionNotEntered("the session was not entered", hint="use `async with AsyncSession() as session:`")
