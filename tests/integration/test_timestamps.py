"""Columns that get a new value with every change of their row: `field(on_update=...)`."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from itertools import count

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    ValidationError,
    WrongType,
    excluded,
    field,
    generated,
    many_to_many,
    utcnow,
)
from tests.support import kept_tables
from tests.support.newsroom import rolled_back, sql_of

CHANGES = count(1)


class Stamped(Model, abstract=True):
    created: Mapped[dt.datetime] = field(default_factory=utcnow)
    updated: Mapped[dt.datetime] = field(default_factory=utcnow, on_update=utcnow)


class Label(Model, app="stamps"):
    id: Mapped[int] = generated(primary_key=True)


class Page(Stamped, app="stamps"):
    id: Mapped[int] = generated(primary_key=True)
    slug: Mapped[str] = field(unique=True)
    title: Mapped[str] = field(default="")
    changes: Mapped[int] = field(default=0, on_update=lambda: next(CHANGES))
    version: Mapped[int] = generated(version=True)
    labels: Many[Label] = many_to_many()


class Wrong(Model, app="stamps"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    updated: Mapped[dt.datetime | None] = field(default=None, on_update=dt.datetime.now)


LONG_AGO = dt.datetime(2001, 2, 3, tzinfo=dt.UTC)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Page, Label, Wrong)
        yield database


async def make(database: Database, slug: str = "one") -> int:
    async with AsyncSession(database) as session:
        page = await session.create(Page, slug=slug, updated=LONG_AGO, created=LONG_AGO)
        return page.id


async def test_a_change_of_the_row_sets_it_in_the_same_statement(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        page = await session.get_one(Page, key)
        page.title = "changed"
        await session.commit()
        assert page.updated > LONG_AGO
        assert page.created == LONG_AGO
        assert page.changes > 0
        assert not session.dirty
        shown = page.updated, page.changes
        await session.refresh(page)
        assert (page.updated, page.changes) == shown
        (update,) = sql_of(session, "UPDATE")
        assert update.count('"updated"') == 1
        assert '"created"' not in update


async def test_what_the_user_sets_stays(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        page = await session.get_one(Page, key)
        page.title, page.updated = "changed", LONG_AGO + dt.timedelta(1)
        await session.flush()
        page.title, page.updated = "changed again", page.updated
        await session.flush()
        await session.refresh(page)
        assert page.updated == LONG_AGO + dt.timedelta(1)


async def test_nothing_is_set_where_nothing_changes(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        page = await session.get_one(Page, key)
        page.title = "changed"
        page.title = ""
        await session.flush()
        page.labels.add(Label())
        await session.flush()
        await session.refresh(page)
        assert page.updated == LONG_AGO


async def test_a_rollback_puts_it_back(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        page = await session.get_one(Page, key)
        async with rolled_back(session.transaction()):
            page.title = "changed"
            await session.flush()
            assert page.updated > LONG_AGO
        assert (page.title, page.updated) == ("", LONG_AGO)
        page.title = "again"
        await session.rollback()
        assert page.updated == LONG_AGO
        assert not session.dirty


async def test_objects_that_are_only_references_or_loaded_in_part(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        (page,) = await session.query(Page).only(Page.slug)
        page.title = "changed"
        await session.flush()
        assert page.updated > LONG_AGO
    async with AsyncSession(database) as session:
        page = await session.get_one(Page, key)
        assert page.title == "changed"
        assert page.updated > LONG_AGO


async def test_several_rows_are_one_statement(database: Database) -> None:
    keys = [await make(database, f"page {n}") for n in range(5)]
    async with AsyncSession(database) as session:
        for place, page in enumerate(await session.get_many(Page, keys)):
            page.title = "changed"
            if place == 3:
                page.updated = LONG_AGO
        await session.commit()
        session.clear()
        pages = await session.query(Page).order_by(Page.id)
        assert [page.updated > LONG_AGO for page in pages] == [True, True, True, False, True]
        assert len({page.changes for page in pages}) == 5


async def test_an_update_by_query_sets_it(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        page = await session.get_one(Page, key)
        await session.query(Page).update(Page.title.set("changed"))
        assert page.updated > LONG_AGO
        assert page.created == LONG_AGO
        await session.query(Page).update(Page.updated.set(LONG_AGO), Page.title.set("again"))
        await session.refresh(page)
        assert page.updated == LONG_AGO
        first = page.changes
        await session.query(Page).update(Page.title.set("and again"))
        assert page.changes > first


@pytest.mark.parametrize("objects", [False, True])
async def test_an_upsert_sets_it_where_the_row_was_there(database: Database, objects: bool) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        values = [{"slug": "one", "title": "upserted"}, {"slug": "two", "title": "new"}]
        rows = [Page(**each) for each in values] if objects else values
        await session.query(Page).upsert(rows, on=[Page.slug])  # type: ignore[type-var, arg-type, call-overload, unused-ignore]
        session.clear()
        page = await session.get_one(Page, key)
        assert (page.title, page.version) == ("upserted", 2)
        assert page.updated > LONG_AGO
        assert page.changes > 0
        new = await session.query(Page).filter(Page.slug == "two").one()
        assert new.changes == 0


async def test_an_upsert_that_says_itself_what_it_sets(database: Database) -> None:
    key = await make(database)
    async with AsyncSession(database) as session:
        query = session.query(Page)
        await query.upsert([{"slug": "one", "title": "x"}], on=[Page.slug], set=[Page.title])
        page = await session.get_one(Page, key)
        assert page.updated > LONG_AGO
        row = {"slug": "one", "title": "y", "updated": LONG_AGO}
        await query.upsert([row], on=[Page.slug], set=[Page.title, Page.updated.set(excluded(Page.updated))])
        await session.refresh(page)
        assert (page.title, page.updated) == ("y", LONG_AGO)
        await query.upsert([row | {"title": "z"}], on=[Page.slug])
        await session.refresh(page)
        assert (page.title, page.updated) == ("z", LONG_AGO)
        await query.upsert([{"slug": "one"}], on=[Page.slug])
        await session.refresh(page)
        assert (page.title, page.updated) == ("z", LONG_AGO)


async def test_what_it_makes_is_checked(database: Database) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        wrong = await session.create(Wrong, name="one")
        wrong.name = "two"
        with pytest.raises(ValidationError, match=r"Wrong\.updated: .* has no time zone"):
            await session.flush()
        wrong.name = "one"
        with pytest.raises(WrongType, match="has no time zone"):
            await session.query(Wrong).update(Wrong.name.set("two"))
