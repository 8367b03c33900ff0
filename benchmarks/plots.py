"""Figures as SVG: bars for workloads, and cost against size with logarithmic axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10
from statistics import median_low

from benchmarks.report import DATABASES, title_of
from benchmarks.results import RAW, Results, ratio

COLOURS = {
    "raw": "#9aa0a6",
    "objects": "#5f6368",
    "cormorant": "#0b57d0",
    "cormorant_in_threads": "#6ea8fe",
    "sqlalchemy": "#d93025",
    "tortoise": "#188038",
    "piccolo": "#f29900",
    "oxyde": "#a142f4",
    "django": "#00796b",
    "peewee": "#795548",
}
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#202124}.small{font-size:10px;fill:#5f6368}"
    ".title{font-weight:600;font-size:14px}.grid{stroke:#dadce0}.one{stroke:#5f6368;stroke-dasharray:4 3}"
)


def drawing(width: float, height: float, parts: Iterable[str]) -> str:
    """Gives a whole picture, on white: pages may be dark."""
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    body = "\n".join(parts)
    return f'{start}\n<style>{STYLE}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def legend(names: Sequence[str], x: float, y: float) -> Iterable[str]:
    """Says which colour is whose."""
    for name in names:
        yield f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" fill="{COLOURS[name]}"/>'
        yield text(x + 14, y, title_of(name))
        x += 30 + 7 * len(title_of(name))


def bars(results: Results, db: str) -> str:
    """Draws how fast everybody is in each workload, where the driver is 1."""
    names = [name for name in results.contestants("workloads", db) if name != RAW]
    table = results.table("workloads", db)
    left, width, bar, top = 270.0, 560.0, 5.0, 64.0
    group = bar * len(names) + 7
    height = top + group * len(table) + 30
    most = 1.5
    parts = [text(12, 22, f"{DATABASES[db]}: speed, where the driver is 1; longer is better", kind="title")]
    parts += legend(names, 12, 44)
    for step in range(int(most * 4) + 1):
        x = left + width * step / 4 / most
        parts += [line(x, top, x, height - 24, "one" if step == 4 else "grid")]
        parts += [text(x, height - 10, f"{step / 4:g}", anchor="middle", kind="small")]
    for at, (key, row) in enumerate(table.items()):
        y = top + group * at
        parts.append(text(left - 8, y + group / 2, results.title(key), anchor="end", kind="small"))
        for place, name in enumerate(names):
            value = ratio(row[name], row.get(RAW)) if name in row else None
            if value is not None:
                length = width * min(value, most) / most
                parts.append(
                    f'<rect x="{left:.1f}" y="{y + bar * place:.1f}" width="{length:.1f}" height="{bar - 0.5:.1f}" '
                    f'fill="{COLOURS[name]}"><title>{escape(title_of(name))}: {value:.2f}</title></rect>'
                )
    return drawing(left + width + 30, height, parts)


def curves(results: Results, db: str) -> str:
    """Draws what calls cost as there is more: a panel for each workload, both axes logarithmic."""
    table = results.table("growth", db)
    names = results.contestants("growth", db)
    workloads = list(dict.fromkeys(key[0] for key in table))
    size = 280.0
    parts = [text(12, 22, f"{DATABASES[db]}: milliseconds for a call against n; lower is better", kind="title")]
    parts += legend(names, 12, 44)
    for at, workload in enumerate(workloads):
        lines = {
            name: [
                (key[2], median_low(table[key][name].wall) * 1e3)
                for key in table
                if key[0] == workload and name in table[key] and table[key][name].wall
            ]
            for name in names
        }
        title = results.titles.get(workload, workload)
        parts += panel(
            title, {name: points for name, points in lines.items() if points}, at % 3 * size, 60 + at // 3 * size
        )
    return drawing(3 * size + 10, 70 + ceil(len(workloads) / 3) * size, parts)


def panel(title: str, lines: dict[str, list[tuple[float, float]]], x: float, y: float) -> Iterable[str]:
    """Draws one of them."""
    if not lines:
        return
    values = [point for points in lines.values() for point in points]
    wide = (floor(log10(min(p[0] for p in values))), ceil(log10(max(p[0] for p in values))) or 1)
    high = (floor(log10(min(p[1] for p in values))), ceil(log10(max(p[1] for p in values))))
    left, bottom, span = x + 44, y + 240, 210.0

    def across(value: float) -> float:
        return left + span * (log10(value) - wide[0]) / max(1, wide[1] - wide[0])

    def up(value: float) -> float:
        return bottom - span * (log10(value) - high[0]) / max(1, high[1] - high[0])

    yield text(left, y + 20, title, kind="")
    for power in range(wide[0], wide[1] + 1):
        yield line(across(10**power), bottom, across(10**power), bottom - span)
        yield text(across(10**power), bottom + 14, f"{10**power:,}", anchor="middle", kind="small")
    for power in range(high[0], high[1] + 1):
        yield line(left, up(10.0**power), left + span, up(10.0**power))
        yield text(left - 4, up(10.0**power) + 4, f"{10.0**power:g}", anchor="end", kind="small")
    for name, points in lines.items():
        path = " ".join(f"{across(n):.1f},{up(cost):.1f}" for n, cost in points)
        yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.8"/>'
        for n, cost in points:
            yield f'<circle cx="{across(n):.1f}" cy="{up(cost):.1f}" r="2.2" fill="{COLOURS[name]}"/>'


def pictures(results: Results) -> dict[str, str]:
    """Gives every picture by the name of its file."""
    made = {f"workloads-{db}.svg": bars(results, db) for db in results.databases("workloads")}
    return made | {f"growth-{db}.svg": curves(results, db) for db in results.databases("growth")}
