"""Whatever the table, the order and the size: pages give exactly the sorted rows, forwards and backwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import AsyncSession, Database, Mapped, Model, field
from tests.support import kept_tables
from tests.support.newsroom import rolled_back


class Pebble(Model, app="paging"):
    """Few values in each column, so that most rows tie with others."""

    shore: Mapped[int] = field(primary_key=True)
    place: Mapped[int] = field(primary_key=True)
    name: Mapped[str | None] = field(default=None)
    size: Mapped[int] = field(default=0)
    worth: Mapped[Decimal | None] = field(default=None)
    round: Mapped[bool | None] = field(default=None)


VALUES: dict[str, list[Any]] = {
    "name": [None, "", "a", "b"],
    "size": [-1, 0, 2**31 - 1],
    "worth": [None, Decimal("9"), Decimal("10"), Decimal("-1.5")],
    "round": [None, False, True],
}

rows = st.lists(st.tuples(*map(st.sampled_from, VALUES.values())), max_size=12)
orders = st.lists(
    st.tuples(st.sampled_from(["shore", "place", *VALUES]), st.booleans(), st.sampled_from([None, "first", "last"])),
    max_size=4,
    unique_by=lambda item: item[0],
)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Pebble)
        yield database


def compared(order: list[tuple[str, bool, str | None]]) -> Any:
    """Gives the sort key of an order: NULL is larger than everything, unless it is told where to stand."""

    def compare(one: Pebble, other: Pebble) -> int:
        for name, down, nulls in order:
            mine, theirs = getattr(one, name), getattr(other, name)
            if mine == theirs:
                continue
            if mine is None or theirs is None:
                last = nulls == "last" or (nulls is None and not down)
                return 1 if (mine is None) == last else -1
            return 1 if (mine > theirs) != down else -1
        return 0

    return cmp_to_key(compare)


def order_of(name: str, down: bool, nulls: str | None) -> Any:
    column = getattr(Pebble, name)
    order = column.desc() if down else column.asc()
    return order if nulls is None else order.nulls_last() if nulls == "last" else order.nulls_first()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, order=orders, size=st.integers(1, 5), filtered=st.booleans())
async def test_pages_are_the_sorted_rows(
    database: Database, rows: list[Any], order: list[tuple[str, bool, str | None]], size: int, filtered: bool
) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        pebbles = [
            Pebble(shore=place % 3, place=place, **dict(zip(VALUES, row, strict=True)))
            for place, row in enumerate(rows)
        ]
        session.add(*pebbles)
        query = session.query(Pebble).order_by(*(order_of(*item) for item in order))
        if filtered:
            query = query.filter(Pebble.shore > 0)
        down = bool(order) and all(down for _, down, _ in order)
        total = [*order, *((name, down, None) for name in ("shore", "place"))]
        expected = sorted((p for p in pebbles if p.shore > 0 or not filtered), key=compared(total))

        page = await query.page(size)
        found, cursors = page.items, [page]
        while page.has_next:
            page = await query.page(size, after=page.next)
            found = found + page.items
            cursors.append(page)
        assert found == expected

        found, end = page.items, page
        while end.has_previous:
            end = await query.page(size, before=end.previous)
            found = end.items + found
        assert found == expected
        assert all(len(page) == size for page in cursors[:-1])
