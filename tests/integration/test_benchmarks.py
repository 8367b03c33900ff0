"""The benchmarks run: every workload is done by the driver and by Cormorant, and both do the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, report
from benchmarks.results import OURS, RAW, Figure, Results
from benchmarks.runner import Settings, about, checked, databases, processes, run_growth, run_startup, run_workloads
from benchmarks.schema import Sizes
from benchmarks.workloads import WORKLOADS

DATABASES = [
    "sqlite",
    pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.direct("makes databases")]),
]


def settings(db: str, *names: str, **more: Any) -> Settings:
    return Settings((db,), names or (RAW, OURS), rounds=1, seconds=0.001, sizes=Sizes.tiny(), largest=10, **more)


def target(db: str, request: pytest.FixtureRequest) -> str:
    return db if db == "sqlite" else str(request.getfixturevalue("postgres_database"))


@pytest.mark.parametrize("db", DATABASES)
def test_every_workload_gives_equal_results(db: str, request: pytest.FixtureRequest) -> None:
    chosen, said = settings(target(db, request)), list[str]()
    with databases(chosen.dbs[0], chosen) as dsns, processes(dsns, chosen, said.append) as started:
        problems = {process.name: checked(process, WORKLOADS, said.append) for process in started}
    assert problems == {name: dict.fromkeys([workload.name for workload in WORKLOADS], "") for name in (RAW, OURS)}
    assert said == []


def test_parts_of_a_run_and_the_page(tmp_path: Path) -> None:
    results = Results(about(settings("sqlite")))
    run_growth(settings("sqlite", OURS, only=("load",)), results, print)
    run_startup(settings("sqlite", OURS), results, print)
    run_workloads(settings("sqlite", only=("web_read",)), results, print)
    assert all(figure.wall and not figure.problem for figure in results.figures)

    saved = tmp_path / "results.json"
    results.save(saved)
    (tmp_path / "performance.md").write_text((page.DOCS / "performance.md").read_text())
    page.write(Results.load(saved), tmp_path)
    words = (tmp_path / "performance.md").read_text()
    assert "web handler: object and parent, 10 tasks" in words
    assert "<svg" in (tmp_path / "performance" / "growth-sqlite.svg").read_text()


def test_speed_is_the_median_of_rounds_each_with_its_own_baseline() -> None:
    results = Results(titles={"get": "get by key"})
    for name, times in {RAW: [1.0, 2.0, 3.0], OURS: [2.0, 2.0, 12.0], "tortoise": [4.0, 8.0, 12.0]}.items():
        results.figures.append(Figure("workloads", "sqlite", "get", name, wall=times, cpu=times))
    (row, mean) = report.ratios(results, "sqlite", "wall").rows
    assert row == ["get by key", "**0.50**", "0.25", "2.0 x Tortoise"]
    assert mean[1:] == ["0.50", "0.25", "2.00"]


def test_what_is_not_measured_again_stays() -> None:
    def run(when: str, *figures: tuple[str, float]) -> Results:
        return Results(
            {"when": when}, {}, [Figure("workloads", "sqlite", name, RAW, wall=[wall]) for name, wall in figures]
        )

    both = run("later", ("update", 3.0)).put_over(run("before", ("get", 1.0), ("update", 2.0), ("delete", 1.0)))
    assert [(f.workload, f.wall) for f in both.figures] == [("get", [1.0]), ("update", [3.0]), ("delete", [1.0])]
    assert both.about["when"] == "later"


def test_a_wrong_result_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    results, said = Results(), list[str]()
    # the tables stay empty
    monkeypatch.setattr("benchmarks.targets.fill", lambda kind, sizes: iter(()))
    run_workloads(settings("sqlite", RAW, only=("filter",), tasks=(1,)), results, said.append)
    assert [figure.problem for figure in results.figures] == ["WrongResult: 0 objects instead of 20"]
    assert "raw, filter: WrongResult: 0 objects instead of 20" in said
