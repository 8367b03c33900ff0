"""The locks of PostgreSQL's tables by name: which of them keep others from reading and writing.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

LockMode: TypeAlias = Literal[
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
]
"""A lock as PostgreSQL's documentation names it, the weakest first."""

MODES: tuple[LockMode, ...] = get_args(LockMode)
_WRITERS_WAIT = frozenset[LockMode]({"SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"})


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a table, or on an index.

    Args:
        mode: Its name.
        on: The table's key, or the index's.
    """

    mode: LockMode
    on: str

    @property
    def stops_reads(self) -> bool:
        """Whether others wait who only read."""
        return self.mode == "ACCESS EXCLUSIVE"

    @property
    def stops_writes(self) -> bool:
        """Whether others wait who write."""
        return self.mode in _WRITERS_WAIT

    def __str__(self) -> str:
        return f"{self.mode} on {self.on}"


def stronger(one: LockMode, other: LockMode) -> LockMode:
    """Gives the stronger of two locks."""
    return one if MODES.index(one) >= MODES.index(other) else other


def strongest(locks: tuple[Lock, ...]) -> tuple[Lock, ...]:
    """Gives the strongest lock on each table, in the order in which the tables are first named."""
    found: dict[str, LockMode] = {}
    for lock in locks:
        found[lock.on] = stronger(found.get(lock.on, lock.mode), lock.mode)
    return tuple(Lock(mode, on) for on, mode in found.items())
