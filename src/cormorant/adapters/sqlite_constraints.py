"""What SQLite does not say of a broken constraint: its name."""

from __future__ import annotations

import contextlib
import re
import sqlite3

_UNIQUE = re.compile(r"UNIQUE constraint failed: ([^']+)")
_NAME = r'("(?:[^"]|"")*"|\w+)'
_DECLARED = re.compile(rf"\bCONSTRAINT\s+{_NAME}\s+(?:UNIQUE|PRIMARY\s+KEY)\s*\(([^)]*)\)", re.IGNORECASE)


def note_name(raw: sqlite3.Connection, error: sqlite3.IntegrityError) -> None:
    """Notes in an error the name of the unique constraint, or index, over the columns that it names.

    Args:
        raw: The connection, in its thread.
        error: What it raised.
    """
    match = _UNIQUE.fullmatch(str(error))
    if match is None:
        return
    pairs = [name.rpartition(".") for name in match[1].split(", ")]
    # what goes wrong here must not take the place of the error
    with contextlib.suppress(sqlite3.Error):
        names = _names(raw, pairs[0][0], [column for _, _, column in pairs])
        if len(names) == 1:
            error.args = (*error.args, names.pop())


def noted_name(error: Exception) -> str | None:
    """Gives the name that was noted in an error."""
    noted = error.args[1:2] if isinstance(error, sqlite3.IntegrityError) else ()
    return str(noted[0]) if noted else None


def _names(raw: sqlite3.Connection, table: str, columns: list[str]) -> set[str]:
    """Gives the names of the constraints and indexes that keep these columns unique."""
    found: set[str] = set()
    indexes = raw.execute('SELECT name, origin FROM pragma_index_list(?) WHERE "unique"', (table,)).fetchall()
    for name, origin in indexes:
        covered = [row[0] for row in raw.execute("SELECT name FROM pragma_index_info(?)", (name,))]
        if covered == columns and origin == "c":
            found.add(name)
    for (text,) in raw.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)):
        for name, listed in _DECLARED.findall(text or ""):
            if [_bare(column) for column in listed.split(",")] == columns:
                found.add(_bare(name))
    return found


def _bare(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
