"""One instance for each row: the live instances of a session state by model and key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model


class IdentityMap:
    """Holds instances strongly, so that an object keeps its identity while the session lives."""

    __slots__ = ("by_model", "of")

    of: Callable[[ModelInfo], dict[Any, Any]]
    """Gives a model's instances by key; hydration reads and writes them directly."""

    def __init__(self) -> None:
        self.by_model: defaultdict[ModelInfo, dict[Any, Any]] = defaultdict(dict)
        # every query asks, and a bound method of C costs no Python call
        self.of = self.by_model.__getitem__

    def get(self, info: ModelInfo, key: Any) -> Any:
        """Gives an instance, or None."""
        return self.of(info).get(key)

    def put(self, info: ModelInfo, key: Any, instance: Model) -> None:
        """Takes an instance in."""
        self.of(info)[key] = instance

    def discard(self, info: ModelInfo, key: Any, instance: Model) -> None:
        """Forgets an instance, if it is the one held."""
        known = self.of(info)
        if known.get(key) is instance:
            del known[key]

    def __iter__(self) -> Iterator[Model]:
        return (instance for known in list(self.by_model.values()) for instance in list(known.values()))

    def __len__(self) -> int:
        return sum(map(len, self.by_model.values()))

    def __contains__(self, instance: object) -> bool:
        return any(instance is known for known in self)

    def clear(self) -> None:
        """Forgets everything."""
        self.by_model.clear()
