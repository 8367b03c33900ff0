"""What is kept of every shape of statement: made at the first of its shape, found again by all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from cormorant._internal.lru import LRU
from cormorant.models.scopes import Scopes
from cormorant.sql.restrictions import Owner
from cormorant.sql.shapes import canonical


class Prepared(Protocol):
    """A statement ready to be sent."""

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Whose conditions its text holds beside its own."""
        ...


P = TypeVar("P", bound=Prepared)


class Plans(LRU[Any, P]):
    """Prepared statements by shape; the sources of a shape are numbered by their place, whatever they were made with.

    Args:
        size: How many are kept at least.
    """

    __slots__ = ("_owners", "asked", "made")

    def __init__(self, size: int) -> None:
        super().__init__(size)
        # counted by who asks: most are found without a call
        self.asked: int = 0
        self.made: int = 0
        self._owners: LRU[Any, tuple[Owner, ...]] = LRU(size)

    def find(self, key: Any, make: Callable[[], P]) -> P:
        """Gives the statement of a shape, made if there is none."""
        shape, found = _look(self.get, key)
        return self._make(shape, make) if found is None else found

    def find_scoped(self, key: Any, scopes: Scopes, make: Callable[[], P]) -> P:
        """Gives the statement of a shape for the conditions that default scopes have at this moment."""
        shape, owners = _look(self._owners.get, (key, scopes.key))
        if owners is None:
            owners = self._owners.put(shape, make().owners)
        whole = (shape, tuple(condition.key for condition in scopes.conditions_of(owners)))
        found = self.get(whole)
        return self._make(whole, make) if found is None else found

    def _make(self, key: Any, make: Callable[[], P]) -> P:
        self.made += 1
        return self.put(key, make())


V = TypeVar("V")


def _look(get: Callable[[Any], V | None], key: Any) -> tuple[Any, V | None]:
    """Gives the key that a shape is kept under, and what is kept."""
    found = get(key)
    if found is not None or not isinstance(key, tuple):
        return key, found
    shape: Any = canonical(key)  # pyright: ignore[reportUnknownArgumentType]
    return shape, None if shape is key else get(shape)
