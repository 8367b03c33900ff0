"""Tests of transactions, and of connections given back with one open."""

from __future__ import annotations

import pytest

from cormorant import errors
from cormorant.adapters.base import Adapter, Connection
from cormorant.dialects.base import ISOLATION_LEVELS
from cormorant.testing.conformance.base import AdapterTests, MakeAdapter


class Transactions(AdapterTests):
    """Tests of transactions, and of connections given back with one open."""

    async def test_in_transaction_follows_the_server(self, connection: Connection) -> None:
        assert not connection.in_transaction
        await connection.execute("BEGIN")
        assert connection.in_transaction
        await connection.execute("SAVEPOINT a")
        await connection.execute("ROLLBACK TO SAVEPOINT a")
        assert connection.in_transaction
        await connection.execute("COMMIT")
        assert not connection.in_transaction

    async def test_a_released_transaction_is_rolled_back(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("CREATE TABLE t (id integer)")
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO t VALUES (1)")
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.in_transaction
        assert list(await again.fetch("SELECT * FROM t")) == []
        adapter.release(again)

    async def test_a_released_failed_transaction_is_rolled_back(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        with pytest.raises(errors.StatementError):
            await connection.fetch("SELECT * FROM nowhere")
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert tuple((await again.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(again)

    async def test_a_savepoint_takes_back_what_came_after_it(self, connection: Connection) -> None:
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO author VALUES (3, NULL, 'x')")
        await connection.execute("SAVEPOINT a")
        await connection.execute("INSERT INTO author VALUES (4, NULL, 'y')")
        with pytest.raises(errors.UniqueViolation):
            await connection.execute("INSERT INTO author VALUES (1, NULL, 'z')")
        await connection.execute("ROLLBACK TO SAVEPOINT a")
        await connection.execute("RELEASE SAVEPOINT a")
        await connection.execute("COMMIT")
        assert await self.ids(connection) == [1, 2, 3]

    async def test_a_connection_needs_a_reset_while_a_transaction_is_open(self, connection: Connection) -> None:
        assert not connection.needs_reset
        await connection.execute("BEGIN")
        assert connection.needs_reset
        await connection.execute("ROLLBACK")
        assert await self.is_usable(connection)

    async def test_others_see_nothing_of_an_open_transaction(self, adapter: Adapter, connection: Connection) -> None:
        if not self.is_separate:
            pytest.skip("there is but one connection")
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO author VALUES (3, NULL, 'x')")
        reader = await adapter.acquire()
        assert reader is not connection
        assert await self.ids(reader) == [1, 2]
        await connection.execute("COMMIT")
        assert await self.ids(reader) == [1, 2, 3]
        adapter.release(reader)

    async def test_the_default_isolation_is_known_once_connected(self, adapter: Adapter) -> None:
        assert adapter.default_isolation in (None, *ISOLATION_LEVELS)
        adapter.release(await adapter.acquire())
        assert adapter.default_isolation in ISOLATION_LEVELS

    async def test_begin_is_sent_in_the_dialects_words(self, adapter: Adapter, connection: Connection) -> None:
        for isolation in (None, *ISOLATION_LEVELS):
            begin = adapter.dialect.begin(isolation=isolation, read_only=False, deferrable=False, write=True)
            await connection.execute(begin)
            assert connection.in_transaction
            await connection.execute("ROLLBACK")
        assert await self.is_usable(connection)
