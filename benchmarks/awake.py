"""Keeps processors from going to sleep: waking up would take longer than what is measured in one task."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_awake() -> Iterator[None]:
    """Runs a loop on every processor that gives way to everything else."""
    loops = [multiprocessing.Process(target=spin, args=(cpu,), daemon=True) for cpu in range(os.cpu_count() or 1)]
    for process in loops:
        process.start()
    try:
        yield
    finally:
        for process in loops:
            process.terminate()
            process.join()


def spin(cpu: int) -> None:
    """Does nothing, for ever."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass
