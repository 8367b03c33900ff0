"""The databases of a program: each has a number, and those who report on all of it are told of each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cormorant.database.database import Database

_numbers = count(1)
_asking: list[list[Database]] = []


def noted(database: Database) -> int:
    """Notes a database for all who ask, and gives its number."""
    for kept in _asking:
        kept.append(database)
    return next(_numbers)


@contextmanager
def kept_databases() -> Generator[list[Database]]:
    """Gives a list that every database goes into which is made in the block."""
    found: list[Database] = []
    _asking.append(found)
    try:
        yield found
    finally:
        _asking.remove(found)
