"""Documents and lists are asked the same on both databases: hostile keys, typed documents, lists of every type."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pydantic
import pytest
import typing_extensions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import (
    AsyncSession,
    CormorantError,
    Database,
    Mapped,
    Model,
    QueryError,
    check,
    field,
    func,
    generated,
    index,
)
from cormorant.models.registry import registry
from tests.support import kept_tables
from tests.support.sql import sql


class Color(enum.Enum):
    BLUE = "blue"
    RED = "red"


class Address(pydantic.BaseModel):
    city: str
    zip_code: str = pydantic.Field(alias="zip")


class Shop(pydantic.BaseModel):
    name: str
    opened: datetime
    founded: date
    turnover: Decimal
    key: UUID
    addresses: list[Address] = []


@dataclasses.dataclass
class Spot:
    x: int
    y: float = 0.0


class Card(typing_extensions.TypedDict):
    number: int
    holders: list[str]


class Filed(Model, app="content"):
    id: Mapped[int] = generated(primary_key=True)
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    maybe: Mapped[dict[str, Any] | None] = field(default=None)
    items: Mapped[list[Any]] = field(default_factory=list)
    shop: Mapped[Shop | None] = field(default=None)
    spot: Mapped[Spot | None] = field(default=None)
    card: Mapped[Card | None] = field(default=None)
    spots: Mapped[list[Spot]] = field(default_factory=list)
    tags: Mapped[list[str]] = field(default_factory=list)
    numbers: Mapped[list[int] | None] = field(default=None)
    city: Mapped[str | None] = generated(computed=lambda m: m.extra.path("city", returns=str), index=True)

    @classmethod
    def __table_args__(cls) -> Any:
        yield index(cls.extra.path("n", returns=int))
        yield index(cls.extra, using="gin", name="filed_extra_gin")
        yield index(cls.tags, using="gin", name="filed_tags_gin")
        yield check(cls.extra.path("n", returns=int) < 1000, name="small_n")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Filed)
        yield database


async def keep(session: AsyncSession, *rows: Filed) -> Any:
    session.add(*rows)
    await session.flush()
    return session.query(Filed).order_by(Filed.id)


# ------------------------------------------------------------------ hostile keys

KEYS = {
    "empty": "",
    "quotes": "it's \"quoted\" `so` ''twice''",
    "backslashes": r"\ \\ \n \x00 \' \u0041",
    "dots": "a.b..c",
    "paths": "$.a[0] strict lax last @ ? (@ > 1) .* [*] .**",
    "braces": "{a,b} {} {0}",
    "placeholders": "$1 ?1 :name %s",
    "injection": "'; DROP TABLE content_filed; --",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "unicode": "é e\u0301 日本 😀 \u202e\u2028\ufeff\ufffe\U0010ffff",
    "number": "0",
    "negative": "-1",
    "megabyte": "é\"'" * 250_000,
}
REFUSED = {"nul": "a\0", "surrogate": "\ud800", "surrogates": "a\ud83d\ude00"}


@pytest.mark.parametrize("name", KEYS)
async def test_a_key_is_found_exactly(database: Database, name: str) -> None:
    key = KEYS[name]
    async with AsyncSession(database) as session:
        filed = await keep(session, Filed(extra={key: {"b": {key: 5}}, "other": 1}), Filed(extra={key + "x": 1}))
        (row, other) = await filed.values(
            Filed.extra.path(key, "b", key, returns=int),
            Filed.extra.path(key, returns=dict),
            Filed.extra.path("other", returns=int),
        )
        assert row == (5, {"b": {key: 5}}, 1)
        assert other == (None, None, None)
        inside = Filed.extra.path(key, "b")
        for condition in (
            Filed.extra.path(key, "b", key, returns=int) == 5,
            Filed.extra.has_key(key),
            Filed.extra.has_any_keys([key, "none"]),
            Filed.extra.has_all_keys([key, "other"]),
            inside.has_key(key),
            inside == {key: 5},
            Filed.extra.contains({key: {"b": {}}}),
        ):
            assert await filed.filter(condition).count() == 1
        assert (
            await session.query(Filed).update(Filed.extra.set(Filed.extra.put(key, "b", value=key).put("n", value=7)))
            == 2
        )
        session.clear()
        one, two = await filed
        assert one.extra == {key: {"b": key}, "other": 1, "n": 7}
        assert two.extra == {key + "x": 1, "n": 7}
        assert await filed.filter(Filed.extra.path(key, "b", returns=str) == key).count() == 1
        await session.query(Filed).update(Filed.extra.set(Filed.extra.without(key)))
        assert await filed.filter(Filed.extra.has_key(key)).count() == 0


@pytest.mark.parametrize("name", REFUSED)
async def test_a_key_that_no_document_has_is_refused(database: Database, name: str) -> None:
    key = REFUSED[name]
    async with AsyncSession(database) as session:
        for use in (
            lambda: Filed.extra.path(key),
            lambda: Filed.extra.has_key(key),
            lambda: Filed.extra.has_all_keys([key]),
            lambda: Filed.extra.contains({"a": [key]}),
            lambda: Filed.extra.put(key, value=1),
            lambda: Filed.extra.put("a", value=key),
            lambda: Filed.extra.without(key),
            lambda: Filed.extra.path("a") == key,
        ):
            with pytest.raises(CormorantError, match="NUL or a lone surrogate"):
                use()
        for use in (lambda: Filed.tags.contains(key), lambda: Filed.tags.concat([key])):
            with contextlib.suppress(CormorantError):
                assert await session.query(Filed).filter(use().is_null()).count() == 0
        assert await session.query(Filed).count() == 0


# ------------------------------------------------------------------ NULL and null


async def test_null_is_no_value_of_any_kind(database: Database) -> None:
    async with AsyncSession(database) as session:
        filed = await keep(
            session,
            Filed(extra={"a": None}, maybe={"a": 1}),
            Filed(extra={}, maybe=None),
            Filed(extra={"a": {"b": None}}, maybe={"a": None}),
        )

        async def places(condition: Any) -> list[int]:
            rows = await filed.scalars(Filed.id)
            return [rows.index(number) for number in await filed.filter(condition).scalars(Filed.id)]

        inside = Filed.extra.path("a")
        assert await places(inside.is_null()) == [0, 1]
        assert await places(Filed.extra.path("a", "b").is_null()) == [0, 1, 2]
        assert await places(Filed.extra.has_key("a")) == [0, 2]
        assert await places(Filed.extra.contains({"a": None})) == [0]
        assert await places(Filed.extra.path("a", returns=str).is_null()) == [0, 1, 2]
        # a column that is NULL answers nothing with NULL
        assert await places(Filed.maybe.path("a") == 1) == [0]
        assert await places(~(Filed.maybe.path("a") == 2)) == [0]
        assert await places(Filed.maybe.has_key("a")) == [0, 2]
        assert await places(~Filed.maybe.has_key("a")) == []
        assert await places(Filed.maybe.contains({}).is_null()) == [1]
        assert await places(~Filed.numbers.contains(1)) == []
        assert await places(Filed.numbers.length().is_null()) == [0, 1, 2]
        assert await places(Filed.numbers[0].is_null()) == [0, 1, 2]
        assert await session.query(Filed).update(
            Filed.maybe.set(Filed.maybe.put("b", value=Filed.extra.path("none"))),
            Filed.numbers.set(Filed.numbers.concat([1])),
        )
        session.clear()
        assert await filed.values(Filed.maybe, Filed.numbers) == [
            ({"a": 1, "b": None}, [1]),
            (None, [1]),
            ({"a": None, "b": None}, [1]),
        ]


async def test_values_of_other_kinds_do_not_stop_a_query(database: Database) -> None:
    values = [1, "1", 1.5, True, None, [1], {"a": 1}, 10**40, -1e300, "x", "2024-02-30"]
    async with AsyncSession(database) as session:
        filed = await keep(session, *(Filed(items=[value]) for value in values))
        kinds: list[Any] = [int, float, str, bool, Decimal, datetime, date, UUID, list, dict]
        for kind in kinds:
            found = await filed.scalars(Filed.items.path(0, returns=kind))
            assert all(value is None or type(value) is kind for value in found), kind
        number = Filed.items.path(0, returns=int)
        assert await filed.filter(number > 0).scalars(Filed.items) == [[1]]
        assert await session.query(Filed).order_by(number.desc(), Filed.id).limit(1).scalars(number) == [None]
        assert await filed.aggregate(func.sum(number), func.max(number), func.count(number)) == (1, 1, 1)
        total = await filed.aggregate(func.sum(Filed.items.path(0, returns=Decimal)))
        assert total is not None
        assert Fraction(total) == Fraction(7, 2) + 10**40 - 10**300
        assert await filed.filter(Filed.items.path(0, returns=bool)).count() == 1


async def test_documents_sort_and_group_by_what_is_inside(database: Database) -> None:
    async with AsyncSession(database) as session:
        filed = await keep(
            session, *(Filed(extra={"n": n, "of": n % 2 == 0, "price": n / 4}) for n in (10, 9, 100, -1)), Filed()
        )
        n = Filed.extra.path("n", returns=int)
        of = Filed.extra.path("of", returns=bool)
        assert await session.query(Filed).order_by(n).scalars(n) == [-1, 9, 10, 100, None]
        assert await session.query(Filed).order_by(n.desc()).scalars(n) == [None, 100, 10, 9, -1]
        rows = session.query(Filed).values(of, func.sum(n)).group_by(of)
        assert sorted(await rows, key=repr) == [(False, 8), (None, None), (True, 110)]
        assert await rows.having(func.sum(n) > 8) == [(True, 110)]
        shown = await session.query(Filed).values(of).distinct().order_by(of)
        assert shown == [(False,), (True,), (None,)]
        price = Filed.extra.path("price", returns=Decimal)
        assert await filed.filter(price.between(Decimal("2.25"), 3)).scalars(price) == [Decimal("2.5"), Decimal("2.25")]
        assert await filed.filter(n.in_([9, 100])).count() == 2
        assert await filed.filter((n + 1) * 2 == 22).count() == 1


async def test_values_that_python_finds_equal_stay_what_they_are(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Filed).delete()
        session.add(Filed(extra={}))
        whole, float_, true = (Filed.extra.put("x", value=value) for value in (1, 1.0, True))
        query = session.query(Filed)
        ((one, two, three),) = await query.values(whole, float_, true).distinct()
        assert (json.dumps(one["x"]), json.dumps(three["x"])) == ("1", "true")
        assert two["x"] == 1
        # neither is the one grouped by, nor shown by a union
        assert await query.values(true).group_by(Filed.extra.put("x", value=True)) == [({"x": True},)]
        with pytest.raises(QueryError, match="without being grouped by"):
            await query.values(true).group_by(whole)
        # what it is asked for counts too: a plan is shared by values that are told apart in the same way
        for asked in ({"x": 1}, {"x": True}, {"x": False}):
            same = await query.values(Filed.extra.contains(asked), Filed.extra.contains({"x": 1})).distinct()
            assert same == [(False, False)]


async def test_what_is_inside_may_be_indexed_checked_and_computed(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(row := Filed(extra={"city": "Paris", "n": 999}))
        await session.flush()
        assert row.city == "Paris"
        assert await session.query(Filed).filter(Filed.city == "Paris").count() == 1
        with pytest.raises(CormorantError) as caught:
            async with session.transaction():
                session.add(Filed(extra={"n": 1000}))
        assert "small_n" in str(caught.value)


async def test_indexes_over_what_is_inside_are_used(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Filed)
        async with AsyncSession(database) as session:
            await session.execute("set local enable_seqscan = off", write=True)
            for condition, name in (
                (Filed.extra.path("n", returns=int) == 5, "ix_content_filed_extra"),
                (Filed.extra.contains({"a": {"b": 1}}), "filed_extra_gin"),
                (Filed.extra.has_key("a"), "filed_extra_gin"),
                (Filed.tags.contains("a"), "filed_tags_gin"),
                (Filed.tags.overlaps(["a", "b"]), "filed_tags_gin"),
            ):
                built = session.query(Filed).filter(condition)
                text, sent = sql(built)
                for number, value in enumerate(sent, 1):
                    text = text.replace(f"${number}", literal(value))
                plan = await session.execute("explain " + text.replace("::", "\\:\\:"))  # type: ignore[arg-type]
                assert any(name in line for (line,) in plan), name


def literal(value: Any) -> str:
    if isinstance(value, list):
        return f"array[{', '.join(map(literal, value))}]"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


# ------------------------------------------------------------------ typed documents

SHOP = Shop(
    name="Ada's",
    opened=datetime(2024, 1, 2, 3, 4, 5, 6, UTC),
    founded=date(1999, 12, 31),
    turnover=Decimal("1234567890123456789.10"),
    key=UUID(int=7),
    addresses=[Address(city="Paris", zip="75"), Address(city="Rome", zip="00")],
)


async def test_typed_documents_are_read_by_the_keys_they_are_written_with(database: Database) -> None:
    async with AsyncSession(database) as session:
        filed = await keep(
            session,
            Filed(shop=SHOP, spot=Spot(1, 2.0), card={"number": 1, "holders": ["a", "b"]}, spots=[Spot(1), Spot(2)]),
            Filed(),
        )
        shop = Filed.shop
        first, second = await filed.values(
            shop.path("name", returns=str),
            shop.path("opened", returns=datetime),
            shop.path("founded", returns=date),
            shop.path("turnover", returns=Decimal),
            shop.path("key", returns=UUID),
            shop.path("addresses", -1, "zip", returns=str),
            shop.path("addresses").length(),
            Filed.spot.path("y", returns=float),
        )
        assert first == (SHOP.name, SHOP.opened, SHOP.founded, SHOP.turnover, SHOP.key, "00", 2, 2.0)
        assert second == (None,) * 8
        for condition in (
            shop.path("opened", returns=datetime) == SHOP.opened,
            shop.path("founded", returns=date) < date(2000, 1, 1),
            shop.path("turnover", returns=Decimal) > Decimal("1234567890123456789.09"),
            shop.path("key", returns=UUID) == UUID(int=7),
            shop.contains({"addresses": [{"city": "Rome"}]}),
            shop.path("addresses").contains([{"zip": "75"}]),
            Filed.spot.path("x") == 1,
            Filed.card.path("holders").contains("b"),
            Filed.card.path("holders", 0, returns=str) == "a",
            Filed.spots.path(1, "x", returns=int) == 2,
            Filed.spots.length() == 2,
        ):
            assert await filed.filter(condition).count() == 1, condition
        # a document of the column's own class is written as the column writes it
        condition = Filed.shop.contains(SHOP)  # type: ignore[call-overload]
        assert await filed.filter(condition).count() == 1
        changed = Filed.shop.set(Filed.shop.put("addresses", 0, "city", value="Lyon"))
        await session.query(Filed).update(changed)
        session.clear()
        found = await filed.first()
        assert found is not None
        assert found.shop is not None
        assert found.shop.addresses[0] == Address(city="Lyon", zip="75")


# ------------------------------------------------------------------ lists

UIDS = [UUID(int=0), UUID(int=1), UUID(int=(1 << 128) - 1)]
MOMENT = datetime(2024, 2, 29, 12, 34, 56, 1, tzinfo=UTC)


@dataclasses.dataclass
class Kind:
    """A type of items with values that try it, all different."""

    name: str
    annotation: str
    items: Sequence[Any]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    model: Any = None

    def __post_init__(self) -> None:
        body = {
            "__module__": __name__,
            "__qualname__": f"Listed_{self.name}",
            "__annotations__": {"id": Mapped[int], "items": Mapped[f"list[{self.annotation}]"]},
            "id": generated(primary_key=True),
            "items": field(**self.options),
        }
        with registry.isolated():
            self.model = type(Model)(f"Listed_{self.name}", (Model,), body, table=f"listed_{self.name}")


KINDS = [
    Kind("int", "int", [1, -(1 << 31), 0]),
    Kind("small", "int", [1, -5, 0], {"size": "small"}),
    Kind("big", "int", [(1 << 63) - 1, -(1 << 63), (1 << 53) + 1], {"size": "big"}),
    Kind("text", "str", ["", "null", "it's", '"', "a,b", "日本😀", "1"]),
    Kind("float", "float", [0.1, 1.0, float("inf"), 5e-324, 1.7976931348623157e308]),
    Kind("bool", "bool", [True, False]),
    Kind("decimal", "Decimal", [Decimal("1.5"), Decimal(2), Decimal("-1E+30")]),
    Kind(
        "price", "Decimal", [Decimal("1.50"), Decimal("2.00"), Decimal("0.01")], {"precision": 9, "decimal_places": 2}
    ),
    Kind("bytes", "bytes", [b"", b"\0\xff", b"'\""]),
    Kind("moment", "datetime", [MOMENT, MOMENT + timedelta(microseconds=1)]),
    Kind("date", "date", [date.min, date(2024, 2, 29), date.max]),
    Kind("time", "time", [time.min, time(1, 2, 3), time.max]),
    Kind("span", "timedelta", [timedelta(0), timedelta(days=-1, microseconds=1)]),
    Kind("uuid", "UUID", UIDS),
    Kind("enum", "Color", list(Color)),
    Kind("native", "Color", list(Color), {"native": "listed_color"}),
]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
async def test_lists_of_every_type_are_asked(database_dsn: str, kind: Kind) -> None:
    model, items = kind.model, list(kind.items)
    lists = [items, items[:1], [], items[1:], items[::-1], [items[0], items[0]]]
    async with Database(database_dsn) as database, AsyncSession(database) as session:
        await database.create_all(model)
        session.add(*(model(items=each) for each in lists))
        await session.flush()
        rows = session.query(model).order_by(model.id)

        async def found(condition: Any) -> list[Any]:
            return await rows.filter(condition).scalars(model.items)

        for item in items:
            assert await found(model.items.contains(item)) == [each for each in lists if item in each]
            assert await found(model.items[0] == item) == [each for each in lists if each[:1] == [item]]
        for some in (items[:2], items[:1], []):
            assert await found(model.items.contains(some)) == [e for e in lists if set(some) <= set(e)]
            assert await found(model.items.contained_by(some)) == [e for e in lists if set(e) <= set(some)]
            assert await found(model.items.overlaps(some)) == [e for e in lists if set(e) & set(some)]
            assert await found(~model.items.overlaps(some)) == [e for e in lists if not set(e) & set(some)]
            assert await found(model.items.concat(some) == items) == [e for e in lists if e + some == items]
            assert await rows.scalars(model.items.concat(some)) == [e + some for e in lists]
        assert await rows.scalars(model.items.length()) == [len(each) for each in lists]
        for place in (0, 1, -1, -2, 99, -99):
            expected = [each[place] if -len(each) <= place < len(each) else None for each in lists]
            got = await rows.scalars(model.items[place])
            assert got == expected
            assert [type(value) for value in got] == [type(value) for value in expected]
        assert await session.query(model).update(model.items.set(model.items.concat(items[:1]))) == len(lists)
        session.clear()
        assert [row.items for row in await rows] == [each + items[:1] for each in lists]


async def test_random_lists_compare_as_sets(database: Database) -> None:
    words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
    lists = st.lists(st.one_of(st.sampled_from(["a", "b", "", '"', "\\", "{}", "NULL"]), words), max_size=4)
    tried: list[tuple[list[str], list[str]]] = []

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(lists, lists)
    def draw(one: list[str], other: list[str]) -> None:
        tried.append((one, other))

    draw()
    async with AsyncSession(database) as session:
        for one, other in tried:
            row = Filed(tags=one)
            session.add(row)
            await session.flush()
            (answer,) = (
                await session.query(Filed)
                .filter(Filed.id == row.id)
                .values(
                    Filed.tags.contains(other),
                    Filed.tags.contained_by(other),
                    Filed.tags.overlaps(other),
                    Filed.tags == other,
                    Filed.tags.concat(other),
                )
            )
            a, b = set(one), set(other)
            assert answer == (b <= a, a <= b, bool(a & b), one == other, one + other), (one, other)


async def test_lists_written_by_other_programs(database: Database) -> None:
    """NULL in a list is equal to nothing, as in PostgreSQL."""
    async with AsyncSession(database) as session:
        row = Filed(numbers=[1, 2])
        session.add(row)
        await session.flush()
        value = "array[1, null]" if database.dialect.name == "postgresql" else "'[1,null]'"
        await session.execute(f"update content_filed set numbers = {value}")  # type: ignore[arg-type]
        rows = session.query(Filed)
        assert await rows.scalars(Filed.numbers.contains(1)) == [True]
        assert await rows.scalars(Filed.numbers.contained_by([1])) == [False]
        assert await rows.scalars(Filed.numbers[1]) == [None]
        assert await rows.scalars(Filed.numbers.length()) == [2]


async def test_texts_that_are_no_documents_hold_nothing(tmp_path: Any) -> None:
    """PostgreSQL keeps no such thing; on SQLite another program may write it."""
    async with Database(f"sqlite:///{tmp_path}/x.db") as database:
        await database.create_all(Filed)
        async with AsyncSession(database) as session:
            session.add(*(Filed() for _ in range(6)))
            await session.flush()
            broken = ["", "{", "nan", '{"a": NaN}', "[" * 5000, '{"a": "\\ud800"}']
            for number, text in enumerate(broken, 1):
                await session.execute(
                    "update content_filed set extra = :text where id = :id", {"text": text, "id": number}
                )
            rows = session.query(Filed).order_by(Filed.id)
            assert await rows.scalars(Filed.extra.path("a", returns=str)) == [None] * 6
            assert await rows.filter(Filed.extra.path("a").is_not_null()).count() == 0
            assert await rows.filter(Filed.extra.has_key("b") | Filed.extra.contains({"b": 1})).count() == 0
            session.clear()
            await session.query(Filed).update(Filed.extra.set(Filed.extra.put("a", value=1).without("b")))
            assert await session.execute("select extra from content_filed order by id") == [
                *((text,) for text in broken[:-1]),
                ('{"a":1}',),
            ]
            exact = json.dumps({"n": 10**500, "f": 1})
            await session.execute("update content_filed set extra = :text where id = 1", {"text": exact})
            assert await rows.limit(1).scalars(Filed.extra.path("n", returns=Decimal)) == [Decimal(10**500)]
