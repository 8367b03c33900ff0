"""Figures of databases for Prometheus: the extra `prometheus`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from cormorant.database import Database

_FIGURES = {
    "statements": "Statements that were sent.",
    "statement_errors": "Statements that failed, or were cut off.",
    "statement_rows": "Rows that were given back or written.",
    "statement_seconds": "Seconds from sending to the last row, all statements together.",
}


def collector_of(**databases: Database) -> Collector:
    """Gives what tells the sums over databases' statements whenever it is asked.

    Args:
        databases: By the value that the label `database` is to have.

    Example:
        >>> REGISTRY.register(collector_of(main=db))    # cormorant_statements_total{database="main"} 4711.0
    """
    return _Collector(databases)


class _Collector(Collector):
    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases

    def collect(self) -> Iterator[Metric]:
        """Gives the figures; it asks no database."""
        families = {
            name: CounterMetricFamily(f"cormorant_{name}", text, labels=["database"]) for name, text in _FIGURES.items()
        }
        for label, database in self._databases.items():
            stats = database.query_stats()
            figures = {
                "statements": sum(item.count for item in stats),
                "statement_errors": sum(item.errors for item in stats),
                "statement_rows": sum(item.rows for item in stats),
                "statement_seconds": sum(item.total_ms for item in stats) / 1000,
            }
            for name, value in figures.items():
                families[name].add_metric([label], value)
        yield from families.values()
