"""Operators by their own text, and equality that knows NULL."""

from __future__ import annotations

import re
from typing import Any

from cormorant._internal.secrets import about
from cormorant.errors import QueryError, WrongType, reworded
from cormorant.sql import types as t
from cormorant.sql.arguments import as_expr
from cormorant.sql.conversions import bound
from cormorant.sql.expr import OPERATORS, Bind, Binds, Expr, Key, comparable, is_expr
from cormorant.sql.nodes import IsNull

# PostgreSQL's operator characters; a quote, a letter or a semicolon is none of them, and -- and /* begin comments
_CHARACTERS = re.compile(r"(?!.*(?:--|/\*))[-+*/<>=~!@#%^&|`?]{1,63}")
_WORDS = frozenset(
    {
        "AT TIME ZONE",
        "GLOB",
        "ILIKE",
        "IS",
        "IS NOT",
        "LIKE",
        "MATCH",
        "NOT GLOB",
        "NOT ILIKE",
        "NOT LIKE",
        "NOT REGEXP",
        "NOT SIMILAR TO",
        "OVERLAPS",
        "REGEXP",
        "SIMILAR TO",
    }
)


class Op(Expr[Any]):
    """`left op right` with an operator of the database; whether it can be NULL, only the database knows.

    Args:
        op: The operator, checked.
    """

    __slots__ = ("left", "right", "sign")

    def __init__(self, op: str, left: Expr[Any], right: Expr[Any], type_: t.SqlType) -> None:
        self.sign: str = op
        self.left: Expr[Any] = left
        self.right: Expr[Any] = right
        self.type = type_
        self.key: Key = ("op", op, type_.key, left.key, right.key)
        self.binds: Binds = left.binds + right.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.left, self.right)

    @property
    def nullable(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"{self.left!r}.op({self.sign!r}, {self.right!r})"


class Distinctness(Expr[bool]):
    """IS DISTINCT FROM and IS NOT DISTINCT FROM."""

    __slots__ = ("left", "negated", "right")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, left: Expr[Any], right: Expr[Any], *, negated: bool) -> None:
        self.left: Expr[Any] = left
        self.right: Expr[Any] = right
        self.negated: bool = negated
        self.key: Key = ("same" if negated else "distinct", left.key, right.key)
        self.binds: Binds = left.binds + right.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.left, self.right)

    @property
    def nullable(self) -> bool:
        return False


def op(left: Expr[Any], operator: object, right: object, returns: Any) -> Expr[Any]:
    """Gives `left operator right`.

    Raises:
        QueryError: That is no operator.
        WrongType: The value is of no type that databases have.
    """
    return Op(_checked(operator), left, _other(left, right), returned(returns))


def _checked(operator: object) -> str:
    if isinstance(operator, str):
        if _CHARACTERS.fullmatch(operator):
            return operator
        word = " ".join(operator.split()).upper() if len(operator) < 50 and operator.isascii() else ""
        if word in _WORDS:
            return word
    shown = repr(operator) if len(repr(operator)) <= 60 else f"{repr(operator)[:60]}..."
    raise QueryError(
        f"{shown} is no operator",
        hint=f"use operator characters (->>, @@, &&), or one of {', '.join(sorted(_WORDS))}",
    )


def _other(left: Expr[Any], value: object) -> Expr[Any]:
    """Gives the right side: a value counts with its own class, and takes the type of `left` if it has none."""
    if value is None or is_expr(value) or hasattr(value, "__key_column__"):
        return as_expr(value)
    if type(t.type_of_value(value)) is not t.Unknown:
        return bound(value)
    try:
        left.type.check(value)
    except WrongType as error:
        raise reworded(error, about(f"{left!r}.op()", error.message), hint=error.hint) from None
    return Bind(value, left.type)


def returned(cls: Any) -> t.SqlType:
    """Gives the type of what the database's own operators and functions give.

    Raises:
        WrongType: `cls` is no class.
    """
    if not isinstance(cls, type):
        raise WrongType(f"returns={cls!r} is no class", hint="returns=int, bool, str, ...")
    return t.type_of_class(cls) or t.UNKNOWN


def distinct(left: Expr[Any], value: Any, *, negated: bool) -> Expr[bool]:
    """Gives whether two values differ, or, negated, are the same."""
    if value is None:
        return IsNull(left, negated=not negated)
    return Distinctness(left, comparable(left, value), negated=negated)


OPERATORS.update({"op": op, "distinct": distinct})
