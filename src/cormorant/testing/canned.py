"""An adapter without a database: every statement is answered with nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from cormorant._internal.transaction_words import changes_transaction
from cormorant.adapters.base import Adapter, Connection, Cursor, RawRows, Row
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.stats import PoolStats
from cormorant.dialects.base import Dialect, IsolationLevel
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.errors import ConfigurationError, PoolClosed

DialectName = Literal["postgresql", "sqlite"]
_DIALECTS: dict[str, tuple[type[Dialect], str]] = {
    "postgresql": (PostgreSQLDialect, "postgresql:///nowhere"),
    "sqlite": (SQLiteDialect, "sqlite://"),
}


class CannedCursor:
    """A statement without rows."""

    async def fetch(self, count: int) -> Sequence[Row]:
        """Gives nothing."""
        return ()

    async def close(self) -> None:
        """Does nothing."""


class CannedConnection:
    """A connection to nowhere, which knows whether a transaction is open."""

    def __init__(self) -> None:
        self._open = False

    @property
    def in_transaction(self) -> bool:
        return self._open

    @property
    def needs_reset(self) -> bool:
        return self._open

    @property
    def is_closed(self) -> bool:
        return False

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> Sequence[Row]:
        self._follow(sql)
        return ()

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        self._follow(sql)
        return 0

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        return [() for _ in arg_rows]

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        self._follow(sql)
        return RawRows((), (), 0)

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> Cursor:
        return CannedCursor()

    def reset(self) -> None:
        """Rolls back what is open."""
        self._open = False

    def _follow(self, sql: str) -> None:
        change = changes_transaction(sql)
        self._open = self._open if change is None else change


class CannedAdapter(Adapter):
    """Lends connections to nowhere, each at once.

    Args:
        dialect: Whose SQL is sent: "postgresql" or "sqlite".
        server_version: What the server says it is; on PostgreSQL it decides how rows are inserted.
    """

    def __init__(self, dialect: DialectName = "postgresql", server_version: tuple[int, ...] = (17, 0)) -> None:
        if dialect not in _DIALECTS:
            raise ConfigurationError(f"{dialect!r} is no dialect", hint='use "postgresql" or "sqlite"')
        made, dsn = _DIALECTS[dialect]
        self._dialect = made()
        self._config = ConnectionConfig.from_dsn(dsn)
        self._version = server_version
        self._in_use: set[CannedConnection] = set()
        self._closed = False

    @property
    def config(self) -> ConnectionConfig:
        return self._config

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return self._version

    @property
    def default_isolation(self) -> IsolationLevel:
        """The level that a server has unless it is told otherwise."""
        return "read committed" if self._dialect.supports_isolation_levels else "serializable"

    @property
    def stats(self) -> PoolStats:
        """How many connections are lent."""
        return PoolStats(self._config.pool_size, len(self._in_use), 0, len(self._in_use), 0)

    async def acquire(self, *, write: bool = False) -> Connection:
        if self._closed:
            raise PoolClosed("the adapter is closed", hint="make a new one")
        connection = CannedConnection()
        self._in_use.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        if not isinstance(connection, CannedConnection):
            raise ConfigurationError(f"{connection!r} is of another adapter", hint="release it where it was acquired")
        connection.reset()
        self._in_use.discard(connection)

    def schema_changed(self) -> None:
        """Does nothing: nothing is remembered."""

    async def close(self, timeout: float | None = None) -> None:
        self._closed = True
