"""One row was to be written, something was put back before its turn came, and the flush went on for ever."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import AsyncSession, Database
from cormorant.persistence.transaction import Overtaken
from tests.support.newsroom import MODELS, Label


@pytest.mark.parametrize("lone", [True, False], ids=["alone", "in a transaction"])
async def test_a_row_is_written_when_something_else_was_put_back(
    database_dsn: str, lone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            state = session.state()
            if not lone:
                session.add(Label(name="first"))
                await session.flush()
            session.add(Label(name="second"))
            refusals = 0

            def refused(self: Overtaken) -> None:
                nonlocal refusals
                refusals += 1
                # a loop that never waits could not be stopped from outside
                assert refusals < 10, "it is overtaken again and again by one and the same"

            monkeypatch.setattr(Overtaken, "__init__", refused)
            lock, work = state.transactions.lock, session.commit if lone else session.flush
            await lock.acquire()
            writing = asyncio.create_task(work())
            while not state.transactions.in_flight:
                await asyncio.sleep(0)
            state.unit.history.undone += 1
            lock.release()
            await writing
            assert refusals == 1
        async with AsyncSession(database) as session:
            assert await session.query(Label).filter(Label.name == "second").count() == 1
