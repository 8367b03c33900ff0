from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import Database
from tests.support import households, kept_tables, newsroom


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with the empty tables of the households and the newsroom."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *households.MODELS, *newsroom.MODELS)
        yield database
