"""Figures of databases for Prometheus: the extra `prometheus`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cormorant.database import Database

_COUNTERS = {
    "pool_acquired": "Connections that were lent.",
    "pool_timeouts": "Callers that were sent away without a connection.",
    "pool_connected": "Connections that were opened.",
    "pool_closed": "Connections that were opened and are gone.",
    "statements_count": "Statements that were sent.",
    "statements_errors": "Statements that failed, or were cancelled.",
    "statements_rows": "Rows that were given back or written.",
    "statements_total_ms": "Milliseconds from sending to the last row, all statements together.",
    "plans_hits": "Queries whose plan was found.",
    "plans_misses": "Queries whose plan was made.",
    "cache_hits": "Rows and results found in the second-level cache.",
    "cache_misses": "Rows and results that were not, and were read from the database.",
    "cache_fills": "Rows and results that the cache was given to keep.",
    "cache_invalidations": "Commits after which something was dropped from the cache.",
}
"""What only grows; the other figures of `db.stats()` are gauges."""


def collector_of(**databases: Database) -> Collector:
    """Gives what tells the figures of databases' `stats()` whenever it is asked.

    Args:
        databases: By the value that the label `database` is to have.

    Example:
        >>> REGISTRY.register(collector_of(main=db))    # cormorant_statements_count_total{database="main"} 4711.0
    """
    return _Collector(databases)


class _Collector(Collector):
    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases

    def collect(self) -> Iterator[Metric]:
        """Gives the figures; it asks no database."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for label, database in self._databases.items():
            for name, value in database.stats().as_dict().items():
                family = families.setdefault(name, _family(name))
                family.add_metric([label], value)
        yield from families.values()


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily:
    told = _COUNTERS.get(name)
    if told is not None:
        return CounterMetricFamily(f"cormorant_{name}", told, labels=["database"])
    return GaugeMetricFamily(f"cormorant_{name}", f"db.stats(): {name}.", labels=["database"])
