"""asyncpg and aiosqlite as fast as their documented interfaces go, and nothing above them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from benchmarks.schema import Kind

Args = Sequence[Any]


class PostgresDriver:
    """A few connections that are lent without being reset: less than any pool does."""

    kind: Kind = "postgresql"

    async def open(self, dsn: str, pool: int) -> None:
        import asyncpg

        self._idle: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        self._all = [await asyncpg.connect(dsn) for _ in range(pool)]
        for connection in self._all:
            # in the binary format, which is what COPY takes: a version before the text
            await connection.set_type_codec(
                "jsonb",
                encoder=lambda value: b"\x01" + json.dumps(value).encode(),
                decoder=lambda data: json.loads(data[1:].decode()),
                schema="pg_catalog",
                format="binary",
            )
            self._idle.put_nowait(connection)

    async def close(self) -> None:
        for connection in self._all:
            await connection.close()

    async def _take(self) -> Any:
        return self._idle.get_nowait() if self._idle.qsize() else await self._idle.get()

    async def fetch(self, sql: str, args: Args = ()) -> Sequence[Any]:
        """Gives all rows of a statement, which may write."""
        connection = await self._take()
        try:
            return await connection.fetch(sql, *args)
        finally:
            self._idle.put_nowait(connection)

    async def fetch_one(self, sql: str, args: Args) -> Any:
        """Gives the only row of a statement, which may write."""
        connection = await self._take()
        try:
            return await connection.fetchrow(sql, *args)
        finally:
            self._idle.put_nowait(connection)

    async def insert(self, table: Any, values: Args) -> int:
        """Writes a row, and gives its key."""
        connection = await self._take()
        try:
            key: int = await connection.fetchval(table.insert_returning, *values)
            return key
        finally:
            self._idle.put_nowait(connection)

    async def execute(self, sql: str, args: Args = ()) -> None:
        """Runs a statement that gives nothing."""
        connection = await self._take()
        try:
            await connection.execute(sql, *args)
        finally:
            self._idle.put_nowait(connection)

    async def copy(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Puts rows into a table."""
        connection = await self._take()
        try:
            await connection.copy_records_to_table(table, records=rows, columns=columns)
        finally:
            self._idle.put_nowait(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Lends a connection for a transaction."""
        connection = await self._take()
        try:
            async with connection.transaction():
                yield connection
        finally:
            self._idle.put_nowait(connection)


class SQLiteDriver:
    """One connection and its thread; a transaction has it alone."""

    kind: Kind = "sqlite"

    def __init__(self, *, converting: bool) -> None:
        self._converting = converting

    async def open(self, dsn: str, pool: int) -> None:
        import aiosqlite

        if self._converting:
            # the module's own way to Python values, by the declared types of columns; it holds for the whole process
            sqlite3.register_converter("DECIMAL", lambda text: Decimal(text.decode()))
            # a text is read faster than bytes, whose encoding is looked for
            sqlite3.register_converter("JSON", lambda text: json.loads(text.decode()))
            sqlite3.register_adapter(Decimal, str)
            sqlite3.register_adapter(dict, json.dumps)
        types = sqlite3.PARSE_DECLTYPES if self._converting else 0
        path = dsn.removeprefix("sqlite:///")
        self._connection = await aiosqlite.connect(path, isolation_level=None, detect_types=types)
        self._alone = asyncio.Lock()
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 10000"):
            await self._connection.execute_fetchall(f"PRAGMA {pragma}")

    async def close(self) -> None:
        await self._connection.close()

    async def fetch(self, sql: str, args: Args = ()) -> Sequence[Any]:
        """Gives all rows of a statement, which may write: one hop to the thread."""
        return await self._connection.execute_fetchall(sql, args)

    async def fetch_one(self, sql: str, args: Args) -> Any:
        """Gives the only row of a statement, which may write."""
        rows: Any = await self._connection.execute_fetchall(sql, args)
        return rows[0] if rows else None

    async def insert(self, table: Any, values: Args) -> int:
        """Writes a row, and gives its key."""
        row: Any = await self._connection.execute_insert(table.insert, values)
        return int(row[0])

    async def execute(self, sql: str, args: Args = ()) -> None:
        """Runs a statement that gives nothing."""
        await self._connection.execute_fetchall(sql, args)

    async def copy(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Puts rows into a table."""
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        async with self.transaction() as connection:
            await connection.executemany(sql, rows)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Lends the connection for a transaction."""
        async with self._alone:
            await self._connection.execute_fetchall("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                await self._connection.execute_fetchall("ROLLBACK")
                raise
            await self._connection.execute_fetchall("COMMIT")


def driver_for(dsn: str, *, converting: bool = False) -> PostgresDriver | SQLiteDriver:
    """Gives the driver of a DSN; `converting` makes decimals and documents of what SQLite gives as text."""
    return SQLiteDriver(converting=converting) if dsn.startswith("sqlite") else PostgresDriver()
