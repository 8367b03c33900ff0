"""Whole documents and lists of floats are compared by content on both databases, whatever text SQLite keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, alias, field, func, generated, tuple_
from tests.support import kept_tables
from tests.support.sql import sql


@dataclass
class Place:
    x: float = 0.0


class Sheet(Model, app="by_content"):
    id: Mapped[int] = generated(primary_key=True)
    body: Mapped[dict[str, Any]]
    maybe: Mapped[dict[str, Any] | None] = field(default=None)
    floats: Mapped[list[float]] = field(default_factory=list)
    place: Mapped[Place] = field(default_factory=Place)


@pytest.fixture
async def session(database_dsn: str, keeps_tables: None) -> AsyncIterator[AsyncSession]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Sheet)
        async with AsyncSession(database) as session:
            session.add(
                Sheet(body={"a": 1, "b": [True]}, maybe={"n": 1}, floats=[0.0], place=Place(-0.0)),
                Sheet(body={"b": [True], "a": 1.0}, maybe={"n": 1.0}, floats=[-0.0]),
                Sheet(body={"a": 100, "b": "é"}, floats=[1, 2.5]),
                Sheet(body={"b": "é", "a": 1e2}, floats=[1.0, 2.5]),
                Sheet(body={"a": True}),
            )
            await session.flush()
            yield session


WANTED: dict[str, Any] = {"b": [True], "a": 1}


async def test_comparisons(session: AsyncSession) -> None:
    rows = session.query(Sheet).order_by(Sheet.id)

    ids = await rows.scalars(Sheet.id)
    first, second, third, fourth, last = ids
    for condition, wanted in (
        (Sheet.body == WANTED, [first, second]),
        (Sheet.body != WANTED, [third, fourth, last]),
        (Sheet.body.in_([WANTED, {"a": 100.0, "b": "é"}]), [first, second, third, fourth]),
        (Sheet.body.not_in([WANTED]), [third, fourth, last]),
        (Sheet.body.in_(session.query(Sheet).filter(Sheet.id == first).scalars(Sheet.body)), [first, second]),
        (Sheet.maybe.is_distinct_from({"n": 1}), [third, fourth, last]),
        (~Sheet.maybe.is_distinct_from({"n": 1}), [first, second]),
        (tuple_(Sheet.body, Sheet.id) == (WANTED, second), [second]),
        (Sheet.body == Sheet.body.path(), ids),
        (func.nullif(Sheet.body, WANTED).is_null(), [first, second]),
        (Sheet.floats == [0.0], [first, second]),
        (Sheet.floats.in_([[-0.0], [1, 2.5]]), [first, second, third, fourth]),
        (Sheet.place == Place(), ids),
        (Sheet.body == {"a": 1}, []),
    ):
        assert await rows.filter(condition).scalars(Sheet.id) == wanted, condition
    assert await rows.filter(body=WANTED).scalars(Sheet.id) == [first, second]


async def test_joins(session: AsyncSession) -> None:
    other = alias(Sheet)
    pairs = session.query(Sheet).join(other, other.body == Sheet.body, other.id > Sheet.id)
    first, second, third, fourth, _ = await session.query(Sheet).order_by(Sheet.id).scalars(Sheet.id)
    assert sorted(await pairs.values(Sheet.id, other.id)) == [(first, second), (third, fourth)]


async def test_rows_that_become_one(session: AsyncSession) -> None:
    rows = session.query(Sheet)
    assert await rows.aggregate(func.count(Sheet.body, distinct=True)) == 3
    assert sorted(await rows.scalars(func.count()).group_by(Sheet.body)) == [1, 2, 2]
    grouped = await rows.values(Sheet.body, func.count()).group_by(Sheet.body)
    assert sorted(count for body, count in grouped if body in (WANTED, {"a": 100, "b": "é"})) == [2, 2]
    assert await rows.scalars(Sheet.body).distinct().count() == 3
    assert await rows.scalars(Sheet.floats).distinct().count() == 3
    bodies = rows.scalars(Sheet.body)
    assert await bodies.union(bodies).count() == 3
    assert await bodies.union(bodies, all=True).count() == 10
    assert await bodies.intersect(rows.filter(Sheet.body == WANTED).scalars(Sheet.body)).count() == 1
    assert await bodies.except_(rows.filter(Sheet.body == WANTED).scalars(Sheet.body)).count() == 2
    number = func.row_number().over(partition_by=[Sheet.body], order_by=[Sheet.id])
    assert sorted(await rows.scalars(number)) == [1, 1, 1, 2, 2]


async def test_sorted_out_documents_are_as_they_were_written(session: AsyncSession) -> None:
    different = session.query(Sheet).values(Sheet.body, Sheet.floats.label("numbers")).distinct().subquery()
    read = (
        await session.query(Sheet).join(different, different[Sheet.body] == Sheet.body).scalars(different[Sheet.body])
    )
    assert len(read) == 5
    kept = await session.query(Sheet).filter(Sheet.floats == [-0.0]).scalars(Sheet.floats).distinct()
    assert kept in ([[0.0]], [[-0.0]])


def test_other_statements_are_as_before() -> None:
    query = AsyncSession().query(Sheet)
    assert "cormorant" not in sql(query.filter(Sheet.id == 1).order_by(Sheet.id), "sqlite")[0]
    filtered, _ = sql(query.filter(Sheet.body == {}), "sqlite")
    assert filtered.endswith('WHERE cormorant_json("by_content_sheet"."body") = cormorant_json(?1)')
