"""A recording adapter changes nothing about the one it wraps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cormorant.adapters.base import Adapter, Connection, CopyConnection, CountingConnection, Interruptible
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter
from cormorant.testing import RecordingAdapter
from cormorant.testing.conformance import AdapterConformance, MakeAdapter
from cormorant.testing.recording import RecordedConnection
from tests.conformance.test_postgres_adapter import start_sleeping
from tests.conformance.test_sqlite_adapter import start_endless


class RecordingSuite(AdapterConformance):
    def make_adapter(self, config: ConnectionConfig) -> Adapter:
        return RecordingAdapter(create_adapter(config))

    async def test_it_promises_no_more_than_the_inner_one(self, connection: Connection) -> None:
        assert isinstance(connection, RecordedConnection)
        for offer in (CopyConnection, CountingConnection, Interruptible):
            assert isinstance(connection, offer) is isinstance(connection.inner, offer)


class TestRecordingFile(RecordingSuite):
    placeholder = "?"
    data_error = "SELECT abs(-9223372036854775807 - 1)"

    @pytest.fixture
    def config(self, tmp_path: Path) -> ConnectionConfig:
        return ConnectionConfig.from_dsn(f"sqlite:///{tmp_path / 'test.db'}")

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        assert isinstance(connection, RecordedConnection)
        return await start_endless(connection.inner)


@pytest.mark.postgresql
class TestRecordingPostgres(RecordingSuite):
    placeholder = "$"
    data_error = "SELECT CAST(name AS integer) FROM author"

    @pytest.fixture
    def config(self, postgres_database: str) -> ConnectionConfig:
        self.dsn = postgres_database
        return ConnectionConfig.from_dsn(postgres_database)

    @pytest.mark.direct("a pooler's connections take no settings")
    async def test_a_statement_timeout(self, make: MakeAdapter) -> None:
        await super().test_a_statement_timeout(make)

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        return await start_sleeping(connection, self.dsn)
