"""Counts what a database would lose."""

from __future__ import annotations

from collections.abc import Iterable

from cormorant.adapters.base import Connection
from cormorant.database import Database
from cormorant.errors import Loss, StatementError
from cormorant.migrations.losses import count_sql
from cormorant.migrations.running.connecting import connected


async def counted(database: Database, losses: Iterable[Loss]) -> dict[str, int]:
    """Gives the numbers of rows and values that a database would lose, by the names of losses, as far as it has them.

    Args:
        database: The live database.
        losses: What would be lost.

    Raises:
        ConnectionLost: The database cannot be reached.

    Example:
        >>> raise error.counted(await counted(db, error.losses))     # SELECT count("title") FROM "essay"
    """
    async with connected(database, write=False) as place:
        rows = {loss.name: await _count(place.connection, count_sql(loss, place.dialect)) for loss in losses}
    return {name: count for name, count in rows.items() if count is not None}


async def _count(connection: Connection, sql: str) -> int | None:
    try:
        ((count,),) = await connection.fetch(sql)
    except StatementError:
        # the database is behind its migrations, and has no such table yet
        return None
    return int(count)
