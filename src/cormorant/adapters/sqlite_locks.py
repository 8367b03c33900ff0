"""The lock that another process has on an SQLite file is waited for a moment at a time.

SQLite itself hears of nothing while it waits, so that whoever is cancelled meanwhile, or has no time left, would stay
until its whole `busy_timeout` is over.
"""

from __future__ import annotations

import sqlite3
from time import monotonic

MOMENT = 0.05
"""Seconds that SQLite waits by itself."""


def by_itself(seconds: float) -> float:
    """Gives how long SQLite is to wait of a time."""
    return min(seconds, MOMENT)


def is_locked(error: sqlite3.Error) -> bool:
    """Whether a statement has met a lock that goes away, and has done nothing."""
    # a COMMIT while statements of the same connection are read has this code too, and another text
    return getattr(error, "sqlite_errorname", None) == "SQLITE_BUSY" and str(error) == "database is locked"


def deadline(raw: sqlite3.Connection, seconds: float) -> float:
    """Gives until when a statement that has met a lock is run again; runs in the connection's thread.

    Args:
        raw: The driver's own connection.
        seconds: How long it waits in all.
    """
    (milliseconds,) = raw.execute("PRAGMA busy_timeout").fetchone()
    waited = by_itself(seconds)
    # somebody's own pragma counts alone
    return monotonic() + (seconds - waited if milliseconds == int(waited * 1000) else -1)
