"""How a pool of connections is used, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How a pool is used.

    Args:
        size: Connections at most.
        opened: Connections there are.
        idle: Connections nobody uses.
        in_use: Connections lent.
        waiting: Callers that wait for one.
    """

    size: int
    opened: int
    idle: int
    in_use: int
    waiting: int

    def __add__(self, other: PoolStats) -> PoolStats:
        return PoolStats(
            self.size + other.size,
            self.opened + other.opened,
            self.idle + other.idle,
            self.in_use + other.in_use,
            self.waiting + other.waiting,
        )
