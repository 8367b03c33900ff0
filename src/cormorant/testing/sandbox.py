"""`Sandbox`: whatever is done to a database inside of it is undone in the end, also what was committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from cormorant._internal.frames import caller
from cormorant.adapters.base import Adapter, Connection, CopyConnection, Cursor, RawRows, Row
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.lending import Lending
from cormorant.adapters.stats import PoolStats
from cormorant.database import Database
from cormorant.database.configured import database_of
from cormorant.dialects.base import Dialect, IsolationLevel
from cormorant.errors import ConfigurationError, WouldDeadlock
from cormorant.persistence import context
from cormorant.testing.keeper import Keeper
from cormorant.testing.savepoints import Inner, Shared
from cormorant.testing.turns import Holder, Turns

T = TypeVar("T")

_ANY_NUMBER = 1_000_000


def _held_around() -> frozenset[SandboxConnection]:
    """Gives the connections of the sessions that the caller is inside of, and that wait for him."""
    frames = [frame for cell in context.open_cells() if (frame := cell.frame()) is not None]
    found = [frame.root.state.transactions.connection for frame in frames]
    return frozenset(each for each in found if isinstance(each, SandboxConnection))


class _SandboxCursor:
    def __init__(self, connection: SandboxConnection, sql: str, args: Sequence[Any]) -> None:
        self._connection = connection
        self._sql = sql
        self._args = args
        self._cursor: Cursor | None = None
        self._closed = False

    async def fetch(self, count: int) -> Sequence[Row]:
        if self._closed:
            return ()
        return await self._connection.send(self._sql, partial(self._fetch, count), ())

    async def _fetch(self, count: int, real: Connection) -> Sequence[Row]:
        if self._cursor is None:
            self._cursor = real.cursor(self._sql, self._args)
            self._connection.inner.cursors.append(self._cursor)
        return await self._cursor.fetch(count)

    async def close(self) -> None:
        self._closed = True
        # what was never read has opened nothing, and the end of its transaction has closed it already
        if self._cursor is not None and self._cursor in self._connection.inner.cursors:
            await self._connection.send(self._sql, self._close, None)

    async def _close(self, _: Connection) -> None:
        if self._cursor is not None and self._cursor in self._connection.inner.cursors:
            self._connection.inner.cursors.remove(self._cursor)
            await self._cursor.close()


class SandboxConnection:
    """A connection whose transactions are savepoints of the sandbox's.

    Args:
        keeper: Where the real connection is used.
        inner: Its transaction there.
    """

    def __init__(self, keeper: Keeper, inner: Inner) -> None:
        self.inner: Inner = inner
        self._keeper = keeper

    def __repr__(self) -> str:
        return f"<a connection of a sandbox{', which has ended' if self.is_closed else ''}>"

    @property
    def in_transaction(self) -> bool:
        return self.inner.is_open and not self.is_closed

    @property
    def needs_reset(self) -> bool:
        return self.in_transaction

    @property
    def is_closed(self) -> bool:
        return self.inner.shared.ended

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> Sequence[Row]:
        return await self.send(sql, lambda real: real.fetch(sql, args), ())

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        return await self.send(sql, lambda real: real.execute(sql, args), 0)

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        if not self.inner.is_open:
            # each run is a transaction of its own: one that fails leaves those before it
            return [await self.fetch(sql, args) for args in arg_rows]
        return await self.send(sql, lambda real: real.fetch_each(sql, arg_rows), [])

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        return await self.send(sql, lambda real: real.query(sql, args), RawRows((), (), 0))

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> Cursor:
        return _SandboxCursor(self, sql, args)

    async def send(self, sql: str, work: Callable[[Connection], Awaitable[T]], nothing: T) -> T:
        """Runs work on the real connection, when it is its turn.

        Args:
            sql: The statement, as far as it is one.
            work: What is done.
            nothing: What a BEGIN, COMMIT or ROLLBACK gives back.

        Raises:
            WouldDeadlock: The caller is inside of a transaction that has to end first.
        """
        self._check_no_circle()
        return await self._keeper.ask(partial(self.inner.run, sql, work, nothing))

    def _check_no_circle(self) -> None:
        above = self.inner.shared.turns.above(self.inner.holder)
        inside = [each.inner.holder.who for each in _held_around() if each.inner.holder in above]
        if inside:
            raise WouldDeadlock(
                f"{context.used_here()} would wait for ever: the sandbox has one connection, and {inside[0]}, inside "
                f"of which this is called, has an open transaction on it",
                hint="end the inner transaction before the outer session goes on",
            )


class _Copies(SandboxConnection):
    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Appends rows to a table."""

        async def copy(real: Connection) -> int:
            assert isinstance(real, CopyConnection)
            return await real.copy_rows(table, columns, rows)

        return await self.send(f"COPY {table}", copy, 0)


class SandboxAdapter(Adapter):
    """Lends one real connection, in a transaction that is rolled back in the end, to everybody: one after another.

    It serves any number of event loops and threads.

    Args:
        real: Where the connection comes from.
        keeper: Whose loop the connection belongs to.
    """

    def __init__(self, real: Adapter, keeper: Keeper) -> None:
        self._real = real
        self._keeper = keeper
        self._shared: Shared | None = None
        self._changed_schema = False
        self._lent: set[SandboxConnection] = set()

    @property
    def config(self) -> ConnectionConfig:
        return self._real.config

    @property
    def dialect(self) -> Dialect:
        return self._real.dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return self._real.server_version

    @property
    def default_isolation(self) -> IsolationLevel | None:
        return self._real.default_isolation

    @property
    def stats(self) -> PoolStats:
        """How many have the connection, one inside of the other, and how many wait."""
        return PoolStats(1, 1, int(not self._lent), len(self._lent), self._open.turns.waiting)

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives any number: who is inside of others goes on, and they wait for him."""
        return "any", _ANY_NUMBER

    def another(self) -> None:
        """Gives none: there is one connection."""

    async def begin(self) -> None:
        """Takes the connection and opens the transaction; runs on the keeper's loop."""
        real = await self._real.acquire(write=True)
        try:
            await real.execute(self.dialect.begin(isolation=None, read_only=False, deferrable=False, write=True))
        except BaseException:
            self._real.release(real)
            raise
        self._shared = Shared(real, self.dialect, Turns(self.config.acquire_timeout))

    async def end(self) -> None:
        """Undoes everything; runs on the keeper's loop."""
        shared = self._open
        shared.ended = True
        try:
            # one connection does one thing at a time
            async with shared.undoing:
                pass
            if shared.real.in_transaction:
                await shared.real.execute("ROLLBACK")
        finally:
            if self._changed_schema:
                self._real.schema_changed()
            self._real.release(shared.real)

    @property
    def _open(self) -> Shared:
        if self._shared is None:
            raise ConfigurationError("the sandbox was not entered", hint="use `async with Sandbox(database)`")
        return self._shared

    async def acquire(self, *, write: bool = False) -> Connection:
        shared = self._open
        shared.check()
        inside = frozenset(each.inner.holder for each in _held_around())
        holder = Holder(f"{context.task_name()} at {caller()}", inside)
        try:
            await self._keeper.ask(lambda: shared.turns.enter(holder))
        except BaseException:
            # it may have got through before its caller was cancelled
            self._keeper.post(lambda: shared.turns.leave(holder))
            raise
        kind = _Copies if isinstance(shared.real, CopyConnection) else SandboxConnection
        connection = kind(self._keeper, Inner(shared, holder, reads_only=not write))
        self._lent.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        if not isinstance(connection, SandboxConnection) or connection.inner.shared is not self._shared:
            raise ConfigurationError(f"{connection!r} is of another adapter", hint="release it where it was acquired")
        if connection in self._lent and not connection.is_closed:
            self._keeper.start(connection.inner.end)
        self._lent.discard(connection)

    def schema_changed(self) -> None:
        """Has the connections forget their tables at the end of the sandbox, when those are as they were before."""
        self._changed_schema = True

    async def close(self, timeout: float | None = None) -> None:
        """Closes nothing: the sandbox ends the connection."""


class Sandbox:
    """Undoes what is done to a database inside of it: everything goes through one connection with an open transaction.

    BEGIN, COMMIT and ROLLBACK of sessions become savepoints inside of that transaction; the program does not notice.
    Sessions that are not inside of each other take turns.

    Args:
        database: The database, or its DSN; the configured one if none is given.
        also: Further databases that go through the same connection: a program's own one, say, which is to work on the
            test's database for a while.
        keeper: Keeps the connection for several sandboxes; one of its own if none is given.

    Raises:
        ConfigurationError: A database is in a sandbox already, or its connections are in use, or it has another
            dialect.

    Example:
        >>> async with Sandbox(db):
        ...     async with AsyncSession(db) as session:
        ...         session.add(Author(name="Ada"))     # BEGIN ... COMMIT become SAVEPOINT ... RELEASE
        >>> ...                                         # ROLLBACK: there is no Ada
    """

    def __init__(
        self,
        database: Database | str | None = None,
        *,
        also: Sequence[Database] = (),
        keeper: Keeper | None = None,
    ) -> None:
        self.database: Database = database_of(database)
        self._databases = list(dict.fromkeys((self.database, *also)))
        self._given = keeper
        self._keeper: Keeper | None = None
        self._outside: list[tuple[Database, Adapter, Lending]] = []
        self._adapter: SandboxAdapter | None = None

    # ---- from threads

    def __enter__(self) -> Database:
        keeper, adapter = self._prepare()
        try:
            keeper.run(adapter.begin)
        except BaseException:
            self._stop(keeper)
            raise
        return self._take(keeper, adapter)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        keeper, adapter = self._give_back()
        try:
            keeper.run(adapter.end)
        finally:
            self._stop(keeper)

    # ---- from coroutines

    async def __aenter__(self) -> Database:
        keeper, adapter = self._prepare()
        try:
            await keeper.ask(adapter.begin)
        except ConfigurationError:
            self._stop(keeper)
            # a database in memory is its one connection's, which belongs to the running loop already
            keeper = Keeper(asyncio.get_running_loop())
            adapter = SandboxAdapter(self.database.adapter, keeper)
            await adapter.begin()
        except BaseException:
            self._stop(keeper)
            raise
        return self._take(keeper, adapter)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        keeper, adapter = self._give_back()
        try:
            await keeper.ask(adapter.end)
        finally:
            self._stop(keeper)

    # ---- the database's adapter is another one meanwhile

    def _prepare(self) -> tuple[Keeper, SandboxAdapter]:
        for database in self._databases:
            _check_free(database, self.database.dialect)
        keeper = self._given or Keeper()
        return keeper, SandboxAdapter(keeper.adapter_for(self.database.adapter), keeper)

    def _take(self, keeper: Keeper, adapter: SandboxAdapter) -> Database:
        self._keeper, self._adapter, lending = keeper, adapter, Lending(adapter)
        for database in self._databases:
            self._outside.append((database, database.adapter, database.lending))
            database.adapter, database.lending, database.is_borrowed = adapter, lending, True
        return self.database

    def _give_back(self) -> tuple[Keeper, SandboxAdapter]:
        if not self._outside or self._keeper is None or self._adapter is None:
            raise ConfigurationError("the sandbox was not entered", hint="use `async with Sandbox(database)`")
        while self._outside:
            database, database_adapter, lending = self._outside.pop()
            database.adapter, database.lending, database.is_borrowed = database_adapter, lending, False
        return self._keeper, self._adapter

    def _stop(self, keeper: Keeper) -> None:
        if self._given is None:
            keeper.stop()


def _check_free(database: Database, dialect: Dialect) -> None:
    adapter = database.adapter
    if isinstance(adapter, SandboxAdapter):
        raise ConfigurationError(f"{database!r} is in a sandbox already", hint="leave that one first")
    if adapter.stats.in_use:
        raise ConfigurationError(
            f"{adapter.stats.in_use} connections of {database!r} are in use",
            hint="enter the sandbox before sessions begin transactions",
        )
    if database.dialect.name != dialect.name:
        raise ConfigurationError(
            f"{database!r} speaks {database.dialect.name}, and the sandbox {dialect.name}",
            hint="give the tests a database of the same kind",
        )
