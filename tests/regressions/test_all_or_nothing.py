"""What was refused half-way left its first half: objects added, references adopted, rows deleted beneath others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    StaleObjectError,
    field,
    foreign_key,
    generated,
    ref,
    reverse,
)
from cormorant.errors import FlushError, ForeignInstanceError
from tests.support import kept_tables


class Keeper(Model, app="all_or_nothing"):
    id: Mapped[int] = generated(primary_key=True)
    badge: One[Badge | None] = reverse("keeper")
    notes: Many[Note] = reverse("keeper")


class Badge(Model, app="all_or_nothing"):
    id: Mapped[int] = generated(primary_key=True)
    keeper: One[Keeper] = foreign_key(unique=True)


class Label(Model, app="all_or_nothing"):
    id: Mapped[int] = generated(primary_key=True)
    notes: Many[Note] = reverse("label")


class Note(Model, app="all_or_nothing"):
    id: Mapped[int] = generated(primary_key=True)
    keeper: One[Keeper] = foreign_key()
    label: One[Label | None] = foreign_key(default=None)


class Branch(Model, app="all_or_nothing"):
    id: Mapped[int] = field(primary_key=True)
    version: Mapped[int] = generated(version=True)
    name: Mapped[str] = field(default="")
    parent: One[Branch | None] = foreign_key(default=None, on_delete="cascade")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Keeper, Badge, Label, Note, Branch)
        yield database


# ---- add


async def test_a_refused_add_takes_in_none_of_its_objects(database: Database) -> None:
    async with AsyncSession(database) as session:
        keeper = Keeper()
        session.add(keeper)
        await session.commit()
        assert list(await keeper.notes) == []
        fine, label = Note(keeper=keeper), Label()
        label.notes.add(fine)
        with pytest.raises(FlushError, match="'bad' is no model instance"):
            session.add(label, cast(Any, "bad"))
        assert not session.new
        assert list(keeper.notes) == []
        await session.flush()
        assert await session.query(Note).count() == 0
        session.add(label)
        await session.flush()
        assert list(keeper.notes) == [fine]


async def test_a_refused_add_takes_nothing_back_but_its_own(database: Database) -> None:
    async with AsyncSession(database) as session:
        gone, fresh, forgotten = Keeper(), Keeper(), Keeper()
        session.add(gone)
        await session.commit()
        session.delete(gone)
        session.add(fresh, forgotten)
        session.delete(forgotten)
        with pytest.raises(FlushError):
            session.add(gone, fresh, forgotten, cast(Any, None))
        assert list(session.deleted) == [gone]
        assert list(session.new) == [fresh]


async def test_a_refused_add_adopts_no_reference(database: Database) -> None:
    async with AsyncSession(database) as other, AsyncSession(database) as session:
        foreign = Label()
        other.add(foreign)
        keeper = ref(Keeper, 7)
        with pytest.raises(ForeignInstanceError):
            session.add(Note(keeper=keeper, label=foreign))
        assert not session.new
        assert keeper not in session.identity_map
        # it is still anybody's
        other.add(Note(keeper=keeper, label=foreign))
        await other.rollback()


# ---- preview


async def test_a_preview_leaves_nothing_in_the_other_sides(database: Database) -> None:
    async with AsyncSession(database) as session:
        keeper, second, label = Keeper(), Keeper(), Label()
        session.add(keeper, second, label)
        await session.commit()
        for side in (keeper.notes, label.notes):
            await side
        await session.load([second], Keeper.badge)
        label.notes.add(Note(keeper=keeper))
        shown = list(label.notes)
        badge = Badge(keeper=second)
        assert str(session.preview()).count("INSERT INTO") == 1
        assert list(keeper.notes) == []
        assert list(label.notes) == shown
        assert second.badge is None
        session.add(badge)
        assert str(session.preview()).count("INSERT INTO") == 2
        assert second.badge is badge
        await session.flush()
        assert list(keeper.notes) == shown
        await session.rollback()


# ---- rollback


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("block", [True, False])
async def test_an_owner_that_is_new_again_shows_no_member_that_went_back(
    database: Database, *, added: bool, block: bool
) -> None:
    async with AsyncSession(database) as session:
        keeper = Keeper()
        badge, note = Badge(keeper=keeper), Note(keeper=keeper)
        session.add(badge, note)
        await session.commit()
        await session.load([keeper], Keeper.badge, Keeper.notes)
        new = Keeper()
        transaction = await session.transaction().__aenter__() if block else None
        if added:
            session.add(new)
        badge.keeper = note.keeper = new
        if added:
            await session.flush()
            assert new.badge is badge
        if transaction is None:
            await session.rollback()
        else:
            await transaction.__aexit__(KeyError, KeyError(), None)
        assert new.badge is None
        assert list(new.notes) == []
        assert keeper.badge is badge
        assert list(keeper.notes) == [note]
        assert not session.new


# ---- deletes that take others along


async def tree(database: Database) -> None:
    for key in (1, 2, 3):
        async with AsyncSession(database) as session:
            session.add(Branch(id=key, parent=ref(Branch, key - 1) if key > 1 else None))


@pytest.mark.parametrize("keys", [(1, 3), (3, 1)])
async def test_an_ancestor_and_a_descendant_with_rows_between_that_nobody_knows(
    database: Database, keys: tuple[int, int]
) -> None:
    await tree(database)
    async with AsyncSession(database) as session:
        session.delete(*[await session.get_one(Branch, key) for key in keys])
        await session.flush()
        assert await session.query(Branch).count() == 0


async def test_one_that_somebody_else_has_changed_is_stale_all_the_same(database: Database) -> None:
    await tree(database)
    async with AsyncSession(database) as session:
        session.add(Branch(id=9))
    async with AsyncSession(database) as session:
        first, apart = await session.get_one(Branch, 1), await session.get_one(Branch, 9)
        async with AsyncSession(database) as other:
            (await other.get_one(Branch, 9)).name = "changed"
        session.delete(first, apart)
        with pytest.raises(StaleObjectError, match="Branch id=9"):
            await session.flush()
        await session.rollback()
        assert await session.query(Branch).count() == 4
