"""What is counted of statements."""

from __future__ import annotations

import json
from threading import Thread

import pytest

from cormorant.observability.findings import Finding
from cormorant.observability.performance import LISTED, OTHERS, RECENT, SHAPES, PerformanceTracker, SilentTracker
from cormorant.observability.shapes import SITES, Caller
from cormorant.sql.raw import text


@pytest.fixture
def whole() -> PerformanceTracker:
    return PerformanceTracker()


@pytest.mark.parametrize("runs", [1, 20, LISTED + 1, 2 * LISTED + 7])
def test_a_session_and_its_database_count_alike(whole: PerformanceTracker, runs: int) -> None:
    session = whole.for_session()
    for run in range(runs):
        session.record("SELECT 1", 2, run / 1000, (), run % 10 == 9, caller=(text.__code__, 4))
    (own,), (all_,) = session.stats(), whole.stats()
    assert own == all_
    assert (own.count, own.rows, own.errors) == (runs, 2 * runs, runs // 10)
    assert own.max_ms == runs - 1
    assert own.mean_ms == pytest.approx((runs - 1) / 2)
    exact = sorted(range(runs))[-(-runs * 95 // 100) - 1]
    assert own.p95_ms == pytest.approx(exact, rel=1 / 30, abs=1e-9)
    assert [site.count for site in own.call_sites] == [runs]
    assert own.call_sites[0].file == text.__code__.co_filename
    assert session.statements == runs


def test_shapes_without_end_are_counted_as_one(whole: PerformanceTracker) -> None:
    for number in range(SHAPES + 10):
        whole.record(f"SELECT {number}", 1, 0.001)
    found = {stats.sql: stats.count for stats in whole.stats()}
    assert len(found) == SHAPES + 1
    assert found[OTHERS] == 10
    assert whole.statements == SHAPES + 10


def test_call_sites_without_end_are_few(whole: PerformanceTracker) -> None:
    for number in range(SITES + 50):
        whole.record("SELECT 1", 1, 0.001, caller=(text.__code__, number))
    (stats,) = whole.stats()
    assert len(stats.sites) == SITES


def test_the_last_runs_are_kept_in_order_and_without_values() -> None:
    whole = PerformanceTracker(samples=True)
    session = whole.for_session()
    caller: Caller = (text.__code__, 4)
    for number in range(RECENT + 20):
        session.record("SELECT $1", 1, 0.25, ("a value",), start=float(number), caller=caller)
    for tracker in (session, whole):
        found = tracker.recent()
        assert [run[4] for run in found] == [float(number) for number in range(20, RECENT + 20)]
        assert {run[5:] for run in found} == {(caller, ())}
        tracker.reset()
        assert tracker.recent() == []


def test_runs_that_threads_list_at_the_same_time_are_all_counted(whole: PerformanceTracker) -> None:
    def work() -> None:
        session = whole.for_session()
        for _ in range(3_000):
            session.record("SELECT 1", 1, 0.001)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(stats.count, stats.rows) for stats in whole.stats()] == [(12_000, 12_000)]


def test_an_export_is_json_and_may_begin_anew(whole: PerformanceTracker) -> None:
    whole.record("SELECT 1", 3, 0.002)
    (found,) = json.loads(json.dumps(whole.export(reset=True)))
    assert found == {
        "sql": "SELECT 1",
        "count": 1,
        "rows": 3,
        "errors": 0,
        "total_ms": 2.0,
        "mean_ms": 2.0,
        "p95_ms": 2.0,
        "max_ms": 2.0,
        "call_sites": [],
    }
    assert whole.export() == []


def test_samples_are_those_of_the_slowest_run() -> None:
    whole = PerformanceTracker(samples=True)
    session = whole.for_session()
    for seconds, value in ((0.001, "a"), (0.003, "b"), (0.002, "c")):
        session.record("SELECT $1", 1, seconds, (value,))
    for tracker in (session, whole):
        assert [item.get("sample") for item in tracker.export(include_samples=True)] == [["'b'"]]
        assert "sample" not in tracker.export()[0]


def test_nothing_is_counted_where_nobody_wants_it() -> None:
    tracker = SilentTracker().for_session()
    tracker.record("SELECT 1", 1, 0.1, caller=(text.__code__, 1))
    tracker.note_finding(1, Finding("Author.articles is counted one by one", "app.py", 1, 6, "count at once"), 6)
    assert (tracker.stats(), tracker.recent(), tracker.findings) == ([], [], {})


def test_a_finding_is_counted_on_for_the_session_and_its_database(whole: PerformanceTracker) -> None:
    session = whole.for_session()
    finding = Finding("Author.articles is counted one by one", "app.py", 1, 6, "count at once")
    for tracker, more in ((session, 6), (session, 1), (whole.for_session(), 6)):
        tracker.note_finding("key", finding, more)
    assert [found.count for found in session.findings.values()] == [7]
    assert [found.count for found in whole.findings.values()] == [13]
