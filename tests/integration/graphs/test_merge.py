"""S5: `merge` takes objects from outside over into the session's own."""

from __future__ import annotations

import pickle

import pytest

from cormorant import AsyncSession, Database, FlushError, Session, StaleObjectError, WrongType, ref
from tests.support.households import Guest, House, Lamp, Order, Room
from tests.support.newsroom import Grade, Label, Memo, Story, Writer, make_story, make_writer, sent


async def closed_story(database: Database) -> Story:
    """Gives a story with its writer and labels, of a session that is closed."""
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.labels.add(Label(name="a"))
        await session.flush()
        await story.writer
        await story.labels
    return story


async def test_an_object_of_a_closed_session_is_copied_onto_the_sessions_own(database: Database) -> None:
    theirs = await closed_story(database)
    theirs.title = "changed"
    async with AsyncSession(database) as session:
        mine = await session.merge(theirs)
        assert mine is not theirs
        assert await session.get(Story, theirs.id) is mine
        assert mine.writer is not theirs.writer
        assert list(session.dirty) == [mine]
        assert await session.merge(theirs) is mine
        assert await session.merge(mine) is mine
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, theirs.id)
        assert (story.title, story.version) == ("changed", 2)
    assert theirs.version == 1


async def test_merging_what_has_not_changed_writes_nothing(database: Database) -> None:
    theirs = await closed_story(database)
    async with AsyncSession(database) as session:
        await session.merge(theirs)
        # one query for each model
        assert sent(session) == 3
        assert [*session.new, *session.dirty] == []
        session.reset_query_stats()
        await session.merge(theirs)
        await session.flush()
        assert sent(session) == 0


async def test_what_is_related_is_merged_with_it(database: Database) -> None:
    theirs = await closed_story(database)
    theirs.writer.name = "Eve"
    (label,) = theirs.labels
    label.name = "b"
    async with AsyncSession(database) as session:
        mine = await session.merge(theirs)
        assert mine.writer.name == "Eve"
        assert {item.name for item in await mine.labels} == {"b"}
    async with AsyncSession(database) as session:
        assert await session.query(Writer).scalars(Writer.name) == ["Eve"]
        assert await session.query(Label).scalars(Label.name) == ["b"]


async def test_an_unpickled_object_is_merged(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        saved = pickle.dumps(await session.get_one(Writer, key))
    theirs: Writer = pickle.loads(saved)
    theirs.age = 7
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        assert await session.merge(theirs) is ada
        assert session.changes(ada)["age"].new == 7
    async with AsyncSession(database) as session:
        assert (await session.get_one(Writer, key)).age == 7


async def test_a_new_object_without_a_row_is_copied_as_a_new_one(database: Database) -> None:
    async with AsyncSession(database) as session:
        theirs = Writer(name="Ada")
        mine = await session.merge(theirs)
        assert mine is not theirs
        assert list(session.new) == [mine]
        keyed = await session.merge(Grade(pupil=1, course="math", points=3))
        assert len(session.new) == 2
        await session.flush()
        assert await session.get(Grade, (1, "math")) is keyed
        # now there is a row
        again = await session.merge(Grade(pupil=1, course="math", points=4))
        assert (again, keyed.points) == (keyed, 4)
    async with AsyncSession(database) as session:
        assert [grade.points for grade in await session.query(Grade)] == [4]
        assert await session.query(Writer).count() == 1


async def test_a_new_graph_is_merged_as_a_whole(database: Database) -> None:
    house = House(name="new")
    room = Room(house=house, name="hall")
    room.lamps.add(Lamp(room=room, watts=40))
    async with AsyncSession(database) as session:
        mine = await session.merge(house)
        assert len(session.new) == 3
        (hall,) = mine.rooms
        assert hall.house is mine
    async with AsyncSession(database) as session:
        lamp = await session.query(Lamp).select_related(Lamp.room.house).one()
        assert (lamp.watts, lamp.room.name, lamp.room.house.name) == (40, "hall", "new")


async def test_a_new_child_of_a_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        house = await session.create(House, name="old")
    async with AsyncSession(database) as session:
        guest = await session.merge(Guest(name="Ada", house=house))
        await session.flush()
        assert guest.house is await session.get(House, house.id)
        other = await session.merge(Guest(name="Bob", house=ref(House, house.id)))
        assert other.house is guest.house
    async with AsyncSession(database) as session:
        assert await session.query(Guest).filter(Guest.house.name == "old").count() == 2


async def test_what_was_added_and_removed_outside_is_added_and_removed_here(database: Database) -> None:
    theirs = await closed_story(database)
    async with AsyncSession(database) as session:
        open_there = await session.get_one(Story, theirs.id)
        (label,) = await open_there.labels
        session.expunge(open_there, label)
    open_there.labels.remove(label)
    open_there.labels.add(Label(name="c"))
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, theirs.id)
        story.labels.add(Label(name="added by others"))
    async with AsyncSession(database) as session:
        await session.merge(open_there)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, theirs.id)
        assert {item.name for item in await story.labels} == {"c", "added by others"}


async def test_columns_that_are_not_set_are_left_alone(database: Database) -> None:
    key = await make_writer(database, age=3)
    async with AsyncSession(database) as session:
        part = await session.query(Writer).only(Writer.name).one()
    part.name = "Eve"
    async with AsyncSession(database) as session:
        mine = await session.merge(part)
        assert (mine.name, mine.age) == ("Eve", 3)
        assert await session.merge(ref(Writer, key)) is mine
        assert mine.name == "Eve"


async def test_documents_are_copied(database: Database) -> None:
    async with AsyncSession(database) as session:
        theirs = await session.create(Memo, body={"a": [1]}, words=["x"])
    theirs.body["a"].append(2)
    async with AsyncSession(database) as session:
        mine = await session.merge(theirs)
        theirs.body["a"].append(3)
        assert mine.body == {"a": [1, 2]}
        assert list(session.changes(mine)) == ["body"]
    async with AsyncSession(database) as session:
        assert (await session.query(Memo).one()).body == {"a": [1, 2]}


async def test_an_older_version_is_refused_and_nothing_is_copied(database: Database) -> None:
    theirs = await closed_story(database)
    theirs.title, theirs.writer.name = "mine", "Eve"
    async with AsyncSession(database) as session:
        (await session.get_one(Story, theirs.id)).views = 9
    async with AsyncSession(database) as session:
        with pytest.raises(StaleObjectError, match="was read with version 1, and its row has version 2 by now"):
            await session.merge(theirs)
        assert [*session.new, *session.dirty] == []
        session.delete(await session.get_one(Story, theirs.id))
        with pytest.raises(FlushError, match="going to be deleted"):
            await session.merge(Story(id=theirs.id, title="x", writer=theirs.writer))
        await session.flush()
        with pytest.raises(StaleObjectError, match="its row is gone"):
            await session.merge(theirs)


async def test_only_models_are_merged(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(WrongType, match="merge\\(\\) takes a model instance"):
            await session.merge("Ada")  # type: ignore[type-var]
        assert not session.new


def test_the_sync_face_merges_too(database: Database) -> None:
    with Session(database) as session:
        theirs = session.create(Order, name="old")
    theirs.name = "new"
    with Session(database) as session:
        mine = session.merge(theirs)
        assert (session.changes(mine)["name"].old, session.changes(mine)["name"].new) == ("old", "new")
    with Session(database) as session:
        assert session.query(Order).one().name == "new"
