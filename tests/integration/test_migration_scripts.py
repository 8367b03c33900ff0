"""Scripts that somebody runs by hand: what fails stops them, and what no script can do is refused."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import ESSAY, Program, program_in

WANTED = f"{ESSAY}    stars: Mapped[int | None] = field(default=None)\n"
NEEDED = f"{ESSAY}    stars: Mapped[int]\n"

Run = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def program(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = program_in(tmp_path / "program", database_dsn, monkeypatch)
    made.models(WANTED)
    made.run("make")
    made.run("migrate")
    return made


def path_of(program: Program) -> str:
    """Gives the file of SQLite."""
    return program.dsn.partition("///")[2]


@pytest.fixture
def shell(program: Program) -> Run:
    """Runs a script as the documentation says: by psql, or by sqlite3."""
    lite = program.dsn.startswith("sqlite")
    at = ["sqlite3", path_of(program)] if lite else ["psql", "-X", "-q", "-At", program.dsn]
    if shutil.which(at[0]) is None:
        pytest.skip(f"{at[0]} is not there")
    return lambda sql: subprocess.run(at, input=sql, capture_output=True, text=True, check=False, timeout=60)


def needed(program: Program) -> str:
    """Gives the script of a migration that rows do not fit."""
    program.models(NEEDED)
    program.run("make")
    return program.run("sql", "--from", "0001").out


STATE = "SELECT id, title FROM essay ORDER BY id; SELECT name FROM cormorant_migrations ORDER BY name;"
BEFORE = ["1|a", "2|b", "0001_initial"]


def test_rows_that_do_not_fit_stay(program: Program, shell: Run) -> None:
    shell("INSERT INTO essay (title, stars) VALUES ('a', 1), ('b', NULL);")
    script = needed(program)
    assert "null" in shell(script).stderr.lower()
    assert shell(STATE).stdout.split() == BEFORE
    shell("UPDATE essay SET stars = 2 WHERE id = 2;")
    assert shell(script).stderr == ""
    assert shell(STATE).stdout.split() == [*BEFORE, "0002_essay_stars"]
    assert program.run("drift").code == 0


def test_a_step_outside_of_transactions_that_fails_is_not_recorded(program: Program, shell: Run) -> None:
    shell("INSERT INTO essay (title) VALUES ('a'), ('a');")
    program.models(WANTED.replace("title: Mapped[str]", "title: Mapped[str] = field(unique=True)"))
    program.run("make", "--safe")
    assert "unique" in shell(program.run("sql", "--from", "0001").out).stderr.lower()
    assert shell(STATE).stdout.split() == ["1|a", "2|a", "0001_initial"]


@pytest.fixture
def lite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = program_in(tmp_path / "program", f"sqlite:///{tmp_path / 'lite.db'}", monkeypatch)
    made.models(WANTED)
    made.run("make")
    made.run("migrate")
    return made


def careless(program: Program, statements: list[str]) -> list[str]:
    """Sends statements like a program that goes on after errors; gives those."""
    errors = list[str]()
    connection = sqlite3.connect(path_of(program), isolation_level=None)
    try:
        for sql in statements:
            try:
                connection.execute(sql)
            except sqlite3.Error as error:
                errors.append(str(error))
    finally:
        connection.close()
    return errors


def script_of(program: Program, last: str = "0001") -> list[str]:
    statements: list[str] = program.run("sql", "--from", last, "--json").json["sql"]
    return [sql for sql in statements if not sql.startswith("--")]


def state_of(program: Program) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path_of(program))
    try:
        return connection.execute(
            "SELECT id, stars FROM essay UNION ALL SELECT 0, name FROM cormorant_migrations"
        ).fetchall()
    finally:
        connection.close()


def test_programs_that_go_on_after_errors_lose_nothing(lite: Program) -> None:
    careless(lite, ["INSERT INTO essay (title, stars) VALUES ('a', 1), ('b', NULL)"])
    needed(lite)
    assert "CHECK constraint failed: not all rows were copied, so nothing is changed" in careless(lite, script_of(lite))
    assert state_of(lite) == [(1, 1), (2, None), (0, "0001_initial")]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX by_hand ON essay (title)",
        "CREATE TRIGGER by_hand AFTER INSERT ON essay BEGIN SELECT 1; END",
        "ALTER TABLE essay ADD COLUMN by_hand TEXT",
    ],
)
def test_a_script_drops_nothing_that_was_made_by_hand(lite: Program, sql: str) -> None:
    careless(lite, ["INSERT INTO essay (title, stars) VALUES ('a', 1)", sql])
    needed(lite)
    assert any("that no migration made" in error for error in careless(lite, script_of(lite)))
    assert state_of(lite) == [(1, 1), (0, "0001_initial")]


def test_a_script_leaves_no_row_that_points_to_nothing(lite: Program) -> None:
    lite.models(f"{WANTED}    star_id: Mapped[int | None] = field(default=None)\n")
    lite.run("make")
    lite.run("migrate")
    careless(lite, ["INSERT INTO essay (title, star_id) VALUES ('a', 1)"])
    star = "class Star(Model):\n    id: Mapped[int] = generated(primary_key=True)\n"
    lite.models(f"{star}{WANTED}    star: One[Star | None] = foreign_key(default=None)\n")
    lite.run("make")
    assert any("would point to nothing" in error for error in careless(lite, script_of(lite, "0002")))
    assert len(state_of(lite)) == 3


# ---- work in a session

WORK = """
    depends=("0001_initial",),
    operations=[RunSession(forward, nothing{more})],
"""
HEAD = """
from cormorant.migrations import RunSession, nothing

async def forward(session, models):
    "Moves what is there."
"""


def with_work(program: Program, more: str = "") -> None:
    path = program.migration("0002_work", WORK.format(more=more))
    head, _, body = path.read_text().partition("migration = ")
    path.write_text(f"{head}{HEAD}\n\nmigration = {body}")


def test_work_in_a_session_is_refused(program: Program) -> None:
    with_work(program)
    said = program.run("sql", "--from", "0001", code=4)
    assert "0002_work, step 1, is work in a session, which only the program can do" in said.err
    assert "cormorant migrate 0002_work" in said.err
    assert "0002_work" not in program.run("sql", "--to", "0001").out
    assert program.run("sql", "--from", "0002").out == ""
    script = program.run("sql", "--from", "0001", "--work-done").out
    assert "was done by other means: run forward(): Moves what is there." in script


def test_new_databases_need_no_work_that_is_elidable(program: Program) -> None:
    with_work(program, ", elidable=True")
    assert "0002_work" in program.run("sql").out
    assert "0002_work" in program.run("sql", "--from", "0001", code=4).err
