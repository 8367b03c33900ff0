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
"""So many steps of SQLite's machine, or twice as many, a statement that can be broken off may take on the loop."""

IN_A_ROW = 10
"""So many statements run on the loop before all tasks have had their turn."""

PROVEN = 3
"""So many runs that were short show that the next one will be."""

_DOUBTFUL = -30

_KEPT = 10_000

_CHECKPOINT_AFTER = 500

_READS = frozenset({in_thread.fetch, in_thread.query})
_ONE_FOR_EACH_ROW = frozenset({in_thread.fetch_each, in_thread.write_each, in_thread.insert_each})

_WRITES = ("INSERT ", "UPDATE ", "DELETE ")
_FRAMES = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT ", "RELEASE ")

# as long as what was done before them
_ENDS = ("COMMIT", "ROLLBACK", "RELEASE ")


class Later:
    """What is given in place of an answer by who leaves a statement to the thread."""


LATER = Later()


class Short:
    """Which statements of one database are short, by their text: it is found out by measuring them in the thread."""

    __slots__ = ("credit",)

    def __init__(self) -> None:
        # written by threads too; a doubt that is lost by that comes again
        self.credit: dict[str, int] = {}

    def note(self, sql: str, seconds: float) -> None:
        """Notes how long a statement has taken in the thread."""
        if len(self.credit) >= _KEPT:
            self.credit.clear()
        credit = self.credit.get(sql, 0)
        self.credit[sql] = min(credit + 1, PROVEN) if seconds < SHORT else min(credit, 0)

    def doubt(self, sql: str) -> None:
        """Notes that one was long on the loop: all that write, where it does, because then the disk is slow."""
        self.credit[sql] = _DOUBTFUL
        if not sql.startswith("SELECT "):
            for other in list(self.credit):
                if not other.startswith("SELECT "):
                    self.credit[other] = _DOUBTFUL


class OnLoop:
    """Runs the short statements of one connection where the event loop runs.

    Args:
        raw: The driver's own connection, which any thread may use.
        short: Which statements are short.
        writer: Whether the connection may write.
    """

    __slots__ = (
        "_allowed",
        "_busy_timeout",
        "_checkpoint",
        "_guards",
        "_is_here",
        "_is_light",
        "_left",
        "_raw",
        "_short",
        "_until_checkpoint",
        "_writer",
    )

    def __init__(self, raw: sqlite3.Connection, short: Short, *, writer: bool) -> None:
        self._raw = raw
        self._short = short
        self._busy_timeout = self._checkpoint = 0
        self._writer = writer
        self._is_here = False
        # nothing in the open transaction was done by the thread
        self._is_light = False
        self._guards = False
        # what SQLite asks for whether to break off
        self._allowed: list[int] = []
        self._left = IN_A_ROW
        self._until_checkpoint = _CHECKPOINT_AFTER

    def offers(self, sql: str, work: Callable[..., Any], args: Sequence[Any]) -> bool:
        """Whether a function that runs a statement is to be called here."""
        if self._short.credit.get(sql, 0) < PROVEN or not may_be_short(sql, work, args):
            return False
        if not self._writer:
            return True
        if self._raw.in_transaction:
            if sql.startswith(_ENDS):
                # the thread looks after the log, which every commit makes longer
                return self._is_light and self._until_checkpoint > 0
            # what it takes along cannot be known, and nothing is broken off in a transaction
            return not sql.startswith("DELETE ")
        return self._until_checkpoint > 0 or sql.startswith(("SELECT ", "BEGIN"))

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
        self._until_checkpoint -= self._writer
        self._guard(sql.startswith("SELECT ") or not self._raw.in_transaction)
        start = perf_counter()
        try:
            return do()
        except sqlite3.OperationalError as error:
            if (self._allowed or not self._guards) and getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise
            self._short.doubt(sql)
            return LATER
        finally:
            if perf_counter() - start > LONG:
                self._short.doubt(sql)

    def _enter(self) -> None:
        self._is_here = True
        # whatever somebody has set comes back with the thread
        (self._busy_timeout,) = self._raw.execute("PRAGMA busy_timeout").fetchone()
        self._raw.execute("PRAGMA busy_timeout = 0").fetchall()
        if self._writer:
            (self._checkpoint,) = self._raw.execute("PRAGMA wal_autocheckpoint").fetchone()
            self._raw.execute("PRAGMA wal_autocheckpoint = 0").fetchall()

    def _guard(self, wanted: bool) -> None:
        """Has SQLite break the next statement off once it has taken more steps than it may."""
        # steps are counted through all runs of a statement: the first time means nothing. No function of Python is
        # called, because what a handler of signals raises in there would be lost
        self._allowed[:] = (1, 0)
        if wanted is not self._guards:
            self._guards = wanted
            self._raw.set_progress_handler(self._allowed.pop if wanted else None, STEPS if wanted else 0)

    # ---- in the thread

    def leave(self) -> None:
        """Makes the connection the thread's again."""
        self._is_here = self._guards = False
        self._raw.set_progress_handler(None, 0)
        self._raw.execute(f"PRAGMA busy_timeout = {self._busy_timeout}").fetchall()
        if self._writer:
            self._raw.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint}").fetchall()

    def measure(self, sql: str, work: Callable[..., Any], args: Sequence[Any], do: Callable[[], Any]) -> Any:
        """Calls a function that runs a statement in the thread, and notes how long it takes."""
        if self._is_here:
            self.leave()
        # of a long transaction the end is long too
        self._is_light = sql.startswith("BEGIN")
        start = perf_counter()
        found = do()
        if may_be_short(sql, work, args):
            self._short.note(sql, perf_counter() - start)
        if self._writer and not self._raw.in_transaction and not sql.startswith(("SELECT ", "ROLLBACK")):
            # it was committed here
            self._until_checkpoint = _CHECKPOINT_AFTER
        return found


def may_be_short(sql: str, work: Callable[..., Any], args: Sequence[Any]) -> bool:
    """Whether a statement can be short by what it is: a read, a write of one row by its key, or what is around them."""
    if work in _READS:
        return sql.startswith("SELECT ")
    if work in _ONE_FOR_EACH_ROW:
        return len(args[-1]) == 1 and sql.startswith(_WRITES)
    return work is in_thread.execute and sql.startswith(_FRAMES)
