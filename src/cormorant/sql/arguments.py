"""What functions are given: expressions, plain values and relations, checked before they become SQL."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from cormorant._internal.narrowing import is_iterable
from cormorant._internal.secrets import about, beside
from cormorant.errors import WrongType, reworded
from cormorant.sql import types as t
from cormorant.sql.conversions import NUMBERS, bound
from cormorant.sql.expr import Bind, Expr, Order, is_expr
from cormorant.sql.nodes import Null
from cormorant.sql.operators import kind_of

TEXTS = frozenset({"text", "enum"})
DATES = frozenset({"date", "datetime"})
TIMES = frozenset({"time", "datetime"})

_WORDS = {
    TEXTS: "a text",
    NUMBERS: "a number",
    DATES: "a date or a moment",
    TIMES: "a time or a moment",
    frozenset({"boolean"}): "a condition",
}


def as_expr(value: object) -> Expr[Any]:
    """Gives a value, a relation path or an expression as an expression."""
    if is_expr(value):
        return value
    key_column = getattr(value, "__key_column__", None)
    if key_column is not None:
        column: Expr[Any] = key_column()
        return column
    type_ = t.type_of_value(value)
    if value is None or (type(type_) is t.Unknown and not isinstance(value, Enum)):
        # what it is there, only the database knows
        return Null() if value is None else Bind(value, type_)
    return bound(value)


def expression(place: str, value: object, kinds: frozenset[str] | None = None) -> Expr[Any]:
    """Gives an argument that must be an expression.

    Args:
        place: What takes it, for messages: "func.lower()".
        value: The argument.
        kinds: What it may be made of; None takes everything.

    Raises:
        WrongType: It is a plain value, or of another kind.
    """
    if not is_expr(value):
        key_column = getattr(value, "__key_column__", None)
        if key_column is None:
            raise WrongType(
                f"{place} takes an expression, not {beside(place, value)} ({type(value).__name__})",
                hint="read it from a model (Article.title), or make it one: literal(...)",
            )
        return as_expr(value)
    if kinds is not None and kind_of(value.type) not in (*kinds, "unknown"):
        wanted = _WORDS.get(kinds) or " or ".join(sorted(kinds))
        raise WrongType(f"{place} takes {wanted}, and {value!r} is {value.type.name}")
    return value


def text_argument(place: str, value: object) -> Expr[Any]:
    """Gives an argument that must be a text: an expression, or a plain one.

    Raises:
        WrongType: It is none, or holds what no database takes.
    """
    if not isinstance(value, str):
        return expression(place, value, TEXTS)
    try:
        t.TEXT.check(value)
    except WrongType as error:
        raise reworded(error, about(place, error.message), hint=error.hint) from None
    return Bind(value, t.TEXT)


def whole(place: str, value: object, *, least: int, most: int = 2_147_483_647) -> Bind:
    """Gives an argument that must be a plain whole number.

    Raises:
        WrongType: It is none, or too small, or too large.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise WrongType(f"{place} takes a whole number from {least} to {most}, not {value!r}")
    return Bind(value, t.INTEGER)


def several(place: str, values: object) -> list[Any]:
    """Gives an argument that must be a list of columns, expressions or orders.

    Raises:
        WrongType: It is one of them alone, or a text.
    """
    if is_expr(values) or isinstance(values, (Order, str)) or not is_iterable(values) or hasattr(values, "__info__"):
        raise WrongType(f"{place} takes a list, not {beside(place, values)}", hint="put it in one: [Article.author]")
    return list(values)


def keys_of(place: str, values: Iterable[Any]) -> tuple[Expr[Any], ...]:
    """Gives columns, expressions and relations as expressions; a relation gives every column of its key."""
    found: list[Expr[Any]] = []
    for value in values:
        columns = None if is_expr(value) else getattr(value, "__key_columns__", None)
        if columns is not None:
            found += columns()
        else:
            found.append(expression(place, value))
    return tuple(found)


def orders_of(place: str, values: Iterable[Any]) -> tuple[Order, ...]:
    """Gives columns, expressions, relations and orders as orders."""
    found: list[Order] = []
    for value in values:
        if isinstance(value, Order):
            found.append(value)
        else:
            found += [Order(key, descending=False) for key in keys_of(place, (value,))]
    return tuple(found)
