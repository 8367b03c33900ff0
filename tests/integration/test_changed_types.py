"""Values of columns that become another type become the same on both databases, or are refused on both."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DatabaseError,
    DataError,
    Mapped,  # noqa: F401 - read from annotations
    Model,
    SchemaBuilder,
    field,
    generated,
)
from cormorant.models.registry import registry
from cormorant.schema.diff import diff

Declared = tuple[str, dict[str, Any]]

INT: Declared = ("int", {})
BIG: Declared = ("int", {"size": "big"})
SMALL: Declared = ("int", {"size": "small"})
FLOAT: Declared = ("float", {})
DECIMAL: Declared = ("Decimal", {})
MONEY: Declared = ("Decimal", {"precision": 8, "decimal_places": 2})
BOOL: Declared = ("bool", {})
STR: Declared = ("str", {})
SHORT: Declared = ("str", {"max_length": 5})
DATE: Declared = ("dt.date", {})
MOMENT: Declared = ("dt.datetime", {})
TIME: Declared = ("dt.time", {})
LENGTH: Declared = ("dt.timedelta", {})
UUID: Declared = ("uuid.UUID", {})
JSON: Declared = ("dict[str, Any]", {})
TEXTS: Declared = ("list[str]", {})
NUMBERS: Declared = ("list[int]", {})
BYTES: Declared = ("bytes", {})

HALF_PAST = dt.datetime(2020, 2, 3, 2, 5, 6, 500_000, tzinfo=dt.UTC)

# from, to, the value before, the value after
BECOME: list[tuple[Declared, Declared, object, object]] = [
    (STR, INT, " 12 ", 12),
    (STR, FLOAT, "1e3", 1000.0),
    (STR, MONEY, "3.145", Decimal("3.15")),
    (STR, BOOL, "F", False),
    (STR, DATE, "2021-03-04", dt.date(2021, 3, 4)),
    (STR, MOMENT, "2021-03-04 05:06:07+01", dt.datetime(2021, 3, 4, 4, 6, 7, tzinfo=dt.UTC)),
    (STR, TIME, "5:06", dt.time(5, 6)),
    (STR, LENGTH, "1 day 02:00:01.5", dt.timedelta(days=1, seconds=7201.5)),
    (STR, LENGTH, "-90 min", dt.timedelta(minutes=-90)),
    (STR, UUID, "{000000000000000000000000000000AA}", uuid.UUID(int=0xAA)),
    (STR, BYTES, "abc", b"abc"),
    (STR, BYTES, r"\x6162", b"ab"),
    (STR, TEXTS, '{q,"w, \\"x\\"",NULL_}', ["q", 'w, "x"', "NULL_"]),
    (STR, SHORT, "äöüßé", "äöüßé"),
    (STR, JSON, '{"z": 1}', {"z": 1}),
    (BYTES, STR, b"ab", r"\x6162"),
    (FLOAT, INT, 2.5, 2),
    (FLOAT, INT, -3.5, -4),
    (FLOAT, STR, 1e21, "1e+21"),
    (FLOAT, MONEY, 0.125, Decimal("0.13")),
    (DECIMAL, INT, Decimal("2.5"), 3),
    (DECIMAL, MONEY, Decimal("12.345"), Decimal("12.35")),
    (DECIMAL, FLOAT, Decimal("0.1"), 0.1),
    (MONEY, STR, Decimal("12.30"), "12.30"),
    (BOOL, INT, True, 1),
    (BOOL, BIG, True, 1),
    (INT, BOOL, 2, True),
    (INT, LENGTH, 7, dt.timedelta(seconds=7)),
    (LENGTH, INT, dt.timedelta(seconds=90.5), 91),
    (LENGTH, FLOAT, dt.timedelta(milliseconds=1500), 1.5),
    (LENGTH, STR, dt.timedelta(days=1, seconds=1), "1 day 00:00:01"),
    (MOMENT, TIME, HALF_PAST, dt.time(2, 5, 6, 500_000)),
    (TIME, STR, dt.time(4, 5, 6), "04:05:06"),
    (TEXTS, NUMBERS, ["1", "2"], [1, 2]),
    (NUMBERS, TEXTS, [1, 2], ["1", "2"]),
    (TEXTS, STR, ["a", "b c", ""], '{a,"b c",""}'),
    (BIG, INT, 7, 7),
]

REFUSED: list[tuple[Declared, Declared, object]] = [
    *((STR, INT, text) for text in ("abc", "", "1.5", "99999999999")),
    (STR, BOOL, "maybe"),
    (STR, FLOAT, "x"),
    (STR, MONEY, "x"),
    (STR, DATE, "2021-02-30"),
    (STR, MOMENT, "nonsense"),
    (STR, TIME, "25:00"),
    (STR, LENGTH, "long"),
    (STR, UUID, "zz"),
    (STR, JSON, "{bad"),
    (STR, TEXTS, "nope"),
    (STR, SHORT, "abcdefg"),
    (BIG, INT, 7_000_000_000),
    (INT, SMALL, 70_000),
    (FLOAT, INT, 1e12),
    (DECIMAL, MONEY, Decimal("12345678.9")),
    (TEXTS, NUMBERS, ["1", "b"]),
]


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


def models(kinds: list[Declared]) -> list[Any]:
    """Gives a model for each kind of column; those of another list have the same tables."""
    with registry.isolated():
        return [_model(number, kind, options) for number, (kind, options) in enumerate(kinds)]


def _model(number: int, kind: str, options: dict[str, Any]) -> Any:
    body = {
        "__module__": __name__,
        "__annotations__": {"id": "Mapped[int]", "value": f"Mapped[{kind} | None]"},
        "id": generated(primary_key=True),
        "value": field(default=None, **options),
    }
    return type(f"Changed{number}", (Model,), body, table=f"changed{number}")


async def fill(database: Database, model: Any, *values: object) -> None:
    async with AsyncSession(database) as session:
        session.add(*(model(value=value) for value in values))
        await session.commit()


async def values_of(database: Database, model: Any) -> list[Any]:
    async with AsyncSession(database) as session:
        return [each.value for each in await session.query(model).order_by(model.id)]


async def test_values_become_what_postgresql_makes_of_them(database: Database) -> None:
    first, second = models([old for old, *_ in BECOME]), models([new for _, new, *_ in BECOME])
    await database.create_all(*first)
    for model, (*_, given, _) in zip(first, BECOME, strict=True):
        await fill(database, model, given, None)
    await SchemaBuilder(database).apply(diff(SchemaBuilder.wanted(*first), SchemaBuilder.wanted(*second)))
    for model, (old, new, given, wanted) in zip(second, BECOME, strict=True):
        assert await values_of(database, model) == [wanted, None], (old, new, given)


async def test_a_value_that_cannot_become_the_other_type_is_refused_before_anything_is_lost(database: Database) -> None:
    first, second = models([old for old, *_ in REFUSED]), models([new for _, new, _ in REFUSED])
    await database.create_all(*first)
    for number, (old, new, value) in enumerate(REFUSED):
        await fill(database, first[number], None, value)
        change = diff(SchemaBuilder.wanted(first[number]), SchemaBuilder.wanted(second[number]))
        with pytest.raises(DatabaseError) as caught:
            await SchemaBuilder(database).apply(change)
        if database.dialect.name == "sqlite":
            assert isinstance(caught.value, DataError)
            assert f"a value of changed{number}.value (row 2) cannot become" in caught.value.message, (old, new, value)
            assert (caught.value.table, caught.value.columns) == (f"changed{number}", ("value",))
            assert not value or str(value) not in str(caught.value).replace(f"changed{number}", "")
        assert await values_of(database, first[number]) == [None, value]


async def test_a_text_becomes_one_of_the_values_of_an_enum_type(database: Database) -> None:
    mood: Declared = ("Mood", {"native": True})
    first, second = models([STR, STR]), models([mood, mood])
    await database.create_all(*first)
    await fill(database, first[0], "good", None)
    await fill(database, first[1], "great")
    change = diff(SchemaBuilder.wanted(*first), SchemaBuilder.wanted(*second))
    with pytest.raises(DatabaseError, match=r"changed1\.value|input value for enum") as caught:
        await SchemaBuilder(database).apply(change)
    assert "great" not in str(caught.value)
    async with AsyncSession(database) as session:
        await session.query(first[1]).delete()
    await SchemaBuilder(database).apply(change)
    assert await values_of(database, second[0]) == [Mood.GOOD, None]


async def test_numbers_that_became_something_else_come_back(database: Database) -> None:
    kinds = [LENGTH, BOOL, BOOL, STR]
    numbers = [INT, INT, BIG, INT]
    first, second = models(numbers), models(kinds)
    await database.create_all(*first)
    for model in first:
        await fill(database, model, 1)
    change = diff(SchemaBuilder.wanted(*first), SchemaBuilder.wanted(*second))
    builder = SchemaBuilder(database)
    await builder.apply(change)
    assert [await values_of(database, model) for model in second] == [[dt.timedelta(seconds=1)], [True], [True], ["1"]]
    await builder.apply([operation.reverse() for operation in reversed(change)])
    assert [await values_of(database, model) for model in first] == [[1]] * len(first)
