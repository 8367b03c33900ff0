"""What is done in the thread of an SQLite connection: plain functions of the driver's own connection."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any

from cormorant.adapters.base import RawRows, Row

TOGETHER = 500
"""So many runs of a write are handed to SQLite at once; in between it can be stopped."""

_TOGETHER = "cormorant_together"

# interrupted half-way, these would leave it open whether the transaction still stands
_NEVER_INTERRUPTED = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "RELEASE", "SAVEPOINT"})


def is_protected(sql: str) -> bool:
    """Whether a statement is never interrupted."""
    return sql.lstrip()[:10].upper().partition(" ")[0].rstrip(";") in _NEVER_INTERRUPTED


def is_begin(sql: str) -> bool:
    """Whether a statement begins a transaction: until it has the lock, nothing has begun."""
    return sql.lstrip()[:5].upper() == "BEGIN"


def is_interrupted(error: sqlite3.Error) -> bool:
    """Whether somebody has stopped a statement."""
    return getattr(error, "sqlite_errorname", None) == "SQLITE_INTERRUPT"


def close(raw: sqlite3.Connection, turn: threading.Lock) -> None:
    """Closes a connection to a file when it is its turn."""
    # of two that close at the same moment neither is the last, and nobody would empty the write-ahead log
    with turn:
        raw.close()


def fetch(raw: sqlite3.Connection, sql: str, args: Sequence[Any]) -> list[Row]:
    """Gives a statement's rows."""
    return raw.execute(sql, args).fetchall()


def execute(raw: sqlite3.Connection, sql: str, args: Sequence[Any]) -> int:
    """Gives the number of rows that a statement has written."""
    before = raw.total_changes
    cursor = raw.execute(sql, args)
    if cursor.description is not None:
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


def fetch_each(
    raw: sqlite3.Connection, go_on: Callable[[], None], sql: str, arg_rows: Sequence[Sequence[Any]]
) -> list[Sequence[Row]]:
    """Gives the rows of each run; `go_on` raises an error where the rest is not to be run, here and below."""
    answers: list[Sequence[Row]] = []
    for args in arg_rows:
        go_on()
        answers.append(raw.execute(sql, args).fetchall())
    return answers


def write_all(raw: sqlite3.Connection, go_on: Callable[[], None], sql: str, arg_rows: Sequence[Sequence[Any]]) -> None:
    """Runs a statement of which nothing comes back."""
    cursor = raw.cursor()
    for start in range(0, len(arg_rows), TOGETHER):
        go_on()
        cursor.executemany(sql, arg_rows[start : start + TOGETHER])


def write_each(
    raw: sqlite3.Connection,
    go_on: Callable[[], None],
    known: set[str],
    silent: str,
    sql: str,
    arg_rows: Sequence[Sequence[Any]],
) -> list[int]:
    """Gives the number of rows that each run wrote.

    SQLite counts them, but not those of a view, which triggers write in its place; the first row shows which it is.

    Args:
        raw: The driver's own connection.
        go_on: Raises an error where the rest is not to be run.
        known: The silent statements whose rows are counted; it is added to.
        silent: The statement without RETURNING.
        sql: The same, which returns something of each row.
        arg_rows: The arguments of each run.
    """
    run, counts = raw.cursor().execute, list[int]()
    is_counted = silent in known
    for args in arg_rows:
        go_on()
        if is_counted:
            counts.append(run(silent, args).rowcount)
            continue
        counts.append(len(run(sql, args).fetchall()))
        is_counted = counts[-1] > 0 and raw.execute("SELECT changes()").fetchone() == (counts[-1],)
    if is_counted:
        known.add(silent)
    return counts


def insert_each(
    raw: sqlite3.Connection,
    go_on: Callable[[], None],
    known: set[str],
    silent: str,
    sql: str,
    arg_rows: Sequence[Sequence[Any]],
) -> list[Row]:
    """Gives the key of each new row.

    RETURNING costs more than the INSERT itself. Most keys are the number by which SQLite knows the row, and that it
    tells anyway; whether this one is, the first row shows.

    Args:
        raw: The driver's own connection.
        go_on: Raises an error where the rest is not to be run.
        known: The silent statements of which that is known; it is added to.
        silent: The statement without RETURNING.
        sql: The same, which returns the row's key.
        arg_rows: The arguments of each run.
    """
    cursor, keys = raw.cursor(), list[Row]()
    is_number, is_alone = silent in known, False
    at, end = 0, len(arg_rows)
    while at < end:
        go_on()
        if is_alone and end - at > 1 and (found := _counted_up(raw, silent, arg_rows[at : at + TOGETHER], keys[-1][0])):
            keys += found
            at += len(found)
            continue
        before = raw.total_changes
        if is_number:
            cursor.execute(silent, arg_rows[at])
            # of a row that a trigger has refused, it would be the number of the one before
            keys.append((cursor.lastrowid,) if cursor.rowcount == 1 else ())
        else:
            found = cursor.execute(sql, arg_rows[at]).fetchall()
            keys += found or [()]
            is_number = found == [(cursor.lastrowid,)]
        # once is enough to know that something else is written too
        is_alone = at == 0 and is_number and raw.in_transaction and raw.total_changes - before == 1
        at += 1
    if is_number:
        known.add(silent)
    return keys


def _counted_up(raw: sqlite3.Connection, silent: str, arg_rows: Sequence[Sequence[Any]], last: int) -> Sequence[Row]:
    """Inserts several rows at once after one that got the key `last`, and gives their keys; nothing, if that fails.

    Every new key is larger than all there are, unless one is given or a row has the largest number of all. So if
    nothing else was written meanwhile, not by a trigger either, and the last key is as many further on as there are
    rows, then each row got the next one.
    """
    raw.execute(f"SAVEPOINT {_TOGETHER}")
    before, cursor = raw.total_changes, raw.cursor()
    try:
        cursor.executemany(silent, arg_rows)
        count = len(arg_rows)
        written = (cursor.rowcount, raw.total_changes - before, *raw.execute("SELECT last_insert_rowid()").fetchone())
        if written == (count, count, last + count):
            return list(zip(range(last + 1, last + count + 1), strict=True))
        raw.execute(f"ROLLBACK TO {_TOGETHER}")
        return ()
    finally:
        # an error may have ended the transaction
        if raw.in_transaction:
            raw.execute(f"RELEASE {_TOGETHER}")


def _written(raw: sqlite3.Connection, cursor: sqlite3.Cursor, before: int) -> int:
    if cursor.rowcount >= 0:
        return cursor.rowcount
    if raw.total_changes == before:
        return 0
    # Python counts no rows for a statement that begins with WITH
    changed: int = raw.execute("SELECT changes()").fetchone()[0]
    return changed
