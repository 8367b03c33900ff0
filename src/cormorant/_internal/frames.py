"""Finds whose code is calling."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import NamedTuple

waiting: ContextVar[list[FrameType] | None] = ContextVar("cormorant_waiting", default=None)
"""The frame that waits in another thread for what this context's task does; the list is empty once that is done."""


def calling() -> FrameType:
    """Gives the frame of the function that calls the caller of this one."""
    return sys._getframe(2)  # pyright: ignore[reportPrivateUsage]


def frame_outside(*modules: str) -> FrameType | None:
    """Gives the nearest frame whose module's name starts with none of the given texts.

    Where only the event loop is further out, the search goes on in the thread that waits for the task.
    """
    return _outside(sys._getframe(1), (__name__, *modules))  # pyright: ignore[reportPrivateUsage]


def beyond_loop(found: FrameType | None, modules: tuple[str, ...]) -> FrameType | None:
    """Gives a frame, or in place of an event loop's the one outside of the modules where the task is waited for."""
    callers = waiting.get()
    if callers and (found is None or _is_of_a_loop(found)):
        return _first_outside(callers[0], modules)
    return found


def _outside(frame: FrameType | None, modules: tuple[str, ...]) -> FrameType | None:
    return beyond_loop(_first_outside(frame, modules), modules)


class Place(NamedTuple):
    """A place in the program, put into words when somebody asks: most places that are noted are never told.

    Args:
        code: The code; None where there is only the event loop.
        instruction: The place in it.
    """

    code: CodeType | None
    instruction: int

    def __str__(self) -> str:
        line = None if self.code is None else line_of(self.code, self.instruction)
        return "an unknown place" if self.code is None or line is None else f"{self.code.co_filename}:{line}"


NOWHERE: Place = Place(None, 0)

_OURS = ("cormorant.", "contextlib")


_NOT_USERS = (*_OURS, "asyncio.")


def place() -> Place:
    """Gives the place in the nearest frame outside of Cormorant; it holds nothing of what runs there."""
    return place_of(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]


def place_of(caller: FrameType) -> Place:
    """Gives the place in a frame, or in the nearest one around it that is outside of Cormorant."""
    if not caller.f_globals.get("__name__", "").startswith(_NOT_USERS):
        # by far the most sessions; made by no function of Python's
        return tuple.__new__(Place, (caller.f_code, caller.f_lasti))  # pyright: ignore[reportUnknownMemberType]
    frame = _first_outside(caller, _OURS)
    if frame is None or _is_of_a_loop(frame):
        frame = beyond_loop(frame, _OURS)
        # a task that runs nothing but our own coroutine has no line: further out there is only the event loop
        if frame is None or _is_of_a_loop(frame):
            return NOWHERE
    return tuple.__new__(Place, (frame.f_code, frame.f_lasti))  # pyright: ignore[reportUnknownMemberType]


def caller() -> str:
    """Gives file and line of the nearest frame outside of Cormorant."""
    return str(place())


def _first_outside(frame: FrameType | None, modules: tuple[str, ...]) -> FrameType | None:
    # looked up in one go: it is done for every session, a dozen frames deep
    while frame is not None and frame.f_globals.get("__name__", "").startswith(modules):
        frame = frame.f_back
    return frame


def _is_of_a_loop(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("asyncio.")


def line_of(code: CodeType, instruction: int) -> int | None:
    """Gives the line of an instruction; None for the event loop's own, which starts tasks for nobody in particular."""
    if code.co_filename.endswith(_LOOPS):
        return None
    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    # what a function begins with may have none
    return code.co_firstlineno if line is None else line


_LOOPS = (os.path.join("asyncio", "events.py"), os.path.join("asyncio", "base_events.py"))
