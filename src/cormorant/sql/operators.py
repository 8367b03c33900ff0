"""What operators take and give, told by the types of both sides."""

from __future__ import annotations

from typing import Any

from cormorant._internal.narrowing import is_iterable
from cormorant._internal.secrets import about, beside
from cormorant.errors import WrongType, reworded
from cormorant.sql import types as t

# a value of exactly the class of such a column is compared as it is
PLAIN = frozenset({t.Integer, t.Float, t.Text, t.Boolean, t.DateTime, t.Date, t.Uuid})

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


def family_of(type_: t.SqlType) -> str | None:
    """Gives the name of the types a value can be compared with; None where anything goes."""
    if isinstance(type_, t.Enumeration):
        return f"enum {type_.native}" if type_.native else "number" if type_.integers else "text"
    if isinstance(type_, t.Literals):
        return "number" if type_.integers else "text"
    if isinstance(type_, t.Array):
        return f"array of {family_of(type_.item)}"
    return _FAMILIES.get(type(type_))


def kind_of(type_: t.SqlType) -> str:
    """Gives the name under which the dialects know a type: what its values are made of in the database."""
    if isinstance(type_, t.Custom):
        return kind_of(type_.base)
    if isinstance(type_, t.Enumeration):
        return "enum" if type_.native else "integer" if type_.integers else "text"
    if isinstance(type_, t.Literals):
        return "integer" if type_.integers else "text"
    return type_.name


def typed_operand(side: object, type_: t.SqlType, value: Any) -> tuple[Any, t.SqlType]:
    """Gives a plain value as it stands beside an expression of a type, and the type it has there.

    Args:
        side: The expression, for messages.
        type_: Its type.
        value: The value.

    Raises:
        WrongType: The value is not of that type.
    """
    if type(type_) is t.Unknown:
        return value, t.type_of_value(value)
    # a number is compared as it is: neither limited nor rounded to the digits of a column
    type_ = t.NUMERIC if isinstance(type_, t.Numeric) else type_
    try:
        type_.check(value)
    except WrongType as error:
        raise reworded(error, about(f"{side!r}", error.message), hint=error.hint) from None
    # a whole number would come back as one from a database without types
    return (float(value) if isinstance(type_, t.Float) and value is not None else value), type_


def are_whole_numbers(type_: t.SqlType, values: list[Any]) -> bool:
    """Whether all values are numbers that fit a column of whole ones."""
    if type(type_) is not t.Integer or set(map(type, values)) != {int}:
        return False
    low, high = type_.bounds
    return bool(low <= min(values) and max(values) <= high)


def check_comparable(sides: tuple[object, object], left: t.SqlType, right: t.SqlType) -> None:
    """Refuses to compare what is never equal, or an error of the server, by its type alone.

    Args:
        sides: The expressions, for messages.
        left: The type of the first.
        right: The type of the second.

    Raises:
        WrongType: Naming both types.
    """
    one, other = family_of(left), family_of(right)
    if one is not None and other is not None and one != other:
        raise WrongType(
            f"{sides[0]!r} is {left.name} and is compared with {sides[1]!r}, which is {right.name}",
            hint="compare values of one kind",
        )


def searched_text(side: object, type_: t.SqlType, value: Any) -> str:
    """Refuses a search for something that is no text, or in something that is none; `side` is named in messages."""
    if not isinstance(type_, (t.Text, t.Unknown, t.Literals)):
        raise WrongType(f"{side!r} is {type_.name}, and text can only be searched in text columns")
    if not isinstance(value, str):
        raise WrongType(about(f"{side!r}", f"{value!r} ({type(value).__name__}) is not a str"))
    try:
        t.TEXT.check(value)
    except WrongType as error:
        raise reworded(error, about(f"{side!r}", error.message), hint=error.hint) from None
    return value


def members(side: object, values: object) -> list[Any]:
    """Gives the values that `side.in_()` was given as a list.

    Raises:
        WrongType: They are no collection.
    """
    if isinstance(values, (str, bytes)):
        raise WrongType(
            f"{side!r}.in_({beside(repr(side), values)}) would test its characters", hint="put the value in a list"
        )
    if not is_iterable(values):
        raise WrongType(
            f"{side!r}.in_({beside(repr(side), values)}) has no collection of values", hint="put the value in a list"
        )
    return list(values)
