"""Steps that give a column another type by a second column, which is filled while others work and then takes its place.

    ShadowColumn    the second column, and a trigger that writes it whenever the first one is written
    ...             rows from before are filled in batches, indexes are made concurrently
    SwapColumn      the second column takes the first one's place, at once

SQLite has one writer, who copies the table: there the swap makes the values of the first column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cormorant.dialects.base import Dialect
from cormorant.schema import scripts
from cormorant.schema import snapshot as s
from cormorant.schema.column_operations import AddColumn, AlterColumn, DropColumn
from cormorant.schema.names import beside, name_of, quoted, short
from cormorant.schema.operations import Operation, need_alter

SUFFIX = "__new"
"""What the names of a second column and of its indexes end with."""


def shadow_of(column: s.Column) -> s.Column:
    """Gives the second column for one as it shall be: it may be NULL until all rows have it."""
    bare = replace(column, nullable=True, default=None, identity=None, comment=None, fill=None, renamed_from=None)
    return replace(bare, name=short(column.name, SUFFIX))


def index_of(key: s.PrimaryKey | s.Unique) -> s.Index:
    """Gives the index of a key that has a name."""
    return s.Index(key.name, tuple(s.IndexItem(column) for column in key.columns), unique=True)


def shadow_index(index: s.Index, column: s.Column) -> s.Index:
    """Gives an index over a column as one over the second column."""
    name = shadow_of(column).name
    items = tuple(replace(item, column=name) if item.column == column.name else item for item in index.items)
    include = tuple(name if each == column.name else each for each in index.include)
    return replace(index, name=short(index.name, SUFFIX), items=items, include=include)


@dataclass(frozen=True, slots=True)
class ShadowColumn(Operation):
    """A second column beside one whose type shall change, and a trigger that keeps it in step.

    Args:
        before: The column as it is.
        after: The column as it shall be.
        using: The expression that makes the new value of a row; a cast if None.
    """

    table: str
    before: s.Column
    after: s.Column
    using: s.Sql | None = None

    def statements(self, dialect: Dialect) -> list[str]:
        added = AddColumn(self.table, shadow_of(self.after)).statements(dialect)
        if not dialect.supports_add_constraint:
            return added
        function, table = _function(dialect, self.table, self.after), quoted(dialect, self.table)
        name = dialect.quote(shadow_of(self.after).name)
        value = s.said(self.value, dialect.name)
        body = f"BEGIN NEW.{name} := (SELECT {value} FROM (SELECT NEW.*) AS written); RETURN NEW; END"
        trigger = dialect.quote(short(self.after.name, SUFFIX))
        return [
            *added,
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {scripts.text(body)}",
            f"CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
        ]

    @property
    def value(self) -> s.Sql:
        """The expression that makes the new value of a row."""
        name = '"' + self.before.name.replace('"', '""') + '"'
        if self.using is not None:
            return self.using
        cast = AlterColumn(self.table, self.before, self.after).cast
        return name if cast is None else s.ByDialect((("postgresql", cast), ("sqlite", name)))

    def reverse(self) -> Operation:
        return UnshadowColumn(self.table, self.before, self.after, self.using)

    def describe(self) -> str:
        types = f"{self.before.type} to {self.after.type}"
        return f"add column {self.table}.{shadow_of(self.after).name} in step with {self.before.name}: {types}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class UnshadowColumn(Operation):
    """The way back from a ShadowColumn: the second column and its trigger go."""

    table: str
    before: s.Column
    after: s.Column
    using: s.Sql | None = None

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        dropped = DropColumn(self.table, shadow_of(self.after)).statements(dialect)
        return [*_untie(dialect, self.table, self.after), *dropped]

    def reverse(self) -> Operation:
        return ShadowColumn(self.table, self.before, self.after, self.using)

    def describe(self) -> str:
        return f"drop column {self.table}.{shadow_of(self.after).name}, in step with {self.before.name}"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class SwapColumn(Operation):
    """The second column takes the place of the first one, which is dropped with its values.

    Args:
        before: The column as it is.
        after: The column as it shall be.
        using: What the ShadowColumn had.
        indexes: The indexes over the column, whose second ones take their places.
        given: The check that has shown that the second column holds no NULL; it goes.
        keys: The primary key and the unique constraints over the column, which are made anew of second indexes.
    """

    table: str
    before: s.Column
    after: s.Column
    using: s.Sql | None = None
    indexes: tuple[s.Index, ...] = ()
    given: s.Check | None = None
    keys: tuple[s.PrimaryKey | s.Unique, ...] = ()

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        alter, shadow = f"ALTER TABLE {quoted(dialect, self.table)} ", dialect.quote(shadow_of(self.after).name)
        name = dialect.quote(self.after.name)
        made = [*_untie(dialect, self.table, self.after)]
        made += [f"{alter}ALTER COLUMN {shadow} SET NOT NULL"] if not self.after.nullable else []
        made += [f"{alter}DROP CONSTRAINT {dialect.quote(self.given.name)}"] if self.given is not None else []
        made += self._numbered(dialect, f"{alter}ALTER COLUMN {shadow}")
        made += [f"{alter}DROP COLUMN {dialect.quote(self.before.name)}", f"{alter}RENAME COLUMN {shadow} TO {name}"]
        if self.after.default is not None:
            made.append(f"{alter}ALTER COLUMN {name} SET DEFAULT {scripts.default(dialect, self.after.default)}")
        if self.after.comment is not None:
            made.append(scripts.comment(dialect, self.table, self.after.name, self.after.comment))
        made += [f"{alter}ADD {self._key(dialect, key)}" for key in self.keys]
        return [*made, *(self._renamed(dialect, index) for index in self.indexes)]

    def _numbered(self, dialect: Dialect, alter: str) -> list[str]:
        """Gives what has the second column go on with the numbers."""
        if self.after.identity is None:
            return []
        kind = "ALWAYS" if self.after.identity == "always" else "BY DEFAULT"
        table = scripts.text(quoted(dialect, self.table))
        old, new = (
            f"pg_get_serial_sequence({table}, {scripts.text(name)})"
            for name in (self.before.name, shadow_of(self.after).name)
        )
        return [f"{alter} ADD GENERATED {kind} AS IDENTITY", f"SELECT setval({new}, nextval({old}), false)"]

    def _key(self, dialect: Dialect, key: s.PrimaryKey | s.Unique) -> str:
        return scripts.using_index(dialect, key, key.name, shadow_index(index_of(key), self.after).name)

    def _renamed(self, dialect: Dialect, index: s.Index) -> str:
        old = quoted(dialect, beside(self.table, shadow_index(index, self.after).name))
        return f"ALTER INDEX {old} RENAME TO {dialect.quote(index.name)}"

    def reverse(self) -> Operation:
        return UnswapColumn(self.table, self.before, self.after, self.using, self.indexes, self.given, self.keys)

    def describe(self) -> str:
        shadow = shadow_of(self.after).name
        return f"column {self.table}.{shadow} takes the place of {self.before.name}, which is dropped"

    @property
    def touched(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class UnswapColumn(Operation):
    """The way back from a SwapColumn: the old type again, an empty column beside it; all rows are written."""

    table: str
    before: s.Column
    after: s.Column
    using: s.Sql | None = None
    indexes: tuple[s.Index, ...] = ()
    given: s.Check | None = None
    keys: tuple[s.PrimaryKey | s.Unique, ...] = ()

    def statements(self, dialect: Dialect) -> list[str]:
        need_alter(dialect, self)
        made = AlterColumn(self.table, self.after, self.before).statements(dialect)
        made += AddColumn(self.table, shadow_of(self.after)).statements(dialect)
        if self.given is not None:
            check = scripts.constraint(dialect, self.given)
            made.append(f"ALTER TABLE {quoted(dialect, self.table)} ADD {check} NOT VALID")
        for index in (*map(index_of, self.keys), *self.indexes):
            made += scripts.create_index(dialect, self.table, shadow_index(index, self.after))
        return made

    def reverse(self) -> Operation:
        return SwapColumn(self.table, self.before, self.after, self.using, self.indexes, self.given, self.keys)

    def describe(self) -> str:
        return f"column {self.table}.{self.after.name} is {self.before.type} again"

    @property
    def touched(self) -> str:
        return self.table


def _function(dialect: Dialect, table: str, column: s.Column) -> str:
    return quoted(dialect, beside(table, short(f"{name_of(table)}_{column.name}", SUFFIX)))


def _untie(dialect: Dialect, table: str, column: s.Column) -> list[str]:
    trigger = dialect.quote(short(column.name, SUFFIX))
    return [
        f"DROP TRIGGER IF EXISTS {trigger} ON {quoted(dialect, table)}",
        f"DROP FUNCTION IF EXISTS {_function(dialect, table, column)}()",
    ]
