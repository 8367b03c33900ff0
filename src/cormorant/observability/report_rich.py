"""A report for terminals, by rich: the extra `report`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cormorant.observability.report_text import HEADINGS, SHOWN, cells, sites, strip
from cormorant.observability.reported import Reported
from cormorant.observability.words import counted, cut, figures_in_words, fixed, number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_SQL, _SHORT = 300, 140
_WIDE = 110
_NARROW = (0, 1, 2, 3)


def parts(report: Reported, width: int) -> Iterator[object]:
    """Gives what rich draws in so many columns, one below the other; no text is taken for markup."""
    from rich.text import Text

    yield Text(report.title, style="bold")
    yield Text(report.summary)
    if report.findings:
        yield from ("", Text("Loaded one by one (N+1)", style="bold yellow"))
        for finding in report.findings:
            yield Text(f"  {finding.what}, {counted(finding.count, 'time')} by {finding.place}")
            yield Text(f"    Instead: {finding.fix}", style="green")
    if report.statements:
        yield from ("", _statements(report, width))
    if report.runs:
        yield from ("", Text("In the order of time", style="bold"), Text(strip(report.runs), style="cyan"))
    if report.lines:
        yield from ("", _lines(report))
    yield from ("", _figures(report))


def _table(title: str, *headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1)
    )
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _statements(report: Reported, width: int) -> Table:
    more = len(report.statements) - SHOWN
    title = f"Statements, times in milliseconds{f', the first {SHOWN}' if more > 0 else ''}"
    # where there is little room, statements need most of it
    narrow = width < _WIDE
    chosen = _NARROW if narrow else range(len(HEADINGS))
    table = _table(title, *(HEADINGS[place] for place in chosen))
    table.add_column("statement, and who sends it", overflow="fold")
    for item in report.statements[:SHOWN]:
        row = cells(item)
        figures = [_text(row[place], "bold red" if item.errors else "") for place in chosen]
        table.add_row(*figures, _who(cut(item.sql, _SHORT if narrow else _SQL), sites(item)))
    return table


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _who(sql: str, lines: list[str]) -> Text:
    return _text(sql).append("".join(f"\n{line}" for line in lines), style="dim")


def _lines(report: Reported) -> Table:
    table = _table("Lines of the program", "total ms", "statements")
    table.add_column("line", overflow="fold")
    for line in report.lines[:SHOWN]:
        table.add_row(fixed(line.total_ms), number(line.site.count), _text(str(line.site)))
    return table


def _figures(report: Reported) -> Table:
    table = _table("The database since it was made", "of")
    table.add_column("figures", overflow="fold")
    for group, figures in report.figures:
        table.add_row(_text(group), _text(figures_in_words(figures)))
    return table
