"""Counts and times every statement by its shape."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from threading import RLock
from typing import Any

from cormorant._internal.frames import beyond_loop, waiting
from cormorant._internal.secrets import without_secrets
from cormorant.observability.budgets import Budget
from cormorant.observability.exported import ExportedStats
from cormorant.observability.findings import Finding
from cormorant.observability.shapes import CacheUse, Caller, Run, StatementStats

SHAPES = 2_000
"""The most shapes one tracker tells apart: raw SQL with values in its text would have no end of them."""

OTHERS = "(further statements)"
"""The shape under which those beyond that many are counted."""

LISTED = 300
"""The most runs that are listed before they are counted."""

RECENT = 500
"""The last runs that are kept one by one, for who wants to see them in the order of time."""

FINDINGS = 1_000
"""The most lines of the program that are known to load things one by one."""

HOUSE = f"{Path(__file__).parents[1]}{os.sep}"
"""Where the package is: code outside of it is the user's."""

_INSIDE = (HOUSE, contextlib.__file__)

# files inside, as they are met: to look one up takes a third of comparing where it is
_inside: set[str] = set()

# one for all: it is held for a moment, once in hundreds of statements
_counting = RLock()


def asking() -> Caller | None:
    """Gives the place in the user's code that has something sent; None where there is nothing but an event loop."""
    # whoever asks is inside
    frame = sys._getframe(1).f_back  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        file = frame.f_code.co_filename
        if file not in _inside:
            if not file.startswith(_INSIDE):
                break
            _inside.add(file)
        frame = frame.f_back
    if waiting.get():
        # who waits may be in another thread
        frame = beyond_loop(frame, ("cormorant.", "contextlib"))
    # a frame that is held would keep alive what its function holds
    return None if frame is None else (frame.f_code, frame.f_lasti)


@dataclass(frozen=True, slots=True)
class StatementTotals:
    """What all statements cost so far.

    Args:
        count: How many were sent.
        errors: How many of them failed, or were cancelled.
        rows: Rows given back or written.
        total_ms: Milliseconds from sending to the last row, all of them together.
        shapes: How many different ones there were.
    """

    count: int
    errors: int
    rows: int
    total_ms: float
    shapes: int


class PerformanceTracker:
    """The statements of a database.

    Runs are listed as they come, and counted a few hundred at a time, or when somebody asks: one by one, between other
    work, counting takes five times as long.

    Args:
        samples: Keep the values of the slowest runs.
        slow: Seconds from which a run is slow.
    """

    __slots__ = ("_by_sql", "_recent", "budget", "cache_hits", "cache_misses", "findings", "listed", "samples", "slow")

    def __init__(self, *, samples: bool = False, slow: float = inf) -> None:
        self._by_sql: dict[str, StatementStats] = {}
        self._recent: deque[Run] | None = None
        self.samples: bool = samples
        self.slow: float = slow
        # what the statements have to stay within, where that is limited
        self.budget: Budget | None = None
        # runs that are not counted yet; never another list, so that whoever adds to it meanwhile is not lost
        self.listed: list[Run] = []
        self.findings: dict[Hashable, Finding] = {}
        self.cache_hits: int = 0
        self.cache_misses: int = 0

    def record(
        self,
        sql: str,
        rows: int,
        seconds: float,
        args: Sequence[Any] = (),
        failed: bool = False,
        start: float = 0.0,
        caller: Caller | None = None,
    ) -> None:
        """Takes one run in.

        Args:
            sql: Its text.
            rows: Rows given back or written.
            seconds: How long it took.
            args: Its values, which are let go of at once where nobody wants them.
            failed: It was refused, or cut off.
            start: What the clock `perf_counter` said when it was sent.
            caller: Whose code had it sent.
        """
        self.listed.append((sql, rows, seconds, failed, start, caller, args if self.samples else ()))
        if len(self.listed) >= LISTED:
            self.count()

    def note_finding(self, key: Hashable, finding: Finding, more: int) -> None:
        """Takes in that a line of the program loads things one by one, `more` than was told before."""
        known = self.findings.get(key)
        if known is not None:
            self.findings[key] = replace(known, count=known.count + more)
        elif len(self.findings) < FINDINGS:
            self.findings[key] = finding

    def note_cache(self, hits: int, misses: int) -> None:
        """Takes in how much of what was wanted the second-level cache had."""
        self.cache_hits += hits
        self.cache_misses += misses

    def for_session(self) -> PerformanceTracker:
        """Gives the tracker of a session on this database."""
        return SessionTracker(self)

    # ---- counting

    def count(self) -> None:
        """Counts what is listed."""
        with _counting:
            # other threads may go on listing
            runs = self.listed[:]
            del self.listed[: len(runs)]
            by_sql: defaultdict[str, list[Run]] = defaultdict(list)
            for run in runs:
                by_sql[run[0]].append(run)
            for sql, same in by_sql.items():
                (self._by_sql.get(sql) or self._new(sql)).take(same)
            if self._recent is None:
                self._recent = deque(maxlen=RECENT)
            self._recent.extend(map(_without_values, runs) if self.samples else runs)

    def _new(self, sql: str) -> StatementStats:
        if len(self._by_sql) >= SHAPES:
            sql = OTHERS
        return self._by_sql.setdefault(sql, StatementStats(without_secrets(sql)))

    # ---- asking

    @property
    def statements(self) -> int:
        """How many statements were sent, transaction words included."""
        return sum(stats.count for stats in self.stats())

    def totals(self) -> StatementTotals:
        """Gives the sums over all shapes."""
        every = self.stats()
        return StatementTotals(
            sum(stats.count for stats in every),
            sum(stats.errors for stats in every),
            sum(stats.rows for stats in every),
            sum(stats.total_ms for stats in every),
            len(every),
        )

    def cache_use(self) -> CacheUse:
        """Gives how much of what was wanted the second-level cache had."""
        return CacheUse(self.cache_hits, self.cache_misses)

    def stats(self) -> list[StatementStats]:
        """Gives the statement shapes, the costliest first."""
        self.count()
        # copied at once: other threads may record meanwhile
        found = list(self._by_sql.values())
        return sorted(found, key=lambda stats: stats.total_ms, reverse=True)

    def recent(self) -> list[Run]:
        """Gives the last runs, in the order in which they ended, without values."""
        self.count()
        return list(self._recent or ())

    def export(self, *, reset: bool = False, include_samples: bool = False) -> list[ExportedStats]:
        """Gives the shapes as JSON takes them, and forgets them if `reset` is set."""
        found = [stats.exported(include_samples=include_samples) for stats in self.stats()]
        if reset:
            self.reset()
        return found

    def reset(self) -> None:
        """Forgets everything."""
        with _counting:
            self.listed.clear()
            self._by_sql.clear()
            self._recent = None
            self.findings.clear()
            self.cache_hits = self.cache_misses = 0


def _without_values(run: Run) -> Run:
    return (*run[:6], ())


class SessionTracker(PerformanceTracker):
    """The statements of one session; what it lists, it lists for the database as well.

    Args:
        whole: The database's tracker.
    """

    __slots__ = ("_whole",)

    def __init__(self, whole: PerformanceTracker) -> None:
        # written out: every session makes one
        self._by_sql: dict[str, StatementStats] = {}
        self._recent: deque[Run] | None = None
        self.samples: bool = whole.samples
        self.slow: float = whole.slow
        self.budget: Budget | None = None
        self.listed: list[Run] = []
        self.findings: dict[Hashable, Finding] = {}
        self.cache_hits: int = 0
        self.cache_misses: int = 0
        self._whole = whole

    def record(
        self,
        sql: str,
        rows: int,
        seconds: float,
        args: Sequence[Any] = (),
        failed: bool = False,
        start: float = 0.0,
        caller: Caller | None = None,
    ) -> None:
        """Takes one run in."""
        run = (sql, rows, seconds, failed, start, caller, args if self.samples else ())
        mine, whole = self.listed, self._whole
        mine.append(run)
        whole.listed.append(run)
        if len(whole.listed) >= LISTED:
            whole.count()
        if len(mine) >= LISTED:
            self.count()

    def note_finding(self, key: Hashable, finding: Finding, more: int) -> None:
        """Takes in that a line of the program loads things one by one, `more` than was told before."""
        super().note_finding(key, finding, more)
        self._whole.note_finding(key, finding, more)


class SilentTracker(PerformanceTracker):
    """Counts no statements: for databases with `track_queries=False`."""

    __slots__ = ()

    def record(
        self,
        sql: str,
        rows: int,
        seconds: float,
        args: Sequence[Any] = (),
        failed: bool = False,
        start: float = 0.0,
        caller: Caller | None = None,
    ) -> None:
        """Takes no notice."""

    def note_finding(self, key: Hashable, finding: Finding, more: int) -> None:
        """Takes no notice."""

    def for_session(self) -> PerformanceTracker:
        """Gives another one, which counts none either."""
        return SilentTracker(slow=self.slow)
