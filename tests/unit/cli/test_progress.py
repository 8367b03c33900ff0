"""How far a run of migrations is, told on terminals and in logs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cormorant.cli import progress
from cormorant.migrations.running.outcomes import Progress

RUN = (
    Progress("waiting", words="another one, on host b"),
    Progress("started", "0002_stars", 1, 2, steps=2),
    Progress("step", "0002_stars", 1, 2, step=1, steps=2, words="add column essay.stars"),
    Progress("retrying", "0002_stars", 1, 2, step=1, steps=2, words="add column essay.stars"),
    Progress("rows", "0002_stars", 1, 2, step=2, steps=2, words="fill essay.stars", rows=500, rows_expected=2000),
    Progress("done", "0002_stars", 1, 2, steps=2),
    Progress("started", "0001_initial", 2, 2, steps=1, down=True),
)


def printed(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, as_json: bool = False) -> str:
    """Gives what is printed of a run."""
    file = io.StringIO()
    printer = Console(file=file, width=120, force_terminal=terminal, color_system=None, markup=False)
    monkeypatch.setattr(progress, "console", lambda *, stderr: printer)
    with progress.shown_progress(as_json) as tell:
        for each in RUN:
            tell(each)
    return file.getvalue()


def test_lines_for_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, terminal=False).splitlines() == [
        "waiting for another one, on host b",
        "running 0002_stars (1 of 2)",
        "0002_stars: a lock was not granted; step 1 is tried again",
        "taking back 0001_initial (2 of 2)",
    ]


def test_a_bar_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = printed(monkeypatch, terminal=True)
    assert "0001_initial" in drawn
    assert "1/2" in drawn


def test_nothing_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, terminal=False, as_json=True) == ""


def test_bars_follow_steps_and_rows() -> None:
    bars = progress._bars(Console(file=io.StringIO()))
    drawn = progress._Drawn(bars)
    seen: list[tuple[float, float | None, bool]] = []
    for each in RUN[1:]:
        drawn.tell(each)
        inner = bars.tasks[1]
        seen.append((inner.completed, inner.total, inner.visible))
    assert seen == [(0, 2, False), (0, 2, True), (0, 2, True), (500, 2000, True), (0, 2, False), (0, 1, False)]
    assert (bars.tasks[0].completed, bars.tasks[0].total) == (1, 2)
