"""Finds whose code is calling."""

from __future__ import annotations

import inspect
from types import FrameType


def frame_outside(*modules: str) -> FrameType | None:
    """Gives the nearest frame whose module's name starts with none of the given texts."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith((__name__, *modules)):
        frame = frame.f_back
    return frame
