"""Migrations as files: reading them, and writing new ones."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from pathlib import Path
from types import ModuleType

from cormorant._internal.narrowing import is_list
from cormorant.errors import CormorantError, InvalidMigration, MissingMigration
from cormorant.migrations.migration import Migration, MigrationFile

LONGEST_NAME = 100
"""How many characters the name of a migration may have."""

_NAME = re.compile(r"\d{4,}_\w+|\d{4,}")


def load(directory: str | Path, app: str = "") -> tuple[MigrationFile, ...]:
    """Gives the migrations of a directory, by their names; files whose names begin with no number are left alone.

    Args:
        directory: Where the files are.
        app: The app whose migrations they are.

    Raises:
        MissingMigration: There is no such directory.
        InvalidMigration: A file cannot be run, or has no `migration`.
    """
    place = Path(directory)
    if not place.is_dir():
        raise MissingMigration(
            f"there is no directory {str(place)!r} of migrations",
            hint="name the right one, or make the first migration",
        )
    paths = (path for path in place.glob("*.py") if path.name[0].isdigit())
    return tuple(load_file(path, app) for path in sorted(paths))


def load_file(path: Path, app: str = "") -> MigrationFile:
    """Gives the migration of one file.

    Raises:
        InvalidMigration: It cannot be run, or has no `migration`.
    """
    check_name(path.stem)
    source = _source(path)
    return from_source(source, path.stem, app, path)


def from_source(source: str, name: str, app: str = "", path: Path | None = None) -> MigrationFile:
    """Gives the migration that a text of Python makes.

    Raises:
        InvalidMigration: It cannot be run, or has no `migration`.
    """
    where = str(path or name)
    module = ModuleType(f"cormorant_migration_{app}_{name}")
    module.__file__ = where
    # classes look for the module that they are made in
    sys.modules[module.__name__] = module
    try:
        tree = ast.parse(source, where)
        exec(compile(tree, where, "exec", dont_inherit=True), vars(module))
    except CormorantError as error:
        raise InvalidMigration(f"{where} cannot be used: {error.message}", hint=error.hint) from error
    except Exception as error:
        raise InvalidMigration(
            f"{where} cannot be run: {type(error).__name__}: {error}", hint="correct the file; it is Python"
        ) from error
    found = getattr(module, "migration", None)
    if not isinstance(found, Migration):
        raise InvalidMigration(f"{where} has no migration", hint="it needs a line `migration = Migration(...)`")
    if not found.description:
        about = (ast.get_docstring(tree) or "").strip()
        found = Migration(found.operations, found.depends, found.replaces, about)
    return MigrationFile(app, name, path, _checksum(tree), found)


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMigration(f"{path} cannot be read: {error}", hint="it is a file of Python in UTF-8") from error


def checksum(source: str) -> str:
    """Gives what tells one program from another: comments, docstrings, spaces and quotes do not count.

    So a file that a formatter has been over is the same, with every version of Python.
    """
    return _checksum(ast.parse(source))


def _checksum(tree: ast.Module) -> str:
    words: list[str] = []
    _say(tree, words)
    return hashlib.sha256("".join(words).encode()).hexdigest()


def _say(node: object, words: list[str]) -> None:
    """Adds a tree as texts that do not change with versions: what is empty is left out."""
    if isinstance(node, ast.AST):
        words.append(f"({type(node).__name__}")
        for name, value in ast.iter_fields(node):
            parts = _without_docstring(value) if name == "body" else value
            if parts not in (None, []) and name not in ("ctx", "kind", "type_comment", "type_ignores"):
                words.append(f" {name}=")
                _say(parts, words)
        words.append(")")
    elif is_list(node):
        words.append("[")
        for item in node:
            _say(item, words)
        words.append("]")
    else:
        words.append(f"{type(node).__name__} {node!r};")


def _without_docstring(body: object) -> object:
    if not is_list(body) or not body:
        return body
    first: object = body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return body[1:] if text else body


def check_name(name: str) -> None:
    """Refuses a name that no migration can have.

    Raises:
        InvalidMigration: It is too long, or is not a number with words behind it.
    """
    if len(name) > LONGEST_NAME:
        raise InvalidMigration(
            f"the name {name[:40]}... of a migration has {len(name)} characters", hint=f"use {LONGEST_NAME} at most"
        )
    if _NAME.fullmatch(name) is None:
        raise InvalidMigration(
            f"{name!r} cannot be the name of a migration", hint='begin with four digits, as in "0002_stars"'
        )


def write(directory: str | Path, name: str, source: str) -> Path:
    """Writes the file of a new migration; the directory is made if it is not there.

    Args:
        directory: Where the file shall be.
        name: The migration's name.
        source: The text.

    Raises:
        InvalidMigration: There is such a file already.
    """
    check_name(name)
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(source)
    except FileExistsError as error:
        raise InvalidMigration(f"there is a file {path} already", hint="choose another name") from error
    return path
