"""Aggregates over all rows and over groups: filtered, distinct, in an order, exact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from math import inf
from statistics import stdev, variance
from typing import Any
from uuid import UUID

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DataError,
    Many,
    Mapped,
    Model,
    One,
    QueryError,
    WrongType,
    case,
    exists,
    field,
    foreign_key,
    func,
    generated,
    literal,
    reverse,
)
from tests.support.computed import Cases, folded, readings
from tests.support.readings import FIRST, SECOND, THIRD, Color
from tests.support.readings import Reading as R

D = Decimal
R_E = D("123456789012345678901234567890.123456789")

SIMPLE: Cases = {
    "count": (lambda: func.count(), 3),
    "count of NULL": (lambda: func.count(R.m), 2),
    "count, filtered": (lambda: func.count(filter=R.n > 0), 1),
    "count, distinct and filtered": (lambda: func.count(R.flag, distinct=True, filter=R.n >= 0), 1),
    "count of conditions": (lambda: func.count(case((R.n > 0, 1))), 1),
    "sum": (lambda: func.sum(R.n), 0),
    "sum, filtered": (lambda: func.sum(R.n, filter=R.n > 0), 7),
    "sum of nothing": (lambda: func.sum(R.n, filter=R.n > 100), None),
    "sum, distinct": (lambda: func.sum(abs(R.n), distinct=True), 7),
    "sum of 64 bits": (lambda: func.sum(R.big), 2**40 - 5),
    "sum of floats": (lambda: func.sum(R.x, filter=R.n != 0), 0.0),
    "sum of Decimals": (lambda: func.sum(R.d), D("9.25")),
    "sum of Decimals, filtered": (lambda: func.sum(R.d, filter=R.flag), D("11.5")),
    "sum of Decimals, distinct": (lambda: func.sum(R.d * 0 + 1, distinct=True), D(1)),
    "sum of long Decimals": (lambda: func.sum(R.e), D("123456789012345678901234567890.223456789")),
    "sum of timedeltas": (lambda: func.sum(R.span), timedelta(seconds=3, microseconds=5)),
    "avg": (lambda: func.avg(R.m), 2.5),
    "avg, filtered": (lambda: func.avg(R.n, filter=R.n != 0), 0.0),
    "avg, distinct": (lambda: func.avg(abs(R.n), distinct=True), 3.5),
    "avg of Decimals": (lambda: func.avg(R.d), D("3.0833333333333333")),
    "avg of Decimals, distinct, filtered": (lambda: func.avg(R.d, distinct=True, filter=R.n != 0), D("-0.375")),
    "max of Decimals": (lambda: func.max(R.d), D(10)),
    "min of Decimals, distinct": (lambda: func.min(R.d, distinct=True), D("-2.25")),
    "max of bools": (lambda: func.max(R.flag), True),
    "min of bools": (lambda: func.min(R.flag), False),
    "max of nothing": (lambda: func.max(R.flag, filter=R.n > 100), None),
    "max of UUIDs": (lambda: func.max(R.uid), UUID(int=2**127)),
    "min of UUIDs": (lambda: func.min(R.uid), UUID(int=1)),
    "max of bytes": (lambda: func.max(R.b), b"abc"),
    "min of bytes": (lambda: func.min(R.b), b""),
    "min of bytes, filtered": (lambda: func.min(R.b, filter=R.n != -7), b"\x00\xff"),
    "max of moments": (lambda: func.max(R.at), FIRST["at"]),
    "min of times": (lambda: func.min(R.tm), THIRD["tm"]),
    "max of timedeltas": (lambda: func.max(R.span), FIRST["span"]),
    "bool_and": (lambda: func.bool_and(R.flag), False),
    "bool_and of a condition": (lambda: func.bool_and(R.n > -100), True),
    "bool_or": (lambda: func.bool_or(R.flag), True),
    "bool_or, filtered": (lambda: func.bool_or(R.flag, filter=R.n < 0), False),
    "bool_or of nothing": (lambda: func.bool_or(R.flag, filter=R.n > 100), None),
    "stddev": (lambda: func.stddev(R.n), stdev([7, -7, 0])),
    "variance": (lambda: func.variance(R.n), variance([7.0, -7.0, 0.0])),
    "stddev of one": (lambda: func.stddev(R.n, filter=R.n > 0), None),
    "variance of floats": (lambda: func.variance(R.x, filter=R.n != 0), 12.5),
    "variance of Decimals": (lambda: func.variance(R.d, filter=R.d < 5), 7.03125),
    "computed with": (lambda: func.sum(R.n) + func.count() * 2, 6),
    "divided": (lambda: func.sum(R.m) / func.count(), 5 / 3),
    "an aggregate of the database": (lambda: func.call("count", R.n, returns=int, aggregate=True), 3),
    "with all of it": (
        lambda: func.call("sum", R.m, returns=int, aggregate=True, distinct=True, filter=R.n < 1),
        5,
    ),
}

LISTS: Cases = {
    "string_agg": (lambda: func.string_agg(R.t, ", ", order_by=[R.id]), "Hello World,   éa%_\\ , abcabc"),
    "backwards": (lambda: func.string_agg(R.t, "|", order_by=[R.id.desc()]), "abcabc|  éa%_\\ |Hello World"),
    "by Decimals": (lambda: func.string_agg(R.t, "|", order_by=[R.d.desc()]), "abcabc|Hello World|  éa%_\\ "),
    "NULL is left out": (lambda: func.string_agg(R.u, "; ", order_by=[R.id]), "x; abc"),
    "of nothing": (lambda: func.string_agg(R.u, "; ", filter=R.id > 5), None),
    "of NULL": (lambda: func.string_agg(R.u, "; ", filter=R.id == 1), None),
    "NULL first": (
        lambda: func.string_agg(R.t, "|", order_by=[R.m.asc().nulls_first(), R.id]),
        "Hello World|  éa%_\\ |abcabc",
    ),
    "NULL last": (
        lambda: func.string_agg(R.t, "|", order_by=[R.m.desc().nulls_last(), R.id]),
        "abcabc|  éa%_\\ |Hello World",
    ),
    "NULL is largest": (lambda: func.string_agg(R.t, "|", order_by=[R.m]), "  éa%_\\ |abcabc|Hello World"),
    "NULL is largest, backwards": (
        lambda: func.string_agg(R.t, "|", order_by=[R.e.desc()]),
        "  éa%_\\ |abcabc|Hello World",
    ),
    "two keys": (lambda: func.string_agg(R.t, "|", order_by=[R.flag, R.n.desc()]), "  éa%_\\ |Hello World|abcabc"),
    "distinct": (
        lambda: func.string_agg(R.flag.cast(str), "-", distinct=True, order_by=[R.flag.cast(str)]),
        "false-true",
    ),
    "distinct of an expression with a value": (
        lambda: func.string_agg(
            func.left(R.t, 0) + "y", "-", distinct=True, order_by=[(func.left(R.t, 0) + "y").desc()]
        ),
        "y",
    ),
    "array_agg": (lambda: func.array_agg(R.n, order_by=[R.n]), [-7, 0, 7]),
    "with NULL": (lambda: func.array_agg(R.m, order_by=[R.id]), [None, 2, 3]),
    "the empty list": (lambda: func.array_agg(R.n, filter=R.n > 100), []),
    "filtered": (lambda: func.array_agg(R.n, order_by=[R.id], filter=R.n != 0), [7, -7]),
    "distinct bools": (lambda: func.array_agg(R.flag, distinct=True, order_by=[R.flag.desc()]), [True, False]),
    "of Decimals": (lambda: func.array_agg(R.d, order_by=[R.d.desc()]), [D(10), D("1.5"), D("-2.25")]),
    "of long Decimals": (lambda: func.array_agg(R.e, order_by=[R.e.desc()]), [None, R_E, D("0.1")]),
    "of floats": (lambda: func.array_agg(R.x / 3, order_by=[R.id]), [2.5 / 3, -2.5 / 3, 1e20 / 3]),
    "of infinity": (lambda: func.array_agg(literal(inf)), [inf] * 3),
    "of texts": (lambda: func.array_agg(R.t, order_by=[R.id]), ["Hello World", "  éa%_\\ ", "abcabc"]),
    "of bytes": (lambda: func.array_agg(R.b, order_by=[R.id]), [b"\x00\xff", b"", b"abc"]),
    "of moments": (lambda: func.array_agg(R.at, order_by=[R.id]), [FIRST["at"], SECOND["at"], THIRD["at"]]),
    "of dates": (lambda: func.array_agg(R.day, order_by=[R.day]), [THIRD["day"], SECOND["day"], FIRST["day"]]),
    "of times": (lambda: func.array_agg(R.tm, order_by=[R.id]), [FIRST["tm"], SECOND["tm"], THIRD["tm"]]),
    "of timedeltas": (lambda: func.array_agg(R.span, order_by=[R.id]), [FIRST["span"], SECOND["span"], THIRD["span"]]),
    "of UUIDs": (lambda: func.array_agg(R.uid, order_by=[R.id]), [FIRST["uid"], SECOND["uid"], THIRD["uid"]]),
    "of members": (lambda: func.array_agg(R.color, order_by=[R.id]), [Color.RED, Color.BLUE, Color.RED]),
}


@pytest.mark.parametrize("cases", [SIMPLE, LISTS])
async def test_aggregates(database_dsn: str, cases: Cases) -> None:
    assert await folded(database_dsn, cases) == {}


@pytest.mark.parametrize("separator", ["", "'", "'; DROP TABLE readings; --", "\N{RIGHT-TO-LEFT OVERRIDE}", "%s"])
async def test_a_separator_is_a_value(database_dsn: str, separator: str) -> None:
    async with readings(database_dsn) as session:
        (text,) = await session.query(R).scalars(func.string_agg(R.u, separator, order_by=[R.id]))
        assert text == f"x{separator}abc"


async def test_sums_beyond_64_bits_are_errors(database_dsn: str) -> None:
    async with readings(database_dsn) as session:
        for expr in (func.sum(R.n * 0 + (2**63 - 1)), func.sum(R.big * R.big)):
            with pytest.raises(DataError):
                await session.query(R).scalars(expr)


# ------------------------------------------------------------------ groups


class Team(Model, app="aggregates"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    players: Many[Player] = reverse("team")


class Player(Model, app="aggregates"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    goals: Mapped[int] = field(default=0)
    pay: Mapped[Decimal] = field(precision=8, decimal_places=2, default=Decimal(0))
    team: One[Team | None] = foreign_key(default=None)


async def fill(database: Database) -> None:
    await database.create_all(Team, Player)
    async with AsyncSession(database) as session:
        reds, blues = Team(name="reds"), Team(name="blues")
        session.add(
            Player(name="Ada", goals=3, pay=D("10.50"), team=reds),
            Player(name="Bob", goals=1, pay=D("9.75"), team=reds),
            Player(name="Cyd", goals=2, pay=D("100.00"), team=blues),
            Player(name="Dan", goals=0, pay=D("0.10")),
        )


async def test_groups(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await fill(database)
        async with AsyncSession(database) as session:
            by_team = session.query(Player).group_by(Player.team.name).order_by(Player.team.name)
            scorers = func.string_agg(Player.name, "+", order_by=[Player.goals.desc()], filter=Player.goals > 0)
            assert await by_team.values(Player.team.name, scorers, func.sum(Player.pay), func.max(Player.pay)) == [
                ("blues", "Cyd", D(100), D(100)),
                ("reds", "Ada+Bob", D("20.25"), D("10.5")),
                (None, None, D("0.1"), D("0.1")),
            ]
            paid = func.sum(Player.pay).label("paid")
            assert await by_team.order_by().having(func.count() > 1).values(Player.team.name, paid) == [
                ("reds", D("20.25"))
            ]
            # a label is what it names, in the order too
            ordered = session.query(Player).group_by(Player.team.name).order_by(paid.desc())
            assert await ordered.values(Player.team.name, paid) == [
                ("blues", D(100)),
                ("reds", D("20.25")),
                (None, D("0.1")),
            ]
            # what is grouped by may be computed with values, here and in the SELECT list
            band = case((Player.goals > 1, "many"), default="few")
            again = case((Player.goals > 1, "many"), default="few")
            rows = session.query(Player).values(band, func.count()).group_by(again).order_by(again)
            assert await rows == [("few", 2), ("many", 2)]
            with pytest.raises(QueryError, match="is read from groups without being grouped by"):
                await session.query(Player).values(Player.goals // 2, func.count()).group_by(Player.goals // 3)


async def test_groups_inside_of_queries(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await fill(database)
        async with AsyncSession(database) as session:
            halves = (
                session.query(Player).group_by(Player.goals // 2).having(func.count() > 1).scalars(Player.goals // 2)
            )
            names = session.query(Player).order_by(Player.name).scalars(Player.name)
            assert await names.filter((Player.goals // 2).in_(halves)) == ["Ada", "Bob", "Cyd", "Dan"]
            thirds = (
                session.query(Player).group_by(Player.goals // 3).having(func.count() == 1).scalars(Player.goals // 3)
            )
            assert await names.filter((Player.goals // 3).in_(thirds)) == ["Ada"]
            assert await names.filter(
                Player.goals >= session.query(Player).scalars(func.avg(Player.goals)).as_expr()
            ) == ["Ada", "Cyd"]
            # an aggregate of the query outside, compared inside of a subquery of it
            richer = session.query(Player).filter(Player.goals == 0)
            assert await session.query(Team).filter(exists(richer)).count() == 2


AGES = func.count(filter=Player.goals > 0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda q: q.filter(func.count() > 1),
            r"func\.count\(\) in filter\(\) folds rows that are not chosen yet\nHint: .*having",
        ),
        (lambda q: q.filter(func.max(Player.goals) > 1).count(), r"func\.max\(Player\.goals\) in filter\(\)"),
        (lambda q: q.group_by(func.count()).values(func.count()), r"func\.count\(\) in group_by\(\) folds"),
        (lambda q: q.join(Team, func.count() > 1).values(Team.name), r"func\.count\(\) in join\(\) folds"),
        (lambda q: q.filter(func.count() > 1).delete(), r"func\.count\(\) in delete\(\) folds"),
        (
            lambda q: q.update(Player.goals.set(func.max(Player.goals))),
            r"func\.max\(Player\.goals\) in update\(\) folds",
        ),
        (
            lambda q: q.values(func.sum(func.count())),
            r"func\.count\(\) is computed after func\.sum\(.*and cannot stand in it",
        ),
        (
            lambda q: q.values(func.count(filter=func.count() > 1)),
            r"cannot stand in it\nHint: compute it in a subquery",
        ),
        (
            lambda q: q.values(func.sum(func.row_number().over())),
            r"row_number\(\)\.over\(\.\.\.\) is computed after func\.sum",
        ),
        (
            lambda q: q.filter(Player.id.in_(q.filter(func.count() > 1).scalars(Player.id))),
            r"func\.count\(\) in filter\(\)",
        ),
    ],
)
async def test_where_there_is_nothing_to_fold(database_dsn: str, build: Callable[[Any], Any], message: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Team, Player)
        async with AsyncSession(database) as session:
            with pytest.raises(QueryError, match=message):
                await build(session.query(Player))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: func.sum(R.t), r"func\.sum\(\) takes .*, and Reading\.t is text"),
        (lambda: func.avg(R.span), r"func\.avg\(\) takes a number, and Reading\.span is interval"),
        (lambda: func.max(3), r"func\.max\(\) takes an expression, not 3"),
        (lambda: func.bool_and(R.n), r"func\.bool_and\(\) takes a condition, and Reading\.n is integer"),
        (lambda: func.stddev(R.day), r"func\.stddev\(\) takes a number"),
        (lambda: func.string_agg(R.n, ","), r"func\.string_agg\(\) takes a text, and Reading\.n is integer"),
        (lambda: func.string_agg(R.t, None), r"func\.string_agg\(\) takes an expression, not None"),
        (lambda: func.string_agg(R.t, "\0"), r"func\.string_agg\(\): a text with the character NUL"),
        (
            lambda: func.string_agg(R.t, ",", order_by=R.id),
            r"func\.string_agg\(\) order_by takes a list, not Reading\.id\nHint",
        ),
        (lambda: func.array_agg(R.t, order_by=["id"]), r"func\.array_agg\(\) order_by takes an expression, not 'id'"),
        (lambda: func.count(filter=True), r"True is a Python bool, not a condition"),
        (lambda: func.sum(R.n, filter=R.n), r"Reading\.n is integer, not a condition"),
    ],
)
def test_aggregates_of_the_wrong_types(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


def test_distinct_values_have_no_order_but_their_own() -> None:
    for build in (
        lambda: func.string_agg(R.t, ",", distinct=True, order_by=[R.id]),
        lambda: func.array_agg(R.n + 1, distinct=True, order_by=[R.n + 2]),
    ):
        with pytest.raises(QueryError, match=r"of distinct values is ordered by another one.*\nHint: order by"):
            build()
