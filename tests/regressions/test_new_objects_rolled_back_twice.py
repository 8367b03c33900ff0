"""An object that was added, read in a block that was rolled back, and rolled back itself, had lost its values."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database
from tests.support.newsroom import MODELS, Label, Writer


@pytest.mark.parametrize("blocks", [1, 2])
async def test_an_object_that_is_new_again_has_the_values_it_was_made_with(database_dsn: str, blocks: int) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            ada = Writer(name="Ada", age=36)
            session.add(ada)
            await session.flush()
            with pytest.raises(ZeroDivisionError):
                await fail(session, blocks)
            await session.rollback()
            assert (ada.name, ada.age, ada.email) == ("Ada", 36, None)
            session.add(ada)
        async with AsyncSession(database) as session:
            (found,) = await session.query(Writer)
            assert (found.name, found.age) == ("Ada", 36)


async def fail(session: AsyncSession, blocks: int) -> None:
    async with session.transaction():
        if blocks > 1:
            await fail(session, blocks - 1)
        session.add(Label(name="new"))
        await session.query(Label)
        await session.query(Writer)
        raise ZeroDivisionError
