"""Pauses the cyclic garbage collector while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

from typing_extensions import ParamSpec

P = ParamSpec("P")
T = TypeVar("T")

MANY = 500
"""From so many new objects on the collector would make several full passes over all that is loaded already."""


def without_collector(work: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> T:
    """Does work that waits for nothing, and gives what it gives: every row would be visited several times."""
    if not gc.isenabled():
        return work(*args, **keywords)
    gc.disable()
    try:
        return work(*args, **keywords)
    finally:
        gc.enable()
