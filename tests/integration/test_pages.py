"""Pages by key on both databases: no row twice, none left out, whatever the order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypedDict
from uuid import UUID

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    Page,
    QueryError,
    WrongCursor,
    case,
    field,
    foreign_key,
    func,
    generated,
    many_to_many,
    reverse,
)
from tests.support import kept_tables
from tests.support.newsroom import sent


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Ship(Model, app="pages"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    crates: Many[Crate] = reverse("ship")


class Port(Model, app="pages"):
    """Loaded in rows whose objects all come from one ship, or from none."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)


class Crate(Model, app="pages"):
    """A column of each kind that can be ordered by, all with ties and NULLs."""

    id: Mapped[int] = generated(primary_key=True)
    label: Mapped[str]
    number: Mapped[int | None] = field(default=None)
    weight: Mapped[float | None] = field(default=None)
    price: Mapped[Decimal | None] = field(default=None)
    tax: Mapped[Decimal | None] = field(default=None, precision=10, decimal_places=2)
    fragile: Mapped[bool | None] = field(default=None)
    day: Mapped[date | None] = field(default=None)
    hour: Mapped[time | None] = field(default=None)
    moment: Mapped[datetime | None] = field(default=None)
    span: Mapped[timedelta | None] = field(default=None)
    uid: Mapped[UUID | None] = field(default=None)
    data: Mapped[bytes | None] = field(default=None)
    mood: Mapped[Mood | None] = field(default=None)
    ship: One[Ship | None] = foreign_key(default=None)
    ports: Many[Port] = many_to_many()


class Parcel(Model, app="pages"):
    """Columns whose order is the database's own, and what expressions are made of."""

    id: Mapped[int] = generated(primary_key=True)
    paint: Mapped[Mood] = field(native="pages_mood")
    kind: Mapped[Literal["x", "y"]] = field(default="x")
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    number: Mapped[int | None] = field(default=None)
    stamps: Many[Stamp] = reverse("parcel")


class Stamp(Model, app="pages"):
    id: Mapped[int] = generated(primary_key=True)
    parcel: One[Parcel] = foreign_key()


MODELS: list[type[Model]] = [Ship, Port, Crate, Parcel, Stamp]
ORDERED = [
    "number",
    "weight",
    "price",
    "tax",
    "fragile",
    "day",
    "hour",
    "moment",
    "span",
    "uid",
    "data",
    "mood",
]


def crate(n: int) -> dict[str, Any]:
    """Gives the values of a crate: every third is None, and every other value comes twice."""
    if n % 3 == 0:
        return {"label": f"c{n % 5}"}
    k = n // 2 - 5
    return {
        "label": f"c{n % 5}",
        "number": k * 1_000_000_000 % 2_000_000_011 - 1_000_000_000,
        "weight": [0.1, -0.0, 1e300, 1e-300, float("inf"), float("-inf"), 2.5][n % 7],
        "price": [Decimal("10"), Decimal("9.5"), Decimal("-0.25"), Decimal("1E+3"), Decimal(10) ** 30][n % 5],
        "tax": Decimal(k) / 4,
        "fragile": bool(n % 2),
        "day": date(2024, 1, 1) + timedelta(days=k * 40),
        "hour": time(n % 24, 30, 0, n),
        "moment": datetime(2024, 2, 29, 23, 59, 59, 999999, UTC) + timedelta(microseconds=k),
        "span": timedelta(days=k, microseconds=n % 4),
        "uid": UUID(int=k * 2**90 % 2**127),
        "data": bytes([n % 5, 255, k % 7]),
        "mood": Mood.GLAD if n % 2 else Mood.SAD,
    }


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        async with AsyncSession(database) as session:
            ships = [Ship(name=name) for name in ("Argo", "Beagle", "Beagle")]
            session.add(*ships)
            session.add(*(Port(name=name) for name in ("Aden", "Bari")))
            session.add(*(Crate(ship=[*ships, None][n % 4], **crate(n)) for n in range(30)))
        yield database


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(database) as session:
        yield session


async def walk(query: Any, size: int) -> list[Any]:
    """Gives all rows, page by page, after having walked back the same way."""
    pages: list[Page[Any]] = [await query.page(size)]
    while pages[-1].has_next:
        assert len(pages[-1]) == size
        pages.append(await query.page(size, after=pages[-1].next))
    assert not pages[0].has_previous
    rows = [row for page in pages for row in page]
    back = pages[-1]
    while back.has_previous:
        # the row before each page is the last of the page before it
        back = await query.page(size, before=back.previous)
        assert back.has_next
        place = rows.index(back[0])
        assert rows[place : place + len(back)] == back.items
    assert rows[: len(back)] == back.items
    return rows


# ------------------------------------------------------------------ orders


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("name", ORDERED)
async def test_pages_give_the_whole_order(session: AsyncSession, name: str, descending: bool) -> None:
    column = getattr(Crate, name)
    query = session.query(Crate).order_by(column.desc() if descending else column)
    expected = await query.order_by(Crate.id.desc() if descending else Crate.id)
    assert len(expected) == 30
    for size in (1, 7, 30):
        assert await walk(query, size) == expected
    assert await walk(session.query(Crate).order_by(column.desc(), Crate.label, Crate.id.desc()), 4) == (
        await session.query(Crate).order_by(column.desc(), Crate.label, Crate.id.desc())
    )


async def test_pages_are_one_statement_each(session: AsyncSession) -> None:
    query = session.query(Crate).order_by(Crate.moment.desc(), Crate.label)
    page = await query.page(5)
    assert sent(session) == 1
    page = await query.page(5, after=page.next)
    await query.page(5, before=page.previous)
    assert sent(session) == 3
    assert not session.in_transaction


async def test_orders_along_relations_and_by_expressions(session: AsyncSession) -> None:
    for keys in (
        [Crate.ship.name],
        [Crate.ship.name.desc(), Crate.number],
        [func.lower(Crate.label), Crate.ship.name],
        [func.coalesce(Crate.tax, 0).desc()],
    ):
        query = session.query(Crate).order_by(*keys)
        rows = await walk(query, 4)
        assert sorted(row.id for row in rows) == list(range(1, 31))
        assert rows == (await query.page(100)).items


async def test_orders_by_expressions_of_every_kind(session: AsyncSession) -> None:
    moods, kinds = list(Mood), ("x", "y")
    parcels = [
        Parcel(paint=moods[n % 2], kind=kinds[n // 2 % 2], extra={"n": n % 4}, number=None if n % 3 else n)
        for n in range(11)
    ]
    session.add(*parcels, *(Stamp(parcel=parcels[n % 5]) for n in range(9)))
    await session.commit()
    for keys in (
        [Parcel.paint],
        [Parcel.paint.desc(), Parcel.kind],
        [Parcel.kind.desc(), Parcel.paint.desc()],
        [Parcel.extra.path("n", returns=int).desc()],
        [(Parcel.id > 4).desc(), Parcel.kind],
        [Parcel.stamps.count().desc()],
        [Parcel.id.in_([3, 5]).desc()],
        [case((Parcel.kind == "x", "a"), default="b")],
        [func.coalesce(Parcel.number, 3) * 2],
        [Parcel.number.asc().nulls_first(), Parcel.kind],
        [Parcel.number.desc().nulls_last()],
    ):
        query = Parcel.objects.order_by(*keys)
        rows = await walk(query, 3)
        assert len(rows) == 11
        assert rows == (await query.page(100)).items
    stamped = Parcel.objects.annotate(Parcel.stamps, Parcel.stamps.count()).order_by(Parcel.stamps.count().desc())
    assert [(len(stamps), count) for _, stamps, count in (await stamped.page(3)).items] == [(2, 2)] * 3


async def test_pages_of_filtered_rows(session: AsyncSession) -> None:
    query = session.query(Crate).filter(Crate.ship.name == "Beagle", Crate.number.is_not_null()).order_by(Crate.tax)
    assert await walk(query, 3) == await query.order_by(Crate.id)


async def test_rows_that_come_and_go_do_not_shift_pages(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Crate).scalars(Crate.id)
        first = await query.page(5)
        await session.query(Crate).filter(Crate.id <= 4).delete()
        assert (await query.page(5, after=first.next)).items == [6, 7, 8, 9, 10]
        assert (await query.page(5, before=first.next)).items == []
        # the row that a cursor was made of may be gone
        await session.query(Crate).filter(Crate.id == 5).delete()
        assert (await query.page(2, after=first.next)).items == [6, 7]


# ------------------------------------------------------------------ what the rows are


@dataclass
class Line:
    label: str
    ship: str | None


class Named(TypedDict):
    label: str
    n: int


async def test_pages_of_values(session: AsyncSession) -> None:
    crates = session.query(Crate).order_by(Crate.number.desc(), Crate.label)
    for query in (
        crates.values(Crate.label),
        crates.values(Crate.number, Crate.id),
        crates.values(Crate, Crate.label),
        crates.scalars(Crate.price),
        crates.scalars(Crate.number),
        crates.as_dicts(Crate.label, Crate.price),
        crates.as_dicts(),
        crates.values(Crate.label, Crate.ship.name.label("ship")).into(Line),
        crates.scalars(Crate.label.label("l")),
        crates.annotate(func.length(Crate.label)),
        crates.values(Crate.ship.optional(), Crate.label),
        crates.values(Crate.mood, Crate.uid, Crate.span),
    ):
        pages = [await query.page(7)]
        while pages[-1].next is not None:
            pages.append(await query.page(7, after=pages[-1].next))
        assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
        assert [row for page in pages for row in page] == (await query.page(1000)).items
    assert isinstance((await crates.values(Crate.label, Crate.ship.name.label("ship")).into(Line).page(1))[0], Line)


async def test_pages_of_what_is_ordered_by_or_looks_like_it(session: AsyncSession) -> None:
    crates = session.query(Crate).order_by(Crate.id * 3)
    numbers = await session.query(Crate).order_by(Crate.id).scalars(Crate.id)
    for factor in (3, 2, 3):
        assert await walk(crates.scalars(Crate.id * factor), 7) == [number * factor for number in numbers]


async def test_pages_of_groups(session: AsyncSession) -> None:
    number = func.count()
    groups = session.query(Crate).values(Crate.label, Crate.ship.name, number).group_by(Crate.label, Crate.ship.name)
    for query in (groups, groups.order_by(number.desc()), groups.order_by(number, Crate.ship.name.desc())):
        rows = await walk(query, 3)
        assert sorted(rows, key=repr) == sorted(await groups, key=repr)
    busy = groups.having(number > 1).order_by(number)
    assert await walk(busy, 2) == await busy.order_by(Crate.label, Crate.ship.name)
    named = session.query(Crate).values(Crate.label, number.label("n")).group_by(Crate.label).into(Named)
    assert await walk(named, 2) == [{"label": f"c{n}", "n": 6} for n in range(5)]


async def test_pages_of_distinct_rows(session: AsyncSession) -> None:
    query = session.query(Crate).values(Crate.label, Crate.fragile).distinct().order_by(Crate.fragile.desc())
    rows = await walk(query, 2)
    assert sorted(rows, key=repr) == sorted(set(await query), key=repr)


async def test_pages_of_a_union(session: AsyncSession) -> None:
    crates = session.query(Crate)
    query = crates.filter(Crate.id <= 20).union(crates.filter(Crate.id >= 10)).order_by(Crate.label.desc())
    assert [row.id for row in await walk(query, 4)] == [row.id for row in await query.order_by(Crate.id.desc())]


async def test_pages_of_rows_that_a_join_multiplies(session: AsyncSession) -> None:
    query = session.query(Ship).values(Ship.name, Ship.crates.each.label).order_by(Ship.name)
    rows = await walk(session.query(Ship).values(Ship.id, Ship.crates.each.id).order_by(Ship.name), 2)
    assert len(rows) == len(set(rows)) == 23
    assert len((await query.page(100)).items) == 23
    ports = await session.query(Port)
    for number, item in enumerate(await session.query(Crate).filter(Crate.id <= 6).order_by(Crate.id)):
        item.ports.add(*ports[: number % 3])
    await session.flush()
    linked = session.query(Crate).filter(Crate.id <= 6).values(Crate.id, Crate.ports.each.name.optional())
    assert sorted(await walk(linked.order_by(Crate.label), 2), key=repr) == sorted(await linked, key=repr)


async def test_objects_keep_their_identity_and_their_changes(session: AsyncSession) -> None:
    known = await session.get_one(Crate, 1)
    known.label = "changed"
    page = await session.query(Crate).order_by(Crate.label).page(30)
    assert known in page
    # what was pending is written before the page is read, and counts
    assert [item.label for item in page] == sorted(item.label for item in page)


# ------------------------------------------------------------------ ends, and bad cursors


async def test_an_empty_page_leads_back(session: AsyncSession) -> None:
    query = session.query(Crate).scalars(Crate.id)
    last = await query.page(5, before=(await query.page(30)).next)
    assert last.items == [1, 2, 3, 4, 5]
    cursor = (await query.page(28)).next
    await session.query(Crate).filter(Crate.id > 28).delete()
    empty = await query.page(5, after=cursor)
    assert (empty.items, empty.next) == ([], None)
    back = await query.page(5, before=empty.previous)
    # the row that the cursor was made of is on it
    assert back.items == [24, 25, 26, 27, 28]
    assert back.next is not None
    assert (await query.page(5, after=back.next)).items == []
    start = await query.page(5, before=(await query.page(5, after=(await query.page(1)).next)).previous)
    assert start.items == [1]
    empty = await query.page(5, before=start.previous) if start.previous else await query.page(5)
    assert empty.items[0] == 1
    nothing = await session.query(Crate).filter(Crate.id < 0).page(5)
    assert (nothing.items, nothing.next, nothing.previous) == ([], None, None)


async def test_before_the_first_row(session: AsyncSession) -> None:
    query = session.query(Crate).scalars(Crate.id)
    second = await query.page(5, after=(await query.page(1)).next)
    await session.query(Crate).filter(Crate.id == 1).delete()
    empty = await query.page(5, before=second.previous)
    assert (empty.items, empty.previous) == ([], None)
    assert (await query.page(5, after=empty.next)).items == [2, 3, 4, 5, 6]


async def test_a_cursor_goes_from_session_to_session(database: Database) -> None:
    async with AsyncSession(database) as session:
        cursor = (await session.query(Crate).order_by(Crate.price).page(5)).next
    again = Database(database.config)
    async with again, AsyncSession(again) as session:
        page = await session.query(Crate).order_by(Crate.price).page(5, after=cursor)
        expected = await session.query(Crate).order_by(Crate.price, Crate.id).limit(5).offset(5)
        assert page.items == expected


async def test_cursors_of_others_are_refused(session: AsyncSession) -> None:
    cursor = (await session.query(Crate).order_by(Crate.price).page(5)).next
    assert cursor is not None
    for other in (
        session.query(Crate).order_by(Crate.price.desc()),
        session.query(Crate).order_by(Crate.tax),
        session.query(Crate).order_by(Crate.label, Crate.price),
        session.query(Ship),
    ):
        with pytest.raises(WrongCursor, match="of another query, or of another order"):
            await other.page(5, after=cursor)
    with pytest.raises(WrongCursor, match="was changed, cut"):
        await session.query(Crate).order_by(Crate.price).page(5, after=cursor[:-2])
    with pytest.raises(WrongCursor, match="was changed, cut"):
        await session.query(Crate).order_by(Crate.price).page(5, before=cursor[2:])
    assert sent(session) == 1


async def test_a_query_with_a_limit_has_no_pages(session: AsyncSession) -> None:
    with pytest.raises(QueryError, match="limit or offset"):
        await session.query(Crate).limit(5).page(5)
