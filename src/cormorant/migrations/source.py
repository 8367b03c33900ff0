"""A migration as the text of its file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cormorant.migrations.migration import Migration
from cormorant.migrations.step import Step
from cormorant.schema.python_form import IMPORTS, operations_source
from cormorant.schema.source_types import literal

_INSIDE = "    "


def migration_source(migration: Migration) -> str:
    """Gives the text of a migration's file, which makes an equal one.

    Args:
        migration: What is done; functions cannot be written, so work in sessions must not be among it.
    """
    body = _body(migration)
    names = sorted({"Migration", *_own_names(migration.operations)})
    imports = [f"from cormorant.migrations import {', '.join(names)}"]
    said = "\n".join(body)
    imports += [line for line in IMPORTS if re.search(rf"\b{line.rpartition(' ')[2]}\.[A-Z]", said)]
    return "\n".join([f'"""{docstring(migration.description)}"""', "", *imports, "", *body, ""])


def depends_lines(migration: Migration) -> str:
    """Gives the lines of a migration's file that say what comes before it."""
    return "".join(f"{line}\n" for line in _texts("depends", migration.depends)) if migration.depends else ""


def _own_names(steps: Sequence[Step]) -> set[str]:
    return {type(step).__name__ for step in steps if type(step).__module__.startswith("cormorant.migrations.")}


def _body(migration: Migration) -> list[str]:
    lines = ["migration = Migration("]
    for name, texts in (("depends", migration.depends), ("replaces", migration.replaces)):
        if texts:
            lines += _texts(name, texts)
    first, *rest = operations_source(migration.operations, _INSIDE).split("\n")
    return [*lines, f"{_INSIDE}operations={first.strip()}", *rest[:-1], f"{rest[-1]},", ")"] if rest else lines


def _texts(name: str, texts: Sequence[str]) -> list[str]:
    line = f"{_INSIDE}{name}=({', '.join(map(literal, texts))}{',' if len(texts) == 1 else ''}),"
    if len(line) <= 120:
        return [line]
    return [f"{_INSIDE}{name}=(", *(f"{_INSIDE * 2}{literal(text)}," for text in texts), f"{_INSIDE}),"]


def docstring(text: str) -> str:
    """Gives a text as it stands between the quotes of a docstring."""
    said = text.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return said if not said.endswith('"') else f'{said[:-1]}\\"'
