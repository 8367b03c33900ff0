"""The tests' own ground: each test meets an empty database, whatever the one before left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.support import postgres

pytestmark = pytest.mark.direct("the tests' own server is tested")

ROOT = Path(__file__).parents[2]
LITTER = """
    CREATE TABLE litter (id int PRIMARY KEY);
    CREATE TYPE mood AS ENUM ('calm');
    CREATE FUNCTION nothing() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE SCHEMA "Another one";
    CREATE TABLE "Another one".litter (id int);
"""
COUNT_LITTER = """
    SELECT (SELECT count(*) FROM pg_class WHERE relname = 'litter')
         + (SELECT count(*) FROM pg_type WHERE typname = 'mood')
         + (SELECT count(*) FROM pg_proc WHERE proname = 'nothing')
         + (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'Another%')
"""


async def test_clean_empties_a_database_that_is_locked_by_a_session_left_open(postgres_database: str) -> None:
    left_open = await asyncpg.connect(postgres_database)
    await left_open.execute(LITTER)
    await left_open.execute("BEGIN; LOCK TABLE litter")

    postgres.clean(postgres_database)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await left_open.fetchval("SELECT 1")
    connection = await asyncpg.connect(postgres_database)
    assert await connection.fetchval(COUNT_LITTER) == 0
    await connection.execute("CREATE TABLE again (id int)")
    await connection.close()


async def test_clean_brings_public_back(postgres_database: str) -> None:
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("DROP SCHEMA public CASCADE")
    await connection.close()

    postgres.clean(postgres_database)

    connection = await asyncpg.connect(postgres_database)
    assert await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'") == 1
    await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_meets_an_empty_database(postgres_database: str, turn: int) -> None:
    connection = await asyncpg.connect(postgres_database)
    assert await connection.fetchval(COUNT_LITTER) == 0, f"turn {turn}"
    await connection.execute(LITTER)
    await connection.close()


def test_database_dsn_names_an_empty_database(database_dsn: str) -> None:
    if database_dsn.startswith("sqlite:///"):
        assert not Path(database_dsn.removeprefix("sqlite:///")).exists()
    else:
        assert database_dsn.startswith("postgresql://")


@pytest.mark.postgresql
def test_our_own_server_ends_with_a_killed_owner() -> None:
    programs = postgres.wheel_programs() or postgres.installed_programs()
    if programs is None:
        pytest.skip(f"no programs to start a server from; {postgres.REMEDY}")
    script = (
        "import os, pathlib; from tests.support import postgres\n"
        f"with postgres.own_server(pathlib.Path({str(programs)!r})) as dsn: print(dsn, flush=True); input()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    dsn = owner.stdout.readline().strip()
    assert postgres.run(_answer(dsn)) == 1

    owner.kill()
    owner.communicate()  # the keeper shares the owner's standard error, so this returns at the keeper's end

    with pytest.raises(OSError, match="Connect"):
        postgres.run(_answer(dsn))


async def _answer(dsn: str) -> int:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return int(await connection.fetchval("SELECT 1"))
    finally:
        await connection.close()
