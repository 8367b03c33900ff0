"""Several tasks use one session at random: nothing is lost, nothing is mixed up, and what is refused has a name.

`CORMORANT_OVERLAPS` says how many random overlaps each database gets, `CORMORANT_OVERLAPS_SEED` where they begin.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database
from tests.support import databases
from tests.support.overlaps import PATIENCE, Overlap, Slip

OVERLAPS = int(os.environ.get("CORMORANT_OVERLAPS", "100"))
SEED = int(os.environ.get("CORMORANT_OVERLAPS_SEED", "0"))


POOL = 4


@pytest.fixture(params=databases.ALL)
def database_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Also of SQLite in threads, where there is more to wait for."""
    return databases.dsn_of(request, tmp_path)


async def test_tasks_that_overlap_in_one_session_lose_nothing_and_break_nothing(database_dsn: str) -> None:
    met: Counter[str] = Counter()
    durable = 0
    async with Database(database_dsn, pool_size=POOL) as database:
        await database.create_all(Slip)
        for seed in range(SEED, SEED + OVERLAPS):
            overlap = Overlap(database, seed)
            try:
                await overlap.run()
            except BaseException as error:
                error.add_note("\n".join([f"seed {seed}", *overlap.log]))
                raise
            met.update(overlap.errors)
            durable += len(overlap.ledger.durable)
            async with asyncio.timeout(PATIENCE):
                await check_idle(database)
    # a run that meets nobody, or commits nothing, has shown nothing
    assert met["SessionTaskError"]
    assert durable


async def check_idle(database: Database) -> None:
    """Every connection has come back and works, and none is left in a transaction."""
    # one that came back in a transaction is rolled back before it is lent again
    while database.adapter.stats.in_use:
        await asyncio.sleep(0)
    async with AsyncSession(database) as session:
        await session.query(Slip).delete()
    await asyncio.gather(*(count(database) for _ in range(POOL)))
    if database.dialect.name == "postgresql":
        while await idle_in_transaction(database):
            await asyncio.sleep(0)


async def count(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        assert await session.query(Slip).count() == 0


async def idle_in_transaction(database: Database) -> int:
    async with AsyncSession(database) as session:
        sql = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in %'"
        ((number,),) = await session.execute(sql)
        return int(number)
