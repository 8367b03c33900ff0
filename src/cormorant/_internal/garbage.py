"""Has the garbage collector do less in a process that answers requests."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

YOUNG = 10_000
"""New objects after which they are looked at: fifty requests that are answered at once are about as many."""


@contextmanager
def frozen() -> Generator[None]:
    """Has the collector pass over what is there, and look at what is new less often, until the end.

    A limit that is higher already stays, as does a collector that is switched off.
    """
    gc.collect()
    gc.freeze()
    young, *older = before = gc.get_threshold()
    if 0 < young < YOUNG:
        gc.set_threshold(YOUNG, *older)
    set_to = gc.get_threshold()
    try:
        yield
    finally:
        # somebody may have set others meanwhile
        if gc.get_threshold() == set_to:
            gc.set_threshold(*before)
        gc.unfreeze()
