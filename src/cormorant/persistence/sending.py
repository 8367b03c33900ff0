"""Sends one write for many rows, a statement for each of them, in the way of the connection that is fastest."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

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
    connection = sender.connection
    if len(wanted) == 1 and wanted[0].identity and isinstance(connection, CountingConnection):
        counting, silent = connection, sender.database.prepare_write(replace(statement, returning=())).sql

        def run(sql: str, rows: Rows) -> Awaitable[list[Row]]:
            return counting.insert_each(sql, silent, rows)

        return await sender.database.run_each(run, sender.tracker, prepared.sql, rows, sender.caller)
    runs = await fetch_each(sender, prepared, rows)
    return [run[0] if run else () for run in runs]


async def write_each(
    sender: Sender, statement: Update | Delete, prepared: PreparedWrite, rows: Rows
) -> Sequence[object]:
    """Changes or deletes rows, and gives for each what is true if it was there."""
    connection = sender.connection
    if not isinstance(connection, CountingConnection):
        return await fetch_each(sender, prepared, rows)
    counting, silent = connection, sender.database.prepare_write(replace(statement, silent=True)).sql

    def run(sql: str, rows: Rows) -> Awaitable[list[int]]:
        return counting.write_each(sql, silent, rows)

    return await sender.database.run_each(run, sender.tracker, prepared.sql, rows, sender.caller)


async def write_all(sender: Sender, prepared: PreparedWrite, rows: Rows) -> int:
    """Runs a write of which nothing comes back, and gives the number of rows it was sent for."""
    connection = sender.connection
    if isinstance(connection, CountingConnection):
        await sender.database.run_each(connection.write_all, sender.tracker, prepared.sql, rows, sender.caller)
    else:
        await fetch_each(sender, prepared, rows)
    return len(rows)
