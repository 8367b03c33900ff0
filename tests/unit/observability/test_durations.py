"""A percentile out of buckets is near the one of the durations themselves."""

from __future__ import annotations

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from cormorant.observability.durations import bucket_of, middle_of, percentile

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
    assert percentile({bucket_of(0.0): 1}, 0.95) < 1e-9 + 1.0
