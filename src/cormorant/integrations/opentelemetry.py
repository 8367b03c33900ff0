"""Spans and metrics of statements for OpenTelemetry: the extra `otel`.

Names and attributes follow the stable semantic conventions for database clients:
https://opentelemetry.io/docs/specs/semconv/database/
"""

from __future__ import annotations

from time import time_ns

from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer

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


def trace_tags() -> dict[str, str]:
    """Gives the current span for `query_tags`: `with query_tags(**trace_tags())` puts `traceparent` into statements.

    Every trace makes statements of its own then, which drivers prepare anew: for databases whose logs are read by it.
    """
    carrier: dict[str, str] = {}
    inject(carrier)
    return {name: value for name, value in carrier.items() if name in ("traceparent", "tracestate")}
