from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from cormorant import Database
from tests.support import kept_tables, postgres
from tests.support.newsroom import MODELS


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with the empty tables of the newsroom."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[postgres.Cluster]:
    """A server for the tests of one file alone, which they may end and start again; it loses nothing by that."""
    programs = postgres.installed_programs() or postgres.wheel_programs()
    if programs is None:
        pytest.skip("a server of our own needs PostgreSQL's programs")
    with postgres.own_cluster(programs, fsync="on", synchronous_commit="on", full_page_writes="on") as cluster:
        yield cluster
