"""A dropped SQLite database kept its thread for ever, because the thread held the last thing that it did."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

from cormorant import AsyncSession, Database


def test_its_threads_end_in_silence(tmp_path: Path) -> None:
    async def use() -> set[threading.Thread]:
        database = Database(f"sqlite:///{tmp_path}/test.db")
        async with AsyncSession(database) as session:
            await session.execute("SELECT 1")
            await session.execute("CREATE TABLE t (id int)")
        return set(threading.enumerate())

    before = set(threading.enumerate())
    made = asyncio.run(use()) - before
    assert made
    gc.collect()
    for thread in made:
        thread.join(30)
        assert not thread.is_alive()
