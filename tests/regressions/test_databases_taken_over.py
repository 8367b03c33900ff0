"""What is made of a database that was taken over fits the models that are made of it, and the app that wanted it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cormorant import Database, MigrationEngine, SchemaBuilder
from cormorant.migrations import History, make
from cormorant.models.registry import registry
from cormorant.schema.models_source import models_source
from tests.support.essays import execute

TABLE = "CREATE TABLE essay (id integer PRIMARY KEY, title varchar(20) NOT NULL, stars integer CHECK (stars > 0))"


async def test_models_of_it_want_no_other_migration(
    database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("taken_over")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    async with Database(database_dsn) as database:
        await execute(database, TABLE, "CREATE INDEX titles ON essay (title)")
        source = models_source(await SchemaBuilder(database).live())
        await MigrationEngine(database, tmp_path / "migrations").adopt()
    with registry.isolated():
        exec(source, vars(module))
        assert make(History.load(tmp_path / "migrations"), SchemaBuilder.wanted()) is None


async def test_an_app_takes_over_tables_whose_models_are_not_there(database_dsn: str, tmp_path: Path) -> None:
    places: dict[str, Any] = {"shop": tmp_path / "shop", "blog": tmp_path / "blog"}
    places["shop"].mkdir()
    async with Database(database_dsn) as database:
        await execute(database, TABLE)
        adopted = await MigrationEngine(database, places).adopt(app="blog")
    assert (adopted.migration, adopted.tables) == ("blog/0001_initial", ("essay",))
