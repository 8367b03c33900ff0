"""One instance for each row: the live instances of a session state by model and key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import Origin
from cormorant.persistence.restore import unload


class IdentityMap:
    """Holds instances strongly, so that an object keeps its identity while the session lives."""

    __slots__ = ("by_model",)

    def __init__(self) -> None:
        # hydration reads and writes it directly
        self.by_model: defaultdict[ModelInfo, dict[Any, Any]] = defaultdict(dict[Any, Any])

    def of(self, info: ModelInfo) -> dict[Any, Any]:
        """Gives a model's instances by key."""
        return self.by_model[info]

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

    def models(self) -> Iterator[ModelInfo]:
        """Gives the models that have instances."""
        return iter([info for info, known in self.by_model.items() if known])

    def __iter__(self) -> Iterator[Model]:
        return (instance for known in list(self.by_model.values()) for instance in list(known.values()))

    def __len__(self) -> int:
        return sum(map(len, self.by_model.values()))

    def __contains__(self, instance: object) -> bool:
        return any(instance is known for known in self)

    def unload_since(self, number: int, origin: Origin) -> None:
        """Makes references of what was loaded after a statement: it may show rows that are gone."""
        for instance in self:
            seen = instance.__orm_origin__
            if seen is not None and seen.number > number:
                unload(instance, origin)

    def clear(self) -> None:
        """Forgets everything."""
        self.by_model.clear()
