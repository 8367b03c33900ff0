"""The quick test of a column passes right values only, and those that most objects have."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cormorant import Mapped, Model, field, generated
from cormorant.models import reading
from cormorant.models.validation import problem_of


class Sample(Model, app="plain"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int]
    small: Mapped[int] = field(size="small")
    name: Mapped[str]
    code: Mapped[str] = field(max_length=3)
    ratio: Mapped[float]
    price: Mapped[Decimal] = field(precision=5, decimal_places=2)
    whole: Mapped[Decimal] = field(precision=3)
    free: Mapped[Decimal]
    flag: Mapped[bool]
    data: Mapped[bytes]
    key: Mapped[UUID]
    day: Mapped[dt.date]
    hour: Mapped[dt.time]
    moment: Mapped[dt.datetime]
    note: Mapped[str | None]
    document: Mapped[dict[str, Any]]


RIGHT: dict[str, Any] = {
    "number": 7,
    "small": -3,
    "name": "Ada",
    "code": "abc",
    "ratio": 0.5,
    "price": Decimal("123.45"),
    "whole": Decimal(999),
    "flag": True,
    "data": b"x",
    "key": UUID(int=1),
    "day": dt.date(2024, 2, 29),
    "hour": dt.time(12, 30),
    "moment": dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
}
VALUES: list[Any] = [
    *(0, True, 1 << 15, 1 << 31, 1 << 63, 0.5, float("nan"), float("inf"), "", "abcd", "a\0", "\ud800", "é", b"", None),
    *map(Decimal, ("NaN", "sNaN", "Infinity", "-Infinity", "0.00", "-0.00", "999.99", "1000.00", "-999.99", "1E+3")),
    *map(Decimal, ("0.001", "1", "12.3", "999.995", "-1000.00", "1E-400", "999", "1000")),
    *(dt.date(1, 1, 1), dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1), dt.datetime.max),
    *(dt.datetime(9999, 12, 31, tzinfo=dt.timezone(dt.timedelta(hours=-5))), dt.time(1, tzinfo=dt.UTC)),
    *({}, {"a": 1}, [], object(), UUID(int=0)),
]


@pytest.mark.parametrize("name", RIGHT)
def test_usual_values_pass_and_only_right_ones_do(name: str) -> None:
    test, column = reading.tests_of(Sample.__info__)[name], Sample.__info__.by_attribute[name]
    assert test(RIGHT[name])
    for value in VALUES:
        assert not test(value) or problem_of(column, value) is None, value


@given(st.decimals())
def test_decimals_that_pass_are_right(value: Decimal) -> None:
    for name in ("price", "whole", "free"):
        column = Sample.__info__.by_attribute[name]
        assert not reading.tests_of(Sample.__info__)[name](value) or problem_of(column, value) is None


def test_every_wrong_value_of_an_object_is_told_in_order() -> None:
    right: dict[str, Any] = RIGHT | {"free": Decimal("1.5"), "note": None, "document": {"a": [1]}}
    problems: list[tuple[str, str]] = []
    values = reading.reader_of(Sample.__info__)(Sample(**right), problems)
    assert (values, problems) == (right, [])
    assert list(values) == [name for name in Sample.__info__.fields if name != "id"]
    others: dict[str, Any] = {"document": {"a": object()}, "price": Decimal("0.001"), "number": "7"}
    wrong = Sample(**{**right, **others})
    reading.reader_of(Sample.__info__)(wrong, problems)
    assert [place for place, _ in problems] == ["Sample.number", "Sample.price", "Sample.document"]
