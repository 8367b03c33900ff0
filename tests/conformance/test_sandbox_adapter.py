"""Savepoints in the place of transactions: connections of a sandbox do what others do, but for pools of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cormorant.adapters.base import Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter
from cormorant.testing import Keeper
from cormorant.testing.conformance import MakeAdapter
from cormorant.testing.conformance.answers import Answers
from cormorant.testing.conformance.cancelling import Cancelling
from cormorant.testing.conformance.cursors import Cursors
from cormorant.testing.conformance.offers import Offers
from cormorant.testing.conformance.refusals import Refusals
from cormorant.testing.conformance.transactions import Transactions
from cormorant.testing.sandbox import SandboxAdapter, SandboxConnection
from tests.conformance.test_postgres_adapter import start_sleeping
from tests.conformance.test_sqlite_adapter import ENDLESS


class SandboxSuite(Answers, Refusals, Cursors, Transactions, Cancelling, Offers):
    is_separate = False
    # anybody may have the connection, and closing it is the sandbox's business
    test_capacities_are_those_of_the_pool = None
    test_a_cursor_of_a_closed_connection = None

    @pytest.fixture
    def keeper(self) -> Iterator[Keeper]:
        keeper = Keeper()
        yield keeper
        keeper.stop()

    @pytest.fixture
    async def make(self, config: ConnectionConfig, keeper: Keeper) -> AsyncIterator[MakeAdapter]:
        made: list[SandboxAdapter] = []

        def make(**changes: Any) -> SandboxAdapter:
            adapter = SandboxAdapter(keeper.adapter_for(create_adapter(config.replace(**changes))), keeper)
            keeper.run(adapter.begin)
            made.append(adapter)
            return adapter

        yield make
        for adapter in made:
            await keeper.ask(adapter.end)


class TestSandboxFile(SandboxSuite):
    placeholder = "?"
    data_error = "SELECT abs(-9223372036854775807 - 1)"

    @pytest.fixture
    def config(self, tmp_path: Path) -> ConnectionConfig:
        return ConnectionConfig.from_dsn(f"sqlite:///{tmp_path / 'test.db'}")

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        assert isinstance(connection, SandboxConnection)
        loop, running = asyncio.get_running_loop(), asyncio.Event()

        def signal() -> int:
            loop.call_soon_threadsafe(running.set)
            return 0

        real: Any = connection.inner.shared.real
        await real.call("", lambda raw: raw.create_function("signal", 0, signal))
        task: asyncio.Task[Any] = asyncio.ensure_future(connection.fetch(ENDLESS))
        await running.wait()
        return task


@pytest.mark.postgresql
class TestSandboxPostgres(SandboxSuite):
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
