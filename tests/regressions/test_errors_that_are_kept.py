"""An error of SQLite may be kept, and freed while its connection works: that waits for nothing.

A cursor in one of its frames is the driver's, which takes the connection's lock to free it. On the event loop all stood
still, for as long as the statement took that the thread was running by then.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from cormorant.adapters.sqlite import SQLiteAdapter, SQLiteConnection
from cormorant.errors import CormorantError

TWICE = [(1,), (1,)]
FAILS_LATER = "SELECT abs(n) FROM (SELECT 1 AS n UNION ALL SELECT -9223372036854775807 - 1)"
"""At its second row: by then the driver has a cursor."""


async def fail(connection: SQLiteConnection, way: str) -> CormorantError:
    insert = "INSERT INTO seat VALUES (?1)"
    returning = f"{insert} RETURNING id"
    calls = {
        "execute": lambda: connection.execute(FAILS_LATER),
        "query": lambda: connection.query(FAILS_LATER),
        "write_all": lambda: connection.write_all(insert, TWICE),
        "write_each": lambda: connection.write_each(insert, returning, TWICE),
        "insert_each": lambda: connection.insert_each(insert, returning, TWICE),
    }
    try:
        await calls[way]()
    except CormorantError as error:
        return error
    raise AssertionError(way)


@pytest.mark.parametrize("on_loop", ["true", "false"])
@pytest.mark.parametrize("way", ["execute", "query", "write_all", "write_each", "insert_each"])
async def test_freeing_it_waits_for_no_statement(tmp_path: Path, way: str, on_loop: str) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}?on_loop={on_loop}")
    connection = await adapter.acquire(write=True)
    await connection.execute("CREATE TABLE seat (id integer PRIMARY KEY)")
    kept = [await fail(connection, way)]

    loop, running, end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def gate() -> int:
        loop.call_soon_threadsafe(running.set)
        return int(end.wait(30))

    await connection.call("", lambda raw: raw.create_function("gate", 0, gate))
    slow = asyncio.ensure_future(connection.fetch("SELECT gate()"))
    await running.wait()
    try:
        # in a thread, where it holds up nobody else if it does wait
        await asyncio.wait_for(asyncio.to_thread(kept.clear), 10)
    finally:
        end.set()
        assert list(await slow) == [(1,)]
        adapter.release(connection)
        await adapter.close()
