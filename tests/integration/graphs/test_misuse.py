"""What a session refuses: by errors that say what to do, with nothing half-written and the session usable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    CormorantError,
    Database,
    FlushError,
    ForeignInstanceError,
    KeyConflictError,
    SessionClosedError,
    StaleObjectError,
    UniqueViolation,
    WrongType,
    ref,
)
from tests.support.households import House, Room
from tests.support.newsroom import Desk, Grade, Label, Story, Ticket, Writer, make_story, make_writer, sent


async def works(session: AsyncSession) -> None:
    """Checks that a session can be used: it writes, commits and reads."""
    label = Label(name="afterwards")
    session.add(label)
    await session.commit()
    assert await session.query(Label).filter(Label.name == "afterwards").one() is label
    assert [*session.new, *session.dirty, *session.deleted] == []


def has_remedy(error: CormorantError) -> bool:
    return bool(error.hint)


# ---- other sessions


async def test_objects_of_other_sessions(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as other:
        story = await other.get_one(Story, key)
        new = Writer(name="theirs")
        other.add(new)
        async with AsyncSession(database) as session:
            uses: list[Callable[[], Any]] = [
                lambda: session.add(story),
                lambda: session.add(new),
                lambda: session.delete(story),
                lambda: session.delete(new),
                lambda: session.changes(story),
                lambda: session.add(Story(title="x", writer=new)),
            ]
            for use in uses:
                with pytest.raises(ForeignInstanceError) as caught:
                    use()
                assert has_remedy(caught.value)
            mine = await session.get_one(Story, key)
            mine.editor = new
            mine.title = "mine"
            with pytest.raises(ForeignInstanceError):
                await session.flush()
            mine.editor = None
            await works(session)
            assert mine.title == "mine"
        # the other one has lost nothing
        assert list(other.new) == [new]
    async with AsyncSession(database) as session:
        assert await session.query(Writer).filter(Writer.name == "theirs").count() == 1


async def test_a_member_of_another_session(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as other:
        label = await other.create(Label, name="theirs")
        async with AsyncSession(database) as session:
            mine = await session.get_one(Story, key)
            mine.labels.add(label)
            with pytest.raises(ForeignInstanceError):
                await session.flush()
            mine.labels.remove(label)
            await session.flush()


# ---- closed sessions


async def test_objects_after_the_end_of_their_session(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        ada = await story.writer
        assert await ada.stories == [story]
    # what was loaded can be read, and changed for a merge
    assert (story.title, story.writer.name, list(ada.stories)) == ("Notes", "Ada", [story])
    story.title = "later"
    for use in (
        lambda: len(story.labels),
        lambda: ada.desk,
        lambda: ada.stories.add(story),
        lambda: ada.stories.clear(),
        lambda: session.add(story),
        lambda: session.new,
    ):
        with pytest.raises((SessionClosedError, WrongType)) as caught:
            use()
        assert has_remedy(caught.value)
    for waiting in (story.labels, session.flush(), session.merge(story), session.refresh(story)):
        with pytest.raises(SessionClosedError) as caught:
            await waiting
        assert has_remedy(caught.value)
    assert list(ada.stories) == [story]


# ---- one key, several objects


async def test_two_new_objects_with_one_key(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two = Grade(pupil=1, course="math"), Grade(pupil=1, course="math", points=3)
        session.add(one, two)
        with pytest.raises(KeyConflictError, match=r"has the key \(1, 'math'\), and so has") as caught:
            await session.flush()
        assert has_remedy(caught.value)
        assert sent(session) == 0
        session.expunge(two)
        await works(session)
        assert await session.query(Grade).one() is one


async def test_a_new_object_with_the_key_of_a_loaded_one(database: Database) -> None:
    async with AsyncSession(database) as session:
        known = await session.create(Grade, pupil=1, course="math", points=3)
        await session.commit()
        new = Grade(pupil=1, course="math")
        session.add(new)
        with pytest.raises(KeyConflictError):
            await session.flush()
        assert await session.get(Grade, (1, "math")) is known
        session.expunge(new)
        await works(session)
        merged = await session.merge(Grade(pupil=1, course="math", points=5))
        assert (merged, known.points) == (known, 5)


async def test_a_new_object_with_the_key_of_a_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Grade(pupil=1, course="math", points=3))
    async with AsyncSession(database) as session:
        new = Grade(pupil=1, course="math")
        session.add(new)
        with pytest.raises(UniqueViolation) as caught:
            await session.flush()
        assert caught.value.hint is not None
        assert "merge" in caught.value.hint
        await session.rollback()
        assert len(session.identity_map) == 0
        await works(session)
        assert (await session.get_one(Grade, (1, "math"))).points == 3


async def test_a_key_that_is_changed_to_one_that_is_taken(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two = Grade(pupil=1, course="math"), Grade(pupil=2, course="math")
        session.add(one, two)
        await session.commit()
        two.pupil = 1
        with pytest.raises(KeyConflictError):
            await session.flush()
        await session.rollback()
        assert (one.pupil, two.pupil) == (1, 2)
        two.pupil = 3
        await works(session)
        assert await session.get(Grade, (3, "math")) is two


async def test_a_key_that_was_made_by_the_database_can_be_changed_like_any_other(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.create(Writer, name="Ada")
        await session.commit()
        ada.id = 4711
        await session.flush()
        assert await session.get(Writer, 4711) is ada
        await session.rollback()
        assert ada.id != 4711
        assert await session.get(Writer, ada.id) is ada
        ada.id = None  # type: ignore[assignment]
        with pytest.raises(CormorantError, match=r"Writer\.id: is None"):
            await session.flush()
        await session.rollback()
        await works(session)


async def test_a_reference_is_no_second_object(database: Database) -> None:
    one, two = Ticket(seat="1"), Ticket(seat="2")
    async with AsyncSession(database) as session:
        two.before = ref(Ticket, one.id)
        session.add(two)
        # the reference came first, and the row it stands for is made with it
        session.add(one)
        await session.flush()
    async with AsyncSession(database) as session:
        assert await session.query(Ticket).filter(Ticket.before.seat == "1").count() == 1


# ---- rows of others


@pytest.mark.parametrize("work", ["change", "delete"])
async def test_a_row_that_vanished(database: Database, work: str) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada, label = await session.get_one(Writer, key), Label(name="with it")
        async with AsyncSession(database) as other:
            other.delete(ref(Writer, key))
        session.add(label)
        if work == "change":
            ada.name = "Eve"
        else:
            session.delete(ada)
        with pytest.raises(StaleObjectError, match="deleted by someone else") as caught:
            await session.commit()
        assert has_remedy(caught.value)
        await session.rollback()
        # nothing of the flush is there
        assert await session.query(Label).count() == 0
        session.expunge(ada)
        await works(session)


async def test_a_row_that_was_changed_by_someone_else(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        ada = await story.writer
        async with AsyncSession(database) as other:
            theirs = await other.get_one(Story, key)
            theirs.views = 7
            (await theirs.writer).age = 9
        story.title, ada.name = "mine", "Eve"
        with pytest.raises(StaleObjectError, match="changed or deleted by someone else"):
            await session.commit()
        await session.rollback()
        assert (story.title, ada.name) == ("Notes", "Ada")
        # without a version, columns that were not changed here keep what others wrote
        ada.name = "Eve"
        await works(session)
    async with AsyncSession(database) as session:
        writer = await session.get_one(Writer, ada.id)
        assert (writer.name, writer.age) == ("Eve", 9)


# ---- relations


async def test_relations_to_the_wrong_model(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story, ada = await session.get_one(Story, key), await session.query(Writer).one()
        await session.load(ada, Writer.desk)
        wrong: Any = House()
        for use in (
            lambda: setattr(story, "writer", wrong),
            lambda: setattr(story, "writer", None),
            lambda: setattr(story, "editor", "Ada"),
            lambda: setattr(story, "labels", []),
            lambda: setattr(ada, "desk", wrong),
            lambda: story.labels.add(wrong),
            lambda: ada.stories.add(wrong),
            lambda: ada.stories.remove(wrong),
        ):
            with pytest.raises(WrongType):
                use()
        assert (story.writer, ada.desk) == (ada, None)
        assert [*session.new, *session.dirty] == []
        await works(session)


async def test_one_that_needs_its_other_side_is_not_replaced(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        desk = Desk(writer=ada)
        session.add(desk)
        await session.commit()
        assert ada.desk is desk
        with pytest.raises(WrongType, match=r"taken out of Writer\.desk: Desk\.writer cannot be None"):
            ada.desk = None
        assert (ada.desk, desk.writer) == (desk, ada)
        await works(session)


async def test_what_was_deleted_cannot_be_pointed_to(database: Database) -> None:
    async with AsyncSession(database) as session:
        house = await session.create(House)
        await session.commit()
        session.delete(house)
        session.add(Room(house=house))
        with pytest.raises(FlushError) as caught:
            await session.flush()
        assert has_remedy(caught.value)
        await session.rollback()
        await works(session)
