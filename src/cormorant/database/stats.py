"""How a database is used, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from cormorant.adapters.stats import PoolStats
from cormorant.observability.performance import StatementTotals
from cormorant.query.plans import Plans


@dataclass(frozen=True, slots=True)
class PlanStats:
    """How the plans of statements are used, by which equal queries are compiled once.

    Args:
        kept: How many there are.
        hits: How often one was found.
        misses: How often one was made.
    """

    kept: int
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How the second-level cache is used.

    Args:
        hits: Rows and results that were found.
        misses: Those that were not, and were read from the database.
        fills: Those that were given to the backend to keep.
        invalidations: Commits, of this process or told by others, after which something was dropped.
        entries: What is kept in the memory of this process.
        bytes: What that takes, about.
    """

    hits: int = 0
    misses: int = 0
    fills: int = 0
    invalidations: int = 0
    entries: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """How a database was used so far, with the connections of sync sessions.

    Args:
        pool: Its connections.
        statements: What was sent.
        plans: What was compiled.
        listeners: How many listen for notifications.
        cache: The second-level cache.
    """

    pool: PoolStats
    statements: StatementTotals
    plans: PlanStats
    listeners: int
    cache: CacheStats = field(default_factory=CacheStats)

    def as_dict(self) -> dict[str, float]:
        """Gives all figures by names such as "pool_in_use" and "statements_errors", for metrics."""
        parts = {name: asdict(getattr(self, name)) for name in ("pool", "statements", "plans", "cache")}
        figures = {f"{name}_{key}": value for name, part in parts.items() for key, value in part.items()}
        return {**figures, "listeners": self.listeners}


def plan_stats(*caches: Plans[Any]) -> PlanStats:
    """Gives the sums over caches of plans."""
    asked, made = sum(cache.asked for cache in caches), sum(cache.made for cache in caches)
    return PlanStats(sum(map(len, caches)), asked - made, made)
