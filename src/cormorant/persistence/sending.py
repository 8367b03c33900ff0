"""Sends one write for many rows, a statement for each of them, in the way of the connection that is fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Protocol, TypeAlias, cast

from cormorant.adapters.base import Connection, CountingConnection, Row
from cormorant.database import Database
from cormorant.models.metadata import ColumnInfo
from cormorant.observability.performance import PerformanceTracker
from cormorant.observability.shapes import Caller
from cormorant.query.prepared import PreparedWrite
from cormorant.sql.statements import Delete, Insert, Update

Rows: TypeAlias = "Sequence[Sequence[Any]]"


class Sender(Protocol):
    """Where statements go, and on whose behalf."""

    database: Database
    connection: Connection
    tracker: PerformanceTracker
    caller: Caller | None


@lru_cache(maxsize=100)
def counts(connection: type[Connection]) -> bool:
    """Whether connections of a class count what they write: asked for each statement, and slow to find out."""
    return issubclass(connection, CountingConnection)


async def fetch_each(sender: Sender, prepared: PreparedWrite, rows: Rows) -> list[Sequence[Row]]:
    """Gives the rows that come back for each row."""
    return await sender.database.run_each(
        sender.connection.fetch_each, sender.tracker, prepared.sql, rows, sender.caller
    )


async def insert_each(
    sender: Sender, statement: Insert, prepared: PreparedWrite, wanted: Sequence[ColumnInfo], rows: Rows
) -> list[Row]:
    """Inserts rows and gives what each returns, nothing for a row that was not inserted.

    Args:
        sender: Where they go.
        statement: The INSERT.
        prepared: It as it is sent.
        wanted: The columns that it returns.
        rows: The values as the driver takes them.
    """
    if len(wanted) == 1 and wanted[0].identity and counts(type(sender.connection)):
        silent = sender.database.prepare_write(replace(statement, returning=()))
        run = partial(cast(CountingConnection, sender.connection).insert_each, silent.sql)
        return await sender.database.run_each(run, sender.tracker, prepared.sql, rows, sender.caller)
    runs = await fetch_each(sender, prepared, rows)
    return [run[0] if run else () for run in runs]


async def write_each(
    sender: Sender, statement: Update | Delete, prepared: PreparedWrite, rows: Rows
) -> Sequence[object]:
    """Changes or deletes rows, and gives for each what is true if it was there."""
    if not counts(type(sender.connection)):
        return await fetch_each(sender, prepared, rows)
    silent = sender.database.prepare_write(replace(statement, silent=True))
    run = partial(cast(CountingConnection, sender.connection).write_each, silent.sql)
    return await sender.database.run_each(run, sender.tracker, prepared.sql, rows, sender.caller)


async def write_all(sender: Sender, prepared: PreparedWrite, rows: Rows) -> int:
    """Runs a write of which nothing comes back, and gives the number of rows it was sent for."""
    if counts(type(sender.connection)):
        run = cast(CountingConnection, sender.connection).write_all
        await sender.database.run_each(run, sender.tracker, prepared.sql, rows, sender.caller)
    else:
        await fetch_each(sender, prepared, rows)
    return len(rows)
