"""Tests of lending and of the end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from cormorant import errors
from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.dialects.base import Dialect
from cormorant.testing.conformance.base import AdapterTests, MakeAdapter


class Pooling(AdapterTests):
    """Tests of lending and of the end."""

    async def test_making_an_adapter_does_no_io(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=2)
        assert isinstance(adapter, Adapter)
        assert (adapter.stats.opened, adapter.stats.in_use, adapter.stats.waiting) == (0, 0, 0)
        await adapter.close()

    async def test_stats_follow_the_pool(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=2)
        connection = await adapter.acquire()
        assert (adapter.stats.opened, adapter.stats.in_use, adapter.stats.idle) == (1, 1, 0)
        adapter.release(connection)
        assert (adapter.stats.in_use, adapter.stats.idle) == (0, 1)

    async def test_a_connection_is_lent_again(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        for end in (None, "ROLLBACK"):
            connection = await adapter.acquire(write=True)
            await connection.execute("BEGIN")
            if end is not None:
                await connection.execute(end)
            adapter.release(connection)
            again = await adapter.acquire(write=True)
            assert again is connection
            adapter.release(again)

    async def test_an_adapter_tells_what_it_is(self, adapter: Adapter, config: ConnectionConfig) -> None:
        assert adapter.config == config
        assert isinstance(adapter.dialect, Dialect)
        assert adapter.dialect.placeholder(0) == f"{self.placeholder}1"
        adapter.release(await adapter.acquire())
        assert adapter.server_version > (3,)

    async def test_the_pool_is_bounded_and_fair(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        held = await adapter.acquire(write=True)
        order: list[int] = []

        async def use(number: int) -> None:
            connection = await adapter.acquire(write=True)
            order.append(number)
            await connection.fetch("SELECT 1")
            adapter.release(connection)

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(use(number))
            await asyncio.sleep(0)
            assert order == []
            adapter.release(held)
        assert order == [0, 1, 2, 3, 4]

    async def test_waiting_for_a_connection_ends(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1, acquire_timeout=0.01)
        held = None
        while held is None:
            # opening one may take longer than that
            with contextlib.suppress(errors.ConnectionLost):
                held = await adapter.acquire(write=True)
        with pytest.raises(errors.PoolTimeout, match="pool_size"):
            await adapter.acquire(write=True)
        adapter.release(held)

    async def test_no_more_may_wait_than_the_configuration_says(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1, max_waiting=1)
        held = await adapter.acquire(write=True)
        waiting = asyncio.ensure_future(adapter.acquire(write=True))
        await asyncio.sleep(0)
        with pytest.raises(errors.PoolTimeout):
            await adapter.acquire(write=True)
        adapter.release(held)
        adapter.release(await waiting)

    async def test_changed_tables_are_met_again(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        widths: list[int] = []
        for sql in ("CREATE TABLE t (a integer)", "ALTER TABLE t ADD COLUMN b integer"):
            connection = await adapter.acquire(write=True)
            await connection.execute(sql)
            adapter.schema_changed()
            adapter.release(connection)
            again = await adapter.acquire(write=True)
            widths.append(len((await again.query("SELECT * FROM t")).columns))
            adapter.release(again)
        assert widths == [1, 2]

    async def test_a_foreign_connection_is_refused(self, adapter: Adapter) -> None:
        foreign: Any = object()
        with pytest.raises(errors.ConfigurationError):
            adapter.release(foreign)

    async def test_close_waits_for_the_connections_in_use(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire()
        closing = asyncio.ensure_future(adapter.close())
        await asyncio.sleep(0)
        with pytest.raises(errors.PoolClosed, match="closed"):
            await adapter.acquire()
        assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
        assert not closing.done()
        adapter.release(connection)
        await closing
        await adapter.close()
        assert connection.is_closed

    async def test_close_does_not_wait_longer_than_asked(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        await adapter.close(timeout=0)
        assert connection.is_closed
        assert not connection.in_transaction
        with pytest.raises(errors.ConnectionLost):
            await connection.fetch("SELECT 1")
        adapter.release(connection)

    async def test_close_sends_those_away_who_wait(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        held = await adapter.acquire(write=True)
        waiting = asyncio.ensure_future(adapter.acquire(write=True))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(adapter.close())
        with pytest.raises(errors.PoolClosed):
            await waiting
        adapter.release(held)
        await closing

    async def test_an_adapter_that_was_never_used_is_closed_too(self, make: MakeAdapter) -> None:
        adapter = make()
        await adapter.close()
        with pytest.raises(errors.PoolClosed):
            await adapter.acquire()

    async def test_a_closed_connection_says_so(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire()
        adapter.release(connection)
        await adapter.close()
        assert not connection.in_transaction
        with pytest.raises(errors.ConnectionLost):
            await connection.fetch("SELECT 1")

    def test_an_adapter_serves_one_event_loop_after_another(self, config: ConnectionConfig) -> None:
        adapter = self.make_adapter(config)

        async def use() -> list[tuple[Any, ...]]:
            held = await adapter.acquire()
            rows = await held.fetch("SELECT 1")
            adapter.release(held)
            return [tuple(row) for row in rows]

        async def forget() -> None:
            await adapter.acquire(write=True)

        assert asyncio.run(use()) == [(1,)]
        asyncio.run(forget())
        assert asyncio.run(use()) == [(1,)]
        asyncio.run(adapter.close())

    async def test_another_open_loop_is_served_or_refused(self, make: MakeAdapter) -> None:
        adapter = make()

        async def use() -> list[tuple[Any, ...]]:
            connection = await adapter.acquire(write=True)
            rows = await connection.fetch("SELECT 1")
            adapter.release(connection)
            return [tuple(row) for row in rows]

        assert await use() == [(1,)]
        if self.shares_loops:
            assert await asyncio.to_thread(asyncio.run, use()) == [(1,)]
        else:
            with pytest.raises(errors.ConfigurationError, match="event loop"):
                await asyncio.to_thread(asyncio.run, use())
        assert await use() == [(1,)]
