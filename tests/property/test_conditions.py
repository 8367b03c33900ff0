"""Random conditions give the same rows as plain Python, with SQL's three truth values, on both databases."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import AsyncSession, Database, Expr, Mapped, Model, Q, field, generated


class Row(Model, app="property"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int]
    maybe: Mapped[int | None] = field(default=None)
    price: Mapped[Decimal | None] = field(default=None, precision=6, decimal_places=2)
    text: Mapped[str]
    note: Mapped[str | None] = field(default=None)
    flag: Mapped[bool]


Truth = bool | None
Test = Callable[[Row], Truth]

ROWS: list[dict[str, Any]] = [
    {"number": 0, "maybe": None, "price": None, "text": "", "note": None, "flag": False},
    {"number": 1, "maybe": 1, "price": Decimal("1.50"), "text": "a%b", "note": "a%b", "flag": True},
    {"number": 2, "maybe": -1, "price": Decimal("10.00"), "text": "A_b", "note": "", "flag": True},
    {"number": 10, "maybe": 2, "price": Decimal("-2.25"), "text": "é\\x", "note": "é", "flag": False},
    {"number": -3, "maybe": 10, "price": Decimal("9.00"), "text": "ab", "note": "AB", "flag": True},
    {"number": 2, "maybe": 2, "price": Decimal("0.00"), "text": "b", "note": None, "flag": False},
]


@dataclass
class Condition:
    """A condition in SQL, and what it says of an object."""

    sql: Any
    holds: Test


def column(name: str) -> Any:
    return getattr(Row, name)


COMPARISONS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
LOOKUPS = {"=": "exact", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}

numbers = st.sampled_from([-3, -1, 0, 1, 2, 10])
prices = st.sampled_from([Decimal(x) for x in ("-2.25", "0", "1.5", "1.505", "9", "10.00", "11")])
texts = st.sampled_from(["", "a", "A", "b", "%", "_", "a%b", "ab", "é", "\\", "x"])
VALUES = {"number": numbers, "maybe": numbers, "price": prices, "text": texts, "note": texts}


def strict(function: Callable[..., bool]) -> Callable[..., Truth]:
    """NULL in, NULL out."""
    return lambda *values: None if None in values else function(*values)


@st.composite
def comparisons(draw: st.DrawFn) -> Condition:
    # texts sort by the database's own rules
    name = draw(st.sampled_from(["number", "maybe", "price"]))
    op, value = draw(st.sampled_from(list(COMPARISONS))), draw(VALUES[name])
    compare = strict(COMPARISONS[op])
    if op in LOOKUPS and draw(st.booleans()):
        sql: Any = Q(**{f"{name}__{LOOKUPS[op]}": value})
    else:
        sql = COMPARISONS[op](column(name), value)
    return Condition(sql, lambda row: compare(getattr(row, name), value))


@st.composite
def between_columns(draw: st.DrawFn) -> Condition:
    one, other = draw(st.permutations(["number", "maybe", "price"]))[:2]
    op = draw(st.sampled_from(list(COMPARISONS)))
    compare = strict(COMPARISONS[op])
    return Condition(
        COMPARISONS[op](column(one), column(other)), lambda row: compare(getattr(row, one), getattr(row, other))
    )


@st.composite
def sums(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(["number", "maybe", "price"]))
    more, limit = draw(numbers), draw(VALUES[name])
    add = draw(st.sampled_from([operator.add, operator.sub, operator.mul]))
    exceeds = strict(lambda value: add(value, more) > limit)
    return Condition(add(column(name), more) > limit, lambda row: exceeds(getattr(row, name)))


@st.composite
def searches(draw: st.DrawFn) -> Condition:
    name, part = draw(st.sampled_from(["text", "note"])), draw(texts)
    kind = draw(
        st.sampled_from(["contains", "startswith", "endswith", "icontains", "istartswith", "iendswith", "iexact"])
    )

    def found(value: str) -> bool:
        whole, piece = (value.lower(), part.lower()) if kind.startswith("i") else (value, part)
        return {
            "contains": piece in whole,
            "startswith": whole.startswith(piece),
            "endswith": whole.endswith(piece),
            "exact": whole == piece,
        }[kind.removeprefix("i")]

    find = strict(found)
    return Condition(getattr(column(name), kind)(part), lambda row: find(getattr(row, name)))


@st.composite
def memberships(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(list(VALUES)))
    values = draw(st.lists(VALUES[name], max_size=4))
    # nothing is in an empty list, not even NULL
    holds = strict(lambda value: value in values) if values else lambda value: False
    return Condition(column(name).in_(values), lambda row: holds(getattr(row, name)))


@st.composite
def ranges(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(["number", "maybe", "price"]))
    low, high = draw(VALUES[name]), draw(VALUES[name])
    holds = strict(lambda value: low <= value <= high)
    return Condition(column(name).between(low, high), lambda row: holds(getattr(row, name)))


@st.composite
def nulls(draw: st.DrawFn) -> Condition:
    name, wanted = draw(st.sampled_from([*VALUES, "flag"])), draw(st.booleans())
    sql = column(name).is_null() if wanted else column(name).is_not_null()
    return Condition(sql, lambda row: (getattr(row, name) is None) is wanted)


flags = st.just(Condition(Row.flag, lambda row: row.flag))
simple = st.one_of(comparisons(), between_columns(), sums(), searches(), memberships(), ranges(), nulls(), flags)


def negated(condition: Condition) -> Condition:
    def holds(row: Row) -> Truth:
        found = condition.holds(row)
        # a Q that is not true is false; NOT NULL is NULL
        return not found if isinstance(condition.sql, Q) else None if found is None else not found

    return Condition(~condition.sql, holds)


def both(one: Condition, other: Condition) -> Condition:
    def holds(row: Row) -> Truth:
        found = (one.holds(row), other.holds(row))
        return False if False in found else None if None in found else True

    return Condition(one.sql & other.sql, holds)


def either(one: Condition, other: Condition) -> Condition:
    def holds(row: Row) -> Truth:
        found = (one.holds(row), other.holds(row))
        return True if True in found else None if None in found else False

    return Condition(one.sql | other.sql, holds)


conditions = st.recursive(
    simple,
    lambda inner: st.one_of(inner.map(negated), st.builds(both, inner, inner), st.builds(either, inner, inner)),
    max_leaves=6,
)


def test_conditions_mean_what_python_means(database_dsn: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(database_dsn)

        async def fill() -> list[Row]:
            await database.create_all(Row)
            async with AsyncSession(database) as session:
                rows = [Row(**values) for values in ROWS]
                session.add(*rows)
            return rows

        async def found(condition: Expr[bool] | Q) -> tuple[set[int], set[int], int]:
            async with AsyncSession(database) as session:
                query = session.query(Row)
                kept, dropped = query.filter(condition), query.exclude(condition)
                return set(await kept.scalars(Row.id)), set(await dropped.scalars(Row.id)), await kept.count()

        rows = runner.run(fill())

        @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
        @given(conditions)
        def check(condition: Condition) -> None:
            expected = {row.id for row in rows if condition.holds(row) is True}
            everything = {row.id for row in rows}
            assert runner.run(found(condition.sql)) == (expected, everything - expected, len(expected))

        check()
        runner.run(database.close())
