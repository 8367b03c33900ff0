from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, QuerySet
from tests.support import kept_tables
from tests.support.oracle.shop import MODELS, Note, Person, add_rows


@pytest.fixture
async def session(database_dsn: str, keeps_tables: None) -> AsyncIterator[AsyncSession]:
    """A session on a database with the rows that random queries ask for, too."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS.values())
        await add_rows(database)
        async with AsyncSession(database) as session:
            yield session


@pytest.fixture
def people(session: AsyncSession) -> QuerySet[Person]:
    return session.query(Person)


@pytest.fixture
def notes(session: AsyncSession) -> QuerySet[Note]:
    return session.query(Note)
