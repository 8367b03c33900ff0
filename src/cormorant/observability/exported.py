"""Statistics in the form that JSON takes."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class ExportedSite(TypedDict):
    """A line of the program, and how often it had the statement sent."""

    file: str
    line: int
    count: int


class ExportedStats(TypedDict):
    """One statement shape; times in milliseconds."""

    sql: str
    count: int
    rows: int
    errors: int
    total_ms: float
    mean_ms: float
    p95_ms: float
    max_ms: float
    call_sites: list[ExportedSite]
    sample: NotRequired[list[str]]
