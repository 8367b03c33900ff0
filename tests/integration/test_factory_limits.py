"""Factories know the limits that validation knows, from wherever they come, and all of them together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Annotated, Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, ModelError, field, generated, types, unique
from cormorant.models.validation import problems_of

pytest.importorskip("polyfactory", reason="polyfactory is not installed; pip install 'cormorant[test]'")

from annotated_types import Ge, Gt, Interval, Len, Lt, MinLen, MultipleOf, Predicate
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, StringConstraints

from cormorant.testing.factories import ModelFactory
from cormorant.testing.limits import Limits
from cormorant.testing.values import Maker

_LAST = date(2020, 12, 31)
_NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)


class Texts(Model, app="limits"):
    id: Mapped[int] = generated(primary_key=True)
    both: Mapped[str] = field(min_length=3, max_length=8)
    exact: Mapped[str] = field(min_length=5, max_length=5)
    long: Mapped[str] = field(min_length=60)
    pydantics: Mapped[Annotated[str, Field(min_length=2, max_length=3)]]
    mixed: Mapped[Annotated[str, MinLen(2), Field(max_length=9)]] = field(max_length=5, min_length=4)
    typed: Mapped[Annotated[str, MinLen(6)]] = field(type=types.Text(7))
    pattern: Mapped[Annotated[str, Field(pattern="^[a-z]+$")]] = field(min_length=15, max_length=20)
    open_pattern: Mapped[str] = field(pattern="^[a-z]{2}-", min_length=12, max_length=12)
    patterns: Mapped[Annotated[str, StringConstraints(pattern="[0-9]$", min_length=2)]] = field(pattern="^[a-f][0-9]*$")
    predicate: Mapped[Annotated[str, Predicate(str.isupper), Len(1, 4)]]
    items: Mapped[Annotated[list[Annotated[int, Field(ge=3, le=4)]], Field(min_length=2, max_length=3)]]


class Numbers(Model, app="limits"):
    id: Mapped[int] = generated(primary_key=True)
    pydantics: Mapped[Annotated[int, Field(ge=5, le=6)]]
    annotated: Mapped[Annotated[int, Ge(5), Field(le=6)]]
    beside: Mapped[Annotated[int, Ge(5)]] = field(le=6)
    interval: Mapped[Annotated[int, Interval(gt=-3, lt=3), MultipleOf(2)]] = field(multiple_of=3)
    small: Mapped[int] = field(size="small", ge=32_760)
    big: Mapped[int] = field(size="big", gt=1 << 40)
    below: Mapped[int] = field(lt=-1000)
    factor: Mapped[int] = field(multiple_of=7, ge=10, le=20)
    real: Mapped[float] = field(gt=0, lt=1e-9)
    real_factor: Mapped[Annotated[float, MultipleOf(0.5)]] = field(ge=100, le=101)
    price: Mapped[Decimal] = field(precision=4, decimal_places=2)
    whole: Mapped[Decimal] = field(precision=2, gt=97)
    step: Mapped[Annotated[Decimal, MultipleOf(Decimal("0.25")), Field(lt=Decimal(1))]] = field(gt=0)
    digits: Mapped[Annotated[Decimal, Field(max_digits=3, decimal_places=1)]]
    tight: Mapped[Annotated[Decimal, Gt(Decimal("0.0001")), Lt(Decimal("0.0002"))]]


class Moments(Model, app="limits"):
    id: Mapped[int] = generated(primary_key=True)
    day: Mapped[date] = field(gt=_LAST - timedelta(2), lt=_LAST)
    annotated: Mapped[Annotated[date, Field(ge=_LAST)]] = field(le=_LAST)
    moment: Mapped[datetime] = field(ge=_NOON, lt=_NOON + timedelta(seconds=1))
    later: Mapped[Annotated[datetime, Field(gt=_NOON)]]
    hour: Mapped[time] = field(ge=time(23, 59), le=time(23, 59, 30))
    length: Mapped[timedelta] = field(gt=timedelta(0), le=timedelta(microseconds=2))
    perhaps: Mapped[Annotated[date, Ge(_LAST)] | None]


class Uniques(Model, app="limits"):
    code: Mapped[str] = field(max_length=20, primary_key=True)
    short: Mapped[str] = field(max_length=2, unique=True)
    pattern: Mapped[str] = field(pattern="^[a-z]*$", max_length=20, unique=True)
    number: Mapped[int] = field(unique=True)
    few: Mapped[int] = field(unique=True, ge=1, le=100)
    declared: Mapped[int] = field(ge=1, le=120)

    @classmethod
    def __table_args__(cls) -> Any:
        yield unique(cls.declared)


MODELS: list[type[Model]] = [Texts, Numbers, Moments, Uniques]


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as made:
        await made.drop_all(*MODELS)
        await made.create_all(*MODELS)
        yield made
        await made.drop_all(*MODELS)


@pytest.mark.parametrize("model", MODELS)
async def test_all_objects_are_saved(database: Database, model: type[Model]) -> None:
    factory = ModelFactory.create_factory(model)
    async with AsyncSession(database) as session:
        await factory.create_batch_async(100)
        assert await session.query(model).count() == 100


@pytest.mark.parametrize("model", MODELS)
def test_no_value_is_refused(model: type[Model]) -> None:
    info = model.__info__
    factory = ModelFactory.create_factory(model)
    for built in [*factory.batch(150), *factory.coverage()]:
        values = {column.attribute: getattr(built, column.attribute) for column in info.columns if column.spec.required}
        assert list(problems_of(info, values)) == []


def test_values_go_to_the_ends_of_their_limits() -> None:
    built = ModelFactory.create_factory(Numbers).batch(200)
    assert {each.beside for each in built} == {5, 6}
    assert {each.interval for each in built} == {0}
    assert {len(each.both) for each in ModelFactory.create_factory(Texts).batch(200)} == {3, 4, 5, 6, 7, 8}


def test_a_seed_gives_the_same_values_again() -> None:
    class Factory(ModelFactory[Uniques]): ...

    Factory.seed_random(1)
    first = [each.few for each in Factory.batch(20)]
    Factory.seed_random(1)
    assert [each.few for each in Factory.batch(20)] == first


def test_values_that_are_used_up_are_given_again() -> None:
    class Pair(Model, app="limits"):
        id: Mapped[int] = generated(primary_key=True)
        flag: Mapped[int] = field(unique=True, ge=0, le=1)

    assert {each.flag for each in ModelFactory.create_factory(Pair).batch(10)} == {0, 1}


def test_limits_without_room_are_named() -> None:
    class Narrow(Model, app="limits"):
        id: Mapped[int] = generated(primary_key=True)
        code: Mapped[str] = field(pattern="^a$", min_length=2)
        size: Mapped[int] = field(ge=2, lt=2)

    narrow = ModelFactory.create_factory(Narrow)
    with pytest.raises(ModelError, match=r"Narrow\.code has limits that no random value was found for"):
        narrow.build()
    with pytest.raises(ModelError, match=r"Narrow\.size has limits that no random value was found for"):
        narrow.build(code="aa")


@given(st.integers(-20, 20), st.integers(0, 15), st.integers(1, 9), st.booleans(), st.booleans(), st.randoms())
def test_a_number_is_found_where_there_is_one(
    low: int, width: int, factor: int, strict_low: bool, strict_high: bool, random: Random
) -> None:
    high = low + width
    fitting = [n for n in range(low + strict_low, high + 1 - strict_high) if n % factor == 0]
    limits = Limits(((low, strict_low),), ((high, strict_high),), (Fraction(factor),), (), 0, None, None, ())
    for python in (int, float, Decimal):
        made = Maker(python, types.Integer(), limits, unique=False).make(random, 0)
        assert made in fitting if fitting else made is None
