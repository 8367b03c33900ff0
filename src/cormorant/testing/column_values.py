"""Values for one column after another until the model takes one, and a new one where it must be."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from cormorant.errors import ModelError
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.tables import table_of
from cormorant.models.validation import problem_of
from cormorant.testing.values import Maker

# of a hundred values the last one is missed once in a billion times
_TRIES = 2_000
_MOST_KEPT = 10_000

# what was given already, the latest last, so that values meet no sooner than they must
_given: WeakKeyDictionary[ModelInfo, dict[str, dict[Hashable, None]]] = WeakKeyDictionary()

# the columns of which all values were given, as far as chance can tell: looking for one takes hundreds of tries
_used_up: WeakKeyDictionary[ModelInfo, set[str]] = WeakKeyDictionary()


def forget_given() -> None:
    """Forgets which values were given."""
    _given.clear()
    _used_up.clear()


@lru_cache(maxsize=2000)
def unique_columns(info: ModelInfo) -> frozenset[str]:
    """Gives the columns that belong to a key or a unique constraint, by their names in the database."""
    table = table_of(info)
    return frozenset((*table.primary_key, *(name for unique in table.uniques for name in unique.columns)))


class ColumnValues:
    """Gives random values of a column.

    Args:
        info: The model.
        column: The column.
        maker: Makes values of the usual kinds.
        unique: No value is given twice as long as there are others.
    """

    def __init__(self, info: ModelInfo, column: ColumnInfo, maker: Maker, *, unique: bool) -> None:
        self._info = info
        self._column = column
        self._maker = maker
        self._unique = unique

    @property
    def made_here(self) -> bool:
        """Whether they are of the usual kinds, and not polyfactory's."""
        return self._maker.fits

    def make(self, random: Random, other: Callable[[], Any]) -> Any:
        """Gives a value that the model does not refuse.

        Args:
            random: Where chance comes from.
            other: Makes values of all other kinds.

        Raises:
            ModelError: None was found.
        """
        fits = self._unique and self._column.attribute in _used_up.get(self._info, ())
        for tried in range(0 if fits else _TRIES):
            value = self._maker.make(random, tried) if self.made_here else other()
            if problem_of(self._column, value) is not None:
                continue
            if not self._unique or not isinstance(value, Hashable):
                return value
            fits = True
            if value not in self._given():
                return self._noted(value)
        if not fits:
            raise ModelError(
                f"{self._info.name}.{self._column.attribute} has limits that no random value was found for",
                hint="give the value, or name it in the factory",
            )
        _used_up.setdefault(self._info, set()).add(self._column.attribute)
        # all were given, or nearly all: the first one was given to others than the last
        return self._noted(next(iter(self._given())))

    def _noted(self, value: Hashable) -> Hashable:
        given = self._given()
        given.pop(value, None)
        if len(given) >= _MOST_KEPT:
            del given[next(iter(given))]
        given[value] = None
        return value

    def _given(self) -> dict[Hashable, None]:
        return _given.setdefault(self._info, {}).setdefault(self._column.attribute, {})
