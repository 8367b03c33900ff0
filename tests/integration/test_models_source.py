"""Databases that others have made become models, which make the same tables.

What is written is kept in `tests/typing/introspected`, where type checkers look at it; `CORMORANT_RECORD_MODELS=1` has
it written anew.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from cormorant import AsyncSession, Database
from cormorant.models.registry import registry
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.json_form import snapshot_from_json, snapshot_to_json
from cormorant.schema.models_source import models_source
from tests.support.essays import execute

SQL = Path(__file__).parent / "schema_sql"
WRITTEN = Path(__file__).parents[1] / "typing" / "introspected"
SCHEMAS = ("rental", "forge", "academy", "orchard")


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name == "orchard" else pytest.mark.postgresql) for name in SCHEMAS]
)
async def described(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, Database]]:
    """A database with one of the schemas."""
    script = (SQL / f"{request.param}.sql").read_text()
    if request.param == "orchard":
        dsn = f"sqlite:///{tmp_path / 'orchard.db'}"
        with sqlite3.connect(tmp_path / "orchard.db") as raw:
            raw.executescript(script)
        raw.close()
    else:
        dsn = request.getfixturevalue("postgres_database")
        connection = await asyncpg.connect(dsn)
        await connection.execute(script)
        await connection.close()
    async with Database(dsn) as database:
        yield request.param, database


@contextmanager
def module_of(source: str) -> Iterator[ModuleType]:
    """Runs a module of models."""
    made = ModuleType("models_of_a_database")
    sys.modules[made.__name__] = made
    with registry.isolated():
        exec(compile(source, made.__name__, "exec"), vars(made))
        yield made
    del sys.modules[made.__name__]


async def test_its_models_make_the_same_tables(described: tuple[str, Database]) -> None:
    name, database = described
    builder = SchemaBuilder(database)
    live = await builder.live()
    assert snapshot_from_json(snapshot_to_json(live)) == live
    source = models_source(live)
    with module_of(source) as models:
        assert [operation.describe() for operation in await builder.difference()] == []
        assert not [line for line in source.splitlines() if "not here" in line and "the view" not in line]
        await _used(name, database, models)
    kept = WRITTEN / f"{name}.py"
    if os.environ.get("CORMORANT_RECORD_MODELS"):
        kept.write_text(source)
    assert source == kept.read_text()


async def _used(name: str, database: Database, models: Any) -> None:
    """The models are of use: rows go in and come out, along relations."""
    async with AsyncSession(database) as session:
        if name == "rental":
            film = models.Film(title="Nosferatu", language=models.Language(name="German"))
            film.actors.add(models.Actor(name="Max Schreck"))
            session.add(film)
            await session.flush()
            query = session.query(models.Film).filter(models.Film.language.name == "German")
            assert [found.title for found in await query] == ["Nosferatu"]
            assert await session.query(models.Film).filter(models.Film.actors.any()).count() == 1
            await session.rollback()
        if name == "orchard":
            worker = models.Worker(name="Ada")
            session.add(worker)
            await session.flush()
            assert worker.hired.tzinfo is not None
            await session.rollback()


async def test_a_key_numbered_by_a_sequence_of_its_own_keeps_its_size(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await execute(
            database,
            "CREATE SEQUENCE numbers",
            "CREATE TABLE tree (id int DEFAULT nextval('numbers') PRIMARY KEY, n int DEFAULT nextval('numbers'))",
            "CREATE TABLE apple (id bigint DEFAULT nextval('numbers') PRIMARY KEY, tree_id integer REFERENCES tree)",
        )
        builder = SchemaBuilder(database)
        with module_of(models_source(await builder.live())):
            assert [operation.describe() for operation in await builder.difference()] == []
