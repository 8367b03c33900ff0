"""A program in a folder of its own, and commands that are run in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cormorant.cli.commands import application
from cormorant.models.registry import registry

HEAD = """\
from __future__ import annotations

from collections.abc import Iterable

from cormorant import Many, Mapped, Model, One, TableArg, field, foreign_key, generated, index, retired, reverse

"""

ESSAY = """
class Essay(Model):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
"""

WITH_STARS = f"{ESSAY}    stars: Mapped[int] = field(default=3)\n"

SECRET = "hunter2"
"""No output of any command has it."""


class Said:
    """What a command has printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """What it has printed for programs."""
        return json.loads(self.out)


class Program:
    """A program with a pyproject.toml, a package `shop` and migrations.

    Args:
        root: Its folder, which is the current one.
        dsn: Its database.
    """

    def __init__(self, root: Path, dsn: str) -> None:
        self.root, self.dsn = root, dsn

    def write(self, path: str, text: str) -> Path:
        """Writes a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def configured(self, more: str = "") -> None:
        """Writes its pyproject.toml."""
        section = f'[tool.cormorant]\ndsn = "{self.dsn}"\nmodels = ["shop.models"]\n{more}'
        self.write("pyproject.toml", section)

    def models(self, body: str) -> None:
        """Writes its models."""
        self.write("shop/__init__.py", "")
        self.write("shop/models.py", HEAD + body)

    def migration(self, name: str, body: str) -> Path:
        """Writes a migration, of which `body` are the arguments."""
        imports = "from cormorant.migrations import *\nfrom cormorant.schema import snapshot as s, steps as op\n"
        return self.write(f"migrations/{name}.py", f"{imports}\nmigration = Migration({body})\n")

    @property
    def files(self) -> list[str]:
        """The names of its migrations."""
        return sorted(path.stem for path in (self.root / "migrations").glob("*.py"))

    def run(
        self,
        *words: str,
        code: int = 0,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        traceback: bool = False,
    ) -> Said:
        """Runs a command, which must end with a code, without a secret, and with a traceback or none."""
        with _alone():
            found = CliRunner().invoke(application, words, input=input, env=dict(env or {}))
        said = Said(found.exit_code, found.stdout, found.stderr)
        assert SECRET not in found.output
        assert ("Traceback" in found.output) is traceback, found.output
        assert found.exit_code == code, found.output
        return said


@contextmanager
def _alone() -> Iterator[None]:
    """Has every command import the models anew, as a process of its own would."""
    known, folders = set(sys.modules), list(sys.path)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with registry.isolated():
            yield
    finally:
        sys.dont_write_bytecode = writes
        sys.path[:] = folders
        for name in set(sys.modules) - known:
            if name.partition(".")[0] == "shop":
                del sys.modules[name]


def program_in(folder: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Gives a configured program without models in a folder, which becomes the current one."""
    for name in ("CORMORANT_DSN", "CORMORANT_MODELS", "CORMORANT_MIGRATIONS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    made = Program(folder, dsn)
    made.configured()
    return made
