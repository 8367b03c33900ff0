from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import Database
from tests.support import gallery, kept_tables


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with a filled gallery."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *gallery.MODELS)
        await gallery.hang(database)
        yield database
