"""Spans and metrics of statements for OpenTelemetry: the extra `otel`.

Names and attributes follow the stable semantic conventions for database clients:
https://opentelemetry.io/docs/specs/semconv/database/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import time_ns
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter, get_meter_provider
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer

from cormorant.database import Database, DatabaseStats
from cormorant.errors import DatabaseError
from cormorant.observability.events import StatementEvent

# seconds, as the conventions advise
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)

Attributes = dict[str, str | int]


class OpenTelemetryObserver:
    """Makes a span of every statement, and counts its duration: `db.observe(OpenTelemetryObserver())`.

    Spans are children of the span that is current in the task that sends the statement. None has values of parameters.

    Args:
        tracer_provider: Where spans go; the global one if not given.
        meter_provider: Where the histogram `db.client.operation.duration` goes; the global one if not given.

    Example:
        >>> db.observe(OpenTelemetryObserver())
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = get_tracer("cormorant", tracer_provider=tracer_provider)
        self._duration = get_meter("cormorant", meter_provider=meter_provider).create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )

    def statement(self, event: StatementEvent, /) -> None:
        """Is called after each statement."""
        common = _common(event)
        self._duration.record(event.seconds, common)
        end = time_ns()
        target = event.target
        name = " ".join(filter(None, (event.operation, target.name or target.host)))
        attributes: Attributes = {**common, "db.query.text": event.statement}
        if event.operation == "SELECT" and event.error is None:
            attributes["db.response.returned_rows"] = event.rows
        # it is over: the span is made of its beginning and its end
        span = self._tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=end - int(event.seconds * 1e9)
        )
        if event.error is not None:
            message = event.error.message if isinstance(event.error, DatabaseError) else None
            span.set_status(Status(StatusCode.ERROR, message))
        span.end(end)


def _common(event: StatementEvent) -> Attributes:
    """Gives the attributes that spans and metrics share; each has few values."""
    target, error = event.target, event.error
    code = error.code if isinstance(error, DatabaseError) else None
    found: dict[str, str | int | None] = {
        "db.system.name": target.system,
        "db.namespace": target.name,
        "db.operation.name": event.operation,
        "db.operation.batch.size": event.runs if event.runs > 1 else None,
        "db.response.status_code": code,
        "error.type": None if error is None else code or type(error).__qualname__,
        "server.address": target.host,
        "server.port": target.port,
    }
    return {name: value for name, value in found.items() if value is not None}


# ------------------------------------------------------------------ figures

Told = Iterable[tuple[float, Attributes]]

_POOL = "db.client.connection.pool.name"


def measure(databases: Mapping[str, Database], meter_provider: MeterProvider | None = None) -> None:
    """Has meters ask the `stats()` of databases: connections, and the second-level cache. No database is asked.

    Connections go by the names of the conventions, `db.client.connection.*`. There are none for caches:
    `cormorant.cache.lookups` (whose `cormorant.cache.result` is "hit" or "miss"), `.fills`, `.invalidations`,
    `.entries` and `.size`. Databases may be added by calling it again.

    Args:
        databases: By the name that the attribute `db.client.connection.pool.name` is to have.
        meter_provider: Where the figures go; the global one if not given.

    Example:
        >>> measure({"main": db})
    """
    provider = get_meter_provider() if meter_provider is None else meter_provider
    known = _measured.get(provider)
    if known is not None:
        # a meter takes no second instrument of one name
        known.update(databases)
        return
    known = _measured[provider] = dict(databases)
    meter = provider.get_meter("cormorant")
    for grows, name, unit, description, tell in _FIGURES:
        make = meter.create_observable_counter if grows else meter.create_observable_up_down_counter
        make(name, [_asking(known, tell)], unit, description)


_measured: WeakKeyDictionary[MeterProvider, dict[str, Database]] = WeakKeyDictionary()
"""What meters ask, by who has made them."""


def _asking(
    databases: Mapping[str, Database], tell: Callable[[DatabaseStats], Told]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def ask(_: CallbackOptions) -> Iterable[Observation]:
        for label, database in list(databases.items()):
            for value, attributes in tell(database.stats()):
                yield Observation(value, {_POOL: label, **attributes})

    return ask


def _connections(stats: DatabaseStats) -> Told:
    state = "db.client.connection.state"
    return [(stats.pool.idle, {state: "idle"}), (stats.pool.in_use, {state: "used"})]


def _lookups(stats: DatabaseStats) -> Told:
    result = "cormorant.cache.result"
    return [(stats.cache.hits, {result: "hit"}), (stats.cache.misses, {result: "miss"})]


_FIGURES: tuple[tuple[bool, str, str, str, Callable[[DatabaseStats], Told]], ...] = (
    (False, "db.client.connection.count", "{connection}", "Connections by their state.", _connections),
    (False, "db.client.connection.max", "{connection}", "Connections at most.", lambda s: [(s.pool.size, {})]),
    (
        False,
        "db.client.connection.pending_requests",
        "{request}",
        "Callers that wait for a connection.",
        lambda s: [(s.pool.waiting, {})],
    ),
    (
        True,
        "db.client.connection.timeouts",
        "{timeout}",
        "Callers that were sent away without a connection.",
        lambda s: [(s.pool.timeouts, {})],
    ),
    (True, "cormorant.cache.lookups", "{lookup}", "What was asked of the second-level cache.", _lookups),
    (True, "cormorant.cache.fills", "{value}", "Values given to the cache.", lambda s: [(s.cache.fills, {})]),
    (
        True,
        "cormorant.cache.invalidations",
        "{commit}",
        "Commits after which something was dropped from the cache.",
        lambda s: [(s.cache.invalidations, {})],
    ),
    (False, "cormorant.cache.entries", "{value}", "Values in this process.", lambda s: [(s.cache.entries, {})]),
    (False, "cormorant.cache.size", "By", "What they take, about.", lambda s: [(s.cache.bytes, {})]),
)


def trace_tags() -> dict[str, str]:
    """Gives the current span for `query_tags`: `with query_tags(**trace_tags())` puts `traceparent` into statements.

    Every trace makes statements of its own then, which drivers prepare anew: for databases whose logs are read by it.
    """
    carrier: dict[str, str] = {}
    inject(carrier)
    return {name: value for name, value in carrier.items() if name in ("traceparent", "tracestate")}
