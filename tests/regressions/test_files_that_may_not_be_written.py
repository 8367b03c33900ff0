"""An SQLite file that may not be written is read all the same, and what refuses it says what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from cormorant import AsyncSession, Database, Mapped, Model, StatementError, generated
from cormorant.adapters.sqlite_errors import translate


class KeptLeaflet(Model, table="kept_leaflet"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]


@pytest.fixture
def leaflets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The DSN of a file, which the driver opens as SQLite does where its permissions are missing."""
    path = tmp_path / "leaflets.db"
    raw = sqlite3.connect(path)
    raw.executescript(
        "CREATE TABLE kept_leaflet (id integer PRIMARY KEY, title text); INSERT INTO kept_leaflet VALUES (1, 'Birds')"
    )
    raw.close()

    connect = aiosqlite.connect

    def read_only(path: str, **options: Any) -> aiosqlite.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr(aiosqlite, "connect", read_only)
    return f"sqlite:///{path}"


async def test_a_file_that_is_in_no_wal_mode_yet(leaflets: str) -> None:
    async with Database(leaflets) as database:
        assert await database.ping() >= 0
        async with AsyncSession(database) as session:
            assert await session.query(KeptLeaflet).scalars(KeptLeaflet.title) == ["Birds"]
        with pytest.raises(StatementError, match="readonly") as caught:
            async with AsyncSession(database) as session:
                session.add(KeptLeaflet(title="Boats"))
        assert "a file that may be written" in (caught.value.hint or "")
        async with AsyncSession(database) as session:
            assert await session.query(KeptLeaflet).count() == 1


def test_a_folder_without_which_nothing_is_read() -> None:
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorname = "SQLITE_READONLY_DIRECTORY"
    told = translate(error, "PRAGMA")
    assert isinstance(told, StatementError)
    assert "the folder of the file" in (told.hint or "")
