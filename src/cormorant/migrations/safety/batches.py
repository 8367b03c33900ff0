"""The statements of a backfill: where a batch ends, what it writes, how far it has come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cormorant._internal.narrowing import is_dict
from cormorant.dialects.base import Dialect
from cormorant.errors import InvalidMigration
from cormorant.migrations.step import Backfill
from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.names import BACKFILLS, quoted

POSITIONS = BACKFILLS
"""The table that keeps how far each backfill has come; it is there only while one is under way."""

Position: TypeAlias = tuple[Any, ...]
"""The key of a row: as texts on PostgreSQL, as values of JSON on SQLite."""


@dataclass(frozen=True, slots=True)
class Batches:
    """A backfill of one table of one database, as statements.

    Args:
        backfill: What is written.
        key: The columns that rows are gone through by.
        dialect: The database's.
    """

    backfill: Backfill
    key: tuple[s.Column, ...]
    dialect: Dialect

    def last_of(self, after: Position | None) -> tuple[str, list[Any]]:
        """Gives the query of the key that the next batch ends with; no row if fewer are left than it may have."""
        names = ", ".join(self._names)
        # under names of their own: ORDER BY would sort the texts
        texts = ", ".join(f"{name}::text AS position_{place}" for place, name in enumerate(self._names))
        read = texts if self._as_text else names
        within = None if after is None else self._compared(">", 0)
        sql = (
            f"SELECT {read} FROM {quoted(self.dialect, self.backfill.table)} "
            f"WHERE {self.backfill.condition(self.dialect, within)} "
            f"ORDER BY {names} LIMIT 1 OFFSET {self.backfill.batch - 1}"
        )
        return sql, [*(after or ())]

    def update(self, after: Position | None, to: Position | None) -> tuple[str, list[Any]]:
        """Gives the UPDATE of one batch.

        Args:
            after: The key that the batch before ended with; None for the first one.
            to: The key that this one ends with; None if it goes to the end.
        """
        parts = [] if after is None else [self._compared(">", 0)]
        parts += [] if to is None else [self._compared("<=", len(after or ()))]
        within = " AND ".join(parts) if parts else None
        return self.backfill.update(self.dialect, within), [*(after or ()), *(to or ())]

    @property
    def _as_text(self) -> bool:
        return self.dialect.supports_add_constraint

    @property
    def _names(self) -> list[str]:
        return [self.dialect.quote(column.name) for column in self.key]

    def _compared(self, sign: str, first: int) -> str:
        places = [self._value(column, first + place) for place, column in enumerate(self.key)]
        left, right = ", ".join(self._names), ", ".join(places)
        return f"{left} {sign} {right}" if len(places) == 1 else f"({left}) {sign} ({right})"

    def _value(self, column: s.Column, place: int) -> str:
        mark = self.dialect.placeholder(place)
        return f"{mark}::text::{types.sql(self.dialect, column.type)}" if self._as_text else mark


def batches_of(backfill: Backfill, table: s.Table, dialect: Dialect) -> Batches:
    """Gives the statements of a backfill.

    Args:
        backfill: What is written.
        table: The table as it is.
        dialect: The database's.

    Raises:
        InvalidMigration: Nothing tells the table's rows apart, or a column of the key is not there.
    """
    names = backfill.key or (() if table.primary_key is None else table.primary_key.columns)
    found = [column for name in names if (column := table.column(name)) is not None]
    if not found or len(found) != len(names):
        said = f"has no column {', '.join(set(names) - {x.name for x in found})}" if names else "has no primary key"
        raise InvalidMigration(
            f"cannot go through {table.key} in batches: it {said}",
            hint="name columns that tell its rows apart: Backfill(..., key=('id',))",
        )
    written = {name for name, _ in backfill.values}
    if not written.isdisjoint(names):
        raise InvalidMigration(
            f"cannot go through {table.key} by {', '.join(names)}: the backfill writes it",
            hint="name other columns that tell its rows apart: Backfill(..., key=('id',))",
        )
    return Batches(backfill, tuple(found), dialect)


# ------------------------------------------------------------------ how far it has come


def position_text(position: Position) -> str:
    """Gives a position as a text to be kept."""
    return json.dumps([{"hex": each.hex()} if isinstance(each, bytes) else each for each in position])


def position_of(text: str) -> Position:
    """Gives the position that a text was made of."""
    return tuple(bytes.fromhex(each["hex"]) if is_dict(each) else each for each in json.loads(text))


def make_positions() -> str:
    """Gives what makes the table of positions."""
    columns = "name text PRIMARY KEY, position text NOT NULL, written bigint NOT NULL"
    return f"CREATE TABLE IF NOT EXISTS {POSITIONS} ({columns})"


def read_position(dialect: Dialect, name: str) -> tuple[str, Sequence[Any]]:
    """Gives the query of a backfill's position, and of how many rows it has written."""
    return f"SELECT position, written FROM {POSITIONS} WHERE name = {dialect.placeholder(0)}", [name]


def keep_position(dialect: Dialect, name: str, position: Position, written: int) -> tuple[str, Sequence[Any]]:
    """Gives what keeps a backfill's position."""
    marks = ", ".join(dialect.placeholder(place) for place in range(3))
    sql = (
        f"INSERT INTO {POSITIONS} (name, position, written) VALUES ({marks}) "
        "ON CONFLICT (name) DO UPDATE SET position = excluded.position, written = excluded.written"
    )
    return sql, [name, position_text(position), written]


def forget_position(dialect: Dialect, name: str) -> tuple[str, Sequence[Any]]:
    """Gives what forgets a backfill's position."""
    return f"DELETE FROM {POSITIONS} WHERE name = {dialect.placeholder(0)}", [name]
