"""Copies and snapshots of documents are what `deepcopy` and a comparison by type would give."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cormorant._internal.copies import Snapshot, own_copy
from cormorant.models.inside import same

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
documents = st.recursive(
    plain | st.decimals(allow_nan=False) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(documents)
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    made = own_copy(value)
    assert repr(made) == repr(copy.deepcopy(value))
    assert same(made, value)
    if isinstance(value, (dict, list)):
        assert made is not value


@given(documents, documents)
def test_a_snapshot_is_surely_only_what_is_the_same(value: Any, other: Any) -> None:
    snapshot = Snapshot(value)
    assert same(snapshot.copy(), value)
    if snapshot.is_surely(other):
        assert same(value, other)


DIFFERENT: list[tuple[Any, Any]] = [
    ([1], [True]),
    ([1], [1.0]),
    ({"a": 0}, {"a": False}),
    ({"a": {"b": [1]}}, {"a": {"b": [1, 2]}}),
    ([], {}),
    (["1"], [1]),
    ([Decimal(1)], [1]),
    ([dt.date(2024, 1, 1)], [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_python_finds_equal_are_told_apart(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not Snapshot(one).is_surely(other)


def test_the_order_of_keys_makes_no_difference() -> None:
    assert same({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})


def test_a_snapshot_stays_as_it_was() -> None:
    values: list[Any] = [{"a": [1]}, {"a": [Decimal(1)]}]
    for value in values:
        snapshot, before = Snapshot(value), copy.deepcopy(value)
        value["a"].append(2)
        assert snapshot.copy() == before
        snapshot.copy()["a"].append(3)
        assert snapshot.copy() == before
