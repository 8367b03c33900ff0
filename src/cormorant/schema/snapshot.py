"""A schema as frozen values: expressions are SQL text, types are in the words of `cormorant.schema.column_types`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from cormorant.errors import CompileError
from cormorant.schema.names import key_of

Action: TypeAlias = Literal["no_action", "restrict", "cascade", "set_null", "set_default"]
Deferrable: TypeAlias = Literal["immediate", "deferred"]
Identity: TypeAlias = Literal["by default", "always", "serial", "rowid"]


@dataclass(frozen=True, slots=True)
class ByDialect:
    """An expression that databases word differently.

    Args:
        texts: Pairs of a dialect's name and the expression's SQL there.
    """

    texts: tuple[tuple[str, str], ...]


Sql: TypeAlias = str | ByDialect
"""An expression: one text for every database, or one for each."""


def said(sql: Sql, dialect: str) -> str:
    """Gives an expression as one database words it.

    Raises:
        CompileError: It has no words for that database.
    """
    if isinstance(sql, str):
        return sql
    found = dict(sql.texts).get(dialect)
    if found is None:
        raise CompileError(
            f"an expression has words for {', '.join(name for name, _ in sql.texts)}, and none for {dialect}",
            hint="say it for that database too",
        )
    return found


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        default: What the database writes when nothing is given.
        identity: The database numbers the rows: "by default" and "always" as SQL has it, "serial" by a sequence beside
            the table, "rowid" as SQLite does by itself.
        computed: What the database derives the value from, always stored.
        fill: What rows get that are there already when the column is added, or may no longer be NULL; no part of the
            schema.
        renamed_from: The name it had before; no part of the schema.
    """

    name: str
    type: str
    nullable: bool = False
    default: Sql | None = None
    identity: Identity | None = None
    computed: Sql | None = None
    collation: str | None = None
    comment: str | None = None
    fill: Sql | None = field(default=None, compare=False)
    renamed_from: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """A primary key; its name is no part of what it says."""

    columns: tuple[str, ...]
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to the rows of `target`.

    Args:
        target: The other table's key, as `cormorant.schema.names` makes it.
        validated: False while rows from before may break it.
    """

    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: Action = "no_action"
    on_update: Action = "no_action"
    deferrable: Deferrable | None = None
    validated: bool = True


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique constraint.

    Args:
        nulls_distinct: False where two NULLs count as equal.
    """

    name: str
    columns: tuple[str, ...]
    deferrable: Deferrable | None = None
    nulls_distinct: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that every row meets.

    Args:
        validated: False while rows from before may break it.
    """

    name: str
    condition: Sql
    validated: bool = True


Constraint: TypeAlias = PrimaryKey | ForeignKey | Unique | Check


@dataclass(frozen=True, slots=True)
class IndexItem:
    """A column, or an expression, of an index."""

    column: str | None = None
    expression: Sql | None = None
    descending: bool = False
    nulls: Literal["first", "last"] | None = None
    operator_class: str | None = None
    collation: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Args:
        method: The access method; None for the usual one.
        where: The rows that are in it; None for all.
        include: Columns that are kept with it and do not sort it.
        nulls_distinct: False where two NULLs count as equal in a unique one.
    """

    name: str
    items: tuple[IndexItem, ...]
    unique: bool = False
    method: str | None = None
    where: Sql | None = None
    include: tuple[str, ...] = ()
    nulls_distinct: bool = True


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """The words of columns of text.

    Args:
        key: The column that numbers the rows, where there is one; SQLite finds rows by it.
    """

    name: str
    columns: tuple[str, ...]
    language: str = "simple"
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, as SQLite keeps its text; models declare none."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with all that belongs to it.

    Args:
        partitioned: By what PostgreSQL parts it, "RANGE (created)"; its partitions are no tables of their own here.
        triggers: What SQLite runs at changes.
        options: What SQLite has after the parentheses, "WITHOUT ROWID".
        renamed_from: The key it had before; no part of the schema.
        retired: Columns that models have no more, and that may be dropped; no part of the schema.
        app: The app whose models it is of; no part of the schema.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    indexes: tuple[Index, ...] = ()
    searches: tuple[SearchIndex, ...] = ()
    comment: str | None = None
    schema: str | None = None
    partitioned: str | None = None
    triggers: tuple[Trigger, ...] = ()
    options: str | None = None
    renamed_from: str | None = field(default=None, compare=False)
    retired: tuple[str, ...] = field(default=(), compare=False)
    app: str | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What stands for the table in operations."""
        return key_of(self.name, self.schema)

    def column(self, name: str) -> Column | None:
        """Gives a column by its name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All of its constraints."""
        key = () if self.primary_key is None else (self.primary_key,)
        return (*key, *self.uniques, *self.checks, *self.foreign_keys)


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum type of the database."""

    name: str
    labels: tuple[str, ...]
    schema: str | None = None

    @property
    def key(self) -> str:
        """What stands for the type in operations."""
        return key_of(self.name, self.schema)


@dataclass(frozen=True, slots=True)
class View:
    """A view; models declare none, and no difference is made of it."""

    name: str
    sql: str
    schema: str | None = None
    materialized: bool = False

    @property
    def key(self) -> str:
        """What stands for the view."""
        return key_of(self.name, self.schema)


@dataclass(frozen=True, slots=True)
class SchemaSnapshot:
    """A whole schema.

    Args:
        dialect: The database whose words it is in; None if it can be said in each.
        schemas: Schemas beside the default one.
        retired: Tables that models have no more, and that may be dropped; no part of the schema.
    """

    tables: tuple[Table, ...] = ()
    enums: tuple[Enum, ...] = ()
    views: tuple[View, ...] = ()
    schemas: tuple[str, ...] = ()
    dialect: str | None = None
    retired: tuple[str, ...] = field(default=(), compare=False)

    def table(self, key: str) -> Table | None:
        """Gives a table by its key, if there is one."""
        return next((table for table in self.tables if table.key == key), None)

    def enum(self, key: str) -> Enum | None:
        """Gives an enum type by its key, if there is one."""
        return next((enum for enum in self.enums if enum.key == key), None)

    def only(self, keys: Iterable[str]) -> SchemaSnapshot:
        """Gives the schema with no tables but these."""
        wanted = frozenset(keys)
        return replace(self, tables=tuple(table for table in self.tables if table.key in wanted))
