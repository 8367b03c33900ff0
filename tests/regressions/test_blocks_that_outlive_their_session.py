"""A session that ended while a task was inside of a block in it committed the half of what that block was to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    SessionClosedError,
    SessionTaskError,
    TransactionError,
    generated,
)
from tests.support import kept_tables


class Entry(Model, app="outliving_blocks"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database without entries."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Entry)
        yield database


class Holder:
    """A task that is inside of a block of its own in a session."""

    def __init__(self, session: AsyncSession, *, adds: bool) -> None:
        self.session, self.adds = session, adds
        self.inside, self.go_on = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._hold())

    async def _hold(self) -> None:
        async with self.session.transaction():
            self.session.add(Entry(text="one half"))
            await self.session.flush()
            self.inside.set()
            await self.go_on.wait()
            if self.adds:
                self.session.add(Entry(text="the other half"))


@pytest.mark.parametrize("writes_before", [True, False])
@pytest.mark.parametrize("adds", [True, False])
async def test_nothing_of_an_open_block_is_committed(database: Database, writes_before: bool, adds: bool) -> None:
    holders: list[Holder] = []

    async def leave_too_early() -> None:
        async with AsyncSession(database) as session:
            if writes_before:
                session.add(Entry(text="before"))
                await session.flush()
            holders.append(Holder(session, adds=adds))
            await holders[0].inside.wait()

    with pytest.raises(SessionTaskError, match=r"the session opened by .* ended while the transaction opened by"):
        await leave_too_early()
    holders[0].go_on.set()
    with pytest.raises(SessionClosedError if adds else TransactionError, match=r"the session opened by .* ended at"):
        await holders[0].task
    async with AsyncSession(database) as session:
        assert await session.query(Entry).count() == 0


async def test_who_asks_for_the_current_session_later_learns_where_it_ended(database: Database) -> None:
    ended = asyncio.Event()

    async def later() -> int:
        await ended.wait()
        return await Entry.objects.count()

    async with AsyncSession(database):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    ended.set()
    with pytest.raises(SessionClosedError, match=r"the session opened by .* ended at .*test_blocks_that_outlive"):
        await task
