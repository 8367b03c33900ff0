"""The contract between Cormorant and a database driver.

An adapter carries SQL down and rows up, nothing else: it opens and pools connections, runs one statement at a
time on each, and translates the driver's errors. It builds no SQL of its own but the words of session set-up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.stats import PoolStats
from cormorant.dialects.base import Dialect, IsolationLevel

Row: TypeAlias = Sequence[Any]
"""A row by position; drivers may give tuples or records."""


@dataclass(frozen=True, slots=True)
class RawRows:
    """The whole answer to one statement, with the names of its columns.

    Args:
        columns: Column names in order; empty when the statement returns no rows.
        rows: The rows by position.
        affected: Rows written, or returned by a read; -1 where the driver does not tell.
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    affected: int


class Cursor(Protocol):
    """The rows of one statement, a chunk at a time, for as long as the transaction lasts in which it was opened.

    Other statements may run on the connection between two chunks.
    """

    async def fetch(self, count: int) -> Sequence[Row]:
        """Gives the next `count` rows; fewer are the last ones. The first call runs the statement."""
        ...

    async def close(self) -> None:
        """Frees what the database holds for it, however the transaction ended; a second call does nothing."""
        ...


class Connection(Protocol):
    """One driver connection, used by one statement at a time.

    Every method raises the classes of `cormorant.errors`, with the driver's error as `__cause__`. A ConnectionLost has
    `sent=True` if the statement may have been run before: whether a COMMIT has come through is unknown then.
    """

    @property
    def in_transaction(self) -> bool:
        """Whether the server has a transaction open on this connection, asked without I/O."""
        ...

    @property
    def needs_reset(self) -> bool:
        """Whether a transaction is open, or may be after a statement that never answered, asked without I/O."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be gone, asked without I/O."""
        ...

    def fetch(self, sql: str, args: Sequence[Any] = ()) -> Awaitable[Sequence[Row]]:
        """Runs one statement and gives all of its rows."""
        ...

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """Runs one statement and gives the number of rows it wrote."""
        ...

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        """Runs one statement once for each row of arguments and gives the rows of each run, in order."""
        ...

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        """Runs one statement and gives its rows, their column names and the number of rows written."""
        ...

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> Cursor:
        """Gives a statement's rows to be read in chunks, inside of a transaction; nothing is sent yet."""
        ...


@runtime_checkable
class CopyConnection(Protocol):
    """What a connection may offer besides: a way for many rows that is faster than INSERT."""

    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Appends rows to a table, inside of the open transaction, and gives their number.

        Args:
            table: The table's name, not quoted.
            columns: The columns' names; the others get their defaults.
            rows: The values as the driver takes them.
        """
        ...


@runtime_checkable
class CountingConnection(Protocol):
    """What a connection may offer besides: many runs of one write of which no rows come back, which is faster."""

    async def write_all(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> None:
        """Runs a write of which nothing comes back once for each row of arguments."""
        ...

    def write_each(self, silent: str, sql: str, arg_rows: Sequence[Sequence[Any]]) -> Awaitable[list[int]]:
        """Runs a write once for each row of arguments and gives the number of rows that each run wrote, in order.

        Args:
            silent: The statement without RETURNING, for where the rows can be counted.
            sql: The same, which returns something of each row.
            arg_rows: The arguments of each run.
        """
        ...

    def insert_each(self, silent: str, sql: str, arg_rows: Sequence[Sequence[Any]]) -> Awaitable[list[Row]]:
        """Runs an INSERT of one row once for each row of arguments and gives the key of each, in order.

        Args:
            silent: The statement without RETURNING, for where the key can be known by itself.
            sql: The same, which returns the row's key.
            arg_rows: The arguments of each run.

        Returns:
            For each run the key alone, or nothing where it has written no row.
        """
        ...


@runtime_checkable
class Adapter(Protocol):
    """A pool of connections to one database.

    Creating an adapter does no I/O. `acquire` opens connections when they are needed and waits, first come first
    served, when all are taken; `release` never awaits, so that it is safe in a cancelled task.
    """

    @property
    def config(self) -> ConnectionConfig:
        """Where the adapter connects to."""
        ...

    @property
    def dialect(self) -> Dialect:
        """The SQL this database understands."""
        ...

    @property
    def server_version(self) -> tuple[int, ...]:
        """The server's version, for instance (15, 20); () before the first connection."""
        ...

    @property
    def default_isolation(self) -> IsolationLevel | None:
        """The server's own isolation level; None before the first connection."""
        ...

    def acquire(self, *, write: bool = False) -> Coroutine[Any, Any, Connection]:
        """Takes a connection out of the pool.

        Args:
            write: The caller is going to write. SQLite keeps one writer for each file and several readers.

        Raises:
            PoolTimeout: None became free within the configuration's `acquire_timeout`.
            ConnectionLost: The server cannot be reached.
        """
        ...

    def release(self, connection: Connection) -> None:
        """Gives a connection back; one with an open transaction is rolled back or closed first, off the caller."""
        ...

    def schema_changed(self) -> None:
        """Has what connections remember of tables and types forgotten before their next use."""
        ...

    @property
    def stats(self) -> PoolStats:
        """How the pool is used at the moment."""
        ...

    async def close(self, timeout: float | None = None) -> None:
        """Closes every connection, those in use as they come back.

        Args:
            timeout: Seconds to wait for the ones in use, which are then terminated; None waits without end.
        """
        ...


@runtime_checkable
class Interruptible(Protocol):
    """What a connection may offer besides: to stop the statement that runs on it."""

    async def interrupt(self) -> None:
        """Asks the database to stop the running statement, which then fails with QueryTimeout, unless it has ended."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """What a connection may offer besides: one task may go on with a statement that another task has begun.

    It holds where the statement waits for futures alone: what asks which task it is in, as `asyncio.timeout` does, and
    what sets a context variable back, does not stand the change. A write that must not be broken off needs no task of
    its own then, unless its caller is cancelled.
    """

    resumable: bool


@runtime_checkable
class Pipelining(Protocol):
    """What a connection may offer besides: BEGIN and savepoints go along with what comes after them."""

    @property
    def pipelines(self) -> bool:
        """Whether this connection can do it."""
        ...

    def send_later(self, sql: str) -> None:
        """Has a statement sent right before the next one; a COMMIT or ROLLBACK is sent without it.

        The connection says from now on that it is in a transaction. Where the next statement fails, this one has been
        run all the same.

        Args:
            sql: BEGIN, SAVEPOINT or RELEASE.
        """
        ...


@runtime_checkable
class Sharing(Protocol):
    """What an adapter may offer besides: a connection that several use at a time, by one statement each.

    None of them opens a transaction or asks for a limit of time, or breaks off a statement that writes.
    """

    def acquire_shared(self, *, write: bool = True) -> Coroutine[Any, Any, Connection]:
        """Lends the connection; each of its users calls `release`. It raises what `acquire` does.

        Args:
            write: It may write; one that reads is used by `fetch` alone.
        """
        ...


@runtime_checkable
class Separate(Protocol):
    """What an adapter may offer besides: it tells how many connections there are for each kind of use."""

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives a name for the connections that readers, or writers, take, and how many of them there are."""
        ...


@runtime_checkable
class Reopenable(Protocol):
    """An adapter that can be made once more, for another event loop: a pool of connections belongs to one loop."""

    def another(self) -> Adapter | None:
        """Gives an adapter to the same database with connections of its own; None where one connection is all."""
        ...
