"""Runs operations: in as few transactions as they allow, and on SQLite with foreign keys looked at before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.errors import ForeignKeyViolation
from cormorant.schema import snapshot as s
from cormorant.schema.operations import Operation
from cormorant.schema.plan import plan
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.scripts import text


async def run(
    connection: Connection, dialect: Dialect, snapshot: s.SchemaSnapshot, operations: Sequence[Operation]
) -> None:
    """Runs operations on a connection that has no transaction open.

    What must be outside of a transaction stands alone; what is between two such operations is done together or not at
    all.

    Args:
        connection: A connection that may write.
        dialect: The database's.
        snapshot: The schema before the first operation.
        operations: What is to be done.

    Raises:
        ForeignKeyViolation: On SQLite, rows would point to nothing afterwards; nothing is done then.
    """
    planned = plan(snapshot, operations, dialect)
    if not dialect.supports_add_constraint:
        await _on_sqlite(connection, dialect, planned)
        return
    for outside, some in groupby(planned, key=lambda operation: operation.outside):
        if outside:
            for operation in some:
                await send(connection, dialect, operation)
        else:
            await _together(connection, dialect, list(some))


async def send(connection: Connection, dialect: Dialect, operation: Operation) -> None:
    """Sends the statements of one operation."""
    for sql in operation.statements(dialect):
        await connection.execute(sql)


async def _together(connection: Connection, dialect: Dialect, operations: Sequence[Operation]) -> None:
    await connection.execute(dialect.begin(isolation=None, read_only=False, deferrable=False, write=True))
    try:
        for operation in operations:
            await send(connection, dialect, operation)
        await connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            await connection.execute("ROLLBACK")


async def _on_sqlite(connection: Connection, dialect: Dialect, operations: Sequence[Operation]) -> None:
    before, after = dialect.around_drops
    for sql in before:
        await connection.execute(sql)
    try:
        await connection.execute(dialect.begin(isolation=None, read_only=False, deferrable=False, write=True))
        broken = await broken_keys(connection)
        for operation in operations:
            if isinstance(operation, RebuildTable):
                operation = await with_company(connection, operation)
            await send(connection, dialect, operation)
        refuse_broken(await broken_keys(connection) - broken)
        await connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            await connection.execute("ROLLBACK")
        await connection.execute("PRAGMA legacy_alter_table = OFF")
        for sql in after:
            await connection.execute(sql)


async def broken_keys(connection: Connection) -> set[tuple[str, int, str]]:
    """Gives the rows of an SQLite database that point to nothing: table, number of the row, target."""
    return {(table, row, target) for table, row, target, _ in await connection.fetch("PRAGMA foreign_key_check")}


def refuse_broken(broken: set[tuple[str, int, str]]) -> None:
    """Refuses to go on where rows point to nothing.

    Raises:
        ForeignKeyViolation: Naming some of them.
    """
    if broken:
        some = ", ".join(f"{table} (row {row}) to {target}" for table, row, target in sorted(broken)[:5])
        raise ForeignKeyViolation(
            f"{len(broken)} rows would point to nothing: {some}",
            hint="correct or delete these rows first; nothing was changed",
        )


async def with_company(connection: Connection, operation: RebuildTable) -> RebuildTable:
    """Gives a rebuild that also brings back what the table has in the database and no snapshot tells of.

    Triggers go with their table, and so do indexes that were made by hand.
    """
    name = text(operation.before.name)
    rows = await connection.fetch(f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name = {name} AND sql <> ''")
    known = {index.name for table in (operation.before, operation.after) for index in table.indexes}
    own = {f"{search.name}_{event}" for search in operation.before.searches for event in ("insert", "delete", "update")}
    kept = tuple(
        s.Trigger(found, sql)
        for kind, found, sql in rows
        if (kind == "trigger" and found not in own) or (kind == "index" and found not in known)
    )
    return replace(operation, after=replace(operation.after, triggers=kept))
