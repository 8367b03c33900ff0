"""What `cormorant init` writes, as texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath

MODELS = '''\
"""The models."""

from __future__ import annotations

from cormorant import Mapped, Model, field, generated


class Note(Model):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str] = field(max_length=200)
'''


@dataclass(frozen=True, slots=True)
class Beginning:
    """What shall be configured.

    Args:
        dsn: The database, without a password; None where the environment says it.
        variable: The variable of the environment that says it; None where it is CORMORANT_DSN.
        models: The module with the models.
        migrations: The directory of the migrations.
    """

    dsn: str | None
    variable: str | None
    models: str
    migrations: str

    @property
    def section(self) -> str:
        """The lines for pyproject.toml."""
        lines = ["[tool.cormorant]"]
        if self.dsn is not None:
            lines.append(f"dsn = {_quoted(self.dsn)}")
        elif self.variable is not None:
            lines.append(f"dsn = {{ env = {_quoted(self.variable)} }}")
        lines += [f"models = [{_quoted(self.models)}]", f"migrations = {_quoted(self.migrations)}"]
        return "\n".join(lines) + "\n"

    @property
    def files_of_models(self) -> dict[str, str]:
        """The files of a module that is not there yet, by their paths."""
        *packages, name = self.models.split(".")
        folder, files = PurePosixPath(), dict[str, str]()
        for package in packages:
            folder /= package
            files[str(folder / "__init__.py")] = ""
        return {**files, str(folder / f"{name}.py"): MODELS}


def appended(text: str, section: str) -> str:
    """Gives the text of a file with a section behind it."""
    if not text.strip():
        return section
    return f"{text.rstrip()}\n\n{section}"


def _quoted(text: str) -> str:
    # a text of JSON is one of TOML
    return json.dumps(text, ensure_ascii=False)
