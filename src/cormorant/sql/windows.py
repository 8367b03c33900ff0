"""Window functions: values computed for each row from the rows around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, overload

from cormorant._internal.narrowing import is_tuple
from cormorant.errors import QueryError, WrongType
from cormorant.sql import types as t
from cormorant.sql.arguments import expression, keys_of, orders_of, several, whole
from cormorant.sql.calls import Function
from cormorant.sql.conversions import unlimited
from cormorant.sql.expr import OPERATORS, Bind, Binds, Expr, Key, Order, comparable, gather
from cormorant.sql.folds import Aggregate
from cormorant.sql.formulas import Formula
from cormorant.sql.operators import kind_of

T = TypeVar("T")


class WindowFunction(Aggregate):
    """A function that has a meaning in a window only."""

    __slots__ = ()

    def __init__(self, name: str, args: tuple[Expr[Any], ...], type_: t.SqlType, *, nullable: bool = False) -> None:
        super().__init__(name, args, type_, nullable=nullable)
        # it folds nothing: a query of it still gives every row
        self.aggregate: bool = False
        self.key: Key = ("window function", self.key)


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows around a row that its window function looks at.

    Args:
        mode: What the offsets count.
        start: The beginning: an offset, or None for the partition's.
        end: The end, or None for the partition's.
        directions: For each of them whether the offset goes back (-1) or forth (1), or is none (0).
    """

    mode: str
    start: Bind | None
    end: Bind | None
    directions: tuple[int, int]

    @property
    def key(self) -> Key:
        """The frame's shape."""
        return (self.mode, self.directions, *(None if side is None else side.key for side in (self.start, self.end)))

    @property
    def binds(self) -> Binds:
        """The offsets; the present row is none."""
        sides = zip((self.start, self.end), self.directions, strict=True)
        return tuple(side for side, direction in sides if side is not None and direction)


class Over(Expr[Any]):
    """A function with its window.

    Args:
        function: An aggregate or a window function.
        partition_by: Only rows that agree in these count.
        order_by: The order inside a partition.
        frame: The rows around the row; the database's own if not given.
    """

    __slots__ = ("frame", "function", "order_by", "partition_by")

    def __init__(
        self,
        function: Function,
        partition_by: tuple[Expr[Any], ...],
        order_by: tuple[Order, ...],
        frame: Frame | None = None,
    ) -> None:
        self.function: Function = function
        self.partition_by: tuple[Expr[Any], ...] = partition_by
        self.order_by: tuple[Order, ...] = order_by
        self.frame: Frame | None = frame
        self.type: t.SqlType = function.type
        keys = (*(part.key for part in partition_by), "order", *(order.key for order in order_by))
        self.key: Key = ("over", function.key, *keys, frame and frame.key)
        self.binds: Binds = gather(self.children)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        # not the function itself: in a window it folds no rows
        orders = (order.expr for order in self.order_by)
        return (*self.function.children, *self.partition_by, *orders, *(self.frame.binds if self.frame else ()))

    @property
    def nullable(self) -> bool:
        return self.function.nullable

    def __repr__(self) -> str:
        return f"{self.function!r}.over(...)"


class Windows:
    """`func.row_number`, `func.lag` and the like: each needs `.over(...)`."""

    def row_number(self) -> Expr[int]:
        """The row's number in its partition, from 1.

        Example:
            >>> func.row_number().over(partition_by=[Article.author], order_by=[Article.views.desc()])
            ... # row_number() OVER (PARTITION BY "articles"."author_id" ORDER BY "articles"."views" DESC)
        """
        return WindowFunction("row_number", (), t.BIG_INTEGER)

    def rank(self) -> Expr[int]:
        """The row's place in the order: equal rows have one place, and leave the next ones out."""
        return WindowFunction("rank", (), t.BIG_INTEGER)

    def dense_rank(self) -> Expr[int]:
        """The row's place in the order: equal rows have one place, and the next row has the next."""
        return WindowFunction("dense_rank", (), t.BIG_INTEGER)

    def percent_rank(self) -> Expr[float]:
        """The row's rank as a part of all others, from 0 to 1."""
        return WindowFunction("percent_rank", (), t.FLOAT)

    def cume_dist(self) -> Expr[float]:
        """The part of the rows that are not after this one, up to 1."""
        return WindowFunction("cume_dist", (), t.FLOAT)

    def ntile(self, buckets: int) -> Expr[int]:
        """The row's bucket, of so many of nearly one size, from 1."""
        return WindowFunction("ntile", (whole("func.ntile()", buckets, least=1),), t.INTEGER)

    @overload
    def lag(self, expr: Expr[T], offset: int = 1) -> Expr[T | None]: ...
    @overload
    def lag(self, expr: Expr[T], offset: int = 1, *, default: T | Expr[T]) -> Expr[T]: ...
    def lag(self, expr: Any, offset: int = 1, *, default: Any = None) -> Any:
        """The value so many rows before this one; `default`, or NULL, where there is no such row."""
        return _neighbour("lag", expr, offset, default)

    @overload
    def lead(self, expr: Expr[T], offset: int = 1) -> Expr[T | None]: ...
    @overload
    def lead(self, expr: Expr[T], offset: int = 1, *, default: T | Expr[T]) -> Expr[T]: ...
    def lead(self, expr: Any, offset: int = 1, *, default: Any = None) -> Any:
        """The value so many rows after this one; `default`, or NULL, where there is no such row."""
        return _neighbour("lead", expr, offset, default)

    def first_value(self, expr: Expr[T]) -> Expr[T | None]:
        """The value in the first row of the frame; NULL where the frame is empty."""
        return _of_frame("first_value", expr)

    def last_value(self, expr: Expr[T]) -> Expr[T | None]:
        """The value in the last row of the frame, which by default ends with the present row and its equals."""
        return _of_frame("last_value", expr)

    def nth_value(self, expr: Expr[T], place: int) -> Expr[T | None]:
        """The value in a row of the frame, counted from 1; NULL where it has fewer."""
        return _of_frame("nth_value", expr, whole("func.nth_value()", place, least=1))


def _neighbour(name: str, expr: object, offset: object, default: object) -> Expr[Any]:
    part = expression(f"func.{name}()", expr)
    args: tuple[Expr[Any], ...] = (part, whole(f"func.{name}(offset)", offset, least=0))
    type_ = unlimited(part.type)
    if default is None:
        return WindowFunction(name, args, type_, nullable=True)
    other = comparable(part, default)
    return WindowFunction(name, (*args, other), type_, nullable=part.nullable or other.nullable)


def _of_frame(name: str, expr: object, *more: Expr[Any]) -> Expr[Any]:
    part = expression(f"func.{name}()", expr)
    return WindowFunction(name, (part, *more), unlimited(part.type), nullable=True)


# ------------------------------------------------------------------ .over(...)


def over(function: Expr[Any], partition_by: object, order_by: object, frames: Mapping[str, Any]) -> Expr[Any]:
    """Gives a function with its window.

    Raises:
        QueryError: It can have none, or not this one.
    """
    if not isinstance(function, Function):
        raise QueryError(f"{function!r} has no window", hint="aggregates and window functions have: func.sum(...)")
    if function.distinct or (isinstance(function, Aggregate) and function.order_by):
        raise QueryError(
            f"{function!r} with distinct or an order of its own has no window", hint="compute it in a subquery"
        )
    place = f"{function!r}.over"
    keys = keys_of(f"{place}(partition_by)", several(f"{place}(partition_by)", partition_by))
    orders = orders_of(f"{place}(order_by)", several(f"{place}(order_by)", order_by))
    given = [(mode, bounds) for mode, bounds in frames.items() if bounds is not None]
    if len(given) > 1:
        raise QueryError(f"{place}() has several frames", hint="give one of rows, range and groups")
    if not given:
        return Over(function, keys, orders)
    mode, bounds = given[0]
    frame = _frame(place, mode, bounds, orders)
    return Over(function, keys, _measured(orders) if mode == "RANGE" and frame.binds else orders, frame)


def _frame(place: str, mode: str, bounds: Any, orders: tuple[Order, ...]) -> Frame:
    what = f"{place}({mode.lower()}={bounds!r})"
    if not is_tuple(bounds) or len(bounds) != 2:
        raise WrongType(f"{what}: a frame is (from, to)", hint=f"{mode.lower()}=(-1, 1), or None for no end")
    if mode == "GROUPS" and not orders:
        raise QueryError(f"{what} has no groups without an order", hint="give order_by")
    type_ = _offset_type(what, orders) if mode == "RANGE" and any(bounds) else t.BIG_INTEGER
    start, end = (_offset(what, bound, type_) for bound in bounds)
    if start is not None and end is not None and start[0] > end[0]:
        raise QueryError(f"{what} ends before it begins", hint="the smaller offset first: (-1, 1)")
    return Frame(mode, start and start[1], end and end[1], (_direction(start), _direction(end)))


def _direction(side: tuple[Any, Bind] | None) -> int:
    if side is None or not side[0]:
        return 0
    return 1 if abs(side[0]) == side[0] else -1


def _offset(what: str, value: Any, type_: t.SqlType) -> tuple[Any, Bind] | None:
    """Gives an offset with its parameter, which has no sign."""
    if value is None:
        return None
    allowed = timedelta if isinstance(type_, t.Interval) else (int, float) if isinstance(type_, t.Float) else int
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise WrongType(f"{what}: {value!r} ({type(value).__name__}) is no offset")
    size: Any = abs(value)
    type_.check(size)
    return value, Bind(float(size) if isinstance(type_, t.Float) else size, type_)


def _offset_type(what: str, orders: tuple[Order, ...]) -> t.SqlType:
    if len(orders) != 1:
        raise QueryError(f"{what} measures along one order, not {len(orders)}", hint="give order_by one expression")
    expr = orders[0].expr
    found = _OFFSETS.get(kind_of(expr.type))
    if found is None:
        raise WrongType(
            f"{what}: {expr!r} is {expr.type.name}, along which nothing is measured",
            hint="order by an int, float, date or datetime; or count rows: rows=(-1, 1)",
        )
    return found


_OFFSETS: dict[str, t.SqlType] = {
    "integer": t.BIG_INTEGER,
    "float": t.FLOAT,
    "interval": t.INTERVAL,
    "date": t.INTERVAL,
    "datetime": t.INTERVAL,
}


def _measured(orders: tuple[Order, ...]) -> tuple[Order, ...]:
    """Gives an order along which offsets can be measured: moments are lengths of time since a fixed one."""
    order = orders[0]
    if kind_of(order.expr.type) not in ("date", "datetime"):
        return orders
    return (Order(Formula("measured", (order.expr,), t.INTERVAL), descending=order.descending, nulls=order.nulls),)


OPERATORS["over"] = over
