"""S6: what deleting an object does to the objects that point to it, in the database and in memory."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cormorant import AsyncSession, Database, FlushError, ForeignInstanceError, ForeignKeyViolation, Model
from tests.support.households import (
    Alarm,
    Branch,
    Claim,
    Colour,
    Debt,
    Guest,
    House,
    Lamp,
    Parcel,
    Room,
)
from tests.support.newsroom import Grade, Label, Story, Writer, make_story, rolled_back, sent, sql_of


async def make(database: Database, *objects: Model) -> None:
    async with AsyncSession(database) as session:
        session.add(*objects)


async def count(database: Database, model: type[Model]) -> int:
    async with AsyncSession(database) as session:
        return await session.query(model).count()


# ---- cascade


@pytest.mark.parametrize("loaded", [True, False])
async def test_cascade_takes_every_level_along(database: Database, loaded: bool) -> None:
    house = House()
    room = Room(house=house)
    await make(database, room, Lamp(room=room), Room(house=House(name="other")))
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        known: list[Any] = []
        if loaded:
            (hall,) = await mine.rooms
            known = [hall, *await hall.lamps]
        session.delete(mine)
        await session.flush()
        assert [item for item in known if item in session.identity_map] == []
        assert await session.query(Lamp).count() == 0
        assert [room.house.name for room in await session.query(Room).select_related(Room.house)] == ["other"]
    assert await count(database, House) == 1


async def test_changes_of_what_a_cascade_deletes_are_dropped(database: Database) -> None:
    house = House()
    room = Room(house=house)
    await make(database, Lamp(room=room))
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        (hall,) = await mine.rooms
        (lamp,) = await hall.lamps
        hall.name, lamp.watts = "hall", 60
        session.delete(mine)
        await session.flush()
        assert sql_of(session, "UPDATE") == []
        lamp.watts = 40
        assert [*session.new, *session.dirty, *session.deleted] == []
        await session.commit()
        assert lamp.watts == 40
        with pytest.raises(ForeignInstanceError, match="has no row"):
            session.delete(lamp)


async def test_rolling_back_a_cascade_brings_the_objects_back(database: Database) -> None:
    house = House()
    room = Room(house=house, name="hall")
    red = Colour(name="red")
    room.colours.add(red)
    await make(database, Lamp(room=room, watts=40))
    async with AsyncSession(database) as session:
        mine, red = await session.get_one(House, house.id), await session.get_one(Colour, red.id)
        (hall,) = await mine.rooms
        (lamp,) = await hall.lamps
        assert await red.rooms == [hall]
        async with rolled_back(session.transaction()):
            hall.name = "attic"
            session.delete(mine)
            await session.flush()
            assert list(red.rooms) == []
        assert await session.get(Room, hall.id) is hall
        assert (hall.name, lamp.watts, list(hall.lamps), list(mine.rooms)) == ("hall", 40, [lamp], [hall])
        assert list(red.rooms) == [hall]
        lamp.watts = 60
        await session.commit()
        assert lamp.version == 2


async def test_what_a_cascade_deletes_leaves_every_loaded_collection(database: Database) -> None:
    house, red = House(), Colour(name="red")
    room = Room(house=house)
    room.colours.add(red)
    await make(database, room)
    async with AsyncSession(database) as session:
        red = await session.get_one(Colour, red.id)
        (hall,) = await red.rooms
        session.delete(await hall.house)
        await session.flush()
        assert list(red.rooms) == []
        await session.refresh(red)
        assert await red.rooms == []


async def test_a_child_that_moves_away_first_is_saved(database: Database) -> None:
    house = House()
    await make(database, Room(house=house, name="hall"))
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        (hall,) = await mine.rooms
        hall.house = House(name="new")
        session.delete(mine)
        await session.flush()
        assert await session.get(Room, hall.id) is hall
        assert list(hall.house.rooms) == [hall]
    assert await count(database, Room) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_parents_and_children_are_deleted_in_any_order(database: Database, order: tuple[int, ...]) -> None:
    house = House()
    room = Room(house=house)
    lamp = Lamp(room=room)
    await make(database, lamp)
    async with AsyncSession(database) as session:
        objects = [
            await session.get_one(House, house.id),
            await session.get_one(Room, room.id),
            await session.get_one(Lamp, lamp.id),
        ]
        session.delete(*(objects[place] for place in order))
    assert [await count(database, model) for model in (House, Room, Lamp)] == [0, 0, 0]


async def test_what_is_deleted_together_with_its_grandparent_goes_first(database: Database) -> None:
    house = House()
    lamp = Lamp(room=Room(house=house))
    await make(database, lamp)
    async with AsyncSession(database) as session:
        # the room between them is not known, and goes by cascade
        session.delete(await session.get_one(House, house.id), await session.get_one(Lamp, lamp.id))
    assert [await count(database, model) for model in (House, Room, Lamp)] == [0, 0, 0]


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("first", [0, 2])
async def test_a_tree_is_deleted_by_its_root_and_a_leaf(database: Database, loaded: bool, first: int) -> None:
    root = Branch(name="root")
    middle = Branch(name="middle", parent=root)
    leaf = Branch(name="leaf", parent=middle)
    await make(database, leaf)
    async with AsyncSession(database) as session:
        ends = [await session.get_one(Branch, item.id) for item in (root, leaf)]
        if loaded:
            await session.get_one(Branch, middle.id)
        session.delete(*(ends if first == 0 else reversed(ends)))
        await session.flush()
        assert len(session.identity_map) == 0
    assert await count(database, Branch) == 0


async def test_a_bulk_delete_takes_loaded_children_along(database: Database) -> None:
    house = House()
    await make(database, Room(house=house), Guest(house=house))
    async with AsyncSession(database) as session:
        (hall,), (guest,) = await session.query(Room), await session.query(Guest)
        await session.get_one(House, house.id)
        hall.name = "hall"
        await session.flush()
        await session.query(House).delete()
        assert hall not in session.identity_map
        assert (guest.house_id, guest.house) == (None, None)
        assert not session.dirty


# ---- set_null, set_default


async def test_set_null_shows_without_a_query(database: Database) -> None:
    house = House()
    await make(database, Guest(name="Ada", house=house))
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        (ada,) = await mine.guests
        session.delete(mine)
        await session.flush()
        before = sent(session)
        assert (ada.house_id, ada.house, ada.name) == (None, None, "Ada")
        assert not session.dirty
        assert list(mine.guests) == []
        assert sent(session) == before
        await session.refresh(ada)
        assert ada.house_id is None


async def test_set_null_keeps_other_changes_and_rolls_back(database: Database) -> None:
    house = House()
    await make(database, Guest(name="Ada", house=house))
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        (ada,) = await mine.guests
        async with rolled_back(session.transaction()):
            ada.name = "Bob"
            session.delete(mine)
            await session.flush()
            assert (ada.name, ada.house) == ("Bob", None)
        assert (ada.name, ada.house, list(mine.guests)) == ("Ada", mine, [ada])
        ada.name = "Eve"
        session.delete(mine)
    async with AsyncSession(database) as session:
        assert [(guest.name, guest.house_id) for guest in await session.query(Guest)] == [("Eve", None)]


async def test_set_default_shows_the_default(database: Database) -> None:
    first, second = House(name="first"), House(name="second")
    async with AsyncSession(database) as session:
        session.add(first)
        await session.flush()
        session.add(second)
        await session.flush()
        assert (first.id, second.id) == (1, 2)
        session.add(Parcel(house_id=second.id))
    async with AsyncSession(database) as session:
        first, second = await session.query(House).order_by(House.id)
        assert await first.parcels == []
        (parcel,) = await second.parcels
        session.delete(second)
        await session.flush()
        before = sent(session)
        assert parcel.house is first
        assert list(first.parcels) == [parcel]
        assert not session.dirty
        assert sent(session) == before


# ---- restrict, no_action


@pytest.mark.parametrize(("model", "name"), [(Debt, "Debt.house"), (Claim, "Claim.house")])
@pytest.mark.parametrize("loaded", [True, False])
async def test_a_row_that_is_needed_stays_and_the_error_says_what_to_do(
    database: Database, model: Any, name: str, loaded: bool
) -> None:
    house = House(name="old")
    await make(database, model(house=house))
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        children = await session.query(model) if loaded else []
        mine.name = "new"
        session.delete(mine)
        with pytest.raises(ForeignKeyViolation, match="House rows are still pointed to") as caught:
            await session.flush()
        assert caught.value.hint is not None
        assert name in caught.value.hint
        assert "delete what points there" in caught.value.hint
        await session.rollback()
        assert await session.get(House, house.id) is mine
        assert mine.name == "old"
        assert [child.house for child in children] == [mine] * len(children)
        session.delete(mine, *await session.query(model))
        await session.commit()
    assert (await count(database, House), await count(database, model)) == (0, 0)


# ---- what is new


async def test_a_new_child_of_a_deleted_parent_is_refused(database: Database) -> None:
    house = House()
    await make(database, house)
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        hall = Room(house=mine)
        session.add(hall)
        session.delete(mine)
        session.reset_query_stats()
        with pytest.raises(FlushError, match=r"points by Room\.house to <House .*> *, which the same flush deletes"):
            await session.flush()
        assert sent(session) == 0
        session.delete(hall)
        await session.flush()
    assert await count(database, House) == 0


async def test_a_child_turned_to_a_deleted_parent_is_refused(database: Database) -> None:
    one, two = House(), House()
    await make(database, Guest(house=one), two)
    async with AsyncSession(database) as session:
        (guest,) = await session.query(Guest)
        gone = await session.get_one(House, two.id)
        guest.house = gone
        session.delete(gone)
        with pytest.raises(FlushError, match=r"points by Guest\.house to"):
            await session.flush()
        # the deletion is taken back
        session.add(gone)
    async with AsyncSession(database) as session:
        assert (await session.query(Guest).one()).house_id == two.id


async def test_a_child_of_a_new_object_that_was_deleted_does_not_bring_it_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        house = House()
        room = Room(house=house)
        session.add(room)
        session.delete(house)
        with pytest.raises(FlushError, match="was new and is deleted, and others still lead to it"):
            await session.flush()
        session.delete(room)
        await session.flush()
        session.add(room)
    assert await count(database, House) == 1


async def test_a_new_object_can_be_deleted_with_what_leads_to_it_in_any_order(database: Database) -> None:
    for turned in (False, True):
        async with AsyncSession(database) as session:
            house = House()
            room = Room(house=house)
            session.add(room)
            session.delete(*((room, house) if turned else (house, room)))
            assert [*session.new, *session.deleted] == []
    assert (await count(database, House), await count(database, Room)) == (0, 0)


async def test_a_link_to_a_deleted_object_is_not_made(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        label = await session.create(Label, name="l")
        story = await session.get_one(Story, key)
        assert await label.stories == []
        label.stories.add(story)
        session.delete(story)
        await session.flush()
        assert list(label.stories) == []
        await session.flush()
        assert await session.query(Story).count() == 0
        assert await label.stories.count() == 0


# ---- again and taken back


async def test_deleting_twice_is_deleting_once(database: Database) -> None:
    house = House()
    await make(database, house)
    async with AsyncSession(database) as session:
        mine = await session.get_one(House, house.id)
        session.delete(mine, mine)
        session.delete(mine)
        await session.flush()
        with pytest.raises(ForeignInstanceError, match="is deleted already"):
            session.delete(mine)


async def test_a_deleted_key_is_used_again_in_the_same_flush(database: Database) -> None:
    async with AsyncSession(database) as session:
        old = await session.create(Grade, pupil=1, course="math", points=1)
        await session.commit()
        session.delete(old)
        new = Grade(pupil=1, course="math", points=2)
        session.add(new)
        await session.flush()
        assert await session.get(Grade, (1, "math")) is new
        await session.rollback()
        assert await session.get(Grade, (1, "math")) is old
    async with AsyncSession(database) as session:
        assert (await session.query(Grade).one()).points == 1


async def test_a_deleted_one_to_one_leaves_the_other_side(database: Database) -> None:
    house = House()
    await make(database, Alarm(house=house))
    async with AsyncSession(database) as session:
        mine = await session.query(House).select_related(House.alarm).one()
        alarm = mine.alarm
        assert alarm is not None
        async with rolled_back(session.transaction()):
            session.delete(alarm)
            await session.flush()
            assert mine.alarm is None
        assert mine.alarm is alarm
        session.delete(mine)
        await session.flush()
        assert alarm not in session.identity_map


async def test_children_deleted_by_hand_leave_their_parents_collection(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        ada: Writer = await story.writer
        assert await ada.stories == [story]
        session.delete(story)
        await session.flush()
        assert list(ada.stories) == []
