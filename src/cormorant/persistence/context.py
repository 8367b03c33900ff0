"""Finds a session's state for the calling task: frames own transactions, cells say which frame a context is in.

A ContextVar holds the caller's innermost cell. Closing marks a cell instead of resetting the variable, because enter,
use and exit may happen in different contexts (fixtures, `wait_for`, generators closed by another task).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from weakref import ref

from cormorant._internal.frames import Place, caller, place
from cormorant.errors import SessionTaskError

S = TypeVar("S")

# the public function raises where there is none
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop
"""Gives the event loop that runs in this thread, if there is one."""


class Frame(Generic[S]):
    """A block that may end a transaction: a session, or a `transaction()` inside it.

    Args:
        state: The session state.
        parent: The frame around it; None for the session's own.
        opened: Where it begins; the caller's place if not given.
        loop: The event loop that runs here, where the caller knows it: asking costs a system call in Python 3.11.
    """

    __slots__ = ("__weakref__", "_opener", "kind", "parent", "place", "state", "task")

    def __init__(
        self,
        state: S,
        parent: Frame[S] | None,
        kind: Literal["session", "transaction"],
        opened: Place | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.state: S = state
        self.parent: Frame[S] | None = parent
        self.kind = kind
        loop = loop or running_loop()
        opener = None if loop is None else asyncio.current_task(loop)
        self._opener: ref[asyncio.Task[Any]] | None = None if opener is None else ref(opener)
        self.task: str = "no task" if opener is None else opener.get_name()
        self.place: Place = place() if opened is None else opened

    def __str__(self) -> str:
        return f"the {self.kind} opened by {self.task} at {self.place}"

    def check_ended(self) -> None:
        """Refuses to commit the half of what another task does in a block of its own.

        Raises:
            SessionTaskError: It is a block inside of a session, which ends.
        """
        if self.kind == "transaction":
            raise SessionTaskError(
                f"{self.root} ended while {self} was open",
                hint="wait for the task before leaving the session, or give it a session of its own",
            )

    @property
    def is_left_to_others(self) -> bool:
        """Whether the task that opened it has ended, so that others go on inside of it: it set a fixture up, say."""
        opener = None if self._opener is None else self._opener()
        return opener is None or opener.done()

    def innermost_for(self, frame: Frame[S]) -> Frame[S]:
        """Gives the frame that a caller in one of this frame's chain is in: further in, where blocks are left to him.

        Args:
            frame: The innermost one that his context knows.
        """
        chain = self.chain
        place = chain.index(frame) if frame in chain else 0
        while place > 0 and chain[place - 1].is_left_to_others:
            place -= 1
        return chain[place] if frame in chain else frame

    @property
    def chain(self) -> list[Frame[S]]:
        """This frame and those around it, the session's own at the end."""
        frames: list[Frame[S]] = [self]
        while (parent := frames[-1].parent) is not None:
            frames.append(parent)
        return frames

    @property
    def root(self) -> Frame[S]:
        """The session's own frame."""
        return self.chain[-1]


class Cell(Generic[S]):
    """What the ContextVar holds: the innermost frame, as long as the frame is open and somebody has its session.

    Args:
        frame: The frame.
        parent: The cell around it.
        owner: Whose block it is, for sessions: what tells of the block after its end.
    """

    __slots__ = ("ended", "frame", "owner", "parent")

    def __init__(self, frame: Frame[S], parent: Cell[S] | None, owner: object = None) -> None:
        # weakly: a context may go on for ever, and must not keep a session that was dropped without being closed
        self.frame: Callable[[], Frame[S] | None] = ref(frame)
        self.parent: Cell[S] | None = parent
        self.owner: object = owner
        self.ended: Ended | str = ""


class Ended(NamedTuple):
    """What is known of a session's block that has ended; put into words when somebody asks.

    Args:
        task: The name of the task that opened it.
        opened: Where it did.
        closed: Where it ended.
    """

    task: str
    opened: Place
    closed: Place

    def __str__(self) -> str:
        return f"the session opened by {self.task} at {self.opened} ended at {self.closed}"


nothing: Callable[[], None] = type(None)
"""What the cell of a closed frame gives."""

current: ContextVar[Cell[Any] | None] = ContextVar("cormorant_innermost", default=None)


def enter(frame: Frame[Any], owner: object = None) -> Cell[Any]:
    """Makes a frame the innermost one of this context."""
    around = current.get()
    cell = Cell(frame, around if around is None else innermost(), owner)
    current.set(cell)
    return cell


def leave(cell: Cell[Any]) -> None:
    """Closes a frame, from whatever context."""
    cell.frame = nothing
    # this context has left the block; others go on with a closed cell, which lookups skip
    if current.get() is cell:
        current.set(cell.parent)


def end_frame(state: Any, frame: Frame[Any]) -> None:
    """Makes the frame around a block the state's innermost one, and ends those inside the block."""
    if frame in state.frame.chain and frame.parent is not None:
        state.frame = frame.parent


def innermost() -> Cell[Any] | None:
    """Gives this context's innermost open cell."""
    cell = current.get()
    while cell is not None and cell.frame() is None:
        cell = cell.parent
    return cell


def open_cells() -> Iterator[Cell[Any]]:
    """Gives this context's open cells, from the innermost outwards."""
    cell = current.get()
    while cell is not None:
        if cell.frame() is not None:
            yield cell
        cell = cell.parent


def innermost_frame(state: S) -> Frame[S] | None:
    """Gives the innermost open frame of one state in this context, or None."""
    cell = current.get()
    while cell is not None:
        frame = cell.frame()
        if frame is not None and frame.state is state:
            return frame
        cell = cell.parent
    return None


def ended_block(owner: object) -> Ended | str | None:
    """Gives what is known of the owner's block that this context was in, which has ended; None if there was none."""
    cell = current.get()
    while cell is not None:
        if cell.owner is owner and cell.frame() is None:
            return cell.ended
        cell = cell.parent
    return None


def last_ended() -> Ended | str:
    """Gives what is known of the innermost session's block that this context was in, which has ended; else nothing."""
    cell = current.get()
    while cell is not None and not cell.ended:
        cell = cell.parent
    return "" if cell is None else cell.ended


def used_here() -> str:
    """Tells who is calling, for messages."""
    return f"{task_name()} at {caller()}"


def running_task() -> asyncio.Task[Any] | None:
    """Gives the running task, if there is one."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def name_of(task: asyncio.Task[Any] | None) -> str:
    """Gives a task's name, for messages."""
    return task.get_name() if task is not None else "no task"


def task_name() -> str:
    """Gives the running task's name, for messages."""
    return name_of(running_task())


def whereabouts(task: asyncio.Task[Any]) -> str:
    """Gives a task's name and the line it waits at, for messages."""
    frames = task.get_stack(limit=1)
    # the tasks of sync sessions run nothing but our own coroutines
    ours = bool(frames) and str(frames[0].f_globals.get("__name__")).startswith("cormorant.")
    place = f" at {frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames and not ours else ""
    return f"{task.get_name()}{place}"
