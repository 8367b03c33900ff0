"""A database that refuses to be used while it is outdated can be migrated by itself, as the refusal says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cormorant import Database, MigrationEngine, SchemaOutdated
from cormorant.migrations import History
from cormorant.migrations.drafting import draft_of
from tests.support.essays import CREATE


async def test_it_is_migrated_by_itself(database_dsn: str, tmp_path: Path) -> None:
    draft_of(History(), CREATE, app="", name=None).write(tmp_path)
    async with Database(database_dsn, on_outdated="refuse", migrations=tmp_path) as database:
        with pytest.raises(SchemaOutdated):
            await database.ping()
        assert not (await MigrationEngine(database, tmp_path).status()).is_current
        report = await MigrationEngine(database, tmp_path).migrate()
        assert report.migrations == ("0001_initial",)
        await database.ping()
