"""A table that SQLite could not rebuild was told as the first step of its migration, under another name."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from cormorant import Database, MigrationEngine, MigrationFailed
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.migrations.running.scripting import offline
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from tests.support.essays import CREATE, ESSAY, chain, execute, rows

KIND = s.Enum("kind", ("a", "b"))
TITLE = ESSAY.columns[1]
MOODS = s.Table("moods", (s.Column("id", "bigint", identity="by default"),), s.PrimaryKey(("id",)))
NOT_NULL = op.AlterColumn("essay", replace(TITLE, nullable=True), replace(TITLE, nullable=False))
TO_DAY = op.AlterColumn("essay", TITLE, replace(TITLE, type="date"))
TO_NUMBER = op.AlterColumn("essay", TITLE, replace(TITLE, type="integer"))
LOOSE = (op.CreateEnum(CREATE[0].enum), op.CreateTable(replace(ESSAY, columns=(ESSAY.columns[0], NOT_NULL.before))))


async def _failed(path: Path, first: tuple[op.Operation, ...], *second: op.Operation) -> tuple[str, list[object]]:
    history = chain(("0001_initial", first), ("0002_change", (op.CreateEnum(KIND), op.CreateTable(MOODS), *second)))
    async with Database(f"sqlite:///{path / 'app.db'}") as database:
        engine = MigrationEngine(database, history)
        await engine.migrate("0001_initial")
        columns = "title" if len(first[1].table.columns) == 2 else "title, mood"  # type: ignore[attr-defined]
        value = "NULL" if columns == "title" else "'soon', 'good'"
        await execute(database, f"INSERT INTO essay ({columns}) VALUES ({value})")
        with pytest.raises(MigrationFailed) as caught:
            await engine.migrate()
        assert await rows(database, "SELECT name FROM sqlite_master WHERE name = 'moods'") == []
        return str(caught.value), [row[0] for row in await rows(database, "SELECT title FROM essay")]


async def test_the_table_that_could_not_be_rebuilt_is_named(tmp_path: Path) -> None:
    said, titles = await _failed(tmp_path, LOOSE, NOT_NULL)
    assert "stopped at step 3 of 3, rebuild table essay: NOT NULL constraint failed: essay.title" in said
    assert titles == [None]


async def test_the_column_whose_value_cannot_be_converted_is_named(tmp_path: Path) -> None:
    said, titles = await _failed(tmp_path, CREATE, TO_DAY)
    assert "step 3 of 3, rebuild table essay: a value of essay.title (row 1) cannot become date" in said
    assert "soon" not in said
    assert titles == ["soon"]


@pytest.mark.parametrize(
    ("change", "given", "kept"),
    [(TO_NUMBER, "12", 12), (TO_NUMBER, "soon", None), (TO_DAY, None, None), (TO_DAY, "2021-02-03", None)],
    ids=["plain", "no number", "nothing", "only by the program"],
)
def test_scripts_convert_what_is_plain_and_refuse_the_rest(change: op.AlterColumn, given: object, kept: object) -> None:
    change = replace(change, before=NOT_NULL.before, after=replace(change.after, nullable=True))
    history = chain(("0001_initial", LOOSE), ("0002_change", (change,)))
    dialect = SQLiteDialect()
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for sql in offline(history, dialect, None, "0001_initial"):
        connection.execute(sql)
    connection.execute("INSERT INTO essay (title) VALUES (?)", (given,))
    refused = given is not None and kept is None
    refusal = pytest.raises(sqlite3.OperationalError, match=r"essay\.title cannot become")
    with refusal if refused else nullcontext():
        for sql in offline(history, dialect, "0001_initial", None):
            connection.execute(sql)
    if refused:
        connection.execute("ROLLBACK")
    assert connection.execute("SELECT title FROM essay").fetchall() == [(given if refused else kept,)]
    connection.close()
