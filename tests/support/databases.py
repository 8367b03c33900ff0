"""The databases that tests run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cormorant import Database

IN_THREADS = "sqlite-threads"
"""SQLite whose every statement waits for a thread."""

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

BOTH = ["sqlite", POSTGRESQL]

ALL = ["sqlite", IN_THREADS, POSTGRESQL]
"""Also for what depends on where a task waits."""


def dsn_of(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Gives the DSN of an empty database of the kind that a fixture asks for by its parameter."""
    if request.param == "postgresql":
        # asked for by name, so that a run on SQLite alone starts no server
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite:///{tmp_path / 'test.db'}{'?on_loop=false' if request.param == IN_THREADS else ''}"


def fewest_waits(database: Database) -> int:
    """Gives how often a unit of work of a few statements waits at least: where they run on the loop, hardly ever."""
    return 4 if database.config.runs_on_loop else 10
