"""A refused COMMIT, a flush that has to begin again, and writes in a block that another task has entered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated, hooks, text
from cormorant.errors import DatabaseError, QueryTimeout, SerializationError, SessionTaskError
from tests.support import kept_tables
from tests.support.newsroom import rolled_back


class Item(Model, app="ends"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    saved: Mapped[int] = field(default=0)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Item)
        yield database


REFUSING = """
CREATE TABLE bill (id integer PRIMARY KEY);
CREATE TABLE line (bill integer REFERENCES bill (id) DEFERRABLE INITIALLY DEFERRED)
"""


async def test_a_block_whose_commit_is_refused_was_rolled_back(database: Database) -> None:
    told: list[str] = []
    async with AsyncSession(database) as session:
        for statement in REFUSING.split(";"):
            await session.execute(text(statement), write=True)
    session = AsyncSession(database)
    hooks.after_rollback(session)(lambda _: told.append("rolled back"))
    async with session:
        with pytest.raises(DatabaseError):
            async with session.transaction():
                await session.execute("insert into line values (1)")
        assert told == ["rolled back"]
        assert all(mark.first_write is None for mark in session.state().unit.history.marks)


async def test_hooks_are_called_once_for_a_flush_that_begins_again(database: Database) -> None:
    session = AsyncSession(database)
    reached, go_on = asyncio.Event(), asyncio.Event()

    @hooks.before_save(session)
    async def count(item: Model, *, created: bool) -> None:
        assert isinstance(item, Item)
        item.saved += 1
        reached.set()
        await go_on.wait()

    async with session:
        session.add(Item(name="a"))
        task = asyncio.create_task(session.commit())
        await reached.wait()
        begun = await session.begin()
        go_on.set()
        await task
        assert begun is not None
        assert await session.query(Item).scalars(Item.saved) == [1]


async def test_a_write_does_not_go_into_a_block_that_another_task_has_entered_meanwhile(database: Database) -> None:
    session = AsyncSession(database)
    reached, go_on = asyncio.Event(), asyncio.Event()

    @hooks.before_save(session)
    async def wait(item: Model, *, created: bool) -> None:
        reached.set()
        await go_on.wait()

    async with rolled_back(session):
        session.add(Item(name="a"))
        task = asyncio.create_task(session.query(Item).bulk_create([Item(name="b")]))
        await reached.wait()
        async with session.transaction():
            go_on.set()
            with pytest.raises(SessionTaskError, match="is open"):
                await task
        assert await session.query(Item).scalars(Item.name) == ["a"]


@pytest.mark.postgresql
async def test_a_bulk_write_that_takes_too_long_says_so(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Item)
        async with rolled_back(AsyncSession(database)) as holder:
            await holder.execute("lock table ends_item")
            async with rolled_back(AsyncSession(database, timeout=0.1)) as session:
                with pytest.raises(QueryTimeout):
                    await session.query(Item).bulk_create([Item(name="b")])


async def test_a_unit_of_work_that_was_cancelled_is_not_run_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute: Any = database.execute
    runs: list[int] = []

    async def refuse(connection: Any, tracker: Any, sql: str) -> Any:
        if sql != "COMMIT":
            return await execute(connection, tracker, sql)
        task.cancel()
        await asyncio.sleep(0)
        await execute(connection, tracker, "ROLLBACK")
        raise SerializationError("could not serialize access")

    async def unit(session: AsyncSession) -> None:
        runs.append(1)
        session.add(Item(name="a"), Item(name="b"))

    monkeypatch.setattr(database, "execute", refuse)
    task = asyncio.create_task(database.run(unit))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(runs) == 1
