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
    """

    sql: str
    count: int = 0
    rows: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0

    @property
    def mean_ms(self) -> float:
        """Milliseconds of the mean run."""
        return self.total_ms / self.count if self.count else 0.0


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

    @property
    def statements(self) -> int:
        """How many statements were sent, transaction words included."""
        return sum(stats.count for stats in self._by_sql.values())

    def stats(self) -> list[StatementStats]:
        """Gives the statement shapes, the costliest first."""
        return sorted(self._by_sql.values(), key=lambda stats: stats.total_ms, reverse=True)

    def reset(self) -> None:
        """Forgets everything."""
        self._by_sql.clear()
