"""Models declared by one test are unknown to the next, and to those of other modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cormorant.models.registry import registry


@pytest.fixture(autouse=True)
def models_of_one_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leaves a test the models of its own module and of the linked ones, and forgets those that it declares."""
    known = list(registry)
    with registry.isolated():
        for info in known:
            if info.cls.__module__.startswith((request.module.__name__, "tests.unit.models.linked")):
                registry.add(info)
        yield
