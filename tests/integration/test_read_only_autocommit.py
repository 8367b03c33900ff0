"""A session that only reads refuses writes in autocommit mode too, where a write by query has no transaction."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, StatementError
from tests.support.newsroom import Label


@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_writes_by_query_are_refused(database: Database, verb: str) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="kept"))
    async with AsyncSession(database, autocommit=True, read_only=True) as session:
        query = session.query(Label)
        with pytest.raises(StatementError) as caught:
            await (query.delete() if verb == "delete" else query.update(Label.name.set("changed")))
        assert caught.value.code in ("25006", "SQLITE_READONLY")
        await session.rollback()
        assert await query.scalars(Label.name) == ["kept"]
