"""How a database is used, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
class DatabaseStats:
    """How a database was used so far, with the connections of sync sessions.

    Args:
        pool: Its connections.
        statements: What was sent.
        plans: What was compiled.
        listeners: How many listen for notifications.
    """

    pool: PoolStats
    statements: StatementTotals
    plans: PlanStats
    listeners: int

    def as_dict(self) -> dict[str, float]:
        """Gives all figures by names such as "pool_in_use" and "statements_errors", for metrics."""
        parts = {"pool": asdict(self.pool), "statements": asdict(self.statements), "plans": asdict(self.plans)}
        figures = {f"{name}_{key}": value for name, part in parts.items() for key, value in part.items()}
        return {**figures, "listeners": self.listeners}


def plan_stats(*caches: Plans[Any]) -> PlanStats:
    """Gives the sums over caches of plans."""
    asked, made = sum(cache.asked for cache in caches), sum(cache.made for cache in caches)
    return PlanStats(sum(map(len, caches)), asked - made, made)
