"""Objects from a SELECT of one's own, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import AsyncSession, Database, StatementError, func, text
from tests.support.newsroom import Label, Story, Writer, sql_of


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(database) as session:
        ada, bob = Writer(name="Ada", age=40), Writer(name="Bob", age=20)
        label = Label(name="long")
        for n in range(6):
            story = Story(title=f"t{n}", views=n * 10, writer=[ada, bob][n % 2])
            session.add(story)
            if n > 3:
                story.labels.add(label)
    async with AsyncSession(database) as session:
        yield session


VIEWED = "select * from stories where views > :n"


async def test_objects_come_from_it(session: AsyncSession) -> None:
    known = await session.get_one(Story, 6)
    stories = await session.query(Story).from_sql(VIEWED, {"n": 20}).order_by(Story.views.desc())
    assert [story.views for story in stories] == [50, 40, 30]
    assert known in stories
    stories[0].title = "changed"
    await session.flush()
    assert await session.query(Story).filter(Story.title == "changed").count() == 1


async def test_everything_else_goes_on(session: AsyncSession) -> None:
    raw = session.query(Story).from_sql(VIEWED, {"n": 0})
    assert await raw.count() == 5
    assert await raw.exists()
    assert not await raw.filter(Story.views > 1000).exists()
    assert await raw.filter(Story.writer.name == "Ada").scalars(Story.views).order_by(Story.id) == [20, 40]
    assert await raw.values(Story.writer.name, func.sum(Story.views)).group_by(Story.writer.name).order_by(
        Story.writer.name
    ) == [("Ada", 60), ("Bob", 90)]
    assert await raw.aggregate(func.max(Story.views)) == 50
    assert len(await raw.filter(Story.labels.any(Label.name == "long"))) == 2
    assert await raw.order_by(Story.views).limit(2).offset(1).scalars(Story.views) == [20, 30]
    story = await raw.select_related(Story.writer).prefetch_related(Story.labels).order_by(Story.id.desc()).first()
    assert story is not None
    assert (story.writer.name, [label.name for label in story.labels]) == ("Bob", ["long"])
    page = await raw.order_by(Story.writer.name).page(2)
    assert len((await raw.order_by(Story.writer.name).page(5, after=page.next)).items) == 3
    assert [row async for row in raw.scalars(Story.views).stream(2)] == [10, 20, 30, 40, 50]
    assert len(await raw.union(session.query(Story).filter(Story.views == 0))) == 6
    assert (await raw.explain()).text


async def test_tables_of_other_names_and_built_text(session: AsyncSession) -> None:
    for table in ("stories", '"stories"'):
        built = text("select * from " + table + " where views >= :n -- built")
        assert await session.query(Story).from_sql(built, {"n": 50}).count() == 1
    best = "with best as (select max(views) as m from stories) select s.* from stories s join best on s.views = best.m;"
    assert [story.views for story in await session.query(Story).from_sql(best)] == [50]


@pytest.mark.parametrize(
    "value",
    [
        7,
        2**40,
        1.5,
        "a 'text'",
        True,
        None,
        Decimal("1.50"),
        datetime(2024, 2, 29, 12, tzinfo=UTC),
        date(2024, 2, 29),
        timedelta(hours=1),
        UUID(int=7),
        b"\x00\xff",
    ],
)
async def test_values_of_every_type(session: AsyncSession, value: Any) -> None:
    written = "select * from stories where cast(:x as text) is null or cast(:x as text) is not null"
    if isinstance(value, bytes):
        written = "select * from stories where length(:x) = 2"
    assert await session.query(Story).from_sql(written, {"x": value}).count() == 6


async def test_what_is_pending_is_written_before(session: AsyncSession) -> None:
    # which tables the text reads, nobody knows
    (await session.get_one(Writer, 1)).age = 99
    of_old = "select s.* from stories s join newsroom_writer w on w.id = s.writer_id where w.age = 99"
    assert await session.query(Story).from_sql(of_old).count() == 3
    assert len(sql_of(session, "UPDATE")) == 1


async def test_a_column_that_lacks_is_the_databases_error(session: AsyncSession) -> None:
    with pytest.raises(StatementError):
        await session.query(Story).from_sql("select id, title from stories")
