"""Aggregates that SQLite lacks, or has without an order or without all digits; they work in windows too."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cormorant.adapters.sqlite_numbers import EXACT, Registered, quotient
from cormorant.adapters.sqlite_reasons import refused
from cormorant.dialects.sqlite import canonical_decimal, decode_decimal

_ZERO = Decimal(0)


class DecimalSum:
    """The exact sum of decimal texts, also over a moving window; NULL when all are NULL."""

    def __init__(self) -> None:
        self.total: Decimal = _ZERO
        self.count: int = 0

    def step(self, value: Any) -> None:
        """Takes a value in."""
        if value is not None:
            self.total = EXACT.add(self.total, decode_decimal(value))
            self.count += 1

    def inverse(self, value: Any) -> None:
        """Takes a value out that has left the window."""
        if value is not None:
            self.total = EXACT.subtract(self.total, decode_decimal(value))
            self.count -= 1

    def value(self) -> str | None:
        """Gives the result for the window as it stands."""
        return canonical_decimal(self.total) if self.count else None

    def finalize(self) -> str | None:
        """Gives the result."""
        return self.value()


class DecimalAverage(DecimalSum):
    """The mean of decimal texts, to the digits that PostgreSQL gives it."""

    def value(self) -> str | None:
        """Gives the result for the window as it stands."""
        return canonical_decimal(quotient(self.total, Decimal(self.count))) if self.count else None


class Variance:
    """The variance of a sample, exact until the last step; NULL of fewer than two values."""

    def __init__(self) -> None:
        self.count: int = 0
        self.total: Fraction = Fraction(0)
        self.squares: Fraction = Fraction(0)

    def step(self, value: Any) -> None:
        """Takes a value in."""
        self._move(value, 1)

    def inverse(self, value: Any) -> None:
        """Takes a value out that has left the window."""
        self._move(value, -1)

    def _move(self, value: Any, sign: int) -> None:
        if value is not None:
            try:
                number = Fraction(value)
            except (OverflowError, ValueError) as error:
                # an infinite one
                raise refused(error, "value out of range: overflow") from None
            self.count += sign
            self.total += sign * number
            self.squares += sign * number * number

    def value(self) -> float | None:
        """Gives the result for the window as it stands."""
        if self.count < 2:
            return None
        try:
            return float((self.squares - self.total * self.total / self.count) / (self.count - 1))
        except OverflowError as error:
            # SQLite would speak of a blob that is too big
            raise refused(error, "value out of range: overflow") from None

    def finalize(self) -> float | None:
        """Gives the result."""
        return self.value()


class Deviation(Variance):
    """The standard deviation of a sample."""

    def value(self) -> float | None:
        """Gives the result for the window as it stands."""
        found = super().value()
        return None if found is None else math.sqrt(found)


class ListOf:
    """A JSON list of the values, in an order, perhaps without repetition.

    Every step gets how the rows are ordered, the value, and the keys they are ordered by.
    """

    def __init__(self) -> None:
        self.rows: deque[tuple[Any, ...]] = deque()
        self.spec: str = "all"

    def step(self, spec: str, *row: Any) -> None:
        """Takes a row in."""
        self.spec = spec
        self.rows.append(row)

    def inverse(self, *_: Any) -> None:
        """Takes the row out that came first."""
        self.rows.popleft()

    def ordered(self) -> Iterable[tuple[Any, ...]]:
        """Gives the rows in their order."""
        repetition, *keys = self.spec.split()
        rows = list(self.rows)
        # the least significant key first: sorting is stable
        for place in range(-1, -len(keys) - 1, -1):
            rows.sort(key=_sort_key(place, keys[place]), reverse=keys[place][0] == "d")
        if repetition == "distinct":
            # of equal ones the first
            rows = list({row[0]: row for row in reversed(rows)}.values())[::-1]
        return rows

    def value(self) -> str | None:
        """Gives the result for the window as it stands."""
        return _as_array(row[0] for row in self.ordered())

    def finalize(self) -> str | None:
        """Gives the result."""
        return self.value()


class JoinedText(ListOf):
    """The texts in one, each but the first after its separator; NULL of none."""

    def step(self, spec: str, *row: Any) -> None:
        """Takes a text and its separator in."""
        if row[0] is not None:
            super().step(spec, *row)

    def inverse(self, *row: Any) -> None:
        """Takes the text out that came first."""
        if row[1] is not None:
            super().inverse()

    def value(self) -> str | None:
        """Gives the result for the window as it stands."""
        rows = list(self.ordered())
        pieces = [piece for row in rows for piece in (row[1] or "", row[0])]
        return "".join(pieces[1:]) if rows else None


def _sort_key(place: int, word: str) -> Callable[[tuple[Any, ...]], Any]:
    """Gives the key for a word of three letters: (a)scending or (d)escending, NULL (f)irst or (l)ast, and what."""
    last = (word[1] == "l") is (word[0] == "a")

    def key(row: tuple[Any, ...]) -> Any:
        value = row[place]
        if value is None:
            return (last, 0)
        return (not last, decode_decimal(value) if word[2] == "n" else value)

    return key


def _as_array(values: Iterable[Any]) -> str:
    return f"[{', '.join(map(_as_json, values))}]"


def _as_json(value: Any) -> str:
    # JSON has no word for infinity: a number beyond every other is read as it
    text = json.dumps(value)
    return text.replace("Infinity", "9e999") if isinstance(value, float) else text


def _rows(*columns: str) -> str:
    """Puts JSON arrays together to an array of rows."""
    rows = zip(*map(json.loads, columns), strict=True)
    return f"[{', '.join(map(_as_array, rows))}]"


FUNCTIONS: tuple[Registered, ...] = (("cormorant_rows", -1, _rows),)

AGGREGATES: tuple[tuple[str, int, Any], ...] = (
    ("cormorant_decimal_sum", 1, DecimalSum),
    ("cormorant_decimal_avg", 1, DecimalAverage),
    ("cormorant_variance", 1, Variance),
    ("cormorant_stddev", 1, Deviation),
    ("cormorant_list", -1, ListOf),
    ("cormorant_string_agg", -1, JoinedText),
)
