"""Every column type on both databases: the same Python values come back, of the same class, from every way in."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal  # noqa: F401  (annotations in text name it)
from uuid import UUID

import pydantic
import pytest
import typing_extensions

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, WrongType, field, func, generated, types
from cormorant.models.registry import registry

# ------------------------------------------------------------------ types of the user's own


class Color(enum.Enum):
    BLUE = "blue"
    RED = "red"
    ODD = 'it\'s "odd"'


class Level(enum.IntEnum):
    LOW = -1
    HIGH = 7


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


class Point(pydantic.BaseModel):
    x: int
    label: str = pydantic.Field(default="", alias="theLabel")


@dataclasses.dataclass
class Spot:
    when: date
    names: list[str]


class Card(typing_extensions.TypedDict):
    number: int
    note: str | None


@dataclasses.dataclass(frozen=True, order=True)
class Money:
    """Cents, kept as a number of the currency."""

    cents: int


@dataclasses.dataclass(frozen=True)
class Dotted:
    """A path, kept as text."""

    parts: tuple[str, ...]


MONEY = types.Custom(Money, types.Numeric(12, 2), lambda m: Decimal(m.cents) / 100, lambda d: Money(int(d * 100)))
DOTTED = types.Custom(Dotted, types.TEXT, lambda d: ".".join(d.parts), lambda s: Dotted(tuple(s.split("."))))
TAGGED = types.Custom(frozenset, types.Array(types.TEXT), sorted, frozenset)

PLUS5 = timezone(timedelta(hours=5))


@dataclasses.dataclass
class Kind:
    """A column type with values that try it, the smallest first where they have an order."""

    name: str
    annotation: str
    values: Sequence[Any]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    ordered: bool = True
    model: Any = None

    def __post_init__(self) -> None:
        body = {
            "__module__": __name__,
            "__qualname__": f"Kept_{self.name}",
            "__annotations__": {
                "id": Mapped[int],
                "value": Mapped[self.annotation],
                "other": Mapped[f"{self.annotation} | None"],
            },
            "id": generated(primary_key=True),
            "value": field(**self.options),
            "other": field(default=None, **self.options),
        }
        with registry.isolated():
            self.model = type(Model)(f"Kept_{self.name}", (Model,), body, table=f"kept_{self.name}")


UIDS = [UUID(int=0), UUID(int=1), UUID("12345678-1234-5678-1234-567812345678"), UUID(int=(1 << 128) - 1)]
MOMENTS = [
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 34, 56, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC),
]
TEXTS = ["", " ", '"', "%", "'", "\\", "_", "é", "日本", "😀", "a\nb\tc", "{}", "NULL", "1", "?1 $1 :x"]

KINDS = [
    Kind("small", "int", [-(1 << 15), -1, 0, 1, (1 << 15) - 1], {"size": "small"}),
    Kind("normal", "int", [-(1 << 31), -1, 0, 1, (1 << 31) - 1]),
    Kind("big", "int", [-(1 << 63), -1, 0, 1, (1 << 63) - 1], {"size": "big"}),
    Kind(
        "float",
        "float",
        [
            float("-inf"),
            -1.7976931348623157e308,
            -1.5,
            0.0,
            5e-324,
            0.1,
            2.0,
            1e16,
            1.7976931348623157e308,
            float("inf"),
        ],
    ),
    Kind(
        "decimal",
        "Decimal",
        [
            Decimal(x)
            for x in ("-1E+30", "-10", "-9", "-1E-21", "0", "0.1", "1.5", "2", "10", "1" * 30 + "." + "2" * 30)
        ],
    ),
    Kind(
        "price",
        "Decimal",
        [Decimal(x) for x in ("-99999999.99", "-10.00", "-9.50", "0.00", "0.01", "9.50", "10.00", "99999999.99")],
        {"precision": 10, "decimal_places": 2},
    ),
    Kind("whole", "Decimal", [Decimal(-9), Decimal(0), Decimal(10)], {"precision": 3}),
    Kind("bool", "bool", [False, True]),
    Kind("word", "str", ["a", "aa", "ab", "b", "z" * 10_000]),
    Kind("text", "str", TEXTS, ordered=False),
    Kind("short", "str", ["", "xxxxx", "日本語語語"], {"max_length": 5}, ordered=False),
    Kind("bytes", "bytes", [b"", b"\0", b"\0\xff", b"'\"\\", b"\xff" * 100]),
    Kind("date", "date", [date.min, date(1969, 12, 31), date(2024, 2, 29), date.max]),
    Kind("time", "time", [time.min, time(0, 0, 0, 1), time(12, 34, 56), time.max]),
    Kind("datetime", "datetime", MOMENTS),
    Kind(
        "timedelta",
        "timedelta",
        [
            timedelta(days=-106_751_991),
            timedelta(days=-1, microseconds=1),
            timedelta(microseconds=-1),
            timedelta(0),
            timedelta(microseconds=1),
            timedelta(days=31),
            timedelta(days=106_751_991, hours=4),
        ],
    ),
    Kind("uuid", "UUID", UIDS),
    Kind("enum", "Color", [Color.BLUE, Color.ODD, Color.RED]),
    Kind("native", "Color", [Color.BLUE, Color.RED, Color.ODD], {"native": "kept_color"}, ordered=False),
    Kind("level", "Level", [Level.LOW, Level.HIGH]),
    Kind("flags", "Access", [Access(0), Access.READ, Access.READ | Access.WRITE]),
    Kind("literal", "Literal['a', 'b']", ["a", "b"]),
    Kind("rank", "Literal[1, 20]", [1, 20]),
    Kind("money", "Any", [Money(-950), Money(-1), Money(0), Money(1000), Money(20_000)], {"type": MONEY}),
    Kind("dotted", "Any", [Dotted(("a",)), Dotted(("a", "é"))], {"type": DOTTED}, ordered=False),
    Kind("tagged", "Any", [frozenset(), frozenset({"a", "it's"})], {"type": TAGGED}, ordered=False),
    Kind(
        "document",
        "dict[str, Any]",
        [{}, {"a": None}, {"ü": ["é", 1, 2.5, True, {"": "\"'\\%"}], "😀": "日本"}, {"b": 1, "aa": {"z": 1, "a": 2}}],
        ordered=False,
    ),
    Kind("items", "list[Any]", [[], [1, "a", None, [{}]]], ordered=False),
    Kind("anything", "Any", [1, "x", True, 2.5, [1], {"a": 1}, ""], ordered=False),
    Kind("point", "Point", [Point(x=1), Point(x=-1, theLabel="é'")], ordered=False),
    Kind("spot", "Spot", [Spot(date(2024, 1, 2), ["a", 'b"'])], ordered=False),
    Kind("card", "Card", [{"number": 1, "note": None}, {"number": 2, "note": "x"}], ordered=False),
    Kind("points", "list[Point]", [[], [Point(x=1), Point(x=2)]], ordered=False),
    Kind("dates", "dict[str, date]", [{}, {"a": date(2024, 1, 2)}], ordered=False),
    Kind("numbers", "dict[str, float]", [{"a": 1e16, "b": 1.0, "c": -2.5e-300}], ordered=False),
    Kind("ints", "list[int]", [[], [1, -(1 << 31)], [3]], ordered=False),
    Kind("bigs", "list[int]", [[1 << 62], [-(1 << 63)]], {"size": "big"}, ordered=False),
    Kind("texts", "list[str]", [[], [""], TEXTS, ["null", "NULL", "{", "a,b"]], ordered=False),
    Kind("floats", "list[float]", [[1.0, 2.5], [1e16, -0.5]], ordered=False),
    Kind("bools", "list[bool]", [[True, False], []], ordered=False),
    Kind("decimals", "list[Decimal]", [[Decimal("1.5"), Decimal(-2)], []], ordered=False),
    Kind("blobs", "list[bytes]", [[b"", b'\0\xff\\"'], []], ordered=False),
    Kind("moments", "list[datetime]", [MOMENTS, []], ordered=False),
    Kind("days", "list[date]", [[date.min, date.max]], ordered=False),
    Kind("hours", "list[time]", [[time.min, time.max]], ordered=False),
    Kind("spans", "list[timedelta]", [[timedelta(days=-1, microseconds=1), timedelta(1)]], ordered=False),
    Kind("uuids", "list[UUID]", [UIDS, []], ordered=False),
    Kind("colors", "list[Color]", [list(Color), []], ordered=False),
    Kind("paints", "list[Color]", [list(Color), []], {"native": "kept_color"}, ordered=False),
    Kind("levels", "list[Level]", [list(Level), []], ordered=False),
    Kind("maybes", "list[int | None]", [[1, None], [None]], ordered=False),
]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


def assert_same(found: Any, value: Any) -> None:
    """Equal is not enough: 1 == True == 1.0, and moments of two zones are equal."""
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, (list, dict)):
        assert repr(found) == repr(value) if not isinstance(value, dict) else found == value
    if isinstance(value, datetime):
        assert found.tzinfo is UTC
    if isinstance(value, Decimal):
        assert found.is_finite()


async def kept(database: Database, kind: Kind) -> list[Any]:
    async with AsyncSession(database) as session:
        return await session.query(kind.model).order_by(kind.model.id)


async def keep(database: Database, kind: Kind) -> None:
    """Creates the table and a row for each value, and one where the other column is None."""
    await database.create_all(kind.model)
    async with AsyncSession(database) as session:
        session.add(*(kind.model(value=value, other=value) for value in kind.values))
        session.add(kind.model(value=kind.values[0]))


# ------------------------------------------------------------------ ways in


@every_kind
async def test_one_row_at_a_time(database: Database, kind: Kind) -> None:
    await database.create_all(kind.model)
    for value in kind.values:
        async with AsyncSession(database) as session:
            session.add(kind.model(value=value))
    found = await kept(database, kind)
    assert len(found) == len(kind.values)
    for row, value in zip(found, kind.values, strict=True):
        assert_same(row.value, value)
        assert row.other is None


@every_kind
async def test_many_rows_at_once(database: Database, kind: Kind) -> None:
    await keep(database, kind)
    *found, last = await kept(database, kind)
    assert len(found) == len(kind.values)
    for row, value in zip(found, kind.values, strict=True):
        assert_same(row.value, value)
        assert_same(row.other, value)
    assert last.other is None


@every_kind
async def test_changes_of_one_row_of_many_and_in_one_statement(database: Database, kind: Kind) -> None:
    await keep(database, kind)
    turned = [*reversed(kind.values), kind.values[-1]]
    async with AsyncSession(database) as session:
        rows = await session.query(kind.model).order_by(kind.model.id)
        rows[0].other = None
        await session.commit()
        for row, value in zip(rows, turned, strict=True):
            row.value = value
    found = await kept(database, kind)
    assert found[0].other is None
    for row, value in zip(found, turned, strict=True):
        assert_same(row.value, value)
    model = kind.model
    async with AsyncSession(database) as session:
        await session.query(model).update(model.value.set(kind.values[-1]), model.other.set(None))
    for row in await kept(database, kind):
        assert_same(row.value, kind.values[-1])
        assert row.other is None


# ------------------------------------------------------------------ ways out


async def check_values_scalars_and_dicts(database: Database, kind: Kind) -> None:
    model = kind.model
    expected = [*kind.values, kind.values[0]]
    async with AsyncSession(database) as session:
        rows = await session.query(model).order_by(model.id).values(model.value, model.other)
        scalars = await session.query(model).order_by(model.id).scalars(model.value)
        dicts = await session.query(model).order_by(model.id).as_dicts(model.value, model.other)
    for place, value in enumerate(expected):
        assert_same(rows[place][0], value)
        assert_same(scalars[place], value)
        assert_same(dicts[place]["value"], value)
    assert [rows[-1][1], dicts[-1]["other"]] == [None, None]


async def check_each_is_found_by_itself(database: Database, kind: Kind) -> None:
    model = kind.model
    async with AsyncSession(database) as session:
        for value in kind.values:
            (found,) = await session.query(model).filter(model.other == value)
            assert_same(found.other, value)
            (found,) = await session.query(model).filter(other=value)
            others = await session.query(model).filter(model.other != value).count()
            assert others == len(kind.values) - 1
            assert await session.query(model).exclude(model.other == value).count() == len(kind.values)
        (found,) = await session.query(model).filter(model.other == None)  # noqa: E711
        assert found.other is None


async def check_they_are_found_among_others(database: Database, kind: Kind) -> None:
    model = kind.model
    async with AsyncSession(database) as session:
        assert await session.query(model).filter(model.other.in_(kind.values)).count() == len(kind.values)
        assert await session.query(model).filter(model.other.in_([kind.values[0]])).count() == 1
        assert await session.query(model).filter(model.other.in_([])).count() == 0


async def check_they_sort_alike(database: Database, kind: Kind) -> None:
    model = kind.model
    async with AsyncSession(database) as session:
        up = await session.query(model).order_by(model.other).scalars(model.other)
        down = await session.query(model).order_by(model.other.desc()).scalars(model.other)
    assert up == [*kind.values, None]
    assert down == [None, *reversed(kind.values)]


async def check_they_compare_alike(database: Database, kind: Kind) -> None:
    model = kind.model
    count = len(kind.values)
    async with AsyncSession(database) as session:

        async def found(condition: Any) -> int:
            return await session.query(model).filter(condition).count()

        for place, value in enumerate(kind.values):
            assert await found(model.other < value) == place
            assert await found(model.other <= value) == place + 1
            assert await found(model.other > value) == count - place - 1
            assert await found(model.other >= value) == count - place
            assert await found(model.other.between(value, kind.values[-1])) == count - place


# PostgreSQL has no min() and max() of these
NO_EXTREMES = {"bool", "bytes", "uuid"}


async def check_smallest_and_largest(database: Database, kind: Kind) -> None:
    if kind.name in NO_EXTREMES:
        return
    model = kind.model
    async with AsyncSession(database) as session:
        low, high = await session.query(model).aggregate(func.min(model.other), func.max(model.other))
        assert_same(low, kind.values[0])
        assert_same(high, kind.values[-1])
        assert await session.query(model).filter(model.id < 0).aggregate(func.max(model.other)) is None


async def check_equal_ones_are_one_group(database: Database, kind: Kind) -> None:
    model = kind.model
    async with AsyncSession(database) as session:
        groups = await session.query(model).values(model.value, func.count()).group_by(model.value)
        assert sorted(count for _, count in groups) == [*[1] * (len(kind.values) - 1), 2]
        assert len(await session.query(model).distinct().scalars(model.value)) == len(kind.values)


@every_kind
async def test_ways_out(database: Database, kind: Kind) -> None:
    await keep(database, kind)
    await check_values_scalars_and_dicts(database, kind)
    await check_each_is_found_by_itself(database, kind)
    await check_they_are_found_among_others(database, kind)
    await check_equal_ones_are_one_group(database, kind)
    if kind.ordered:
        await check_they_sort_alike(database, kind)
        await check_they_compare_alike(database, kind)
        await check_smallest_and_largest(database, kind)


# ------------------------------------------------------------------ what is particular


def kind_of(name: str) -> Any:
    return next(kind for kind in KINDS if kind.name == name)


async def test_moments_of_other_zones_come_back_in_utc(database: Database) -> None:
    kind = kind_of("datetime")
    await database.create_all(kind.model)
    there = datetime(2024, 1, 2, 3, 4, 5, tzinfo=PLUS5)
    async with AsyncSession(database) as session:
        session.add(kind.model(value=there), kind.model(value=there, other=there))
    async with AsyncSession(database) as session:
        for found in await session.query(kind.model).filter(kind.model.value == there):
            assert_same(found.value, there.astimezone(UTC))
        assert await session.query(kind.model).filter(kind.model.value < there.astimezone(UTC)).count() == 0


async def test_computed_decimals_are_rounded_to_their_places_alike(database: Database) -> None:
    model = kind_of("price").model
    await database.create_all(model)
    async with AsyncSession(database) as session:
        session.add(*(model(value=Decimal(x)) for x in ("1.01", "-1.01", "1.00", "2", "3.34")))
        await session.commit()
        rows = await session.query(model).order_by(model.id).scalars(model.value)
        assert list(map(str, rows)) == ["1.01", "-1.01", "1.00", "2.00", "3.34"]
        assert await session.query(model).filter(model.value < Decimal("1.005")).count() == 2
        assert await session.query(model).filter(model.value.in_([Decimal("1.005")])).count() == 0
        await session.query(model).update(model.value.set(model.value * Decimal("1.5")))
        rows = await session.query(model).order_by(model.id).scalars(model.value)
        assert list(map(str, rows)) == ["1.52", "-1.52", "1.50", "3.00", "5.01"]
        assert await session.query(model).filter(model.value == Decimal("5.01")).count() == 1
        await session.query(model).update(model.value.set(model.id))
        assert await session.query(model).filter(model.value == model.id).count() == 5


async def test_sums_and_means_of_decimals_are_exact(database: Database) -> None:
    kind = kind_of("decimal")
    model = kind.model
    await database.create_all(model)
    async with AsyncSession(database) as session:
        session.add(*(model(value=Decimal("0.1")) for _ in range(10)), model(value=Decimal("1E+20")))
    async with AsyncSession(database) as session:
        rows = session.query(model)
        assert_same(await rows.aggregate(func.sum(model.value)), Decimal("100000000000000000001.0"))
        small = rows.filter(model.value < 1)
        assert_same(await small.aggregate(func.sum(model.value)), Decimal(1))
        assert_same(await small.aggregate(func.avg(model.value)), Decimal("0.1"))
        assert await rows.filter(model.value < 0).aggregate(func.sum(model.value)) is None
        (third,) = await rows.filter(model.value > 1).scalars(model.value * Decimal("0.3") - model.value)
        assert_same(third, Decimal("-70000000000000000000.0"))
        assert_same((await rows.filter(model.value > 1).scalars(func.abs(model.value * -1)))[0], Decimal(10) ** 20)


async def test_means_of_decimals_have_the_same_digits(database: Database) -> None:
    kind = kind_of("decimal")
    model = kind.model
    await database.create_all(model)
    means = []
    async with AsyncSession(database) as session:
        for numbers in (
            ["1", "0", "0"],
            ["2", "0", "0"],
            ["1000000", "0", "1"],
            ["0.0001", "0", "0"],
            ["-10", "3", "0"],
        ):
            await session.query(model).delete()
            session.add(*(model(value=Decimal(number)) for number in numbers))
            await session.flush()
            means.append(str(await session.query(model).aggregate(func.avg(model.value))))
    assert means == [
        "0.33333333333333333333",
        "0.66666666666666666667",
        "333333.666666666667",
        "0.000033333333333333333333",
        "-2.3333333333333333",
    ]


async def test_sums_and_means_of_numbers(database: Database) -> None:
    for name, values in (("normal", [1, 2, 4]), ("float", [0.5, 1.5, 4.0])):
        model = kind_of(name).model
        await database.create_all(model)
        async with AsyncSession(database) as session:
            session.add(*(model(value=value) for value in values))
            await session.flush()
            total, mean = await session.query(model).aggregate(func.sum(model.value), func.avg(model.value))
            assert_same(total, sum(values))
            assert_same(mean, sum(values) / 3)


async def test_numbers_that_were_whole_stay_floats(database: Database) -> None:
    model = kind_of("float").model
    await database.create_all(model)
    async with AsyncSession(database) as session:
        session.add(model(value=2), model(value=3, other=4))
        await session.commit()
        session.clear()
        assert_same(await session.query(model).order_by(model.id).scalars(model.value), [2.0, 3.0])
        rows = await session.query(model).order_by(model.id).scalars(func.coalesce(model.other, 7))
        assert_same(rows, [7.0, 4.0])
        await session.query(model).update(model.value.set(5))
        assert_same(await session.query(model).scalars(model.value + 1), [6.0, 6.0])


async def test_booleans_are_booleans_wherever_they_come_from(database: Database) -> None:
    model = kind_of("normal").model
    await database.create_all(model)
    async with AsyncSession(database) as session:
        session.add(model(value=1, other=2), model(value=3))
        await session.flush()
        rows = (
            await session.query(model)
            .order_by(model.id)
            .values(model.value > 2, model.other > 1, model.other.is_null())
        )
        assert_same(rows, [(False, True, False), (True, None, True)])


async def test_dictionaries_are_equal_whatever_the_order_of_their_keys(database: Database) -> None:
    model = kind_of("document").model
    await database.create_all(model)
    async with AsyncSession(database) as session:
        session.add(model(value={"b": 1, "a": {"y": 1, "x": 2}}))
        await session.flush()
        assert await session.query(model).filter(model.value == {"a": {"x": 2, "y": 1}, "b": 1}).count() == 1


async def test_changes_inside_of_documents_and_lists_are_saved(database: Database) -> None:
    for name, change in (
        ("document", lambda value: value["ü"].append("new")),
        ("ints", lambda value: value.append(9)),
        ("point", lambda value: setattr(value, "x", 99)),
        ("spot", lambda value: value.names.append("new")),
    ):
        kind = kind_of(name)
        await keep(database, kind)
        async with AsyncSession(database) as session:
            row = (
                await session.query(kind.model)
                .filter(kind.model.value == kind.values[-1 if name != "document" else 2])
                .first()
            )
            change(row.value)
            expected, key = row.value, row.id
        async with AsyncSession(database) as session:
            assert_same((await session.get(kind.model, key)).value, expected)


REFUSED: list[tuple[str, Any]] = [
    ("small", 1 << 15),
    ("normal", True),
    ("normal", 1.0),
    ("normal", "1"),
    ("big", 1 << 63),
    ("float", float("nan")),
    ("float", "1"),
    ("decimal", Decimal("NaN")),
    ("decimal", Decimal("Infinity")),
    ("decimal", 1.5),
    ("price", Decimal(100_000_000)),
    ("price", Decimal("99999999.995")),
    ("bool", 1),
    ("text", 1),
    ("text", b"x"),
    ("text", "a\0b"),
    ("short", "123456"),
    ("bytes", "x"),
    ("date", datetime(2024, 1, 2, tzinfo=UTC)),
    ("time", time(1, tzinfo=UTC)),
    ("datetime", datetime(2024, 1, 2)),
    ("datetime", date(2024, 1, 2)),
    ("datetime", datetime.max.replace(tzinfo=UTC)),
    ("timedelta", timedelta.max),
    ("timedelta", 1),
    ("uuid", "12345678-1234-5678-1234-567812345678"),
    ("enum", "red"),
    ("literal", "c"),
    ("rank", True),
    ("rank", "1"),
    ("money", 3),
    ("document", {"a": 1j}),
    ("document", {"a": float("nan")}),
    ("document", [1]),
    ("point", {"x": 1}),
    ("card", {"number": "x"}),
    ("ints", (1, 2)),
    ("ints", [1, "x"]),
    ("ints", [1 << 31]),
    ("moments", [datetime(2024, 1, 2)]),
    ("normal", None),
]


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=[f"{name}-{value!r}"[:40] for name, value in REFUSED])
async def test_what_a_column_cannot_hold_is_refused_before_it_is_sent(
    database: Database, name: str, value: Any
) -> None:
    model = kind_of(name).model
    async with AsyncSession(database) as session:
        row = model(value=value)
        session.add(row)
        with pytest.raises(ValidationError) as caught:
            await session.flush()
        assert [place for place, _ in caught.value.problems] == [f"{model.__name__}.value"]
        assert session.query_stats() == []
        if value is not None and name != "short" and name != "price":
            with pytest.raises(WrongType):
                session.query(model).filter(model.value == value)
        session.expunge(row)
