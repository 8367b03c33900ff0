"""A migration in safe form is made, written, run and taken back like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cormorant import Database, MigrationEngine
from cormorant.migrations import History, make
from cormorant.migrations.safety.lint import lint
from cormorant.migrations.safety.safe_form import safe
from cormorant.schema import snapshot as s
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.diff import diff

ID = s.Column("id", "integer", identity="by default")
VIEWS = s.Column("views", "integer", nullable=True)
AUTHOR_ID = s.Column("author_id", "integer")
AUTHOR = s.Table("author", (ID, s.Column("name", "text")), s.PrimaryKey(("id",)))
BOOK = s.Table(
    "book",
    (ID, AUTHOR_ID, VIEWS),
    s.PrimaryKey(("id",)),
    (s.ForeignKey("book_author", ("author_id",), "author", ("id",)),),
    indexes=(s.Index("ix_author", (s.IndexItem("author_id"),)),),
)
BEFORE = s.SchemaSnapshot((AUTHOR, BOOK))
LARGE = replace(ID, type="bigint")
AFTER = s.SchemaSnapshot(
    (
        replace(AUTHOR, columns=(LARGE, AUTHOR.columns[1]), uniques=(s.Unique("author_name", ("name",)),)),
        replace(
            BOOK,
            columns=(LARGE, replace(AUTHOR_ID, type="bigint"), replace(VIEWS, nullable=False, fill="0", default="0")),
            checks=(s.Check("book_views", "views >= 0"),),
            indexes=(*BOOK.indexes, s.Index("ix_views", (s.IndexItem("views"),))),
        ),
    )
)


def history_of(folder: Path) -> History:
    for wanted in (BEFORE, AFTER):
        draft = make(History.load(folder, missing_ok=True), wanted, allow_destructive=True, safe=safe)
        assert draft is not None
        draft.write(folder)
    return History.load(folder)


async def ask(database: Database, sql: str) -> list[tuple[Any, ...]]:
    connection = await database.adapter.acquire(write=True)
    found = [tuple(row) for row in await connection.fetch(sql)]
    database.adapter.release(connection)
    return found


async def test_there_and_back(database_dsn: str, tmp_path: Path) -> None:
    history = history_of(tmp_path / "migrations")
    second = history.ordered[1]
    assert [x for x in lint(second.migration.operations, history.state_before(second.key)) if x.level == "error"] == []
    async with Database(database_dsn) as database:
        engine, builder = MigrationEngine(database, history), SchemaBuilder(database)
        await engine.migrate(history.ordered[0].key)
        await ask(database, "INSERT INTO author (name) VALUES ('Ada'), ('Bea')")
        await ask(database, "INSERT INTO book (author_id, views) VALUES (1, 7), (2, NULL), (2, 9)")
        await engine.migrate()
        live = (await builder.live()).only(("author", "book"))
        assert diff(live, await builder.normalised(AFTER)) == []
        assert await ask(database, "SELECT id, author_id, views FROM book ORDER BY id") == [
            (1, 1, 7),
            (2, 2, 0),
            (3, 2, 9),
        ]
        await ask(database, "INSERT INTO author (name) VALUES ('Cleo')")
        assert await ask(database, "SELECT max(id) FROM author") == [(3,)]
        await engine.rollback(1)
        live = (await builder.live()).only(("author", "book"))
        assert diff(live, await builder.normalised(BEFORE)) == []
        assert await ask(database, "SELECT count(*) FROM book JOIN author ON author.id = author_id") == [(3,)]
