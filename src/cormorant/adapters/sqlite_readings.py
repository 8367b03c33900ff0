"""Texts that PostgreSQL reads and writes for dates, lengths of time, lists and bytes; what SQLite keeps of them.

Read is what can mean only one thing. What is not is a ValueError: `'today'`, months, the order of days and months.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from cormorant.adapters.sqlite_numbers import EXACT
from cormorant.dialects.sqlite import encode_datetime

_WHOLE = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<part>\d*))?)?"
_ZONE = r"(?:\s*(?P<zone>Z|UTC|GMT|(?P<sign>[-+])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?))?"
_DAY = r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_MOMENT = re.compile(rf"\s*{_DAY}(?:(?:\s*T\s*|\s+){_CLOCK}{_ZONE})?\s*", re.ASCII | re.I)
_TIME = re.compile(rf"\s*(?:{_DAY}(?:\s*T\s*|\s+))?{_CLOCK}{_ZONE}\s*", re.ASCII | re.I)
_UUID = re.compile(r"(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}", re.I)
_ITEM = re.compile(
    r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^",{}\\\s](?:[^",{}\\]|\\.)*?))\s*(?P<end>[,}])', re.DOTALL
)
_ESCAPED = re.compile(rb"\\(?:\\|[0-3][0-7]{2})|[^\\]", re.DOTALL)


def whole(text: str) -> str:
    """Gives the text of a whole number."""
    if _WHOLE.fullmatch(text) is None:
        raise ValueError
    return text


def cut(text: str, length: int) -> str:
    """Gives a text that is no longer than its column; only blanks behind it are too much."""
    if text[length:].strip(" "):
        raise ValueError
    return text[:length]


def identifier(text: str) -> str:
    """Reads a UUID, perhaps in braces."""
    bare = text[1:-1] if text[:1] == "{" and text[-1:] == "}" else text
    if _UUID.fullmatch(bare) is None:
        raise ValueError
    return str(uuid.UUID(bare))


def blob(text: str) -> bytes:
    r"""Reads bytes: \x6162, or the characters themselves, \134 for one that is none."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    found: list[bytes] = _ESCAPED.findall(text.encode())
    if sum(map(len, found)) != len(text.encode()):
        raise ValueError
    return b"".join(bytes([int(part[1:], 8)]) if len(part) == 4 else part[-1:] for part in found)


# ------------------------------------------------------------------ moments


def _clock(match: re.Match[str]) -> dt.time:
    if match["hour"] is None:
        return dt.time()
    # PostgreSQL rounds to microseconds; more digits than that are not read
    part = (match["part"] or "").rstrip("0").ljust(6, "0")
    if len(part) > 6:
        raise ValueError
    return dt.time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0), int(part))


def _date(match: re.Match[str]) -> dt.date:
    return dt.date(int(match["year"]), int(match["month"]), int(match["day"]))


def date(text: str) -> str:
    """Reads a date; of a moment its day."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError
    _clock(match)
    return _date(match).isoformat()


def time(text: str) -> str:
    """Reads a time; of a moment, that of its day."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError
    return _clock(match).isoformat(timespec="microseconds")


def moment(text: str) -> str:
    """Reads a moment; one without a zone is meant in UTC."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError
    away = dt.timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    zone = dt.timezone(-away if match["sign"] == "-" else away)
    return encode_datetime(dt.datetime.combine(_date(match), _clock(match), zone))


def without_zeros(text: str) -> str:
    """Gives a time without the zeros at the end of its fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment_text(value: dt.datetime) -> str:
    """Writes a moment."""
    clock = without_zeros(value.time().isoformat(timespec="microseconds"))
    return f"{value.date().isoformat()} {clock}+00"


# ------------------------------------------------------------------ lengths of time

_DAY_LONG = 86_400_000_000
_UNITS = {
    1: ("us", "usec", "usecs", "usecond", "useconds", "microsecond", "microseconds"),
    1_000: ("ms", "msec", "msecs", "msecond", "mseconds", "millisecond", "milliseconds"),
    1_000_000: ("s", "sec", "secs", "second", "seconds"),
    60_000_000: ("m", "min", "mins", "minute", "minutes"),
    3_600_000_000: ("h", "hr", "hrs", "hour", "hours"),
    _DAY_LONG: ("d", "day", "days"),
    7 * _DAY_LONG: ("w", "week", "weeks"),
}
_LONG = {name: long for long, names in _UNITS.items() for name in names}
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_PIECE = re.compile(
    rf"\s*(?:(?P<minus>[-+])?(?P<hours>\d+):(?P<minutes>[0-5]?\d)(?::(?P<seconds>[0-5]?\d(?:\.\d*)?))?"
    rf"|(?P<number>{_NUMBER})\s*(?P<unit>[a-z]+))(?=\s|$|[-+\d])",
    re.ASCII | re.I,
)
_SECONDS = re.compile(rf"\s*{_NUMBER}\s*", re.ASCII)


def microseconds(seconds: Decimal) -> int:
    """Gives the microseconds of so many seconds, and refuses what Python has no length of time for."""
    found = int((seconds * 1_000_000).quantize(Decimal(1), ROUND_HALF_EVEN, EXACT))
    dt.timedelta(microseconds=found)
    return found


def interval(text: str) -> int:
    """Reads a length of time: '1 day 02:03:04', '90 min', '7' seconds."""
    if _SECONDS.fullmatch(text):
        return microseconds(Decimal(text.strip()))
    body, ago = (text.strip()[:-3], True) if re.search(r"\sago\s*$", text, re.I) else (text, False)
    found = sum(_pieces(body.removeprefix("@")), Decimal(0))
    return microseconds((-found if ago else found) / 1_000_000)


def _pieces(text: str) -> Iterator[Decimal]:
    place, text = 0, text.strip()
    while place < len(text) or place == 0:
        match = _PIECE.match(text, place)
        if match is None:
            raise ValueError
        if match["unit"] is not None:
            # months and years are of no certain length
            long = _LONG.get(match["unit"].lower())
            if long is None:
                raise ValueError
            yield Decimal(match["number"]) * long
        else:
            seconds = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + Decimal(match["seconds"] or 0)
            yield (-seconds if match["minus"] == "-" else seconds) * 1_000_000
        place = match.end()


def interval_text(value: int) -> str:
    """Writes a length of time of so many microseconds."""
    length = dt.timedelta(microseconds=value)
    days, rest = length.days, value - length.days * _DAY_LONG
    seconds, part = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    clock = without_zeros(f"{clock}.{part:06}") if part else clock
    if not days:
        return clock
    said = f"{days} day{'' if days == 1 else 's'}"
    return said if not rest else f"{said} {'+' if days < 0 else ''}{clock}"


# ------------------------------------------------------------------ lists


def list_text(items: Iterable[str | None]) -> str:
    """Writes a list."""
    return "{" + ",".join(map(_quoted, items)) + "}"


def _quoted(item: str | None) -> str:
    if item is None:
        return "NULL"
    if item and item.upper() != "NULL" and re.search(r'[{},"\\\s]', item) is None:
        return item
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def items_of(text: str) -> list[str | None]:
    """Reads a list without lists in it."""
    text = text.strip()
    if text[:1] != "{" or text[-1:] != "}":
        raise ValueError
    if not text[1:-1].strip():
        return []
    found: list[str | None] = []
    place, end = 1, ","
    while end == ",":
        match = _ITEM.match(text, place)
        if match is None:
            raise ValueError
        given = match["quoted"] if match["bare"] is None else match["bare"]
        null = match["bare"] is not None and match["bare"].upper() == "NULL"
        found.append(None if null else re.sub(r"\\(.)", r"\1", given, flags=re.DOTALL))
        place, end = match.end(), match["end"]
    if place != len(text):
        raise ValueError
    return found
