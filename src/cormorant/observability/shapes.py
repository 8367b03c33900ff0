"""What is known of the statements of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import CodeType
from typing import Any

from cormorant._internal.frames import line_of
from cormorant.observability.durations import buckets_of, percentile
from cormorant.observability.exported import ExportedSite, ExportedStats
from cormorant.observability.redaction import shown_parameters

SITES = 100
"""The most call sites that are remembered of one shape."""

Caller = tuple[CodeType, int]
"""A place in the user's code: a function, and an instruction of it."""

Run = tuple[str, int, float, bool, float, Caller | None, Sequence[Any]]
"""SQL, rows, seconds, whether it failed, what `perf_counter` said when it was sent, who asked, values where kept."""


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


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a session has asked of the second-level cache so far.

    Args:
        hits: Rows and results that were found, and cost no statement.
        misses: Those that were not.
    """

    hits: int
    misses: int


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
        """The lines of the program that had it sent, the busiest first."""
        lines: dict[tuple[str, int], int] = {}
        for (_, instruction), (code, count) in self.sites.items():
            line = line_of(code, instruction)
            if line is not None:
                place = (code.co_filename, line)
                lines[place] = lines.get(place, 0) + count
        found = [CallSite(file, line, count) for (file, line), count in lines.items()]
        return sorted(found, key=lambda site: site.count, reverse=True)

    def take(self, runs: Sequence[Run]) -> None:
        """Counts runs of the shape, at least one."""
        durations = [run[2] * 1000 for run in runs]
        self.count += len(runs)
        self.rows += sum([run[1] for run in runs])
        self.total_ms += sum(durations)
        self.errors += sum([run[3] for run in runs])
        for bucket, times in buckets_of(durations).items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + times
        slowest = max(durations)
        if slowest > self.max_ms:
            self.max_ms = slowest
            # empty where nobody wants values
            sql, *_, args = runs[durations.index(slowest)]
            self.sample = shown_parameters(sql, args) if args else ()
        for caller, same in groupby([run[5] for run in runs]):
            if caller is not None:
                self._count_caller(caller, len(list(same)))

    def _count_caller(self, caller: Caller, times: int) -> None:
        key = (id(caller[0]), caller[1])
        site = self.sites.get(key)
        if site is not None:
            self.sites[key] = (site[0], site[1] + times)
        elif len(self.sites) < SITES:
            self.sites[key] = (caller[0], times)

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
