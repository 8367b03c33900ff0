"""The steps from one schema to another, as frozen values that know their SQL, their opposite and their words.

`statements(dialect)` gives the SQL in order; nothing where the database does not know such a thing. SQLite changes
little of a table that exists: `plan` puts such steps together as one `RebuildTable`; asked one by one they raise
CompileError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from cormorant.dialects.base import Dialect
from cormorant.errors import CompileError
from cormorant.schema import scripts
from cormorant.schema import snapshot as s
from cormorant.schema.names import name_of, quoted, short


class Operation(ABC):
    """One step."""

    __slots__ = ()

    @property
    def outside(self) -> bool:
        """Whether it must run outside of a transaction."""
        return False

    @abstractmethod
    def statements(self, dialect: Dialect) -> list[str]:
        """Gives its SQL.

        Raises:
            CompileError: The database cannot do it to a table that exists; `plan` says it otherwise.
        """

    @abstractmethod
    def reverse(self) -> Operation:
        """Gives the step back; what a dropped table or column held does not come back with it."""

    @abstractmethod
    def describe(self) -> str:
        """Gives it in words for people."""

    @property
    @abstractmethod
    def touched(self) -> str:
        """The key of the table, type or schema that it changes."""


def need_alter(dialect: Dialect, operation: Operation) -> None:
    """Refuses what only a rebuild of the table can do.

    Raises:
        CompileError: The database has no such ALTER TABLE.
    """
    if not dialect.supports_add_constraint:
        raise CompileError(
            f"{dialect.name} cannot do this to a table that exists: {operation.describe()}",
            hint="run what plan(snapshot, operations, dialect) gives, which rebuilds the table",
        )


# ------------------------------------------------------------------ schemas


@dataclass(frozen=True, slots=True)
class CreateSchema(Operation):
    """CREATE SCHEMA."""

    name: str

    def statements(self, dialect: Dialect) -> list[str]:
        return [f"CREATE SCHEMA {dialect.quote(self.name)}"] if dialect.supports_add_constraint else []

    def reverse(self) -> Operation:
        return DropSchema(self.name)

    def describe(self) -> str:
        return f"create schema {self.name}"

    @property
    def touched(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class DropSchema(Operation):
    """DROP SCHEMA, if nothing is left in it."""

    name: str

    def statements(self, dialect: Dialect) -> list[str]:
        return [f"DROP SCHEMA {dialect.quote(self.name)}"] if dialect.supports_add_constraint else []

    def reverse(self) -> Operation:
        return CreateSchema(self.name)

    def describe(self) -> str:
        return f"drop schema {self.name}"

    @property
    def touched(self) -> str:
        return self.name


# ------------------------------------------------------------------ tables


@dataclass(frozen=True, slots=True)
class CreateTable(Operation):
    """A table with its constraints, indexes and comments."""

    table: s.Table

    def statements(self, dialect: Dialect) -> list[str]:
        return scripts.whole_table(dialect, self.table)

    def reverse(self) -> Operation:
        return DropTable(self.table)

    def describe(self) -> str:
        return f"create table {self.table.key} ({', '.join(column.name for column in self.table.columns)})"

    @property
    def touched(self) -> str:
        return self.table.key


@dataclass(frozen=True, slots=True)
class DropTable(Operation):
    """DROP TABLE, with all of its rows."""

    table: s.Table

    def statements(self, dialect: Dialect) -> list[str]:
        searches = () if dialect.supports_access_methods else self.table.searches
        words = [sql for each in searches for sql in scripts.drop_search_index(dialect, self.table.key, each)]
        return [*words, f"DROP TABLE {quoted(dialect, self.table.key)}"]

    def reverse(self) -> Operation:
        return CreateTable(self.table)

    def describe(self) -> str:
        return f"drop table {self.table.key} with its rows"

    @property
    def touched(self) -> str:
        return self.table.key


@dataclass(frozen=True, slots=True)
class RenameTable(Operation):
    """A table under another name, in the same schema; its constraints and indexes keep theirs."""

    old: str
    new: str

    def statements(self, dialect: Dialect) -> list[str]:
        if not dialect.supports_add_constraint and self.old.lower() == self.new.lower():
            # to SQLite both are one name, which is taken
            aside = short(name_of(self.old), "__before")
            pairs = [(self.old, aside), (aside, name_of(self.new))]
        else:
            pairs = [(self.old, name_of(self.new))]
        return [f"ALTER TABLE {quoted(dialect, old)} RENAME TO {dialect.quote(new)}" for old, new in pairs]

    def reverse(self) -> Operation:
        return RenameTable(self.new, self.old)

    def describe(self) -> str:
        return f"rename table {self.old} to {self.new}"

    @property
    def touched(self) -> str:
        return self.old


@dataclass(frozen=True, slots=True)
class CommentTable(Operation):
    """Another comment of a table, or none."""

    table: str
    before: str | None
    after: str | None

    def statements(self, dialect: Dialect) -> list[str]:
        return [scripts.comment(dialect, self.table, None, self.after)] if dialect.supports_comments else []

    def reverse(self) -> Operation:
        return replace(self, before=self.after, after=self.before)

    def describe(self) -> str:
        return f"comment table {self.table}"

    @property
    def touched(self) -> str:
        return self.table


# ------------------------------------------------------------------ constraints


@dataclass(frozen=True, slots=True)
class AddConstraint(Operation):
    """ADD CONSTRAINT; a foreign key or check with `validated=False` lets rows from before be (NOT VALID).

    Args:
        concurrently: A primary key or unique constraint gets its index first, while others write; it must not be in a
            transaction then.
    """

    table: str
    constraint: s.Constraint
    concurrently: bool = False

    @property
    def outside(self) -> bool:
        return self.concurrently

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        if self.concurrently and isinstance(self.constraint, (s.PrimaryKey, s.Unique)):
            return scripts.constraint_by_index(dialect, self.table, self.constraint, self.name)
        later = " NOT VALID" if not is_validated(self.constraint) else ""
        return [f"ALTER TABLE {quoted(dialect, self.table)} ADD {scripts.constraint(dialect, self.constraint)}{later}"]

    def reverse(self) -> Operation:
        return DropConstraint(self.table, self.constraint)

    @property
    def name(self) -> str:
        """The constraint's name, PostgreSQL's own where it has none."""
        return self.constraint.name or default_name(self.table, self.constraint)

    def describe(self) -> str:
        later = concurrently(self.concurrently) if is_validated(self.constraint) else ", not yet validated"
        return f"add {constraint_words(self.constraint)} to {self.table}{later}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class ValidateConstraint(Operation):
    """VALIDATE CONSTRAINT: rows from before are looked at, while others write.

    Args:
        alone: In no transaction with others, whose locks would be held as long as it takes.
    """

    table: str
    constraint: s.ForeignKey | s.Check
    alone: bool = False

    @property
    def outside(self) -> bool:
        return self.alone

    def statements(self, dialect: Dialect) -> list[str]:
        if not dialect.supports_add_constraint:
            return []
        return [f"ALTER TABLE {quoted(dialect, self.table)} VALIDATE CONSTRAINT {dialect.quote(self.constraint.name)}"]

    def reverse(self) -> Operation:
        return UnvalidateConstraint(self.table, self.constraint, self.alone)

    def describe(self) -> str:
        return f"validate {constraint_words(self.constraint)} of {self.table}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class UnvalidateConstraint(Operation):
    """The way back from a validation, on which nothing is to be done: a constraint that holds goes on holding."""

    table: str
    constraint: s.ForeignKey | s.Check
    alone: bool = False

    def statements(self, dialect: Dialect) -> list[str]:
        return []

    def reverse(self) -> Operation:
        return ValidateConstraint(self.table, self.constraint, self.alone)

    def describe(self) -> str:
        return f"leave {constraint_words(self.constraint)} of {self.table} as it is"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class DropConstraint(Operation):
    """DROP CONSTRAINT."""

    table: str
    constraint: s.Constraint

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        name = self.constraint.name or default_name(self.table, self.constraint)
        return [f"ALTER TABLE {quoted(dialect, self.table)} DROP CONSTRAINT {dialect.quote(name)}"]

    def reverse(self) -> Operation:
        return AddConstraint(self.table, self.constraint)

    def describe(self) -> str:
        return f"drop {constraint_words(self.constraint)} of {self.table}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class RenameConstraint(Operation):
    """A constraint under another name."""

    table: str
    old: str
    new: str

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        old, new = dialect.quote(self.old), dialect.quote(self.new)
        return [f"ALTER TABLE {quoted(dialect, self.table)} RENAME CONSTRAINT {old} TO {new}"]

    def reverse(self) -> Operation:
        return replace(self, old=self.new, new=self.old)

    def describe(self) -> str:
        return f"rename constraint {self.old} of {self.table} to {self.new}"

    @property
    def touched(self) -> str:
        return self.table


def concurrently(so: bool) -> str:
    """Gives what is said of an operation that lets others write."""
    return " concurrently" if so else ""


def is_validated(constraint: s.Constraint) -> bool:
    """Whether rows from before meet a constraint too."""
    return not isinstance(constraint, (s.ForeignKey, s.Check)) or constraint.validated


def default_name(table: str, constraint: s.Constraint) -> str:
    """Gives the name that PostgreSQL gives a constraint that is declared without one."""
    if isinstance(constraint, s.PrimaryKey):
        return f"{name_of(table).encode()[:58].decode(errors='ignore')}_pkey"
    columns = () if isinstance(constraint, s.Check) else constraint.columns
    kind = "key" if isinstance(constraint, s.Unique) else "fkey" if isinstance(constraint, s.ForeignKey) else "check"
    return "_".join((name_of(table), *columns, kind))


def constraint_words(constraint: s.Constraint) -> str:
    """Gives a constraint in words."""
    if isinstance(constraint, s.Check):
        return f"check {constraint.name}"
    columns = ", ".join(constraint.columns)
    if isinstance(constraint, s.ForeignKey):
        return f"foreign key ({columns}) to {constraint.target}"
    return f"{'primary key' if isinstance(constraint, s.PrimaryKey) else 'unique'} ({columns})"
