"""A report as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from cormorant.observability.findings import Finding
from cormorant.observability.report_svg import STYLE, timeline
from cormorant.observability.report_text import HEADINGS
from cormorant.observability.reported import Reported, ReportedStatement
from cormorant.observability.words import counted, cut, figures_in_words, fixed, number

SHOWN = 100
"""The most statement shapes, and lines of the program, that a page shows."""

SHORT, LONG = 140, 4_000
"""How many characters of a statement are shown at first, and when it is opened."""

_STYLE = f"""\
:root {{ color-scheme: light dark; --ink: #1f2328; --soft: #57606a; --line: #d0d7de; --page: #fff; --bar: #b6d8ff; \
--warn: #fff4d6; --bad: #b3161f }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6edf3; --soft: #9aa4af; --line: #3d444d; --page: #0d1117; \
--bar: #1f4b7d; --warn: #3a2d05; --bad: #ff8f88 }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto; \
max-width: 1200px; padding: 1.5rem }}
h1 {{ font-size: 1.4rem; margin: 0 }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem }}
p {{ margin: .25rem 0 }} .soft {{ color: var(--soft) }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; color: var(--soft); padding-bottom: .25rem }}
th, td {{ text-align: right; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line); \
white-space: nowrap; font-variant-numeric: tabular-nums }}
th {{ font-weight: 600 }} .text {{ text-align: left; white-space: normal; width: 100%; font-weight: 400 }}
code, pre {{ font: 12.5px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; margin: 0 }}
summary {{ cursor: pointer }} .bar {{ background: linear-gradient(var(--bar), var(--bar)) no-repeat 0 0 / 0 100% }}
.bad {{ color: var(--bad); font-weight: 600 }}
.finding {{ background: var(--warn); border-left: 4px solid #bf8700; padding: .5rem .75rem; margin: .5rem 0 }}
svg {{ width: 100%; height: auto }}
{STYLE}"""


def page(report: Reported) -> str:
    """Gives the page."""
    title = escape(report.title)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # whatever a statement may say, the page loads nothing and runs nothing
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{title}</title>",
            f"<style>\n{_STYLE}</style>",
            "</head>",
            "<body>",
            "<header>",
            f"<h1>{title}</h1>",
            f"<p>{escape(report.summary)}</p>",
            f'<p class="soft">Made {report.made:%Y-%m-%d %H:%M:%S %Z}</p>',
            "</header>",
            "<main>",
            *_findings(report.findings),
            *_statements(report),
            *_timeline(report),
            *_lines(report),
            *_figures(report),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    yield "<section>"
    yield "<h2>Loaded one by one (N+1)</h2>"
    for finding in findings:
        times = escape(counted(finding.count, "time"))
        told = f"{escape(finding.what)}, {times} by <code>{escape(finding.place)}</code>"
        yield f'<div class="finding"><p>{told}</p><p>Instead: <code>{escape(finding.fix)}</code></p></div>'
    if not findings:
        yield '<p class="soft">Nothing is.</p>'
    yield "</section>"


def _statements(report: Reported) -> Iterator[str]:
    yield "<section>"
    yield "<h2>Statements</h2>"
    if not report.statements:
        yield '<p class="soft">None were sent, or none are counted.</p></section>'
        return
    yield '<div class="wide" tabindex="0" role="region" aria-label="Statements"><table>'
    yield f"<caption>By their total time{_of(len(report.statements))}; times in milliseconds</caption>"
    yield _headings((*HEADINGS, "statement, and who sends it"))
    yield from map(_statement, report.statements[:SHOWN])
    yield "</tbody></table></div>"
    yield "</section>"


def _headings(names: Sequence[str]) -> str:
    """Gives a table's head; its last column has words, the others figures."""
    *figures, last = (escape(name) for name in names)
    cells = "".join(f'<th scope="col">{name}</th>' for name in figures)
    return f'<thead><tr>{cells}<th scope="col" class="text">{last}</th></tr></thead><tbody>'


def _of(count: int) -> str:
    return f", the first {SHOWN} of {number(count)}" if count > SHOWN else ""


def _statement(item: ReportedStatement) -> str:
    times = "".join(f"<td>{fixed(value)}</td>" for value in (item.mean_ms, item.p95_ms, item.max_ms))
    failed = f'<td class="bad">{number(item.errors)}</td>' if item.errors else "<td>0</td>"
    sites = [f"{number(site.count)} x {escape(str(site))}" for site in item.call_sites[:5]]
    more = [f"and {len(item.call_sites) - 5} more lines"] if len(item.call_sites) > 5 else []
    who = f'<p class="soft">{"<br>".join([*sites, *more])}</p>' if sites else ""
    return (
        f'<tr><td class="bar" style="background-size: {item.share:.1%} 100%">{item.share:.0%}</td>'
        f"<td>{fixed(item.total_ms)}</td><td>{number(item.count)}</td>{times}<td>{number(item.rows)}</td>{failed}"
        f'<th scope="row" class="text">{_sql(item.sql)}{who}</th></tr>'
    )


def _sql(sql: str) -> str:
    if len(sql) <= SHORT:
        return f"<code>{escape(sql)}</code>"
    short = f"<summary><code>{escape(cut(sql, SHORT))}</code></summary>"
    return f"<details>{short}<pre>{escape(cut(sql, LONG))}</pre></details>"


def _timeline(report: Reported) -> Iterator[str]:
    if report.runs:
        yield "<section>"
        yield "<h2>In the order of time</h2>"
        told = f"The last {counted(len(report.runs), 'statement')}; what failed is red and framed"
        yield f'<p class="soft">{escape(told)}.</p>'
        yield timeline(report, styled=False)
        yield "</section>"


def _lines(report: Reported) -> Iterator[str]:
    lines = report.lines
    if not lines:
        return
    yield "<section>"
    yield "<h2>Lines of the program</h2>"
    yield '<div class="wide" tabindex="0" role="region" aria-label="Lines of the program"><table>'
    yield f"<caption>By the time of their statements, at each shape's mean{_of(len(lines))}</caption>"
    yield _headings(("total ms", "statements", "line"))
    for line in lines[:SHOWN]:
        place = f'<th scope="row" class="text"><code>{escape(str(line.site))}</code></th>'
        yield f"<tr><td>{fixed(line.total_ms)}</td><td>{number(line.site.count)}</td>{place}</tr>"
    yield "</tbody></table></div>"
    yield "</section>"


def _figures(report: Reported) -> Iterator[str]:
    yield "<section>"
    yield "<h2>The database since it was made</h2>"
    yield "<table><caption>What db.stats() tells</caption>"
    yield _headings(("of", "figures"))
    for group, figures in report.figures:
        told = escape(figures_in_words(figures))
        yield f'<tr><th scope="row">{escape(group)}</th><td class="text">{told}</td></tr>'
    yield "</tbody></table>"
    yield "</section>"
