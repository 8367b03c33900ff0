"""Opens the connections of SQLite databases."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import threading
import time
from typing import Any

import aiosqlite

from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.sqlite_errors import translate
from cormorant.adapters.sqlite_functions import register
from cormorant.adapters.sqlite_locks import by_itself


class Driver(aiosqlite.Connection):
    """The driver's connection, which ends its thread and says nothing when it is dropped.

    There is nobody at the other end, and a transaction that was open is told of by its lease.
    """

    def __del__(self) -> None:
        if self._connection is None or sys.is_finalizing():
            return
        # from a thread without a loop: otherwise the answer goes to a loop that may be closed by then
        driver: Any = self
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=driver.stop, daemon=True).start()


async def open_driver(path: str, config: ConnectionConfig) -> Any:
    """Opens a connection of the driver, which has a thread of its own."""
    driver: Any = aiosqlite.connect(
        path,
        isolation_level=None,
        timeout=config.lock_patience if config.in_memory else by_itself(config.lock_patience),
        cached_statements=config.cached_statements,
        check_same_thread=not config.runs_on_loop,
    )
    driver.__class__ = Driver
    thread: threading.Thread = getattr(driver, "_thread", driver)
    # a connection that nobody closed must not keep the process alive
    thread.daemon = True
    try:
        await driver
    except BaseException as error:
        # the driver has asked it to end; it must not answer to a loop that is closed by then
        await asyncio.to_thread(thread.join)
        if not isinstance(error, Exception):
            raise
        raise translate(error, None) from error
    return driver


def end_thread(driver: Any, raw: sqlite3.Connection) -> None:
    """Ends a connection's thread, whatever that is doing, and waits for it."""
    driver.stop()
    thread: threading.Thread = getattr(driver, "_thread", driver)
    # again and again: an interrupt that comes before a statement has begun is lost. It refuses once all is closed
    with contextlib.suppress(sqlite3.ProgrammingError):
        while thread.is_alive():
            raw.interrupt()
            thread.join(0.05)


# ---- in the thread


def set_up(raw: sqlite3.Connection, config: ConnectionConfig, turn: threading.Lock, writer: bool) -> None:
    """Makes a connection one of ours.

    Args:
        raw: The driver's own connection.
        config: How the database is used.
        turn: What the threads of one file take to open and to close it.
        writer: It may write.
    """
    if not config.in_memory:
        # two connections at once would refuse each other the change of mode
        with turn:
            use_wal(raw, config.busy_timeout)
    raw.execute("PRAGMA synchronous = NORMAL")
    raw.execute("PRAGMA foreign_keys = ON")
    register(raw)
    if not writer:
        raw.execute("PRAGMA query_only = ON")


def use_wal(raw: sqlite3.Connection, seconds: float) -> None:
    """Lets readers go on while the writer writes; the file remembers it."""
    deadline = time.monotonic() + seconds
    while raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            # a file system without shared memory says no by keeping the old mode
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # what may not be written has no writer that readers would wait for
            if error.sqlite_errorname.startswith("SQLITE_READONLY"):
                return
            # SQLite does not wait by itself for another process that is changing the mode
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
