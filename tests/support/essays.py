"""Migrations of a table of essays, one of each kind, as values."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cormorant import AsyncSession, Database
from cormorant.migrations import (
    Backfill,
    HistoricalModels,
    History,
    Migration,
    MigrationFile,
    RunSession,
    RunSQL,
    Step,
    nothing,
)
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


async def fill_one_by_one(session: AsyncSession, models: HistoricalModels) -> None:
    """Writes slugs, each in a transaction of its own."""
    for essay in await session.query(models.Essay).filter(slug=None).order_by(models.Essay.id):
        essay.slug = f"slug of {essay.title}"
        await session.commit()


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


async def reached(event: asyncio.Event, task: asyncio.Task[Any]) -> None:
    """Waits for an event, which a task sets; the task's error is raised if it ends before."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await task


@dataclass(frozen=True)
class Kind:
    """A kind of migration, of a database with three essays.

    Args:
        history: The first migration makes the table, the second is of that kind.
        query: Asks for the rows afterwards.
        expected: What it gives.
        reversible: Its way back brings back all that counts.
    """

    history: History
    query: str
    expected: list[tuple[Any, ...]]
    reversible: bool = True


def _kind(*steps: Step, query: str, values: Sequence[Any], reversible: bool = True) -> Kind:
    expected = [(f"essay {n}", values[n]) for n in range(3)]
    return Kind(chain(("0001_initial", CREATE), ("0002_second", steps)), f"{query} ORDER BY id", expected, reversible)


NOTE = s.Table("note", (ID, s.Column("essay_id", "bigint")), s.PrimaryKey(("id",)))
OF_ESSAY = s.ForeignKey("note_essay_id_fkey", ("essay_id",), "essay", ("id",), on_delete="cascade")
WIDE = s.Column("title", "varchar(200)")
ODD = s.Enum("mood", ("good", "odd", "bad"))
SPARE = s.Column("spare", enum_type("mood"), default="'odd'", fill="'odd'")
SLUG = s.Column("slug", "text", nullable=True)

KINDS: dict[str, Kind] = {
    "create": _kind(
        op.CreateTable(NOTE),
        op.AddConstraint("note", OF_ESSAY),
        RunSQL("INSERT INTO note (essay_id) SELECT id FROM essay ORDER BY id", "", tables=("note",)),
        query="SELECT title, (SELECT count(*) FROM note WHERE essay_id = essay.id) FROM essay",
        values=[1, 1, 1],
    ),
    "fill": _kind(
        op.AddColumn("essay", STARS),
        op.AddConstraint("essay", POSITIVE),
        query="SELECT title, stars FROM essay",
        values=[3, 3, 3],
    ),
    "rebuild": _kind(
        op.AlterColumn("essay", ESSAY.columns[1], WIDE, using="upper(title) || title"),
        query="SELECT lower(substr(title, 8)), length(title) FROM essay",
        values=[14, 14, 14],
        reversible=False,
    ),
    "index": _kind(
        op.CreateIndex("essay", TITLES, concurrently=True),
        op.AddColumn("essay", STARS),
        op.CreateIndex("essay", s.Index("essay_stars", (s.IndexItem("stars"), s.IndexItem("id")), unique=True), True),
        query="SELECT title, stars FROM essay",
        values=[3, 3, 3],
    ),
    "enum": _kind(
        op.AlterEnum(MOOD, ODD, (("essay", ESSAY.columns[2]),)),
        op.AddColumn("essay", SPARE),
        query="SELECT title, spare FROM essay",
        values=["odd", "odd", "odd"],
    ),
    "data": _kind(
        op.AddColumn("essay", STARS),
        data_step(),
        data_step(),
        query="SELECT title, stars FROM essay",
        values=[12, 12, 12],
    ),
    "backfill": _kind(
        op.AddColumn("essay", SLUG),
        Backfill("essay", (("slug", "'slug of ' || title"),), batch=1),
        op.AlterColumn("essay", SLUG, replace(SLUG, nullable=False)),
        query="SELECT title, slug FROM essay",
        values=[f"slug of essay {n}" for n in range(3)],
    ),
    "commits": _kind(
        op.AddColumn("essay", SLUG),
        RunSession(fill_one_by_one, nothing, outside=True),
        query="SELECT title, slug FROM essay",
        values=[f"slug of essay {n}" for n in range(3)],
    ),
}
