"""A session sends no more statements, and reads no more rows, than it may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cormorant import AsyncSession, ConfigurationError, Database, QueryBudgetExceeded, Session, TransactionFailedError
from tests.support.newsroom import Writer


async def fill(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=f"writer {n}") for n in range(3)))


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return await session.query(Writer).order_by(Writer.id).scalars(Writer.name)


async def queries(session: AsyncSession) -> object:
    return await session.query(Writer)


async def raw(session: AsyncSession) -> object:
    return await session.execute("SELECT 1")


async def writes(session: AsyncSession) -> object:
    return await session.create(Writer, name="new")


async def changes(session: AsyncSession) -> object:
    return await session.query(Writer).update(Writer.age.set(3))


async def locks(session: AsyncSession) -> object:
    return await session.query(Writer).for_update()


async def streams(session: AsyncSession) -> object:
    return [writer async for writer in session.query(Writer).stream(chunk=10)]


async def many(session: AsyncSession) -> object:
    return await session.query(Writer).bulk_create([{"name": "a"}, {"name": "b"}])


@pytest.mark.parametrize("work", [queries, raw, writes, changes, locks, streams, many])
async def test_one_more_is_not_sent(database: Database, work: Callable[[AsyncSession], Awaitable[object]]) -> None:
    await fill(database)
    session = AsyncSession(database, max_queries=2)
    async with session:
        for _ in range(2):
            await raw(session)
        with pytest.raises(QueryBudgetExceeded, match="has sent 2 statements, and max_queries=2"):
            await work(session)
        await session.rollback()
        sent = [stats for stats in session.query_stats() if not stats.sql.startswith(("BEGIN", "ROLLBACK"))]
    assert sum(stats.count for stats in sent) == 2
    assert await names(database) == ["writer 0", "writer 1", "writer 2"]


async def test_one_is_one(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database, max_queries=1, max_rows=2) as session:
        with pytest.raises(QueryBudgetExceeded, match=r"has read 3 rows, and max_rows=2: the last 3 are not given"):
            await queries(session)
        with pytest.raises(QueryBudgetExceeded, match=r"has sent 1 statement, and max_queries=1"):
            await queries(session)


async def test_a_read_that_is_not_sent_leaves_the_transaction_as_it_is(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database, max_queries=2) as session, session.transaction():
        await session.query(Writer).filter(Writer.name == "writer 0").update(Writer.name.set("changed"))
        await queries(session)
        for refused in (queries, raw, locks):
            with pytest.raises(QueryBudgetExceeded):
                await refused(session)
    # COMMIT is no statement of its own
    assert await names(database) == ["changed", "writer 1", "writer 2"]


async def test_a_write_that_is_not_sent_fails_its_block(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database, max_queries=1) as session:
        await session.query(Writer).update(Writer.name.set("changed"))
        with pytest.raises(QueryBudgetExceeded):
            await changes(session)
        with pytest.raises(TransactionFailedError):
            await session.commit()
        await session.rollback()
    assert await names(database) == ["writer 0", "writer 1", "writer 2"]


async def test_what_cannot_be_written_at_the_end_is_told_there(database: Database) -> None:
    async def work() -> None:
        async with AsyncSession(database, max_queries=0) as session:
            session.add(Writer(name="new"))

    with pytest.raises(QueryBudgetExceeded):
        await work()
    assert await names(database) == []


async def test_rows_are_counted_as_they_are_read(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database, max_rows=7) as session:
        await queries(session)
        await session.query(Writer).update(Writer.age.set(3))
        assert len(await session.query(Writer)) == 3
        with pytest.raises(QueryBudgetExceeded, match="has read 9 rows, and max_rows=7: the last 3 are not given"):
            await queries(session)
        assert await names(database) is not None
        await session.query(Writer).update(Writer.name.set("changed"))
    assert await names(database) == ["changed"] * 3


@pytest.mark.parametrize("work", [streams, locks])
async def test_rows_of_streams_and_locks_count(
    database: Database, work: Callable[[AsyncSession], Awaitable[object]]
) -> None:
    await fill(database)
    async with AsyncSession(database, max_rows=2) as session:
        with pytest.raises(QueryBudgetExceeded):
            await work(session)


async def test_each_block_has_a_budget_of_its_own(database: Database) -> None:
    session = AsyncSession(database, max_queries=1)
    for _ in range(2):
        async with session:
            await raw(session)


async def test_databases_that_count_nothing_keep_budgets(database: Database) -> None:
    async with AsyncSession(Database(database.adapter, track_queries=False), max_queries=0) as session:
        with pytest.raises(QueryBudgetExceeded):
            await raw(session)


def test_sync_sessions_have_budgets() -> None:
    with Session("sqlite://", max_queries=1) as session:
        session.execute("SELECT 1")
        with pytest.raises(QueryBudgetExceeded):
            session.execute("SELECT 1")


@pytest.mark.parametrize("limit", [-1, 2.5, True, "5"])
def test_a_limit_is_a_number(limit: Any) -> None:
    for name in ("max_queries", "max_rows"):
        with pytest.raises(ConfigurationError, match=f"{name}="):
            AsyncSession("sqlite://", **{name: limit})
