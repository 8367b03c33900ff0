"""S1: leaving a session waits for what its tasks have in flight, or cancels it; many tasks, in a transaction or not."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from cormorant import AsyncSession, Database
from cormorant.errors import PoolTimeout, SessionClosedError, TransactionError, TransactionFailedError
from tests.support.newsroom import Label, rolled_back

TASKS = 40


def start(session: AsyncSession, number: int) -> asyncio.Task[object]:
    """Starts one of several kinds of statements, which wait for a connection or for their turn."""
    kinds = (
        lambda: session.query(Label).count(),
        lambda: session.query(Label).order_by(Label.id).all(),
        lambda: session.execute("select 1"),
        lambda: session.query(Label).filter(name="none").first(),
    )

    async def ask() -> object:
        return await kinds[number % len(kinds)]()

    return asyncio.create_task(ask(), name=f"asker {number}")


async def begun(session: AsyncSession, *, transaction: bool) -> list[asyncio.Task[object]]:
    """Starts many tasks, every one of which has a statement in flight."""
    if transaction:
        session.add(Label(name="one"), Label(name="two"))
        await session.flush()
    tasks = [start(session, number) for number in range(TASKS)]
    await asyncio.sleep(0)
    # the first statement on a database is preceded by a question
    assert len(session.state().transactions.others_in_flight) == TASKS
    return tasks


@pytest.mark.parametrize("transaction", [True, False])
async def test_leaving_waits_for_all_of_them(database: Database, *, transaction: bool) -> None:
    async with AsyncSession(database) as session:
        tasks = await begun(session, transaction=transaction)
    assert all(task.done() for task in tasks)
    assert not any(task.exception() for task in tasks)
    assert tasks[0].result() == (2 if transaction else 0)
    assert database.adapter.stats.in_use == 0
    assert not database.lending.holders


@pytest.mark.parametrize("transaction", [True, False])
async def test_leaving_by_an_exception_cancels_all_of_them(database: Database, *, transaction: bool) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        tasks = await begun(session, transaction=transaction)
    # nobody has to be waited for any more
    await asyncio.wait(tasks)
    ends = Counter("cancelled" if task.cancelled() else type(task.exception()).__name__ for task in tasks)
    assert ends == {"cancelled": TASKS}
    assert not database.lending.holders
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 0
    assert database.adapter.stats.in_use == 0


async def test_leaving_that_is_cancelled_while_it_waits_rolls_back(database: Database) -> None:
    tasks: list[asyncio.Task[object]] = []
    leaving = asyncio.Event()

    async def unit() -> None:
        async with AsyncSession(database) as session:
            tasks.extend(await begun(session, transaction=True))
            leaving.set()

    whole = asyncio.create_task(unit())
    await leaving.wait()
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    await asyncio.wait(tasks)
    errors = {type(task.exception()) for task in tasks if not task.cancelled() and task.exception() is not None}
    # those whose turn had not come have met the end of the session
    assert errors <= {SessionClosedError, TransactionFailedError, PoolTimeout}
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 0
    assert database.adapter.stats.in_use == 0
    assert not database.lending.holders


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("failed", [True, False])
async def test_what_a_task_begins_while_the_session_is_left_leaves_nothing_open(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, failed: bool, turns: int
) -> None:
    """Between the answer to the last COMMIT or ROLLBACK and the end, the loop turns several times."""
    now = answered(monkeypatch, "ROLLBACK" if failed else "COMMIT", turns)
    written: set[str] = set()

    async def work(session: AsyncSession) -> None:
        await now.wait()
        for name in ("one", "two"):
            await session.create(Label, name=name)
            written.add(name)

    async with rolled_back(AsyncSession(database)) if failed else AsyncSession(database) as session:
        task = asyncio.create_task(work(session))
        await session.create(Label, name="zero")
    await asyncio.wait((task,))
    if not task.cancelled() and (error := task.exception()) is not None:
        assert isinstance(error, SessionClosedError | TransactionError), error
    assert database.adapter.stats.in_use == 0
    assert not database.lending.holders
    async with AsyncSession(database) as session:
        names = {label.name for label in await session.query(Label).all()}
        assert not names if failed else names >= {"zero", *written}


def answered(monkeypatch: pytest.MonkeyPatch, word: str, turns: int) -> asyncio.Event:
    """Gives an event that is set some turns of the loop after the first statement of a kind was answered."""
    event = asyncio.Event()
    execute = Database.execute

    def later(turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(later, turns - 1)
        else:
            event.set()

    async def telling(self: Database, connection: Any, tracker: Any, sql: str, *more: Any, **options: Any) -> int:
        found = await execute(self, connection, tracker, sql, *more, **options)
        if sql == word:
            later(turns)
        return found

    monkeypatch.setattr(Database, "execute", telling)
    return event
