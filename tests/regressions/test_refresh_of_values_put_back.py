"""`refresh()` refused an object whose column had been changed and changed back, though nothing would be lost."""

from __future__ import annotations

from cormorant import AsyncSession, Database
from tests.support.newsroom import MODELS, Writer, make_writer


async def test_a_value_that_was_put_back_is_no_change(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        key = await make_writer(database)
        async with AsyncSession(database) as session:
            ada = await session.get_one(Writer, key)
            ada.name = "Eve"
            ada.name = "Ada"
            await session.refresh(ada)
            assert not session.dirty
