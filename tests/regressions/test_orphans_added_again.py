"""An orphan that was added again, by its user or by a hook that keeps what is deleted, was deleted all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Literal

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    ValidationError,
    field,
    foreign_key,
    generated,
    hooks,
    reverse,
    utcnow,
)
from tests.support import kept_tables


class Kept(Model, abstract=True, app="kept"):
    """As docs/hooks.md has it."""

    deleted_at: Mapped[datetime | None] = field(default=None)

    def before_delete(self) -> None:
        AsyncSession.current().add(self)
        self.deleted_at = utcnow()


class Folder(Model, app="kept"):
    id: Mapped[int] = generated(primary_key=True)
    sheets: Many[Sheet] = reverse("folder", orphan_removal=True)
    cover: One[Cover | None] = reverse("folder", orphan_removal=True)
    pages: Many[Page] = reverse("folder", orphan_removal=True)
    slips: Many[Slip] = reverse("folder", orphan_removal=True)


class Sheet(Kept, app="kept"):
    id: Mapped[int] = generated(primary_key=True)
    folder: One[Folder] = foreign_key(on_delete="cascade")


class Slip(Kept, app="kept"):
    id: Mapped[int] = generated(primary_key=True)
    folder: One[Folder | None] = foreign_key(default=None, on_delete="set_null")


class Cover(Model, app="kept"):
    id: Mapped[int] = generated(primary_key=True)
    folder: One[Folder] = foreign_key(unique=True, on_delete="cascade")


class Page(Model, app="kept"):
    id: Mapped[int] = generated(primary_key=True)
    folder: One[Folder | None] = foreign_key(default=None, on_delete="set_null")


MODELS: list[type[Model]] = [Folder, Sheet, Slip, Cover, Page]


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with one folder that has one of each."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        async with AsyncSession(database) as session:
            folder = Folder()
            session.add(folder, Sheet(folder=folder), Slip(folder=folder), Cover(folder=folder), Page(folder=folder))
        yield database


async def loaded(session: AsyncSession) -> Folder:
    (folder,) = (
        await session.query(Folder)
        .select_related(Folder.cover)
        .prefetch_related(Folder.sheets, Folder.pages, Folder.slips)
    )
    return folder


@pytest.mark.parametrize("how", ["remove", "clear", "set"])
async def test_a_hook_keeps_what_was_taken_out(database: Database, how: Literal["remove", "clear", "set"]) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        (sheet,), (slip,) = folder.sheets, folder.slips
        if how == "remove":
            folder.sheets.remove(sheet)
            folder.slips.remove(slip)
        elif how == "clear":
            folder.sheets.clear()
            folder.slips.clear()
        else:
            folder.sheets.set([])
            folder.slips.set([])
        await session.commit()
        assert sheet in session.identity_map
        assert slip in session.identity_map
        # where the key cannot be NULL, the row keeps it; what was taken out is shown no more
        assert (sheet.folder, slip.folder) == (folder, None)
        assert (list(folder.sheets), list(folder.slips)) == ([], [])
        assert not session.dirty
        assert not session.deleted
    async with AsyncSession(database) as session:
        (sheet,), (slip,) = await session.query(Sheet), await session.query(Slip)
        assert sheet.deleted_at is not None
        assert slip.deleted_at is not None
        assert (sheet.folder_id, slip.folder_id) == (folder.id, None)


async def test_a_hook_keeps_what_goes_with_its_owner(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        (slip,) = folder.slips
        session.delete(folder)
        await session.commit()
        assert slip.deleted_at is not None
        assert slip.folder is None
    async with AsyncSession(database) as session:
        assert [found.folder_id for found in await session.query(Slip)] == [None]


async def test_a_hook_that_only_refuses_leaves_the_object_where_it_was(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        cover, (page,) = folder.cover, folder.pages

        @hooks.before_delete(session)
        def refuse(gone: Model) -> None:
            session.add(gone)

        folder.cover = None
        folder.pages.remove(page)
        await session.commit()
        assert folder.cover is cover is not None
        assert cover.folder is folder
        # a column that can be NULL is: only the deletion was refused
        assert page.folder is None
        assert list(folder.pages) == []


async def test_what_is_added_again_stays(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        (sheet,), (page,), cover = folder.sheets, folder.pages, folder.cover
        assert cover is not None
        folder.sheets.remove(sheet)
        folder.pages.remove(page)
        folder.cover = None
        assert {*session.deleted} == {sheet, page, cover}
        session.add(sheet, page, cover)
        assert (list(session.deleted), list(session.dirty)) == ([], [page])
        # what cannot be without an owner has it again
        assert (list(folder.sheets), list(folder.pages), folder.cover) == ([sheet], [], cover)
        assert (sheet.folder, page.folder, cover.folder) == (folder, None, folder)
        await session.commit()
        assert not session.dirty
        assert not session.deleted
        folder.sheets.remove(sheet)
        assert list(session.deleted) == [sheet]
        await session.rollback()
    async with AsyncSession(database) as session:
        assert await session.query(Sheet).scalars(Sheet.folder_id) == [folder.id]  # type: ignore[attr-defined]
        assert [found.folder_id for found in await session.query(Page)] == [None]  # type: ignore[attr-defined]
        assert await session.query(Cover).count() == 1


async def test_what_is_taken_out_once_more_is_deleted(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        (page,) = folder.pages
        folder.pages.remove(page)
        session.add(page)
        folder.pages.add(page)
        assert not session.deleted
        assert not session.dirty
        folder.pages.remove(page)
        assert list(session.deleted) == [page]
        session.add(page)
        page.folder = None
        assert list(session.deleted) == [page]
        session.add(page)
        session.delete(page)
        assert list(session.deleted) == [page]
        await session.commit()
        assert await session.query(Page).count() == 0


async def test_a_rollback_forgets_that_it_was_added_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        (page,) = folder.pages
        folder.pages.remove(page)
        with pytest.raises(KeyError):
            await rolled_back(session, lambda: session.add(page))
        assert list(session.deleted) == [page]
        session.add(page)
        with pytest.raises(KeyError):
            await rolled_back(session, lambda: folder.pages.add(page))
        assert not session.deleted
        await session.commit()
        assert await session.query(Page).count() == 1


async def rolled_back(session: AsyncSession, work: Callable[[], None]) -> None:
    async with session.transaction():
        work()
        assert not session.deleted
        raise KeyError


async def test_the_owner_may_be_kept_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        (page,), (sheet,) = folder.pages, folder.sheets
        session.delete(folder)
        assert {*session.deleted} >= {folder, page, sheet}
        session.add(page)
        assert page not in session.deleted
        assert sheet in session.deleted
        session.add(folder)
        assert not session.deleted
        session.delete(folder)
        await session.flush()
        assert await session.query(Page).count() == 1
        assert page.folder is None
        await session.rollback()
        assert list(folder.pages) == [page]
        assert page.folder is folder


async def test_a_new_one_that_was_taken_out_is_saved_once_it_is_added_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await loaded(session)
        page, sheet = Page(), Sheet(folder=folder)
        folder.pages.add(page)
        session.add(page)
        folder.pages.remove(page)
        session.add(page)
        await session.flush()
        assert page.folder is None
        assert page in session.identity_map
        session.add(sheet)
        folder.sheets.remove(sheet)
        session.add(sheet)
        with pytest.raises(ValidationError, match="set folder"):
            await session.flush()
        sheet.folder = folder
        await session.flush()
        assert sheet in folder.sheets
