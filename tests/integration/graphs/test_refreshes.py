"""S5: newer rows overwrite a clean object, whole or not at all; S6: a flush accepts column by column."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cormorant import AsyncSession, Database, StaleObjectError
from tests.support.newsroom import Memo, Story, Writer, make_story, make_writer


class Gate:
    """Holds answers of the database back until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()


@asynccontextmanager
async def held_back(database: Database, chosen: Callable[[str], bool]) -> AsyncIterator[Gate]:
    """Gives the gate at which the first statement that is chosen waits with its answer."""
    connection = await database.adapter.acquire()
    database.adapter.release(connection)
    gate, kind = Gate(), type(connection)

    def held(real: Any) -> Any:
        async def wait(self: Any, sql: str, *args: Any) -> Any:
            rows = await real(self, sql, *args)
            if chosen(sql) and not gate.reached.is_set():
                gate.reached.set()
                await gate.opened.wait()
            return rows

        return wait

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fetch", "fetch_each", "write_each", "insert_each"):
            # the last two are offered by some
            if hasattr(kind, name):
                patch.setattr(kind, name, held(getattr(kind, name)))
        yield gate


async def rename(database: Database, key: int, **values: Any) -> None:
    async with AsyncSession(database) as other:
        writer = await other.get_one(Writer, key)
        for name, value in values.items():
            setattr(writer, name, value)


def reads(sql: str) -> bool:
    return sql.startswith("SELECT")


async def test_of_two_reads_the_one_that_was_sent_later_counts(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        async with held_back(database, reads) as gate:
            early = asyncio.create_task(session.query(Writer).filter(Writer.id == key).all())
            await gate.reached.wait()
            # the early one has its row and waits; the late one overtakes it
            await rename(database, key, name="Eve", age=3)
            assert await session.query(Writer).all() == [ada]
            assert (ada.name, ada.age) == ("Eve", 3)
            gate.opened.set()
            assert await early == [ada]
        assert (ada.name, ada.age) == ("Eve", 3)


async def test_an_object_that_an_early_read_would_have_made_shows_the_later_row(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        async with held_back(database, reads) as gate:
            early = asyncio.create_task(session.query(Writer).all())
            await gate.reached.wait()
            await rename(database, key, name="Eve")
            late = await session.get_one(Writer, key)
            gate.opened.set()
            assert await early == [late]
        assert late.name == "Eve"


async def test_a_part_of_a_row_fills_what_is_missing_and_mixes_nothing(database: Database) -> None:
    key = await make_writer(database, age=1)
    async with AsyncSession(database) as session:
        (ada,) = await session.query(Writer).only(Writer.name)
        await rename(database, key, name="Eve", age=2)
        # a column that was missing is filled; the one it has stays, of the row as it was read
        await session.query(Writer).only(Writer.age)
        assert (ada.name, ada.age) == ("Ada", 2)
        await session.query(Writer)
        assert (ada.name, ada.age) == ("Eve", 2)
        await rename(database, key, name="Bob", age=3)
        await session.query(Writer).only(Writer.name)
        # all of its columns or none
        assert (ada.name, ada.age) == ("Eve", 2)


async def test_a_changed_object_keeps_what_it_has_and_gets_what_it_lacks(database: Database) -> None:
    key = await make_writer(database, age=1, email="a@x")
    async with AsyncSession(database) as session:
        (ada,) = await session.query(Writer).only(Writer.name)
        ada.name = "mine"
        await rename(database, key, name="theirs", age=2)
        await session.state().fetch(session.query(Writer)._spec, autoflush=False)
        assert (ada.name, ada.age, ada.email) == ("mine", 2, "a@x")
        assert session.changes(ada)["name"].old == "Ada"


async def test_a_row_read_before_a_refresh_does_not_undo_it(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        async with held_back(database, reads) as gate:
            early = asyncio.create_task(session.query(Writer).all())
            await gate.reached.wait()
            await rename(database, key, name="Eve")
            # what was put back is no change that would be lost
            ada.name, ada.age = "Bob", 3
            ada.name, ada.age = "Ada", 0
            await session.refresh(ada)
            gate.opened.set()
            await early
        assert ada.name == "Eve"
        assert not session.dirty


async def test_refresh_and_locks_always_apply_and_refuse_changed_objects(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        await rename(database, key, name="Eve")
        await session.refresh(ada)
        assert ada.name == "Eve"
        ada.age = 1
        with pytest.raises(StaleObjectError, match="unsaved changes to age"):
            await session.refresh(ada)
        with pytest.raises(StaleObjectError, match="unsaved changes to age"):
            await session.get(Writer, key, for_update=True)
        assert (ada.name, ada.age) == ("Eve", 1)
        await session.rollback()
        assert (await session.get_one(Writer, key, for_update=True)).name == "Eve"


# ---- accept


def writes(sql: str) -> bool:
    return sql.startswith(("UPDATE", "INSERT"))


async def test_a_column_written_while_its_flush_runs_stays_changed_against_what_was_written(
    database: Database,
) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.title, story.views = "first", 1
        async with held_back(database, writes) as gate:
            flushing = asyncio.create_task(session.flush())
            await gate.reached.wait()
            story.title, story.editor = "second", Writer(name="Bob")
            gate.opened.set()
            await flushing
        assert story.version == 2
        assert (session.changes(story)["title"].old, story.title, story.views) == ("first", "second", 1)
        assert "views" not in session.changes(story)
        async with AsyncSession(database) as other:
            # nothing is committed yet
            assert (await other.get_one(Story, key)).title == "Notes"
        await session.commit()
        assert story.version == 3
    async with AsyncSession(database) as session:
        (story,) = await session.query(Story).select_related(Story.editor)
        assert story.editor is not None
        assert (story.title, story.views, story.editor.name) == ("second", 1, "Bob")


async def test_a_column_that_is_put_back_while_its_flush_runs_is_written_again(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        ada.name = "Eve"
        async with held_back(database, writes) as gate:
            flushing = asyncio.create_task(session.flush())
            await gate.reached.wait()
            ada.name = "Ada"
            gate.opened.set()
            await flushing
        assert session.changes(ada)["name"].old == "Eve"
    async with AsyncSession(database) as session:
        assert (await session.get_one(Writer, key)).name == "Ada"


async def test_a_document_that_changes_inside_while_it_is_inserted(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = Memo(body={"a": 1})
        session.add(memo)
        async with held_back(database, writes) as gate:
            flushing = asyncio.create_task(session.flush())
            await gate.reached.wait()
            memo.body["a"] = 2
            gate.opened.set()
            await flushing
        assert session.changes(memo)["body"].old == {"a": 1}
    async with AsyncSession(database) as session:
        assert (await session.query(Memo).one()).body == {"a": 2}


# ---- updates by query


async def test_an_update_by_query_counts_the_version_and_loaded_objects_follow(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        await session.query(Story).update(Story.views.set(5))
        assert (story.views, story.version) == (5, 2)
        story.title = "mine"
        await session.flush()
        assert story.version == 3
        async with AsyncSession(database) as other:
            theirs = await other.get_one(Story, key)
        await session.commit()
    async with AsyncSession(database) as session:
        with pytest.raises(StaleObjectError, match="version 1"):
            await session.merge(theirs)
