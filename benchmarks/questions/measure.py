"""Runs two ways of doing the same work alternately, because a machine's speed drifts."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question's answer.

    Args:
        name: What was measured.
        unit: What the times are of, for instance "ns per row".
        baseline: The median of the work done by hand.
        ours: The median of the work done by Cormorant.
        limit: The ratio that must not be exceeded.
    """

    name: str
    unit: str
    baseline: float
    ours: float
    limit: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the baseline."""
        return self.ours / self.baseline

    @property
    def holds(self) -> bool:
        """Whether the ratio is within its limit."""
        return self.ratio <= self.limit


def alternately(
    baseline: Callable[[], object], ours: Callable[[], object], *, rounds: int, scale: float
) -> tuple[float, float]:
    """Gives the medians of both, each in `1 / scale` seconds.

    Args:
        rounds: How often each is run.
        scale: What a second is multiplied by: 1e9 / rows gives nanoseconds per row.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for work in (baseline, ours):
        work()
    for _ in range(rounds):
        for work, found in zip((baseline, ours), times, strict=True):
            gc.collect()
            start = perf_counter()
            result = work()
            found.append(perf_counter() - start)
            del result
    return median(times[0]) * scale, median(times[1]) * scale
