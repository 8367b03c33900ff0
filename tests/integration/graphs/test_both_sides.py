"""S6, S8: both sides of a relation say the same in memory, before anything is written, and again after a rollback."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import AsyncSession, Database, UniqueViolation, ref
from tests.support.households import Alarm, Branch, Colour, Guest, House, Line, Order, Room
from tests.support.newsroom import Desk, Folder, Writer, rolled_back, sent


async def two_houses(session: AsyncSession) -> tuple[House, House, Room]:
    """Gives a house with a loaded room, and an empty one, both with loaded rooms."""
    session.add(Room(house=House(name="one"), name="hall"), House(name="two"))
    await session.commit()
    session.clear()
    one, two = await session.query(House).order_by(House.name)
    (hall,), others = await one.rooms, await two.rooms
    assert others == []
    return one, two, hall


async def test_setting_a_relation_moves_its_object_between_loaded_collections(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, hall = await two_houses(session)
        before = sent(session)
        hall.house = two
        assert (list(one.rooms), list(two.rooms)) == ([], [hall])
        new = Room(house=two, name="new")
        # nobody knows yet whether it will be saved
        assert list(two.rooms) == [hall]
        session.add(new)
        assert list(two.rooms) == [hall, new]
        new.house = one
        assert (list(one.rooms), list(two.rooms)) == ([new], [hall])
        assert sent(session) == before
        await session.flush()
        assert (list(one.rooms), list(two.rooms)) == ([new], [hall])
        await session.refresh(one, two)
        assert (await one.rooms, await two.rooms) == ([new], [hall])


@pytest.mark.parametrize("flush", [True, False])
@pytest.mark.parametrize("outermost", [True, False])
async def test_a_rollback_puts_both_sides_back(database: Database, flush: bool, outermost: bool) -> None:
    async with AsyncSession(database) as session:
        one, two, hall = await two_houses(session)
        new = Room(house=one, name="new")

        async def work() -> None:
            hall.house = two
            session.add(new)
            if flush:
                await session.flush()
            new.house = two
            assert (list(one.rooms), list(two.rooms)) == ([], [hall, new])

        if outermost:
            await work()
            await session.rollback()
        else:
            async with rolled_back(session.transaction()):
                await work()
        assert (list(one.rooms), list(two.rooms)) == ([hall], [])
        assert hall.house is one
        assert [*session.new, *session.dirty] == []
        await session.commit()
    async with AsyncSession(database) as session:
        assert (await session.query(Room).one()).house_id == one.id


@pytest.mark.parametrize("flush", [True, False])
async def test_a_new_owner_shows_nothing_after_a_rollback(database: Database, flush: bool) -> None:
    async with AsyncSession(database) as session:
        one, _, hall = await two_houses(session)
        three = House(name="three")
        async with rolled_back(session.transaction()):
            session.add(three)
            hall.house = three
            if flush:
                await session.flush()
            assert list(three.rooms) == [hall]
        assert list(one.rooms) == [hall]
        assert list(three.rooms) == []
        session.add(three)
        await session.flush()
        assert hall.house_id == one.id


async def test_a_collection_sets_its_members_side(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, hall = await two_houses(session)
        two.rooms.add(hall)
        assert hall.house is two
        assert list(one.rooms) == []
        ada = Guest(name="Ada")
        assert await one.guests == []
        one.guests.add(ada)
        assert ada.house is one
        one.guests.remove(ada)
        assert (ada.house, ada.house_id) == (None, None)


async def test_a_key_that_is_set_moves_its_object_when_it_is_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, hall = await two_houses(session)
        hall.house_id = two.id
        assert hall.house is two
        await session.flush()
        assert (list(one.rooms), list(two.rooms)) == ([], [hall])


async def test_a_key_that_is_set_after_none_leads_to_its_object(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, _, _ = await two_houses(session)
        ada = Guest(name="Ada")
        session.add(ada)
        ada.house = None
        ada.house_id = one.id
        assert ada.house is one


async def test_both_sides_of_one_to_one(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, _ = await two_houses(session)
        for house in (one, two):
            await session.load(house, House.alarm)
        alarm = Alarm(house=one)
        session.add(alarm)
        assert (one.alarm, two.alarm) == (alarm, None)
        await session.commit()
        alarm.house = two
        assert (one.alarm, two.alarm) == (None, alarm)
        await session.rollback()
        assert (one.alarm, two.alarm, alarm.house) == (alarm, None, one)
        two.alarm = alarm
        assert (one.alarm, alarm.house) == (None, two)
        await session.commit()
    async with AsyncSession(database) as session:
        assert (await session.query(Alarm).one()).house_id == two.id


async def test_who_was_shown_by_one_to_one_makes_way(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, _ = await two_houses(session)
        a, b = Alarm(house=one), Alarm(house=two)
        session.add(a, b)
        await session.commit()
        for house in (one, two):
            await session.load(house, House.alarm)
        a.house = two
        assert (b.house, one.alarm, two.alarm) == (None, None, a)
        b.house = one
        assert (one.alarm, two.alarm) == (b, a)
        await session.rollback()
        assert (one.alarm, two.alarm, a.house, b.house) == (a, b, one, two)


async def test_one_that_cannot_make_way_is_refused_by_the_database(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(Desk(writer=ada))
        await session.commit()
        session.add(Desk(writer=ada))
        with pytest.raises(UniqueViolation):
            await session.flush()
        await session.rollback()
        assert await session.query(Desk).count() == 1


async def test_both_sides_of_many_to_many(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, _, hall = await two_houses(session)
        red = Colour(name="red")
        session.add(red)
        await session.flush()
        assert (await hall.colours, await red.rooms) == ([], [])
        async with rolled_back(session.transaction()):
            hall.colours.add(red)
            assert list(red.rooms) == [hall]
            await session.flush()
            red.rooms.remove(hall)
            assert list(hall.colours) == []
        assert (list(hall.colours), list(red.rooms)) == ([], [])
        red.rooms.add(hall)
        assert list(hall.colours) == [red]
        assert one is hall.house


@pytest.mark.parametrize("model", [Folder, Branch])
async def test_both_sides_of_a_relation_to_the_same_table(
    database: Database, model: type[Folder] | type[Branch]
) -> None:
    async with AsyncSession(database) as session:
        root, leaf = model(name="root"), model(name="leaf")
        session.add(root, leaf)
        await session.flush()
        mine = root.children if isinstance(root, Folder) else root.branches
        assert await mine == []
        leaf.parent = root  # type: ignore[assignment]
        assert list(mine) == [leaf]
        await session.flush()
        async with rolled_back(session.transaction()):
            mine.remove(leaf)  # type: ignore[arg-type]
            assert leaf.parent is None
            # it may lead to itself
            leaf.parent = leaf  # type: ignore[assignment]
            await session.flush()
            assert leaf.parent is leaf
        assert (leaf.parent, list(mine)) == (root, [leaf])


async def test_reading_never_dirties(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, hall = await two_houses(session)
        for house in (one, two):
            await session.load(house, House.alarm)
            assert house.alarm is None
            assert [*house.rooms] == await house.rooms
            assert (await house.guests, len(house.guests), hall in house.guests) == ([], 0, False)
        assert hall.house is one
        assert (await hall.colours, await hall.lamps) == ([], [])
        assert [*session.new, *session.dirty, *session.deleted] == []
        session.reset_query_stats()
        await session.flush()
        assert sent(session) == 0


async def test_an_object_outside_of_the_session_is_shown_by_nobody(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, _, hall = await two_houses(session)
        Room(house=one, name="never saved")
        Room(house=ref(House, one.id), name="neither")
        assert list(one.rooms) == [hall]
        new = Room(house=one, name="new")
        session.add(new)
        session.expunge(new)
        assert list(one.rooms) == [hall]
        session.add(new)
        session.delete(new)
        assert list(one.rooms) == [hall]


async def test_a_new_member_that_moves_before_it_is_saved_is_saved_there(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, _ = await two_houses(session)
        # nothing but the collections leads to them
        ada, bob = Guest(name="Ada"), Guest(name="Bob")
        one.guests.add(ada, bob)
        ada.house = two
        bob.house = None
        await session.flush()
        assert (ada.house, await two.guests) == (two, [ada])
        # it was nobody's any more
        assert await one.guests == []
        assert await session.query(Guest).all() == [ada]


async def test_a_new_member_is_taken_out_and_put_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        order = await session.create(Order)
        await order.lines
        line = Line(order=order)
        for _ in range(2):
            order.lines.add(line)
            order.lines.remove(line)
        order.lines.add(line)
        await session.flush()
        assert await session.query(Line).all() == [line]


async def test_a_new_member_is_deleted_before_it_is_saved(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, _, hall = await two_houses(session)
        new = Room(house=one)
        one.rooms.add(new)
        session.delete(new)
        assert list(one.rooms) == [hall]
        await session.flush()
        assert await session.query(Room).all() == [hall]


async def test_what_is_set_while_a_commit_is_on_its_way_can_be_rolled_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, hall = await two_houses(session)
        one.name = "changed"
        await session.flush()
        committing = asyncio.create_task(session.commit())
        await asyncio.sleep(0)
        # after the flush of the commit, before its end is known
        hall.house = two
        new = Room(house=two)
        session.add(new)
        await committing
        assert (list(one.rooms), list(two.rooms)) == ([], [hall, new])
        await session.rollback()
        assert (hall.house, list(one.rooms), list(two.rooms)) == (one, [hall], [])
        assert one.name == "changed"
