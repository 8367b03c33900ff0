"""Random units of work, done by a session and by SQLAlchemy's ORM in lockstep: the same rows after each commit.

Both are compared with a plain model of the museum, so with each other: in memory after a flush, in the database after a
commit. Where the two differ by design, this asks both for what they have in common:

- A row met again refreshes a clean object of ours; SQLAlchemy leaves it as it is, and expires objects by hand or at a
  rollback.
- What a rollback takes back is transient with us, values and all but what the database made; SQLAlchemy expunges it.
- SQLAlchemy's sessions are always in a transaction; ours is begun by hand here, so that each block is a savepoint.
- SQLAlchemy deletes children row by row, by its own cascades, where it has loaded them; ours leaves it to the database.
- What points to a deleted row shows it in SQLAlchemy until it is read again, so it is read again; ours shows None.
- A deleted row and a new one of the same key become an UPDATE in SQLAlchemy; with us they are a DELETE and an INSERT.
  So keys are used once, and there are no versions here.
- References to the own table are written apart in SQLAlchemy (`post_update`), with us where they make a ring.
- SQLAlchemy updates after it inserts, and deletes last: a unique value that is set free can be taken over in one flush
  only with us. Keys that change in place are left out.

`CORMORANT_ORM_EXAMPLES` says how many random runs each database gets.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from cormorant import AsyncSession, Database, text
from tests.support import museum, pgbouncer, their_museum
from tests.support.museum_machine import TABLES, Ours, Side, WorldMachine
from tests.support.their_museum import Theirs

EXAMPLES = int(os.environ.get("CORMORANT_ORM_EXAMPLES", "0"))
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


class OursInTransactions(Ours):
    """A session of ours that is always in a transaction, as theirs is."""

    async def open(self) -> None:
        await super().open()
        await self.session.begin()

    async def commit(self) -> None:
        await super().commit()
        await self.session.begin()

    async def rollback(self) -> None:
        await super().rollback()
        await self.session.begin()


class LockstepMachine(WorldMachine):
    """Asks both for the same."""

    REUSES_NAMES = False
    RINGS = False

    def __init__(self, runner: asyncio.Runner, database: Database, engine: AsyncEngine) -> None:
        super().__init__(runner)
        self.database = database
        self.engine = engine
        self.named = 0

    async def make_sides(self) -> list[Side]:
        async with AsyncSession(self.database) as session:
            for table in TABLES:
                await session.execute(text(f"DELETE FROM museum_{table}"))
        async with self.engine.begin() as connection:
            for table in reversed(their_museum.Base.metadata.sorted_tables):
                await connection.execute(delete(table))
        return [OursInTransactions(self.database), Theirs(self.engine)]

    def free_key(self, place: int) -> tuple[int, str]:
        self.named += 1
        return self.named, "abc"[place % 3]

    def free_name(self, name: str) -> str:
        self.named += 1
        return f"{name} {self.named}"


# it warns of what it finds unusual
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_random_units_of_work_leave_the_rows_that_sqlalchemy_leaves(database_dsn: str) -> None:
    on_sqlite = database_dsn.startswith("sqlite")
    server = pgbouncer.server_of(database_dsn)
    url = "sqlite+aiosqlite://" if on_sqlite else server.replace("postgresql://", "postgresql+asyncpg://")
    with asyncio.Runner() as runner:
        database = Database("sqlite://" if on_sqlite else database_dsn)
        engine = create_async_engine(url, **({"poolclass": StaticPool} if on_sqlite else {}))
        their_museum.prepare(engine)
        runner.run(create_both(database, engine))
        machine: Any = partial(LockstepMachine, runner, database, engine)
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=EXAMPLES or (25 if on_sqlite else 10),
                    stateful_step_count=30,
                    deadline=None,
                    report_multiple_bugs=False,
                    phases=PHASES,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(engine.dispose())
            runner.run(database.close())


async def create_both(database: Database, engine: AsyncEngine) -> None:
    await database.create_all(*museum.MODELS)
    async with engine.begin() as connection:
        await connection.run_sync(their_museum.Base.metadata.create_all)
