"""Declarations that no database could keep were found out when tables were made, or filled, or never."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    ModelError,
    SchemaBuilder,
    TableArg,
    check,
    field,
    generated,
    index,
    types,
)
from cormorant.models.registry import registry


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


class Mood(enum.Enum):
    GOOD = "good"


UPPER = types.Custom(str, types.Text(10), str.upper, str.lower)


def test_a_default_is_of_the_type_of_its_column() -> None:
    class Book(Model):
        id: Mapped[int] = generated(primary_key=True)
        stars: Mapped[int] = field(default="zz")  # type: ignore[assignment]

    with pytest.raises(ModelError, match=r"the default of Book\.stars: 'zz' .* is not an int"):
        SchemaBuilder.wanted(Book)


def test_a_default_fits_its_column_and_stays_out_of_messages() -> None:
    class Long(Model):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str] = field(default="too long", max_length=3)

    class Secret(Model):
        id: Mapped[int] = generated(primary_key=True)
        password: Mapped[int] = field(default="hunter2")  # type: ignore[assignment]

    with pytest.raises(ModelError, match=r"the default of Long\.name: has 8 characters, and at most 3 fit"):
        SchemaBuilder.wanted(Long)
    with pytest.raises(ModelError, match=r"the default of Secret\.password") as caught:
        SchemaBuilder.wanted(Secret)
    assert "hunter2" not in str(caught.value)


def test_defaults_that_are_right_or_none_yet() -> None:
    class Right(Model):
        id: Mapped[int] = generated(primary_key=True)
        mood: Mapped[Mood] = field(default=Mood.GOOD)
        price: Mapped[Decimal] = field(default=Decimal("9.90"), precision=4, decimal_places=2)
        whole: Mapped[Decimal] = field(default=Decimal(3))
        ratio: Mapped[float] = field(default=1)
        day: Mapped[date] = field(default=None)  # type: ignore[assignment]
        short: Mapped[str] = field(default="", min_length=1)
        shout: Mapped[str] = field(default="a", type=UPPER)
        data: Mapped[dict[str, int] | None] = field(default=None)

    assert SchemaBuilder.wanted(Right).tables[0].name == "right"


def test_no_key_is_computed() -> None:
    with pytest.raises(ModelError, match="computes a primary key"):
        generated(primary_key=True, computed="a || b")


async def test_a_condition_on_no_value_at_all(database_dsn: str) -> None:
    class Seat(Model):
        id: Mapped[int] = generated(primary_key=True)
        row: Mapped[str]

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield index(cls.row, unique=True, where=cls.row.in_([]))
            yield check(cls.row.not_in([]))

    async with Database(database_dsn) as database:
        await database.create_all(Seat)
        assert await SchemaBuilder(database).difference(Seat) == []
        async with AsyncSession(database) as session:
            session.add(Seat(row="a"), Seat(row="a"))
            await session.commit()
