"""Tuples of expressions, compared as wholes: `(a, b) > (1, 2)` and `(a, b) IN (...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from typing_extensions import TypeIs

from cormorant._internal.narrowing import is_tuple, narrower
from cormorant._internal.secrets import beside
from cormorant.errors import QueryError, WrongType
from cormorant.sql import types as t
from cormorant.sql.arguments import expression
from cormorant.sql.expr import OPERATORS, Bind, Binds, Expr, Key, check_ordered, comparable, gather
from cormorant.sql.operators import members

T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")


class Row(Expr[Any]):
    """Several expressions as one."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Expr[Any], ...]) -> None:
        self.parts: tuple[Expr[Any], ...] = parts
        self.type: t.SqlType = t.RowType(tuple(part.type for part in parts))
        self.key: Key = ("row", *(part.key for part in parts))
        self.binds: Binds = gather(parts)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return self.parts

    def __repr__(self) -> str:
        return f"tuple_({', '.join(map(repr, self.parts))})"


is_row: Callable[[object], TypeIs[Row]] = narrower(Row)


class RowComparison(Expr[bool]):
    """A comparison of two tuples."""

    __slots__ = ("left", "right", "sign")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, sign: str, left: Row, right: Row) -> None:
        self.sign: str = sign
        self.left: Row = left
        self.right: Row = right
        self.key: Key = ("row", sign, left.key, right.key)
        self.binds: Binds = left.binds + right.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.left, self.right)


class RowIn(Expr[bool]):
    """Membership in a list of tuples, sent as one array for each of their places."""

    __slots__ = ("columns", "row")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, row: Row, columns: tuple[Bind, ...]) -> None:
        self.row: Row = row
        self.columns: tuple[Bind, ...] = columns
        self.key: Key = ("row in", row.key, *(column.key for column in columns))
        self.binds: Binds = row.binds + columns

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.row, *self.columns)


@overload
def tuple_(a: Expr[T1], b: Expr[T2], /) -> Expr[tuple[T1, T2]]: ...
@overload
def tuple_(a: Expr[T1], b: Expr[T2], c: Expr[T3], /) -> Expr[tuple[T1, T2, T3]]: ...
@overload
def tuple_(a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /) -> Expr[tuple[T1, T2, T3, T4]]: ...
@overload
def tuple_(
    a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /, *more: Expr[Any]
) -> Expr[tuple[T1, T2, T3, T4, *tuple[Any, ...]]]: ...
def tuple_(*parts: Expr[Any]) -> Expr[Any]:
    """Gives several expressions as one, to compare them with tuples: `== != < <= > >=`, `in_` and `not_in`.

    An order looks at the first place, then at the second where the first ones are equal, and so on. A tuple cannot be
    selected: select its parts.

    Raises:
        QueryError: There are fewer than two parts.

    Example:
        >>> tuple_(Seat.row, Seat.number).in_([(1, 2), (3, 4)])
        ... # ("seat"."row", "seat"."number") IN (SELECT * FROM unnest($1::integer[], $2::integer[]))
        >>> tuple_(Article.views, Article.id) < (3, 17)    # ("articles"."views", "articles"."id") < ($1, $2)
    """
    if len(parts) < 2:
        raise QueryError("a tuple has two parts or more", hint="compare a single expression as it is")
    return Row(tuple(expression("tuple_()", part) for part in parts))


def _row_operand(row: Row, value: Any) -> Row:
    """Gives what a tuple is compared with as a tuple of expressions."""
    if is_row(value):
        parts: tuple[Any, ...] = value.parts
    elif is_tuple(value):
        parts = value
    else:
        raise WrongType(
            f"{row!r} is compared with {beside(repr(row), value)}, which is no tuple", hint="compare it with (1, 2)"
        )
    if len(parts) != len(row.parts):
        raise WrongType(f"{row!r} has {len(row.parts)} parts and is compared with {len(parts)}")
    return Row(tuple(comparable(mine, other) for mine, other in zip(row.parts, parts, strict=True)))


def _compared(op: str, row: Row, value: Any) -> Expr[bool]:
    if op not in ("=", "<>"):
        for part in row.parts:
            check_ordered(part)
    return RowComparison(op, row, _row_operand(row, value))


def _among(row: Row, values: Any) -> Expr[bool]:
    rows = [_row_operand(row, item) for item in members(row, values)]
    if not all(isinstance(part, Bind) for item in rows for part in item.parts):
        raise WrongType(f"{row!r}.in_() takes tuples of plain values", hint="join comparisons of others with |")
    return RowIn(row, tuple(_column(part, [item.parts[i] for item in rows]) for i, part in enumerate(row.parts)))


def _column(part: Expr[Any], binds: list[Any]) -> Bind:
    """Gives the values of one place as an array."""
    if isinstance(part.type, (t.Array, t.Json)):
        raise WrongType(f"{part!r} is {part.type.name}, which no tuple in a list can hold", hint="use | and ==")
    item = t.NUMERIC if isinstance(part.type, t.Numeric) else part.type
    return Bind([bind.value for bind in binds], t.Array(binds[0].type if binds else item))


OPERATORS.update({"row compare": _compared, "row in": _among})
