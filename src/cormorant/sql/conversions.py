"""Values of one type made values of another: casts, and what the branches of an expression have in common."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, TypeVar

from cormorant.errors import WrongType
from cormorant.sql import types as t
from cormorant.sql.expr import OPERATORS, Bind, Expr, is_expr
from cormorant.sql.formulas import Formula
from cormorant.sql.json_values import JSON
from cormorant.sql.nodes import Null
from cormorant.sql.operators import kind_of, typed_operand

T = TypeVar("T")

NUMBERS = frozenset({"integer", "float", "numeric"})

# what a value of each kind can be made; every dialect has a formula for each
CASTS: dict[str, frozenset[str]] = {
    "integer": frozenset({"integer", "float", "numeric", "boolean", "text"}),
    "float": frozenset({"integer", "numeric", "text"}),
    "numeric": frozenset({"integer", "float", "boolean", "text"}),
    "boolean": frozenset({"integer", "float", "numeric", "text"}),
    "text": frozenset({"integer", "float", "numeric", "boolean", "date", "time", "datetime", "uuid"}),
    "enum": frozenset({"text"}),
    "date": frozenset({"datetime", "text"}),
    "time": frozenset({"text"}),
    "datetime": frozenset({"date", "time", "text"}),
    "uuid": frozenset({"text"}),
}


def literal(value: T) -> Expr[T]:
    """Gives a plain value as an expression: to select it, to compute with it, to pass it to a function.

    Args:
        value: A number, text, bool, bytes, date, time, datetime, timedelta, UUID, member of an Enum, or None.

    Raises:
        WrongType: The value is of another class, or one that no database can hold.

    Example:
        >>> session.query(Article).values(Article.title, literal("article"))   # SELECT "articles"."title", $1::text
    """
    if value is None:
        return Null()  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
    # a whole number may be compared with larger ones
    bind = bound(value)
    return Bind(bind.value, t.BIG_INTEGER) if isinstance(bind.type, t.Integer) else bind


def bound(value: Any) -> Bind:
    """Gives a plain value as a parameter of the type it stands for."""
    type_ = t.type_of_value(value)
    if isinstance(value, enum.Enum):
        type_ = t.Enumeration(type(value), None, all(type(member.value) is int for member in type(value)))
    if type(type_) is t.Unknown:
        raise WrongType(
            f"{value!r} ({type(value).__name__}) is no value of a type that databases have",
            hint="pass numbers, texts, bytes, dates, UUIDs or members of an Enum",
        )
    type_.check(value)
    return Bind(value, type_)


def converted(expr: Expr[Any], type_: t.SqlType) -> Expr[Any]:
    """Gives a number as one of another type; a value is sent as one, everything else is converted there."""
    kind = kind_of(type_)
    if isinstance(expr, Null) or kind_of(expr.type) in (kind, "unknown"):
        return expr
    if isinstance(expr, Bind):
        return Bind(float(expr.value) if kind == "float" else expr.value, type_)
    return Formula(f"cast to {kind}", (expr,), type_)


def cast(expr: Expr[Any], type_: type[Any]) -> Expr[Any]:
    """Gives an expression as a value of another Python class.

    Raises:
        WrongType: There is no way from the one to the other.
    """
    target = t.type_of_class(type_) if isinstance(type_, type) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if target is None:
        raise WrongType(f"cast({type_!r}): no type of the database", hint="use str, int, float, Decimal, bool, date...")
    source, kind = kind_of(expr.type), kind_of(target)
    if type(expr.type) is type(target) and source != "integer":
        return expr
    if source not in ("unknown", kind) and kind not in CASTS.get(source, ()):
        raise WrongType(
            f"{expr!r} is {expr.type.name} and cannot be cast to {type_.__name__}", hint="load it and convert it there"
        )
    return Formula(f"cast to {kind}", (expr,), target, nullable=True if source == "unknown" else None)


def unlimited(type_: t.SqlType) -> t.SqlType:
    """Gives a type without its column's limits: a sum of numeric(10, 2) may have more digits."""
    if isinstance(type_, t.Numeric):
        return t.NUMERIC
    if isinstance(type_, t.Literals) and type_.integers:
        return t.BIG_INTEGER
    return t.TEXT if isinstance(type_, (t.Text, t.Literals)) else type_


def common(place: str, parts: Iterable[Any]) -> tuple[tuple[Expr[Any], ...], t.SqlType]:
    """Gives values and expressions that stand for one another as expressions of one type, and that type.

    Args:
        place: What they are parts of, for messages.
        parts: Plain values, expressions and None.

    Raises:
        WrongType: They have no type in common.
    """
    items = tuple(parts)
    exprs = [item for item in items if is_expr(item) and not isinstance(item, Null)]
    values = [item for item in items if item is not None and not is_expr(item)]
    type_ = _common_type(place, exprs, values)
    return tuple(_as(place, item, type_) for item in items), type_


def _as(place: str, item: Any, type_: t.SqlType) -> Expr[Any]:
    if item is None:
        return Null()
    if is_expr(item):
        return converted(item, type_) if kind_of(type_) in NUMBERS and not isinstance(type_, t.Custom) else item
    return Bind(*typed_operand(_Place(place), type_, item))


class _Place(str):
    """A place as messages name it."""

    __slots__ = ()
    __repr__ = str.__str__


def _common_type(place: str, exprs: list[Expr[Any]], values: list[Any]) -> t.SqlType:
    known = [unlimited(expr.type) for expr in exprs if type(expr.type) is not t.Unknown]
    # a value takes the type of an expression; alone, or among numbers, it counts with its own
    if not known or (kind_of(known[0]) in NUMBERS and not isinstance(known[0], (t.Custom, t.Enumeration))):
        known += [unlimited(bound(value).type) for value in values]
    if not known:
        if exprs:
            return t.UNKNOWN
        raise WrongType(f"{place} has no value but None", hint="give it one that is not None")
    found = known[0]
    for other in known[1:]:
        found = _wider(place, found, other)
    return found


def _wider(place: str, one: t.SqlType, other: t.SqlType) -> t.SqlType:
    if one.key == other.key:
        return other if isinstance(other, t.Integer) and other.computed else one
    kinds = {kind_of(one), kind_of(other)}
    own = any(isinstance(type_, (t.Custom, t.Enumeration)) for type_ in (one, other))
    if not own and kinds <= NUMBERS and kinds != {"float", "numeric"}:
        return t.NUMERIC if "numeric" in kinds else t.FLOAT if "float" in kinds else t.COMPUTED_INTEGER
    if not own and kinds == {"text"}:
        return t.TEXT
    if not own and kinds == {"json"}:
        # a document of one Python type or of the other is read as what any document is
        return JSON
    raise WrongType(f"{place} mixes {one.name} and {other.name}", hint="cast the one to the other: .cast(...)")


OPERATORS["cast"] = cast
