"""Members that were added by their keys could not be read afterwards: awaiting the collection loaded nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, ForeignInstanceError, Session, ref
from tests.support.newsroom import MODELS, Label, Story, Writer, make_story, sent

NAMES = ["art", "music", "science"]


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            for name in NAMES:
                await session.create(Label, name=name)
        await make_story(database)
        yield database


@pytest.mark.parametrize("when", ["before the flush", "after the commit"])
async def test_awaiting_a_collection_loads_members_that_were_set_by_key(database: Database, when: str) -> None:
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, 1)
        await story.labels
        story.labels.set([ref(Label, 1), ref(Label, 3)])
        if when == "after the commit":
            await session.commit()
        before = sent(session)
        assert [label.name for label in await story.labels] == ["art", "science"]
        assert sent(session) == before + 1, "all members in one statement, and nothing is written before"
        assert [label.name for label in story.labels] == ["art", "science"]
        await story.labels
        assert sent(session) == before + 1
    async with AsyncSession(database) as session:
        story = await session.query(Story).prefetch_related(Story.labels).one()
        assert sorted(label.name for label in story.labels) == ["art", "science"]


async def test_objects_at_hand_are_loaded_with_members_that_were_added_by_key(database: Database) -> None:
    for _ in range(2):
        await make_story(database)
    async with AsyncSession(database) as session:
        stories = await session.query(Story).order_by(Story.id).prefetch_related(Story.labels)
        for story in stories:
            story.labels.add(ref(Label, 2), ref(Label, story.id))
        await session.commit()
        before = sent(session)
        await session.load(stories, Story.labels)
        assert sent(session) == before + 1
        names = [sorted(label.name for label in story.labels) for story in stories]
        assert names == [["art", "music"], ["music"], ["music", "science"]]


async def test_a_new_object_has_its_members_loaded_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="new", writer=ref(Writer, 1))
        story.labels.add(ref(Label, 2))
        session.add(story)
        assert [label.name for label in await story.labels] == ["music"]


async def test_members_that_are_loaded_are_not_read_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, 1)
        await story.labels
        label = await session.get_one(Label, 1)
        story.labels.add(label)
        before = sent(session)
        assert await story.labels == [label]
        assert sent(session) == before


async def test_several_references_stand_for_one_row(database: Database) -> None:
    await make_story(database)
    async with AsyncSession(database) as session:
        first, second = await session.query(Story).order_by(Story.id)
        first.labels.add(ref(Label, 1), ref(Label, 1))
        second.labels.add(ref(Label, 1))
        third = Story(title="new", writer=ref(Writer, 1), editor=ref(Writer, 1))
        third.labels.add(ref(Label, 1))
        session.add(third)
        await session.commit()
        await session.load([first, second, third], Story.labels)
        (label,) = first.labels
        assert list(second.labels) == list(third.labels) == [label]
        assert third.writer is third.editor
        await session.add_m2m(first, Story.labels, ref(Label, 2), ref(Label, 2), label)
        assert await first.labels.count() == 2


@pytest.mark.parametrize("loaded", [True, False], ids=["loaded", "not loaded"])
async def test_a_reference_takes_its_row_out(database: Database, loaded: bool) -> None:
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, 1)
        story.labels.add(ref(Label, 1), ref(Label, 2))
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, 1)
        if loaded:
            await story.labels
        story.labels.remove(ref(Label, 1), ref(Label, 3))
        assert [label.name for label in await story.labels] == ["music"]
        story.labels.remove(ref(Label, 1))
    async with AsyncSession(database) as session:
        story = await session.query(Story).prefetch_related(Story.labels).one()
        assert [label.name for label in story.labels] == ["music"]


async def test_members_that_are_set_again_are_not_changed(database: Database) -> None:
    async with AsyncSession(database) as session:
        writer = await session.get_one(Writer, 1)
        (story,) = await writer.stories
        writer.stories.set([ref(Story, 1)])
        before = sent(session)
        await session.commit()
        assert sent(session) == before
        assert list(writer.stories) == [story]


async def test_a_refused_object_takes_its_references_along(database: Database) -> None:
    async with AsyncSession(database) as session, AsyncSession(database) as other:
        foreign = await other.get_one(Label, 2)
        story = Story(title="new", writer=ref(Writer, 1))
        story.labels.add(label := ref(Label, 1), foreign)
        with pytest.raises(ForeignInstanceError):
            session.add(story)
        assert not session.new
        # it is nobody's, and may be another session's
        other.add(story)
        await other.commit()
        assert [each.name for each in await story.labels] == ["art", "music"]
        assert (await other.get_one(Label, 1)) is label


def test_a_sync_session_reads_them_together(database_dsn: str, database: Database) -> None:
    with Session(database_dsn) as session:
        story = session.get_one(Story, 1)
        list(story.labels)
        story.labels.set([ref(Label, 1), ref(Label, 3)])
        session.commit()
        assert [label.name for label in story.labels] == ["art", "science"]
