"""Spans and metrics by the semantic conventions for databases, and figures for Prometheus."""

from __future__ import annotations

import re

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry, generate_latest

from cormorant import AsyncSession, Database, MemoryCache, StatementError
from cormorant.integrations.opentelemetry import OpenTelemetryObserver, measure, trace_tags
from cormorant.integrations.prometheus import collector_of
from tests.support.newsroom import Writer


class Telemetry:
    def __init__(self, database: Database) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        meters = MeterProvider([self.reader], shutdown_on_exit=False)
        database.observe(OpenTelemetryObserver(self.provider, meters))

    def spans(self, operation: str) -> list[ReadableSpan]:
        found = self.exporter.get_finished_spans()
        return [span for span in found if (span.attributes or {}).get("db.operation.name") == operation]


@pytest.fixture
async def telemetry(database: Database) -> Telemetry:
    return Telemetry(database)


async def test_a_statement_is_a_span_of_its_caller(database: Database, telemetry: Telemetry) -> None:
    with telemetry.provider.get_tracer("test").start_as_current_span("request") as request:
        async with AsyncSession(database) as session:
            session.add(Writer(name="Ada"))
            await session.commit()
            await session.query(Writer).filter(Writer.name == "Ada")
        assert trace_tags()["traceparent"].split("-")[1] == f"{request.get_span_context().trace_id:032x}"
    (insert,), (select,) = telemetry.spans("INSERT"), telemetry.spans("SELECT")
    for span in (insert, select):
        assert span.parent is not None
        assert span.parent.span_id == request.get_span_context().span_id
        assert span.kind is SpanKind.CLIENT
        assert span.status.status_code is StatusCode.UNSET
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time < span.end_time
    config = database.config
    name = config.path if config.scheme == "sqlite" else config.database
    assert select.name == f"SELECT {name}"
    attributes = dict(select.attributes or {})
    assert "Ada" not in str(attributes)
    assert str(attributes.pop("db.query.text")).startswith('SELECT "newsroom_writer"."id"')
    expected = {
        "db.system.name": config.scheme,
        "db.namespace": name,
        "db.operation.name": "SELECT",
        "db.response.returned_rows": 1,
    }
    if config.scheme == "postgresql":
        expected |= {"server.address": config.host, "server.port": config.port}
    assert attributes == expected


async def test_errors_have_the_servers_code(database: Database, telemetry: Telemetry) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError) as caught:
            await session.execute("SELECT nothing FROM nowhere")
    (span,) = telemetry.spans("SELECT")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == span.attributes["db.response.status_code"] == caught.value.code
    # it has given none, which is not the same as no rows
    assert "db.response.returned_rows" not in span.attributes


async def test_durations_are_a_histogram(database: Database, telemetry: Telemetry) -> None:
    async with AsyncSession(database) as session:
        for _ in range(3):
            await session.query(Writer)
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.unit) == ("db.client.operation.duration", "s")
    (point,) = [p for p in metric.data.data_points if (p.attributes or {}).get("db.operation.name") == "SELECT"]
    assert isinstance(point, HistogramDataPoint)
    assert point.count == 3
    assert tuple(point.explicit_bounds) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


async def test_meters_ask_for_connections_and_the_cache(database: Database) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    async with Database(database.config, cache_backend=MemoryCache(listens=False), pool_size=3) as cached:
        measure({"main": cached}, meters)
        await cached.ping()
        async with AsyncSession(cached) as session:
            session.add(writer := Writer(name="Ada"))
        for _ in range(3):
            async with AsyncSession(cached) as session:
                await session.get_one(Writer, writer.id)
        async with AsyncSession(cached) as session, session.transaction():
            await session.execute("SELECT 1")
            found = figures_of(reader)
    assert found["cormorant.cache.lookups", "hit"] == 2
    assert found["cormorant.cache.lookups", "miss"] == 1
    assert found["cormorant.cache.entries", None] == 1
    assert found["cormorant.cache.size", None] > 0
    assert found["db.client.connection.max", None] == cached.stats().pool.size
    assert found["db.client.connection.count", "used"] == 1
    assert found["db.client.connection.pending_requests", None] == found["db.client.connection.timeouts", None] == 0


async def test_a_meter_asks_for_databases_that_come_later(database: Database) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    measure({"main": database}, meters)
    measure({"other": database}, meters)
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == "db.client.connection.max"]
    assert {(p.attributes or {})["db.client.connection.pool.name"] for p in metric.data.data_points} == {
        "main",
        "other",
    }


def figures_of(reader: InMemoryMetricReader) -> dict[tuple[str, object], float]:
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[tuple[str, object], float] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            assert isinstance(point, NumberDataPoint)
            attributes = dict(point.attributes or {})
            assert attributes.pop("db.client.connection.pool.name") == "main"
            found[metric.name, next(iter(attributes.values()), None)] = point.value
    return found


async def test_prometheus_reads_the_statistics(database: Database) -> None:
    registry = CollectorRegistry()
    registry.register(collector_of(main=database))
    database.reset_query_stats()
    async with AsyncSession(database) as session:
        await session.query(Writer)
        with pytest.raises(StatementError):
            await session.execute("SELECT nothing FROM nowhere")
    text = generate_latest(registry).decode()
    assert 'cormorant_statements_count_total{database="main"} 2.0' in text
    assert 'cormorant_statements_errors_total{database="main"} 1.0' in text
    assert 'cormorant_statements_total_ms_total{database="main"}' in text
    # what only grows is a counter, what is now a gauge
    kinds = dict(re.findall(r"^# TYPE cormorant_(\w+) (\w+)$", text, re.MULTILINE))
    assert {kinds[f"pool_{name}_total"] for name in ("acquired", "timeouts", "connected", "closed")} == {"counter"}
    assert {kinds[f"pool_{name}"] for name in ("size", "opened", "idle", "in_use", "waiting")} == {"gauge"}
    figures = database.stats().as_dict()
    assert all(f"cormorant_{name}" in text for name in figures)
    assert f'cormorant_pool_in_use{{database="main"}} {float(figures["pool_in_use"])}' in text
