"""What raw SQL leaves behind in a connection is gone before somebody else gets it; nothing else costs a round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database
from tests.support.wire import WireTap

pytestmark = [pytest.mark.postgresql, pytest.mark.direct("a pooler's connections keep nothing: such SQL is refused")]


@pytest.fixture
async def tap(postgres_database: str) -> AsyncIterator[WireTap]:
    async with WireTap(postgres_database) as tap:
        yield tap


@pytest.fixture
async def database(tap: WireTap) -> AsyncIterator[Database]:
    """A database with one connection, which has been used before."""
    async with Database(tap.dsn, pool_size=1) as database:
        await database.ping()
        tap.reset()
        yield database


async def run(database: Database, *statements: str, in_transaction: bool = True) -> None:
    async with AsyncSession(database) as session:
        for sql in statements:
            if in_transaction:
                async with session.transaction():
                    await session.execute(sql)
            else:
                await session.execute(sql)


IS_SMALL = "SELECT current_setting('work_mem') = '1MB'"

# what is done; what tells whether it is still there, and what it says when it is not
LEFT = {
    "a setting": ("SET search_path = nowhere", "SHOW search_path", '"$user", public'),
    "a setting of the session": ("SET SESSION work_mem = '1MB'", IS_SMALL, False),
    "a role": ("SET ROLE pg_monitor", "SELECT current_user::text = session_user::text", True),
    "set_config": ("SELECT set_config('app.tenant', '7', false)", "SELECT current_setting('app.tenant', true)", ""),
    "a temporary table": ("CREATE TEMP TABLE birds (id int)", "SELECT to_regclass('birds') IS NULL", True),
    "a lock": (
        "SELECT pg_advisory_lock(4711)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND pid = pg_backend_pid()",
        0,
    ),
    "a channel": ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()", 0),
    "a prepared statement": (
        "PREPARE mine AS SELECT 1",
        "SELECT count(*) FROM pg_prepared_statements WHERE from_sql",
        0,
    ),
    "a cursor": (
        "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE is_holdable",
        0,
    ),
    "a block of code": (
        "DO $$ BEGIN SET work_mem = '1MB'; END $$",
        "SELECT current_setting('work_mem') = '1MB'",
        False,
    ),
}


@pytest.mark.parametrize("name", LEFT)
async def test_what_was_left_behind_is_gone(tap: WireTap, database: Database, name: str) -> None:
    sql, asked, expected = LEFT[name]
    await run(database, sql)
    assert await value(database, asked) == expected
    assert tap.statements == ["BEGIN", sql, "COMMIT", "DISCARD ALL", asked]
    assert database.adapter.stats.opened == 1


async def value(database: Database, sql: str) -> object:
    connection = await database.adapter.acquire()
    try:
        return (await connection.fetch(sql))[0][0]
    finally:
        database.adapter.release(connection)


@pytest.mark.parametrize(
    "sql",
    [
        "SET LOCAL work_mem = '1MB'",
        "SELECT set_config('work_mem', '1MB', true)",
        "CREATE TEMP TABLE birds (id int) ON COMMIT DROP",
        "SELECT pg_advisory_xact_lock(4711)",
        "DECLARE mine CURSOR FOR SELECT 1",
        "CREATE TABLE birds (id int)",
    ],
)
async def test_what_ends_with_its_transaction_costs_nothing(tap: WireTap, database: Database, sql: str) -> None:
    await run(database, sql)
    await run(database, "SELECT 1")
    assert tap.statements == ["BEGIN", sql, "COMMIT", "BEGIN", "SELECT 1", "COMMIT"]


async def test_prepared_statements_are_prepared_anew(tap: WireTap, database: Database) -> None:
    await run(database, "SELECT 42", in_transaction=False)
    await run(database, "SET work_mem = '1MB'")
    tap.reset()
    await run(database, "SELECT 42", "SELECT 42", in_transaction=False)
    assert tap.statements == ["DISCARD ALL", "SELECT 42", "SELECT 42"]
    assert tap.messages["Parse"] == 1
    assert tap.messages["Close"] == 0


async def test_a_setting_lasts_for_the_transaction(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        await session.execute("SET work_mem = '1MB'")
        assert (await session.execute("SHOW work_mem")).scalar() == "1MB"


async def test_a_statement_that_fails_leaves_nothing_either(tap: WireTap, database: Database) -> None:
    # the lock stays when the transaction is rolled back
    async with AsyncSession(database) as session:
        await session.begin()
        await session.execute("SELECT pg_advisory_lock(4711)")
        await session.rollback()
    assert await value(database, LEFT["a lock"][1]) == 0
    assert tap.words == ["BEGIN", "SELECT", "ROLLBACK", "DISCARD", "SELECT"]


async def test_settings_of_the_configuration_stay(tap: WireTap) -> None:
    async with Database(tap.dsn + "&application_name=birds", pool_size=1) as database:
        await run(database, "SET application_name = 'fish'")
        assert await value(database, "SHOW application_name") == "birds"
