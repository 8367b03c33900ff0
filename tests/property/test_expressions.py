"""Random values computed by both databases and by Python: all three agree."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import (
    AsyncSession,
    CormorantError,
    Database,
    DataError,
    Expr,
    Mapped,
    Model,
    case,
    field,
    func,
    literal,
    tuple_,
)

Computed = list[tuple[str, Expr[Any], Any]]
"""What is computed, by name, with what Python makes of it; DataError where there is no value."""

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
EXACT = Context(prec=500)
DAY = timedelta(days=1)


class Row(Model, app="property_expressions"):
    """The one row that a SELECT needs."""

    id: Mapped[int] = field(primary_key=True)


Ask = Callable[[Computed], None]


@pytest.fixture
def agree(postgres_database: str, tmp_path: Path) -> Iterator[Ask]:
    """Gives the function that has both databases compute, and compares."""
    with asyncio.Runner() as runner:
        databases = [Database(postgres_database), Database(f"sqlite:///{tmp_path}/x.db")]

        async def fill() -> None:
            for database in databases:
                await database.create_all(Row)
                async with AsyncSession(database) as session:
                    session.add(Row(id=1))

        async def check(computed: Computed) -> None:
            good = [one for one in computed if one[2] is not DataError]
            for database in databases:
                async with AsyncSession(database) as session:
                    if good:
                        (found,) = await session.query(Row).values(*(expr for _, expr, _ in good))
                        for (name, _, expected), value in zip(good, found, strict=True):
                            assert (name, value, type(value)) == (name, expected, type(expected)), database
                    for name, expr, expected in computed:
                        if expected is DataError:
                            assert await error_of(session, expr) is DataError, (name, database)

        runner.run(fill())
        yield lambda computed: runner.run(check(computed))
        for database in databases:
            runner.run(database.close())


async def error_of(session: AsyncSession, expr: Expr[Any]) -> type[Exception] | None:
    """Gives the class of the error that computing makes."""
    try:
        await session.query(Row).values(expr)
    except CormorantError as error:
        return type(error)
    return None


def python(function: Callable[..., Any], *values: Any) -> Any:
    """Gives a value, or DataError where Python has none or 64 bits do not hold it."""
    try:
        found = function(*values)
    except (ZeroDivisionError, OverflowError, ValueError):
        return DataError
    if type(found) is int and not -(2**63) <= found < 2**63:
        return DataError
    return found


BITS = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-1000, 1000)
WHOLE = st.one_of(SMALL, BITS, st.sampled_from([-(2**63), 2**63 - 1, 2**62, -(2**62), -1, 0, 1]))


@FEW
@given(WHOLE, WHOLE)
def test_whole_numbers(agree: Ask, a: int, b: int) -> None:
    one, other = literal(a), literal(b)
    computed: Computed = [
        (name, compute(one, other), python(compute, a, b))
        for name, compute in {
            "+": operator.add,
            "-": operator.sub,
            "*": operator.mul,
            "//": operator.floordiv,
            "%": operator.mod,
        }.items()
    ]
    computed += [
        ("/", one / other, python(lambda: float(a) / float(b))),
        ("negative", -one, python(operator.neg, a)),
        ("abs", abs(one), python(abs, a)),
        ("greatest", func.greatest(one, other), max(a, b)),
        ("least", func.least(one, b), min(a, b)),
        ("sign", func.sign(one), (a > 0) - (a < 0)),
        ("tuple", tuple_(one, other) < tuple_(other, one), (a, b) < (b, a)),
        ("among", tuple_(one, other).in_([(a, b), (b, a)]), True),
        ("cast", one.cast(str), str(a)),
        ("cast back", one.cast(str).cast(int), a),
        ("cast to Decimal", one.cast(Decimal), Decimal(a)),
        ("cast to float", one.cast(float), float(a)),
    ]
    agree(computed)


def decimals(places: int = 12, digits: int = 24) -> st.SearchStrategy[Decimal]:
    numbers = st.integers(-(10**digits), 10**digits)
    return st.builds(lambda n, p: Decimal(n).scaleb(-p), numbers, st.integers(0, places))


@FEW
@given(decimals(), st.one_of(decimals(), decimals(2, 3)), st.integers(-3, 14))
def test_decimals(agree: Ask, a: Decimal, b: Decimal, places: int) -> None:
    one, other = literal(a), literal(b)
    rounded = a.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT)
    computed: Computed = [
        ("+", one + other, EXACT.add(a, b)),
        ("-", one - b, EXACT.subtract(a, b)),
        ("*", a * other, EXACT.multiply(a, b)),
        ("//", one // other, python(lambda: EXACT.divide_int(a, b)) if b else DataError),
        ("%", one % other, python(lambda: EXACT.remainder(a, b)) if b else DataError),
        ("negative", -one, -a if a else Decimal(0)),
        ("abs", abs(one), abs(a)),
        ("greatest", func.greatest(one, other), max(a, b)),
        ("round", func.round(one, places), rounded),
        ("compared", one < other, a < b),
        ("tuple", tuple_(one, other) <= (b, a), (a, b) <= (b, a)),
        ("case", case((one > other, one), default=other), max(a, b)),
        ("cast", one.cast(str).cast(Decimal), a),
        ("cast to float", one.cast(float), float(a)),
        ("floor", func.floor(one), python(lambda: int(a.to_integral_value("ROUND_FLOOR", EXACT)))),
        ("ceil", func.ceil(one), python(lambda: int(a.to_integral_value("ROUND_CEILING", EXACT)))),
        ("cast to int", one.cast(int), python(int, a)),
    ]
    if b:
        # 16 digits or more: as close as that to the quotient
        found = one / other
        exact = EXACT.divide(a, b)
        computed.append(
            ("/", abs(found - exact.quantize(Decimal("1e-60"), context=EXACT)) <= abs(exact) / 10**15, True)
        )
    agree(computed)


@FEW
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.integers(-3, 6))
def test_floats(agree: Ask, a: float, b: float, places: int) -> None:
    one, other = literal(a), literal(b)
    quotient = python(operator.truediv, a, b)
    rounded = float(Decimal(format(a, ".15g")).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT))
    agree(
        [
            ("+", one + other, a + b),
            ("-", one - b, a - b),
            ("*", a * other, a * b),
            ("/", one / other, DataError if quotient in (float("inf"), float("-inf")) else quotient),
            ("floor", func.floor(one), python(lambda: int(a // 1))),
            ("cast to int", one.cast(int), int(a)),
            ("cast and back", one.cast(str).cast(float), a),
            ("round", func.round(one, places), rounded + 0.0),
            ("sign", func.sign(one), (a > 0) - (a < 0)),
        ]
        # PostgreSQL refuses products and quotients that are too small, and so does nobody else
        if abs(a) > 1e-100 < abs(b)
        else []
    )


LETTERS = st.text(st.sampled_from("aAbB%_\\ é.*()'\"\n"), max_size=8)


def like(text: str, pattern: str) -> bool:
    """Matches as the standard says, without regular expressions."""
    if not pattern:
        return not text
    first, rest = pattern[0], pattern[1:]
    if first == "%":
        return any(like(text[start:], rest) for start in range(len(text) + 1))
    if first == "\\":
        first, rest = rest[0], rest[1:]
    elif first == "_":
        return bool(text) and like(text[1:], rest)
    return text[:1] == first and like(text[1:], rest)


def escapes_something(pattern: str) -> bool:
    while "\\" in pattern:
        pattern = pattern[pattern.index("\\") + 1 :]
        if not pattern:
            return False
        pattern = pattern[1:]
    return True


@FEW
@given(LETTERS, LETTERS, st.integers(1, 9), st.integers(0, 9))
def test_texts(agree: Ask, a: str, b: str, start: int, count: int) -> None:
    one, other = literal(a), literal(b)
    fill = (b * 20)[: max(count - len(a), 0)]
    agree(
        [
            ("+", one + b, a + b),
            ("concat", func.concat(one, b, other), a + b + b),
            ("length", func.length(one), len(a)),
            ("reverse", func.reverse(one), a[::-1]),
            ("substr", func.substr(one, start, count), a[start - 1 : start - 1 + count]),
            ("substr to the end", func.substr(one, start), a[start - 1 :]),
            ("left", func.left(one, count), a[:count]),
            ("right", func.right(one, count), a[max(len(a) - count, 0) :]),
            ("lpad", func.lpad(one, count, b), (fill + a)[:count] if b else a[:count]),
            ("rpad", func.rpad(one, count, b), (a + fill)[:count]),
            ("replace", func.replace(one, b, "x"), a.replace(b, "x") if b else a),
            ("strpos", func.strpos(one, b), a.find(b) + 1),
            ("trim", func.trim(one, b), a.strip(b) if b else a),
            ("ltrim", func.ltrim(one), a.lstrip(" ")),
            ("rtrim", func.rtrim(one, b), a.rstrip(b) if b else a),
            ("like", one.like(b), like(a, b) if escapes_something(b) else DataError),
            ("ilike", one.ilike(b), like(a.lower(), b.lower()) if escapes_something(b) else DataError),
            ("contains", one.contains(b), b in a),
            ("equal", one == b, a == b),
        ]
        # PostgreSQL sees where a pattern ends wrongly only when it comes to its end
        if escapes_something(b)
        else []
    )


MOMENTS = st.datetimes(datetime(1600, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC))
LENGTHS = st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000))


@FEW
@given(MOMENTS, MOMENTS, LENGTHS, st.integers(-50, 50))
def test_moments(agree: Ask, a: datetime, b: datetime, length: timedelta, times: int) -> None:
    one, span, day = literal(a), literal(length), literal(a.date())
    monday = a.date() - a.date().weekday() * DAY
    agree(
        [
            ("+", one + length, a + length),
            ("-", one - span, a - length),
            ("difference", one - b, a - b),
            ("reflected", b - one, b - a),
            ("length *", span * times, length * times),
            ("length +", span + length, length + length),
            ("-length", -span, -length),
            ("date + length", day + span, a.date() + length),
            ("date - length", day - span, a.date() - length),
            ("date + days", day + times * DAY, a.date() + times * DAY),
            ("date - date", day - b.date(), a.date() - b.date()),
            ("year", func.year(one), a.year),
            ("quarter", func.quarter(one), (a.month + 2) // 3),
            ("month", func.month(day), a.month),
            ("week", func.week(one), a.isocalendar().week),
            ("day", func.day(one), a.day),
            ("weekday", func.weekday(one), a.isoweekday()),
            ("day of year", func.day_of_year(day), a.timetuple().tm_yday),
            ("hour", func.hour(one), a.hour),
            ("minute", func.minute(one), a.minute),
            ("second", func.second(one), a.second),
            ("epoch", func.epoch(one), (a - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()),
            ("date", func.date(one), a.date()),
            ("trunc year", func.trunc("year", one), datetime(a.year, 1, 1, tzinfo=UTC)),
            ("trunc quarter", func.trunc("quarter", day), date(a.year, (a.month - 1) // 3 * 3 + 1, 1)),
            ("trunc week", func.trunc("week", one), datetime(monday.year, monday.month, monday.day, tzinfo=UTC)),
            ("trunc minute", func.trunc("minute", one), a.replace(second=0, microsecond=0)),
            ("cast and back", one.cast(str).cast(datetime), a),
            ("compared", one < b, a < b),
        ]
    )
