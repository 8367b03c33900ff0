"""Changes inside a JSON document were lost when its row was met again, and outlived a rollback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    One,
    StaleObjectError,
    field,
    foreign_key,
    generated,
)
from tests.support import kept_tables


class Document(Model, app="inside"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    data: Mapped[dict[str, int]] = field(default_factory=dict)
    words: Mapped[list[str]] = field(default_factory=list)


class Note(Model, app="inside"):
    id: Mapped[int] = generated(primary_key=True)
    document: One[Document] = foreign_key()


class ChangedMyMind(Exception):
    pass


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with one document, and a note that points to it."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Document, Note)
        async with AsyncSession(database) as session:
            session.add(Note(document=Document(name="first", data={"x": 1}, words=["a"])))
        yield database


async def saved(database: Database) -> tuple[dict[str, int], list[str]]:
    async with AsyncSession(database) as session:
        document = await session.get_one(Document, 1)
    return document.data, document.words


def updates(session: AsyncSession) -> int:
    return sum(stats.count for stats in session.query_stats() if stats.sql.startswith("UPDATE"))


async def test_a_row_met_again_leaves_an_object_that_changed_inside_alone(database: Database) -> None:
    async with AsyncSession(database) as session:
        document = await session.get_one(Document, 1)
        document.data["x"] = 2
        document.words.append("b")
        await session.query(Document)
        assert (document.data, document.words) == ({"x": 2}, ["a", "b"])
    assert await saved(database) == ({"x": 2}, ["a", "b"])


async def test_a_rollback_undoes_changes_inside(database: Database) -> None:
    async with AsyncSession(database) as session:
        document = await session.get_one(Document, 1)
        document.data["x"] = 2
        document.words.append("b")
        await session.rollback()
        assert (document.data, document.words) == ({"x": 1}, ["a"])
    assert await saved(database) == ({"x": 1}, ["a"])


async def test_a_rollback_undoes_changes_inside_that_were_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        document = await session.get_one(Document, 1)
        document.data["x"] = 2
        await session.flush()
        document.data["x"] = 3
        await session.rollback()
        assert document.data == {"x": 1}
        assert list(session.dirty) == []
        session.reset_query_stats()
        await session.flush()
        assert updates(session) == 0
        document.data["x"] = 4
    assert await saved(database) == ({"x": 4}, ["a"])


async def test_what_a_rollback_put_back_is_watched(database: Database) -> None:
    async with AsyncSession(database) as session:
        document = await session.get_one(Document, 1)
        document.data["y"] = 1
        await session.flush()
        with suppress(ChangedMyMind):
            async with session.transaction():
                document.data["y"] = 5
                raise ChangedMyMind
        assert document.data == {"x": 1, "y": 1}
        document.data["y"] = 2
    assert await saved(database) == ({"x": 1, "y": 2}, ["a"])


async def test_a_session_goes_on_after_a_rollback_that_unloads_documents(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Note(document=Document(name="second")))
        await session.flush()
        document = await session.get_one(Document, 1)
        await session.rollback()
        await session.flush()
        assert (await document).data == {"x": 1}


async def test_a_refresh_refuses_to_lose_changes_inside(database: Database) -> None:
    async with AsyncSession(database) as session:
        document = await session.get_one(Document, 1)
        document.data["x"] = 2
        with pytest.raises(StaleObjectError, match="unsaved changes to data"):
            await session.refresh(document)


async def test_changes_inside_are_seen_in_a_reference_that_was_changed_before_it_was_loaded(database: Database) -> None:
    async with AsyncSession(database) as session:
        note = await session.query(Note).one()
        note.document.name = "renamed"
        document: Any = await note.document
        assert document.data == {"x": 1}
        document.data["x"] = 2
        document.words.append("b")
    assert await saved(database) == ({"x": 2}, ["a", "b"])


async def test_a_get_leaves_changes_inside_of_others_for_later(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Document(name="second", data={"y": 1}))
        await session.commit()
        session.clear()
        session.reset_query_stats()
        document = await session.get_one(Document, 1)
        document.data["x"] = 2
        assert (await session.get_one(Document, 2)).data == {"y": 1}
        assert updates(session) == 0
        # a query might ask for what they say
        await session.query(Document).order_by(Document.id)
        assert updates(session) == 1
        document.words.append("b")
    assert await saved(database) == ({"x": 2}, ["a", "b"])


@pytest.mark.parametrize("autocommit", [False, True])
async def test_an_end_by_an_exception_puts_documents_back(database: Database, autocommit: bool) -> None:
    with suppress(ChangedMyMind):
        async with AsyncSession(database, autocommit=autocommit) as session:
            document = await session.get_one(Document, 1)
            await session.get(Document, 2)
            document.data["x"] = 2
            raise ChangedMyMind
    assert document.data == {"x": 1}
    assert await saved(database) == ({"x": 1}, ["a"])
