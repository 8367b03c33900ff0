"""Small numbers for things that live for a while."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from weakref import ref


class Numbers:
    """Gives each living object a number that no other has, the smallest that is free.

    A program that makes the same things again and again meets the same numbers again, so that what is remembered by
    number is found again, and does not grow.
    """

    def __init__(self) -> None:
        self._free: list[int] = []
        self._next: Callable[[], int] = count(1).__next__
        self._owners: dict[int, ref[object]] = {}

    def take(self, owner: object) -> int:
        """Gives `owner` a number for as long as it lives."""
        try:
            # popping and catching, rather than looking first: threads may take numbers at the same time
            number = heappop(self._free)
        except IndexError:
            number = self._next()
        self._owners[number] = ref(owner, partial(self._release, number))
        return number

    def _release(self, number: int, _: object) -> None:
        del self._owners[number]
        heappush(self._free, number)
