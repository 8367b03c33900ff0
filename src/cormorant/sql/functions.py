"""`func`: SQL functions with the types their values have in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cormorant.errors import UnknownName, suggest
from cormorant.sql.arguments import as_expr as as_expr
from cormorant.sql.calls import Function
from cormorant.sql.expr import Expr
from cormorant.sql.folds import Aggregate, Aggregates
from cormorant.sql.moments import Moments
from cormorant.sql.own_operators import returned
from cormorant.sql.texts import Texts
from cormorant.sql.values import Values
from cormorant.sql.windows import Windows

T = TypeVar("T")


class Functions(Aggregates, Values, Texts, Moments, Windows):
    """The functions both databases have, by name, and any other one through `call`.

    They mean the same on every database and give the same Python values.
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

    def call(
        self,
        name: str,
        *args: object,
        returns: type[T],
        aggregate: bool = False,
        distinct: bool = False,
        filter: Expr[bool | None] | None = None,
    ) -> Expr[T]:
        """Any other SQL function of the database.

        Args:
            name: The function's name, with its schema if need be.
            args: Expressions or plain values.
            returns: The Python class of its value.
            aggregate: It folds many rows into one value; `.over(...)` gives it a window.
            distinct: As an aggregate: over distinct values.
            filter: As an aggregate: over the rows that meet this condition.

        Raises:
            QueryError: That is no function's name.

        Example:
            >>> func.call("char_length", Author.name, returns=int)   # char_length("author"."name")
        """
        parts, type_ = tuple(map(as_expr, args)), returned(returns)
        if not aggregate and not distinct and filter is None:
            return Function(name, parts, type_, nullable=True)
        return Aggregate(name, parts, type_, distinct=distinct, where=filter, known=False)


func: Functions = Functions()
"""SQL functions by name: `func.count()`, `func.sum(Article.views)`, and any other one by `func.call(...)`."""
