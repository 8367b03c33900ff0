"""What an adapter may offer besides; what it does not is left out."""

from __future__ import annotations

import asyncio

import pytest

from cormorant.adapters.base import (
    Adapter,
    Connection,
    CopyConnection,
    CountingConnection,
    Interruptible,
    Pipelining,
    Reopenable,
    Separate,
    Sharing,
)
from cormorant.errors import QueryTimeout, UniqueViolation
from cormorant.testing.conformance.base import TABLES, AdapterTests, MakeAdapter

ROWS: list[tuple[int, str | None, str]] = [(7, None, "Eve"), (8, "z@example.org", "Zoe")]
COLUMNS: list[str] = ["id", "email", "name"]


class Offers(AdapterTests):
    """Tests of the further protocols of `cormorant.adapters.base`."""

    async def test_copied_rows_belong_to_the_transaction(self, connection: Connection) -> None:
        if not isinstance(connection, CopyConnection):
            pytest.skip("no copy_rows")
        await connection.execute("BEGIN")
        assert await connection.copy_rows("author", COLUMNS, ROWS) == 2
        assert await self.ids(connection) == [1, 2, 7, 8]
        await connection.execute("ROLLBACK")
        assert await self.ids(connection) == [1, 2]

    async def test_copied_rows_are_checked(self, connection: Connection) -> None:
        if not isinstance(connection, CopyConnection):
            pytest.skip("no copy_rows")
        await connection.execute("BEGIN")
        with pytest.raises(UniqueViolation):
            await connection.copy_rows("author", COLUMNS, [(1, None, "x")])
        await connection.execute("ROLLBACK")
        assert await self.ids(connection) == [1, 2]

    async def test_writes_are_counted(self, connection: Connection) -> None:
        if not isinstance(connection, CountingConnection):
            pytest.skip("no write_all, write_each and insert_each")
        rows = [(7, "Eve"), (8, "Zoe"), (9, "Mia")]
        await connection.write_all(self.p("INSERT INTO author VALUES ($1, NULL, $2)"), rows)
        await connection.write_all(self.p("INSERT INTO author VALUES ($1, NULL, $2)"), [])
        assert await self.ids(connection) == [1, 2, 7, 8, 9]
        silent = self.p("UPDATE author SET name = $1 WHERE id = $2")
        sql = f"{silent} RETURNING id"
        assert await connection.write_each(silent, sql, [("w", 98), ("x", 1), ("y", 99), ("z", 9)]) == [0, 1, 0, 1]
        assert await connection.write_each(silent, sql, []) == []
        found = await connection.fetch("SELECT name FROM author WHERE id IN (1, 9) ORDER BY id")
        assert [row[0] for row in found] == ["x", "z"]

    async def test_keys_of_new_rows_come_in_order(self, connection: Connection) -> None:
        if not isinstance(connection, CountingConnection):
            pytest.skip("no insert_each")
        silent = self.p("INSERT INTO author VALUES ($1, NULL, $2)")
        sql = f"{silent} RETURNING id"
        keys = await connection.insert_each(silent, sql, [(9, "i"), (7, "g"), (8, "h")])
        assert [tuple(key) for key in keys] == [(9,), (7,), (8,)]
        assert await connection.insert_each(silent, sql, []) == []

    async def test_counted_writes_stop_at_an_error(self, connection: Connection) -> None:
        if not isinstance(connection, CountingConnection):
            pytest.skip("no write_all, write_each and insert_each")
        silent = self.p("INSERT INTO author VALUES ($1, NULL, 'x')")
        with pytest.raises(UniqueViolation):
            await connection.write_all(silent, [(3,), (1,), (9,)])
        with pytest.raises(UniqueViolation):
            await connection.write_each(silent, f"{silent} RETURNING id", [(4,), (1,), (9,)])
        with pytest.raises(UniqueViolation):
            await connection.insert_each(silent, f"{silent} RETURNING id", [(5,), (1,), (9,)])
        assert await self.ids(connection) == [1, 2, 3, 4, 5]

    async def test_begin_goes_along_with_what_comes_next(self, connection: Connection) -> None:
        if not isinstance(connection, Pipelining) or not connection.pipelines:
            pytest.skip("no send_later")
        insert = self.p("INSERT INTO author VALUES ($1, NULL, 'x')")
        # the second time it is prepared
        for _ in range(2):
            connection.send_later("BEGIN")
            assert connection.in_transaction
            assert connection.needs_reset
            await connection.fetch(insert, (7,))
            assert connection.in_transaction
            await connection.execute("ROLLBACK")
            assert not connection.in_transaction
            assert await self.ids(connection) == [1, 2]
        for end in ("COMMIT", "ROLLBACK"):
            connection.send_later("BEGIN")
            await connection.execute(end)
            assert not connection.in_transaction
            assert not connection.needs_reset
            connection.send_later("BEGIN")
            await connection.fetch(insert, (7,))
            connection.send_later("SAVEPOINT a")
            connection.send_later("SAVEPOINT b")
            await connection.execute("ROLLBACK TO SAVEPOINT a")
            connection.send_later("RELEASE SAVEPOINT a")
            await connection.execute("ROLLBACK")
            assert not connection.in_transaction
            assert await self.ids(connection) == [1, 2]
        connection.send_later("BEGIN")
        with pytest.raises(UniqueViolation):
            await connection.fetch(insert, (1,))
        assert connection.in_transaction
        await connection.execute("ROLLBACK")
        connection.send_later("BEGIN")
        await connection.fetch(insert, (8,))
        await connection.execute("COMMIT")
        assert await self.ids(connection) == [1, 2, 8]

    async def test_begin_goes_before_whatever_comes_next(self, connection: Connection) -> None:
        if not isinstance(connection, Pipelining) or not connection.pipelines:
            pytest.skip("no send_later")
        insert = self.p("INSERT INTO author VALUES ($1, NULL, 'x')")
        ways = (
            lambda: connection.execute(insert, (7,)),
            lambda: connection.query(insert, (7,)),
            lambda: connection.fetch_each(insert, [(7,), (8,)]),
            lambda: connection.cursor(f"{insert} RETURNING id", (7,)).fetch(5),
            lambda: connection.execute("SAVEPOINT a"),
        )
        for way in ways:
            connection.send_later("BEGIN")
            await way()
            assert connection.in_transaction
            await connection.execute("ROLLBACK")
            assert await self.ids(connection) == [1, 2]

    async def test_several_write_at_a_time(self, adapter: Adapter) -> None:
        if not isinstance(adapter, Sharing):
            pytest.skip("no acquire_shared")
        connection = await adapter.acquire(write=True)
        for sql in TABLES:
            await connection.execute(sql)
        adapter.release(connection)
        insert = self.p("INSERT INTO author VALUES ($1, NULL, 'x')")

        async def single(number: int) -> None:
            user = await adapter.acquire_shared()
            await user.execute(insert, (number,))
            adapter.release(user)

        async def several(number: int) -> None:
            alone = await adapter.acquire(write=True)
            await alone.execute("BEGIN")
            await alone.execute(insert, (number,))
            await alone.execute("ROLLBACK")
            adapter.release(alone)

        await asyncio.gather(*((several if number % 3 == 0 else single)(number) for number in range(10, 22)))
        reader = await adapter.acquire()
        assert await self.ids(reader) == [1, 2, *(number for number in range(10, 22) if number % 3)]
        adapter.release(reader)

    async def test_several_read_at_a_time(self, adapter: Adapter) -> None:
        if not isinstance(adapter, Sharing):
            pytest.skip("no acquire_shared")

        async def read(number: int) -> None:
            user = await adapter.acquire_shared(write=False)
            try:
                assert tuple((await user.fetch(self.p("SELECT CAST($1 AS integer)"), (number,)))[0]) == (number,)
            finally:
                adapter.release(user)

        readers = [asyncio.ensure_future(read(number)) for number in range(30)]
        for turn, reader in enumerate(readers[::3]):
            if turn % 2:
                await asyncio.sleep(0)
            reader.cancel()
        ends = await asyncio.gather(*readers, return_exceptions=True)
        assert [end for end in ends if end is not None and not isinstance(end, asyncio.CancelledError)] == []
        assert [ends[at] for at in range(len(ends)) if at % 3] == [None] * 20
        assert adapter.stats.in_use == 0

    async def test_an_interrupted_statement_fails_by_itself(self, connection: Connection) -> None:
        if not isinstance(connection, Interruptible):
            pytest.skip("no interrupt")
        task = await self.start_slow(connection)
        await connection.interrupt()
        with pytest.raises(QueryTimeout):
            await task
        assert await self.ids(connection) == [1, 2]

    async def test_capacities_are_those_of_the_pool(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=3)
        if not isinstance(adapter, Separate):
            pytest.skip("no capacity")
        kinds = dict(adapter.capacity(write=write) for write in (False, True))
        assert sum(kinds.values()) == adapter.stats.size

    async def test_another_adapter_has_connections_of_its_own(self, adapter: Adapter, connection: Connection) -> None:
        other = adapter.another() if isinstance(adapter, Reopenable) else None
        if other is None:
            pytest.skip("no other connections")
        assert (other.config, other.stats.opened) == (adapter.config, 0)
        reader = await other.acquire()
        assert await self.ids(reader) == [1, 2]
        other.release(reader)
        await other.close()
        assert await self.is_usable(connection)
