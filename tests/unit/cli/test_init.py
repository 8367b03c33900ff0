"""`cormorant init` begins, and overwrites nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.support.command_line import ESSAY, SECRET, Program, program_in


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    program = program_in(tmp_path / "program", "sqlite:///unused.db", monkeypatch)
    (program.root / "pyproject.toml").unlink()
    return program


def section(program: Program) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((program.root / "pyproject.toml").read_text())["tool"]["cormorant"]
    return found


def test_an_empty_folder(empty: Program) -> None:
    said = empty.run("init", "--json").json
    assert said["written"] == ["pyproject.toml", "migrations", "app/__init__.py", "app/models.py"]
    assert section(empty) == {"dsn": "sqlite:///app.db", "models": ["app.models"], "migrations": "migrations"}
    assert "create table note (id, title)" in empty.run("make", "--check", code=1).out


def test_what_is_there_stays(empty: Program) -> None:
    empty.write("pyproject.toml", '[project]\nname = "shop"\n')
    empty.models(ESSAY)
    models = (empty.root / "shop/models.py").read_text()
    assert empty.run("init", "--models", "shop.models", "--json").json["written"] == ["pyproject.toml", "migrations"]
    text = (empty.root / "pyproject.toml").read_text()
    assert text.startswith('[project]\nname = "shop"\n\n[tool.cormorant]\n')
    assert (empty.root / "shop/models.py").read_text() == models
    said = empty.run("init", code=2)
    assert "has a section [tool.cormorant] already, at line 5" in said.err
    assert (empty.root / "pyproject.toml").read_text() == text


def test_a_package_in_src(empty: Program) -> None:
    empty.write("src/shop/__init__.py", "")
    assert empty.run("init", "--models", "shop.models", "--json").json["written"][-1] == "src/shop/models.py"
    assert "create table note" in empty.run("make", "--check", code=1).out


def test_passwords_stay_out_of_the_file(empty: Program) -> None:
    said = empty.run("init", "--dsn", f"postgresql://app:{SECRET}@db/shop")
    assert "stays out of the file" in said.out
    assert SECRET not in (empty.root / "pyproject.toml").read_text()
    assert "dsn" not in section(empty)


@pytest.mark.parametrize(("variable", "written"), [("CORMORANT_DSN", None), ("DATABASE_URL", {"env": "DATABASE_URL"})])
def test_a_database_of_the_environment(empty: Program, variable: str, written: object) -> None:
    dsn = f"postgresql://app:{SECRET}@db/shop"
    assert f"the database is that of {variable}" in empty.run("init", env={variable: dsn}).out
    assert section(empty).get("dsn") == written


def test_bad_names(empty: Program) -> None:
    assert "is no module" in empty.run("init", "--models", "shop/models.py", code=2).err
    assert "mysql" in empty.run("init", "--dsn", "mysql://x", code=2).err
    assert list(empty.root.iterdir()) == []
