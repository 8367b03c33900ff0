"""Random queries give the rows that SQLAlchemy gives for the same question, on both databases.

Each query is drawn as a description, which two interpreters turn into a query of either library.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from cormorant import AsyncSession, Database
from tests.support import pgbouncer
from tests.support.oracle import asked as a
from tests.support.oracle.drawn import queries
from tests.support.oracle.ours import Ours
from tests.support.oracle.shop import fill
from tests.support.oracle.theirs import Theirs

Rows = list[tuple[Any, ...]]

# explaining a failure means tracing every line
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
EXAMPLES = int(os.environ.get("CORMORANT_ORACLE_EXAMPLES", "150"))


def test_random_queries_give_the_rows_that_sqlalchemy_gives(database_dsn: str) -> None:
    dialect = database_dsn.partition(":")[0]
    with asyncio.Runner() as runner:
        database = Database(database_dsn)
        engine = create_async_engine(_engine_url(database_dsn))
        runner.run(fill(database))

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
        @given(queries(dialect))
        def check(asked: a.Query) -> None:
            ours, counted, any_row = runner.run(_ours(database, asked))
            theirs = runner.run(_theirs(engine, dialect, asked))
            if asked.ordered:
                assert ours == theirs
            assert Counter(ours) == Counter(theirs)
            assert (counted, any_row) == (len(theirs), bool(theirs))

        try:
            check()
        finally:
            runner.run(engine.dispose())
            runner.run(database.close())


async def _ours(database: Database, asked: a.Query) -> tuple[Rows, int, bool]:
    async with AsyncSession(database) as session:
        maker = Ours(session.query)
        query = maker.query(asked)
        rows = maker.plain(asked, await query)
        return _plain(rows), await query.count(), await query.exists()


async def _theirs(engine: AsyncEngine, dialect: str, asked: a.Query) -> Rows:
    async with engine.connect() as connection:
        result = await connection.execute(Theirs(dialect).statement(asked))
        return _plain([tuple(row) for row in result])


def _plain(rows: Sequence[tuple[Any, ...]]) -> Rows:
    """Gives rows without what drivers differ in: SQLite has no booleans."""
    return [tuple(int(value) if isinstance(value, bool) else value for value in row) for row in rows]


def _engine_url(dsn: str) -> str:
    scheme, _, rest = pgbouncer.server_of(dsn).partition("://")
    return f"{scheme}+{'aiosqlite' if scheme == 'sqlite' else 'asyncpg'}://{rest}"
