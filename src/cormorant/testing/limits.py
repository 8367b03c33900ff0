"""What columns say of their values, as validation reads it: by their type, by `field()` and by `Annotated`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cormorant._internal.narrowing import is_list
from cormorant.models.metadata import ColumnInfo
from cormorant.sql import types as t


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of a column together.

    Args:
        lows: The smallest values, each with whether it is itself left out.
        highs: The largest ones.
        factors: What values are multiples of.
        patterns: What texts match.
        shortest: How many characters a text has at least.
        longest: How many at most; None for any number.
        places: How many decimal places fit; None for any number.
        digits: Pairs of how many digits a number has, and how many of them are decimal places.
    """

    lows: tuple[tuple[Any, bool], ...]
    highs: tuple[tuple[Any, bool], ...]
    factors: tuple[Fraction, ...]
    patterns: tuple[Any, ...]
    shortest: int
    longest: int | None
    places: int | None
    digits: tuple[tuple[int, int | None], ...]

    @property
    def are_any(self) -> bool:
        """Whether anything is said."""
        numbers = self.lows or self.highs or self.factors or self.digits or self.places is not None
        return bool(numbers or self.patterns or self.shortest or self.longest is not None)


def limits_of(column: ColumnInfo, metadata: Iterable[Any]) -> Limits:
    """Gives a column's limits.

    Args:
        column: The column.
        metadata: What its annotation says, laid flat.
    """
    said = _Said(column.spec.options, tuple(metadata))
    type_ = t.base_of(column.type)
    longest = said.all("max_length") + ([type_.length] if isinstance(type_, t.Text) and type_.length else [])
    places: list[int] = said.all("decimal_places")
    own = min(places, default=None)
    digits: list[tuple[int, int | None]] = [(each, own) for each in said.all("max_digits")]
    if isinstance(type_, t.Numeric) and type_.precision is not None:
        places.append(type_.scale or 0)
        digits.append((type_.precision, type_.scale or 0))
    return Limits(
        lows=(*((each, False) for each in said.all("ge")), *((each, True) for each in said.all("gt"))),
        highs=(*((each, False) for each in said.all("le")), *((each, True) for each in said.all("lt"))),
        factors=tuple(Fraction(each) for each in said.all("multiple_of")),
        patterns=tuple(said.all("pattern")),
        shortest=max(said.all("min_length"), default=0),
        longest=min(longest, default=None),
        places=min(places, default=None),
        digits=tuple(digits),
    )


def laid_flat(metadata: Iterable[Any]) -> list[Any]:
    """Gives what an annotation says item by item: pydantic's `Field()` has constraints in a list of its own."""
    return [each for item in metadata for each in (item, *_parts(item))]


def _parts(item: Any) -> Iterable[Any]:
    found = getattr(item, "metadata", None)
    return found if is_list(found) else ()


class _Said:
    def __init__(self, options: Mapping[str, Any], metadata: tuple[Any, ...]) -> None:
        self._options = options
        self._metadata = metadata

    def all(self, name: str) -> list[Any]:
        found = [self._options.get(name), *(getattr(item, name, None) for item in self._metadata)]
        return [each for each in found if each is not None]
