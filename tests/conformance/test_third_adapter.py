"""An adapter made by somebody else, with the contract of docs/adapters.md alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Session
from cormorant.adapters.base import Adapter, Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.errors import UniqueViolation
from cormorant.testing.conformance import AdapterConformance
from tests.support.newsroom import MODELS, Label, Story, Writer, rolled_back
from tests.support.third_adapter import ThreadAdapter, ThreadConnection

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT signal() UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


class TestThirdAdapter(AdapterConformance):
    placeholder = "?"
    data_error = "SELECT abs(-9223372036854775807 - 1)"

    @pytest.fixture
    def config(self, tmp_path: Path) -> ConnectionConfig:
        return ConnectionConfig(scheme="sqlite", path=str(tmp_path / "test.db"))

    def make_adapter(self, config: ConnectionConfig) -> Adapter:
        made: Adapter = ThreadAdapter(config)
        return made

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        assert isinstance(connection, ThreadConnection)
        loop, running = asyncio.get_running_loop(), asyncio.Event()

        def signal() -> int:
            loop.call_soon_threadsafe(running.set)
            return 0

        connection.raw.create_function("signal", 0, signal)
        task: asyncio.Task[Any] = asyncio.ensure_future(connection.fetch(ENDLESS))
        await running.wait()
        return task


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    config = ConnectionConfig(scheme="sqlite", path=str(tmp_path / "test.db"))
    async with Database(ThreadAdapter(config)) as database:
        await database.create_all(*MODELS)
        yield database


async def test_objects_are_written_and_read(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada", email="ada@example.org")
        notes = Story(title="Notes", writer=ada)
        notes.labels.add(Label(name="math"), Label(name="history"))
        session.add(notes, Story(title="A letter", writer=ada))
    async with AsyncSession(database) as session:
        stories = await session.query(Story).filter(Story.writer.name == "Ada").order_by(Story.title)
        assert [story.title for story in stories] == ["A letter", "Notes"]
        assert sorted(label.name for label in await stories[1].labels) == ["history", "math"]
        assert (await stories[0].writer).email == "ada@example.org"
        stories[0].views += 3
        await session.add_m2m(stories[0], Story.labels, Label(name="post"))
    async with AsyncSession(database) as session:
        query = session.query(Story).order_by(Story.title)
        assert await query.values(Story.title, Story.views, Story.labels.count()) == [
            ("A letter", 3, 1),
            ("Notes", 0, 2),
        ]


async def test_transactions_nest_and_roll_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        async with session.transaction():
            session.add(Label(name="kept"))
            with pytest.raises(UniqueViolation):
                async with session.transaction():
                    session.add(Label(name="lost"), Label(name="kept"))
        assert await session.query(Label).scalars(Label.name) == ["kept"]
    async with rolled_back(AsyncSession(database)) as session:
        await session.create(Label, name="never")
    assert await database.run(count) == 1
    assert database.adapter.stats.in_use == 0


async def count(session: AsyncSession) -> int:
    return await session.query(Label).count()


async def test_rows_come_in_streams_and_pages(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Label).bulk_create({"name": f"label {number}"} for number in range(25))
        seen = [label.name async for label in session.query(Label).order_by(Label.id).stream(chunk=10)]
        assert seen == [f"label {number}" for number in range(25)]
        first = await session.query(Label).order_by(Label.id).page(20)
        assert len(await session.query(Label).order_by(Label.id).page(20, after=first.next)) == 5


def test_sync_sessions_work_too(tmp_path: Path) -> None:
    database = Database(ThreadAdapter(ConnectionConfig(scheme="sqlite", path=str(tmp_path / "test.db"))))
    asyncio.run(database.create_all(*MODELS))
    with Session(database) as session:
        session.add(Story(title="Notes", writer=Writer(name="Ada")))
    with Session(database) as session:
        assert [story.writer.name for story in session.query(Story)] == ["Ada"]
