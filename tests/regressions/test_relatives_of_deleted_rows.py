"""What is left of objects whose relatives' rows go: rows that a cascade has deleted, and keys that lead nowhere."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database
from tests.support.households import MODELS, Branch, Guest, House, Lamp, Room


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


@pytest.mark.parametrize("key_only", [True, False], ids=["by key", "by both"])
async def test_what_was_set_to_a_deleted_row_again_inserted_that_anew(database_dsn: str, key_only: bool) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            house, guest = House(), Guest()
            house.guests.add(guest)
            session.add(house)
            await session.flush()
            if not key_only:
                guest.house = house
            # as it is already
            guest.house_id = house.id  # type: ignore[attr-defined]
            session.delete(house)
            await session.flush()
            assert not session.dirty
            assert guest.house_id is None  # type: ignore[attr-defined]
        async with AsyncSession(database) as session:
            assert await session.query(House).count() == 0
            assert (await session.query(Guest).one()).house_id is None  # type: ignore[attr-defined]
