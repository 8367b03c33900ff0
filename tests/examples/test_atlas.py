"""The example does its whole job on real data, and its report does not depend on the database."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pycountry
from rich.console import Console

from cormorant import Database
from examples.atlas.__main__ import run
from examples.atlas.models import FormerCountry
from examples.atlas.report import Report, print_answers
from examples.atlas.source import read_atlas

ROOT = Path(__file__).parents[2]

ROWS = {
    "Country": len(pycountry.countries),
    "Subdivision": len(pycountry.subdivisions),
    "FormerCountry": len(pycountry.historic_countries),
    "Currency": len(pycountry.currencies),
    "Language": len(pycountry.languages),
    "Script": len(pycountry.scripts),
    "successors of former countries": sum(
        len(entry.successors) for entry in read_atlas()["former countries"] if isinstance(entry, FormerCountry)
    ),
}


async def report_on(dsn: str) -> Report:
    async with Database(dsn) as database:
        return await run(database, Console(file=io.StringIO()))


def printed(report: Report) -> str:
    page = io.StringIO()
    print_answers(report.answers, Console(file=page, width=120))
    return page.getvalue()


def pairs(report: Report, title: str) -> dict[str, object]:
    (rows,) = (answer.rows for answer in report.answers if answer.title == title)
    return {str(name): value for name, value in rows}


async def test_every_entry_is_loaded_and_few_statements_are_sent(database_dsn: str) -> None:
    report = await report_on(database_dsn)
    assert pairs(report, "Rows") == ROWS
    assert all(ROWS.values())
    load = report.stages[0].statements
    assert sum(statement.rows for statement in load) == sum(ROWS.values())
    assert sum(statement.count for statement in load) <= 30


async def test_changes_are_kept_and_the_rehearsal_is_not(database_dsn: str) -> None:
    report = await report_on(database_dsn)
    assert [answer.title for answer in report.answers if not answer.rows] == []
    before, during, after = pairs(report, "Subdivisions of France").values()
    assert before == after == sum(entry.country_code == "FR" for entry in pycountry.subdivisions)
    assert during == 0
    private = [entry for entry in pycountry.scripts if "private use" in entry.name]
    assert pairs(report, "Rows, after the changes") == {
        **ROWS,
        "Currency": ROWS["Currency"] - 1,
        "Script": ROWS["Script"] - len(private),
        "successors of former countries": ROWS["successors of former countries"] + 4,
    }


async def test_a_second_run_starts_anew(database_dsn: str) -> None:
    assert printed(await report_on(database_dsn)) == printed(await report_on(database_dsn))


async def test_both_databases_give_the_same_report(postgres_database: str, tmp_path: Path) -> None:
    on_sqlite = await report_on(f"sqlite:///{tmp_path / 'atlas.db'}")
    assert printed(on_sqlite) == printed(await report_on(postgres_database))


def test_it_runs_from_the_command_line(database_dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.atlas", "--plain"],
        cwd=ROOT,
        env={**os.environ, "CORMORANT_DSN": database_dsn, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Haut-Rhin" in done.stdout
    assert "What it cost" in done.stdout


def test_without_a_dsn_it_makes_a_file_in_the_current_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CORMORANT_DSN"}
    path = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-m", "examples.atlas"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        check=True,
        capture_output=True,
    )
    assert [file.name for file in tmp_path.iterdir()] == ["atlas.db"]
