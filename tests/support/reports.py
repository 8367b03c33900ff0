"""A report of made-up figures, the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cormorant import Finding, Report
from cormorant.observability.events import Target
from cormorant.observability.exported import ExportedStats
from cormorant.observability.reported import reported
from cormorant.observability.shapes import Caller, Run

AUTHORS = 'SELECT "author"."id", "author"."name" FROM "author"'
COUNTED = 'SELECT count(*) FROM "articles" WHERE "articles"."author_id" = $1'
INSERTED = 'INSERT INTO "author" ("name") SELECT "name" FROM unnest($1::text[]) RETURNING "id"'
FIGURES = {
    "pool_size": 10,
    "pool_in_use": 2,
    "plans_hits": 45,
    "plans_misses": 5,
    "cache_hits": 3,
    "cache_misses": 1,
    "listeners": 0,
}
FIX = "count with the query of the Author objects: .annotate(Author.articles.count())"
FINDING = Finding("Author.articles is counted one by one", "/srv/shop/app/views.py", 12, 40, FIX)


def stats(sql: str, count: int, total_ms: float, lines: Sequence[int] = (), errors: int = 0) -> ExportedStats:
    """Gives one shape, whose rows are as many as its runs."""
    return {
        "sql": sql,
        "count": count,
        "rows": count,
        "errors": errors,
        "total_ms": total_ms,
        "mean_ms": total_ms / count,
        "p95_ms": total_ms / count * (1.5 if count > 1 else 1),
        "max_ms": total_ms / count * (2 if count > 1 else 1),
        "call_sites": [{"file": "/srv/shop/app/views.py", "line": line, "count": count} for line in lines],
    }


def run(sql: str, start: float, seconds: float, failed: bool = False, caller: Caller | None = None) -> Run:
    """Gives one run, begun some seconds after the clock's ninth."""
    return (sql, 1, seconds, failed, 9 + start, caller, ())


STATEMENTS = [
    stats(COUNTED, 40, 60.0, [12]),
    stats(INSERTED, 2, 30.0, [7], errors=1),
    stats(AUTHORS, 1, 10.0, [11]),
]
RUNS = [
    run(INSERTED, 0.0, 0.012),
    run(AUTHORS, 0.02, 0.01),
    *(run(COUNTED, 0.035 + n * 0.002, 0.0015) for n in range(40)),
    run(INSERTED, 0.125, 0.018, failed=True),
]


def report(
    statements: Sequence[ExportedStats] = STATEMENTS,
    findings: Sequence[Finding] = (FINDING,),
    runs: Sequence[Run] = RUNS,
    target: Target | None = None,
    subject: str = "session",
) -> Report:
    """Gives a report."""
    found = reported(
        subject=subject,
        target=target or Target("postgresql", "shop", "db.internal", 5432),
        made=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        statements=statements,
        findings=[replace(finding) for finding in findings],
        runs=runs,
        figures=FIGURES,
    )
    return Report(found.subject, found.target, found.made, found.statements, found.findings, found.runs, found.figures)
