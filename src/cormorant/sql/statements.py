"""Statements as frozen values. Reads carry their values in Bind nodes; writes name columns and get rows beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from cormorant.sql.columns import Assignment
from cormorant.sql.expr import Binds, Expr, Key, gather
from cormorant.sql.restrictions import Owner
from cormorant.sql.selects import Select
from cormorant.sql.sources import Source
from cormorant.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column's name with its type, as far as writing needs it."""

    name: str
    type: SqlType

    @property
    def key(self) -> tuple[str, str]:
        """The column in a cache key."""
        return (self.name, self.type.key)


InsertMode = Literal["row", "by_key", "ordinal", "ascending"]


@dataclass(frozen=True)
class Insert:
    """INSERT of one row, or of a batch that travels as one array for each column.

    Args:
        table: The table's name.
        columns: The columns given; none inserts defaults only.
        returning: The columns the server gives back.
        mode: "row": one row. The others take a batch, and say how returned rows find their objects: "by_key" by the
            key that was given, "ordinal" by the input's ordinal (MERGE ... RETURNING, PostgreSQL 17), "ascending" by
            sorting the keys that an identity made.
        skip_existing: A row whose unique values are there already is left out, and no error.
    """

    table: str
    columns: tuple[TypedColumn, ...]
    returning: tuple[TypedColumn, ...] = ()
    mode: InsertMode = "row"
    skip_existing: bool = False

    @cached_property
    def key(self) -> Key:
        """The statement's shape."""
        parts = (*_keys(self.columns), "give", *_keys(self.returning))
        return ("insert", self.mode, self.skip_existing, self.table, *parts)


@dataclass(frozen=True)
class Update:
    """UPDATE of rows found by key, one row or a batch.

    Args:
        assigned: The columns that get new values.
        matched: The columns a row is found by: its key, and its version where it has one.
        bumped: A version column that counts up.
        returning: The columns given back; a batch gives the row's ordinal before them.
        batch: The values travel as one array for each column: first `matched`, then `assigned`.
    """

    table: str
    assigned: tuple[TypedColumn, ...]
    matched: tuple[TypedColumn, ...]
    bumped: str | None = None
    returning: tuple[TypedColumn, ...] = ()
    batch: bool = False

    @cached_property
    def key(self) -> Key:
        """The statement's shape."""
        parts = (*_keys(self.assigned), "by", *_keys(self.matched), "give", *_keys(self.returning))
        return ("update", self.batch, self.table, self.bumped, *parts)


@dataclass(frozen=True)
class Delete:
    """DELETE of rows found by key, one row or a batch; gives the keys of the rows that were there."""

    table: str
    matched: tuple[TypedColumn, ...]
    batch: bool = False

    @cached_property
    def key(self) -> Key:
        """The statement's shape."""
        return ("delete", self.batch, self.table, *_keys(self.matched))


@dataclass(frozen=True)
class UpdateWhere:
    """UPDATE by conditions, with expressions as values."""

    source: Source
    table: str
    assignments: tuple[Assignment, ...]
    where: tuple[Expr[Any], ...]
    lifted: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """The statement's shape."""
        sets = tuple((item.column.name, item.value.key) for item in self.assignments)
        return ("update where", self.source.key, sets, tuple(expr.key for expr in self.where))

    @property
    def expressions(self) -> tuple[Expr[Any], ...]:
        """Every expression the statement is made of."""
        return (*(item.value for item in self.assignments), *self.where)

    @property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        return gather(self.expressions)


@dataclass(frozen=True)
class DeleteWhere:
    """DELETE by conditions."""

    source: Source
    table: str
    where: tuple[Expr[Any], ...]
    lifted: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """The statement's shape."""
        return ("delete where", self.source.key, tuple(expr.key for expr in self.where))

    @property
    def expressions(self) -> tuple[Expr[Any], ...]:
        """Every expression the statement is made of."""
        return self.where

    @property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        return gather(self.where)


Write: TypeAlias = Insert | Update | Delete
Statement: TypeAlias = Select | UpdateWhere | DeleteWhere | Write


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement's text, and how each of its parameters is encoded.

    Args:
        sql: The text, with numbered placeholders.
        types: The type of each parameter, by position.
        transforms: Functions applied to some parameters before their type's encoder, by position.
        sent: The value of each parameter of a query, by position.
        owners: Whose values come after the query's own: of conditions that every use of a table gets.
    """

    sql: str
    types: tuple[SqlType, ...]
    transforms: tuple[tuple[int, Callable[[Any], Any]], ...] = ()
    sent: Binds = ()
    owners: tuple[Owner, ...] = ()


def _keys(columns: tuple[TypedColumn, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(column.key for column in columns)
