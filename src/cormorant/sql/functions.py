"""`func`: SQL functions with the types their values have in Python."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from cormorant.errors import QueryError, UnknownName, suggest
from cormorant.sql import arithmetic as arithmetic
from cormorant.sql import types as t
from cormorant.sql.calls import Fragment, Function
from cormorant.sql.expr import Expr, is_expr, operand

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal)


class Functions:
    """The functions both databases have, by name, and any other one through `call`.

    Result types follow SQL: an aggregate over no rows is NULL, so `func.sum(x)` is typed as possibly None.
    """

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            known = [known for known in dir(type(self)) if not known.startswith("_")]
            raise UnknownName(
                f"func has no {name!r}",
                hint=f"use func.call({name!r}, ..., returns=int) for others; {suggest(name, known)}",
            )

    def count(self, what: object = None, *, distinct: bool = False) -> Expr[int]:
        """The number of rows, or of rows where `what` is not NULL.

        Args:
            what: An expression; a relation counts its key; nothing counts rows.
            distinct: Count different values only.
        """
        if what is None and distinct:
            raise QueryError("count(distinct=True) of nothing", hint="func.count(Author.name, distinct=True)")
        args = () if what is None else (as_expr(what),)
        return Function("count", args, t.BIG_INTEGER, aggregate=True, nullable=False, distinct=distinct)

    def sum(self, expr: Expr[N | None]) -> Expr[N | None]:
        """The sum, NULL over no rows; of whole numbers a whole number."""
        type_ = t.BIG_INTEGER if isinstance(expr.type, t.Integer) else _plain(expr.type)
        return Function("sum", (expr,), type_, aggregate=True, nullable=True)

    def avg(self, expr: Expr[float | None]) -> Expr[float | None]:
        """The mean, NULL over no rows; of whole numbers a float, of Decimals a Decimal."""
        type_ = t.NUMERIC if isinstance(expr.type, t.Numeric) else t.FLOAT
        return Function("avg", (expr,), type_, aggregate=True, nullable=True)

    def max(self, expr: Expr[T]) -> Expr[T | None]:
        """The largest value, NULL over no rows."""
        return Function("max", (expr,), _plain(expr.type), aggregate=True, nullable=True)

    def min(self, expr: Expr[T]) -> Expr[T | None]:
        """The smallest value, NULL over no rows."""
        return Function("min", (expr,), _plain(expr.type), aggregate=True, nullable=True)

    def lower(self, expr: Expr[T]) -> Expr[T]:
        """The text in lower case."""
        return Function("lower", (expr,), t.TEXT)

    def upper(self, expr: Expr[T]) -> Expr[T]:
        """The text in upper case."""
        return Function("upper", (expr,), t.TEXT)

    def length(self, expr: Expr[str | None]) -> Expr[int]:
        """The number of characters."""
        return Function("length", (expr,), t.INTEGER)

    def coalesce(self, expr: Expr[T | None], default: T | Expr[T]) -> Expr[T]:
        """The value, or `default` where it is NULL."""
        other = operand(expr, default)
        return Function("coalesce", (expr, other), _plain(expr.type), nullable=other.nullable)

    def abs(self, expr: Expr[N]) -> Expr[N]:
        """The absolute value."""
        return Function("abs", (expr,), _plain(expr.type))

    def now(self) -> Expr[datetime]:
        """The present moment: on PostgreSQL the start of the transaction."""
        return Function("now", (), t.DATETIME, nullable=False)

    def call(self, name: str, *args: object, returns: type[T]) -> Expr[T]:
        """Any other SQL function.

        Args:
            name: The function's name, with its schema if need be.
            args: Expressions or plain values.
            returns: The Python class of its value.

        Example:
            >>> func.call("char_length", Author.name, returns=int)   # char_length("author"."name")
        """
        type_ = t.type_of_class(returns) or t.UNKNOWN
        return Function(name, tuple(map(as_expr, args)), type_, nullable=True)


def as_expr(value: object) -> Expr[Any]:
    """Gives a value, a relation path or an expression as an expression."""
    if is_expr(value):
        return value
    key_column = getattr(value, "__key_column__", None)
    if key_column is not None:
        column: Expr[Any] = key_column()
        return column
    return operand(Fragment("?"), value)


def _plain(type_: t.SqlType) -> t.SqlType:
    # an aggregate of numeric(10, 2) is not limited to numeric(10, 2)
    return t.NUMERIC if isinstance(type_, t.Numeric) else type_


func: Functions = Functions()
"""SQL functions by name: `func.count()`, `func.sum(Article.views)`, and any other one by `func.call(...)`."""
