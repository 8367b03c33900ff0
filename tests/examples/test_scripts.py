"""The import takes every valid line, names the others, and goes on where it was stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from cormorant import SyncDatabase, utcnow
from examples.scripts import importing
from examples.scripts.__main__ import SAMPLE, main
from examples.scripts.importing import Outcome, import_file
from examples.scripts.models import MODELS, City, ImportedFile

ROOT = Path(__file__).parents[2]
HEADING = "code,name,population,elevation\n"


@pytest.fixture
def db(database_dsn: str) -> Iterator[SyncDatabase]:
    with SyncDatabase(database_dsn) as made:
        made.create_all(*MODELS)
        yield made


@pytest.fixture
def thousand(tmp_path: Path) -> Path:
    """A file of a thousand lines, every hundredth of which has no number of inhabitants."""
    path = tmp_path / "thousand.csv"
    lines = (f"XX-{n},City {n},{'?' if n % 100 == 0 else n},\n" for n in range(1, 1001))
    path.write_text(HEADING + "".join(lines), encoding="utf-8")
    return path


def totals(db: SyncDatabase) -> tuple[int, int, int]:
    with db.session() as session:
        (progress,) = session.query(ImportedFile).all()
        return session.query(City).count(), progress.lines, progress.refused


def test_every_problem_of_every_line_is_named_and_the_rest_is_written(db: SyncDatabase) -> None:
    outcome = import_file(db, SAMPLE, batch=5)
    assert [str(each) for each in outcome.refused] == [
        "line 11: code: 'NZ-dud' must match '[A-Z]{2}-[A-Z0-9]+'",
        "line 12: population: 'many' is no number",
        "line 13: name: '' must match '[^ ].*'",
        "line 14: population: -5 must be at least 0",
        "line 15: elevation: 'about 30' is no number",
    ]
    assert totals(db) == (10, 16, 5)
    with db.session() as session:
        # the last line about it counts, also from another batch
        assert session.get_one(City, "CH-BRN").population == 136988


def test_what_is_there_is_changed(db: SyncDatabase, tmp_path: Path) -> None:
    with db.session() as session:
        session.add(City(code="CH-ZRH", name="Turicum", population=0, elevation=1.5))
    (tmp_path / "a.csv").write_text(HEADING + "CH-ZRH,Zürich,443037,\n", encoding="utf-8")
    assert import_file(db, tmp_path / "a.csv") == Outcome(skipped=0, read=1)
    with db.session() as session:
        city = session.query(City).one()
        assert (city.name, city.population, city.elevation) == ("Zürich", 443037, None)


def test_it_goes_on_where_it_was_stopped(db: SyncDatabase, thousand: Path) -> None:
    told: list[int] = []

    def stop(outcome: Outcome) -> None:
        told.append(outcome.read)
        if outcome.read == 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(db, thousand, batch=100, on_batch=stop)
    assert (told, totals(db)) == ([100, 200, 300], (297, 300, 3))
    again = import_file(db, thousand, batch=100)
    assert (again.skipped, again.read, len(again.refused)) == (300, 700, 7)
    assert totals(db) == (990, 1000, 10)
    assert import_file(db, thousand) == Outcome(skipped=1000)


def test_a_batch_that_fails_leaves_no_trace(db: SyncDatabase, thousand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[datetime] = []

    def fail() -> datetime:
        # the second batch has been written by now
        moments.append(utcnow())
        return moments[0] if len(moments) < 2 else moments[2]

    monkeypatch.setattr(importing, "utcnow", fail)
    with pytest.raises(IndexError):
        import_file(db, thousand, batch=100)
    monkeypatch.undo()
    assert totals(db) == (99, 100, 1)
    import_file(db, thousand, batch=100)
    assert totals(db) == (990, 1000, 10)


def test_a_heading_that_lacks_columns_is_refused(db: SyncDatabase, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,name\nCH-ZRH,Zürich\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="elevation, population"):
        import_file(db, tmp_path / "a.csv")


def test_a_second_run_has_nothing_to_do(database_dsn: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--db", database_dsn]) == 1
    assert "0 lines were done before, 16 now, 5 problems" in capsys.readouterr().out
    assert main(["--db", database_dsn]) == 0
    assert "16 lines were done before, 0 now, 0 problems" in capsys.readouterr().out


def test_it_runs_from_the_command_line(database_dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.scripts", "--batch", "4"],
        cwd=ROOT,
        env={**os.environ, "CORMORANT_DSN": database_dsn, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "16 now, 5 problems" in done.stdout
