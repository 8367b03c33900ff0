"""What every SQLite connection is taught: exact decimals, Unicode case and regular expressions."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, TypeAlias
from uuid import uuid4

from cormorant.dialects.sqlite import DECIMAL_COLLATION, UNHEX, canonical_decimal, decimal_encoder, decode_decimal

_Key: TypeAlias = tuple[bool, Decimal, str]

# sums and products of decimals are finite: this context never rounds them
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_ZERO = Decimal(0)


def compare_decimals(left: str, right: str) -> int:
    """Orders two decimal texts by their numbers; texts that are no numbers come last, as texts."""
    a, b = _key(left), _key(right)
    return (a > b) - (a < b)


def _key(text: str) -> _Key:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return True, _ZERO, text
    return (False, number, "") if number.is_finite() else (True, _ZERO, text)


class DecimalSum:
    """The exact sum of decimal texts, also over a moving window; NULL when all are NULL."""

    def __init__(self) -> None:
        self.total: Decimal = _ZERO
        self.count: int = 0

    def step(self, value: Any) -> None:
        """Takes a value in."""
        if value is not None:
            self.total = _EXACT.add(self.total, decode_decimal(value))
            self.count += 1

    def inverse(self, value: Any) -> None:
        """Takes a value out that has left the window."""
        if value is not None:
            self.total = _EXACT.subtract(self.total, decode_decimal(value))
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


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Divides as PostgreSQL does: to 16 significant digits or more, counted in groups of four.

    After select_div_scale() in PostgreSQL's numeric.c.
    """
    (weight, first), (other_weight, other_first) = _leading_group(dividend), _leading_group(divisor)
    groups = weight - other_weight - (first <= other_first)
    exponents = (-int(number.as_tuple().exponent) for number in (dividend, divisor))
    scale = min(max(16 - groups * 4, *exponents, 0), 1000)
    digits = max(dividend.adjusted() - divisor.adjusted(), 0) + scale + 3
    # cut, not rounded, so that the one rounding to the scale decides
    cut = Context(prec=digits, rounding=ROUND_DOWN, Emax=MAX_EMAX, Emin=MIN_EMIN).divide(dividend, divisor)
    return cut.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _EXACT)


def _leading_group(number: Decimal) -> tuple[int, int]:
    """Gives the power of 10,000 that a number's first group of four digits stands for, and that group."""
    if not number:
        return 0, 0
    weight = number.adjusted() // 4
    return weight, int(number.copy_abs().scaleb(-4 * weight, _EXACT))


def register(connection: sqlite3.Connection) -> None:
    """Teaches a connection; called in the thread that owns it."""
    connection.create_collation(DECIMAL_COLLATION, compare_decimals)
    for name, arity, function in _FUNCTIONS:
        connection.create_function(name, arity, function, deterministic=True)
    # PostgreSQL's name for it, so that one server_default serves both databases
    connection.create_function("gen_random_uuid", 0, lambda: str(uuid4()))
    for name, aggregate in _AGGREGATES:
        connection.create_window_function(name, 1, aggregate)


def _of_decimals(compute: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], str | None]:
    def function(left: Any, right: Any) -> str | None:
        if left is None or right is None:
            return None
        return canonical_decimal(compute(decode_decimal(left), decode_decimal(right)))

    return function


def _round(value: Any, places: int) -> str | None:
    return None if value is None else decimal_encoder(places)(decode_decimal(value))


def _of_text(compute: Callable[[str], str]) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else compute(str(value))


def _regexp(pattern: Any, value: Any) -> bool | None:
    if pattern is None or value is None:
        return None
    return re.search(str(pattern), str(value)) is not None


_FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("cormorant_decimal_add", 2, _of_decimals(_EXACT.add)),
    ("cormorant_decimal_sub", 2, _of_decimals(_EXACT.subtract)),
    ("cormorant_decimal_mul", 2, _of_decimals(_EXACT.multiply)),
    ("cormorant_decimal_div", 2, _of_decimals(quotient)),
    ("cormorant_decimal_round", 2, _round),
    (UNHEX, 1, bytes.fromhex),
    ("cormorant_lower", 1, _of_text(str.lower)),
    ("cormorant_upper", 1, _of_text(str.upper)),
    ("regexp", 2, _regexp),
)

_AGGREGATES: tuple[tuple[str, Any], ...] = (
    ("cormorant_decimal_sum", DecimalSum),
    ("cormorant_decimal_avg", DecimalAverage),
)
