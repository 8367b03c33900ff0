"""Statements of SQLite that are run on the event loop, because waking a thread for them takes longer than they do.

Nothing here waits for anybody: what would have to, or turns out to be long, is left to the connection's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from cormorant.adapters import sqlite_thread as in_thread

SHORT = 0.000_2
"""Seconds within which a statement must have ended in the thread, a few times in a row, to be called short."""

LONG = 0.001
"""Seconds after which one that was run on the loop is called short no more."""

STEPS = 5000
"""So many steps of SQLite's machine, or twice as many, a read may take on the loop: a tenth of a millisecond."""

IN_A_ROW = 10
"""So many statements run on the loop before all tasks have had their turn."""

PROVEN = 3
"""So many runs that were short show that the next one will be."""

_DOUBTFUL = -30

_KEPT = 2000

_CHECKPOINT_AFTER = 500

_ONE_STATEMENT = frozenset({in_thread.fetch, in_thread.execute, in_thread.query})
_ONE_FOR_EACH_ROW = frozenset({in_thread.fetch_each, in_thread.write_each, in_thread.insert_each})

KINDS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT ", "RELEASE ")
"""How statements begin that may be short."""

# as long as what was done before them
_ENDS = ("COMMIT", "ROLLBACK", "RELEASE ")


class Later:
    """What is given in place of an answer by who leaves a statement to the thread."""


LATER = Later()


class Short:
    """Which statements of one database are short, by their text: it is found out by measuring them in the thread."""

    __slots__ = ("credit",)

    def __init__(self) -> None:
        # written by threads too, each time by one step of the interpreter
        self.credit: dict[str, int] = {}

    def note(self, sql: str, seconds: float) -> None:
        """Notes how long a statement has taken in the thread."""
        if len(self.credit) >= _KEPT:
            self.credit.clear()
        credit = self.credit.get(sql, 0)
        self.credit[sql] = min(credit + 1, PROVEN) if seconds < SHORT else min(credit, 0)

    def doubt(self, sql: str) -> None:
        """Notes that one was long on the loop."""
        self.credit[sql] = _DOUBTFUL


class OnLoop:
    """Runs the short statements of one connection where the event loop runs.

    Args:
        raw: The driver's own connection, which any thread may use.
        short: Which statements are short.
        busy_timeout: Seconds that the thread waits for another process's lock; the loop waits for none.
        writer: Whether the connection may write.
    """

    __slots__ = (
        "_busy_timeout",
        "_guards",
        "_interruptions",
        "_is_here",
        "_is_light",
        "_left",
        "_raw",
        "_short",
        "_until_checkpoint",
        "_writer",
    )

    def __init__(self, raw: sqlite3.Connection, short: Short, busy_timeout: float, *, writer: bool) -> None:
        self._raw = raw
        self._short = short
        self._busy_timeout = busy_timeout
        self._writer = writer
        self._is_here = False
        # nothing in the open transaction was done by the thread
        self._is_light = False
        self._guards = False
        self._interruptions = 0
        self._left = IN_A_ROW
        self._until_checkpoint = _CHECKPOINT_AFTER

    def offers(self, sql: str, work: Callable[..., Any], args: Sequence[Any]) -> bool:
        """Whether a function that runs a statement is to be called here."""
        if self._short.credit.get(sql, 0) < PROVEN or not _is_one(work, args):
            return False
        if self._writer:
            if not self._is_light and sql.startswith(_ENDS):
                return False
            self._until_checkpoint -= 1
            # the thread looks after the log, which every commit makes longer
            return self._until_checkpoint > 0
        return True

    def takes_turn(self) -> bool:
        """Whether other tasks are to have their turn first."""
        self._left -= 1
        if self._left:
            return False
        self._left = IN_A_ROW
        return True

    def run(self, sql: str, do: Callable[[], Any]) -> Any:
        """Calls a function that runs a statement; gives LATER where the thread is to do that."""
        if not self._is_here:
            self._enter()
        if sql.startswith("BEGIN"):
            self._is_light = True
        # what writes is not broken off: that would take back its whole transaction
        self._guards, self._interruptions = sql.startswith("SELECT"), 0
        start = perf_counter()
        try:
            return do()
        except sqlite3.OperationalError as error:
            if not self._interruptions and getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise
            self._short.doubt(sql)
            return LATER
        finally:
            if perf_counter() - start > LONG:
                self._short.doubt(sql)

    def _enter(self) -> None:
        self._is_here = True
        self._raw.execute("PRAGMA busy_timeout = 0").fetchall()
        if self._writer:
            self._raw.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        self._raw.set_progress_handler(self._give_up, STEPS)

    def _give_up(self) -> bool:
        if not self._guards:
            return False
        # steps are counted through all runs of a statement
        self._interruptions += 1
        return self._interruptions > 1

    # ---- in the thread

    def leave(self) -> None:
        """Makes the connection the thread's again."""
        self._is_here = False
        self._raw.set_progress_handler(None, 0)
        self._raw.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout * 1000)}").fetchall()
        if self._writer:
            self._raw.execute("PRAGMA wal_autocheckpoint = 1000").fetchall()

    def measure(self, sql: str, work: Callable[..., Any], args: Sequence[Any], do: Callable[[], Any]) -> Any:
        """Calls a function that runs a statement in the thread, and notes how long it takes."""
        if self._is_here:
            self.leave()
        self._until_checkpoint = _CHECKPOINT_AFTER
        # of a long transaction the end is long too
        self._is_light = sql.startswith("BEGIN")
        start = perf_counter()
        found = do()
        if _is_one(work, args) and sql.startswith(KINDS):
            self._short.note(sql, perf_counter() - start)
        return found


def _is_one(work: Callable[..., Any], args: Sequence[Any]) -> bool:
    return work in _ONE_STATEMENT or (work in _ONE_FOR_EACH_ROW and len(args[-1]) == 1)
