"""S3 on SQLite: how often a unit of work hands something to the connection's thread and waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cormorant import AsyncSession, Database
from cormorant.adapters.sqlite_hops import Route
from tests.support.newsroom import MODELS, Label, Story, Writer, make_writer

Work = Callable[[Database], Awaitable[None]]


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was done in a connection's thread."""
    done: list[str] = []
    hop: Any = Route.send

    def counted(self: Route, function: Any, *args: Any) -> Any:
        done.append(function.__name__)
        return hop(self, function, *args)

    monkeypatch.setattr(Route, "send", counted)
    return done


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    async with Database(f"sqlite:///{tmp_path / 'hops.db'}?on_loop=false") as database:
        await database.create_all(*MODELS)
        yield database


async def counted(hops: list[str], database: Database, work: Work) -> int:
    """Does the same twice, and gives how many hops the second time has taken."""
    await work(database)
    hops.clear()
    await work(database)
    return len(hops)


async def test_a_get_is_one_hop(hops: list[str], database: Database) -> None:
    key = await make_writer(database)

    async def get(database: Database) -> None:
        async with AsyncSession(database) as session:
            await session.get_one(Writer, key)

    assert await counted(hops, database, get) == 1


async def test_one_new_row_and_its_commit_are_one_hop(hops: list[str], database: Database) -> None:
    async def insert(database: Database) -> None:
        async with AsyncSession(database) as session:
            session.add(Writer(name="Ada"))

    assert await counted(hops, database, insert) == 1


async def test_get_change_and_commit_are_two_hops(hops: list[str], database: Database) -> None:
    key = await make_writer(database)

    async def change(database: Database) -> None:
        async with AsyncSession(database) as session:
            (await session.get_one(Writer, key)).age += 1

    assert await counted(hops, database, change) == 2


async def test_a_hundred_parents_with_ten_children_each_are_four_hops(hops: list[str], database: Database) -> None:
    async def save(database: Database) -> None:
        async with AsyncSession(database) as session:
            for number in range(100):
                writer = Writer(name=f"w{number}")
                session.add(*(Story(title=f"{number}.{child}", writer=writer) for child in range(10)))

    # BEGIN, the parents, the children, COMMIT
    assert await counted(hops, database, save) == 4


async def test_a_thousand_changed_objects_are_one_hop(hops: list[str], database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=f"w{number}") for number in range(1000)))

    async def change(database: Database) -> None:
        async with AsyncSession(database) as session:
            for writer in await session.query(Writer):
                writer.age += 1

    # SELECT, BEGIN, the updates, COMMIT
    assert await counted(hops, database, change) == 4


async def page(session: AsyncSession) -> None:
    assert len(await session.query(Writer).order_by(Writer.id).limit(20).offset(5)) == 20


async def dictionaries(session: AsyncSession) -> None:
    assert len(await session.query(Writer).as_dicts()) == 30


async def parents_by_join(session: AsyncSession) -> None:
    assert len(await session.query(Story).select_related(Story.writer)) == 60


async def children(session: AsyncSession) -> None:
    assert len(await session.query(Writer).prefetch_related(Writer.stories)) == 30


async def links(session: AsyncSession) -> None:
    assert len(await session.query(Story).prefetch_related(Story.labels)) == 60


async def many_rows(session: AsyncSession) -> None:
    await session.query(Label).bulk_create({"name": str(uuid4())} for _ in range(1000))


@pytest.mark.parametrize(
    ("work", "most"),
    [(page, 1), (dictionaries, 1), (parents_by_join, 1), (children, 2), (links, 2), (many_rows, 3)],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_hops_do_not_depend_on_rows(
    hops: list[str], database: Database, work: Callable[[AsyncSession], Awaitable[None]], most: int
) -> None:
    label = Label(name="math")
    async with AsyncSession(database) as session:
        for writer in (Writer(name=f"w{number}") for number in range(30)):
            for story in (Story(title=f"{number}", writer=writer) for number in range(2)):
                story.labels.add(label)
                session.add(story)

    async def whole(database: Database) -> None:
        async with AsyncSession(database) as session:
            await work(session)

    assert await counted(hops, database, whole) <= most
