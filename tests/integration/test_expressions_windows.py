"""Window functions: places, neighbours, running sums and their frames, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    One,
    QueryError,
    WrongType,
    case,
    field,
    foreign_key,
    func,
    generated,
)
from tests.support.computed import Cases, readings, wrong
from tests.support.readings import Reading as R

D, DAY = Decimal, timedelta(days=1)

PLACES: Cases = {
    "row_number": (lambda: func.row_number().over(order_by=[R.n]), [3, 1, 2]),
    "backwards": (lambda: func.row_number().over(order_by=[R.n.desc()]), [1, 3, 2]),
    "in partitions": (lambda: func.row_number().over(partition_by=[R.flag], order_by=[R.n]), [2, 1, 1]),
    "rank": (lambda: func.rank().over(order_by=[R.flag]), [2, 1, 2]),
    "dense_rank": (lambda: func.dense_rank().over(order_by=[R.flag.desc()]), [1, 2, 1]),
    "percent_rank": (lambda: func.percent_rank().over(order_by=[R.n]), [1.0, 0.0, 0.5]),
    "cume_dist": (lambda: func.cume_dist().over(order_by=[R.flag]), [1.0, 1 / 3, 1.0]),
    "ntile": (lambda: func.ntile(2).over(order_by=[R.id]), [1, 1, 2]),
    "by Decimals": (lambda: func.row_number().over(order_by=[R.d]), [2, 1, 3]),
    "partitions of Decimals": (lambda: func.count().over(partition_by=[R.d * 0]), [3, 3, 3]),
    "NULL is largest": (lambda: func.row_number().over(order_by=[R.m]), [3, 1, 2]),
    "NULL is largest, backwards": (lambda: func.row_number().over(order_by=[R.m.desc()]), [1, 3, 2]),
    "NULL first": (lambda: func.row_number().over(order_by=[R.m.asc().nulls_first()]), [1, 2, 3]),
    "NULL last": (lambda: func.row_number().over(order_by=[R.m.desc().nulls_last()]), [3, 2, 1]),
    "computed with": (lambda: func.row_number().over(order_by=[R.n]) * 10 + R.id, [31, 12, 23]),
    "of an expression with values": (lambda: func.rank().over(partition_by=[R.n % 7], order_by=[R.n + 1]), [3, 1, 2]),
    "in a case": (
        lambda: case((func.row_number().over(order_by=[R.n]) == 1, "first"), default="-"),
        ["-", "first", "-"],
    ),
    "of the database's own": (lambda: func.call("row_number", returns=int).over(order_by=[R.n]), [3, 1, 2]),
}

NEIGHBOURS: Cases = {
    "lag": (lambda: func.lag(R.n).over(order_by=[R.id]), [None, 7, -7]),
    "lag of two": (lambda: func.lag(R.n, 2, default=99).over(order_by=[R.id]), [99, 99, 7]),
    "lag of Decimals": (
        lambda: func.lag(R.d, 1, default=D("0.5")).over(order_by=[R.d]),
        [D("-2.25"), D("0.5"), D("1.5")],
    ),
    "lag by a column": (lambda: func.lag(R.n, 1, default=R.id).over(order_by=[R.id]), [1, 7, -7]),
    "lead": (lambda: func.lead(R.u, 1, default="end").over(order_by=[R.id]), ["x", "abc", "end"]),
    "lead of none": (lambda: func.lead(R.n, 0).over(order_by=[R.id]), [7, -7, 0]),
    "first": (lambda: func.first_value(R.n).over(order_by=[R.n]), [-7, -7, -7]),
    "last ends with the row": (lambda: func.last_value(R.n).over(order_by=[R.n]), [7, -7, 0]),
    "last of all": (lambda: func.last_value(R.n).over(order_by=[R.n], rows=(None, None)), [7, 7, 7]),
    "nth": (lambda: func.nth_value(R.n, 2).over(order_by=[R.n]), [0, None, 0]),
    "an empty frame": (lambda: func.first_value(R.n).over(order_by=[R.id], rows=(1, 2)), [-7, 0, None]),
    "of moments": (lambda: R.at - func.lag(R.at).over(order_by=[R.id]) < timedelta(0), [None, True, True]),
}

FRAMES: Cases = {
    "everything": (lambda: func.sum(R.n + 1).over(), [3, 3, 3]),
    "a partition": (lambda: func.sum(R.n).over(partition_by=[R.flag]), [7, -7, 7]),
    "up to the row": (lambda: func.sum(R.d).over(order_by=[R.d]), [D("-0.75"), D("-2.25"), D("9.25")]),
    "two rows": (lambda: func.sum(R.d).over(order_by=[R.id], rows=(-1, 0)), [D("1.5"), D("-0.75"), D("7.75")]),
    "filtered": (lambda: func.sum(R.d, filter=R.flag).over(order_by=[R.id], rows=(-1, 0)), [D("1.5"), D("1.5"), D(10)]),
    "around the row": (
        lambda: func.avg(R.d).over(order_by=[R.id], rows=(-1, 1)),
        [D("-0.375"), D("3.0833333333333333"), D("3.875")],
    ),
    "from the row on": (lambda: func.count().over(order_by=[R.id], rows=(0, None)), [3, 2, 1]),
    "the next row": (lambda: func.sum(R.n).over(order_by=[R.id], rows=(1, 1)), [-7, 0, None]),
    "the rows before": (lambda: func.sum(R.n).over(order_by=[R.id], rows=(None, -1)), [None, 7, 0]),
    "max of Decimals": (lambda: func.max(R.d).over(order_by=[R.id], rows=(-1, 0)), [D("1.5"), D("1.5"), D(10)]),
    "min of Decimals": (lambda: func.min(R.d).over(order_by=[R.id], rows=(0, 1)), [D("-2.25"), D("-2.25"), D(10)]),
    "max of bools": (lambda: func.max(R.flag).over(order_by=[R.id], rows=(0, 0)), [True, False, True]),
    "max of UUIDs": (lambda: func.max(R.uid).over(order_by=[R.id]), [UUID(int=1), UUID(int=2**127), UUID(int=2**127)]),
    "stddev": (
        lambda: func.round(func.stddev(R.n).over(order_by=[R.id], rows=(-1, 0)), 6),
        [None, 9.899495, 4.949747],
    ),
    "string_agg": (lambda: func.string_agg(R.u, ",").over(order_by=[R.id], rows=(-1, 0)), [None, "x", "x,abc"]),
    "array_agg": (lambda: func.array_agg(R.n).over(order_by=[R.id], rows=(-1, 0)), [[7], [7, -7], [-7, 0]]),
    "array_agg of nothing": (lambda: func.array_agg(R.n).over(order_by=[R.id], rows=(1, 1)), [[-7], [0], []]),
    "a range": (lambda: func.count().over(order_by=[R.n], range=(-7, 0)), [2, 1, 2]),
    "a range, backwards": (lambda: func.count().over(order_by=[R.n.desc()], range=(-7, 0)), [1, 2, 2]),
    "a range of floats": (lambda: func.count().over(order_by=[R.x], range=(-5, None)), [3, 3, 1]),
    "a range of moments": (lambda: func.count().over(order_by=[R.at], range=(-1300 * DAY, 0 * DAY)), [2, 1, 1]),
    "a range of dates": (lambda: func.count().over(order_by=[R.day], range=(-DAY, DAY)), [2, 2, 1]),
    "a range of timedeltas": (lambda: func.count().over(order_by=[R.span], range=(-DAY, 0 * DAY)), [1, 1, 2]),
    "a range with NULL": (lambda: func.count().over(order_by=[R.m], range=(-1, 0)), [1, 1, 2]),
    "a range of equals": (lambda: func.count().over(order_by=[R.flag], range=(None, 0)), [3, 1, 3]),
    "groups": (lambda: func.count().over(order_by=[R.flag], groups=(-1, 0)), [3, 1, 3]),
    "this group": (lambda: func.count().over(order_by=[R.flag], groups=(0, 0)), [2, 1, 2]),
}


@pytest.mark.parametrize("cases", [PLACES, NEIGHBOURS, FRAMES])
async def test_windows(database_dsn: str, cases: Cases) -> None:
    assert await wrong(database_dsn, cases) == {}


class Writer(Model, app="windows"):
    first: Mapped[str] = field(primary_key=True)
    last: Mapped[str] = field(primary_key=True)


class Text(Model, app="windows"):
    id: Mapped[int] = generated(primary_key=True)
    views: Mapped[int]
    price: Mapped[Decimal] = field(precision=8, decimal_places=2, default=Decimal(1))
    writer: One[Writer] = foreign_key()
    editor: One[Writer | None] = foreign_key(default=None)


async def fill(database: Database) -> None:
    await database.create_all(Writer, Text)
    async with AsyncSession(database) as session:
        ada, bob = Writer(first="Ada", last="L"), Writer(first="Ada", last="B")
        session.add(
            Text(views=5, writer=ada, price=D("1.10")),
            Text(views=9, writer=ada, editor=bob, price=D("2.20")),
            Text(views=7, writer=bob, price=D("3.30")),
        )


async def test_relations_are_partitions_by_their_whole_key(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await fill(database)
        async with AsyncSession(database) as session:
            rank = func.row_number().over(partition_by=[Text.writer], order_by=[Text.views.desc()])
            rows = session.query(Text).order_by(Text.id)
            assert await rows.scalars(rank) == [2, 1, 1]
            assert await rows.scalars(func.count().over(partition_by=[Text.writer.first])) == [3, 3, 3]
            assert await rows.scalars(func.count().over(partition_by=[Text.editor])) == [2, 1, 2]
            assert await rows.scalars(func.count().over(order_by=[Text.writer])) == [3, 3, 1]


async def test_the_first_of_each_group_is_found_in_a_subquery(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await fill(database)
        async with AsyncSession(database) as session:
            place = func.row_number().over(partition_by=[Text.writer], order_by=[Text.views.desc()]).label("place")
            ranked = session.query(Text).values(Text.id, place).subquery("ranked")
            best = session.query(Text).join(ranked, ranked[Text.id] == Text.id).filter(ranked[place] == 1)
            assert await best.order_by(Text.id).scalars(Text.views) == [9, 7]


async def test_windows_over_groups_orders_and_distinct_rows(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await fill(database)
        async with AsyncSession(database) as session:
            total = func.sum(Text.price).label("total")
            groups = session.query(Text).group_by(Text.writer.last).order_by(Text.writer.last)
            place = func.rank().over(order_by=[func.sum(Text.price).desc()])
            of_all = func.sum(func.sum(Text.price)).over()
            assert await groups.values(Text.writer.last, total, place, of_all) == [
                ("B", D("3.3"), 1, D("6.6")),
                ("L", D("3.3"), 1, D("6.6")),
            ]
            running = func.sum(Text.views).over(order_by=[Text.id])
            assert await session.query(Text).order_by(running.desc()).scalars(running) == [21, 14, 5]
            assert await session.query(Text).distinct().scalars(func.count().over()) == [3]
            assert await session.query(Text).values(Text.id, running).count() == 3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda q: q.values(func.row_number()),
            r"func\.row_number\(\) has no window\nHint: func\.row_number\(\.\.\.\)\.over\(",
        ),
        (lambda q: q.order_by(func.rank()), r"func\.rank\(\) has no window"),
        (lambda q: q.filter(func.lag(Text.views) > 3), r"func\.lag\(Text\.views, .*\) has no window"),
        (
            lambda q: q.filter(func.row_number().over() == 1),
            r"row_number\(\)\.over\(\.\.\.\) in filter\(\) is computed after it\nHint: select",
        ),
        (lambda q: q.filter(func.count().over() > 1).count(), r"func\.count\(\)\.over\(\.\.\.\) in filter\(\)"),
        (lambda q: q.filter(func.count().over() > 1).delete(), r"in delete\(\) is computed after it"),
        (lambda q: q.update(Text.views.set(func.row_number().over())), r"in update\(\) is computed after it"),
        (lambda q: q.group_by(func.row_number().over()).values(func.count()), r"in group_by\(\) is computed after it"),
        (
            lambda q: q.values(func.count()).group_by(Text.id).having(func.rank().over() > 1),
            r"in having\(\) is computed after it",
        ),
        (lambda q: q.join(Writer, func.count().over() > 1).values(Text.id), r"in join\(\) is computed after it"),
        (lambda q: q.values(func.sum(func.rank().over())), r"cannot stand in it\nHint: compute it in a subquery"),
        (lambda q: q.values(func.sum(Text.views).over(order_by=[func.rank()])), r"func\.rank\(\) has no window"),
        (
            lambda q: q.filter(Text.id.in_(q.filter(func.rank().over() == 1).scalars(Text.id))),
            r"in filter\(\) is computed after it",
        ),
        (
            lambda q: q.values(func.count(), func.row_number().over(order_by=[Text.id])),
            r"read from groups without being grouped",
        ),
    ],
)
async def test_where_no_window_can_be(database_dsn: str, build: Callable[[Any], Any], message: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Writer, Text)
        async with AsyncSession(database) as session:
            with pytest.raises(QueryError, match=message):
                await build(session.query(Text))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: R.n.over(), r"Reading\.n has no window\nHint: aggregates and window functions have"),
        (lambda: func.lower(R.t).over(), r"lower\(Reading\.t\) has no window"),
        (lambda: func.row_number().over().over(), r"has no window"),
        (
            lambda: func.count(R.n, distinct=True).over(),
            r"func\.count\(Reading\.n\) with distinct or an order of its own has no",
        ),
        (
            lambda: func.array_agg(R.n, order_by=[R.n]).over(),
            r"with distinct or an order of its own has no window\nHint",
        ),
        (
            lambda: func.sum(R.n).over(partition_by=R.flag),
            r"\.over\(partition_by\) takes a list, not Reading\.flag\nHint: put it",
        ),
        (lambda: func.sum(R.n).over(order_by=R.n.desc()), r"\.over\(order_by\) takes a list"),
        (lambda: func.sum(R.n).over(order_by="n"), r"\.over\(order_by\) takes a list, not 'n'"),
        (lambda: func.sum(R.n).over(partition_by=["flag"]), r"\.over\(partition_by\) takes an expression, not 'flag'"),
        (lambda: func.sum(R.n).over(partition_by=None), r"\.over\(partition_by\) takes a list, not None"),
        (lambda: func.count().over(rows=3), r"rows=3\): a frame is \(from, to\)\nHint: rows=\(-1, 1\)"),
        (lambda: func.count().over(rows=(1,)), r"a frame is \(from, to\)"),
        (lambda: func.count().over(rows=[0, 1]), r"a frame is \(from, to\)"),
        (lambda: func.count().over(rows=(0.5, 1)), r"0\.5 \(float\) is no offset"),
        (lambda: func.count().over(rows=(True, 1)), r"True \(bool\) is no offset"),
        (lambda: func.count().over(rows=("1; --", 1)), r"'1; --' \(str\) is no offset"),
        (lambda: func.count().over(rows=(1, -1)), r"ends before it begins\nHint: the smaller offset first"),
        (lambda: func.count().over(order_by=[R.n], rows=(0, 2**63)), r"does not fit 64 bits"),
        (lambda: func.count().over(groups=(0, 1)), r"has no groups without an order\nHint: give order_by"),
        (lambda: func.count().over(order_by=[R.n], rows=(0, 1), groups=(0, 1)), r"has several frames\nHint: give one"),
        (lambda: func.count().over(range=(-1, 0)), r"measures along one order, not 0\nHint"),
        (lambda: func.count().over(order_by=[R.n, R.m], range=(-1, 0)), r"measures along one order, not 2"),
        (
            lambda: func.count().over(order_by=[R.t], range=(-1, 0)),
            r"Reading\.t is text, along which nothing is measured\nHint",
        ),
        (
            lambda: func.count().over(order_by=[R.d], range=(-1, 0)),
            r"Reading\.d is numeric, along which nothing is measured",
        ),
        (lambda: func.count().over(order_by=[R.at], range=(-1, 0)), r"-1 \(int\) is no offset"),
        (lambda: func.count().over(order_by=[R.n], range=(-DAY, DAY)), r"\(timedelta\) is no offset"),
        (lambda: func.ntile(0), r"func\.ntile\(\) takes a whole number from 1"),
        (lambda: func.nth_value(R.n, 0), r"func\.nth_value\(\) takes a whole number from 1"),
        (lambda: func.lag(R.n, -1), r"func\.lag\(offset\) takes a whole number from 0"),
        (lambda: func.lag(R.n, "1"), r"func\.lag\(offset\) takes a whole number"),
        (lambda: func.lag(R.n, 1, default="x"), r"'x' \(str\) is not an int"),
        (lambda: func.lead("x"), r"func\.lead\(\) takes an expression, not 'x'"),
    ],
)
def test_windows_that_cannot_be(build: Callable[[], Any], message: str) -> None:
    with pytest.raises((QueryError, WrongType), match=message):
        build()


async def test_an_order_may_place_null(database_dsn: str) -> None:
    async with readings(database_dsn) as session:
        rows = session.query(R).scalars(R.id)
        assert await rows.order_by(R.m.asc().nulls_first()) == [1, 2, 3]
        assert await rows.order_by(R.m.asc().nulls_last()) == [2, 3, 1]
        assert await rows.order_by(R.m.desc().nulls_last()) == [3, 2, 1]
        assert await rows.order_by(R.m.desc().nulls_first()) == [1, 3, 2]
        assert await rows.order_by(R.e.desc().nulls_last()) == [3, 1, 2]
        last = await session.query(R).order_by(R.m.asc().nulls_first()).last()
        assert last is not None
        assert last.id == 3
        assert [row.id async for row in session.query(R).order_by(R.m.asc().nulls_first())] == [1, 2, 3]
