"""Finds whose code is calling."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from types import FrameType

waiting: ContextVar[FrameType | None] = ContextVar("cormorant_waiting", default=None)
"""The frame that waits in another thread for what this context's task does; it is empty again once that is done."""


def frame_outside(*modules: str) -> FrameType | None:
    """Gives the nearest frame whose module's name starts with none of the given texts.

    Where only the event loop is further out, the search goes on in the thread that waits for the task.
    """
    modules = (__name__, *modules)
    found = _first_outside(inspect.currentframe(), modules)
    caller = waiting.get()
    if caller is not None and (found is None or _module(found).startswith("asyncio.")):
        return _first_outside(caller, modules)
    return found


def _first_outside(frame: FrameType | None, modules: tuple[str, ...]) -> FrameType | None:
    while frame is not None and _module(frame).startswith(modules):
        frame = frame.f_back
    return frame


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name
