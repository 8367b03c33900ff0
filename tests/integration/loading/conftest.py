from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import Database
from tests.support import gallery


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """A database with a filled gallery."""
    async with Database(database_dsn) as database:
        await database.create_all(*gallery.MODELS)
        await gallery.hang(database)
        yield database
