"""Arithmetic and the functions of numbers: Python's values, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from math import inf, sqrt
from typing import Any

import pytest

from cormorant import AsyncSession, Database, DataError, Mapped, Model, WrongType, field, func, literal
from tests.support.computed import Cases, wrong
from tests.support.readings import Reading as R

D = Decimal
R_E = D("123456789012345678901234567890.123456789")

ARITHMETIC: Cases = {
    "n + 1": (lambda: R.n + 1, [8, -6, 1]),
    "1 + n": (lambda: 1 + R.n, [8, -6, 1]),
    "n - 2": (lambda: R.n - 2, [5, -9, -2]),
    "10 - n": (lambda: 10 - R.n, [3, 17, 10]),
    "3 * n": (lambda: 3 * R.n, [21, -21, 0]),
    "n * 1.5": (lambda: R.n * 1.5, [10.5, -10.5, 0.0]),
    "n + m": (lambda: R.n + R.m, [None, -5, 3]),
    "n + Decimal": (lambda: R.n + D("0.5"), [D("7.5"), D("-6.5"), D("0.5")]),
    "Decimal - n": (lambda: D("0.5") - R.n, [D("-6.5"), D("7.5"), D("0.5")]),
    "n * d": (lambda: R.n * R.d, [D("10.5"), D("15.75"), D(0)]),
    "d - n": (lambda: R.d - R.n, [D("-5.5"), D("4.75"), D(10)]),
    "e + 1": (lambda: R.e + 1, [D("1.1"), None, D("123456789012345678901234567891.123456789")]),
    "x + 1": (lambda: R.x + 1, [3.5, -1.5, 1e20]),
    "n + x": (lambda: R.n + R.x, [9.5, -9.5, 1e20]),
    "-n": (lambda: -R.n, [-7, 7, 0]),
    "-m": (lambda: -R.m, [None, -2, -3]),
    "-d": (lambda: -R.d, [D("-1.5"), D("2.25"), D(-10)]),
    "-x": (lambda: -R.x, [-2.5, 2.5, -1e20]),
    "-span": (lambda: -R.span, [-timedelta(days=1, microseconds=5), timedelta(seconds=86397), timedelta(0)]),
    "-(n - 1)": (lambda: -(R.n - 1), [-6, 8, 1]),
    "abs(n)": (lambda: abs(R.n), [7, 7, 0]),
    "abs(d)": (lambda: abs(R.d), [D("1.5"), D("2.25"), D(10)]),
    "abs(x)": (lambda: abs(R.x), [2.5, 2.5, 1e20]),
    "literal + n": (lambda: literal(3) + R.n, [10, -4, 3]),
}

DIVISION: Cases = {
    "n / 2": (lambda: R.n / 2, [3.5, -3.5, 0.0]),
    "m / n": (lambda: R.m / (R.n + 8), [None, 2.0, 0.375]),
    "x / 3": (lambda: R.x / 3, [2.5 / 3, -2.5 / 3, 1e20 / 3]),
    "n // 2": (lambda: R.n // 2, [3, -4, 0]),
    "n // -2": (lambda: R.n // -2, [-4, 3, 0]),
    "m // 2": (lambda: R.m // 2, [None, 1, 1]),
    "big // 7": (lambda: R.big // 7, [2**40 // 7, -1, 0]),
    "100 // (n - 1)": (lambda: 100 // (R.n - 1), [16, -13, -100]),
    "n % 3": (lambda: R.n % 3, [1, 2, 0]),
    "n % -3": (lambda: R.n % -3, [-2, -1, 0]),
    "17 % (n - 1)": (lambda: 17 % (R.n - 1), [5, -7, 0]),
    "near the end of 64 bits": (lambda: (R.n * 0 + (2**63 - 1)) % (2**63 - 2), [1, 1, 1]),
    "rounded up it would be 1": (lambda: (R.n * 0 + (2**63 - 2)) // (2**63 - 1), [0, 0, 0]),
    "the least number": (lambda: (R.n * 0 + -(2**63)) // 3, [-(2**63) // 3] * 3),
    # of Decimals // and % round towards zero, in Python too
    "d // 0.7": (lambda: R.d // D("0.7"), [D(2), D(-3), D(14)]),
    "d % 0.7": (lambda: R.d % D("0.7"), [D("0.1"), D("-0.15"), D("0.2")]),
    "e // 7": (lambda: R.e // 7, [D(0), None, D("17636684144620811271604938270")]),
    "e % 7": (lambda: R.e % 7, [D("0.1"), None, D("0.123456789")]),
    # 16 digits or more
    "d / 3": (lambda: R.d / 3, [D("0.5"), D("-0.75"), D("3.3333333333333333")]),
    "1 / d": (lambda: 1 / R.d, [D("0.66666666666666666667"), D("-0.44444444444444444444"), D("0.1")]),
    "n / d": (lambda: R.n / R.d, [D("4.6666666666666667"), D("3.1111111111111111"), D(0)]),
    "n ** 2": (lambda: R.n**2, [49.0, 49.0, 0.0]),
    "2 ** n": (lambda: 2**R.n, [128.0, 2.0**-7, 1.0]),
    "x ** 2": (lambda: R.x**2, [6.25, 6.25, 1e40]),
}

ERRORS: Cases = {
    "n / 0": (lambda: R.n / 0, DataError),
    "7 / n": (lambda: 7 / R.n, DataError),
    "x / 0": (lambda: R.x / 0, DataError),
    "d / 0": (lambda: R.d / 0, DataError),
    "n // 0": (lambda: R.n // 0, DataError),
    "d // 0": (lambda: R.d // 0, DataError),
    "n % 0": (lambda: R.n % 0, DataError),
    "d % 0": (lambda: R.d % 0, DataError),
    "n ** 0.5": (lambda: R.n**0.5, DataError),
    "0 ** -1": (lambda: (R.n * 0) ** -1, DataError),
    "sqrt(d)": (lambda: func.sqrt(R.d), DataError),
    "too large": (lambda: R.big * R.big, DataError),
    "too large by one": (lambda: R.n * 0 + (2**63 - 1) + 1, DataError),
    "-least": (lambda: -(R.n * 0 + -(2**63)), DataError),
    "floor too large": (lambda: func.floor(R.x), DataError),
}

FUNCTIONS: Cases = {
    "abs": (lambda: func.abs(R.m), [None, 2, 3]),
    "sign of int": (lambda: func.sign(R.n), [1, -1, 0]),
    "sign of Decimal": (lambda: func.sign(R.d), [1, -1, 1]),
    "sign of float": (lambda: func.sign(R.x), [1, -1, 1]),
    "round of float": (lambda: func.round(R.x), [3.0, -3.0, 1e20]),
    "round of float to digits": (lambda: func.round(literal(2.675), 2), [2.68] * 3),
    "round of Decimal": (lambda: func.round(R.d), [D(2), D(-2), D(10)]),
    "round of Decimal to digits": (lambda: func.round(R.d, 1), [D("1.5"), D("-2.3"), D(10)]),
    "round to thousands": (lambda: func.round(R.e, -3), [D(0), None, D("123456789012345678901234568000")]),
    "round of int": (lambda: func.round(R.n, -1), [10, -10, 0]),
    "floor of int": (lambda: func.floor(R.big), [2**40, -5, 0]),
    "floor of Decimal": (lambda: func.floor(R.d), [1, -3, 10]),
    "floor of float": (lambda: func.floor(R.x / 1e19), [0, -1, 10]),
    "ceil of Decimal": (lambda: func.ceil(R.d), [2, -2, 10]),
    "ceil of float": (lambda: func.ceil(R.x / 1e19), [1, 0, 10]),
    "sqrt": (lambda: func.sqrt(abs(R.n)), [sqrt(7), sqrt(7), 0.0]),
    "sqrt of Decimal": (lambda: func.sqrt(R.d * R.d), [1.5, 2.25, 10.0]),
    "power": (lambda: func.power(R.x, 2), [6.25, 6.25, 1e40]),
    "random": (lambda: (func.random() >= 0) & (func.random() < 1), [True, True, True]),
}

VALUES: Cases = {
    "greatest": (lambda: func.greatest(R.n, R.m), [7, 2, 3]),
    "least": (lambda: func.least(R.n, R.m, 1), [1, -7, 0]),
    "greatest of nothing": (lambda: func.greatest(R.m, R.m), [None, 2, 3]),
    "greatest of Decimals": (lambda: func.greatest(R.d, R.e), [D("1.5"), D("-2.25"), R_E]),
    "least of Decimals and ints": (lambda: func.least(R.d, R.e, R.n), [D("0.1"), D(-7), D(0)]),
    "greatest of ints and floats": (lambda: func.greatest(R.n, 0.5), [7.0, 0.5, 0.5]),
    "greatest of bools": (lambda: func.greatest(R.flag, False), [True, False, True]),
    "greatest of bytes": (lambda: func.greatest(R.b, b"aa"), [b"aa", b"aa", b"abc"]),
    "coalesce": (lambda: func.coalesce(R.m, R.n, 5), [7, 2, 3]),
    "coalesce with a float": (lambda: func.coalesce(R.m, 5.5), [5.5, 2.0, 3.0]),
    "coalesce of Decimals and ints": (lambda: func.coalesce(R.e, R.n), [D("0.1"), D(-7), R_E]),
    "coalesce of texts": (lambda: func.coalesce(R.u, R.t, "?"), ["Hello World", "x", "abc"]),
    "coalesce with None": (lambda: func.coalesce(R.m, None), [None, 2, 3]),
    "nullif": (lambda: func.nullif(R.n, 7), [None, -7, 0]),
    "nullif of Decimals": (lambda: func.nullif(R.d, D("1.5")), [None, D("-2.25"), D(10)]),
}


@pytest.mark.parametrize("cases", [ARITHMETIC, DIVISION, ERRORS, FUNCTIONS, VALUES])
async def test_numbers(database_dsn: str, cases: Cases) -> None:
    assert await wrong(database_dsn, cases) == {}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: R.x // 2, r"there is no // for them\nHint: use func\.floor"),
        (lambda: R.x % 2, r"there is no % for them"),
        (lambda: R.d**2, r"there is no \*\* for them\nHint: its digits would not be exact"),
        (lambda: R.d + R.x, r"a float and a Decimal have no common type\nHint: cast the one"),
        (lambda: R.d * 1.5, r"1\.5 \(float\) is not a Decimal"),
        (lambda: R.n + None, r"Reading\.n meets None"),
        (lambda: None - R.n, r"Reading\.n meets None"),
        (lambda: R.n + "1", r"'1' \(str\) is not an int"),
        (lambda: "1" + R.n, r"'1' \(str\) is not an int"),
        (lambda: R.n + True, r"True \(bool\) is not an int"),
        (lambda: R.n + 2**63, r"does not fit 64 bits"),
        (lambda: R.x + float("nan"), r"NaN is refused"),
        (lambda: R.d + D("NaN"), r"NaN is refused"),
        (lambda: R.flag + R.flag, r"there is no \+ for them"),
        (lambda: -R.t, r"Reading\.t is text, not a number"),
        (lambda: abs(R.span), r"Reading\.span is interval, not a number"),
        (lambda: func.round(R.t), r"func\.round\(\) takes a number, and Reading\.t is text"),
        (lambda: func.round(R.x, 1.5), r"func\.round\(digits\) takes a whole number from -1000 to 1000, not 1\.5"),
        (lambda: func.round(R.x, 10**6), r"func\.round\(digits\) takes a whole number"),
        (lambda: func.floor(3.5), r"func\.floor\(\) takes an expression, not 3\.5 \(float\)\nHint: .*literal"),
        (lambda: func.sqrt(None), r"func\.sqrt\(\) takes an expression, not None"),
        (lambda: func.greatest(R.n), r"func\.greatest\(\) of one value\nHint: of many rows: func\.max"),
        (lambda: func.least(R.n, "x"), r"func\.least\(\) mixes integer and text\nHint: cast"),
        (lambda: func.least(R.x, R.d), r"func\.least\(\) mixes float and numeric"),
        (lambda: func.coalesce(R.n, "x"), r"func\.coalesce\(\) mixes integer and text"),
        (lambda: func.coalesce(R.t, 3), r"3 \(int\) is not a str"),
        (lambda: func.nullif(R.color, "red"), r"'red' \(str\) is not a Color"),
    ],
)
def test_numbers_of_the_wrong_types(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


class Tally(Model, app="numbers"):
    """Numbers of fewer bits than what is computed from them."""

    id: Mapped[int] = field(primary_key=True)
    tiny: Mapped[int] = field(size="small")
    normal: Mapped[int]


async def test_sums_of_small_columns_need_not_fit_them(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Tally)
        async with AsyncSession(database) as session:
            session.add(Tally(id=1, tiny=2**15 - 1, normal=2**31 - 1))
        async with AsyncSession(database) as session:
            built = session.query(Tally).values(
                Tally.tiny + Tally.tiny, Tally.normal * Tally.normal, -Tally.normal - Tally.normal, Tally.tiny * 2**40
            )
            assert await built == [(2**16 - 2, (2**31 - 1) ** 2, -(2**32) + 2, (2**15 - 1) * 2**40)]


async def test_a_float_beyond_the_range_is_infinite_or_an_error(database_dsn: str) -> None:
    """Where computing goes beyond 1.8e308, PostgreSQL stops, SQLite's own operators go on."""
    async with Database(database_dsn) as database:
        await database.create_all(Tally)
        async with AsyncSession(database) as session:
            session.add(Tally(id=1, tiny=1, normal=1))
        async with AsyncSession(database) as session:
            built = session.query(Tally).scalars(literal(1e308) * 10)
            if database.dialect.name == "sqlite":
                assert await built == [inf]
            else:
                with pytest.raises(DataError, match="out of range"):
                    await built
            with pytest.raises(DataError):
                await session.query(Tally).scalars(literal(1e308) / 1e-10)
