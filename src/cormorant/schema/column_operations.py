"""Steps that change the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cormorant.dialects.base import Dialect
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.schema import column_types as types
from cormorant.schema import scripts
from cormorant.schema import snapshot as s
from cormorant.schema.names import quoted
from cormorant.schema.operations import Operation, need_alter


@dataclass(frozen=True, slots=True)
class AddColumn(Operation):
    """ADD COLUMN; rows that are there get its default, or what `column.fill` says."""

    table: str
    column: s.Column

    def statements(self, dialect: Dialect) -> list[str]:
        if not can_be_added(dialect, self.column):
            need_alter(dialect, self)
        table, name, column = quoted(dialect, self.table), dialect.quote(self.column.name), self.column
        made = [] if column.comment is None or not dialect.supports_comments else [self._comment(dialect)]
        if column.fill is None or column.default is not None or not dialect.supports_add_constraint:
            return [f"ALTER TABLE {table} ADD COLUMN {self._definition(dialect, column)}", *made]
        # the value that rows from before get is kept in the catalog: no row is written
        filled = self._definition(dialect, replace(column, default=column.fill))
        drop = f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"
        return [f"ALTER TABLE {table} ADD COLUMN {filled}", drop, *made]

    def _definition(self, dialect: Dialect, column: s.Column) -> str:
        return scripts.column(dialect, s.Table(self.table, (column,)), column)

    def _comment(self, dialect: Dialect) -> str:
        return scripts.comment(dialect, self.table, self.column.name, self.column.comment)

    def reverse(self) -> Operation:
        return DropColumn(self.table, self.column)

    def describe(self) -> str:
        null = "" if self.column.nullable else " not null"
        return f"add column {self.table}.{self.column.name} {self.column.type}{null}"

    @property
    def touched(self) -> str:
        return self.table


def can_be_added(dialect: Dialect, column: s.Column) -> bool:
    """Whether ADD COLUMN takes a column; SQLite's takes few."""
    if dialect.supports_add_constraint:
        return True
    default = None if column.default is None else s.said(column.default, dialect.name)
    if column.computed is not None or column.identity is not None or column.fill is not None:
        return False
    if default is None:
        return column.nullable
    return not (default.startswith("(") or default.upper().startswith("CURRENT"))


@dataclass(frozen=True, slots=True)
class DropColumn(Operation):
    """DROP COLUMN, with its values."""

    table: str
    column: s.Column

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        return [f"ALTER TABLE {quoted(dialect, self.table)} DROP COLUMN {dialect.quote(self.column.name)}"]

    def reverse(self) -> Operation:
        return AddColumn(self.table, self.column)

    def describe(self) -> str:
        return f"drop column {self.table}.{self.column.name} with its values"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class RenameColumn(Operation):
    """A column under another name."""

    table: str
    old: str
    new: str

    def statements(self, dialect: Dialect) -> list[str]:
        table = quoted(dialect, self.table)
        return [f"ALTER TABLE {table} RENAME COLUMN {dialect.quote(self.old)} TO {dialect.quote(self.new)}"]

    def reverse(self) -> Operation:
        return replace(self, old=self.new, new=self.old)

    def describe(self) -> str:
        return f"rename column {self.table}.{self.old} to {self.new}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class AlterColumn(Operation):
    """Another type, default, nullability, numbering, collation or comment of a column.

    Args:
        using: The expression that makes the new value of the old; a cast if None.
    """

    table: str
    before: s.Column
    after: s.Column
    using: s.Sql | None = None

    @property
    def retyped(self) -> bool:
        """Whether the type, or how texts are compared, is another one."""
        return (types.plain(self.before.type), self.before.collation) != (
            types.plain(self.after.type),
            self.after.collation,
        )

    @property
    def begins_to_compute(self) -> bool:
        """Whether the column becomes a computed one, which PostgreSQL can only have made anew."""
        return self.before.computed is None and self.after.computed is not None

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        if self.begins_to_compute:
            anew = (DropColumn(self.table, self.before), AddColumn(self.table, self.after))
            return [sql for step in anew for sql in step.statements(dialect)]
        made = [*self._numbering_ends(), *self._type(dialect), *self._null(dialect), *self._default(dialect)]
        prefix = f"ALTER TABLE {quoted(dialect, self.table)} ALTER COLUMN {dialect.quote(self.after.name)} "
        said = [*self._fill(dialect), *(prefix + each for each in made), *self._numbering_begins(dialect, prefix)]
        if self.before.comment != self.after.comment and dialect.supports_comments:
            said.append(scripts.comment(dialect, self.table, self.after.name, self.after.comment))
        return said

    def _fill(self, dialect: Dialect) -> list[str]:
        after = self.after
        if not self.before.nullable or after.nullable or after.fill is None or self.retyped:
            return []
        table, name = quoted(dialect, self.table), dialect.quote(after.name)
        return [f"UPDATE {table} SET {name} = {s.said(after.fill, dialect.name)} WHERE {name} IS NULL"]

    def _type(self, dialect: Dialect) -> list[str]:
        if not self.retyped:
            return []
        name, wanted = dialect.quote(self.after.name), types.sql(dialect, self.after.type)
        collate = "" if self.after.collation is None else f" COLLATE {dialect.quote(self.after.collation)}"
        cast = self._cast(dialect, name, wanted)
        using = "" if cast is None else f" USING {cast}"
        drop = ["DROP DEFAULT"] if self.before.default is not None else []
        return [*drop, f"TYPE {wanted}{collate}{using}"]

    @property
    def cast(self) -> str | None:
        """What makes the new value of a row on PostgreSQL; None where that is the old value as it is."""
        dialect = PostgreSQLDialect()
        return self._cast(dialect, dialect.quote(self.after.name), types.sql(dialect, self.after.type))

    def _cast(self, dialect: Dialect, name: str, wanted: str) -> str | None:
        cast = None if types.related(self.before.type, self.after.type) else f"{name}::text::{wanted}"
        if self.using is not None:
            cast = s.said(self.using, dialect.name)
        elif cast is not None and _casts(self.before.type, self.after.type):
            cast = f"{name}::{wanted}"
        elif cast is not None:
            cast = _back(self.before.type, self.after.type, name, wanted) or cast
        filled = not self.after.nullable and self.before.nullable and self.after.fill is not None
        if filled and self.after.fill is not None:
            cast = f"coalesce({cast or name}, {s.said(self.after.fill, dialect.name)})"
        return cast

    def _null(self, dialect: Dialect) -> list[str]:
        if self.before.nullable == self.after.nullable:
            return []
        return [f"{'DROP' if self.after.nullable else 'SET'} NOT NULL"]

    def _default(self, dialect: Dialect) -> list[str]:
        before, after = self.before.default, self.after.default
        if before == after and not self.retyped:
            return []
        if after is not None:
            return [f"SET DEFAULT {scripts.default(dialect, after)}"]
        return ["DROP DEFAULT"] if before is not None and not self.retyped else []

    def _numbering_ends(self) -> list[str]:
        before, after = self.before.identity, self.after.identity
        ends = [] if self.before.computed is None or self.after.computed is not None else ["DROP EXPRESSION"]
        if before in (None, after) or (before == "by default" and after == "serial"):
            return ends
        return [*ends, "DROP DEFAULT" if before == "serial" else "DROP IDENTITY IF EXISTS"]

    def _numbering_begins(self, dialect: Dialect, prefix: str) -> list[str]:
        before, after = self.before.identity, self.after.identity
        if after is None or after == before or (before == "by default" and after == "serial"):
            return []
        kind = "ALWAYS" if after == "always" else "BY DEFAULT"
        table, column = quoted(dialect, self.table), self.after.name
        sequence = f"pg_get_serial_sequence({scripts.text(table)}, {scripts.text(column)})"
        # the next number follows those that are there
        last = f"SELECT setval({sequence}, coalesce(max({dialect.quote(column)}), 0) + 1, false) FROM {table}"
        return [f"{prefix}ADD GENERATED {kind} AS IDENTITY", last]

    def reverse(self) -> Operation:
        return AlterColumn(self.table, self.after, self.before)

    def describe(self) -> str:
        return f"alter column {self.table}.{self.after.name}: {', '.join(self._changes()) or 'nothing'}"

    def _changes(self) -> list[str]:
        before, after = self.before, self.after
        said = [f"type {before.type} to {after.type}"] if before.type != after.type else []
        if before.nullable != after.nullable:
            said.append("may be null" if after.nullable else "not null")
        parts = ("default", "identity", "computed", "collation", "comment")
        return said + [name for name in parts if getattr(before, name) != getattr(after, name)]

    @property
    def touched(self) -> str:
        return self.table


_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "double precision", "real"})
_MOMENTS = frozenset({"date", "timestamptz", "timestamp"})


def _casts(before: str, after: str) -> bool:
    """Whether PostgreSQL turns one type into the other without the way by text."""
    pair = {types.base(before), types.base(after)}
    # a boolean is no other number than an integer
    return pair <= _NUMBERS or pair <= _MOMENTS or pair == {"boolean", "integer"}


def _back(before: str, after: str, name: str, wanted: str) -> str | None:
    """Gives the cast from what has come by text of a number, and is read as another number by no text of its own."""
    one, other = types.base(before), types.base(after)
    if one == "interval" and other in _NUMBERS:
        # a number becomes so many seconds
        return f"extract(epoch from {name})::{wanted}"
    if one == "boolean" and other in _NUMBERS:
        return f"{name}::integer::{wanted}"
    return None
