"""A bounded mapping that forgets what was not used for long."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LRU(Generic[K, V]):
    """Between `size` and twice `size` entries, in two generations.

    What is asked for is young. When the young are `size`, they become the old ones, and what is old then is forgotten.
    A hit among the young, `recent.get(key)`, is a plain lookup: no list of uses is kept.

    Args:
        size: How many entries are kept at least.
    """

    __slots__ = ("_old", "misses", "recent", "size")

    def __init__(self, size: int) -> None:
        self.size: int = size
        self.misses: int = 0
        self.recent: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.recent.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """Gives the entry, or None."""
        found = self.recent.get(key)
        if found is not None:
            return found
        found = self._old.get(key)
        if found is None:
            self.misses += 1
            return None
        return self.put(key, found)

    def put(self, key: K, value: V) -> V:
        """Keeps the entry and gives it back."""
        if len(self.recent) >= self.size and key not in self.recent:
            self._old, self.recent = self.recent, {}
        self.recent[key] = value
        return value

    def clear(self) -> None:
        """Forgets everything."""
        self.recent.clear()
        self._old.clear()
