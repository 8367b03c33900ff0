"""The tutorial is done as it stands there: its files are written, its commands run, and what they print compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_group

from cormorant.cli.commands import application
from tests.support.command_line import Program, program_in

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?P<marks>[^\n]*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"(?m)^\$ ")


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """Gives files, as (path, text), and commands, as ("$ cormorant ...", what is printed)."""
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["kind"] == "python":
            yield match["marks"].split()[-1], match["text"]
        elif match["kind"] == "console":
            for each in SHELL.split(match["text"])[1:]:
                command, _, printed = each.partition("\n")
                yield f"$ {command}", printed


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d\d s", "0.00 s", text)


@pytest.mark.direct("a pooler takes no steps outside of transactions")
def test_the_tutorial(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_in(tmp_path / "program", database_dsn, monkeypatch)
    (program.root / "pyproject.toml").unlink()
    ran: list[str] = []
    for name, text in steps(DOCS / "tutorial.md"):
        if not name.startswith("$"):
            program.write(name, text)
        elif name.startswith("$ cormorant"):
            do(program, name, text)
            ran.append(name.split()[2])
    assert ran[:6] == ["init", "make", "migrate", "shell", "make", "migrate"]


def do(program: Program, command: str, printed: str) -> None:
    """Runs a command, and compares what it prints; where nothing is shown, it may print anything."""
    words, _, comment = command.removeprefix("$ cormorant ").partition("  # exits with ")
    said = program.run(*shlex.split(words), code=int(comment or 0), env={"CORMORANT_DSN": program.dsn})
    if printed:
        assert without_times(said.err if comment else said.out) == without_times(printed)


def test_every_command_and_option_is_described() -> None:
    """What `--help` knows, the page about the command line knows too."""
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    group = get_group(application)
    for name, command in group.commands.items():
        assert f"## {name}" in page, name
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option not in COMMON:
                    assert option in section, f"{name} {option}"


COMMON = {"--help", "--dsn", "--config", "--models", "--migrations", "--json"}
