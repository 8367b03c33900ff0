"""Dates and moments: Python's arithmetic and UTC, whatever the server's time zone and style are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import pytest

from cormorant import DataError, WrongType, func, literal
from tests.support import pgbouncer
from tests.support.computed import Cases, column, readings, wrong
from tests.support.readings import ROWS
from tests.support.readings import Reading as R

YEAR = datetime(2020, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def of(name: str, function: Callable[[Any], Any]) -> list[Any]:
    """Gives what Python makes of a column."""
    return [function(row[name]) for row in ROWS]


def both(function: Callable[[Any], Any]) -> list[Any]:
    """Gives what Python makes of a row."""
    return list(map(function, ROWS))


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


ARITHMETIC: Cases = {
    "at + day": (lambda: R.at + DAY, of("at", lambda v: v + DAY)),
    "day + at": (lambda: DAY + R.at, of("at", lambda v: v + DAY)),
    "at - hour": (lambda: R.at - HOUR, of("at", lambda v: v - HOUR)),
    "at + span": (lambda: R.at + R.span, both(lambda row: row["at"] + row["span"])),
    "span + at": (lambda: R.span + R.at, both(lambda row: row["at"] + row["span"])),
    "at - span": (lambda: R.at - R.span, both(lambda row: row["at"] - row["span"])),
    "at - at": (lambda: R.at - R.at, [timedelta(0)] * 3),
    "at - moment": (lambda: R.at - YEAR, of("at", lambda v: v - YEAR)),
    "moment - at": (lambda: YEAR - R.at, of("at", lambda v: YEAR - v)),
    "moment + span": (lambda: YEAR + R.span, of("span", lambda v: YEAR + v)),
    "day + days": (lambda: R.day + 3 * DAY, of("day", lambda v: v + 3 * DAY)),
    "day - days": (lambda: R.day - 3 * DAY, of("day", lambda v: v - 3 * DAY)),
    "days + day": (lambda: 3 * DAY + R.day, of("day", lambda v: v + 3 * DAY)),
    # the days of a length of time are those that it has in Python: rounded down
    "day + span": (lambda: R.day + R.span, both(lambda row: row["day"] + row["span"])),
    "day - span": (lambda: R.day - R.span, both(lambda row: row["day"] - row["span"])),
    "date - day": (lambda: date(2024, 3, 1) - R.day, of("day", lambda v: date(2024, 3, 1) - v)),
    "day - day": (lambda: R.day - R.day, [timedelta(0)] * 3),
    "span + span": (lambda: R.span + R.span, of("span", lambda v: v + v)),
    "span - hour": (lambda: R.span - HOUR, of("span", lambda v: v - HOUR)),
    "hour - span": (lambda: HOUR - R.span, of("span", lambda v: HOUR - v)),
    "span * 2": (lambda: R.span * 2, of("span", lambda v: v * 2)),
    "n * span": (lambda: R.n * R.span, both(lambda row: row["n"] * row["span"])),
    "n * hour": (lambda: R.n * HOUR, of("n", lambda v: v * HOUR)),
    "hour * n": (lambda: HOUR * R.n, of("n", lambda v: v * HOUR)),
    "after the last year": (lambda: R.at + 365 * 9000 * DAY, DataError),
    "dates after the last year": (lambda: R.day + 365 * 9000 * DAY, DataError),
}

PARTS: Cases = {
    "year": (lambda: func.year(R.at), of("at", lambda v: v.year)),
    "quarter": (lambda: func.quarter(R.at), of("at", lambda v: (v.month + 2) // 3)),
    "month": (lambda: func.month(R.at), of("at", lambda v: v.month)),
    "week": (lambda: func.week(R.at), of("at", lambda v: v.isocalendar().week)),
    "day": (lambda: func.day(R.at), of("at", lambda v: v.day)),
    "weekday": (lambda: func.weekday(R.at), of("at", lambda v: v.isoweekday())),
    "day of year": (lambda: func.day_of_year(R.at), of("at", lambda v: v.timetuple().tm_yday)),
    "hour": (lambda: func.hour(R.at), of("at", lambda v: v.hour)),
    "minute": (lambda: func.minute(R.at), of("at", lambda v: v.minute)),
    "second": (lambda: func.second(R.at), of("at", lambda v: v.second)),
    "epoch": (lambda: func.epoch(R.at), of("at", lambda v: v.timestamp())),
    "year of date": (lambda: func.year(R.day), of("day", lambda v: v.year)),
    "quarter of date": (lambda: func.quarter(R.day), of("day", lambda v: (v.month + 2) // 3)),
    "month of date": (lambda: func.month(R.day), of("day", lambda v: v.month)),
    "week of date": (lambda: func.week(R.day), of("day", lambda v: v.isocalendar().week)),
    "day of date": (lambda: func.day(R.day), of("day", lambda v: v.day)),
    "weekday of date": (lambda: func.weekday(R.day), of("day", lambda v: v.isoweekday())),
    "day of year of date": (lambda: func.day_of_year(R.day), of("day", lambda v: v.timetuple().tm_yday)),
    "epoch of date": (lambda: func.epoch(R.day), of("day", lambda v: midnight(v).timestamp())),
    "hour of time": (lambda: func.hour(R.tm), of("tm", lambda v: v.hour)),
    "minute of time": (lambda: func.minute(R.tm), of("tm", lambda v: v.minute)),
    "second of time": (lambda: func.second(R.tm), of("tm", lambda v: v.second)),
    "epoch of timedelta": (lambda: func.epoch(R.span), of("span", lambda v: v.total_seconds())),
    "date": (lambda: func.date(R.at), of("at", lambda v: v.date())),
    "date of date": (lambda: func.date(R.day), of("day", lambda v: v)),
}

TRUNC: Cases = {
    "year": (lambda: func.trunc("year", R.at), of("at", lambda v: datetime(v.year, 1, 1, tzinfo=UTC))),
    "quarter": (
        lambda: func.trunc("quarter", R.at),
        of("at", lambda v: datetime(v.year, (v.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC)),
    ),
    "month": (lambda: func.trunc("month", R.at), of("at", lambda v: datetime(v.year, v.month, 1, tzinfo=UTC))),
    "week": (lambda: func.trunc("week", R.at), of("at", lambda v: midnight(monday(v.date())))),
    "day": (lambda: func.trunc("day", R.at), of("at", midnight)),
    "hour": (lambda: func.trunc("hour", R.at), of("at", lambda v: v.replace(minute=0, second=0, microsecond=0))),
    "minute": (lambda: func.trunc("minute", R.at), of("at", lambda v: v.replace(second=0, microsecond=0))),
    "second": (lambda: func.trunc("second", R.at), of("at", lambda v: v.replace(microsecond=0))),
    "year of date": (lambda: func.trunc("year", R.day), of("day", lambda v: date(v.year, 1, 1))),
    "quarter of date": (
        lambda: func.trunc("quarter", R.day),
        of("day", lambda v: date(v.year, (v.month - 1) // 3 * 3 + 1, 1)),
    ),
    "month of date": (lambda: func.trunc("month", R.day), of("day", lambda v: date(v.year, v.month, 1))),
    "week of date": (lambda: func.trunc("week", R.day), of("day", monday)),
    "day of date": (lambda: func.trunc("day", R.day), of("day", lambda v: v)),
    "compared": (lambda: func.trunc("day", R.at) + DAY > R.at, [True] * 3),
}

CASTS: Cases = {
    "date to datetime": (lambda: R.day.cast(datetime), of("day", midnight)),
    "datetime to date": (lambda: R.at.cast(date), of("at", lambda v: v.date())),
    "datetime to time": (lambda: R.at.cast(time), of("at", lambda v: v.time())),
    "datetime to text": (lambda: R.at.cast(str), of("at", lambda v: v.isoformat(timespec="microseconds"))),
    "and back": (lambda: R.at.cast(str).cast(datetime), of("at", lambda v: v)),
    "date to text": (lambda: R.day.cast(str), of("day", date.isoformat)),
    "date and back": (lambda: R.day.cast(str).cast(date), of("day", lambda v: v)),
    "time to text": (lambda: R.tm.cast(str), of("tm", lambda v: v.isoformat(timespec="microseconds"))),
    "time and back": (lambda: R.tm.cast(str).cast(time), of("tm", lambda v: v)),
    "no offset is UTC": (
        lambda: literal("2020-01-02T03:04:05").cast(datetime),
        [datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)] * 3,
    ),
    "an offset": (
        lambda: literal("2020-01-02 03:04:05+02:00").cast(datetime),
        [datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)] * 3,
    ),
    "Z": (lambda: literal("2020-01-02 03:04:05.5Z").cast(datetime), [datetime(2020, 1, 2, 3, 4, 5, 500_000, UTC)] * 3),
    "a day": (lambda: literal("2020-01-02").cast(datetime), [datetime(2020, 1, 2, tzinfo=UTC)] * 3),
    "no moment": (lambda: literal("no moment").cast(datetime), DataError),
    "no date": (lambda: literal("2020-13-01").cast(date), DataError),
    "no time": (lambda: literal("25:00").cast(time), DataError),
}


@pytest.mark.parametrize("cases", [ARITHMETIC, PARTS, TRUNC, CASTS])
async def test_moments(database_dsn: str, cases: Cases) -> None:
    assert await wrong(database_dsn, cases) == {}


async def test_the_time_zone_and_the_style_of_the_server_change_nothing(postgres_database: str) -> None:
    """New York loses an hour in the night of March 10th, 2024, and writes the month first."""
    name = postgres_database.rpartition("/")[2].partition("?")[0]
    connection = await asyncpg.connect(pgbouncer.server_of(postgres_database))
    try:
        await connection.execute(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
        await connection.execute(f"ALTER DATABASE {name} SET datestyle = 'SQL, MDY'")
        cases = {
            f"{i} {name}": case
            for i, some in enumerate((ARITHMETIC, PARTS, TRUNC, CASTS))
            for name, case in some.items()
        }
        assert await wrong(postgres_database, cases) == {}
        before = datetime(2024, 3, 10, 1, tzinfo=UTC)
        async with readings(postgres_database) as session:
            assert (await column(session, literal(before) + DAY))[0] == before + DAY
            assert (await column(session, func.trunc("day", literal(before))))[0] == datetime(2024, 3, 10, tzinfo=UTC)
            assert (await column(session, func.today()))[0] == datetime.now(UTC).date()
    finally:
        await connection.execute(f"ALTER DATABASE {name} RESET ALL")
        await connection.close()


async def test_the_present(database_dsn: str) -> None:
    async with readings(database_dsn) as session:
        start = datetime.now(UTC)
        (now, today) = (await session.query(R).values(func.now(), func.today()))[0]
        # the server's clock may be another one
        assert abs(now - start) < timedelta(minutes=5)
        assert today in (start.date(), now.date())
        assert await session.query(R).filter(R.at < func.now() - 7 * DAY).count() == 3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: R.day + HOUR, r"Reading\.day is a date and moves by whole days, not by 1:00:00\nHint: use timedelta"),
        (lambda: HOUR + R.day, r"Reading\.day is a date and moves by whole days"),
        (lambda: R.day - HOUR, r"Reading\.day is a date and moves by whole days"),
        (lambda: R.day + 1, r"1 \(int\) is not a date"),
        (lambda: R.day + R.n, r"there is no \+ for them"),
        (lambda: R.day + R.day, r"there is no \+ for them"),
        (lambda: R.day - R.at, r"there is no - for them"),
        (lambda: R.at + R.at, r"there is no \+ for them"),
        (lambda: R.at - datetime(2024, 1, 1), r"has no time zone"),
        (lambda: R.at - date(2024, 1, 1), r"is not a datetime"),
        (lambda: R.span - R.at, r"there is no - for them"),
        (lambda: R.span * 1.5, r"1\.5 \(float\) is not a timedelta"),
        (lambda: R.span / 2, r"there is no / for them"),
        (lambda: R.tm + HOUR, r"is not a time"),
        (lambda: func.year(R.t), r"func\.year\(\) takes a date or a moment, and Reading\.t is text"),
        (lambda: func.year(R.tm), r"func\.year\(\) takes a date or a moment, and Reading\.tm is time"),
        (lambda: func.hour(R.day), r"func\.hour\(\) takes a time or a moment, and Reading\.day is date"),
        (lambda: func.year(date(2024, 1, 1)), r"func\.year\(\) takes an expression"),
        (lambda: func.epoch(R.n), r"func\.epoch\(\) takes date or datetime or interval"),
        (lambda: func.trunc("hour", R.day), r"'hour' is no unit of Reading\.day\nHint: use one of year, quarter"),
        (lambda: func.trunc("x', now()) --", R.at), r"is no unit of Reading\.at"),
        (lambda: func.trunc(None, R.at), r"None is no unit"),
    ],
)
def test_moments_of_the_wrong_types(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()
