from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cormorant.cache.codec import NotKept, decode, encode

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=45)))).map(
        lambda moment: moment.replace(fold=0)
    )
    | st.dates()
    | st.times().map(lambda moment: moment.replace(fold=0))
    | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


def exactly(value: Any) -> Any:
    """Gives a value with the types of all its parts, and with what `==` does not see."""
    return [exactly(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


@given(st.lists(st.lists(values, min_size=2, max_size=2), max_size=4))
def test_rows_come_back_exactly(rows: list[list[Any]]) -> None:
    assert [exactly(list(row)) for row in decode(encode(rows)) or []] == [exactly(row) for row in rows]


@pytest.mark.parametrize("value", [Decimal("1.500"), Decimal("-0"), Decimal("1E+5"), -0.0, float("inf"), datetime.max])
def test_values_that_are_easily_changed_are_not(value: Any) -> None:
    assert exactly(list((decode(encode([[value]])) or [()])[0])) == [exactly(value)]


class Text(UUID):
    """As drivers have them."""


def test_a_drivers_own_uuid_becomes_a_plain_one() -> None:
    number = "12345678-1234-5678-1234-567812345678"
    ((found,),) = decode(encode([[Text(number)]])) or [()]
    assert type(found) is UUID
    assert found == UUID(number)


@pytest.mark.parametrize("value", [{"n": "1"}, (1, 2), object(), {1}, [[{"t": 1}]]])
def test_what_would_come_back_as_something_else_is_not_kept(value: Any) -> None:
    with pytest.raises(NotKept):
        encode([[value]])


class Bomb:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


HOSTILE = [
    b"",
    b"\x80\x04",
    pickle.dumps(Bomb()),
    b"nonsense",
    b"{}",
    b"7",
    b"[7]",
    b'[["x", {"zz": 1}]]',
    b'[[{"n": "x"}]]',
    b'[[{"n": [1]}]]',
    b'[[{"t": "2026-99-99"}]]',
    b'[[{"t": []}]]',
    b'[[{"b": "***"}]]',
    b'[[{"u": 5}]]',
    b'[[{"l": [1e400, 0, 0]}]]',
    b'[[{"l": [99999999999999, 0, 0]}]]',
    b'[[{"n": "1", "t": "2"}]]',
    b"[" * 200_000,
    b"[[" + b"9" * 10_000 + b"]]",
    b'[["\xff\xfe"]]',
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_what_somebody_else_has_written_is_no_rows(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert decode(data) is None
    assert capsys.readouterr().out == ""


def test_types_are_told_apart() -> None:
    same = [1, 1.0, True, "1", Decimal(1)]
    assert len({encode([[value]]) for value in same}) == len(same)
    assert len({encode([[value]]) for value in (date(2026, 1, 1), datetime(2026, 1, 1), time(0), timedelta(0))}) == 4
