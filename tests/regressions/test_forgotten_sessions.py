"""A session that nobody closed does not keep the database from closing; a forked child starts afresh."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cormorant import AsyncSession, Database, Mapped, Model, generated


class Thing(Model, table="forgotten_thing"):
    id: Mapped[int] = generated(primary_key=True)


async def test_close_ends_after_its_time(database_dsn: str) -> None:
    database = Database(database_dsn)
    await database.create_all(Thing)
    session = await AsyncSession(database).__aenter__()
    session.add(Thing(), Thing())
    await session.flush()
    await database.close(timeout=0)
    async with Database(database_dsn) as again, AsyncSession(again) as other:
        assert await other.query(Thing).count() == 0


FORK = """
import asyncio, os, sys
from cormorant import AsyncSession, Database
database = Database(sys.argv[1])
async def ask():
    async with AsyncSession(database) as session:
        return (await session.execute("SELECT 1")).scalar()
assert asyncio.run(ask()) == 1
child = os.fork()
if child == 0:
    os._exit(0 if asyncio.run(ask()) == 1 else 1)
_, status = os.waitpid(child, 0)
assert asyncio.run(ask()) == 1
os._exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_opens_connections_of_its_own(database_dsn: str) -> None:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", FORK, database_dsn],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
