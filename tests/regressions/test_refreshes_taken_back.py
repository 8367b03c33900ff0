"""A value was set to what it was, the row was read again, and a rollback gave back what the object had shown before."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database
from tests.support import museum
from tests.support.museum import Room


@pytest.mark.parametrize("flushed", [True, False])
async def test_a_rollback_takes_no_refresh_back_of_what_was_not_changed(database_dsn: str, flushed: bool) -> None:
    async with Database(database_dsn) as db:
        await db.create_all(*museum.MODELS)
        async with AsyncSession(db) as session:
            room = Room(tag=1, name="hall")
            session.add(room)
            await session.commit()
            room.inside = None
            room.name = "hall"
            if flushed:
                await session.flush()
            async with AsyncSession(db) as other:
                (await other.query(Room).one()).name = "tower"
            await session.refresh(room)
            await session.rollback()
            assert (room.name, room.version) == ("tower", 2)
            # and the version is the one that the row has
            room.name = "cellar"
        async with AsyncSession(db) as session:
            assert (await session.query(Room).one()).name == "cellar"
