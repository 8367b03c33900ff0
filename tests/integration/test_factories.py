"""Factories: objects with random values, saved in the current session."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID, uuid4

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, Session, field
from tests.support.newsroom import Desk, Folder, Label, Story, Ticket, Writer

pytest.importorskip("polyfactory", reason="polyfactory is not installed; pip install 'cormorant[test]'")

from annotated_types import Ge, Le

from cormorant.testing.factories import ModelFactory


class WriterFactory(ModelFactory[Writer]): ...


class StoryFactory(ModelFactory[Story]): ...


class LabelFactory(ModelFactory[Label]): ...


class Sample(Model, app="factories"):
    id: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    code: Mapped[str] = field(max_length=4)
    letters: Mapped[str] = field(pattern="^[a-f]{3}$")
    size: Mapped[int] = field(ge=3, le=5)
    grade: Mapped[Annotated[int, Ge(1), Le(2)]]
    price: Mapped[Decimal] = field(precision=6, decimal_places=2)
    state: Mapped[str] = field(choices=["new", "old"])
    kind: Mapped[Literal["a", "b"]]
    moment: Mapped[datetime]
    flag: Mapped[bool]
    note: Mapped[str | None]
    tags: Mapped[list[str]]


class SampleFactory(ModelFactory[Sample]): ...


async def test_objects_are_saved_with_what_they_need(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = await StoryFactory.create_async(title="Notes")
        assert (story.title, story.views, story.editor) == ("Notes", 0, None)
        assert story.writer.id is not None
        stories = await StoryFactory.create_batch_async(3, writer=story.writer)
        assert await session.query(Story).filter(Story.writer.id == story.writer.id).count() == 4
        assert len({each.id for each in stories}) == 3
        assert await session.query(Writer).count() == 1


async def test_a_batch_is_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.reset_query_stats()
        await LabelFactory.create_batch_async(5)
        assert [stats.rows for stats in session.query_stats() if stats.sql.startswith("INSERT")] == [5]


async def test_factories_may_name_what_the_model_has_a_default_for(database: Database) -> None:
    class Popular(ModelFactory[Story]):
        views = 1000

        @classmethod
        def title(cls) -> str:
            return "made by the factory"

    async with AsyncSession(database):
        story = await Popular.create_async(editor=WriterFactory.build(name="Eve"))
        assert (story.views, story.title) == (1000, "made by the factory")
        assert story.editor is not None
        assert story.editor.name == "Eve"


async def test_values_keep_to_the_columns_limits(database: Database) -> None:
    await database.drop_all(Sample)
    await database.create_all(Sample)
    async with AsyncSession(database) as session:
        # validation would refuse what does not
        for sample in await SampleFactory.create_batch_async(30):
            assert len(sample.code) <= 4
            assert 3 <= sample.size <= 5
            assert sample.grade in (1, 2)
            assert sample.state in ("new", "old")
        assert await session.query(Sample).count() == 30
    await database.drop_all(Sample)


def test_objects_that_are_only_built() -> None:
    desk = ModelFactory.create_factory(Desk).build()
    assert (desk.floor, isinstance(desk.writer, Writer)) == (1, True)
    assert ModelFactory.create_factory(Folder).build().parent is None
    assert isinstance(ModelFactory.create_factory(Ticket).build().id, UUID)


async def test_a_session_of_its_own(database: Database) -> None:
    def make() -> int:
        with Session(database) as session:

            class Labels(ModelFactory[Label]):
                __sync_session__ = session

            Labels.create_sync(name="one")
            Labels.create_batch_sync(2)
            return session.query(Label).count()

    assert await asyncio.to_thread(make) == 3
    async with AsyncSession(database) as session:

        class Named(ModelFactory[Label]):
            __async_session__ = session

        await Named.create_async(name="two")
        assert await session.query(Label).count() == 4
