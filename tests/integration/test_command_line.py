"""Each command does on both databases what it says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import ESSAY, WITH_STARS, Program, program_in


@pytest.fixture
def program(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return program_in(tmp_path / "program", database_dsn, monkeypatch)


@pytest.fixture
def migrated(program: Program) -> Program:
    """The program after its first migration."""
    program.models(ESSAY)
    program.run("make")
    program.run("migrate")
    return program


def asked(program: Program, code: str) -> str:
    """Gives what a line of Python prints that is run in the shell."""
    return program.run("shell", "-c", code).out.strip()


# ---- make, migrate, status, plan, rollback


def test_models_become_a_database(program: Program) -> None:
    program.models(ESSAY)
    assert "would write 0001_initial" in program.run("make", "--check", code=1).out
    assert program.files == []
    said = program.run("make")
    assert said.out.splitlines() == ["wrote migrations/0001_initial.py", "  - create table essay (id, title)"]
    assert program.files == ["0001_initial"]
    assert "0001_initial" in program.run("status", code=1).out
    assert "CREATE TABLE" in program.run("plan").out
    said = program.run("migrate")
    assert said.out.startswith("0001_initial  applied")
    assert "running 0001_initial (1 of 1)" in said.err
    assert "the database has all migrations" in program.run("status").out
    assert program.run("migrate").out == "there was nothing to do\n"
    assert program.run("make").out == "the migrations make what the models want\n"
    assert program.run("make", "--check").code == 0
    assert program.run("plan").out == "there is nothing to do\n"


def test_the_same_for_programs(program: Program) -> None:
    program.models(ESSAY)
    (made,) = program.run("make", "--json").json["made"]
    assert (made["migration"], made["steps"]) == ("0001_initial", ["create table essay (id, title)"])
    assert Path(made["path"]).read_text() == made["source"]
    found = program.run("status", "--json", code=1).json
    assert (found["current"], [each["migration"] for each in found["pending"]]) == (False, ["0001_initial"])
    (planned,) = program.run("plan", "--json").json["migrations"]
    assert planned["migration"] == "0001_initial"
    assert "CREATE TABLE" in planned["steps"][0]["sql"][0]
    said = program.run("migrate", "--json")
    assert [each["migration"] for each in said.json["ran"]] == ["0001_initial"]
    assert said.err == ""
    assert program.run("status", "--json").json["current"]
    assert program.run("make", "--json").json == {"made": []}


def test_forward_and_back(migrated: Program) -> None:
    migrated.models(WITH_STARS)
    migrated.run("make", "--name", "Stars of essays")
    assert migrated.files == ["0001_initial", "0002_stars_of_essays"]
    migrated.run("migrate", "0002")
    assert "take back 0002_stars_of_essays" in migrated.run("plan", "--down", "1").out
    assert migrated.run("rollback").out.startswith("0002_stars_of_essays  taken back")
    assert migrated.run("rollback", "zero", "--json").json["down"]
    (line,) = migrated.run("migrate", "0001_initial").out.splitlines()
    assert line.startswith("0001_initial  applied")
    migrated.run("migrate")
    assert migrated.run("status").code == 0


def test_only_written_down(program: Program) -> None:
    program.models(ESSAY)
    program.run("make")
    assert "written down, and not run" in program.run("migrate", "--fake").out
    assert program.run("status").code == 0
    assert "forgotten, and not taken back" in program.run("rollback", "--fake").out
    program.run("migrate")
    assert asked(program, "print(await session.query(Essay).count())") == "0"


def test_sql_needs_no_database(program: Program) -> None:
    program.models(ESSAY)
    program.run("make")
    dsn = "sqlite:///never.db" if program.dsn.startswith("sqlite") else "postgresql://nobody@127.0.0.1:1/nothing"
    script = program.run("sql", "--dsn", dsn).out
    stops, begun = script.splitlines()[:2]
    assert stops == (".bail on" if program.dsn.startswith("sqlite") else "\\set ON_ERROR_STOP on")
    assert begun.startswith("CREATE TABLE IF NOT EXISTS cormorant_migrations")
    assert "-- 0001_initial" in script
    assert 'CREATE TABLE "essay"' in script
    assert not (program.root / "never.db").exists()
    assert program.run("sql", "--from", "0001", "--dsn", dsn).out == ""
    assert program.run("sql", "--json", "--dsn", dsn).json["sql"][-1] in ("COMMIT", "PRAGMA foreign_keys = ON")


# ---- what would be lost


def test_what_would_be_lost_is_counted(migrated: Program) -> None:
    asked(migrated, "session.add(Essay(title='a'), Essay(title='b')); await session.commit()")
    migrated.models(ESSAY.replace("title", "name"))
    said = migrated.run("make", code=1)
    assert "column essay.title with 2 values" in said.err
    assert 'field(renamed_from="title")' in said.err
    refused = migrated.run("make", "--json", code=1).json
    assert (refused["error"], refused["losses"]) == ("DestructiveMigration", [{"name": "essay.title", "rows": 2}])
    assert migrated.files == ["0001_initial"]
    assert "loses column essay.title" in migrated.run("make", "--drop", "essay.title").out
    assert migrated.files == ["0001_initial", "0002_essay"]
    assert "loses column essay.title with 2 values" in migrated.run("plan").out
    (planned,) = migrated.run("plan", "--json").json["migrations"]
    assert planned["losses"] == [{"name": "essay.title", "rows": 2}]
    assert "loses table essay with 2 rows" in migrated.run("plan", "--down", "1").out


def test_what_nobody_can_count_is_refused_too(migrated: Program) -> None:
    migrated.models(ESSAY.replace("Essay", "Book"))
    elsewhere = "sqlite:///empty.db" if migrated.dsn.startswith("sqlite") else "postgresql://nobody@127.0.0.1:1/nothing"
    said = migrated.run("make", "--dsn", elsewhere, code=1)
    assert "table essay\n" in said.err
    assert migrated.run("make", "--allow-destructive", "--dry-run").out.count("op.DropTable(") == 1


# ---- by hand, together, several apps


def test_a_migration_to_be_filled_in(migrated: Program) -> None:
    migrated.run("make", "--empty", "--name", "grants")
    migrated.run("make", "--data")
    assert migrated.files == ["0001_initial", "0002_grants", "0003_data"]
    assert "async def forward" in (migrated.root / "migrations/0003_data.py").read_text()
    assert len(migrated.run("migrate", "--json").json["ran"]) == 2


def test_two_heads_are_explained_and_merged(migrated: Program) -> None:
    for number, name in (("0002", "stars"), ("0003", "stars_again")):
        migrated.migration(
            f"{number}_{name}",
            'depends=("0001_initial",), operations=[op.AddColumn("essay", s.Column("stars", "integer", fill="1"))]',
        )
    for command in ("migrate", "status", "make", "plan", "sql"):
        said = migrated.run(command, code=4)
        assert "0002_stars and 0003_stars_again are two heads, and both are about essay.stars" in said.err
    assert migrated.run("status", "--json", code=4).json["heads"] == ["0002_stars", "0003_stars_again"]
    assert "wrote migrations/0004_merge.py" in migrated.run("make", "--merge").out
    assert migrated.run("make", "--merge").out == "there are no two heads\n"


def test_many_become_one(migrated: Program) -> None:
    migrated.models(WITH_STARS)
    migrated.run("make")
    migrated.run("migrate")
    assert "wrote migrations/0001_squashed_0002.py" in migrated.run("squash", "0002").out
    migrated.run("migrate")
    assert migrated.run("status").code == 0
    assert migrated.run("squash", "0009", code=4).err.startswith("error: there is no migration '0009'")


def test_each_app_has_its_directory(program: Program) -> None:
    program.configured('migrations = { shop = "shop/migrations", blog = "blog/migrations" }')
    body = ESSAY.replace("Model)", 'Model, app="blog")') + ESSAY.replace("Essay(Model)", 'Item(Model, app="shop")')
    program.models(body)
    assert "there is no app 'other'" in program.run("make", "--app", "other", code=2).err
    program.run("make", "--app", "shop")
    assert (program.root / "shop/migrations/0001_initial.py").exists()
    assert not (program.root / "blog").exists()
    program.run("make")
    assert (program.root / "blog/migrations/0001_initial.py").exists()
    ran = [each["migration"] for each in program.run("migrate", "--json").json["ran"]]
    assert sorted(ran) == ["blog/0001_initial", "shop/0001_initial"]


# ---- lint


INDEXED = f"{ESSAY}".replace("title: Mapped[str]", "title: Mapped[str] = field(index=True)")


@pytest.mark.direct("a pooler takes no steps outside of transactions")
def test_lint_knows_locks_and_the_safe_form(migrated: Program) -> None:
    migrated.models(INDEXED)
    told = "on large tables others would have to wait: cormorant lint --offline 0002_essay, or make it with --safe"
    assert (told in migrated.run("make").out) is migrated.dsn.startswith("postgresql")
    # the table is small
    assert "nothing to complain of in 1 migration" in migrated.run("lint").out
    offline = migrated.run("lint", "--offline", "--since", "0001", code=1)
    assert "[scans-under-lock]" in offline.out
    assert "SHARE on essay" in offline.out
    assert "concurrently" in offline.out
    found = migrated.run("lint", "0002", "--offline", "--json", code=1).json["findings"]
    assert [(each["migration"], each["rule"], each["step"]) for each in found] == [
        ("0002_essay", "scans-under-lock", 1)
    ]
    assert migrated.run("lint", "0002", "--offline", "--ignore", "scans-under-lock").code == 0
    assert migrated.run("lint", "0002", "--offline", "--dialect", "sqlite").code == 0
    assert migrated.run("lint", "0002", "--offline", "--dialect", "sqlite", "--fail-on", "notice", code=1).code == 1
    (migrated.root / "migrations/0002_essay.py").unlink()
    assert told not in migrated.run("make", "--safe").out
    assert migrated.run("lint", "0002", "--offline").code == 0
    migrated.run("migrate")
    assert migrated.run("status").code == 0


def test_lint_compares_with_the_release_that_runs(migrated: Program) -> None:
    migrated.write("release.json", migrated.run("snapshot").out)
    migrated.models(ESSAY.replace("    title: Mapped[str]\n", ""))
    migrated.run("make", "--allow-destructive")
    said = migrated.run("lint", "--running", "release.json", code=1)
    assert "drop column essay.title" in said.out
    assert "error" in said.out
    assert migrated.run("lint", "--running", "0001", code=1).out == said.out
    assert migrated.run("lint").code == 0


# ---- drift, prove, adopt


def by_hand(program: Program, sql: str) -> None:
    """Changes the database behind everybody's back."""
    asked(program, f"from cormorant import text; await session.execute(text({sql!r})); await session.commit()")


def test_drift_says_what_differs_where(migrated: Program) -> None:
    assert migrated.run("drift").out == "there is no drift\n"
    by_hand(migrated, "CREATE INDEX by_hand ON essay (title)")
    migrated.models(WITH_STARS)
    said = migrated.run("drift", code=1)
    assert "in models and in no migration: add column essay.stars" in said.out
    assert "to undo it: drop index by_hand of essay" in said.out
    told = migrated.run("drift", "--json", code=1).json
    assert (told["repairs"], len(told["unmade"])) == (["drop index by_hand of essay"], 1)
    migrated.write("pyproject.toml", f'[tool.cormorant]\ndsn = "{migrated.dsn}"\n')
    alone = migrated.run("drift", code=1)
    assert "no models are named" in alone.out
    assert "essay.stars" not in alone.out


@pytest.mark.direct("a pooler leads to no database that is made meanwhile")
def test_migrations_are_proved_on_an_empty_database(migrated: Program) -> None:
    assert migrated.run("prove").out == "up, compared, down and up again: 1 migration holds\n"
    migrated.migration("0002_once", 'depends=("0001_initial",), operations=[RunSQL("SELECT 1")]')
    said = migrated.run("prove", code=1)
    assert "there is no way down" in said.out
    assert not migrated.run("prove", "--json", code=1).json["holds"]
    assert [each["migration"] for each in migrated.run("status", "--json", code=1).json["pending"]] == ["0002_once"]


def test_migrations_are_proved_on_a_database_that_is_named(migrated: Program) -> None:
    assert "hold" in migrated.run("prove", "--scratch", "sqlite:///scratch.db", "--dsn", "sqlite://").out


def test_a_database_that_was_there_is_taken_over(program: Program) -> None:
    program.models(ESSAY)
    by_hand(
        program, "CREATE TABLE essay (id integer PRIMARY KEY, title text NOT NULL, stars integer CHECK (stars > 0))"
    )
    by_hand(program, "INSERT INTO essay VALUES (1, 'kept', 3)")
    by_hand(program, "CREATE VIEW titles AS SELECT title FROM essay")
    program.write("shop/models.py", program.run("inspect").out)
    said = program.run("adopt")
    assert said.out.startswith("wrote migrations/0001_initial.py, which the database has on record\n  - essay\n")
    assert "not taken over: view titles" in said.out
    assert program.run("status").code == 0
    assert program.run("make", "--check").code == 0
    assert program.run("drift").code == 0
    assert asked(program, "print((await session.query(Essay).one()).title)") == "kept"
    assert "there are migrations already" in program.run("adopt", code=4).err


def test_an_app_takes_over_its_tables(program: Program) -> None:
    program.configured('migrations = { shop = "shop/migrations", blog = "blog/migrations" }')
    program.models(ESSAY)
    by_hand(program, "CREATE TABLE essay (id integer PRIMARY KEY)")
    by_hand(program, "CREATE TABLE other (id integer PRIMARY KEY)")
    told = program.run("adopt", "--app", "blog", "--table", "essay", "--json").json
    assert (told["migration"], told["tables"]) == ("blog/0001_initial", ["essay"])
    assert "did you mean 'other'?" in program.run("adopt", "--app", "shop", "--table", "othr", code=4).err
    assert program.run("status").code == 0


# ---- inspect


def test_models_of_a_database(migrated: Program) -> None:
    source = migrated.run("inspect").out
    ast.parse(source)
    assert "class Essay(Model):" in source
    assert "cormorant_migrations" not in source
    assert migrated.run("inspect", migrated.dsn, "--table", "essay").out == source
    tables = migrated.run("inspect", "--json").json["schema"]["tables"]
    assert [table["name"] for table in tables] == ["essay"]
    assert "did you mean 'essay'?" in migrated.run("inspect", "--table", "esay", code=2).err


# ---- shell


def test_a_shell_waits_and_knows_the_models(migrated: Program) -> None:
    text = "session.add(Essay(title='Notes'))\nawait session.commit()\nfor essay in await session.query(Essay):\n"
    assert migrated.run("shell", input=f"{text}    print(essay.title)\n").out == "Notes\n"
    # another session, and a database that AsyncSession() finds by itself
    assert asked(migrated, "async with AsyncSession() as s: print(await s.query(Essay).count())") == "1"
    assert asked(migrated, "print(db.dialect.name, Essay.__name__, func.count is not None)").endswith("Essay True")


def test_what_a_shell_does_not_commit_is_gone(migrated: Program) -> None:
    said = migrated.run("shell", "-c", "session.add(Essay(title='x'))")
    assert said.err == "not committed, and gone: 1 object\n"
    assert asked(migrated, "print(await session.query(Essay).count())") == "0"


# ---- report


SCRIPT = """
import asyncio, sys
from cormorant import AsyncSession, Database
from shop.models import Essay

async def main():
    async with Database(sys.argv[1]) as db:
        async with AsyncSession(db) as session:
            print("found", await session.query(Essay).count())

asyncio.run(main())
sys.exit(int(sys.argv[2]))
"""


def test_a_report_of_a_program(migrated: Program) -> None:
    migrated.write("count.py", SCRIPT)
    said = migrated.run("report", "count.py", migrated.dsn, "0")
    assert said.out.startswith("found 0\n")
    assert "SELECT count(*)" in said.out
    assert "count.py:9" in said.out
    told = migrated.run("report", "--json", "count.py", migrated.dsn, "3", code=3)
    assert told.json["exit"] == 3
    (report,) = told.json["reports"]
    assert [each["count"] for each in report["statements"]] == [1]
    assert told.err == "found 0\n"
    migrated.run("report", "--save", "report.html", "-m", "count", migrated.dsn, "0")
    assert "SELECT count(*)" in (migrated.root / "report.html").read_text()
    assert str(migrated.root) not in sys.path


def test_a_program_that_fails_is_reported_too(migrated: Program) -> None:
    migrated.write("quiet.py", "import sys\nsys.exit('no')")
    said = migrated.run("report", "quiet.py", code=1)
    assert said.err == "no\n"
    assert said.out == "no database of this program was asked anything\n"
    assert "there is no file nope.py" in migrated.run("report", "nope.py", code=2).err


def test_a_program_that_is_interrupted_is_reported_too(migrated: Program) -> None:
    body = SCRIPT.replace("sys.exit(int(sys.argv[2]))", "raise KeyboardInterrupt")
    migrated.write("served.py", body)
    assert "SELECT count(*)" in migrated.run("report", "served.py", migrated.dsn, code=130).out


def test_each_database_of_a_program_has_a_report(migrated: Program) -> None:
    more = "asyncio.run(main())\nasyncio.run(main())\nDatabase('sqlite://')\n"
    migrated.write("twice.py", SCRIPT.replace("asyncio.run(main())\n", more).replace("sys.argv[2]", "'0'"))
    said = migrated.run("report", "--save", "r.txt", "twice.py", migrated.dsn)
    assert said.out.endswith("wrote r.txt\nwrote r-2.txt\n")


def test_a_shell_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pty = pytest.importorskip("pty")
    program = program_in(tmp_path / "program", "sqlite:///test.db", monkeypatch)
    program.models(ESSAY)
    terminal, theirs = pty.openpty()
    words = [sys.executable, "-m", "cormorant.cli", "shell"]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as shell:
        os.close(theirs)
        lines = ("await db.create_all()", "session.add(Essay(title='Notes'))", "await session.commit()")
        typed = "\n".join(
            (*lines, "for essay in await session.query(Essay):", "    print(essay.title * 2)", "", "exit()")
        )
        os.write(terminal, f"{typed}\n".encode())
        seen = "".join(read_to_end(terminal))
    assert shell.returncode == 0
    assert "db, session, models: Essay" in seen
    assert "NotesNotes" in seen
    assert "Traceback" not in seen


def read_to_end(terminal: int) -> Iterator[str]:
    """Gives what a terminal shows until nobody has it open any more."""
    while True:
        try:
            found = os.read(terminal, 65_536)
        except OSError:
            # how Linux says it
            return
        if not found:
            return
        yield found.decode()


def test_a_database_that_refuses_what_is_outdated_can_be_migrated(program: Program) -> None:
    program.models(ESSAY)
    refusing = f"Database({program.dsn!r}, on_outdated='refuse', migrations='migrations')"
    program.write("shop/db.py", f"from cormorant import Database\n\ndb = {refusing}\n")
    program.write("pyproject.toml", '[tool.cormorant]\ndatabase = "shop.db:db"\nmodels = ["shop.models"]\n')
    program.run("make")
    program.run("status", code=1)
    program.run("drift", code=1)
    assert asked(program, "print(await session.execute('SELECT 1') is not None)") == "True"
    for command in ("plan", "lint", "migrate", "status", "inspect", "rollback"):
        program.run(command)
