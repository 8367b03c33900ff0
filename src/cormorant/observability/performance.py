"""Counts and times every statement by its shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from types import CodeType
from typing import Any

from cormorant._internal.frames import line_of
from cormorant._internal.secrets import without_secrets
from cormorant.observability.budgets import Budget
from cormorant.observability.durations import bucket_of, percentile
from cormorant.observability.exported import ExportedSite, ExportedStats
from cormorant.observability.redaction import shown_parameters

SHAPES = 2_000
"""The most shapes one tracker tells apart: raw SQL with values in its text would have no end of them."""

OTHERS = "(further statements)"
"""The shape under which those beyond that many are counted."""

SITES = 100
"""The most call sites that are remembered of one shape."""

LISTED = 300
"""The most runs and call sites that are listed before they are counted."""

Caller = tuple[CodeType, int]
"""A place in the user's code: a function, and an instruction of it."""


@dataclass(frozen=True, slots=True)
class CallSite:
    """A line of the program that had a statement sent.

    Args:
        file: The file's path.
        line: The line's number.
        count: How often.
    """

    file: str
    line: int
    count: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class StatementStats:
    """What one statement shape cost so far.

    Args:
        sql: The statement's text, without values.
        count: How often it was sent.
        rows: Rows given back or written.
        total_ms: Milliseconds from sending to the last row, all runs together.
        max_ms: Milliseconds of the slowest run.
        errors: How many of the runs the database refused, or were cut off.
        sample: The values of the slowest run as text, secret ones hidden; where `sample_parameters` is set.
    """

    sql: str
    count: int = 0
    rows: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    errors: int = 0
    sample: tuple[str, ...] = ()
    buckets: dict[int, int] = field(default_factory=dict[int, int], repr=False)
    # by the code's id, which is cheaper than its hash; the code is held, so that the id stays its own
    sites: dict[tuple[int, int], tuple[CodeType, int]] = field(
        default_factory=dict[tuple[int, int], tuple[CodeType, int]], repr=False
    )

    @property
    def mean_ms(self) -> float:
        """Milliseconds of the mean run."""
        return self.total_ms / self.count if self.count else 0.0

    @property
    def p95_ms(self) -> float:
        """Milliseconds that 95 of 100 runs did not exceed, to a thirtieth of it."""
        return min(percentile(self.buckets, 0.95), self.max_ms)

    @property
    def call_sites(self) -> list[CallSite]:
        """The lines of the program that asked for it by queries, `get`, loading or raw SQL, the busiest first."""
        lines: dict[tuple[str, int], int] = {}
        for (_, instruction), (code, count) in self.sites.items():
            line = line_of(code, instruction)
            if line is not None:
                place = (code.co_filename, line)
                lines[place] = lines.get(place, 0) + count
        found = [CallSite(file, line, count) for (file, line), count in lines.items()]
        return sorted(found, key=lambda site: site.count, reverse=True)

    def exported(self, *, include_samples: bool) -> ExportedStats:
        """Gives it as JSON takes it."""
        sites: list[ExportedSite] = [{"file": s.file, "line": s.line, "count": s.count} for s in self.call_sites]
        found: ExportedStats = {
            "sql": self.sql,
            "count": self.count,
            "rows": self.rows,
            "errors": self.errors,
            "total_ms": round(self.total_ms, 3),
            "mean_ms": round(self.mean_ms, 3),
            "p95_ms": round(self.p95_ms, 3),
            "max_ms": round(self.max_ms, 3),
            "call_sites": sites,
        }
        if include_samples:
            found["sample"] = list(self.sample)
        return found


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
    work, counting takes twice as long.

    Args:
        samples: Keep the values of the slowest runs.
        slow: Seconds from which a run is slow.
    """

    __slots__ = ("_by_sql", "budget", "listed", "samples", "slow")

    def __init__(self, *, samples: bool = False, slow: float = inf) -> None:
        self._by_sql: dict[str, StatementStats] = {}
        self.samples: bool = samples
        self.slow: float = slow
        # what the statements have to stay within, where that is limited
        self.budget: Budget | None = None
        # runs, and call sites, as the methods that count them take them
        self.listed: list[tuple[Any, ...]] = []

    def record(self, sql: str, rows: int, seconds: float, args: Sequence[Any] = (), failed: bool = False) -> None:
        """Takes one run in."""
        # the values are let go of at once where nobody wants them
        self.listed.append((sql, rows, seconds, args if self.samples else (), failed))
        if len(self.listed) >= LISTED:
            self.count()

    def note_caller(self, sql: str, caller: Caller) -> None:
        """Takes the call site of a statement in that was sent."""
        self.listed.append((sql, caller))

    def for_session(self) -> PerformanceTracker:
        """Gives the tracker of a session on this database."""
        return SessionTracker(self)

    # ---- counting

    def count(self) -> None:
        """Counts what is listed."""
        # other threads may go on listing
        listed, self.listed = self.listed, []
        for item in listed:
            if len(item) == _CALLER:
                self._count_caller(*item)
            else:
                self._count_run(*item)

    def _count_run(self, sql: str, rows: int, seconds: float, args: Sequence[Any], failed: bool) -> None:
        stats = self._by_sql.get(sql)
        if stats is None:
            stats = self._new(sql)
        milliseconds = seconds * 1000
        stats.count += 1
        stats.rows += rows
        stats.total_ms += milliseconds
        stats.errors += failed
        bucket = bucket_of(milliseconds)
        stats.buckets[bucket] = stats.buckets.get(bucket, 0) + 1
        if milliseconds > stats.max_ms:
            stats.max_ms = milliseconds
            if self.samples:
                stats.sample = shown_parameters(sql, args)

    def _new(self, sql: str) -> StatementStats:
        if len(self._by_sql) >= SHAPES:
            sql = OTHERS
        return self._by_sql.setdefault(sql, StatementStats(without_secrets(sql)))

    def _count_caller(self, sql: str, caller: Caller) -> None:
        stats = self._by_sql.get(sql)
        if stats is None:
            return
        key = (id(caller[0]), caller[1])
        site = stats.sites.get(key)
        if site is not None:
            stats.sites[key] = (site[0], site[1] + 1)
        elif len(stats.sites) < SITES:
            stats.sites[key] = (caller[0], 1)

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

    def stats(self) -> list[StatementStats]:
        """Gives the statement shapes, the costliest first."""
        self.count()
        # copied at once: other threads may record meanwhile
        found = list(self._by_sql.values())
        return sorted(found, key=lambda stats: stats.total_ms, reverse=True)

    def export(self, *, reset: bool = False, include_samples: bool = False) -> list[ExportedStats]:
        """Gives the shapes as JSON takes them, and forgets them if `reset` is set."""
        found = [stats.exported(include_samples=include_samples) for stats in self.stats()]
        if reset:
            self.reset()
        return found

    def reset(self) -> None:
        """Forgets everything."""
        self.listed = []
        self._by_sql.clear()


_CALLER = 2


class SessionTracker(PerformanceTracker):
    """The statements of one session; what it lists, it lists for the database as well.

    Args:
        whole: The database's tracker.
    """

    __slots__ = ("_whole",)

    def __init__(self, whole: PerformanceTracker) -> None:
        # written out: every session makes one
        self._by_sql: dict[str, StatementStats] = {}
        self.samples: bool = whole.samples
        self.slow: float = whole.slow
        self.budget: Budget | None = None
        self.listed: list[tuple[Any, ...]] = []
        self._whole = whole

    def record(self, sql: str, rows: int, seconds: float, args: Sequence[Any] = (), failed: bool = False) -> None:
        """Takes one run in."""
        run = (sql, rows, seconds, args if self.samples else (), failed)
        for tracker in (self, self._whole):
            tracker.listed.append(run)
            if len(tracker.listed) >= LISTED:
                tracker.count()

    def note_caller(self, sql: str, caller: Caller) -> None:
        """Takes the call site of a statement in that was sent."""
        self.listed.append(site := (sql, caller))
        self._whole.listed.append(site)


class SilentTracker(PerformanceTracker):
    """Counts nothing: for databases with `track_queries=False`."""

    __slots__ = ()

    def record(self, sql: str, rows: int, seconds: float, args: Sequence[Any] = (), failed: bool = False) -> None:
        """Takes no notice."""

    def note_caller(self, sql: str, caller: Caller) -> None:
        """Takes no notice."""

    def for_session(self) -> PerformanceTracker:
        """Gives another one, which counts nothing either."""
        return SilentTracker(slow=self.slow)
