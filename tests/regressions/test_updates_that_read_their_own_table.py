"""SQLite changed row after row, so that a value read from other rows of the table was read from changed ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    alias,
    exists,
    foreign_key,
    func,
    generated,
    reverse,
)
from tests.support import kept_tables


class Step(Model, app="regressions_own"):
    id: Mapped[int] = generated(primary_key=True)
    height: Mapped[int]
    below: One[Step | None] = foreign_key(default=None)
    above: Many[Step] = reverse("below")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Step)
        async with AsyncSession(database) as session:
            first = await session.create(Step, height=1)
            second = await session.create(Step, height=2, below=first)
            await session.create(Step, height=4, below=second)
        yield database


async def test_a_query_of_the_same_table_gives_what_was_there_before(database: Database) -> None:
    other = alias(Step)
    async with AsyncSession(database) as session:
        lower = session.query(other).filter(other.id <= Step.id).scalars(func.sum(other.height)).as_expr()
        changed = await session.query(Step).update(Step.height.set(lower), returning=(Step.id, Step.height))
        assert sorted(changed) == [(1, 1), (2, 3), (3, 7)]


async def test_so_does_a_relation(database: Database) -> None:
    async with AsyncSession(database) as session:
        steps = session.query(Step).filter(Step.below.is_not_null())
        assert await steps.update(Step.height.set(Step.below.height * 10)) == 2
        assert await session.query(Step).order_by(Step.id).scalars(Step.height) == [1, 10, 20]
        await session.query(Step).update(Step.height.set(Step.above.count(Step.height > 15)))
        assert await session.query(Step).order_by(Step.id).scalars(Step.height) == [0, 1, 0]


async def test_conditions_are_of_the_rows_before_too(database: Database) -> None:
    other = alias(Step)
    async with AsyncSession(database) as session:
        higher = exists(session.query(other).filter(other.height > Step.height))
        assert await session.query(Step).filter(higher).update(Step.height.set(100)) == 2
        assert await session.query(Step).order_by(Step.id).scalars(Step.height) == [100, 100, 4]
    async with AsyncSession(database) as session:
        lower = exists(session.query(other).filter(other.height < Step.height))
        assert await session.query(Step).filter(lower, Step.below.is_not_null()).count() == 1
        assert await session.query(Step).filter(exists(session.query(other).filter(other.id > Step.id))).count() == 2
