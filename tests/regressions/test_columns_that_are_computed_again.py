"""A column that is computed no more is computed again on the way back, with what stands on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cormorant import Database, DestructiveMigration, MigrationEngine, SchemaBuilder
from cormorant.migrations import make
from cormorant.migrations.losses import losses_of
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff
from tests.support.essays import chain, execute, rows

PLAIN = s.Column("area", "integer", fill="0")
COMPUTED = s.Column("area", "integer", computed='"side" * "side"')
SQUARE = s.Table(
    "square",
    (s.Column("id", "bigint", identity="by default"), s.Column("side", "integer"), COMPUTED),
    s.PrimaryKey(("id",)),
    checks=(s.Check("square_area_check", '"area" >= 0'),),
    indexes=(s.Index("ix_square_area", (s.IndexItem("area"),)),),
)
FREED = op.AlterColumn("square", COMPUTED, PLAIN)
WHOLE = chain(("0001_initial", [op.CreateTable(SQUARE)]), ("0002_freed", [FREED]))


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


async def test_the_way_back_computes_again(database: Database) -> None:
    engine, builder = MigrationEngine(database, WHOLE), SchemaBuilder(database)
    await engine.migrate("0001")
    before = await builder.live()
    await execute(database, "INSERT INTO square (side) VALUES (3)")
    await engine.migrate()
    freed = await builder.live()
    await execute(database, "UPDATE square SET area = 7")
    (planned,) = (await engine.plan(down=1)).migrations
    await engine.rollback()
    assert diff(await builder.live(), before) == []
    assert await rows(database, "SELECT side, area FROM square") == [(3, 9)]
    await engine.migrate()
    assert diff(await builder.live(), freed) == []
    assert any("GENERATED" in sql for step in planned.steps for sql in step.sql)


async def test_by_hand_as_well(database: Database) -> None:
    builder = SchemaBuilder(database)
    await builder.apply([op.CreateTable(replace(SQUARE, columns=(*SQUARE.columns[:2], PLAIN)))])
    back = FREED.reverse()
    assert [loss.name for loss in losses_of([back])] == ["square.area"]
    await builder.apply([back])
    assert diff(await builder.live(), await builder.normalised(s.SchemaSnapshot((SQUARE,)))) == []


def test_its_values_may_go_by_name_and_by_no_rename() -> None:
    plain = s.SchemaSnapshot((replace(SQUARE, columns=(*SQUARE.columns[:2], PLAIN)),))
    history = chain(("0001_initial", [op.CreateTable(plain.tables[0])]))
    with pytest.raises(DestructiveMigration) as caught:
        make(history, s.SchemaSnapshot((SQUARE,)))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("square.area is computed then; if its values may go, say --drop")
    assert make(history, s.SchemaSnapshot((SQUARE,)), retired=["square.area"]) is not None
