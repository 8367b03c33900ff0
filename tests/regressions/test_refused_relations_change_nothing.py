"""Assigning the other side of a one-to-one relation was refused, and the new object was in the session all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, One, WrongType, foreign_key, generated, reverse


class Plan(Model, app="refused_relations"):
    id: Mapped[int] = generated(primary_key=True)
    sheet: One[Sheet | None] = reverse("plan")


class Sheet(Model, app="refused_relations"):
    id: Mapped[int] = generated(primary_key=True)
    plan: One[Plan] = foreign_key(unique=True)


@pytest.fixture
async def session(database_dsn: str) -> AsyncIterator[AsyncSession]:
    """A session on a database with a plan and its sheet."""
    async with Database(database_dsn) as database:
        await database.create_all(Plan, Sheet)
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
