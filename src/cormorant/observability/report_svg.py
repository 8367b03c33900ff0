"""The last statements in the order of time, as an SVG picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from cormorant.observability.reported import Reported, ReportedRun
from cormorant.observability.words import counted, cut, milliseconds

LANES = 12
"""The most statement shapes that have a lane of their own."""

WIDTH, LEFT, LANE, TOP, BOTTOM = 960, 300, 22, 8, 26
_PLOT = WIDTH - LEFT - 16
_STEPS = (1, 2, 5)
_MARKS = 6

STYLE = """\
.timeline text { font: 12px system-ui, sans-serif; fill: #24292f }
.timeline .sql { font-family: ui-monospace, monospace; font-size: 11px }
.timeline .grid { stroke: #d0d7de }
.timeline .run { fill: #0969da }
.timeline .failed { fill: #cf222e; stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
.timeline text { fill: #e6edf3 }
.timeline .grid { stroke: #3d444d }
.timeline .run { fill: #58a6ff }
.timeline .failed { fill: #ff7b72; stroke: #ff7b72 }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """Runs of one lane that cannot be told apart at the picture's width."""

    x: float
    width: float
    runs: tuple[ReportedRun, ...]


def timeline(report: Reported, *, styled: bool = True) -> str:
    """Gives the picture.

    Args:
        report: The report.
        styled: With its colours; a page has them already.
    """
    lanes = _lanes(report.runs)
    span = max((run.end for run in report.runs), default=0.0) or 1.0
    height = TOP + LANE * len(lanes) + BOTTOM
    told = f"{counted(len(report.runs), 'statement')} in {milliseconds(span)}, a lane for each shape"
    parts = [
        f'<svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(told)}">',
        f"<title>{escape(told)}</title>",
        f"<style>{STYLE}</style>" if styled else "",
        *_grid(span, height),
        *(part for place, lane in enumerate(lanes) for part in _lane(report, place, lane, span)),
        "</svg>",
    ]
    return "\n".join(filter(None, parts))


def _lanes(runs: Sequence[ReportedRun]) -> list[tuple[int | None, list[ReportedRun]]]:
    """Gives the runs of each shape, the costliest first; the rest share the last lane."""
    by_shape: dict[int | None, list[ReportedRun]] = {}
    for run in runs:
        by_shape.setdefault(run.statement, []).append(run)
    ordered = sorted(by_shape.items(), key=lambda lane: sum(run.milliseconds for run in lane[1]), reverse=True)
    if len(ordered) <= LANES:
        return ordered
    rest = [run for _, lane in ordered[LANES - 1 :] for run in lane]
    return [*ordered[: LANES - 1], (None, sorted(rest, key=lambda run: run.start))]


def _grid(span: float, height: int) -> Iterator[str]:
    step = _step(span)
    for place in range(int(span / step) + 1):
        x = LEFT + place * step / span * _PLOT
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>'
        yield f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{escape(_mark(place * step))}</text>'


def _step(span: float) -> float:
    """Gives a round distance between marks: 1, 2 or 5 times a power of ten."""
    step = 0.001
    while True:
        for factor in _STEPS:
            if span / (step * factor) <= _MARKS:
                return step * factor
        step *= 10


def _mark(value: float) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def _lane(report: Reported, place: int, lane: tuple[int | None, list[ReportedRun]], span: float) -> Iterator[str]:
    statement, runs = lane
    y = TOP + place * LANE
    name = "further statements" if statement is None else report.statements[statement].sql
    yield f'<text class="sql" x="4" y="{y + 15}">{escape(cut(name, 44))}<title>{escape(cut(name, 400))}</title></text>'
    for bar in _bars(runs, span):
        failed = any(run.failed for run in bar.runs)
        yield (
            f'<rect class="{"run failed" if failed else "run"}" x="{bar.x:.1f}" y="{y + 4}" width="{bar.width:.1f}" '
            f'height="{LANE - 8}" rx="1"><title>{escape(_told(bar))}</title></rect>'
        )


def _bars(runs: Sequence[ReportedRun], span: float) -> list[Bar]:
    """Gives what is drawn of a lane: runs that touch each other are one bar, those that failed apart."""
    found: list[Bar] = []
    for run in runs:
        x = LEFT + run.start / span * _PLOT
        width = max(1.5, run.milliseconds / span * _PLOT)
        last = found[-1] if found else None
        if last is not None and x < last.x + last.width + 0.5 and last.runs[0].failed == run.failed:
            found[-1] = Bar(last.x, max(last.width, x + width - last.x), (*last.runs, run))
        else:
            found.append(Bar(x, width, (run,)))
    return found


def _told(bar: Bar) -> str:
    took, first = milliseconds(sum(run.milliseconds for run in bar.runs)), bar.runs[0]
    times = f"{len(bar.runs)} runs, " if len(bar.runs) > 1 else ""
    failed = ", failed" if first.failed else ""
    place = f", {first.place}" if first.place else ""
    return f"{times}{took} from {milliseconds(first.start)} on{failed}{place}"
