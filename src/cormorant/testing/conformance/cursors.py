"""Tests of statements that are read in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cormorant import errors
from cormorant.adapters.base import Connection
from cormorant.testing.conformance.base import AdapterTests, MakeAdapter


class Cursors(AdapterTests):
    """Tests of statements that are read in chunks."""

    @pytest.fixture
    async def numbers(self, connection: Connection) -> AsyncIterator[Connection]:
        """A connection in a transaction, with a table of ten numbers."""
        await connection.execute("CREATE TABLE number (n integer)")
        await connection.execute("INSERT INTO number VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)")
        await connection.execute("BEGIN")
        yield connection
        if connection.in_transaction:
            await connection.execute("ROLLBACK")

    async def test_a_cursor_gives_chunks(self, numbers: Connection) -> None:
        cursor = numbers.cursor(self.p("SELECT n FROM number WHERE n > $1 ORDER BY n"), [2])
        assert [[row[0] for row in await cursor.fetch(3)] for _ in range(4)] == [[3, 4, 5], [6, 7, 8], [9, 10], []]
        await cursor.close()
        await cursor.close()

    async def test_a_chunk_may_end_with_the_last_row(self, numbers: Connection) -> None:
        cursor = numbers.cursor("SELECT n FROM number ORDER BY n")
        assert len(await cursor.fetch(10)) == 10
        assert list(await cursor.fetch(10)) == []
        await cursor.close()

    async def test_statements_run_between_chunks(self, numbers: Connection) -> None:
        first, second = (numbers.cursor("SELECT n FROM number ORDER BY n") for _ in range(2))
        assert [row[0] for row in await first.fetch(2)] == [1, 2]
        assert await numbers.execute("UPDATE number SET n = n WHERE n = 1") == 1
        assert [row[0] for row in await second.fetch(4)] == [1, 2, 3, 4]
        assert tuple((await numbers.fetch("SELECT max(n) FROM number"))[0]) == (10,)
        assert [row[0] for row in await first.fetch(2)] == [3, 4]
        await first.close()
        assert [row[0] for row in await second.fetch(2)] == [5, 6]
        await second.close()

    async def test_a_closed_cursor_gives_nothing(self, numbers: Connection) -> None:
        cursor = numbers.cursor("SELECT n FROM number")
        await cursor.fetch(1)
        await cursor.close()
        assert list(await cursor.fetch(1)) == []
        unread = numbers.cursor("SELECT n FROM number")
        await unread.close()
        assert list(await unread.fetch(1)) == []
        await numbers.execute("COMMIT")
        assert not numbers.needs_reset

    @pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
    async def test_a_cursor_may_be_closed_after_its_transaction(self, numbers: Connection, end: str) -> None:
        cursor = numbers.cursor("SELECT n FROM number")
        await cursor.fetch(1)
        await numbers.execute(end)
        await cursor.close()
        assert not numbers.needs_reset
        assert await self.ids(numbers) == [1, 2]

    async def test_an_error_of_a_cursor(self, numbers: Connection) -> None:
        with pytest.raises(errors.StatementError) as caught:
            await numbers.cursor("SELECT nickname FROM author").fetch(1)
        assert caught.value.statement == "SELECT nickname FROM author"
        await numbers.execute("ROLLBACK")
        assert await self.ids(numbers) == [1, 2]

    async def test_a_cursor_that_nobody_closed(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        cursor = connection.cursor("SELECT 1 UNION SELECT 2")
        await cursor.fetch(1)
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.needs_reset
        with pytest.raises(errors.StatementError):
            await cursor.fetch(1)
        assert tuple((await again.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(again)

    async def test_a_cancelled_statement_ends_the_cursors_beside_it(self, numbers: Connection) -> None:
        cursor = numbers.cursor("SELECT n FROM number ORDER BY n")
        await cursor.fetch(2)
        task = await self.start_slow(numbers)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(errors.StatementError):
            await cursor.fetch(2)
        await cursor.close()
        await numbers.execute("ROLLBACK")
        assert await self.ids(numbers) == [1, 2]

    async def test_a_cursor_of_a_closed_connection(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        cursor = connection.cursor("SELECT 1 UNION SELECT 2")
        await cursor.fetch(1)
        adapter.release(connection)
        await adapter.close()
        with pytest.raises(errors.ConnectionLost):
            await cursor.fetch(1)
        await cursor.close()
