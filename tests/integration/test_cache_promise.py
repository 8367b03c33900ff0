"""What the cache promises, asked of two processes that read and write at random: docs/caching.md has it in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database
from tests.support import redis_server
from tests.support.cache_worker import ROWS, Gauge, Pin, prefix_of

PROCESSES = 2
TASKS = 16
OPERATIONS = 10_000 if os.environ.get("CORMORANT_CACHE_FULL") else 800


@pytest.mark.direct("listens beside the pool")
@pytest.mark.parametrize("cache", ["memory", "redis"])
async def test_no_process_reads_an_older_value_than_promised(
    postgres_database: str, cache: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with Database(postgres_database) as db:
        await db.create_all(Gauge, Pin)
        async with AsyncSession(db) as session:
            session.add(*(Pin(id=row, gauge=Gauge(id=row)) for row in range(ROWS)))
    floor = tmp_path / "floor"
    floor.write_bytes(bytes(8 * ROWS))
    where = "memory" if cache == "memory" else request.getfixturevalue("redis_url")
    numbers = [str(TASKS), str(OPERATIONS // PROCESSES)]
    command = [sys.executable, "-m", "tests.support.cache_worker", postgres_database, where, str(floor), *numbers]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen([*command, str(seed)], **pipes) for seed in range(PROCESSES)]  # type: ignore[call-overload]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [json.loads(worker.communicate(timeout=600)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        if cache == "redis":
            redis_server.forget(where, prefix_of(postgres_database))
    assert [worker.pop("violations") for worker in told] == [[]] * PROCESSES
    counts: Counter[str] = sum(map(Counter, told), Counter())
    print(dict(counts))
    # it was worth something, and something was written
    assert counts["hits"] > counts["reads"] // 10
    assert counts["writes"] > OPERATIONS // 20
    assert counts["rollbacks"] > 0
