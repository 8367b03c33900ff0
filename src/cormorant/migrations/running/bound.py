"""A database for sessions that work inside of a migration's own transaction.

Whatever they commit is a savepoint that is released: it is committed with the rest of the migration, and with the
record that it was done, or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, TypeVar

from cormorant._internal.transaction_words import transaction_word
from cormorant.adapters.base import Adapter, Connection, CopyConnection, Cursor, RawRows, Row
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.stats import PoolStats
from cormorant.database import Database
from cormorant.dialects.base import Dialect, IsolationLevel
from cormorant.errors import TransactionError

T = TypeVar("T")

_SAVEPOINT = "cormorant_migration"
_ALONE = "cormorant_statement"
_ANY_NUMBER = 1_000_000
_serials = count(1)


class BoundConnection:
    """A connection whose transactions are savepoints of the one that is open.

    Args:
        real: The connection.
        dialect: Its database's.
        inside: A transaction is open on it, in which all is done; else transactions are what they are.
    """

    def __init__(self, real: Connection, dialect: Dialect, *, inside: bool = True) -> None:
        self._real = real
        self._dialect = dialect
        self._inside = inside
        self._open = False
        # a statement that an earlier step has prepared may be about a table that was changed since
        self._mark = f" /* {next(_serials)} */"
        # tasks that read at the same time have one connection for all
        self._turn = asyncio.Lock()

    @property
    def in_transaction(self) -> bool:
        return self._open and not self._real.is_closed if self._inside else self._real.in_transaction

    @property
    def needs_reset(self) -> bool:
        return self.in_transaction

    @property
    def is_closed(self) -> bool:
        return self._real.is_closed

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> Sequence[Row]:
        return await self._send(sql, lambda: self._real.fetch(sql + self._mark, args), ())

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        return await self._send(sql, lambda: self._real.execute(sql + self._mark, args), 0)

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        return await self._send(sql, lambda: self._real.fetch_each(sql + self._mark, arg_rows), [])

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        return await self._send(sql, lambda: self._real.query(sql + self._mark, args), RawRows((), (), 0))

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> Cursor:
        return self._real.cursor(sql + self._mark, args)

    async def _send(self, sql: str, work: Callable[[], Awaitable[T]], nothing: T) -> T:
        async with self._turn:
            if not self._inside:
                return await work()
            word = transaction_word(sql)
            if word in ("begin", "commit", "rollback"):
                await self._end_or_begin(word)
                return nothing
            return await (work() if self._open or word is not None else self._alone(work))

    async def _end_or_begin(self, word: str) -> None:
        if word == "begin":
            if self._open:
                raise TransactionError(
                    "another session has a transaction open inside of the migration",
                    hint="work in the session that the migration was given",
                )
            await self._real.execute(self._dialect.savepoint(_SAVEPOINT))
            self._open = True
        elif self._open:
            if word == "rollback":
                await self._real.execute(self._dialect.rollback_to_savepoint(_SAVEPOINT))
            await self._real.execute(self._dialect.release_savepoint(_SAVEPOINT))
            self._open = False

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs a statement outside of any transaction of the session: its error must not fail the migration's."""
        await self._real.execute(self._dialect.savepoint(_ALONE))
        try:
            answer = await work()
        except BaseException:
            if self._real.in_transaction:
                await self._real.execute(self._dialect.rollback_to_savepoint(_ALONE))
                await self._real.execute(self._dialect.release_savepoint(_ALONE))
            raise
        await self._real.execute(self._dialect.release_savepoint(_ALONE))
        return answer


class _Copies(BoundConnection):
    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Appends rows to a table."""
        real = self._real
        assert isinstance(real, CopyConnection)
        return await self._send("COPY", lambda: real.copy_rows(table, columns, rows), 0)


class BoundAdapter(Adapter):
    """Lends one connection to everybody.

    Args:
        connection: The connection.
        like: Whose connection it is.
        inside: A transaction is open on it, in which all is done.
    """

    def __init__(self, connection: Connection, like: Adapter, *, inside: bool) -> None:
        self._like = like
        kind = _Copies if isinstance(connection, CopyConnection) else BoundConnection
        self.connection: BoundConnection = kind(connection, like.dialect, inside=inside)

    @property
    def config(self) -> ConnectionConfig:
        return self._like.config

    @property
    def dialect(self) -> Dialect:
        return self._like.dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return self._like.server_version

    @property
    def default_isolation(self) -> IsolationLevel | None:
        return self._like.default_isolation

    @property
    def stats(self) -> PoolStats:
        """One connection, which nobody waits for."""
        return PoolStats(1, 1, 0, 1, 0)

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives any number: nobody waits until the connection comes back."""
        return "any", _ANY_NUMBER

    async def acquire(self, *, write: bool = False) -> Connection:
        return self.connection

    def release(self, connection: Connection) -> None:
        """Does nothing: the migration goes on with it."""

    def schema_changed(self) -> None:
        self._like.schema_changed()

    async def close(self, timeout: float | None = None) -> None:
        """Closes nothing: the migration goes on with it."""


def bound_database(connection: Connection, like: Database, *, inside: bool = True) -> Database:
    """Gives a database whose sessions work on one connection.

    It has no default scopes and no caches: a migration sees every row, and what it reads is not committed yet.

    Args:
        connection: The connection.
        like: The database that it leads to.
        inside: A transaction is open on it, in which all is done.
    """
    adapter = BoundAdapter(connection, like.adapter, inside=inside)
    found = Database(adapter, n_plus_one="ignore", idle_transaction_warning=None)
    # who watches the database sees what migrations send
    found.watch, found.tracker, found.is_borrowed = like.watch, like.tracker, True
    return found
