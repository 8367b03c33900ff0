"""Branches that are merged by themselves: whichever a database gets first, it is what the files say in the end."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, SchemaBuilder
from cormorant.migrations import History, Migration, MigrationFile, RunSQL, Step
from cormorant.migrations.running.engine import MigrationEngine
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff

KEY = s.Column("id", "bigint", identity="by default")
MOOD, TONE = (s.Column(name, "text", nullable=True) for name in ("mood", "tone"))
ESSAY = s.Table("essay", (KEY, MOOD, s.Column("stars", "integer")), s.PrimaryKey(("id",)))
WRITER = s.Table("writer", (KEY,), s.PrimaryKey(("id",)))
FIRST = MigrationFile("", "0001_initial", None, "1", Migration([op.CreateTable(ESSAY), op.CreateTable(WRITER)]))
TO_ESSAY = s.ForeignKey("fk_note_essay_id", ("essay_id",), "essay", ("id",), "cascade")
NOTE = s.Table("note", (KEY, s.Column("essay_id", "bigint")), s.PrimaryKey(("id",)), (TO_ESSAY,))
PAIRS: dict[str, tuple[list[Step], list[Step]]] = {
    "columns": ([op.AddColumn("essay", TONE)], [op.DropColumn("essay", MOOD)]),
    "a column and a check": (
        [op.AddColumn("essay", s.Column("words", "integer", fill="7"))],
        [op.AddConstraint("essay", s.Check("ck_essay_stars", '"stars" >= 0'))],
    ),
    "another type and a name": (
        [op.AlterColumn("essay", s.Column("stars", "integer"), s.Column("stars", "bigint"))],
        [op.RenameColumn("essay", "mood", "tone")],
    ),
    "a table that points to another that changes": (
        [op.CreateTable(NOTE)],
        [op.DropColumn("essay", MOOD), op.CreateIndex("essay", s.Index("ix_stars", (s.IndexItem("stars"),)))],
    ),
    "a table that goes": ([op.DropTable(WRITER)], [op.AddColumn("essay", TONE)]),
    "SQL about another table": (
        [RunSQL("INSERT INTO writer DEFAULT VALUES", "DELETE FROM writer", tables=("writer",))],
        [op.AddConstraint("essay", s.Unique("uq_essay_mood", ("mood",)))],
    ),
}


@pytest.mark.parametrize("about", PAIRS)
async def test_the_order_does_not_matter(database_dsn: str, about: str) -> None:
    branches = [
        MigrationFile("", f"0002_{name}", None, name, Migration(steps, depends=("0001_initial",)))
        for name, steps in zip("ab", PAIRS[about], strict=True)
    ]
    whole = History([FIRST, *branches])
    async with Database(database_dsn) as database:
        builder = SchemaBuilder(database)
        for begun in branches:
            await MigrationEngine(database, History([FIRST])).migrate()
            async with AsyncSession(database) as session:
                await session.execute("INSERT INTO essay (mood, stars) VALUES ('calm', 3)")
            await MigrationEngine(database, History([FIRST, begun])).migrate()
            engine = MigrationEngine(database, whole)
            report = await engine.migrate()
            assert len(report.migrations) == 1
            live = await builder.live()
            live = live.only(table.key for table in live.tables if table.key != "cormorant_migrations")
            assert diff(live, await builder.normalised(whole.state())) == []
            async with AsyncSession(database) as session:
                assert [row[0] for row in await session.execute("SELECT stars FROM essay")] == [3]
            await engine.rollback("zero")
