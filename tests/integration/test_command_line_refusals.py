"""What cannot be done is told in a clear message and an exit code: no traceback, no password."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from cormorant import Database
from cormorant.cli import working
from cormorant.migrations.running.engine import MigrationEngine
from tests.support.command_line import ESSAY, SECRET, WITH_STARS, Program, Said, program_in

DATABASE_COMMANDS = ("status", "plan", "migrate", "rollback", "inspect")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return program_in(tmp_path / "program", "sqlite:///test.db", monkeypatch)


@pytest.fixture
def migrated(program: Program) -> Program:
    program.models(ESSAY)
    program.run("make")
    program.run("migrate")
    return program


# ---- configuration


@pytest.mark.parametrize("command", [*DATABASE_COMMANDS, "sql", "shell"])
def test_without_configuration_the_lines_to_write_are_said(program: Program, command: str) -> None:
    (program.root / "pyproject.toml").unlink()
    said = program.run(command, code=2)
    assert "no database is named: there is no pyproject.toml here or above" in said.err
    assert '[tool.cormorant]\ndsn = "sqlite:///app.db"\nmodels = ["app.models"]\nmigrations = "migrations"' in said.err
    assert "cormorant init" in said.err
    assert said.out == ""


def test_a_file_without_the_section(program: Program) -> None:
    program.write("pyproject.toml", '[project]\nname = "shop"\n')
    assert "pyproject.toml has no section [tool.cormorant]" in program.run("status", code=2).err
    assert "names no models" in program.run("make", code=2).err
    program.write("pyproject.toml", '[tool.cormorant]\nmodels = ["shop.models"]\n')
    assert "pyproject.toml says nothing of a database" in program.run("status", code=2).err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.cormorant\n", ("is no TOML", "line 1")),
        ("[tool]\ncormorant = 5\n", ("tool.cormorant is no section",)),
        ('[tool.cormorant]\nmodels = "shop"\n', ("pyproject.toml, line 2: models is no list", '["shop"]')),
        ('[tool.cormorant]\ndsn = "mysql://x"\n', ("mysql",)),
        ('[tool.cormorant]\ndsn = { env = "DATABASE_URL" }\n', ("the environment has no DATABASE_URL",)),
        ('[tool.cormorant]\ndatabase = "shop.db:database"\n', ("shop.db cannot be imported",)),
        ('[tool.cormorant]\ndatabase = "sys:nothing"\n', ("sys has no nothing",)),
        ('[tool.cormorant]\ndatabase = "sys:flags"\n', ("sys:flags is no Database",)),
        (f'[tool.cormorant]\ndsn = "postgresql://app:{SECRET}@h:port/x"\n', ("the port after the host",)),
    ],
)
def test_a_configuration_that_cannot_be_used(program: Program, text: str, words: tuple[str, ...]) -> None:
    program.write("pyproject.toml", text)
    said = program.run("status", code=2)
    for each in words:
        assert each in said.err


def test_a_file_that_is_named(program: Program) -> None:
    other = program.write("other/settings.toml", '[tool.cormorant]\ndsn = "sqlite:///other.db"\n')
    program.run("status", "--config", str(other))
    # beside the file that says it, wherever the command is run
    assert (program.root / "other/other.db").exists()
    assert "cannot be read" in program.run("status", "--config", "nope.toml", code=2).err


def test_it_is_found_from_below(migrated: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(migrated.root / "shop")
    assert migrated.run("status").code == 0
    migrated.models(WITH_STARS)
    assert str(migrated.root / "migrations/0002_essay_stars.py") in migrated.run("make").out


def test_the_environment_names_the_database(migrated: Program) -> None:
    migrated.configured()
    found = migrated.run("status", "--json", code=1, env={"CORMORANT_DSN": "sqlite:///elsewhere.db"}).json
    assert [each["migration"] for each in found["pending"]] == ["0001_initial"]


def test_the_programs_own_database(migrated: Program) -> None:
    body = "from cormorant import Database\n\n\ndef made() -> Database:\n    return Database('sqlite:///test.db')\n"
    migrated.write("shop/db.py", f"{body}\n\ndsn = 'sqlite:///test.db'\n")
    for name in ("made", "dsn"):
        migrated.write("pyproject.toml", f'[tool.cormorant]\ndatabase = "shop.db:{name}"\n')
        assert migrated.run("status").code == 0


# ---- models


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x = nothing\n", ("shop.models cannot be imported: NameError", "models.py, line 7")),
        ("import nowhere_at_all\n", ("ModuleNotFoundError", "correct the module")),
        ("class Essay(Model):\n    title: Mapped[str]\n", ("shop.models cannot be imported",)),
        ("", ("there is no model in shop.models",)),
    ],
)
def test_models_that_cannot_be_used(program: Program, body: str, words: tuple[str, ...]) -> None:
    program.models(body)
    said = program.run("make", code=2)
    for each in words:
        assert each in said.err


def test_a_module_that_is_not_there(program: Program) -> None:
    said = program.run("make", "--models", "nope.models", code=2)
    assert "nope.models cannot be imported: ModuleNotFoundError" in said.err
    assert "path = [...]" in said.err


# ---- migrations


def test_a_changed_file(migrated: Program) -> None:
    file = migrated.root / "migrations/0001_initial.py"
    file.write_text(file.read_text().replace('"text"', '"varchar(9)"'))
    assert "changed since" in migrated.run("status", code=1).out
    said = migrated.run("migrate", code=4)
    assert "0001_initial is applied, and changed since" in said.err
    refused = migrated.run("migrate", "--json", code=4)
    assert (refused.json["error"], refused.json["exit"], refused.err) == ("ChangedMigration", 4, "")


def test_a_changed_file_is_named_where_others_are_taken_back(migrated: Program) -> None:
    migrated.models(WITH_STARS)
    migrated.run("make")
    migrated.run("migrate")
    file = migrated.root / "migrations/0001_initial.py"
    file.write_text(file.read_text().replace('"text"', '"varchar(9)"'))
    said = migrated.run("rollback").out
    assert "0002_essay_stars  taken back" in said
    assert "applied and changed since: 0001_initial; migrate refuses to go on" in said


def test_a_missing_file(migrated: Program) -> None:
    migrated.models(WITH_STARS)
    migrated.run("make")
    (migrated.root / "migrations/0001_initial.py").unlink()
    assert "0002_essay_stars depends on 0001_initial, and there is no file of it" in migrated.run("status", code=4).err
    (migrated.root / "migrations/0002_essay_stars.py").unlink()
    assert "its file is missing" in migrated.run("status", code=1).out


@pytest.mark.parametrize(
    "words",
    [("migrate", "0009_nope"), ("plan", "nope"), ("rollback", "0009"), ("sql", "--to", "nope"), ("lint", "nope")],
)
def test_a_target_that_is_not_there(migrated: Program, words: tuple[str, ...]) -> None:
    said = migrated.run(*words, code=4)
    assert f"there is no migration '{words[-1]}'" in said.err
    assert "it has: 0001_initial" in said.err


def test_a_file_that_is_no_migration(migrated: Program) -> None:
    migrated.write("migrations/0002_broken.py", "migration = None\n")
    assert "0002_broken.py has no migration" in migrated.run("migrate", code=4).err
    migrated.write("migrations/0002_broken.py", "raise ValueError('no')\n")
    assert "0002_broken.py cannot be run: ValueError: no" in migrated.run("migrate", code=4).err


def test_a_ring(program: Program) -> None:
    program.migration("0001_one", 'depends=("0002_two",)')
    program.migration("0002_two", 'depends=("0001_one",)')
    assert "migrations depend on each other in a ring" in program.run("migrate", code=4).err


def test_a_migration_that_fails(migrated: Program) -> None:
    migrated.migration("0002_wrong", 'depends=("0001_initial",), operations=[RunSQL("INSERT INTO nowhere VALUES (1)")]')
    said = migrated.run("migrate", code=5)
    assert "0002_wrong" in said.err
    assert "nowhere" in said.err
    told = migrated.run("migrate", "--json", code=5).json
    assert (told["error"], told["migration"], told["step"]) == ("MigrationFailed", "0002_wrong", 1)
    assert [each["migration"] for each in migrated.run("status", "--json", code=1).json["pending"]] == ["0002_wrong"]


def test_a_secret_in_sql_is_shown_by_no_command(migrated: Program) -> None:
    role = f"ALTER ROLE nobody PASSWORD '{SECRET}'"
    migrated.migration("0002_role", f'depends=("0001_initial",), operations=[RunSQL("{role}", "SELECT 1")]')
    for words in (["plan"], ["status"], ["lint"], ["migrate"]):
        code = {"status": 1, "migrate": 5}.get(words[0], 0)
        migrated.run(*words, code=code)
        migrated.run(*words, "--json", code=code)
    assert "ALTER ROLE nobody PASSWORD '***'" in migrated.run("plan").out


def test_there_is_no_way_back(migrated: Program) -> None:
    migrated.migration("0002_once", 'depends=("0001_initial",), operations=[RunSQL("SELECT 1")]')
    migrated.run("migrate")
    assert "there is no way back" in migrated.run("rollback", code=4).err


# ---- databases


@pytest.mark.parametrize("command", DATABASE_COMMANDS)
def test_a_server_that_is_not_there(migrated: Program, command: str) -> None:
    dsn = f"postgresql://app:{SECRET}@127.0.0.1:1/shop"
    said = migrated.run(command, "--dsn", dsn, code=3)
    assert "cannot connect to postgresql://app:***@127.0.0.1:1/shop" in said.err
    refused = migrated.run(command, "--json", "--dsn", dsn, code=3)
    assert (refused.json["error"], refused.json["exit"]) == ("ConnectionLost", 3)


@pytest.mark.direct("a pooler says it in words of its own")
def test_a_database_that_is_not_there(program: Program, postgres_dsn: str) -> None:
    dsn = postgres_dsn.rpartition("/")[0] + "/nothing_here"
    assert "create the database" in program.run("status", "--dsn", dsn, code=3).err


def test_a_file_that_is_not_there_is_not_made(program: Program) -> None:
    assert "there is no database" in program.run("inspect", "sqlite:///nope.db", code=3).err
    assert not (program.root / "nope.db").exists()


def test_somebody_else_migrates(migrated: Program) -> None:
    migrated.models(WITH_STARS)
    migrated.run("make")
    said = asyncio.run(while_another_migrates(migrated))
    assert "migrates" in said.err
    migrated.run("migrate")


async def while_another_migrates(program: Program) -> Said:
    async with Database(f"sqlite:///{program.root / 'test.db'}") as database:
        engine = MigrationEngine(database, program.root / "migrations")
        async with engine._changing(lambda progress: None):
            # in a thread, as a command has an event loop of its own
            return await asyncio.to_thread(program.run, "migrate", "--wait", "0", code=6)


# ---- the command line itself


def test_options_that_are_not_there(program: Program) -> None:
    assert "No such option" in program.run("status", "--nope", code=2).err
    assert "No such command" in program.run("nope", code=2).err
    assert program.run("lint", "--fail-on", "awful", code=2).err.startswith("error: there is no level 'awful'")
    assert "one of postgresql, sqlite" in program.run("lint", "--dialect", "oracle", code=2).err
    program.write("release.json", '{"nope": 1}')
    assert "holds no schema" in program.run("lint", "--running", "release.json", code=2).err


def test_a_command_line_that_is_not_understood_is_told_to_programs_too(program: Program) -> None:
    said = program.run("status", "--nope", "--json", code=2)
    assert (said.json["exit"], said.json["message"]) == (2, "No such option: --nope")
    assert said.err == ""
    assert "No such command" in program.run("nope", "--json", code=2).json["message"]
    program.models(ESSAY)
    assert program.run("snapshot", "--json").out == program.run("snapshot").out


def test_an_error_of_our_own_is_told_as_one(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"postgresql://app:{SECRET}@h/x")

    monkeypatch.setattr(working.History, "load", broken)
    said = program.run("status", code=70, traceback=True)
    assert "this is an error of Cormorant itself" in said.err


def test_ctrl_c(migrated: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(working.History, "load", interrupted)
    assert migrated.run("migrate", code=130).err == "interrupted\n"


def test_typer_is_asked_for() -> None:
    code = "import sys; sys.modules['typer'] = None; from cormorant.cli.main import app; app()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'cormorant[cli]'" in done.stderr
