"""How long runs took, kept in few numbers: a percentile is known to a thirtieth of itself."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from math import ceil, frexp, ldexp

PARTS = 16
"""Buckets for each doubling of the time: a value is within 1/32 of its bucket's middle."""


def bucket_of(milliseconds: float) -> int:
    """Gives the number of the bucket that a duration falls into.

    Each doubling of the time is cut into equal parts, so that no logarithm is taken: the linear mapping of
    C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
    guarantees", VLDB 2019. From a microsecond to an hour these are about 500 buckets at the very most.
    """
    # zero has no doublings; no clock tells a nanosecond
    fraction, exponent = frexp(max(milliseconds, 1e-6))
    return exponent * PARTS + int(fraction * 2 * PARTS) - PARTS


def buckets_of(durations: Iterable[float]) -> dict[int, int]:
    """Gives how many durations, in milliseconds, fall into each bucket."""
    ordered = sorted(durations)
    found: dict[int, int] = {}
    place = 0
    # most of them share a bucket with others: each bucket is found once
    while place < len(ordered):
        bucket = bucket_of(ordered[place])
        end = bisect_left(ordered, _begin_of(bucket + 1), place + 1)
        found[bucket] = end - place
        place = end
    return found


def _begin_of(bucket: int) -> float:
    exponent, part = divmod(bucket, PARTS)
    return ldexp((PARTS + part) / (2 * PARTS), exponent)


def middle_of(bucket: int) -> float:
    """Gives the milliseconds in the middle of a bucket."""
    exponent, part = divmod(bucket, PARTS)
    return ldexp((PARTS + part + 0.5) / (2 * PARTS), exponent)


def percentile(buckets: Mapping[int, int], share: float) -> float:
    """Gives the milliseconds that a share of the runs did not exceed.

    Args:
        buckets: How many runs fell into each bucket.
        share: From 0 to 1.
    """
    rest = max(1, ceil(sum(buckets.values()) * share))
    for bucket in sorted(buckets):
        rest -= buckets[bucket]
        if rest <= 0:
            return middle_of(bucket)
    return 0.0
