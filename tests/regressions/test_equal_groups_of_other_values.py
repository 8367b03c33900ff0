"""A query grouped by an expression with a value could not be sent to PostgreSQL, and left its plan to other values."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, QueryError, field, func, generated


class Step(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)
    size: Mapped[int] = field(default=1)


async def test_groups_of_an_expression_with_a_value(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Step)
        async with AsyncSession(database) as session:
            session.add(Step(size=1), Step(size=1), Step(size=2))
            await session.flush()
            for factor in (2, 3):
                rows = session.query(Step).values(Step.size * factor, func.count()).group_by(Step.size * factor)
                assert await rows.order_by(Step.size * factor) == [(factor, 2), (2 * factor, 1)]


async def test_what_a_group_does_not_decide_is_refused_on_both(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Step)
        async with AsyncSession(database) as session:
            rows = session.query(Step).values(Step.id, func.count()).group_by(Step.size)
            # SQLite would give the id of any row
            with pytest.raises(QueryError, match=r"Step\.id is read from groups"):
                await rows
