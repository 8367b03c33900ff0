"""The one connection that migrations run on: nothing limits its statements, and it leads past a pooler if it can."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cormorant.adapters.base import Adapter, Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter
from cormorant.database import Database
from cormorant.database.gating import unasked
from cormorant.dialects.base import Dialect
from cormorant.errors import MigrationError
from cormorant.migrations.running.locking import who


@dataclass(frozen=True, slots=True)
class Place:
    """Where migrations run.

    Args:
        database: The database.
        connection: The connection, used by nobody else meanwhile.
        config: Where it leads.
    """

    database: Database
    connection: Connection
    config: ConnectionConfig

    @property
    def dialect(self) -> Dialect:
        """The database's."""
        return self.database.dialect

    @property
    def pooled(self) -> bool:
        """Whether a pooler gives each transaction another session of the server."""
        return self.config.pooler is not None

    async def settle(self, lock_timeout: float | None, *, outside: bool = False) -> None:
        """Sets what limits the statements to come: those of the open transaction, or those outside of any.

        Args:
            lock_timeout: Seconds that a statement may wait for a lock; None sets no limit.
            outside: No transaction is open.
        """
        if not self.dialect.supports_add_constraint:
            return
        values = {
            "lock_timeout": str(round((lock_timeout or 0) * 1000)),
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": "0",
            "application_name": f"cormorant migrations, {who()}"[:63],
        }
        local = "false" if outside else "true"
        words = ", ".join(f"set_config('{name}', ${place}, {local})" for place, name in enumerate(values, 1))
        await self.connection.fetch(f"SELECT {words}", list(values.values()))

    def refuse_outside(self, what: str) -> None:
        """Refuses what needs a session of the server for itself.

        Raises:
            MigrationError: A pooler is in between.
        """
        if self.pooled:
            raise MigrationError(
                f"behind a pooler in transaction mode no step runs outside of a transaction: {what}; nothing was done",
                hint='name the server itself beside it, which migrations then use: listen_dsn="postgresql://..."',
            )


@asynccontextmanager
async def connected(database: Database, *, write: bool = True) -> AsyncGenerator[Place]:
    """Takes a connection for migrations.

    Args:
        database: The database.
        write: Something will be changed.

    Raises:
        ConnectionLost: The database cannot be reached.
    """
    own = own_adapter(database)
    adapter = own or database.adapter
    try:
        with unasked():
            # one that refuses what is outdated must be looked at, and mended
            connection = await adapter.acquire(write=write)
        try:
            place = Place(database, connection, adapter.config)
            if write and not place.pooled:
                await place.settle(None, outside=True)
            yield place
        finally:
            adapter.release(connection)
    finally:
        if own is not None:
            await own.close()


def own_adapter(database: Database) -> Adapter | None:
    """Gives an adapter to be closed afterwards; None where the database's own connections will do."""
    config = database.adapter.config
    if database.is_borrowed:
        return None
    if config.pooler is not None and config.listen_dsn is not None:
        return create_adapter(ConnectionConfig.from_dsn(config.listen_dsn, pool_size=1))
    if config.scheme == "sqlite" and not config.in_memory and config.statement_timeout is not None:
        return create_adapter(config.replace(statement_timeout=None, pool_size=1))
    return None
