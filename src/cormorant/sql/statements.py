"""Statements as frozen values. Reads carry their values in Bind nodes; writes name columns and get rows beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from cormorant.sql.columns import Assignment
from cormorant.sql.expr import Bind, Binds, Expr, Key, gather
from cormorant.sql.restrictions import Owner
from cormorant.sql.selectable import SelectLike
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
        silent: Nothing is given back.
    """

    table: str
    assigned: tuple[TypedColumn, ...]
    matched: tuple[TypedColumn, ...]
    bumped: str | None = None
    returning: tuple[TypedColumn, ...] = ()
    batch: bool = False
    silent: bool = False

    @cached_property
    def key(self) -> Key:
        """The statement's shape."""
        parts = (*_keys(self.assigned), "by", *_keys(self.matched), "give", *_keys(self.returning))
        return ("update", self.batch, self.silent, self.table, self.bumped, *parts)


@dataclass(frozen=True)
class Delete:
    """DELETE of rows found by key, one row or a batch; gives the keys of the rows that were there.

    Args:
        silent: Nothing is given back.
    """

    table: str
    matched: tuple[TypedColumn, ...]
    batch: bool = False
    silent: bool = False

    @cached_property
    def key(self) -> Key:
        """The statement's shape."""
        return ("delete", self.batch, self.silent, self.table, *_keys(self.matched))


@dataclass(frozen=True)
class UpdateWhere:
    """UPDATE by conditions, with expressions as values.

    Args:
        returning: What the changed rows give back.
    """

    source: Source
    table: str
    assignments: tuple[Assignment, ...]
    where: tuple[Expr[Any], ...]
    returning: tuple[Expr[Any], ...] = ()
    lifted: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """The statement's shape."""
        sets = tuple((item.column.name, item.value.key) for item in self.assignments)
        return ("update where", self.source.key, sets, _keys_of(self.where), _keys_of(self.returning))

    @property
    def expressions(self) -> tuple[Expr[Any], ...]:
        """Every expression the statement is made of."""
        return (*(item.value for item in self.assignments), *self.where, *self.returning)

    @property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        return gather(self.expressions)


@dataclass(frozen=True)
class DeleteWhere:
    """DELETE by conditions.

    Args:
        returning: What the deleted rows give back.
    """

    source: Source
    table: str
    where: tuple[Expr[Any], ...]
    returning: tuple[Expr[Any], ...] = ()
    lifted: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """The statement's shape."""
        return ("delete where", self.source.key, _keys_of(self.where), _keys_of(self.returning))

    @property
    def expressions(self) -> tuple[Expr[Any], ...]:
        """Every expression the statement is made of."""
        return (*self.where, *self.returning)

    @property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        return gather(self.expressions)


@dataclass(frozen=True)
class Upsert:
    """INSERT of a batch whose rows change the row that has their key already, where there is one.

    The values of the expressions come first among the parameters, then those of the rows.

    Args:
        source: The table, as the expressions name it.
        columns: The columns given.
        on: The names of the columns whose values tell that a row is there.
        on_where: The condition of the unique index over them, if it has one.
        assignments: What a row that is there gets; nothing leaves it as it is.
        where: Which rows that are there are changed.
        returning: The columns of the rows that were inserted or changed.
        lifted: The default scopes that do not apply to rows that are there.
    """

    source: Source
    table: str
    columns: tuple[TypedColumn, ...]
    on: tuple[str, ...]
    on_where: Expr[Any] | None = None
    assignments: tuple[Assignment, ...] = ()
    where: tuple[Expr[Any], ...] = ()
    returning: tuple[TypedColumn, ...] = ()
    lifted: frozenset[str] = frozenset()

    @cached_property
    def key(self) -> Key:
        """The statement's shape, with which of its values are one and the same."""
        sets = tuple((item.column.name, item.value.key) for item in self.assignments)
        parts = (*_keys(self.columns), "give", *_keys(self.returning))
        index = None if self.on_where is None else self.on_where.key
        where = (_keys_of(self.where), self.lifted)
        return ("upsert", self.source.key, self.on, index, sets, where, _shared(self.binds), *parts)

    @cached_property
    def binds(self) -> Binds:
        """The values of the expressions, in the order of the parts."""
        return gather((*(item.value for item in self.assignments), *self.where))


@dataclass(frozen=True)
class InsertSelect:
    """INSERT of what a SELECT gives.

    Args:
        columns: The columns that the SELECT's columns go to, in its order.
        added: Columns that get the same value in every row.
        source: The table, as `returning` names it.
        returning: What the new rows give back.
    """

    table: str
    columns: tuple[TypedColumn, ...]
    select: SelectLike
    added: tuple[Assignment, ...] = ()
    source: Source | None = None
    returning: tuple[Expr[Any], ...] = ()

    @cached_property
    def key(self) -> Key:
        """The statement's shape, with which of its values are one and the same."""
        added = tuple((item.column.name, item.value.key) for item in self.added)
        parts = (added, _shared(self.binds), _keys_of(self.returning), *_keys(self.columns))
        return ("insert select", self.table, self.select.key, *parts)

    @cached_property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        return self.select.binds + gather((*(item.value for item in self.added), *self.returning))


Write: TypeAlias = Insert | Update | Delete | Upsert | InsertSelect
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


def _shared(binds: Binds) -> tuple[int, ...]:
    """Tells which values are one and the same, and are sent once."""
    first: dict[Bind, int] = {}
    return tuple(first.setdefault(bind, len(first)) for bind in binds)


def _keys_of(expressions: tuple[Expr[Any], ...]) -> tuple[Key, ...]:
    return tuple(expr.key for expr in expressions)
