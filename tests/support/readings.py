"""A model with a column of each scalar type, and rows at their edges: what is computed from it is checked elsewhere."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from cormorant import Mapped, Model, field


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Reading(Model, app="readings", table="readings"):
    id: Mapped[int] = field(primary_key=True)
    n: Mapped[int]
    m: Mapped[int | None]
    big: Mapped[int] = field(size="big")
    x: Mapped[float]
    d: Mapped[Decimal] = field(precision=10, decimal_places=2)
    e: Mapped[Decimal | None]
    flag: Mapped[bool]
    t: Mapped[str]
    u: Mapped[str | None]
    b: Mapped[bytes]
    day: Mapped[date]
    tm: Mapped[time]
    at: Mapped[datetime]
    span: Mapped[timedelta]
    uid: Mapped[UUID]
    color: Mapped[Color]


FIRST: dict[str, Any] = {
    "id": 1,
    "n": 7,
    "m": None,
    "big": 2**40,
    "x": 2.5,
    "d": Decimal("1.50"),
    "e": Decimal("0.1"),
    "flag": True,
    "t": "Hello World",
    "u": None,
    "b": b"\x00\xff",
    "day": date(2024, 1, 1),
    "tm": time(1, 2, 3, 456),
    "at": datetime(2024, 2, 29, 23, 59, 58, 123456, UTC),
    "span": timedelta(days=1, microseconds=5),
    "uid": UUID(int=1),
    "color": Color.RED,
}
SECOND: dict[str, Any] = {
    "id": 2,
    "n": -7,
    "m": 2,
    "big": -5,
    "x": -2.5,
    "d": Decimal("-2.25"),
    "e": None,
    "flag": False,
    "t": "  éa%_\\ ",
    "u": "x",
    "b": b"",
    "day": date(2023, 12, 31),
    "tm": time(23, 59, 59, 999999),
    "at": datetime(2020, 12, 31, 23, 30, tzinfo=UTC),
    "span": timedelta(days=-1, seconds=3),
    "uid": UUID(int=2**127),
    "color": Color.BLUE,
}
THIRD: dict[str, Any] = {
    "id": 3,
    "n": 0,
    "m": 3,
    "big": 0,
    "x": 1e20,
    "d": Decimal("10.00"),
    "e": Decimal("123456789012345678901234567890.123456789"),
    "flag": True,
    "t": "abcabc",
    "u": "abc",
    "b": b"abc",
    "day": date(1999, 11, 30),
    "tm": time(0),
    # the last microsecond of a year: rounded to milliseconds it would be the next one
    "at": datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    "span": timedelta(0),
    "uid": UUID(int=3),
    "color": Color.RED,
}
ROWS = [FIRST, SECOND, THIRD]
