"""Moments and dates on SQLite: their texts computed with exactly, and read strictly."""

from __future__ import annotations

import datetime as dt
import uuid

from cormorant.adapters.sqlite_numbers import Registered
from cormorant.adapters.sqlite_reasons import strict
from cormorant.dialects.sqlite import decode_datetime, decode_interval, encode_datetime, encode_interval

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _moment(text: str) -> dt.datetime:
    # a date is its first moment
    return decode_datetime(text)


def _moment_add(moment: str, microseconds: int) -> str:
    return encode_datetime(_moment(moment) + decode_interval(microseconds))


def _moment_diff(moment: str, other: str) -> int:
    return encode_interval(_moment(moment) - _moment(other))


def _date_add(date: str, days: int) -> str:
    return (dt.date.fromisoformat(date) + dt.timedelta(days=days)).isoformat()


def _epoch(moment: str) -> float:
    return (_moment(moment) - _EPOCH) / dt.timedelta(seconds=1)


def _parse_moment(text: str) -> str:
    # Python 3.11 reads ISO 8601, and PostgreSQL a blank around it and before the zone too
    return encode_datetime(decode_datetime(text.strip().replace(" UTC", "+00:00")))


def _parse_date(text: str) -> str:
    return dt.date.fromisoformat(text.strip()).isoformat()


def _parse_time(text: str) -> str:
    time = dt.time.fromisoformat(text.strip())
    return time.replace(tzinfo=None).isoformat(timespec="microseconds")


def _parse_uuid(text: str) -> str:
    return str(uuid.UUID(text.strip()))


FUNCTIONS: tuple[Registered, ...] = (
    ("cormorant_moment_add", 2, strict(_moment_add, "datetime out of range")),
    ("cormorant_moment_diff", 2, strict(_moment_diff)),
    ("cormorant_date_add", 2, strict(_date_add, "date out of range")),
    ("cormorant_epoch", 1, strict(_epoch)),
    ("cormorant_parse_moment", 1, strict(_parse_moment, "invalid input syntax for type datetime")),
    ("cormorant_parse_date", 1, strict(_parse_date, "invalid input syntax for type date")),
    ("cormorant_parse_time", 1, strict(_parse_time, "invalid input syntax for type time")),
    ("cormorant_parse_uuid", 1, strict(_parse_uuid, "invalid input syntax for type uuid")),
)
