"""Numbers on SQLite as PostgreSQL and Python have them: divisors of zero are errors, decimals exact, casts strict."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any, TypeAlias

from cormorant.adapters.sqlite_reasons import Refused, strict
from cormorant.dialects.sqlite import canonical_decimal, decode_decimal

Registered: TypeAlias = tuple[str, int, Callable[..., Any]]

# sums and products of decimals are finite: this context never rounds them
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
_FLOAT = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?|\.[0-9]+(?:e[-+]?[0-9]+)?|inf(?:inity)?)\s*", re.I)
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


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
    return cut.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)


def _leading_group(number: Decimal) -> tuple[int, int]:
    """Gives the power of 10,000 that a number's first group of four digits stands for, and that group."""
    if not number:
        return 0, 0
    weight = number.adjusted() // 4
    return weight, int(number.copy_abs().scaleb(-4 * weight, EXACT))


def _of_decimals(compute: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], str | None]:
    def function(left: Any, right: Any) -> str:
        return canonical_decimal(compute(decode_decimal(left), decode_decimal(right)))

    return strict(function)


def _finite(compute: Callable[[float, float], float], refusal: str | None = None) -> Callable[[Any, Any], Any]:
    """Gives a computation of floats that is an error where finite numbers give none."""

    def function(left: float, right: float) -> float:
        found = compute(float(left), float(right))
        if math.isfinite(left) and math.isfinite(right) and not math.isfinite(found):
            raise Refused("value out of range: overflow")
        return found

    return strict(function, refusal)


def _of_divisor(compute: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], str | None]:
    """Gives a computation of decimals that divides."""

    def divide(left: Decimal, right: Decimal) -> Decimal:
        # zero by zero would be an invalid operation
        if not right:
            raise ZeroDivisionError
        return compute(left, right)

    return _of_decimals(divide)


def _quotient(left: float, right: float) -> float:
    return left / right


def _floor_divide(left: int, right: int) -> int:
    return left // right


def _modulo(left: int, right: int) -> int:
    return left % right


def _round_decimal(value: Any, places: int) -> str:
    return canonical_decimal(_rounded(decode_decimal(value), places))


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT)


def _round_float(value: float, places: int) -> float:
    # PostgreSQL rounds the 15 digits that a float is sure of
    return float(_rounded(Decimal(format(value, ".15g")), places)) if math.isfinite(value) else value


def _round_whole(value: int, places: int) -> int:
    return int(_rounded(Decimal(value), places))


def _floor(value: Any) -> int:
    return math.floor(Decimal(value) if isinstance(value, str) else value)


def _ceil(value: Any) -> int:
    return math.ceil(Decimal(value) if isinstance(value, str) else value)


def _sign(value: Any) -> int:
    number = Decimal(value) if isinstance(value, str) else value
    return (number > 0) - (number < 0)


# ------------------------------------------------------------------ what columns hold

_INTEGERS = {16: "smallint", 32: "integer", 64: "bigint"}


def _fit_integer(value: Any, bits: int) -> int:
    try:
        # of halves, PostgreSQL takes the even neighbour for a float, and the one further from zero for a decimal
        found = round(value) if isinstance(value, (int, float)) else int(_rounded(decode_decimal(value), 0))
    except (OverflowError, ValueError):
        found = 1 << 64
    if not -(1 << (bits - 1)) <= found < 1 << (bits - 1):
        raise Refused(f"{_INTEGERS[bits]} out of range")
    return found


def _fit_decimal(value: Any, precision: int, scale: int) -> str:
    found = _rounded(decode_decimal(value), scale)
    if found and found.adjusted() + 1 > precision - scale:
        raise Refused("numeric field overflow")
    return canonical_decimal(found)


# ------------------------------------------------------------------ casts


def _to_integer(value: Any) -> int:
    return int(Decimal(value) if isinstance(value, str) else value)


def _parse_integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueError
    # more digits than Python turns into an int
    if len(text.strip()) > 4000:
        raise Refused("integer out of range")
    return int(text)


def parse_float(text: str) -> float:
    """Reads a float as PostgreSQL does; one that no 64 bits hold is an error."""
    if _FLOAT.fullmatch(text) is None:
        raise ValueError
    found = float(text)
    if math.isinf(found) and "i" not in text.lower():
        raise Refused("value out of range: overflow")
    return found


def parse_decimal(text: str) -> str:
    """Reads a finite decimal, and gives the text that SQLite keeps of it."""
    if _FLOAT.fullmatch(text) is None or "i" in text.lower():
        raise ValueError
    return canonical_decimal(Decimal(text.strip()))


def parse_boolean(text: str) -> bool:
    """Reads a truth as PostgreSQL does."""
    word = text.strip().lower()
    # a part is enough where it is clear
    yes = any(full.startswith(word) for full in _TRUE)
    no = any(full.startswith(word) for full in _FALSE)
    if not word or yes == no:
        raise ValueError
    return yes


def _float_decimal(value: float) -> str:
    return canonical_decimal(Decimal(format(value, ".15g")))


def float_text(value: float) -> str:
    """Writes a float as PostgreSQL does: its shortest digits, with an exponent from 1e15 on."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    number = _shortest(value)
    if not number:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if -5 < number.adjusted() < 15:
        return format(number, "f")
    mantissa = number.scaleb(-number.adjusted(), EXACT).normalize(EXACT)
    return f"{mantissa:f}e{number.adjusted():+03d}"


def _shortest(value: float) -> Decimal:
    """Gives the shortest digits that mean this float and no other; Python's would also do half-way between two."""
    exact = Decimal(value)
    found = exact
    for digits in range(len(Decimal(repr(value)).normalize().as_tuple().digits), 18):
        found = Decimal(format(value, f".{digits}g"))
        neighbour = math.nextafter(value, math.inf if found > exact else -math.inf)
        # the largest float has none beyond it
        if not math.isfinite(neighbour) or 2 * abs(found - exact) < abs(Decimal(neighbour) - exact):
            break
    return found.normalize(EXACT)


FUNCTIONS: tuple[Registered, ...] = (
    ("cormorant_decimal_add", 2, _of_decimals(EXACT.add)),
    ("cormorant_decimal_sub", 2, _of_decimals(EXACT.subtract)),
    ("cormorant_decimal_mul", 2, _of_decimals(EXACT.multiply)),
    ("cormorant_decimal_div", 2, _of_divisor(quotient)),
    ("cormorant_decimal_floor_div", 2, _of_divisor(EXACT.divide_int)),
    ("cormorant_decimal_mod", 2, _of_divisor(EXACT.remainder)),
    ("cormorant_decimal_round", 2, strict(_round_decimal)),
    ("cormorant_divide", 2, _finite(_quotient)),
    ("cormorant_floor_divide", 2, strict(_floor_divide)),
    ("cormorant_modulo", 2, strict(_modulo)),
    ("cormorant_power", 2, _finite(math.pow, "a power of such numbers is undefined")),
    ("cormorant_sqrt", 1, strict(math.sqrt, "cannot take square root of a negative number")),
    ("cormorant_round", 2, strict(_round_float)),
    ("cormorant_round_whole", 2, strict(_round_whole)),
    ("cormorant_floor", 1, strict(_floor)),
    ("cormorant_ceil", 1, strict(_ceil)),
    ("cormorant_sign", 1, strict(_sign)),
    ("cormorant_fit_integer", 2, strict(_fit_integer)),
    ("cormorant_fit_decimal", 3, strict(_fit_decimal, "numeric field overflow")),
    ("cormorant_to_integer", 1, strict(_to_integer, "integer out of range")),
    ("cormorant_parse_integer", 1, strict(_parse_integer, "invalid input syntax for type integer")),
    ("cormorant_parse_float", 1, strict(parse_float, "invalid input syntax for type float")),
    ("cormorant_parse_decimal", 1, strict(parse_decimal, "invalid input syntax for type numeric")),
    ("cormorant_parse_boolean", 1, strict(parse_boolean, "invalid input syntax for type boolean")),
    ("cormorant_float_decimal", 1, strict(_float_decimal)),
    ("cormorant_float_text", 1, strict(float_text)),
)
