"""What a client sent no list for could not be shown after the commit, although a new object has nothing there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from cormorant import AsyncSession, Database
from tests.support.newsroom import MODELS, Desk, Story, Writer, sent

New: type[Any] = Writer.schema("create", relations=[Writer.stories, Writer.desk])
NewStory: type[Any] = Story.schema("create", keys=[Story.labels])
Shown: type[BaseModel] = Writer.schema("read", relations=[Writer.stories, Writer.desk])


@pytest.mark.parametrize(
    ("body", "stories", "floor"),
    [
        ({}, 0, None),
        ({"stories": [], "desk": None}, 0, None),
        ({"stories": [{"title": "One"}]}, 1, None),
        ({"desk": {"floor": 3}}, 0, 3),
    ],
    ids=str,
)
async def test_a_new_object_is_shown_with_all_that_it_has(
    database_dsn: str, body: dict[str, Any], stories: int, floor: int | None
) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            writer = New.model_validate({"name": "Ada", **body}).build()
            session.add(writer)
            await session.commit()
            before = sent(session)
            shown = Shown.model_validate(writer).model_dump()
            assert len(shown["stories"]) == stories
            assert (shown["desk"] or {}).get("floor") == floor
            assert sent(session) == before
        async with AsyncSession(database) as session:
            assert await session.query(Story).count() == stories
            assert await session.query(Desk).count() == (floor is not None)


async def test_keys_that_were_left_out_are_an_empty_list(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            await session.create(Writer, name="Ada")
            story = NewStory.model_validate({"title": "One", "writer_id": 1}).build()
            session.add(story)
            await session.commit()
            assert list(story.labels) == []
