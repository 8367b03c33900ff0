"""Casts, cases, literals, tuples, equality with NULL and operators by their text, on both databases."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import inf, nan
from typing import Any, Literal
from uuid import UUID

import pytest

from cormorant import (
    AsyncSession,
    CompileError,
    Database,
    DataError,
    Mapped,
    Model,
    QueryError,
    WrongType,
    case,
    field,
    func,
    literal,
    tuple_,
    types,
)
from tests.support.computed import Cases, column, readings, wrong
from tests.support.readings import FIRST, Color
from tests.support.readings import Reading as R
from tests.support.sql import query

D = Decimal
R_E = D("123456789012345678901234567890.123456789")

CASTS: Cases = {
    "int to str": (lambda: R.n.cast(str), ["7", "-7", "0"]),
    "int to float": (lambda: R.n.cast(float), [7.0, -7.0, 0.0]),
    "int to Decimal": (lambda: R.n.cast(D), [D(7), D(-7), D(0)]),
    "int to bool": (lambda: R.n.cast(bool), [True, True, False]),
    "int to int": (lambda: R.n.cast(int), [7, -7, 0]),
    "float to int cuts": (lambda: (R.x * (R.n - 0.0) / 9e20).cast(int), [0, 0, 0]),
    "a positive float to int": (lambda: literal(2.9).cast(int), [2] * 3),
    "a negative float to int": (lambda: literal(-2.9).cast(int), [-2] * 3),
    "float beyond int": (lambda: R.x.cast(int), DataError),
    "float to str": (lambda: R.x.cast(str), ["2.5", "-2.5", "1e+20"]),
    "float to str with all digits": (
        lambda: (R.x / 7).cast(str),
        ["0.35714285714285715", "-0.35714285714285715", "1.4285714285714287e+19"],
    ),
    "small float to str": (lambda: literal(1e-5).cast(str), ["1e-05"] * 3),
    "large float to str": (lambda: literal(1e15).cast(str), ["1e+15"] * 3),
    "whole float to str": (lambda: literal(123456.0).cast(str), ["123456"] * 3),
    "half-way float to str": (lambda: literal(1e23).cast(str), ["9.999999999999999e+22"] * 3),
    "float to Decimal": (lambda: R.x.cast(D), [D("2.5"), D("-2.5"), D(10) ** 20]),
    "float to 15 digits of a Decimal": (lambda: literal(1 / 3).cast(D), [D("0.333333333333333")] * 3),
    "Decimal to int": (lambda: R.d.cast(int), [1, -2, 10]),
    "Decimal to float": (lambda: R.d.cast(float), [1.5, -2.25, 10.0]),
    "Decimal to str": (lambda: R.d.cast(str), ["1.5", "-2.25", "10"]),
    "long Decimal to str": (lambda: R.e.cast(str), ["0.1", None, str(R_E)]),
    "Decimal to bool": (lambda: (R.d - 10).cast(bool), [True, True, False]),
    "Decimal to Decimal": (lambda: R.d.cast(D), [D("1.5"), D("-2.25"), D(10)]),
    "bool to int": (lambda: R.flag.cast(int), [1, 0, 1]),
    "bool to str": (lambda: R.flag.cast(str), ["true", "false", "true"]),
    "bool to float": (lambda: R.flag.cast(float), [1.0, 0.0, 1.0]),
    "bool to Decimal": (lambda: R.flag.cast(D), [D(1), D(0), D(1)]),
    "a condition to int": (lambda: (R.n > 0).cast(int), [1, 0, 0]),
    "str to int": (lambda: literal(" -12 ").cast(int), [-12] * 3),
    "str to float": (lambda: literal("1e3").cast(float), [1000.0] * 3),
    "str to Decimal": (lambda: literal("1.50").cast(D), [D("1.5")] * 3),
    "str to bool": (lambda: literal("Yes").cast(bool), [True] * 3),
    "a part of a word to bool": (lambda: literal("f").cast(bool), [False] * 3),
    "str to UUID": (lambda: literal("00000000000000000000000000000007").cast(UUID), [UUID(int=7)] * 3),
    "UUID to str and back": (lambda: R.uid.cast(str).cast(UUID), [UUID(int=1), UUID(int=2**127), UUID(int=3)]),
    "Enum to str": (lambda: R.color.cast(str), ["red", "blue", "red"]),
    "NULL stays NULL": (lambda: R.m.cast(str), [None, "2", "3"]),
    "cast in a function": (lambda: func.length(func.cast(R.n, str)), [1, 2, 1]),
    "no int": (lambda: R.t.cast(int), DataError),
    "no int but a float": (lambda: literal("1.5").cast(int), DataError),
    "no 64 bits": (lambda: literal("9" * 20).cast(int), DataError),
    "no float": (lambda: literal("one").cast(float), DataError),
    "no Decimal": (lambda: literal("1,5").cast(D), DataError),
    "no bool": (lambda: literal("o").cast(bool), DataError),
    "nothing is no bool": (lambda: literal("").cast(bool), DataError),
    "no UUID": (lambda: literal("7").cast(UUID), DataError),
}

CASES: Cases = {
    "three": (lambda: case((R.n > 5, "hot"), (R.n > -1, "warm"), default="cold"), ["hot", "cold", "warm"]),
    "the first that holds": (lambda: case((R.n > -9, 1), (R.n > 5, 2), default=3), [1, 1, 1]),
    "no default": (lambda: case((R.n > 5, R.t)), ["Hello World", None, None]),
    "ints and floats": (lambda: case((R.n > 5, R.n), default=0.5), [7.0, 0.5, 0.5]),
    "plain ints and floats": (lambda: case((R.n > 5, 1), (R.n > -1, 2.5)), [1.0, None, 2.5]),
    "Decimals and ints": (lambda: case((R.n > 5, R.d), default=R.n), [D("1.5"), D(-7), D(0)]),
    "None among them": (lambda: case((R.n > 5, None), default=1), [None, 1, 1]),
    "None by default": (lambda: case((R.n > 5, 1), default=None), [1, None, None]),
    "members": (lambda: case((R.n > 5, Color.RED), default=Color.BLUE), [Color.RED, Color.BLUE, Color.BLUE]),
    "a column of members": (lambda: case((R.n > 5, R.color), default=Color.BLUE), [Color.RED, Color.BLUE, Color.BLUE]),
    "bools": (lambda: case((R.n > 5, True), default=False), [True, False, False]),
    "dates": (lambda: case((R.flag, date(2020, 1, 1))), [date(2020, 1, 1), None, date(2020, 1, 1)]),
    "bytes": (lambda: case((R.flag, b"x"), default=R.b), [b"x", b"", b"x"]),
    "inside": (lambda: case((case((R.n > 0, True), default=False), 1), default=2), [1, 2, 2]),
    "computed with": (lambda: case((R.n > 0, 1), default=2) * 10 + R.n, [17, 13, 20]),
    "compared": (lambda: case((R.n > 0, "a"), default="b") == "a", [True, False, False]),
    "a condition of NULL": (lambda: case((R.m > 2, 1), default=0), [0, 0, 1]),
}

LITERALS: Cases = {
    "int": (lambda: literal(5), [5] * 3),
    "large int": (lambda: literal(2**40), [2**40] * 3),
    "str": (lambda: literal("x"), ["x"] * 3),
    "float": (lambda: literal(1.5), [1.5] * 3),
    "whole float": (lambda: literal(2.0), [2.0] * 3),
    "infinity": (lambda: literal(inf), [inf] * 3),
    "Decimal": (lambda: literal(D("1.50")), [D("1.5")] * 3),
    "bool": (lambda: literal(True), [True] * 3),
    "None": (lambda: literal(None), [None] * 3),
    "bytes": (lambda: literal(b"\0x"), [b"\0x"] * 3),
    "date": (lambda: literal(date(2020, 1, 2)), [date(2020, 1, 2)] * 3),
    "time": (lambda: literal(time(1, 2, 3, 4)), [time(1, 2, 3, 4)] * 3),
    "datetime": (lambda: literal(datetime(2020, 1, 2, tzinfo=UTC)), [datetime(2020, 1, 2, tzinfo=UTC)] * 3),
    "timedelta": (lambda: literal(timedelta(hours=1)), [timedelta(hours=1)] * 3),
    "UUID": (lambda: literal(UUID(int=1)), [UUID(int=1)] * 3),
    "member": (lambda: literal(Color.BLUE), [Color.BLUE] * 3),
    "compared with each other": (lambda: literal(3) == literal(3), [True] * 3),
    "between each other": (lambda: literal(3).between(literal(2), 4), [True] * 3),
    "among": (lambda: literal(3).in_([2, 3]), [True] * 3),
    "searched": (lambda: literal("abc").contains(literal("b")), [True] * 3),
}

COMPARISONS: Cases = {
    "distinct": (lambda: R.m.is_distinct_from(2), [True, False, True]),
    "not distinct": (lambda: R.m.is_not_distinct_from(2), [False, True, False]),
    "distinct from None": (lambda: R.m.is_distinct_from(None), [False, True, True]),
    "not distinct from None": (lambda: R.m.is_not_distinct_from(None), [True, False, False]),
    "distinct columns": (lambda: R.m.is_distinct_from(R.n + 3), [True, True, False]),
    "distinct Decimals": (lambda: R.e.is_not_distinct_from(D("0.10")), [True, False, False]),
    "distinct of numbers": (lambda: R.d.is_distinct_from(R.n + 10), [True, True, False]),
    "negated": (lambda: ~R.m.is_distinct_from(2), [False, True, False]),
    "not in": (lambda: R.n.not_in([7, 0]), [False, True, False]),
    "not in of NULL": (lambda: R.m.not_in([2]), [None, False, True]),
    "not in nothing": (lambda: R.m.not_in([]), [True, True, True]),
    "not in a query": (lambda: R.n.not_in(query(R).filter(R.n > 0).scalars(R.n)), [False, True, True]),
}

TUPLES: Cases = {
    "equal": (lambda: tuple_(R.n, R.t) == (0, "abcabc"), [False, False, True]),
    "not equal": (lambda: tuple_(R.n, R.t) != (0, "abcabc"), [True, True, False]),
    "the first decides": (lambda: tuple_(R.n, R.d) > (0, D(9)), [True, False, True]),
    "Decimals are numbers": (lambda: tuple_(R.d, R.n) > (D(9), 0), [False, False, True]),
    "equal Decimals": (lambda: tuple_(R.d, R.n) <= (D("1.5"), 7), [True, True, False]),
    "Decimals and ints": (lambda: tuple_(R.n + 10, R.n) >= tuple_(R.d, R.n), [True, True, True]),
    "of columns": (lambda: tuple_(R.n, R.id) < tuple_(R.id, R.n), [False, True, True]),
    "with NULL": (lambda: tuple_(R.id, R.m) == (1, 2), [None, False, False]),
    "with NULL behind what decides": (lambda: tuple_(R.id, R.m) > (0, 2), [True, True, True]),
    "in": (lambda: tuple_(R.id, R.n).in_([(1, 7), (2, 7)]), [True, False, False]),
    "in nothing": (lambda: tuple_(R.id, R.n).in_([]), [False] * 3),
    "not in": (lambda: tuple_(R.id, R.n).not_in([(1, 7)]), [False, True, True]),
    "in of Decimals and bools": (
        lambda: tuple_(R.d, R.flag).in_([(D("1.5"), True), (D(10), False)]),
        [True, False, False],
    ),
    "in of bytes": (lambda: tuple_(R.id, R.b).in_([(1, b"\x00\xff"), (2, b"")]), [True, True, False]),
    "in of floats and moments": (
        lambda: tuple_(R.x, R.at).in_([(2.5, FIRST["at"]), (inf, FIRST["at"])]),
        [True, False, False],
    ),
    "in of three": (
        lambda: tuple_(R.uid, R.color, R.span).in_([(FIRST["uid"], Color.RED, FIRST["span"])]),
        [True, False, False],
    ),
    "in of hostile texts": (
        lambda: tuple_(R.t, R.n).in_([("'; DROP TABLE readings; --", 1), ("Hello World", 7)]),
        [True, False, False],
    ),
    "in a query": (lambda: tuple_(R.id, R.n).in_(query(R).filter(R.n > 0).values(R.id, R.n)), [True, False, False]),
    "not in a query": (
        lambda: tuple_(R.id, R.n).not_in(query(R).filter(R.n > 0).values(R.id, R.n)),
        [False, True, True],
    ),
}

OPERATORS: Cases = {
    "+": (lambda: R.n.op("+", 1, returns=int), [8, -6, 1]),
    "%": (lambda: R.n.op("%", 4, returns=int), [3, -3, 0]),
    "||": (lambda: R.t.op("||", R.u, returns=str), [None, "  éa%_\\ x", "abcabcabc"]),
    "IS NOT": (lambda: R.m.op("is  not", None, returns=bool), [False, True, True]),
    "of an operator": (lambda: (R.n + 1).op("*", 2, returns=int) + 1, [17, -11, 3]),
    "of a comparison": (lambda: (R.n > 0).op("=", True, returns=bool), [True, False, False]),
    "a function of the database": (lambda: func.call("abs", R.n, returns=int), [7, 7, 0]),
    "of a value": (lambda: func.call("abs", -5, returns=int), [5, 5, 5]),
    "of None": (lambda: func.call("coalesce", None, R.n, returns=int), [7, -7, 0]),
}


@pytest.mark.parametrize("cases", [CASTS, CASES, LITERALS, COMPARISONS, TUPLES, OPERATORS])
async def test_values(database_dsn: str, cases: Cases) -> None:
    assert await wrong(database_dsn, cases) == {}


async def test_conditions_of_tuples_filter(database_dsn: str) -> None:
    async with readings(database_dsn) as session:
        rows = session.query(R).order_by(R.id).scalars(R.id)
        assert await rows.filter(tuple_(R.id, R.n).in_([(1, 7), (3, 0)])) == [1, 3]
        assert await rows.exclude(tuple_(R.id, R.m) == (2, 2)) == [1, 3]
        assert await rows.filter(R.m.is_distinct_from(2)) == [1, 3]
        assert await rows.filter(case((R.flag, R.n > 0), default=True)) == [1, 2]


class Shade(enum.IntEnum):
    DARK = 1
    LIGHT = 2


class Money:
    """A type of the user's own."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)


MONEY = types.Custom(Money, types.INTEGER, lambda money: money.cents, Money)


class Purse(Model, app="values"):
    id: Mapped[int] = field(primary_key=True)
    shade: Mapped[Shade]
    paint: Mapped[Color] = field(native="purse_paint")
    money: Mapped[Money] = field(type=MONEY)
    kind: Mapped[Literal["thin", "thick"]] = field(default="thin")
    stars: Mapped[Literal[1, 2, 3]] = field(default=3)
    price: Mapped[Decimal] = field(precision=8, decimal_places=2, default=Decimal(1))
    day: Mapped[date] = field(default=date(2024, 1, 31))


async def test_enums_and_own_types_stay_what_they_are(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Purse)
        async with AsyncSession(database) as session:
            session.add(Purse(id=1, shade=Shade.LIGHT, paint=Color.RED, money=Money(5)))
        async with AsyncSession(database) as session:
            built = session.query(Purse).values(
                case((Purse.id > 0, Purse.shade), default=Shade.DARK),
                case((Purse.id > 5, Purse.paint), default=Color.BLUE),
                func.coalesce(Purse.money, Money(1)),
                Purse.money + Money(2),
                Purse.paint.cast(str),
                func.max(Purse.paint).over(),
            )
            assert await built == [(Shade.LIGHT, Color.BLUE, Money(5), Money(7), "red", Color.RED)]
            assert await session.query(Purse).aggregate(func.array_agg(Purse.paint), func.array_agg(Purse.shade)) == (
                [Color.RED],
                [Shade.LIGHT],
            )
            # of a few texts and numbers all kinds of them can be made
            built = session.query(Purse).values(
                Purse.kind + "!",
                "very " + Purse.kind,
                Purse.stars + 7,
                Purse.stars / 2,
                case((Purse.id > 5, Purse.kind), default="none"),
                func.coalesce(Purse.kind, "none"),
                func.greatest(Purse.stars, 10),
                func.upper(Purse.kind),
            )
            assert await built == [("thin!", "very thin", 10, 1.5, "none", "thin", 10, "THIN")]
        await database.drop_all(Purse)


async def test_rows_are_changed_by_what_is_computed(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Purse)
        async with AsyncSession(database) as session:
            session.add(Purse(id=1, shade=Shade.LIGHT, paint=Color.RED, money=Money(5)))
        async with AsyncSession(database) as session:
            await session.query(Purse).update(
                Purse.price.set(Purse.price / 3),
                Purse.day.set(Purse.day + timedelta(days=30)),
                Purse.money.set(case((Purse.id > 0, Money(9)), default=Purse.money)),
                Purse.shade.set(case((Purse.price > 5, Shade.LIGHT), default=Shade.DARK)),
            )
        async with AsyncSession(database) as session:
            purse = await session.get_one(Purse, 1)
            assert (purse.price, purse.day) == (D("0.33"), date(2024, 3, 1))
            assert (purse.money, purse.shade) == (Money(9), Shade.DARK)
            # whole numbers into Decimals, Decimals rounded to the places of their column
            await session.query(Purse).update(Purse.price.set(func.length(Purse.kind) + Purse.price * D("0.01")))
            await session.refresh(purse)
            assert purse.price == D("4.00")
        await database.drop_all(Purse)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: R.day.cast(int), r"Reading\.day is date and cannot be cast to int\nHint: load it"),
        (lambda: R.t.cast(list), r"cast\(<class 'list'>\): no type of the database"),
        (lambda: R.t.cast("int"), r"cast\('int'\): no type of the database"),
        (lambda: R.b.cast(str), r"Reading\.b is binary and cannot be cast to str"),
        (lambda: func.cast("3", int), r"func\.cast\(\) takes an expression, not '3'"),
        (lambda: case((R.n > 5, None)), r"case\(\) has no value but None\nHint: "),
        (lambda: case((R.n > 5, 1), default="x"), r"case\(\) mixes integer and text\nHint: cast"),
        (lambda: case((R.n > 5, 1.5), default=D(1)), r"case\(\) mixes float and numeric"),
        (
            lambda: case((R.n > 5, R.t), default=3),
            r"case\(\): 3 \(int\) is not a str",
        ),
        (lambda: case((R.n > 5, R.color), default="red"), r"'red' \(str\) is not a Color"),
        (lambda: case((True, 1)), r"True is a Python bool, not a condition"),
        (lambda: case((R.n, 1)), r"Reading\.n is integer, not a condition"),
        (lambda: case(R.n > 5), r"case\(\) takes pairs of a condition and a value"),
        (lambda: case((R.n > 5, 1, 2)), r"case\(\) takes pairs"),
        (lambda: case((R.n > 5, [1])), r"\[1\] \(list\) is no value"),
        (lambda: case((R.n > 5, "a\0")), r"NUL"),
        (lambda: literal([1]), r"\[1\] \(list\) is no value of a type that databases have\nHint: pass numbers"),
        (lambda: literal({"a": 1}), r"is no value of a type"),
        (lambda: literal(object()), r"is no value of a type"),
        (lambda: literal(nan), r"NaN is refused"),
        (lambda: literal(2**63), r"does not fit 64 bits"),
        (lambda: literal("a\0"), r"NUL"),
        (lambda: literal(datetime(2020, 1, 1)), r"has no time zone"),
        (lambda: R.n.is_distinct_from("x"), r"'x' \(str\) is not an int"),
        (lambda: R.n.is_distinct_from(R.t), r"Reading\.n is integer and is compared with Reading\.t"),
        (lambda: R.n.not_in(3), r"has no collection of values"),
        (lambda: R.n.not_in([None]), r"got None, which IN never matches"),
        (lambda: tuple_(R.n, R.t) == (0,), r"tuple_\(.*\) has 2 parts and is compared with 1"),
        (lambda: tuple_(R.n, R.t) == 3, r"is compared with 3, which is no tuple\nHint: compare it with \(1, 2\)"),
        (lambda: tuple_(R.n, R.t) == (0, 1), r"1 \(int\) is not a str"),
        (lambda: tuple_(R.n, R.t) == (0, None), r"Reading\.t is compared with None"),
        (lambda: tuple_(R.n, R.t).in_([(0, None)]), r"Reading\.t is compared with None"),
        (lambda: tuple_(R.n, R.t).in_([3]), r"is compared with 3, which is no tuple"),
        (lambda: tuple_(R.n, R.t).in_(3), r"has no collection of values"),
        (lambda: tuple_(R.n, R.t).in_("ab"), r"would test its characters"),
        (lambda: tuple_(R.n, R.t).in_([(1, R.u)]), r"takes tuples of plain values"),
        (
            lambda: tuple_(R.n, R.t).in_(query(R).values(R.n)),
            r"in_\(\) takes a query of 2 columns, not of 1\nHint: name",
        ),
        (lambda: tuple_(R.n, R.t).in_(query(R).values(R.t, R.n)), r"is compared with"),
        (lambda: tuple_(R.n, 3), r"tuple_\(\) takes an expression, not 3"),
        (lambda: R.n.op("+", [1], returns=int), r"Reading\.n\.op\(\): \[1\] \(list\) is not an int"),
        (lambda: R.n.op("+", 1, returns=3), r"returns=3 is no class"),
        (lambda: R.t.op("||", "a\0", returns=str), r"NUL"),
        (lambda: func.call("abs", 1, returns="int"), r"returns='int' is no class"),
        (lambda: R.n.label(3), r"Reading\.n\.label\(3\): a label is a str"),
    ],
)
def test_values_of_the_wrong_types(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (case, r"case\(\) has no condition\nHint: "),
        (lambda: tuple_(), r"a tuple has two parts or more"),
        (lambda: tuple_(R.n), r"a tuple has two parts or more"),
    ],
)
def test_nothing_to_choose_from(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        build()


async def test_a_tuple_is_compared_and_nothing_else(database_dsn: str) -> None:
    async with readings(database_dsn) as session:
        for expr in (tuple_(R.n, R.t), tuple_(R.n, R.t).is_null(), func.coalesce(tuple_(R.n, R.t))):
            with pytest.raises(
                CompileError, match=r"tuple_\(.*\) stands where a single value belongs\nHint: compare it"
            ):
                await column(session, expr)


OPERATORS_REFUSED = [
    "",
    " ",
    "--",
    "- -",
    "/*",
    "*/*",
    "+--",
    "+'",
    '"',
    "+ 1; drop table readings",
    ";",
    "or",
    "OR 1=1",
    "and",
]
OPERATORS_REFUSED += [
    "COLLATE",
    "in",
    "NOT",
    "= any",
    "\0",
    "+\0",
    "+\n",
    "\ud800",
    "\N{FULLWIDTH PLUS SIGN}",
    "{0}",
    "%s %s",
]
OPERATORS_REFUSED += ["+" * 64, "+" * 1_000_000, "$1", "::int", "(", "[0]", ",", ".", "\\", "i\N{COMBINING DOT ABOVE}s"]


@pytest.mark.parametrize("operator", [*OPERATORS_REFUSED, None, 3, b"+"], ids=lambda operator: ascii(operator)[:20])
def test_an_operator_is_one(operator: Any) -> None:
    with pytest.raises(QueryError, match=r"is no operator\nHint: use operator characters") as caught:
        R.n.op(operator, 1, returns=int)
    assert len(str(caught.value)) < 500


NAMES_REFUSED = [
    "",
    "a b",
    "a;b",
    "a.b.c",
    ".a",
    "a.",
    "a..b",
    "é",
    'a"b',
    "a'b",
    "1a",
    "a(",
    "a--",
    "\0",
    "a\n",
    "\ud800",
]
NAMES_REFUSED += ["a" * 64, "a" * 1_000_000, "%s", "{0}", "a\N{ZERO WIDTH JOINER}b"]


@pytest.mark.parametrize("name", [*NAMES_REFUSED, None, 3], ids=lambda name: ascii(name)[:20])
def test_a_function_has_a_plain_name(name: Any) -> None:
    with pytest.raises(QueryError, match=r"is no function name\nHint: ") as caught:
        func.call(name, returns=int)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "label",
    ["'; DROP TABLE readings; --", 'a"b', '"', "a b", "%s", "{0}", "\N{RIGHT-TO-LEFT OVERRIDE}x", "$1", "select"],
)
async def test_a_label_is_a_name(database_dsn: str, label: str) -> None:
    async with readings(database_dsn) as session:
        total = (R.n + 1).label(label)
        assert await session.query(R).order_by(total.desc()).as_dicts(total) == [{label: 8}, {label: 1}, {label: -6}]
        assert await session.query(R).count() == 3


@pytest.mark.parametrize("label", ["", "a\0b", "a\nb", "\ud800", "x" * 1_000_000])
async def test_a_label_that_can_be_no_name_is_refused(database_dsn: str, label: str) -> None:
    async with readings(database_dsn) as session:
        with pytest.raises(QueryError):
            await session.query(R).as_dicts((R.n + 1).label(label))


async def test_sqlite_has_its_own_operators(tmp_path: Any) -> None:
    async with readings(f"sqlite:///{tmp_path}/x.db") as session:
        for operator in ("?", "@@", "&&", "AT TIME ZONE", "SIMILAR TO"):
            with pytest.raises(CompileError, match="SQLite has no operator"):
                await column(session, R.n.op(operator, 1, returns=int))
