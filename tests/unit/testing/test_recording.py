"""RecordingAdapter: what a program sends, with a database and without."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, ConfigurationError, Database, DeadlockError, text
from cormorant.testing import Recorded, RecordingAdapter
from tests.support.newsroom import MODELS, Label, Story, Writer


async def test_statements_without_a_database() -> None:
    recording = RecordingAdapter()
    async with AsyncSession(recording) as session:
        assert await session.query(Label).filter(Label.name == "math") == []
    sql = (
        'SELECT "newsroom_label"."id", "newsroom_label"."name" FROM "newsroom_label" WHERE "newsroom_label"."name" = $1'
    )
    assert recording.recorded == [Recorded(sql, ("math",))]
    assert (recording.statements, recording.round_trips) == ([sql], 1)
    recording.clear()
    assert (recording.recorded, recording.round_trips) == ([], 0)


async def test_the_sql_is_the_dialects() -> None:
    recording = RecordingAdapter(dialect="sqlite")
    async with AsyncSession(recording) as session:
        await session.query(Label).filter(Label.name == "math").exists()
    assert "?1" in recording.statements[0]
    wrong: Any = "oracle"
    with pytest.raises(ConfigurationError, match="'oracle' is no dialect"):
        RecordingAdapter(dialect=wrong)


async def test_answers_become_objects() -> None:
    recording = RecordingAdapter()
    recording.answer('FROM "newsroom_label"', [(1, "math"), (2, "history")])
    async with AsyncSession(recording) as session:
        assert [label.name for label in await session.query(Label)] == ["math", "history"]


async def test_writes_are_answered_by_functions() -> None:
    recording = RecordingAdapter()
    recording.answer(re.compile("^(INSERT|UPDATE)"), lambda sql, args: [(7,)])
    async with AsyncSession(recording) as session:
        label = await session.create(Label, name="math")
        label.name = "maths"
    assert label.id == 7
    assert [each.sql.split()[0] for each in recording.recorded] == ["BEGIN", "INSERT", "UPDATE", "COMMIT"]
    assert [sql.split()[0] for sql in recording.statements] == ["INSERT", "UPDATE"]
    assert recording.recorded[2].args == (7, "maths")


async def test_the_newest_answer_is_given() -> None:
    recording = RecordingAdapter()
    recording.answer("SELECT", [(1, "old")])
    recording.answer("SELECT", [(1, "new")], columns=["id", "name"])
    async with AsyncSession(recording) as session:
        assert (await session.execute("SELECT * FROM labels")).dicts() == [{"id": 1, "name": "new"}]


async def test_errors_are_answers() -> None:
    recording = RecordingAdapter()
    recording.answer("SELECT", error=DeadlockError("met another"))
    with pytest.raises(DeadlockError):
        async with AsyncSession(recording) as session:
            await session.query(Label)
    assert recording.stats.in_use == 0


async def test_streams_are_answered_too() -> None:
    recording = RecordingAdapter()
    recording.answer("SELECT", [(1,), (2,), (3,)], columns=["n"])
    async with AsyncSession(recording) as session:
        seen = [row async for row in session.stream(text("SELECT n FROM numbers"), chunk=2)]
    assert [row[0] for row in seen] == [1, 2, 3]
    assert recording.statements == ["SELECT n FROM numbers"]


def test_the_repr_shows_no_argument() -> None:
    shown = repr([Recorded("SELECT $1", ("s3cr3t",)), Recorded("INSERT", (("s3cr3t",), ("s3cr3t",)), 2), Recorded("X")])
    assert shown == "[Recorded('SELECT $1', <1 arguments>), Recorded('INSERT', <2 arguments>, runs=2), Recorded('X')]"


async def test_a_database_behind_it(database_dsn: str) -> None:
    recording = RecordingAdapter(database_dsn)
    async with Database(recording) as database:
        await database.create_all(*MODELS)
        recording.clear()
        async with AsyncSession(database) as session:
            session.add(Story(title="Notes", writer=Writer(name="Ada")))
        assert [sql.split()[0] for sql in recording.statements] == ["INSERT", "INSERT"]
        recording.answer("SELECT", [("somebody",)])
        async with AsyncSession(database) as session:
            assert await session.query(Writer).scalars(Writer.name) == ["somebody"]


async def test_another_writes_into_the_same_book(tmp_path: Path) -> None:
    recording = RecordingAdapter(f"sqlite:///{tmp_path / 'test.db'}")
    other = recording.another()
    assert other is not None
    async with AsyncSession(other) as session:
        await session.execute("SELECT 1")
    assert recording.statements == ["SELECT 1"]
    await other.close()
    await recording.close()


async def test_a_connection_of_another_is_refused() -> None:
    one, other = RecordingAdapter(), RecordingAdapter()
    connection = await one.acquire()
    with pytest.raises(ConfigurationError, match="another adapter"):
        other.release(connection)
    one.release(connection)
