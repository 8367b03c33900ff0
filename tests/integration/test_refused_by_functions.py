"""What a database refuses to compute, or to keep, is refused on both with the reason, and nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DataError,
    Mapped,
    Model,
    ValueOutOfRange,
    case,
    excluded,
    field,
    func,
    generated,
)
from tests.support import kept_tables
from tests.support.sql import last_sql, query


class Held(Model, app="refused"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int] = field(default=1)
    small: Mapped[int] = field(default=1, size="small")
    big: Mapped[int] = field(default=1, size="big")
    code: Mapped[str] = field(default="abc", max_length=4)
    price: Mapped[Decimal] = field(default=Decimal("9.99"), precision=4, decimal_places=2)
    free: Mapped[str] = field(default="12345")
    ratio: Mapped[float] = field(default=2.5)
    exact: Mapped[Decimal] = field(default=Decimal("2.5"))
    day: Mapped[date] = field(default=date(2020, 1, 31))
    stars: Mapped[int] = field(default=1, ge=0)
    mood: Mapped[str] = field(default="good", choices=["good", "bad"], sensitive=True)


class Numbered(Model, app="refused"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int] = field(default=1)
    version: Mapped[int] = generated(version=True)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Held, Numbered)
        async with AsyncSession(database) as session:
            session.add(Held())
        yield database


TOO_LARGE: list[tuple[Any, str]] = [
    (lambda: Held.number.set(Held.number * 10**11), "integer out of range"),
    (lambda: Held.small.set(Held.small + 40_000), "smallint out of range"),
    (lambda: Held.small.set(Held.number), None),
    (lambda: Held.big.set(Held.big * (2**62) * 4), "bigint out of range"),
    (lambda: Held.code.set(Held.code + "de"), "value too long for type character varying(4)"),
    (lambda: Held.code.set(func.coalesce(Held.free, "")), "value too long for type character varying(4)"),
    (lambda: Held.price.set(Held.price * 100), "numeric field overflow"),
    (lambda: Held.price.set(Held.price + Decimal("90.005")), "numeric field overflow"),
]


@pytest.mark.parametrize("case", TOO_LARGE)
async def test_a_computed_value_that_no_column_holds_is_refused(database: Database, case: Any) -> None:
    build, reason = case
    async with AsyncSession(database) as session:
        query = session.query(Held)
        if reason is None:
            await query.update(build())
            return
        with pytest.raises(DataError) as refused:
            async with session.transaction():
                await query.update(build())
    assert refused.value.message.startswith(reason) or "out of range" in refused.value.message
    async with AsyncSession(database) as session:
        assert await session.query(Held).values(Held.number, Held.code, Held.price) == [(1, "abc", Decimal("9.99"))]


async def test_computed_values_that_fit_are_kept(database: Database) -> None:
    async with AsyncSession(database) as session:
        held = session.query(Held)
        await held.update(
            Held.number.set(Held.number + 2**31 - 2),
            Held.small.set(Held.small - 32_769),
            Held.code.set(func.left(Held.free, 4)),
            Held.price.set(Held.price + Decimal("90.004")),
        )
        found = await held.values(Held.number, Held.small, Held.code, Held.price)
        assert found == [(2**31 - 1, -32_768, "1234", Decimal("99.99"))]
        # spaces that are too many are cut off, and fractions rounded
        await held.update(Held.code.set(func.left(Held.free, 2) + "    "), Held.number.set(Held.number))
        assert await held.scalars(Held.code) == ["12  "]


async def test_rows_of_queries_and_upserts_are_held_to_it_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        held = session.query(Held)
        wide = held.values(Held.big * 10**12, Held.code)
        with pytest.raises(DataError):
            async with session.transaction():
                await held.insert_from([Held.number, Held.code], wide)
        with pytest.raises(DataError):
            async with session.transaction():
                await held.insert_from([Held.code], held.values(Held.free))
        key = await held.scalars(Held.id).first()
        longer = Held.code.set(excluded(Held.code) + Held.code)
        with pytest.raises(DataError):
            async with session.transaction():
                await held.upsert([{"id": key, "code": "xyz"}], on=[Held.id], set=[longer])
        assert await held.scalars(Held.code) == ["abc"]


async def test_what_cannot_be_too_large_keeps_its_sql() -> None:
    for assignment in (
        Held.number.set(5),
        Held.number.set(Held.small),
        Held.big.set(case((Held.small > 1, Held.small), default=Held.number)),
        Held.number.set(func.coalesce(Held.number, Held.small)),
        Held.free.set(Held.free + "x"),
        Held.ratio.set(Held.ratio * 2),
        Held.exact.set(Held.exact * 2),
        Held.day.set(Held.day + timedelta(days=1)),
    ):
        built = query(Held)
        await built.update(assignment)
        assert "fit_" not in last_sql(built, "sqlite")[0]
    built = query(Numbered)
    await built.update(Numbered.number.set(3))
    assert '"version" = "refused_numbered"."version" + 1' in last_sql(built, "sqlite")[0]


REASONS: list[tuple[Any, str]] = [
    (lambda: Held.number / (Held.number - 1), "division by zero"),
    (lambda: Held.number // (Held.number - 1), "division by zero"),
    (lambda: Held.number % (Held.number - 1), "division by zero"),
    (lambda: Held.exact / (Held.exact - Held.exact), "division by zero"),
    (lambda: Held.exact % (Held.exact - Held.exact), "division by zero"),
    (lambda: func.sqrt(Held.ratio - 9), "cannot take square root of a negative number"),
    (lambda: Held.code.cast(int), "invalid input syntax for type"),
    (lambda: Held.code.cast(float), "invalid input syntax for type"),
    (lambda: Held.code.cast(Decimal), "invalid input syntax for type"),
    (lambda: Held.code.cast(bool), "invalid input syntax for type"),
    (lambda: Held.code.cast(date), "invalid input syntax for type"),
    (lambda: Held.code.cast(datetime), "invalid input syntax for type"),
    (lambda: (Held.free + "0123456789" * 4).cast(int), "out of range"),
    (lambda: Held.code.matches("(secret"), "invalid regular expression"),
]


@pytest.mark.parametrize("case", REASONS)
async def test_the_reason_is_told_without_the_value(database: Database, case: Any) -> None:
    build, reason = case
    async with AsyncSession(database) as session:
        with pytest.raises(DataError) as refused:
            await session.query(Held).scalars(build())
    assert reason in refused.value.message
    assert "abc" not in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_an_aggregate_tells_its_reason(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Held(ratio=-1e308), Held(ratio=1e308))
        await session.flush()
        with pytest.raises(DataError, match="out of range"):
            async with session.transaction():
                await session.query(Held).aggregate(func.variance(Held.ratio))


async def test_a_reason_is_that_of_its_own_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(DataError, match="division by zero"):
            async with session.transaction():
                await session.query(Held).scalars(Held.number / (Held.number - 1))
        with pytest.raises(DataError, match="invalid input syntax"):
            async with session.transaction():
                await session.query(Held).scalars(Held.code.cast(int))
        async for row in session.query(Held).scalars(Held.number).stream(chunk=1):
            assert row == 1


async def test_plain_values_of_updates_are_checked_by_the_constraints_of_their_field(database: Database) -> None:
    async with AsyncSession(database) as session:
        held = session.query(Held)
        with pytest.raises(ValueOutOfRange, match=r"Held\.stars: -5 must be at least 0"):
            await held.update(Held.stars.set(-5))
        with pytest.raises(ValueOutOfRange) as refused:
            await held.update(Held.mood.set("odd"))
        assert "odd" not in str(refused.value)
        with pytest.raises(ValueOutOfRange, match="must be at least 0"):
            await held.upsert([{"id": 1}], on=[Held.id], set=[Held.stars.set(-1)])
        assert await held.update(Held.stars.set(3), Held.mood.set("bad"), returning=Held.stars) == [3]
