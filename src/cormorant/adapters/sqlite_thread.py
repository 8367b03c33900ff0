"""What is done in the thread of an SQLite connection: plain functions of the driver's own connection."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from cormorant.adapters.base import RawRows, Row


def nothing() -> None:
    """Answers, which tells that the thread has done all that came before."""


def fetch(raw: sqlite3.Connection, sql: str, args: Sequence[Any]) -> list[Row]:
    """Gives a statement's rows."""
    return raw.execute(sql, args).fetchall()


def execute(raw: sqlite3.Connection, sql: str, args: Sequence[Any]) -> int:
    """Gives the number of rows that a statement has written."""
    before = raw.total_changes
    cursor = raw.execute(sql, args)
    # a statement ends, and an implicit transaction with it, only when its last row was read
    cursor.fetchall()
    return _written(raw, cursor, before)


def query(raw: sqlite3.Connection, sql: str, args: Sequence[Any]) -> RawRows:
    """Gives the whole answer to a statement."""
    before = raw.total_changes
    cursor = raw.execute(sql, args)
    rows = cursor.fetchall()
    columns = tuple(column[0] for column in cursor.description or ())
    return RawRows(columns, rows, len(rows) if columns else _written(raw, cursor, before))


def _written(raw: sqlite3.Connection, cursor: sqlite3.Cursor, before: int) -> int:
    if cursor.rowcount >= 0:
        return cursor.rowcount
    if raw.total_changes == before:
        return 0
    # Python counts no rows for a statement that begins with WITH
    changed: int = raw.execute("SELECT changes()").fetchone()[0]
    return changed


def use_wal(raw: sqlite3.Connection, seconds: float) -> None:
    """Lets readers go on while the writer writes; the file remembers it."""
    deadline = time.monotonic() + seconds
    while raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            # a file system without shared memory says no by keeping the old mode
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself for another process that is changing the mode
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
