"""Counts what a database would lose."""

from __future__ import annotations

from cormorant.adapters.base import Connection
from cormorant.database import Database
from cormorant.errors import DestructiveMigration, StatementError
from cormorant.migrations.losses import count_sql


async def counted(database: Database, error: DestructiveMigration) -> DestructiveMigration:
    """Gives the same error with the numbers of rows and values that the database has, as far as it has them.

    Args:
        database: The live database.
        error: What would be lost.

    Raises:
        ConnectionLost: The database cannot be reached.
    """
    connection = await database.adapter.acquire(write=False)
    try:
        rows = {loss.name: await _count(connection, count_sql(loss, database.dialect)) for loss in error.losses}
    finally:
        database.adapter.release(connection)
    return error.counted({name: count for name, count in rows.items() if count is not None})


async def _count(connection: Connection, sql: str) -> int | None:
    try:
        ((count,),) = await connection.fetch(sql)
    except StatementError:
        # the database is behind its migrations, and has no such table yet
        return None
    return int(count)
