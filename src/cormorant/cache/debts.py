"""What a server still has to be told to drop."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from itertools import count, islice

EVERYTHING = "*"
"""Stands for all keys."""


class Debts:
    """Keys, each with the number under which it was added last; threads may share it.

    Args:
        most: How many are told apart; of more, everything is owed.
    """

    __slots__ = ("_keys", "_lock", "_most", "_numbers")

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: dict[str, int] = {}
        self._numbers = count()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, keys: Iterable[str]) -> None:
        """Notes keys; one that is being dropped at this moment has to be dropped again."""
        with self._lock:
            number = next(self._numbers)
            self._keys.update(dict.fromkeys(keys, number))
            if len(self._keys) > self._most:
                self._keys = {EVERYTHING: number}

    def some(self, most: int) -> Mapping[str, int]:
        """Gives some of them, to be dropped now."""
        with self._lock:
            return dict(islice(self._keys.items(), most))

    def paid(self, keys: Mapping[str, int]) -> None:
        """Forgets keys that were dropped, but for those that were added again meanwhile."""
        with self._lock:
            for key, number in keys.items():
                if self._keys.get(key) == number:
                    del self._keys[key]
