"""SQLite has kept values as they were when their column became another type, and nobody could read them any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, SchemaBuilder, field, generated
from cormorant.models.registry import registry
from cormorant.schema.diff import diff

CASES: dict[str, tuple[type, type, object, object]] = {
    "a moment to its day": (
        dt.datetime,
        dt.date,
        dt.datetime(2024, 2, 3, 4, 5, tzinfo=dt.UTC),
        dt.date(2024, 2, 3),
    ),
    "a day to a moment": (dt.date, dt.datetime, dt.date(2024, 2, 3), dt.datetime(2024, 2, 3, tzinfo=dt.UTC)),
    "a fraction to a whole number": (float, int, 5.7, 6),
    "a long number stays exact": (Decimal, int, Decimal(2147483647), 2147483647),
    "a word to a truth": (str, bool, " Yes", True),
    "a truth to a word": (bool, str, False, "false"),
    "nothing": (str, bool, None, None),
}

NAMES = {
    dt.datetime: "dt.datetime",
    dt.date: "dt.date",
    float: "float",
    int: "int",
    Decimal: "Decimal",
    bool: "bool",
    str: "str",
}


@pytest.fixture
async def db(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


@pytest.mark.parametrize("name", CASES)
async def test_values_are_those_of_the_new_type(db: Database, name: str) -> None:
    old, new, given, wanted = CASES[name]
    with registry.isolated():
        first = _model(old)
        before = SchemaBuilder.wanted(first)
        await db.create_all(first)
        async with AsyncSession(db) as session:
            session.add(first(value=given))
    with registry.isolated():
        second = _model(new)
        await SchemaBuilder(db).apply(diff(before, SchemaBuilder.wanted(second)))
        async with AsyncSession(db) as session:
            (found,) = await session.query(second)
            assert found.value == wanted
            assert type(found.value) is type(wanted)
            if wanted is not None:
                assert await session.query(second).filter(value=wanted).count() == 1


async def test_what_was_empty_is_filled_beside_a_new_type(db: Database) -> None:
    with registry.isolated():
        first = _model(str)
        before = SchemaBuilder.wanted(first)
        await db.create_all(first)
        async with AsyncSession(db) as session:
            session.add(first(value=None), first(value="yes"))
    with registry.isolated():

        class Changed(Model, table="changed"):
            id: Mapped[int] = generated(primary_key=True)
            value: Mapped[bool] = field(default=False)

        await SchemaBuilder(db).apply(diff(before, SchemaBuilder.wanted(Changed)))
        async with AsyncSession(db) as session:
            assert [each.value for each in await session.query(Changed).order_by(Changed.id)] == [False, True]


def _model(kind: type) -> Any:
    return type(
        "Changed",
        (Model,),
        {
            "__module__": __name__,
            "__annotations__": {"id": "Mapped[int]", "value": f"Mapped[{NAMES[kind]} | None]"},
            "id": generated(primary_key=True),
            "value": field(default=None),
        },
        table="changed",
    )
