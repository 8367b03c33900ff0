"""A report as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cormorant.observability.reported import Reported, ReportedRun, ReportedStatement
from cormorant.observability.words import counted, cut, figures_in_words, fixed, milliseconds, number

SHOWN = 20
"""The most statement shapes, and lines of the program, that a terminal is told of."""

HEADINGS = ("of all", "total ms", "count", "mean", "p95", "max", "rows", "failed")
"""What is told of a statement, beside its text."""

_SQL = 100
_SITES = 3
_BLOCKS = " ▁▂▃▄▅▆▇█"


def plain(report: Reported) -> str:
    """Gives the text, with a line break at its end."""
    return "\n".join([report.title, report.summary, *_findings(report), *_body(report), ""])


def _findings(report: Reported) -> Iterator[str]:
    if report.findings:
        yield from ("", "Loaded one by one (N+1)")
        for finding in report.findings:
            yield f"  {finding.what}, {counted(finding.count, 'time')} by {finding.place}"
            yield f"    Instead: {finding.fix}"


def _body(report: Reported) -> Iterator[str]:
    if report.statements:
        yield from ("", "Statements, times in milliseconds", *_statements(report.statements[:SHOWN]))
    if len(report.statements) > SHOWN:
        yield f"  and {counted(len(report.statements) - SHOWN, 'more shape')}"
    if report.runs:
        yield from ("", "In the order of time", f"  {strip(report.runs)}")
    if report.lines:
        yield from ("", "Lines of the program")
        yield from (
            f"  {fixed(line.total_ms):>9} ms  {number(line.site.count):>6} x  {line.site}"
            for line in report.lines[:SHOWN]
        )
    yield from ("", "The database since it was made")
    yield from (f"  {group}: {figures_in_words(figures)}" for group, figures in report.figures)


def _statements(statements: Sequence[ReportedStatement]) -> Iterator[str]:
    rows = [cells(item) for item in statements]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    indent = " " * (sum(widths) + 2 * len(widths) + 2)
    yield _row(HEADINGS, widths, "statement")
    for item, row in zip(statements, rows, strict=True):
        yield _row(row, widths, cut(item.sql, _SQL))
        yield from (f"{indent}  {line}" for line in sites(item))


def _row(row: Sequence[str], widths: Sequence[int], sql: str) -> str:
    return f"  {'  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))}  {sql}"


def cells(item: ReportedStatement) -> tuple[str, ...]:
    """Gives a statement's figures, in the order of the headings."""
    times = (fixed(value) for value in (item.mean_ms, item.p95_ms, item.max_ms))
    return (
        f"{item.share:.0%}",
        fixed(item.total_ms),
        number(item.count),
        *times,
        number(item.rows),
        number(item.errors),
    )


def sites(item: ReportedStatement) -> list[str]:
    """Gives the lines that send a statement, those that do so most often."""
    found = [f"{number(site.count)} x {site}" for site in item.call_sites[:_SITES]]
    more = len(item.call_sites) - _SITES
    return [*found, f"and {counted(more, 'more line')}"] if more > 0 else found


def strip(runs: Sequence[ReportedRun], width: int = 60) -> str:
    """Gives how much of the time the database worked, in equal parts of the time: "0 ms ▁ ▂██▁ 812 ms"."""
    span = max(run.end for run in runs) or 1.0
    busy = [0.0] * width
    for run in runs:
        _spread(busy, run.start / span * width, run.end / span * width)
    blocks = "".join(_BLOCKS[min(8, -int(-part * 8 // 1))] for part in busy)
    return f"0 ms |{blocks}| {milliseconds(span)}"


def _spread(busy: list[float], start: float, end: float) -> None:
    for place in range(int(start), min(int(end), len(busy) - 1) + 1):
        busy[place] += max(0.01, min(end, place + 1) - max(start, place))
