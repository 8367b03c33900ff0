"""Tables, constraints and indexes as frozen values, and the statements that make and drop them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Order
from cormorant.sql.types import SqlType

OnDelete: TypeAlias = Literal["restrict", "cascade", "set_null", "set_default", "no_action"]

OnUpdate: TypeAlias = Literal["no_action", "cascade"]


@dataclass(frozen=True, slots=True)
class ColumnDef:
    """A column of a table.

    Args:
        identity: The database numbers the rows.
        default: What the database writes when nothing is given.
        computed: The expression the database derives the value from, always stored.
        collation: How its texts are compared; the database's own way if None.
        comment: What the database says of it to people.
        fill: What rows that are there already get when the column is added or may no longer be NULL.
        renamed_from: The name it had before.
    """

    name: str
    type: SqlType
    nullable: bool = False
    identity: bool = False
    default: Expr[Any] | None = None
    computed: Expr[Any] | None = None
    collation: str | None = None
    comment: str | None = None
    fill: Expr[Any] | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKeyDef:
    """A reference from columns to another table's key.

    Args:
        deferrable: It looks at the end of the transaction.
    """

    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: OnDelete = "restrict"
    on_update: OnUpdate = "no_action"
    deferrable: bool = False


@dataclass(frozen=True, slots=True)
class UniqueDef:
    """A UNIQUE constraint.

    Args:
        deferrable: It looks at the end of the transaction, where the database can.
    """

    name: str
    columns: tuple[str, ...]
    deferrable: bool = False


@dataclass(frozen=True, slots=True)
class CheckDef:
    """A CHECK constraint."""

    name: str
    condition: Expr[bool]


@dataclass(frozen=True, slots=True)
class IndexDef:
    """An index over columns or expressions.

    Args:
        items: Expressions in order, each with a direction.
        where: Rows that are indexed; None for all.
        using: The access method; None for the usual one. A database without access methods has no such index.
        include: Columns that are kept with it and do not sort it.
        operator_classes: For each item how it is compared; None, or nothing, for the usual way.
    """

    name: str
    items: tuple[Order, ...]
    unique: bool = False
    where: Expr[bool] | None = None
    using: str | None = None
    include: tuple[str, ...] = ()
    operator_classes: tuple[str | None, ...] = ()


SearchEvent: TypeAlias = Literal["insert", "delete", "update"]


@dataclass(frozen=True, slots=True)
class SearchIndexDef:
    """An index over the words of texts.

    Args:
        columns: The columns searched together, in order.
        language: The language of the texts, or "simple".
    """

    name: str
    columns: tuple[Column[Any], ...]
    language: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with all that belongs to it.

    Args:
        comment: What the database says of it to people.
        renamed_from: The name it had before.
        retired: Columns that it has no more, and that may be dropped.
        app: The app that it belongs to.
        source_key: The key of the source its own expressions read from.
    """

    name: str
    columns: tuple[ColumnDef, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKeyDef, ...] = ()
    uniques: tuple[UniqueDef, ...] = ()
    checks: tuple[CheckDef, ...] = ()
    indexes: tuple[IndexDef, ...] = ()
    searches: tuple[SearchIndexDef, ...] = ()
    comment: str | None = None
    renamed_from: str | None = None
    retired: tuple[str, ...] = ()
    app: str | None = None
    source_key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CreateEnum:
    """CREATE TYPE ... AS ENUM, where the database has such types."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE TABLE with its constraints; foreign keys named in `deferred` are added afterwards."""

    table: Table
    deferred: tuple[ForeignKeyDef, ...] = ()


@dataclass(frozen=True, slots=True)
class AddForeignKey:
    """ALTER TABLE ... ADD FOREIGN KEY, for tables that point to each other."""

    table: str
    foreign_key: ForeignKeyDef


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """CREATE INDEX."""

    table: Table
    index: IndexDef


@dataclass(frozen=True, slots=True)
class Comment:
    """COMMENT ON a table, or on one of its columns."""

    table: str
    column: str | None
    text: str


@dataclass(frozen=True, slots=True)
class CreateSearchIndex:
    """The index of a full text search."""

    table: Table
    index: SearchIndexDef


@dataclass(frozen=True, slots=True)
class MaintainSearchIndex:
    """What keeps such an index in step with one kind of change, where the database does not by itself."""

    table: Table
    index: SearchIndexDef
    event: SearchEvent


@dataclass(frozen=True, slots=True)
class DropSearchIndex:
    """Drops such an index, where it would outlive its table."""

    name: str


@dataclass(frozen=True, slots=True)
class DropTable:
    """DROP TABLE IF EXISTS; `cascade` also drops the foreign keys that point to it."""

    name: str
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class DropEnum:
    """DROP TYPE IF EXISTS."""

    name: str


Operation: TypeAlias = (
    CreateEnum
    | CreateTable
    | AddForeignKey
    | CreateIndex
    | Comment
    | CreateSearchIndex
    | MaintainSearchIndex
    | DropSearchIndex
    | DropTable
    | DropEnum
)
