"""Assigning the other side of a one-to-one relation, or adding to a collection, was refused and done by half."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, WrongType, foreign_key, generated, reverse


class Plan(Model, app="refused_relations"):
    id: Mapped[int] = generated(primary_key=True)
    sheet: One[Sheet | None] = reverse("plan")
    notes: Many[Note] = reverse("plan", orphan_removal=True)


class Sheet(Model, app="refused_relations"):
    id: Mapped[int] = generated(primary_key=True)
    plan: One[Plan] = foreign_key(unique=True)


class Note(Model, app="refused_relations"):
    id: Mapped[int] = generated(primary_key=True)
    plan: One[Plan] = foreign_key()


@pytest.fixture
async def session(database_dsn: str) -> AsyncIterator[AsyncSession]:
    """A session on a database with a plan and its sheet."""
    async with Database(database_dsn) as database:
        await database.create_all(Plan, Sheet, Note)
        async with AsyncSession(database) as session:
            session.add(Sheet(plan=Plan()))
        async with AsyncSession(database) as session:
            yield session


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_refused_assignment_adds_nothing(session: AsyncSession, elsewhere: bool) -> None:
    plan = await session.query(Plan).select_related(Plan.sheet).one()
    first = plan.sheet
    second = Sheet(plan=Plan() if elsewhere else plan)
    with pytest.raises(WrongType, match="cannot be taken out"):
        plan.sheet = second
    assert plan.sheet is first
    assert not session.new
    await session.commit()
    assert await session.query(Sheet).count() == await session.query(Plan).count() == 1


@pytest.mark.parametrize("verb", ["set", "add"])
async def test_a_refused_member_changes_nothing(session: AsyncSession, verb: str) -> None:
    plan = await session.query(Plan).one()
    session.add(note := Note(plan=plan))
    await session.commit()
    await plan.notes
    members = cast(Any, [Note(plan=plan), "no note"])
    with pytest.raises(WrongType, match="holds Note objects"):
        plan.notes.set(members) if verb == "set" else plan.notes.add(*members)
    assert list(plan.notes) == [note]
    assert not session.deleted
    assert not session.preview().statements
