"""What raw SQL leaves behind is seen also where it is written in a way of its own."""

from __future__ import annotations

from typing import LiteralString

import pytest

from cormorant import AsyncSession, ConnectionConfig, Database
from cormorant.adapters.postgresql_state import leaves_behind


@pytest.mark.direct("a pooler resets no setting")
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT \"set_config\"('work_mem', '77MB', false)",
        "SELECT pg_catalog.\"set_config\"('work_mem', '77MB', false)",
        "SELECT E'\\'', set_config('work_mem', '77MB', false), E'\\''",
        "SELECT 1 AS \"it's\", set_config('work_mem', '77MB', false) AS \"o'clock\"",
        "UPDATE pg_settings SET setting = '78848' WHERE name = 'work_mem'",
    ],
)
async def test_a_setting_does_not_reach_the_next_one(postgres_database: str, sql: LiteralString) -> None:
    async with Database(ConnectionConfig.from_dsn(postgres_database, pool_size=1)) as database:
        async with AsyncSession(database) as session:
            before = (await session.execute("SHOW work_mem")).scalar()
            await session.execute(sql)
        async with AsyncSession(database) as session:
            assert (await session.execute("SHOW work_mem")).scalar() == before != "77MB"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ('SELECT "pg_advisory_lock"(5)', "advisory"),
        ('CREATE TABLE "pg_temp".t (id int)', "TEMP"),
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "TEMP"),
        ("CREATE TYPE pg_temp.pair AS (a int, b int)", "TEMP"),
        ("SELECT 1 AS id INTO pg_temp.t", "TEMP"),
        # names of other things
        ('SELECT "SET_CONFIG"(1), 1 AS "set_config(1)"', None),
        ("CREATE INDEX ON pg_temp.t (id)", None),
        ("INSERT INTO pg_temp.t SELECT 1", None),
        ("SELECT * FROM pg_settings", None),
        ("UPDATE pg_settings_of_ours SET a = 1", None),
    ],
)
def test_names_in_quotes_and_in_the_schema_of_temporary_things(sql: str, kind: str | None) -> None:
    assert leaves_behind(sql) == kind
