"""Whole columns as the text of an array: what is written, and what is refused without showing it."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

import pytest

from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.postgresql_arrays import array_writer
from cormorant.errors import DataError
from cormorant.observability.redaction import shown_parameters
from cormorant.sql import types as t


class Rank(enum.IntEnum):
    FIRST = 1


class Name(str):
    __slots__ = ()


def written(type_: t.SqlType, values: list[Any]) -> str:
    write = array_writer(type_)
    assert write is not None
    return write(values)


MADRID = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("type_", "values", "text"),
    [
        (t.INTEGER, [], "{}"),
        (t.INTEGER, [1, -2, True, Rank.FIRST], "{1,-2,1,1}"),
        (t.BIG_INTEGER, [None, 5, None], "{NULL,5,NULL}"),
        (t.TEXT, [], "{}"),
        (t.TEXT, ["a", "", 'b"c', "d\\e", "NULL", "{,}"], '{"a","","b\\"c","d\\\\e","NULL","{,}"}'),
        (t.TEXT, [None, "", None, None, "a", None], '{NULL,"",NULL,NULL,"a",NULL}'),
        (t.TEXT, [Name("a")], '{"a"}'),
        (t.FLOAT, [1.5, 2, None, float("inf"), 1e300], "{1.5,2.0,NULL,inf,1e+300}"),
        (t.NUMERIC, [Decimal("1.50"), 7, None, Decimal("1E+3")], "{1.50,7,NULL,1E+3}"),
        (t.BOOLEAN, [True, None, False], "{t,NULL,f}"),
        (t.DATE, [dt.date(2024, 2, 29), None, dt.date.max, dt.date.min], "{2024-02-29,NULL,infinity,-infinity}"),
        (t.TIME, [dt.time(1, 2, 3, 4), None], "{01:02:03.000004,NULL}"),
        (t.DATETIME, [dt.datetime(2024, 1, 1, 1, tzinfo=MADRID), None], "{2023-12-31T23:00:00+00:00,NULL}"),
        (t.UUID, [uuid.UUID(int=10), None], "{0000000000000000000000000000000a,NULL}"),
    ],
)
def test_values_are_written(type_: t.SqlType, values: list[Any], text: str) -> None:
    assert written(type_, values) == text


@pytest.mark.parametrize("type_", [t.BINARY, t.INTERVAL, t.Native("inet")])
def test_some_types_travel_as_they_are(type_: t.SqlType) -> None:
    assert array_writer(type_) is None
    assert PostgreSQLDialect().encoder(t.Batch(type_)) is None


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (t.INTEGER, "4711"),
        (t.TEXT, 4711),
        (t.FLOAT, "4711"),
        (t.NUMERIC, 4711.5),
        (t.BOOLEAN, "4711"),
        (t.DATE, "4711"),
        (t.TIME, "4711"),
        (t.DATETIME, "4711"),
        (t.UUID, "4711"),
    ],
)
@pytest.mark.parametrize("beside", [[], [None]])
def test_values_of_another_class_are_refused_and_not_shown(type_: t.SqlType, value: object, beside: list[None]) -> None:
    with pytest.raises(DataError) as caught:
        written(type_, [value, *beside])
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert type_.name in str(caught.value)


@pytest.mark.parametrize("values", [["\0"], ["a\0,\0b"], ["\0\0\0"], [None, "\0"], ["\0", None]])
def test_no_text_can_pose_as_several(values: list[str | None]) -> None:
    with pytest.raises(DataError, match="NUL"):
        written(t.TEXT, values)


def test_logs_show_items() -> None:
    text = written(t.INTEGER, list(range(1000)))
    assert shown_parameters("INSERT", [text]) == ("[0, 1, 2, ... 1000 in all]",)
    assert shown_parameters("INSERT", [written(t.TEXT, ["password=hunter2"])]) == ("[***]",)
