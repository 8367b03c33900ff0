"""Functions, the developer's own SQL, and SELECTs inside expressions."""

from __future__ import annotations

import re
from typing import Any

from cormorant.errors import QueryError
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Binds, Expr, Key, gather
from cormorant.sql.selectable import SelectLike

# longer names are cut by PostgreSQL, which could make another function's name of them
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(?:\.[A-Za-z_][A-Za-z0-9_]{0,62})?")

_ONE_THING = re.compile(r'[\w."]+(?:\([^()]*\))?')


class Function(Expr[Any]):
    """A call of an SQL function.

    Args:
        name: The function's name, checked to be a plain identifier.
        args: Its arguments; none for an aggregate means `*`.
        type_: The type of its value.
        aggregate: It folds many rows into one value.
        nullable: Whether it can give NULL; None: when an argument can.
        distinct: An aggregate over distinct values.
    """

    __slots__ = ("_nullable", "aggregate", "args", "distinct", "name")

    def __init__(
        self,
        name: str,
        args: tuple[Expr[Any], ...],
        type_: t.SqlType,
        *,
        aggregate: bool = False,
        nullable: bool | None = None,
        distinct: bool = False,
    ) -> None:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:  # pyright: ignore[reportUnnecessaryIsInstance]
            shown = repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:100]}..."
            raise QueryError(f"{shown} is no function name", hint="use letters, digits, _ and one dot for a schema")
        self.name: str = name
        self.args: tuple[Expr[Any], ...] = args
        self.type = type_
        self.aggregate: bool = aggregate
        self._nullable = nullable
        self.distinct: bool = distinct
        self.key: Key = ("call", name, aggregate, distinct, nullable, type_.key, *(arg.key for arg in args))
        self.binds: Binds = gather(args)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return self.args

    @property
    def nullable(self) -> bool:
        return super().nullable if self._nullable is None else self._nullable

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class Fragment(Expr[Any]):
    """SQL text written by the developer, for defaults, checks and computed columns."""

    __slots__ = ("sql",)

    def __init__(self, sql: str, type_: t.SqlType = t.UNKNOWN) -> None:
        self.sql: str = sql
        self.type = type_
        self.key: Key = ("sql", sql, type_.key)
        self.binds: Binds = ()

    @property
    def nullable(self) -> bool:
        return True


def is_open(expr: Expr[Any]) -> bool:
    """Whether an expression is the developer's own SQL, and more than a name or a call: operators may be in it."""
    return isinstance(expr, Fragment) and _ONE_THING.fullmatch(expr.sql) is None


class Exists(Expr[bool]):
    """Whether a correlated SELECT gives a row.

    Args:
        select: The inner statement.
        links: Pairs of (column of the inner statement, expression of the outer one) that must be equal.
        nullable: A value that there may be none of.
    """

    __slots__ = ("_nullable", "links", "select")
    word = "exists"

    def __init__(
        self,
        select: SelectLike,
        links: tuple[tuple[Column[Any], Expr[Any]], ...] = (),
        *,
        type_: t.SqlType = t.BOOLEAN,
        nullable: bool = False,
    ) -> None:
        self.select: SelectLike = select
        self.links: tuple[tuple[Column[Any], Expr[Any]], ...] = links
        self.type = type_
        self._nullable = nullable
        pairs = ((inner.key, outer.key) for inner, outer in links)
        self.key: Key = (self.word, type_.key, nullable, select.key, *pairs)
        self.binds: Binds = select.binds + gather(tuple(outer for _, outer in links))

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return tuple(outer for _, outer in self.links)

    @property
    def nullable(self) -> bool:
        return self._nullable


class ScalarSelect(Exists):
    """The one value a correlated SELECT gives."""

    __slots__ = ()
    word = "scalar"
