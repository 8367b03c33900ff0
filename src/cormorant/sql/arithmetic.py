"""What `+ - * / // % **` make of numbers, texts and moments."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from cormorant.errors import WrongType
from cormorant.sql import types as t
from cormorant.sql.conversions import NUMBERS, converted, unlimited
from cormorant.sql.expr import OPERATORS, Bind, Expr, is_expr
from cormorant.sql.formulas import Formula
from cormorant.sql.nodes import Arithmetic
from cormorant.sql.operators import kind_of, typed_operand

_LIKE_NUMBERS = frozenset({"+", "-", "*"})
_MOMENTS = frozenset({"datetime", "date", "interval"})

# left, operator, right: the formula and the type it gives
_OF_MOMENTS: dict[tuple[str, str, str], tuple[str, t.SqlType]] = {
    ("datetime", "+", "interval"): ("moment plus interval", t.DATETIME),
    ("datetime", "-", "interval"): ("moment minus interval", t.DATETIME),
    ("datetime", "-", "datetime"): ("moment minus moment", t.INTERVAL),
    ("date", "+", "interval"): ("date plus interval", t.DATE),
    ("date", "-", "interval"): ("date minus interval", t.DATE),
    ("date", "-", "date"): ("date minus date", t.INTERVAL),
    ("interval", "*", "integer"): ("interval times", t.INTERVAL),
}

_NAMES = {"/": "divide", "//": "floor divide", "%": "modulo", "**": "power"}


def compute(op: str, left: Any, right: Any) -> Expr[Any]:
    """Gives `left op right`, one of which may be a plain value.

    Raises:
        WrongType: There is no such operator for these types.
    """
    if (moved := _moved_date(op, left, right)) is not None:
        return moved
    one = left if is_expr(left) else _beside(op, right, left)
    other = right if is_expr(right) else _beside(op, left, right)
    kinds = (kind_of(one.type), kind_of(other.type))
    if any(isinstance(side.type, t.Enumeration) for side in (one, other)):
        raise _nothing_for(op, one, other)
    if kinds == ("text", "text") and op == "+":
        return Arithmetic("||", one, other, t.TEXT)
    if op in _LIKE_NUMBERS and _is_open(one, other):
        own = other if isinstance(other.type, t.Custom) else one
        return Arithmetic(op, one, other, own.type)
    if NUMBERS.issuperset(kinds):
        return _of_numbers(op, one, other)
    return _of_moments(op, one, other, kinds)


def _is_open(one: Expr[Any], other: Expr[Any]) -> bool:
    """Whether the database must tell what comes of it: a type of the user's own stays one, whatever it is kept as."""
    return any(isinstance(side.type, (t.Custom, t.Unknown)) for side in (one, other))


def _nothing_for(op: str, one: Expr[Any], other: Expr[Any], hint: str | None = None) -> WrongType:
    return WrongType(
        f"{one!r} is {one.type.name} and {other!r} is {other.type.name}: there is no {op} for them",
        hint=hint or "compute it in Python and pass the result",
    )


# ------------------------------------------------------------------ a plain value beside an expression


def _beside(op: str, side: Expr[Any], value: Any) -> Bind:
    """Gives a plain value as it stands beside an expression; moments take intervals, and numbers other numbers."""
    if value is None:
        raise WrongType(f"{side!r} meets None, and nothing can be computed with it")
    kind = kind_of(side.type)
    if kind in _MOMENTS and (type_ := _moment_type(kind, value)) is not None:
        return Bind(*typed_operand(side, type_, value))
    if kind == "integer" and op == "*" and isinstance(value, timedelta):
        return Bind(*typed_operand(side, t.INTERVAL, value))
    type_ = unlimited(side.type)
    return Bind(*typed_operand(side, _number_type(value) if type(type_) is t.Integer else type_, value))


def _number_type(value: Any) -> t.SqlType:
    return t.FLOAT if isinstance(value, float) else t.NUMERIC if isinstance(value, Decimal) else t.BIG_INTEGER


def _moment_type(kind: str, value: Any) -> t.SqlType | None:
    if isinstance(value, timedelta):
        return t.INTERVAL
    if isinstance(value, datetime):
        return t.DATETIME if kind != "date" else None
    if isinstance(value, date):
        return t.DATE if kind != "datetime" else None
    return t.BIG_INTEGER if kind == "interval" and isinstance(value, int) else None


# ------------------------------------------------------------------ numbers


def _of_numbers(op: str, one: Expr[Any], other: Expr[Any]) -> Expr[Any]:
    kinds = {kind_of(one.type), kind_of(other.type)}
    if kinds == {"float", "numeric"}:
        raise WrongType(
            f"{one!r} and {other!r}: a float and a Decimal have no common type",
            hint="cast the one to the other: .cast(float), .cast(Decimal)",
        )
    if op in _LIKE_NUMBERS:
        type_ = t.NUMERIC if "numeric" in kinds else t.FLOAT if "float" in kinds else t.COMPUTED_INTEGER
        return Arithmetic(op, _widened(one, other) if kinds == {"integer"} else one, other, type_)
    whole = op in ("//", "%")
    if whole and "float" in kinds:
        raise _nothing_for(op, one, other, "use func.floor(a / b)")
    if op == "**" and "numeric" in kinds:
        raise _nothing_for(op, one, other, "its digits would not be exact: use .cast(float)")
    type_ = t.NUMERIC if "numeric" in kinds else t.COMPUTED_INTEGER if whole else t.FLOAT
    return Formula(_NAMES[op], (converted(one, type_), converted(other, type_)), type_)


def _widened(one: Expr[Any], other: Expr[Any]) -> Expr[Any]:
    """Gives the first of two whole numbers as one of 64 bits: what comes of two of 32 bits need not fit 32 bits."""
    if any(isinstance(side.type, t.Integer) and side.type.size == "big" for side in (one, other)):
        return one
    return converted_whole(one)


def converted_whole(expr: Expr[Any]) -> Expr[Any]:
    """Gives a whole number as one of 64 bits."""
    if isinstance(expr, Bind):
        return Bind(expr.value, t.BIG_INTEGER)
    if isinstance(expr.type, t.Integer) and expr.type.size == "big":
        return expr
    return Formula("widen", (expr,), t.BIG_INTEGER)


def of_one(name: str, expr: Expr[Any]) -> Expr[Any]:
    """Gives the negative or the absolute value of a number.

    Raises:
        WrongType: It is none.
    """
    kind = kind_of(expr.type)
    allowed = {*NUMBERS, "interval"} if name == "negative" else NUMBERS
    if kind not in allowed or isinstance(expr.type, t.Enumeration):
        raise WrongType(f"{expr!r} is {expr.type.name}, not a number", hint="compute with numbers")
    if kind == "integer" and name == "negative":
        return Formula(name, (converted_whole(expr),), t.COMPUTED_INTEGER)
    return Formula(name, (expr,), unlimited(expr.type))


# ------------------------------------------------------------------ moments


def _of_moments(op: str, one: Expr[Any], other: Expr[Any], kinds: tuple[str, str]) -> Expr[Any]:
    if op == "+" and kinds[0] == "interval" and kinds[1] in ("datetime", "date"):
        one, other, kinds = other, one, (kinds[1], kinds[0])
    if op == "*" and kinds == ("integer", "interval"):
        one, other, kinds = other, one, ("interval", "integer")
    if kinds == ("interval", "interval") and op in ("+", "-"):
        return Arithmetic(op, one, other, t.INTERVAL)
    found = _OF_MOMENTS.get((kinds[0], op, kinds[1]))
    if found is None:
        raise _nothing_for(op, one, other)
    name, type_ = found
    return Formula(name, (one, other), type_)


def _moved_date(op: str, left: Any, right: Any) -> Expr[Any] | None:
    """Gives a date that a plain length of time is added to, or taken from."""
    if op == "+" and isinstance(left, timedelta):
        left, right = right, left
    if op not in ("+", "-") or not isinstance(right, timedelta) or kind_of(left.type) != "date":
        return None
    return Formula("date plus days", (left, _days(op, left, right)), t.DATE)


def _days(op: str, side: Expr[Any], value: timedelta) -> Bind:
    if value % timedelta(days=1):
        raise WrongType(f"{side!r} is a date and moves by whole days, not by {value}", hint="use timedelta(days=...)")
    return Bind(value.days if op == "+" else -value.days, t.INTEGER)


OPERATORS.update({op: partial(compute, op) for op in ("+", "-", "*", "/", "//", "%", "**")})
OPERATORS.update({name: partial(of_one, name) for name in ("negative", "abs")})
