"""SQLite's way to change a table: another one is made, filled, and put in its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cormorant.dialects.base import Dialect
from cormorant.errors import CompileError
from cormorant.schema import scripts
from cormorant.schema import snapshot as s
from cormorant.schema.conversions import Conversion
from cormorant.schema.operations import Operation

BESIDE = "cormorant_new_"
"""What the name of the new table begins with until it has taken the old one's place."""


@dataclass(frozen=True, slots=True)
class RebuildTable(Operation):
    """A table as it shall be, with the rows that it has (https://sqlite.org/lang_altertable.html, section 7).

    It must run with `PRAGMA foreign_keys = OFF`, which a transaction ignores: dropping the old table would delete what
    points to it. Whoever runs it looks for broken keys before and after.

    Args:
        before: The table as it is.
        after: The table as it shall be; its triggers are those that come back.
        using: For columns whose values are not simply kept, the expression that makes them.
        conversions: The columns whose values become those of another type.
    """

    before: s.Table
    after: s.Table
    using: tuple[tuple[str, str], ...] = field(default=())
    conversions: tuple[Conversion, ...] = ()

    def statements(self, dialect: Dialect) -> list[str]:
        if dialect.supports_add_constraint:
            raise CompileError(
                f"{dialect.name} changes tables without a rebuild: {self.describe()}", hint="run the single operations"
            )
        aside, name = dialect.quote(self.aside), dialect.quote(self.after.name)
        return [
            # views and triggers that name the table are not looked at while it is away
            "PRAGMA legacy_alter_table = ON",
            *(sql for search in self.before.searches for sql in scripts.drop_search_index(dialect, "", search)),
            scripts.create_table(dialect, self.after, self.aside),
            *self._fill(dialect),
            *self._number(dialect),
            f"DROP TABLE {dialect.quote(self.before.name)}",
            f"ALTER TABLE {aside} RENAME TO {name}",
            *self._indexes(dialect),
            *(trigger.sql for trigger in self.after.triggers),
            "PRAGMA legacy_alter_table = OFF",
        ]

    @property
    def aside(self) -> str:
        """The name that the new table has while there are two."""
        return f"{BESIDE}{self.after.name}"

    def by_hand(self, dialect: Dialect) -> RebuildTable:
        """Gives it in statements that any program can run: what only Cormorant can convert, they refuse."""
        made = ((c.column, c.by_hand(self.before.name, dialect.quote(c.column))) for c in self.conversions)
        return replace(self, using=(*self.using, *made), conversions=())

    def _fill(self, dialect: Dialect) -> list[str]:
        using = {c.column: c.value(dialect.quote(c.column)) for c in self.conversions} | dict(self.using)
        pairs = [
            (dialect.quote(column.name), sql)
            for column in self.after.columns
            if column.computed is None and (sql := self._value(dialect, column, using)) is not None
        ]
        if not pairs:
            return []
        into, values = (", ".join(part) for part in zip(*pairs, strict=True))
        return [
            f"INSERT INTO {dialect.quote(self.aside)} ({into}) SELECT {values} FROM {dialect.quote(self.before.name)}"
        ]

    def _value(self, dialect: Dialect, column: s.Column, using: dict[str, str]) -> str | None:
        """Gives what the rows get in a column; None for what the database gives them."""
        old = self.before.column(column.name)
        fill = None if column.fill is None else s.said(column.fill, dialect.name)
        if old is None and column.name not in using:
            return fill if column.default is None else None
        name = using.get(column.name, dialect.quote(column.name))
        if fill is None and column.default is not None:
            fill = s.said(column.default, dialect.name)
        given = fill is not None and old is not None and old.nullable and not column.nullable
        return f"coalesce({name}, {fill})" if given else name

    def _number(self, dialect: Dialect) -> list[str]:
        """Gives what keeps a number from being given twice: the last one goes with the table."""
        if not _counts(self.before) or not _counts(self.after):
            return []
        old, aside = scripts.text(self.before.name), scripts.text(self.aside)
        return [
            f"INSERT INTO sqlite_sequence (name, seq) SELECT {aside}, 0 "
            f"WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {aside})",
            f"UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = {old}), "
            f"0)) WHERE name = {aside}",
        ]

    def _indexes(self, dialect: Dialect) -> list[str]:
        table = self.after.name
        made = [sql for index in self.after.indexes for sql in scripts.create_index(dialect, table, index)]
        for search in self.after.searches:
            name = dialect.quote(search.name)
            made += [*scripts.search_index(dialect, table, search), f"INSERT INTO {name}({name}) VALUES ('rebuild')"]
        return made

    def reverse(self) -> Operation:
        return RebuildTable(self.after, self.before)

    def describe(self) -> str:
        return f"rebuild table {self.before.name}"

    @property
    def touched(self) -> str:
        return self.after.key


def _counts(table: s.Table) -> bool:
    return any(column.identity not in (None, "rowid") for column in table.columns)
