"""Counts and times every statement by its shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class StatementStats:
    """What one statement shape cost so far.

    Args:
        sql: The statement's text, without values.
        count: How often it was sent.
        rows: Rows given back or written.
        total_ms: Milliseconds from sending to the last row, all runs together.
        max_ms: Milliseconds of the slowest run.
        errors: How often it failed, or was cancelled; such a run counts, and its time does.
    """

    sql: str
    count: int = 0
    rows: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    errors: int = 0

    @property
    def mean_ms(self) -> float:
        """Milliseconds of the mean run."""
        return self.total_ms / self.count if self.count else 0.0


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
    """The statements of one session or of one database."""

    __slots__ = ("_by_sql",)

    def __init__(self) -> None:
        self._by_sql: dict[str, StatementStats] = {}

    def record(self, sql: str, rows: int, seconds: float) -> None:
        """Takes one run in."""
        stats = self._by_sql.get(sql)
        if stats is None:
            stats = self._by_sql[sql] = StatementStats(sql)
        milliseconds = seconds * 1000
        stats.count += 1
        stats.rows += rows
        stats.total_ms += milliseconds
        if milliseconds > stats.max_ms:
            stats.max_ms = milliseconds

    def fail(self, sql: str, seconds: float) -> None:
        """Takes in one run that has failed."""
        self.record(sql, 0, seconds)
        self._by_sql[sql].errors += 1

    @property
    def statements(self) -> int:
        """How many statements were sent, transaction words included."""
        return sum(stats.count for stats in self._by_sql.values())

    def totals(self) -> StatementTotals:
        """Gives the sums over all shapes."""
        # a thread of the sync facade may add one meanwhile
        every = list(self._by_sql.values())
        return StatementTotals(
            sum(stats.count for stats in every),
            sum(stats.errors for stats in every),
            sum(stats.rows for stats in every),
            sum(stats.total_ms for stats in every),
            len(every),
        )

    def stats(self) -> list[StatementStats]:
        """Gives the statement shapes, the costliest first."""
        return sorted(self._by_sql.values(), key=lambda stats: stats.total_ms, reverse=True)

    def reset(self) -> None:
        """Forgets everything."""
        self._by_sql.clear()
