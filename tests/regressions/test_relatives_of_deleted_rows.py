"""A row that a cascade had deleted before its own DELETE was taken for one that somebody else had deleted."""

from __future__ import annotations

from cormorant import AsyncSession, Database
from tests.support.households import MODELS, Branch, House, Lamp, Room


async def test_a_grandchild_was_deleted_after_its_grandparent(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            lamp = Lamp(room=Room(house=House()))
            session.add(lamp)
            await session.flush()
            house = lamp.room.house
            session.clear()
            # the room between the two is not known here
            session.delete(await session.get_one(House, house.id), await session.get_one(Lamp, lamp.id))
            await session.flush()
            assert await session.query(Lamp).count() == 0


async def test_a_changed_child_was_written_after_its_parent_had_taken_it_along(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            leaf = Branch(name="leaf", parent=Branch(name="root"))
            session.add(leaf)
            await session.commit()
            session.delete(leaf.parent)
            await session.flush()
            leaf.name = "changed"
            await session.commit()
            assert await session.query(Branch).count() == 0
