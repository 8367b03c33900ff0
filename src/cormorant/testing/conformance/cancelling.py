"""Tests of callers that stop waiting."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from cormorant import errors
from cormorant.adapters.base import Adapter, Connection
from cormorant.testing.conformance.base import AdapterTests, MakeAdapter


class Cancelling(AdapterTests):
    """Tests of callers that stop waiting."""

    async def test_a_cancelled_statement_leaves_the_connection_usable(self, connection: Connection) -> None:
        for _ in range(5):
            task = await self.start_slow(connection)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await self.ids(connection) == [1, 2]

    async def test_a_second_cancellation_changes_nothing(self, connection: Connection) -> None:
        task = await self.start_slow(connection)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await self.ids(connection) == [1, 2]

    async def test_a_client_deadline_is_a_cancellation(self, connection: Connection) -> None:
        task = await self.start_slow(connection)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await task
        assert await self.ids(connection) == [1, 2]

    async def test_a_connection_released_by_a_cancelled_task_serves_the_next(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        task = await self.start_slow(connection)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.in_transaction
        assert tuple((await again.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(again)

    async def test_a_cancelled_begin_leaves_nothing_open(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        task = asyncio.ensure_future(connection.execute("BEGIN"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.in_transaction
        adapter.release(again)

    async def test_every_moment_of_cancellation(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=2)

        async def use() -> None:
            connection = await adapter.acquire(write=True)
            try:
                await connection.execute("BEGIN")
                await connection.fetch("SELECT 1")
                await connection.execute("COMMIT")
            finally:
                adapter.release(connection)

        for turns in range(40):
            task = asyncio.ensure_future(use())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            connection = await adapter.acquire(write=True)
            assert not connection.in_transaction
            assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
            adapter.release(connection)

    async def test_a_statement_timeout(self, make: MakeAdapter) -> None:
        adapter = make(statement_timeout=0.1)
        connection = await adapter.acquire()
        with pytest.raises(errors.QueryTimeout):
            await (await self.start_slow(connection))
        assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(connection)

    async def test_every_moment_of_cancelling_a_write(self, adapter: Adapter, connection: Connection) -> None:
        insert = self.p("INSERT INTO author VALUES ($1, NULL, 'x')")

        async def write() -> None:
            await connection.execute("BEGIN")
            await connection.execute(insert, [3])
            await connection.execute("SAVEPOINT a")
            await connection.fetch_each(insert, [[4], [5]])
            await connection.execute("RELEASE SAVEPOINT a")
            cursor = connection.cursor("SELECT id FROM author ORDER BY id")
            await cursor.fetch(1)
            await cursor.close()
            await connection.query("UPDATE author SET name = 'y' WHERE id = 3")
            await connection.execute("COMMIT")

        for turns in range(60):
            task = asyncio.ensure_future(write())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if connection.needs_reset:
                with contextlib.suppress(errors.StatementError):
                    await connection.execute("ROLLBACK")
            assert await self.is_usable(connection)
            # all of it or nothing
            assert await self.ids(connection) in ([1, 2], [1, 2, 3, 4, 5])
            await connection.execute("DELETE FROM author WHERE id > 2")

    async def test_a_cancelled_caller_leaves_the_queue(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        held = await adapter.acquire(write=True)
        tasks = [asyncio.ensure_future(adapter.acquire(write=True)) for _ in range(3)]
        # each on its way for as long as the adapter likes
        while adapter.stats.waiting < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        assert adapter.stats.waiting == 2
        adapter.release(held)
        # cancelled in the tick in which it was lent to him
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        adapter.release(await tasks[2])
        assert (adapter.stats.in_use, adapter.stats.waiting) == (0, 0)

    async def test_every_moment_of_cancelling_an_acquire(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        for turns in range(20):
            task = asyncio.ensure_future(adapter.acquire(write=True))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            for connection in await asyncio.gather(task, return_exceptions=True):
                if not isinstance(connection, BaseException):
                    adapter.release(connection)
        connection = await adapter.acquire(write=True)
        assert await self.is_usable(connection)
        assert adapter.stats.in_use == 1
        adapter.release(connection)
