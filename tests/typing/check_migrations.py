"""A migration's file and what makes one. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from typing import assert_type

from cormorant import AsyncSession, DestructiveMigration, Mapped, Model, SchemaBuilder, generated, retired
from cormorant.migrations import (
    Draft,
    HistoricalModels,
    History,
    Migration,
    MigrationFile,
    RunSession,
    RunSQL,
    make,
    nothing,
    squash,
)
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op


class Leaflet(Model):
    id: Mapped[int] = generated(primary_key=True)
    subtitle = retired()


class Pamphlet(Model, table="pamphlets", retired=True): ...


Leaflet(subtitle="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def forward(session: AsyncSession, models: HistoricalModels) -> None:
    for essay in await session.query(models.Essay).filter(models.Essay.stars > 3):
        essay.stars = 3
    await session.query(models["essay"]).delete()


def backward(session: AsyncSession, models: HistoricalModels) -> None: ...


migration = Migration(
    depends=("0001_initial",),
    operations=[
        op.AddColumn("essay", s.Column("stars", "integer", fill="3")),
        RunSQL("ANALYZE essay", ""),
        RunSQL({"postgresql": "ANALYZE essay"}, ["a", "b"], tables=("essay",)),
        RunSession(forward, nothing),
    ],
)
Migration([1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
RunSession(backward)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def made(history: History) -> None:
    assert_type(make(history, SchemaBuilder.wanted(Leaflet)), Draft | None)
    assert_type(squash(history, "0002"), Draft)
    assert_type(history["0001"], MigrationFile)
    assert_type(history.state("0001"), s.SchemaSnapshot)
    assert_type(DestructiveMigration([]).losses[0].rows, int | None)
