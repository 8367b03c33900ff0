"""How a pool of connections is used, as a value."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How a pool is used.

    Args:
        size: Connections at most.
        opened: Connections there are.
        idle: Connections nobody uses.
        in_use: Connections lent.
        waiting: Callers that wait for one.
        acquired: How often one was lent, since the beginning.
        timeouts: How often a caller was sent away because none became free, or because too many waited.
        connected: How many connections were opened since the beginning.
        closed: How many of those are gone: closed, lost or terminated.
    """

    size: int
    opened: int
    idle: int
    in_use: int
    waiting: int
    acquired: int = 0
    timeouts: int = 0
    connected: int = 0
    closed: int = 0

    def __add__(self, other: PoolStats) -> PoolStats:
        return PoolStats(*map(sum, zip(astuple(self), astuple(other), strict=True)))
