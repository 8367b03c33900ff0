"""What a process that answers requests asks of the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from cormorant._internal.garbage import YOUNG, frozen


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    limits, count = gc.get_threshold(), gc.get_freeze_count()
    yield
    gc.set_threshold(*limits)
    if count and not gc.get_freeze_count():
        gc.freeze()


@pytest.mark.parametrize(("young", "meanwhile"), [(700, YOUNG), (YOUNG + 1, YOUNG + 1), (0, 0)])
def test_young_objects_are_looked_at_less_often_never_more(young: int, meanwhile: int) -> None:
    gc.set_threshold(young, 5, 6)
    before = gc.get_threshold()
    with frozen():
        assert gc.get_threshold() == (meanwhile, *before[1:])
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before


def test_what_others_set_meanwhile_stays() -> None:
    gc.set_threshold(700, 5, 6)
    with frozen():
        gc.set_threshold(1_000, 5, 6)
        expected = gc.get_threshold()
    assert gc.get_threshold() == expected


def test_one_inside_of_another_ends_first() -> None:
    gc.set_threshold(700, 5, 6)
    before = gc.get_threshold()
    with frozen():
        with frozen():
            assert gc.get_threshold()[0] == YOUNG
        assert gc.get_threshold()[0] == YOUNG
    assert gc.get_threshold() == before
