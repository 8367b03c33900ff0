"""What else is made of an expression: values of other types, the database's own operators, windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, overload
from uuid import UUID

from typing_extensions import TypeVar

from cormorant.sql.operand import OPERATORS

if TYPE_CHECKING:
    from cormorant.sql.expr import Expr, Order

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Scalar: TypeAlias = str | int | float | Decimal | bool | bytes | date | time | timedelta | UUID | Enum
"""A value that is one: no list, no document."""
Offset: TypeAlias = int | float | timedelta | None
"""How far from the present row a frame goes; None has no end."""


class Derived(Generic[T_co]):
    """Casts, operators by their text, and windows."""

    __slots__ = ()

    @overload
    def cast(self: Derived[Scalar], type_: type[T]) -> Expr[T]: ...
    @overload
    def cast(self: Derived[Scalar | None], type_: type[T]) -> Expr[T | None]: ...
    def cast(self: Derived[Any], type_: type[T]) -> Expr[T | None]:
        """The value as one of another class: str, int, float, Decimal, bool, date, time, datetime or UUID.

        Numbers are cut towards zero by `int`, as in Python; texts must hold a value of the class.

        Raises:
            WrongType: There is no way from the one to the other.
            DataError: When the query runs: a text holds no such value, or a number does not fit.

        Example:
            >>> Article.title.cast(int)                    # CAST("articles"."title" AS bigint)
        """
        return OPERATORS["cast"](self, type_)

    def op(self, operator: str, other: Any, *, returns: type[T]) -> Expr[T]:
        """Any other operator of the database.

        Args:
            operator: Its characters, or a word like IS, SIMILAR TO, MATCH or AT TIME ZONE.
            other: A value or an expression.
            returns: The class of what it gives.

        Raises:
            QueryError: That is no operator.

        Example:
            >>> Article.title.op("@@", "note", returns=bool)   # "articles"."title" @@ $1::text
        """
        return OPERATORS["op"](self, operator, other, returns)

    def over(
        self,
        *,
        partition_by: Sequence[Expr[Any] | type[Any]] = (),
        order_by: Sequence[Expr[Any] | Order | type[Any]] = (),
        rows: tuple[int | None, int | None] | None = None,
        range: tuple[Offset, Offset] | None = None,
        groups: tuple[int | None, int | None] | None = None,
    ) -> Expr[T_co]:
        """The aggregate or window function computed for each row, over the rows around it.

        Args:
            partition_by: Only rows that agree in these count; relations stand for their keys.
            order_by: The order inside a partition.
            rows: The frame, from and to: so many rows after the present one, before it if negative; None has no end.
            range: The frame by value: of one number or moment in `order_by`, so much more or less.
            groups: The frame in groups of rows that are equal in `order_by`.

        Raises:
            QueryError: It is no function that can have a window, or the frame is none.

        Example:
            >>> func.sum(Article.views).over(partition_by=[Article.author], order_by=[Article.id], rows=(-2, 0))
            ... # sum("articles"."views") OVER (PARTITION BY "articles"."author_id" ORDER BY "articles"."id"
            ... #   ROWS BETWEEN $1 PRECEDING AND CURRENT ROW)::bigint
        """
        return OPERATORS["over"](self, partition_by, order_by, {"ROWS": rows, "RANGE": range, "GROUPS": groups})
