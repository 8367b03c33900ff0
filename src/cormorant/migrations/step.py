"""What a migration does beside the operations of schemas: SQL, work in a session, backfills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from cormorant._internal.secrets import readable
from cormorant.dialects.base import Dialect
from cormorant.errors import InvalidMigration, IrreversibleMigration
from cormorant.migrations.historical import HistoricalModels
from cormorant.migrations.statements import statements
from cormorant.schema import snapshot as s
from cormorant.schema.names import quoted
from cormorant.schema.operations import Operation

if TYPE_CHECKING:
    from cormorant.persistence.session import AsyncSession

Statements: TypeAlias = str | Mapping[str, str] | Sequence[str]
"""Statements in one text or in several, or those of each database by its name: {"postgresql": "..."}."""


@dataclass(frozen=True, slots=True)
class RunSQL:
    """SQL of your own.

    Args:
        sql: One statement, several, also in one text, or some for each database: `{"postgresql": "create extension
            pg_trgm"}` does nothing on others.
        reverse_sql: The way back; "" if nothing is to be done, None if there is none.
        outside: It must not be in a transaction.
        tables: The keys of the tables that it is about; None if that may be any, so that it is never put beside what
            another branch does.
        state: What becomes of the schema by it, as operations.
        elidable: New databases do not need it: squashed migrations leave it out.

    Example:
        >>> RunSQL("update essay set stars = 3", reverse_sql="", tables=("essay",))
    """

    sql: Statements
    reverse_sql: Statements | None = None
    outside: bool = False
    tables: tuple[str, ...] | None = None
    state: tuple[Operation, ...] = ()
    elidable: bool = False

    def __post_init__(self) -> None:
        for sql in (self.sql, self.reverse_sql):
            _refuse_misspelt(sql)
        if isinstance(self.tables, str):
            raise InvalidMigration(
                f"RunSQL(tables={self.tables!r}) is one text", hint=f"write a tuple: tables=({self.tables!r},)"
            )

    def statements(self, dialect: Dialect) -> list[str]:
        """Gives its SQL for one database."""
        return said(self.sql, dialect.name)

    def reverse(self) -> RunSQL:
        """Gives the step back.

        Raises:
            IrreversibleMigration: It was not told.
        """
        if self.reverse_sql is None:
            raise IrreversibleMigration(
                f"there is no way back from: {self.describe()}", hint='say it: RunSQL(..., reverse_sql="...")'
            )
        back = tuple(operation.reverse() for operation in reversed(self.state))
        return RunSQL(self.reverse_sql, self.sql, self.outside, self.tables, back, self.elidable)

    def describe(self) -> str:
        """Gives it in words for people."""
        texts = list(self.sql.values()) if isinstance(self.sql, Mapping) else said(self.sql, "")
        return f"run {'; '.join(map(readable, texts)) or 'nothing'}"


_NAMES = ("postgresql", "sqlite")


def _refuse_misspelt(sql: Statements | None) -> None:
    """Refuses names that are nearly those of a database: what is said for nobody would never be run."""
    for name in sql if isinstance(sql, Mapping) else ():
        near = get_close_matches(name, _NAMES, n=1)
        if near and name not in _NAMES:
            raise InvalidMigration(f"RunSQL({{{name!r}: ...}}) is for no database", hint=f"did you mean {near[0]!r}?")


def said(sql: Statements, dialect: str) -> list[str]:
    """Gives statements as one database is told them; none where it is told nothing."""
    if isinstance(sql, str):
        return statements(sql)
    if isinstance(sql, Mapping):
        return said(sql.get(dialect, ""), dialect)
    return [statement for text in sql for statement in statements(text)]


Work: TypeAlias = "Callable[[AsyncSession, HistoricalModels], Awaitable[None]]"


@dataclass(frozen=True, slots=True)
class RunSession:
    """Work in a session, with models of the schema as it is at this step.

    Args:
        forward: `async def forward(session, models)`.
        backward: The way back, of the same kind; None if there is none.
        outside: The session commits by itself, as often as it wants to; else all is one with the migration.
        tables: The keys of the tables that it is about; None if that may be any.
        elidable: New databases do not need it: squashed migrations leave it out.

    Example:
        >>> async def forward(session: AsyncSession, models: HistoricalModels) -> None:
        ...     await session.query(models.Essay).update(models.Essay.stars.set(3))
        >>> RunSession(forward)
    """

    forward: Work
    backward: Work | None = None
    outside: bool = False
    tables: tuple[str, ...] | None = None
    elidable: bool = False

    def reverse(self) -> RunSession:
        """Gives the step back.

        Raises:
            IrreversibleMigration: It was not told.
        """
        if self.backward is None:
            raise IrreversibleMigration(
                f"there is no way back: {self.describe()}",
                hint="say it: RunSession(forward, backward), or RunSession(forward, nothing) if there is nothing to do",
            )
        return RunSession(self.backward, self.forward, self.outside, self.tables, self.elidable)

    def describe(self) -> str:
        """Gives it in words for people."""
        doc = (self.forward.__doc__ or "").strip().partition("\n")[0]
        name = getattr(self.forward, "__name__", "a function")
        return f"run {name}(): {doc}" if doc else f"run {name}()"


async def nothing(session: AsyncSession, models: HistoricalModels) -> None:
    """Does nothing: the way back from work that may stay done."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """Values for rows that are there, written in batches by key, each committed by itself.

    Args:
        table: The table's key.
        values: Pairs of a column and the SQL that makes its value.
        where: The rows that are still to be done; those whose first column is NULL if None.
        batch: How many rows a batch has.
        key: The columns that rows are gone through by, which tell them apart; the primary key if empty.
        pause: Seconds between two batches, for others.

    Example:
        >>> Backfill("essay", (("slug", "lower(title)"),))
        # UPDATE "essay" SET "slug" = lower(title) WHERE ("id" > 1000) AND ("id" <= 2000) AND ("slug" IS NULL)
    """

    table: str
    values: tuple[tuple[str, s.Sql], ...]
    where: s.Sql | None = None
    batch: int = 1_000
    key: tuple[str, ...] = ()
    pause: float = 0.0

    @property
    def outside(self) -> bool:
        """Whether it must not be in a transaction: always, its batches are."""
        return True

    @property
    def tables(self) -> tuple[str, ...]:
        """The table that it is about."""
        return (self.table,)

    def statements(self, dialect: Dialect) -> list[str]:
        """Gives it as one UPDATE, for those who run it by hand."""
        return [self.update(dialect)] if self.values else []

    def update(self, dialect: Dialect, within: str | None = None) -> str:
        """Gives the UPDATE of rows, of those `within` a condition if there is one."""
        sets = ", ".join(f"{dialect.quote(name)} = {s.said(sql, dialect.name)}" for name, sql in self.values)
        where = self.condition(dialect, within)
        return f"UPDATE {quoted(dialect, self.table)} SET {sets} WHERE {where}"

    def condition(self, dialect: Dialect, within: str | None = None) -> str:
        """Gives what the rows meet that are still to be done."""
        own = f"{dialect.quote(self.values[0][0])} IS NULL" if self.where is None else s.said(self.where, dialect.name)
        return f"({own})" if within is None else f"({within}) AND ({own})"

    def reverse(self) -> Backfill:
        """Gives the step back, which does nothing: what was filled in may stay."""
        return replace(self, values=())

    def describe(self) -> str:
        """Gives it in words for people."""
        if not self.values:
            return f"leave the values of {self.table} as they are"
        names = ", ".join(f"{self.table}.{column}" for column, _ in self.values)
        return f"fill {names} in batches of {self.batch:,}"


Step: TypeAlias = Operation | RunSQL | RunSession | Backfill
"""One step of a migration."""
