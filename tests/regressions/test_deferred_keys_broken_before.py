"""A sandbox on SQLite refuses commits that break deferred keys, and not those beside keys that were broken before."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import LiteralString

import pytest

from cormorant import AsyncSession, Database
from cormorant.errors import ForeignKeyViolation
from cormorant.testing import Sandbox
from cormorant.testing.deferred import DeferredKeys
from tests.support.newsroom import Label, rolled_back

_SCHEMA = """
CREATE TABLE shelf (id integer PRIMARY KEY);
CREATE TABLE item (shelf integer REFERENCES shelf (id) DEFERRABLE INITIALLY DEFERRED, note text);
CREATE TABLE box (name text PRIMARY KEY, shelf integer REFERENCES shelf (id) DEFERRABLE  INITIALLY  DEFERRED)
    WITHOUT ROWID;
CREATE TABLE named (rowid text, shelf integer REFERENCES shelf (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE kind (name text);
CREATE TABLE unfit (kind text REFERENCES kind (name) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO item VALUES (99, 'broken');
INSERT INTO box VALUES ('broken', 99);
INSERT INTO named VALUES ('broken', 99);
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in a sandbox, three of whose rows pointed to nothing before."""
    with closing(sqlite3.connect(tmp_path / "keys.db")) as raw:
        raw.executescript(_SCHEMA)
    async with Database(f"sqlite:///{tmp_path / 'keys.db'}") as made:
        await made.create_all(Label)
        async with Sandbox(made):
            yield made


async def run(database: Database, *statements: LiteralString) -> None:
    async with AsyncSession(database) as session:
        for sql in statements:
            await session.execute(sql)


async def refused(database: Database, *statements: LiteralString) -> None:
    with pytest.raises(ForeignKeyViolation) as caught:
        await run(database, *statements)
    assert caught.value.statement == "COMMIT"


async def test_what_was_broken_before_is_let_be(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="inside"))
    await run(database, "INSERT INTO shelf VALUES (8)", "INSERT INTO item VALUES (8, '')")
    await run(database, "UPDATE item SET note = 'seen'")
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 1


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO item VALUES (98, '')",
        "UPDATE item SET shelf = 98",
        "INSERT INTO box VALUES ('new', 98)",
        "INSERT INTO named VALUES ('new', 98)",
    ],
)
async def test_what_is_broken_inside_is_refused(database: Database, sql: LiteralString) -> None:
    await refused(database, sql)
    await run(database, sql, "INSERT INTO shelf VALUES (98)")
    await refused(database, "DELETE FROM shelf WHERE id = 98")


async def test_what_was_mended_is_not_broken_again(database: Database) -> None:
    await run(database, "INSERT INTO shelf VALUES (99)")
    await refused(database, "DELETE FROM shelf WHERE id = 99")


async def test_what_was_mended_and_taken_back_is_broken_as_before(database: Database) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        await session.execute("INSERT INTO item VALUES (99, '')")
        # what the inner session commits is undone with the outer one
        await run(database, "INSERT INTO shelf VALUES (99)")
    await run(database, "INSERT INTO shelf VALUES (1)")
    await refused(database, "INSERT INTO item VALUES (99, '')")


async def test_what_was_mended_and_taken_back_inside_is_looked_at_again(database: Database) -> None:
    async def mend_and_take_back() -> None:
        async with AsyncSession(database) as session:
            await session.execute("INSERT INTO item VALUES (98, '')")
            async with rolled_back(AsyncSession(database)) as inner:
                await inner.execute("INSERT INTO shelf VALUES (1)")
                await run(database, "INSERT INTO shelf VALUES (98)")

    with pytest.raises(ForeignKeyViolation):
        await mend_and_take_back()


async def test_who_only_reads_has_nothing_looked_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(_: DeferredKeys) -> None:
        raise AssertionError("the keys were looked at")

    monkeypatch.setattr(DeferredKeys, "_broken", look)
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 0
