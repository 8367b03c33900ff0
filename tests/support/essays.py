"""Migrations of a table of essays, one of each kind, as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cormorant import AsyncSession, Database
from cormorant.migrations import HistoricalModels, History, Migration, MigrationFile, RunSession, Step, nothing
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.column_types import enum_type

MOOD = s.Enum("mood", ("good", "bad"))
ID = s.Column("id", "bigint", identity="by default")
ESSAY = s.Table(
    "essay",
    (ID, s.Column("title", "text"), s.Column("mood", enum_type("mood"), default="'good'")),
    s.PrimaryKey(("id",)),
)
STARS = s.Column("stars", "integer", fill="3")
TITLES = s.Index("essay_titles", (s.IndexItem("title"),))
POSITIVE = s.Check("essay_stars_check", "stars >= 0")

CREATE = (op.CreateEnum(MOOD), op.CreateTable(ESSAY))


def file(name: str, *steps: Step, depends: Sequence[str] = (), replaces: Sequence[str] = ()) -> MigrationFile:
    """Gives a migration as one read from a file."""
    migration = Migration(steps, depends, replaces, f"About {name}.")
    words = "".join(step.describe() for step in steps)
    return MigrationFile("", name, None, f"sum of {words}", migration)


def chain(*named: tuple[str, Sequence[Step]]) -> History:
    """Gives migrations that follow each other."""
    files: list[MigrationFile] = []
    for name, steps in named:
        files.append(file(name, *steps, depends=[files[-1].name] if files else []))
    return History(files)


async def double(session: AsyncSession, models: HistoricalModels) -> None:
    """Doubles the stars."""
    for essay in await session.query(models.Essay):
        essay.stars *= 2


def data_step() -> RunSession:
    """Gives work in a session."""
    return RunSession(double, nothing)


async def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Gives the rows of a query, asked outside of sessions."""
    connection = await database.adapter.acquire(write=True)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        database.adapter.release(connection)


async def execute(database: Database, *statements: str) -> None:
    """Runs statements outside of sessions."""
    for sql in statements:
        await rows(database, sql)
