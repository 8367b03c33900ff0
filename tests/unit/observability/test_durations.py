"""A percentile out of buckets is near the one of the durations themselves."""

from __future__ import annotations

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from cormorant.observability.durations import bucket_of, buckets_of, middle_of, percentile

durations = st.floats(min_value=1e-3, max_value=1e7)


@given(st.lists(durations, min_size=1), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_known_to_a_thirtieth(found: list[float], share: float) -> None:
    exact = sorted(found)[max(1, ceil(len(found) * share)) - 1]
    assert abs(percentile(Counter(map(bucket_of, found)), share) - exact) <= exact / 30


@given(durations)
def test_a_bucket_holds_its_middle(duration: float) -> None:
    assert bucket_of(middle_of(bucket_of(duration))) == bucket_of(duration)


def test_from_a_microsecond_to_an_hour_buckets_are_few() -> None:
    assert bucket_of(3.6e6) - bucket_of(1e-3) < 520


def test_no_runs_have_no_percentile() -> None:
    assert percentile({}, 0.95) == 0.0


def test_no_time_at_all_is_the_shortest() -> None:
    assert percentile(buckets_of([0.0, 0.0, 0.3]), 0.5) < 1e-5


@given(st.lists(st.one_of(durations, st.just(0.0), st.integers(-5, 5).map(lambda power: 2.0**power))))
def test_buckets_are_filled_alike_at_once_and_one_by_one(found: list[float]) -> None:
    assert buckets_of(found) == Counter(map(bucket_of, found))
