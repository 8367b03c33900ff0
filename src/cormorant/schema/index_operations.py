"""Steps that make, drop and rename indexes, and those of enum types."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cormorant.dialects.base import Dialect
from cormorant.schema import scripts
from cormorant.schema import snapshot as s
from cormorant.schema.names import beside, name_of, quoted
from cormorant.schema.operations import DropConstraint, Operation, concurrently


@dataclass(frozen=True, slots=True)
class CreateIndex(Operation):
    """CREATE INDEX.

    Args:
        concurrently: PostgreSQL lets others write meanwhile; it must not be in a transaction then.
    """

    table: str
    index: s.Index
    concurrently: bool = False

    @property
    def outside(self) -> bool:
        return self.concurrently

    def statements(self, dialect: Dialect) -> list[str]:
        return scripts.create_index(dialect, self.table, self.index, concurrently=self.concurrently)

    def reverse(self) -> Operation:
        return DropIndex(self.table, self.index, self.concurrently)

    def describe(self) -> str:
        unique = "unique " if self.index.unique else ""
        return f"create {unique}index {self.index.name} on {self.table}{concurrently(self.concurrently)}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class DropIndex(Operation):
    """DROP INDEX.

    Args:
        concurrently: PostgreSQL lets others go on meanwhile; it must not be in a transaction then.
    """

    table: str
    index: s.Index
    concurrently: bool = False

    @property
    def outside(self) -> bool:
        return self.concurrently

    def statements(self, dialect: Dialect) -> list[str]:
        if self.index.method is not None and not dialect.supports_access_methods:
            return []
        return [scripts.drop_index(dialect, self.table, self.index.name, concurrently=self.concurrently)]

    def reverse(self) -> Operation:
        return CreateIndex(self.table, self.index, self.concurrently)

    def describe(self) -> str:
        return f"drop index {self.index.name} of {self.table}{concurrently(self.concurrently)}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class RenameIndex(Operation):
    """An index under another name; SQLite makes it anew."""

    table: str
    index: s.Index
    new: str

    def statements(self, dialect: Dialect) -> list[str]:
        if dialect.supports_add_constraint:
            old = quoted(dialect, beside(self.table, self.index.name))
            return [f"ALTER INDEX {old} RENAME TO {dialect.quote(self.new)}"]
        drop = DropIndex(self.table, self.index).statements(dialect)
        return [*drop, *scripts.create_index(dialect, self.table, replace(self.index, name=self.new))]

    def reverse(self) -> Operation:
        return RenameIndex(self.table, replace(self.index, name=self.new), self.index.name)

    def describe(self) -> str:
        return f"rename index {self.index.name} of {self.table} to {self.new}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class CreateSearchIndex(Operation):
    """The index of a full text search: a GIN index on PostgreSQL, a table of words and its triggers on SQLite.

    Args:
        concurrently: PostgreSQL lets others write meanwhile; it must not be in a transaction then.
    """

    table: str
    search: s.SearchIndex
    concurrently: bool = False

    @property
    def outside(self) -> bool:
        return self.concurrently

    def statements(self, dialect: Dialect) -> list[str]:
        made = scripts.search_index(dialect, self.table, self.search, concurrently=self.concurrently)
        if dialect.supports_access_methods:
            return made
        name = dialect.quote(self.search.name)
        return [*made, f"INSERT INTO {name}({name}) VALUES ('rebuild')"]

    def reverse(self) -> Operation:
        return DropSearchIndex(self.table, self.search, self.concurrently)

    def describe(self) -> str:
        return f"create search index {self.search.name} on {self.table}{concurrently(self.concurrently)}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class DropSearchIndex(Operation):
    """Drops what a full text search looks in.

    Args:
        concurrently: PostgreSQL lets others go on meanwhile; it must not be in a transaction then.
    """

    table: str
    search: s.SearchIndex
    concurrently: bool = False

    @property
    def outside(self) -> bool:
        return self.concurrently

    def statements(self, dialect: Dialect) -> list[str]:
        return scripts.drop_search_index(dialect, self.table, self.search, concurrently=self.concurrently)

    def reverse(self) -> Operation:
        return CreateSearchIndex(self.table, self.search, self.concurrently)

    def describe(self) -> str:
        return f"drop search index {self.search.name} of {self.table}{concurrently(self.concurrently)}"

    @property
    def touched(self) -> str:
        return self.table


# ------------------------------------------------------------------ enum types


@dataclass(frozen=True, slots=True)
class CreateEnum(Operation):
    """CREATE TYPE ... AS ENUM; nothing where enums are kept as text."""

    enum: s.Enum

    def statements(self, dialect: Dialect) -> list[str]:
        return [create_enum(dialect, self.enum)] if dialect.supports_native_enum else []

    def reverse(self) -> Operation:
        return DropEnum(self.enum)

    def describe(self) -> str:
        return f"create enum {self.enum.key} ({', '.join(self.enum.labels)})"

    @property
    def touched(self) -> str:
        return self.enum.key


@dataclass(frozen=True, slots=True)
class DropEnum(Operation):
    """DROP TYPE."""

    enum: s.Enum

    def statements(self, dialect: Dialect) -> list[str]:
        return [f"DROP TYPE {quoted(dialect, self.enum.key)}"] if dialect.supports_native_enum else []

    def reverse(self) -> Operation:
        return CreateEnum(self.enum)

    def describe(self) -> str:
        return f"drop enum {self.enum.key}"

    @property
    def touched(self) -> str:
        return self.enum.key


@dataclass(frozen=True, slots=True)
class AlterEnum(Operation):
    """Other values of an enum type: new ones are added; where some go, a new type takes the old one's place.

    Args:
        uses: The columns of that type, each with its table's key; rows that have a value that goes are refused.
        over: Checks and indexes that compare its values, and are made anew with a new type.
        back: What `uses` is on the way back, if that is not the same: the columns with the defaults that they had.
    """

    before: s.Enum
    after: s.Enum
    uses: tuple[tuple[str, s.Column], ...] = ()
    over: tuple[tuple[str, s.Check | s.Index], ...] = ()
    back: tuple[tuple[str, s.Column], ...] = ()

    @property
    def outside(self) -> bool:
        # a new value cannot be used before it is committed
        return not self.swaps

    @property
    def swaps(self) -> bool:
        """Whether a value goes, or stands elsewhere, so that the type is made anew."""
        kept = [label for label in self.after.labels if label in self.before.labels]
        return kept != list(self.before.labels)

    def statements(self, dialect: Dialect) -> list[str]:
        if not dialect.supports_native_enum:
            return []
        return self._swapped(dialect) if self.swaps else self._added(dialect)

    def _added(self, dialect: Dialect) -> list[str]:
        made: list[str] = []
        name, labels = quoted(dialect, self.after.key), self.after.labels
        for place, label in enumerate(labels):
            if label not in self.before.labels:
                where = f" AFTER {scripts.text(labels[place - 1])}" if place else ""
                first = f" BEFORE {scripts.text(self.before.labels[0])}" if not place and self.before.labels else ""
                made.append(f"ALTER TYPE {name} ADD VALUE {scripts.text(label)}{where}{first}")
        return made

    def _swapped(self, dialect: Dialect) -> list[str]:
        name, aside = quoted(dialect, self.before.key), f"{self.before.name[:50]}__before"
        made = [sql for table, part in self.over for sql in _drop(table, part).statements(dialect)]
        made += [f"ALTER TYPE {name} RENAME TO {dialect.quote(aside)}", create_enum(dialect, self.after)]
        for table, column in self.uses:
            made += self._use(dialect, table, column)
        made += [sql for table, part in self.over for sql in _drop(table, part).reverse().statements(dialect)]
        return [*made, f"DROP TYPE {quoted(dialect, beside(self.before.key, aside))}"]

    def _use(self, dialect: Dialect, table: str, column: s.Column) -> list[str]:
        each = "[]" if column.type.endswith("[]") else ""
        alter, name = f"ALTER TABLE {quoted(dialect, table)} ", dialect.quote(column.name)
        wanted = f"{quoted(dialect, self.after.key)}{each}"
        actions = [
            f"ALTER COLUMN {name} DROP DEFAULT",
            f"ALTER COLUMN {name} TYPE {wanted} USING {name}::text{each}::{wanted}",
        ]
        if column.default is not None:
            actions.append(f"ALTER COLUMN {name} SET DEFAULT {scripts.default(dialect, column.default)}")
        return [alter + action for action in actions]

    def reverse(self) -> Operation:
        return AlterEnum(self.after, self.before, self.back or self.uses, self.over, self.uses if self.back else ())

    def describe(self) -> str:
        gone = [f"-{label}" for label in self.before.labels if label not in self.after.labels]
        new = [f"+{label}" for label in self.after.labels if label not in self.before.labels]
        return f"alter enum {self.after.key}: {' '.join([*gone, *new]) or 'another order'}"

    @property
    def touched(self) -> str:
        return self.after.key


def _drop(table: str, part: s.Check | s.Index) -> Operation:
    return DropConstraint(table, part) if isinstance(part, s.Check) else DropIndex(table, part)


def create_enum(dialect: Dialect, enum: s.Enum) -> str:
    """Gives CREATE TYPE."""
    labels = ", ".join(map(scripts.text, enum.labels))
    return f"CREATE TYPE {quoted(dialect, enum.key)} AS ENUM ({labels})"


@dataclass(frozen=True, slots=True)
class RenameEnum(Operation):
    """An enum type under another name."""

    old: str
    new: str

    def statements(self, dialect: Dialect) -> list[str]:
        if not dialect.supports_native_enum:
            return []
        return [f"ALTER TYPE {quoted(dialect, self.old)} RENAME TO {dialect.quote(name_of(self.new))}"]

    def reverse(self) -> Operation:
        return RenameEnum(self.new, self.old)

    def describe(self) -> str:
        return f"rename enum {self.old} to {self.new}"

    @property
    def touched(self) -> str:
        return self.old
