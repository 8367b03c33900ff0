"""A connection whose lease could not be made stayed lent for ever."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database
from cormorant.adapters.lending import Lending


async def test_it_is_given_back(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(*_: object, **__: object) -> None:
        raise MemoryError

    async with Database(database_dsn) as database:
        with monkeypatch.context() as patch:
            patch.setattr(Lending, "hold", hold)
            with pytest.raises(MemoryError):
                async with AsyncSession(database) as session, session.transaction():
                    await session.execute("SELECT 1", write=True)
        assert database.adapter.stats.in_use == 0
        async with AsyncSession(database) as session, session.transaction():
            await session.execute("SELECT 1", write=True)
        assert not database.lending.holders
