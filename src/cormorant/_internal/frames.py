"""Finds whose code is calling."""

from __future__ import annotations

import inspect
import os
import sys
from contextvars import ContextVar
from types import CodeType, FrameType

waiting: ContextVar[list[FrameType] | None] = ContextVar("cormorant_waiting", default=None)
"""The frame that waits in another thread for what this context's task does; the list is empty once that is done."""


def calling() -> FrameType:
    """Gives the frame of the function that calls the caller of this one."""
    return sys._getframe(2)  # pyright: ignore[reportPrivateUsage]


def frame_outside(*modules: str) -> FrameType | None:
    """Gives the nearest frame whose module's name starts with none of the given texts.

    Where only the event loop is further out, the search goes on in the thread that waits for the task.
    """
    modules = (__name__, *modules)
    found = _first_outside(inspect.currentframe(), modules)
    callers = waiting.get()
    if callers and (found is None or _module(found).startswith("asyncio.")):
        return _first_outside(callers[0], modules)
    return found


def caller() -> str:
    """Gives file and line of the nearest frame outside of Cormorant."""
    frame = frame_outside("cormorant.", "contextlib")
    # a task that runs nothing but our own coroutine has no line: further out there is only the event loop
    if frame is None or str(frame.f_globals.get("__name__")).startswith("asyncio."):
        return "an unknown place"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def code_outside(*modules: str) -> tuple[CodeType, int] | None:
    """Gives the code of that frame, and the place in it: a frame that is held would keep what its function holds."""
    frame = frame_outside(*modules)
    return None if frame is None else (frame.f_code, frame.f_lasti)


def _first_outside(frame: FrameType | None, modules: tuple[str, ...]) -> FrameType | None:
    while frame is not None and _module(frame).startswith(modules):
        frame = frame.f_back
    return frame


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name


def line_of(code: CodeType, instruction: int) -> int | None:
    """Gives the line of an instruction; None for the event loop's own, which starts tasks for nobody in particular."""
    if code.co_filename.endswith(_LOOPS):
        return None
    return next((line for start, end, line in code.co_lines() if start <= instruction < end), None)


_LOOPS = (os.path.join("asyncio", "events.py"), os.path.join("asyncio", "base_events.py"))
