"""What operators take and give, told by the types of both sides."""

from __future__ import annotations

from typing import Any

from cormorant.errors import WrongType
from cormorant.sql import types as t

_FAMILIES: dict[type[t.SqlType], str] = {
    t.Integer: "number",
    t.Float: "number",
    t.Numeric: "number",
    t.Text: "text",
    t.Boolean: "boolean",
    t.Binary: "bytes",
    t.Date: "date",
    t.Time: "time",
    t.DateTime: "datetime",
    t.Interval: "interval",
    t.Uuid: "uuid",
    t.Json: "json",
}

_ARITHMETIC: dict[tuple[str, str, str], t.SqlType | None] = {
    ("text", "||", "text"): t.TEXT,
    ("datetime", "+", "interval"): t.DATETIME,
    ("datetime", "-", "interval"): t.DATETIME,
    ("datetime", "-", "datetime"): t.INTERVAL,
    ("interval", "+", "interval"): t.INTERVAL,
    ("interval", "-", "interval"): t.INTERVAL,
    ("interval", "+", "datetime"): t.DATETIME,
    # numbers tell their result themselves
    ("number", "+", "number"): None,
    ("number", "-", "number"): None,
    ("number", "*", "number"): None,
}


def family_of(type_: t.SqlType) -> str | None:
    """Gives the name of the types a value can be compared with; None where anything goes."""
    if isinstance(type_, t.Enumeration):
        return f"enum {type_.native}" if type_.native else "number" if type_.integers else "text"
    if isinstance(type_, t.Literals):
        return "number" if type_.integers else "text"
    if isinstance(type_, t.Array):
        return f"array of {family_of(type_.item)}"
    return _FAMILIES.get(type(type_))


def typed_operand(type_: t.SqlType, value: Any) -> tuple[Any, t.SqlType]:
    """Gives a plain value as it stands beside an expression of a type, and the type it has there.

    Raises:
        WrongType: The value is not of that type.
    """
    if type(type_) is t.Unknown:
        return value, t.type_of_value(value)
    if isinstance(type_, t.Numeric):
        # a number is compared as it is: neither limited nor rounded to the digits of a column
        t.NUMERIC.check(value)
        return value, t.NUMERIC
    type_.check(value)
    # a whole number would come back as one from a database without types
    return (float(value) if isinstance(type_, t.Float) and value is not None else value), type_


def check_comparable(left: t.SqlType, right: t.SqlType) -> None:
    """Refuses to compare what is never equal, or an error of the server, by its type alone.

    Raises:
        WrongType: Naming both types.
    """
    one, other = family_of(left), family_of(right)
    if one is not None and other is not None and one != other:
        raise WrongType(f"{left.name} is compared with {right.name}", hint="compare values of one kind")


def result_type(op: str, left: t.SqlType, right: t.SqlType) -> t.SqlType:
    """Gives the type of `left op right`.

    Raises:
        WrongType: There is no such operator for these types.
    """
    one, other = family_of(left), family_of(right)
    if one is None or other is None:
        return left
    if (one, op, other) not in _ARITHMETIC or isinstance(left, t.Enumeration):
        raise WrongType(f"there is no {left.name} {op} {right.name}", hint="compute it in Python and pass the result")
    return _ARITHMETIC[one, op, other] or _number(left, right)


def _number(left: t.SqlType, right: t.SqlType) -> t.SqlType:
    kinds = {type(left), type(right)}
    if {t.Float, t.Numeric} <= kinds:
        raise WrongType("a float and a Decimal have no common type", hint="convert one of them: Decimal(str(value))")
    if t.Numeric in kinds:
        return t.NUMERIC
    # the sum of two 32-bit numbers need not fit 32 bits
    return t.FLOAT if t.Float in kinds else t.BIG_INTEGER
