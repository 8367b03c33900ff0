"""Transactions that are cancelled at random, against the driver's own pool: nothing half-written, nothing stuck."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import asyncpg

from benchmarks.questions.measure import Comparison
from cormorant import AsyncSession, Database, Mapped, Model, func, generated
from cormorant.adapters.postgresql import connect_arguments

TRANSACTIONS = 3_000
CANCELLED = 0.7
WITHIN = 0.03
"""Seconds after its start until which a transaction is cancelled, if it is."""
CLIENTS = 50
POOL = 5
ROUNDS = 3
LIMIT = 1.5

Write: TypeAlias = Callable[[int], Awaitable[None]]


class Half(Model, table="bench_half"):
    """One of the two rows that each transaction writes."""

    id: Mapped[int] = generated(primary_key=True)
    pair: Mapped[int]


async def cancelled_transactions(database: Database, transactions: int = TRANSACTIONS) -> Comparison:
    """Compares the time of many transactions, most of them cancelled.

    Raises:
        AssertionError: Something is half-written, or a connection was not given back.
    """
    config = database.config.replace(pool_size=POOL, application_name="cancelling")
    await database.drop_all(Half)
    await database.create_all(Half)
    pool: Any = await asyncpg.create_pool(**connect_arguments(config), min_size=POOL, max_size=POOL)
    times: tuple[list[float], list[float]] = ([], [])
    async with Database(config) as pooled:
        for number in range(ROUNDS):
            for write, found in zip((by_driver(pool), by_session(pooled)), times, strict=True):
                start = perf_counter()
                await storm(write, transactions, random.Random(number))
                found.append((perf_counter() - start) * 1e6 / transactions)
                await check(database)
        assert pooled.adapter.stats.in_use == 0
    await pool.close()
    await database.drop_all(Half)
    return Comparison("cancelled transactions", "us each", median(times[0]), median(times[1]), LIMIT)


async def storm(write: Write, transactions: int, chance: random.Random) -> None:
    """Has clients write transactions, and cancels most of them."""
    # decided beforehand: both ways get the same
    moments = [chance.uniform(0, WITHIN) if chance.random() < CANCELLED else None for _ in range(transactions)]
    numbers = iter(enumerate(moments))

    async def client() -> None:
        for number, moment in numbers:
            task = asyncio.ensure_future(write(number))
            timer = None if moment is None else asyncio.get_running_loop().call_later(moment, task.cancel)
            with suppress(asyncio.CancelledError):
                await task
            if timer is not None:
                timer.cancel()

    await asyncio.gather(*[client() for _ in range(CLIENTS)])


def by_driver(pool: Any) -> Write:
    """Gives a transaction of two inserts and a select, by hand."""
    insert = "INSERT INTO bench_half (pair) VALUES ($1) RETURNING id"

    async def write(number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetchrow(insert, number)
            await connection.fetchrow(insert, number)
            await connection.fetch("SELECT id, pair FROM bench_half WHERE pair = $1", number)

    return write


def by_session(database: Database) -> Write:
    """Gives the same by a session."""

    async def write(number: int) -> None:
        async with AsyncSession(database) as session:
            for _ in range(2):
                session.add(Half(pair=number))
                await session.flush()
            await session.query(Half).filter(Half.pair == number)

    return write


async def check(database: Database) -> None:
    """Looks for what is half-written and for connections that were forgotten in a transaction."""
    async with AsyncSession(database) as session:
        written = session.query(Half).values(Half.pair, func.count()).group_by(Half.pair)
        assert not [pair for pair, rows in await written if rows != 2], "something is half-written"
        stuck = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cancelling' AND state LIKE 'idle in%' "
            "AND state_change < now() - interval '1 second'"
        )
        assert (await session.execute(stuck)).scalar() == 0, "a connection is stuck"
        await session.execute("DELETE FROM bench_half")
