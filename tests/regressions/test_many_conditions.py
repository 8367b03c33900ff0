"""Many conditions, one joined to another in a loop, met the limits of Python and of SQLite with errors of their own."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator
from functools import reduce

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, One, Q, QueryError, WrongType, field, foreign_key, ref

COUNT = 2000


class Number(Model, app="regressions_many"):
    a: Mapped[int] = field(primary_key=True)
    b: Mapped[int] = field(primary_key=True)
    next_a: Mapped[int | None] = field(default=None)
    next_b: Mapped[int | None] = field(default=None)
    next: One[Number | None] = foreign_key(init=False, columns=("next_a", "next_b"))


@pytest.fixture
async def session(database_dsn: str) -> AsyncIterator[AsyncSession]:
    async with Database(database_dsn) as database:
        await database.create_all(Number)
        async with AsyncSession(database) as session:
            await session.query(Number).bulk_create({"a": n, "b": n, "next_a": 0, "next_b": 0} for n in range(3))
            yield session


async def test_conditions_joined_in_a_loop(session: AsyncSession) -> None:
    numbers = session.query(Number)
    keywords = [Q(a=n) for n in range(1, COUNT)]
    assert await numbers.filter(reduce(lambda one, other: one | other, keywords)).count() == 2
    assert await numbers.filter(reduce(lambda one, other: one & other, [~found for found in keywords])).count() == 1
    comparisons = [Number.a == n for n in range(1, COUNT)]
    assert await numbers.filter(reduce(lambda one, other: one | other, comparisons)).count() == 2
    assert await numbers.filter(*[Number.a != n for n in range(1, COUNT)]).count() == 1
    assert await numbers.filter(*[Number.a != n for n in range(1, COUNT)]).update(Number.b.set(Number.b)) == 1
    assert await numbers.filter(Number.next.in_([ref(Number, (n, n)) for n in range(COUNT)])).count() == 3


async def test_what_is_joined_stays_together(session: AsyncSession) -> None:
    numbers = session.query(Number)
    both = Q(a=1, b=2)
    assert await numbers.filter(both | Q(a=2) | Q(a=0)).count() == 2
    assert await numbers.filter(Q(a=2) | both | Q(a=0)).count() == 2
    assert await numbers.filter((Q(a=1) | Q(a=2)) & Q(b=2)).count() == 1
    assert await numbers.filter(Q(b=2) & (Q(a=1) | Q(a=2))).count() == 1
    assert await numbers.filter(~(Q(a=1) | Q(a=2)) | Q(a=1)).count() == 2
    assert await numbers.filter(Q() | Q(a=1)).count() == 1


async def test_what_is_too_deep_is_said(session: AsyncSession) -> None:
    numbers = session.query(Number)
    total = Number.a + 0
    for _ in range(3000):
        total = total + Number.b
    turns = reduce(lambda found, n: (found & Q(a=n)) | Q(b=n), range(1500), Q(a=1))
    with pytest.raises(QueryError, match="nested too deeply"):
        await numbers.scalars(total).first()
    with pytest.raises(QueryError, match="nested too deeply"):
        await numbers.filter(turns).count()
    assert await numbers.count() == 3


async def test_queries_joined_in_a_loop(session: AsyncSession) -> None:
    numbers = session.query(Number)
    others = [numbers.filter(a=n) for n in range(1, 120)]
    united = reduce(lambda one, other: one.union(other), others, numbers.filter(a=0))
    assert await united.count() == 3
    assert united.compile().sql == numbers.filter(a=0).union(*others).compile().sql
    assert await reduce(lambda one, other: one.except_(other), others, numbers) == await numbers.filter(a=0)
    assert await united.order_by(Number.a.desc()).limit(1).union(numbers.filter(a=0)).count() == 2
    with pytest.raises(QueryError, match="more than 500 queries"):
        numbers.union(*[numbers] * 500)


async def test_queries_put_together_in_turns_are_too_deep(session: AsyncSession) -> None:
    numbers = session.query(Number)
    limit = sys.getrecursionlimit()
    # what is as deep as Python allows takes long to make
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        with pytest.raises(QueryError, match="nested too deeply"):
            reduce(lambda query, n: query.union(numbers.filter(a=n)).intersect(numbers), range(100), numbers)
    finally:
        sys.setrecursionlimit(limit)
    assert await numbers.count() == 3


async def test_numbers_of_rows_that_no_database_counts(session: AsyncSession) -> None:
    numbers = session.query(Number).order_by(Number.a)
    with pytest.raises(WrongType, match="fits 64 bits"):
        numbers.limit(2**63)
    with pytest.raises(WrongType, match="fits 64 bits"):
        numbers.offset(2**70)
    with pytest.raises(WrongType, match="fits 64 bits"):
        await numbers.page(2**63 - 1)
    assert len(await numbers.page(2**63 - 2)) == 3
    assert len(await numbers.limit(2**63 - 2)) == 3
