"""Aggregates: functions that fold many rows into one value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar, overload

from cormorant.errors import QueryError, WrongType
from cormorant.sql import types as t
from cormorant.sql.arguments import TEXTS, as_expr, expression, orders_of, several, text_argument
from cormorant.sql.calls import Function
from cormorant.sql.conversions import NUMBERS, unlimited
from cormorant.sql.expr import Binds, Expr, Key, Order, gather
from cormorant.sql.nodes import condition
from cormorant.sql.operators import kind_of
from cormorant.sql.sameness import alike

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal, timedelta)

_BOOLEANS = frozenset({"boolean"})
_SUMMED = frozenset({*NUMBERS, "interval"})


class Aggregate(Function):
    """An aggregate by the name that the dialects' tables have it under, or by its own.

    Args:
        name: Its name.
        args: Its arguments; none means `*`.
        type_: The type of its value.
        nullable: Whether it can give NULL.
        distinct: Over distinct values.
        where: Only the rows for which this holds count.
        order_by: The order in which rows are taken in.
        known: Each dialect has it under its own name; otherwise the name is the database's.
    """

    __slots__ = ("known", "order_by", "where")

    def __init__(
        self,
        name: str,
        args: tuple[Expr[Any], ...],
        type_: t.SqlType,
        *,
        nullable: bool = True,
        distinct: bool = False,
        where: Expr[bool | None] | None = None,
        order_by: tuple[Order, ...] = (),
        known: bool = True,
    ) -> None:
        super().__init__(name, args, type_, aggregate=True, nullable=nullable, distinct=distinct)
        self.where: Expr[Any] | None = None if where is None else condition(where)
        self.order_by: tuple[Order, ...] = order_by
        self.known: bool = known
        more = (None if self.where is None else self.where.key, *(order.key for order in order_by))
        self.key: Key = ("aggregate", known, len(args), len(order_by), self.key, *more)
        self.binds: Binds = gather(self.children)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        orders = tuple(order.expr for order in self.order_by)
        return (*self.args, *orders) if self.where is None else (*self.args, *orders, self.where)

    def __repr__(self) -> str:
        return f"func.{super().__repr__()}" if self.known else super().__repr__()


class Aggregates:
    """`func.count`, `func.sum` and the like.

    Each takes `filter=`, a condition: only the rows that meet it count. As in SQL, NULLs do not count, and an aggregate
    over no rows is NULL, so `func.sum(x)` is typed as possibly None.
    """

    def count(
        self, what: object = None, *, distinct: bool = False, filter: Expr[bool | None] | None = None
    ) -> Expr[int]:
        """The number of rows, or of rows where `what` is not NULL.

        Args:
            what: An expression; a relation counts its key; nothing counts rows.
            distinct: Count different values only.
            filter: Count only the rows that meet this condition.

        Example:
            >>> func.count(filter=Article.views > 3)        # count(*) FILTER (WHERE "articles"."views" > $1)
        """
        if what is None and distinct:
            raise QueryError("count(distinct=True) of nothing", hint="func.count(Author.name, distinct=True)")
        args = () if what is None else (as_expr(what),)
        return Aggregate("count", args, t.BIG_INTEGER, nullable=False, distinct=distinct, where=filter)

    def sum(
        self, expr: Expr[N | None], *, distinct: bool = False, filter: Expr[bool | None] | None = None
    ) -> Expr[N | None]:
        """The sum, NULL over no rows; of whole numbers a whole number."""
        part = expression("func.sum()", expr, _SUMMED)
        type_ = t.COMPUTED_INTEGER if kind_of(part.type) == "integer" else unlimited(part.type)
        return Aggregate("sum", (part,), type_, distinct=distinct, where=filter)

    @overload
    def avg(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
        self, expr: Expr[float | None], *, distinct: bool = False, filter: Expr[bool | None] | None = None
    ) -> Expr[float | None]: ...
    @overload
    def avg(
        self, expr: Expr[Decimal | None], *, distinct: bool = False, filter: Expr[bool | None] | None = None
    ) -> Expr[Decimal | None]: ...
    def avg(self, expr: Any, *, distinct: bool = False, filter: Expr[bool | None] | None = None) -> Any:
        """The mean, NULL over no rows; of whole numbers a float, of Decimals a Decimal."""
        part = expression("func.avg()", expr, NUMBERS)
        type_ = t.NUMERIC if kind_of(part.type) == "numeric" else t.FLOAT
        return Aggregate("avg", (part,), type_, distinct=distinct, where=filter)

    def max(self, expr: Expr[T], *, distinct: bool = False, filter: Expr[bool | None] | None = None) -> Expr[T | None]:
        """The largest value, NULL over no rows; `distinct` makes no difference."""
        return _extreme("max", expr, filter)

    def min(self, expr: Expr[T], *, distinct: bool = False, filter: Expr[bool | None] | None = None) -> Expr[T | None]:
        """The smallest value, NULL over no rows; `distinct` makes no difference."""
        return _extreme("min", expr, filter)

    def stddev(
        self, expr: Expr[float | Decimal | None], *, filter: Expr[bool | None] | None = None
    ) -> Expr[float | None]:
        """The standard deviation of a sample, NULL over fewer than two values."""
        return Aggregate("stddev", (expression("func.stddev()", expr, NUMBERS),), t.FLOAT, where=filter)

    def variance(
        self, expr: Expr[float | Decimal | None], *, filter: Expr[bool | None] | None = None
    ) -> Expr[float | None]:
        """The variance of a sample, NULL over fewer than two values."""
        return Aggregate("variance", (expression("func.variance()", expr, NUMBERS),), t.FLOAT, where=filter)

    def bool_and(self, expr: Expr[bool | None], *, filter: Expr[bool | None] | None = None) -> Expr[bool | None]:
        """Whether all are true, NULL over no rows."""
        return Aggregate("bool_and", (expression("func.bool_and()", expr, _BOOLEANS),), t.BOOLEAN, where=filter)

    def bool_or(self, expr: Expr[bool | None], *, filter: Expr[bool | None] | None = None) -> Expr[bool | None]:
        """Whether at least one is true, NULL over no rows."""
        return Aggregate("bool_or", (expression("func.bool_or()", expr, _BOOLEANS),), t.BOOLEAN, where=filter)

    def string_agg(
        self,
        expr: Expr[str | None],
        separator: str,
        *,
        order_by: Sequence[Expr[Any] | Order] = (),
        distinct: bool = False,
        filter: Expr[bool | None] | None = None,
    ) -> Expr[str | None]:
        """The texts in one, with the separator between them; NULL over no rows.

        Args:
            expr: The text.
            separator: What stands between two of them.
            order_by: The order of the texts, which is any without it.
            distinct: Each text once; the order can then only be that of the text itself.
            filter: Take only the rows that meet this condition.

        Example:
            >>> func.string_agg(Tag.name, ", ", order_by=[Tag.name])
            ... # string_agg("tag"."name", $1::text ORDER BY "tag"."name")
        """
        part = expression("func.string_agg()", expr, TEXTS)
        args = (part, text_argument("func.string_agg()", separator))
        orders = _orders("func.string_agg()", part, order_by, distinct=distinct)
        return Aggregate("string_agg", args, t.TEXT, distinct=distinct, where=filter, order_by=orders)

    def array_agg(
        self,
        expr: Expr[T],
        *,
        order_by: Sequence[Expr[Any] | Order] = (),
        distinct: bool = False,
        filter: Expr[bool | None] | None = None,
    ) -> Expr[list[T]]:
        """The values as a list, NULLs among them; the empty list over no rows.

        Args:
            expr: The value.
            order_by: The order of the list, which is any without it.
            distinct: Each value once; the order can then only be that of the value itself.
            filter: Take only the rows that meet this condition.

        Example:
            >>> func.array_agg(Tag.name, order_by=[Tag.name])
            ... # coalesce(array_agg("tag"."name" ORDER BY "tag"."name"), '{}')
        """
        part = expression("func.array_agg()", expr)
        if kind_of(part.type) in ("array", "unknown"):
            raise WrongType(f"func.array_agg() of {part!r}, which is {part.type.name}", hint="load the rows")
        type_ = t.Array(unlimited(part.type))
        orders = _orders("func.array_agg()", part, order_by, distinct=distinct)
        return Aggregate("array_agg", (part,), type_, nullable=False, distinct=distinct, where=filter, order_by=orders)


def _extreme(name: str, expr: object, where: Expr[bool | None] | None) -> Expr[Any]:
    part = expression(f"func.{name}()", expr)
    if kind_of(part.type) in ("json", "array"):
        raise WrongType(f"func.{name}() of {part!r}, which is {part.type.name} and has no order")
    return Aggregate(name, (part,), unlimited(part.type), where=where)


def _orders(place: str, part: Expr[Any], order_by: object, *, distinct: bool) -> tuple[Order, ...]:
    orders = orders_of(f"{place} order_by", several(f"{place} order_by", order_by))
    if not distinct:
        return orders
    if not all(alike(order.expr, part) for order in orders):
        raise QueryError(
            f"{place} of distinct values is ordered by another one, of which there may be several",
            hint=f"order by {part!r} itself",
        )
    # with its own parameters it would be another expression to the database
    return tuple(Order(part, descending=order.descending, nulls=order.nulls) for order in orders)
