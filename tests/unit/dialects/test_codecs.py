"""How Python values travel: what each type becomes for the driver, and what comes back from it."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cormorant import DataError, WrongType
from cormorant import types as t
from cormorant.dialects.postgresql_arrays import array_literal
from cormorant.dialects.sqlite import canonical_decimal
from tests.support.sql import DATABASES


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


UID = UUID("12345678-1234-5678-1234-567812345678")
JSON = t.Json("dict", json.dumps, json.loads, dict)
MONEY = t.Custom(complex, t.Numeric(10, 2), lambda c: Decimal(c.real), lambda d: complex(float(d), 0))


def identity(value: Any) -> Any:
    return value


def encoder(database: str, type_: t.SqlType) -> Callable[[Any], Any]:
    return DATABASES[database].dialect.encoder(type_) or identity


def decoder(database: str, type_: t.SqlType) -> Callable[[Any], Any]:
    return DATABASES[database].dialect.decoder(type_) or identity


PLUS5 = dt.timezone(dt.timedelta(hours=5))

CASES: list[tuple[t.SqlType, Any, Any]] = [
    (t.INTEGER, 3, 3),
    (t.TEXT, "é", "é"),
    (t.BOOLEAN, True, True),
    (t.BINARY, b"\0\xff", b"\0\xff"),
    (t.NUMERIC, Decimal("1.50"), "1.5"),
    (t.Numeric(10, 2), Decimal("1.005"), "1.01"),
    (t.Numeric(10, 2), Decimal("-1.005"), "-1.01"),
    (t.Numeric(10, 0), 7, "7"),
    (t.DATE, dt.date(1, 1, 1), "0001-01-01"),
    (t.TIME, dt.time(1, 2, 3), "01:02:03.000000"),
    (t.DATETIME, dt.datetime(2024, 1, 2, tzinfo=PLUS5), "2024-01-01T19:00:00.000000+00:00"),
    (t.INTERVAL, dt.timedelta(days=-1, microseconds=1), -86_399_999_999),
    (t.UUID, UID, str(UID)),
    (t.Enumeration(Color), Color.RED, "red"),
    (t.Enumeration(Color, "color"), Color.RED, "red"),
    (t.Enumeration(Size, integers=True), Size.SMALL, 1),
    (t.Literals(("a", "b")), "a", "a"),
    (JSON, {"a": 1}, '{"a": 1}'),
    (t.Array(t.INTEGER), [1, 2], "[1, 2]"),
    (t.Array(t.TEXT), ["é", '"'], '["\\u00e9", "\\""]'),
    (t.Array(t.FLOAT), [1, 2.5], "[1.0, 2.5]"),
    (t.Array(t.BOOLEAN), [True, False], "[true, false]"),
    (t.Array(t.BINARY), [b"\0\xff"], '["00FF"]'),
    (t.Array(t.NUMERIC), [Decimal("1.50")], '["1.5"]'),
    (t.Array(t.UUID), [UID], f'["{UID}"]'),
    (t.Array(t.DATE), [dt.date(2024, 1, 2)], '["2024-01-02"]'),
    (t.Array(t.INTERVAL), [dt.timedelta(seconds=1)], "[1000000]"),
    (t.Array(t.Enumeration(Color)), [Color.RED, Color.BLUE], '["red", "blue"]'),
    (t.Array(t.TEXT), [], "[]"),
    (MONEY, complex(1.5, 0), "1.5"),
]


@pytest.mark.parametrize(("type_", "value", "kept"), CASES)
def test_sqlite_keeps_a_value_as(type_: t.SqlType, value: Any, kept: Any) -> None:
    type_.check(value)
    encoded = encoder("sqlite", type_)(value)
    assert encoded == kept
    assert type(encoded) is type(kept)


@pytest.mark.parametrize(("type_", "value", "kept"), CASES)
def test_what_sqlite_kept_comes_back(type_: t.SqlType, value: Any, kept: Any) -> None:
    found = decoder("sqlite", type_)(kept)
    rounded = isinstance(type_, t.Numeric) and type_.scale == 2
    assert found == (Decimal(kept) if rounded else value)
    assert type(found) is (Decimal if isinstance(type_, t.Numeric) else type(value))


@pytest.mark.parametrize(
    ("type_", "value", "sent"),
    [
        (t.Enumeration(Color), Color.RED, "red"),
        (t.Enumeration(Size, integers=True), Size.SMALL, 1),
        (JSON, {"a": 1}, '{"a": 1}'),
        (t.Array(t.Enumeration(Color)), [Color.RED], ["red"]),
        (t.Array(t.INTEGER), [1], [1]),
        (MONEY, complex(2, 0), Decimal(2)),
        (t.Array(t.Array(t.TEXT)), [["a", 'b"'], []], ['{"a","b\\""}', "{}"]),
    ],
)
def test_postgresql_takes_most_values_as_they_are(type_: t.SqlType, value: Any, sent: Any) -> None:
    assert encoder("postgresql", type_)(value) == sent


def test_values_from_postgresql_are_of_the_standard_classes() -> None:
    class DriversUUID(UUID):
        pass

    found = decoder("postgresql", t.UUID)(DriversUUID(str(UID)))
    assert found == UID
    assert type(found) is UUID
    assert type(decoder("postgresql", t.Array(t.UUID))([DriversUUID(str(UID))])[0]) is UUID


@pytest.mark.parametrize("database", DATABASES)
def test_a_label_that_is_no_member_is_named(database: str) -> None:
    with pytest.raises(DataError, match=r"the database holds 'green', which is no Color\nHint: .*Color"):
        decoder(database, t.Enumeration(Color))("green")


@pytest.mark.parametrize("database", DATABASES)
def test_flags_may_be_combined(database: str) -> None:
    type_ = t.Enumeration(Access, integers=True)
    both = Access.READ | Access.WRITE
    type_.check(both)
    assert encoder(database, type_)(both) == 3
    assert decoder(database, type_)(3) == both


@pytest.mark.parametrize("database", DATABASES)
def test_lists_may_hold_none(database: str) -> None:
    for type_, values in ((t.Array(t.UUID), [UID, None]), (t.Array(t.INTEGER), [1, None])):
        kept = encoder(database, type_)(values)
        assert decoder(database, type_)(kept) == values


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02T03:04:05.000000+00:00", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("2024-01-02 03:04:05", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("2024-01-02T05:04:05+02:00", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
    ],
)
def test_sqlite_reads_moments_that_other_programs_wrote(text: str, moment: dt.datetime) -> None:
    found = decoder("sqlite", t.DATETIME)(text)
    assert found == moment
    assert found.tzinfo is dt.UTC


@pytest.mark.parametrize(("kept", "number"), [(3, "3"), (1.5, "1.5"), ("2.50", "2.50"), ("1E+2", "1E+2")])
def test_sqlite_reads_numbers_that_other_programs_wrote(kept: Any, number: str) -> None:
    assert decoder("sqlite", t.NUMERIC)(kept) == Decimal(number)


# ------------------------------------------------------------------ properties

decimals = st.decimals(allow_nan=False, allow_infinity=False)


@given(decimals)
def test_a_decimal_has_one_text(number: Decimal) -> None:
    text = canonical_decimal(number)
    assert Decimal(text) == number
    assert canonical_decimal(Decimal(text)) == text
    assert "E" not in text
    assert text in ("0", text.lstrip("0")) or text.lstrip("-").startswith("0.")


@given(decimals, decimals)
def test_equal_decimals_have_equal_texts(a: Decimal, b: Decimal) -> None:
    assert (canonical_decimal(a) == canonical_decimal(b)) == (a == b)


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_texts_of_moments_sort_like_moments(a: dt.datetime, b: dt.datetime) -> None:
    encode = encoder("sqlite", t.DATETIME)
    try:
        t.DATETIME.check(a)
        t.DATETIME.check(b)
    except WrongType:
        return
    one, other = a.astimezone(dt.UTC), b.astimezone(dt.UTC)
    assert (encode(a) < encode(b)) == (one < other)
    assert decoder("sqlite", t.DATETIME)(encode(a)) == one


@given(st.timedeltas())
def test_lengths_of_time_are_exact(value: dt.timedelta) -> None:
    try:
        t.INTERVAL.check(value)
    except WrongType:
        return
    kept = encoder("sqlite", t.INTERVAL)(value)
    assert -(1 << 63) <= kept < 1 << 63
    assert decoder("sqlite", t.INTERVAL)(kept) == value


@given(st.lists(st.text()))
def test_array_literals_quote_everything(values: list[str]) -> None:
    literal = array_literal(values)
    items: list[str] = []
    rest = literal[1:-1]
    while rest:
        assert rest[0] == '"'
        end, item = 1, ""
        while rest[end] != '"':
            end += rest[end] == "\\"
            item += rest[end]
            end += 1
        items.append(item)
        rest = rest[end + 2 :]
    assert items == values
