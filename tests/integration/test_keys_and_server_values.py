"""Keys of every kind, and values that the database makes: on both databases, one row at a time and many at once."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    NotNullViolation,
    One,
    UniqueViolation,
    WrongType,
    field,
    foreign_key,
    func,
    generated,
    ref,
    text,
    types,
    utcnow,
)
from tests.support import kept_tables


class Color(enum.Enum):
    RED = "red"


class Natural(Model, app="keys"):
    code: Mapped[str] = field(primary_key=True, max_length=10)
    name: Mapped[str]


class Own(Model, app="keys"):
    """An int that the program gives."""

    id: Mapped[int] = field(primary_key=True)
    name: Mapped[str] = field(default="")


class ByProgram(Model, app="keys"):
    id: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    name: Mapped[str] = field(default="")


class ByServer(Model, app="keys"):
    id: Mapped[UUID] = generated(primary_key=True, server_default=text("gen_random_uuid()"))
    name: Mapped[str] = field(default="")


class Numbered(Model, app="keys"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")


class Alone(Model, app="keys"):
    """Nothing but a key that the database makes."""

    id: Mapped[int] = generated(primary_key=True)


class Pair(Model, app="keys"):
    left: Mapped[int] = field(primary_key=True)
    right: Mapped[str] = field(primary_key=True)
    name: Mapped[str] = field(default="")


class Line(Model, app="keys"):
    order: One[Numbered] = foreign_key(primary_key=True)
    number: Mapped[int] = field(primary_key=True)
    pair: One[Pair | None] = foreign_key(default=None)


class Day(Model, app="keys"):
    moment: Mapped[datetime] = field(primary_key=True)
    price: Mapped[Decimal] = field(primary_key=True, precision=10, decimal_places=2)
    color: Mapped[Color] = field(primary_key=True)
    name: Mapped[str] = field(default="")


class Made(Model, app="keys"):
    id: Mapped[int] = generated(primary_key=True)
    first: Mapped[str]
    price: Mapped[Decimal] = field(precision=10, decimal_places=2)
    status: Mapped[str] = generated(server_default="it's new")
    count: Mapped[int] = generated(server_default=7)
    ratio: Mapped[float] = generated(server_default=2)
    flag: Mapped[bool] = generated(server_default=True)
    cost: Mapped[Decimal] = generated(server_default=Decimal("1.50"))
    color: Mapped[Color] = generated(server_default=Color.RED)
    words: Mapped[list[str]] = generated(server_default=["a", 'b"'])
    extra: Mapped[dict[str, Any]] = generated(server_default={"a": [1]})
    span: Mapped[timedelta] = generated(server_default=timedelta(days=-1, microseconds=1))
    uid: Mapped[UUID] = generated(server_default=UUID(int=5))
    blob: Mapped[bytes] = generated(server_default=b"\0'")
    then: Mapped[datetime] = generated(server_default=datetime(2024, 1, 2, tzinfo=UTC))
    nothing: Mapped[int | None] = generated(server_default=None)
    sum: Mapped[int] = generated(server_default=text("1 + 2"))
    now: Mapped[datetime] = generated(server_default=func.now())
    shout: Mapped[str] = generated(computed=lambda m: func.upper(m.first) + "!")
    total: Mapped[Decimal] = generated(computed=lambda m: m.price * 2, type=types.Numeric(12, 2))


MODELS = (Natural, Own, ByProgram, ByServer, Numbered, Alone, Pair, Line, Day, Made)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


# ------------------------------------------------------------------ keys

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 6, UTC)
KEYS: list[tuple[Any, list[Any]]] = [
    (Natural, ["DE", "é'\"", ""]),
    (Own, [0, -5, 2_147_483_647]),
    (ByProgram, [UUID(int=0), uuid4()]),
    (ByServer, [UUID(int=1), uuid4()]),
    (Numbered, [1_000, -3, 1 << 40]),
    (Pair, [(1, "a"), (1, "b"), (-2, "")]),
    (Day, [(MOMENT, Decimal("1.50"), Color.RED), (MOMENT, Decimal("2.00"), Color.RED)]),
]


def made(model: Any, key: Any, name: str) -> Any:
    names = model.__info__.key_attributes
    return model(name=name, **dict(zip(names, key if len(names) > 1 else (key,), strict=True)))


@pytest.mark.parametrize(("model", "keys"), KEYS, ids=[model.__name__ for model, _ in KEYS])
async def test_a_key_of_ones_own(database: Database, model: Any, keys: list[Any]) -> None:
    async with AsyncSession(database) as session:
        session.add(made(model, keys[0], "one"))
        await session.commit()
        session.add(*(made(model, key, "many") for key in keys[1:]))
    async with AsyncSession(database) as session:
        for key in keys:
            found = await session.get_one(model, key)
            assert await session.get(model, key) is found
        assert await session.get_many(model, keys) == [await session.get(model, key) for key in keys]
        found.name = "changed"
        await session.commit()
        for key in keys:
            (await session.get_one(model, key)).name = "all"
        await session.flush()
        assert await session.query(model).filter(name="all").count() == len(keys)
        assert await session.query(model).filter(pk=keys[0]).count() == 1
        assert await session.query(model).filter(pk__in=keys).count() == len(keys)
        session.delete(await session.get_one(model, keys[0]))
        await session.flush()
        assert await session.get(model, keys[0]) is None
        assert await session.query(model).count() == len(keys) - 1


@pytest.mark.parametrize(("model", "keys"), KEYS, ids=[model.__name__ for model, _ in KEYS])
async def test_a_key_is_there_once(database: Database, model: Any, keys: list[Any]) -> None:
    async with AsyncSession(database) as session:
        session.add(made(model, keys[0], "one"))
    with pytest.raises(UniqueViolation):
        async with AsyncSession(database) as session:
            session.add(made(model, keys[0], "two"))


@pytest.mark.parametrize("model", [ByServer, Numbered, Alone])
async def test_a_key_that_the_database_makes(database: Database, model: Any) -> None:
    async with AsyncSession(database) as session:
        one = await session.create(model)
        many = [model() for _ in range(5)]
        session.add(*many)
        await session.flush()
        keys = [one.id, *(row.id for row in many)]
        assert len(set(keys)) == 6
        kind = model.__info__.column_info("id").type.accepts[0]
        assert {type(key) for key in keys} == {kind}
        assert await session.get(model, one.id) is one
    async with AsyncSession(database) as session:
        assert {row.id for row in await session.query(model)} == set(keys)
        assert (await session.get_one(model, keys[2])).id == keys[2]


async def test_many_rows_get_their_own_keys(database: Database) -> None:
    for model in (Numbered, ByServer):
        async with AsyncSession(database) as session:
            rows = [model(name=str(number)) for number in range(50)]
            session.add(*rows)
        async with AsyncSession(database) as session:
            for row in rows:
                assert (await session.get_one(model, row.id)).name == row.name


async def test_a_key_can_be_changed(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Natural(code="DE", name="Germany"), Pair(left=1, right="a"))
        await session.commit()
        germany, pair = await session.get_one(Natural, "DE"), await session.get_one(Pair, (1, "a"))
        germany.code = "D"
        pair.right = "b"
        await session.commit()
        assert await session.get(Natural, "D") is germany
        assert await session.get(Pair, (1, "b")) is pair
        assert await session.get(Natural, "DE") is None
    async with AsyncSession(database) as session:
        assert (await session.get_one(Natural, "D")).name == "Germany"
        assert await session.query(Pair).values(Pair.left, Pair.right) == [(1, "b")]


@pytest.mark.parametrize(
    ("model", "key"),
    [(Natural, 3), (Own, "3"), (ByServer, "x"), (Pair, 1), (Pair, (1,)), (Pair, (1, 2)), (Pair, [1, "a"]), (Own, (1,))],
)
async def test_a_key_of_the_wrong_kind_is_refused(database: Database, model: Any, key: Any) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(WrongType, match=model.__name__):
            await session.get(model, key)


async def test_relations_in_keys_and_composite_relations(database: Database) -> None:
    async with AsyncSession(database) as session:
        order, pair = Numbered(name="o"), Pair(left=1, right="a", name="p")
        session.add(Line(order=order, number=1, pair=pair), Line(order=order, number=2))
        await session.commit()
        key = order.id
    async with AsyncSession(database) as session:
        first, second = await session.query(Line).order_by(Line.number)
        assert (first.order.id, first.number, first.pair.right, second.pair) == (key, 1, "a", None)
        assert (await first.pair).name == "p"
        assert await session.get(Line, (1, key)) is first
        assert await session.query(Line).filter(Line.pair.name == "p").count() == 1
        assert await session.query(Line).filter(Line.pair == ref(Pair, 1, "a")).count() == 1
        assert await session.query(Line).filter(pair__in=[(1, "a"), (2, "b")]).count() == 1
        second.pair = first.pair
        await session.flush()
        assert await session.query(Line).filter(pair=(1, "a")).count() == 2
        first.pair = None
        await session.flush()
        assert await session.query(Line).filter(Line.pair.is_null()).scalars(Line.number) == [1]


# ------------------------------------------------------------------ values that the database makes


def assert_made(row: Made) -> None:
    values = row.to_dict()
    now = values.pop("now")
    assert abs(now - utcnow()) < timedelta(hours=1)
    assert now.tzinfo is UTC
    del values["id"], values["first"], values["price"]
    assert values == {
        "status": "it's new",
        "count": 7,
        "ratio": 2.0,
        "flag": True,
        "cost": Decimal("1.50"),
        "color": Color.RED,
        "words": ["a", 'b"'],
        "extra": {"a": [1]},
        "span": timedelta(days=-1, microseconds=1),
        "uid": UUID(int=5),
        "blob": b"\0'",
        "then": datetime(2024, 1, 2, tzinfo=UTC),
        "nothing": None,
        "sum": 3,
        "shout": f"{row.first.upper()}!",
        "total": row.price * 2,
    }
    assert [type(values[name]) for name in ("ratio", "flag", "cost", "uid")] == [float, bool, Decimal, UUID]


async def test_values_come_back_with_the_insert(database: Database) -> None:
    async with AsyncSession(database) as session:
        one = Made(first="e", price=Decimal("1.25"))
        session.add(one)
        await session.flush()
        assert_made(one)
        many = [Made(first=letter, price=Decimal(number)) for number, letter in enumerate("abc")]
        session.add(*many)
        await session.flush()
        for row in many:
            assert_made(row)
    async with AsyncSession(database) as session:
        for row in await session.query(Made):
            assert_made(row)


async def test_a_given_value_comes_before_the_default(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(
            Made(first="a", price=Decimal(1), count=1, nothing=5),
            Made(first="b", price=Decimal(1)),
            Made(first="c", price=Decimal(1), count=3, nothing=None),
        )
    async with AsyncSession(database) as session:
        rows = await session.query(Made).order_by(Made.first).values(Made.count, Made.nothing, Made.status)
        assert rows == [(1, 5, "it's new"), (7, None, "it's new"), (3, None, "it's new")]


async def test_computed_values_follow_every_change(database: Database) -> None:
    async with AsyncSession(database) as session:
        rows = [Made(first="a", price=Decimal(1)), Made(first="b", price=Decimal(2))]
        session.add(*rows)
        await session.commit()
        rows[0].first = "x"
        await session.commit()
        assert (rows[0].shout, rows[0].total) == ("X!", 2)
        for row in rows:
            row.price += 1
        await session.commit()
        assert [row.total for row in rows] == [4, 6]
        assert await session.query(Made).filter(Made.total > 4).scalars(Made.shout) == ["B!"]


async def test_bulk_changes_reach_computed_values(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Made(first="a", price=Decimal("1.11")))
        await session.flush()
        await session.query(Made).update(Made.price.set(Made.price * Decimal("1.5")))
        assert await session.query(Made).values(Made.price, Made.total) == [(Decimal("1.67"), Decimal("3.34"))]


async def test_a_required_value_that_is_missing_is_refused_by_the_database_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(NotNullViolation) as caught:
            await session.execute("insert into keys_natural (code) values ('x')")
        assert caught.value.columns == ("name",)
        await session.rollback()
