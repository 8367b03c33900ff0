"""Models declared by one test are unknown to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cormorant.models.registry import registry


@pytest.fixture(autouse=True)
def models_of_one_test() -> Iterator[None]:
    """Forgets the models that a test declared; those of modules stay known."""
    known = {name: dict(entries) for name, entries in vars(registry).items()}
    yield
    for name, entries in known.items():
        setattr(registry, name, entries)
