"""The opening of an SQLite file that is cancelled is over when its thread is.

A thread that answered to a loop which was closed by then ended with a traceback on the screen.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.sqlite_opening import open_driver


async def test_its_thread_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, opening, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    threads: list[threading.Thread] = []
    connect = sqlite3.connect

    def slow(*args: Any, **options: Any) -> sqlite3.Connection:
        threads.append(threading.current_thread())
        loop.call_soon_threadsafe(opening.set)
        assert gate.wait(30)
        return connect(*args, **options)

    monkeypatch.setattr(sqlite3, "connect", slow)
    path = str(tmp_path / "birds.db")
    task = asyncio.create_task(open_driver(path, ConnectionConfig(scheme="sqlite", path=path)))
    await opening.wait()
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not threads[0].is_alive()
