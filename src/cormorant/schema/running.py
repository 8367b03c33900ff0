"""Runs operations: in as few transactions as they allow, and on SQLite with foreign keys looked at before and after."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import groupby

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.errors import DatabaseError, DataError, ForeignKeyViolation, StatementError
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
    async with transaction(connection, dialect):
        for operation in operations:
            await send(connection, dialect, operation)


async def _on_sqlite(connection: Connection, dialect: Dialect, operations: Sequence[Operation]) -> None:
    async with rebuilding(connection, dialect), transaction(connection, dialect), keys_kept(connection):
        for operation in operations:
            await send_whole(connection, dialect, operation)


@asynccontextmanager
async def transaction(connection: Connection, dialect: Dialect) -> AsyncGenerator[None]:
    """One transaction: committed at the end of the block, rolled back after an error."""
    await connection.execute(dialect.begin(isolation=None, read_only=False, deferrable=False, write=True))
    try:
        yield
        await connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            await connection.execute("ROLLBACK")


@asynccontextmanager
async def rebuilding(connection: Connection, dialect: Dialect) -> AsyncGenerator[None]:
    """Switches off, around a transaction of SQLite, what would delete or rename beside the tables that are rebuilt.

    Raises:
        StatementError: A transaction is open already, inside of which foreign keys stay on.
    """
    before, after = dialect.around_drops
    for sql in before:
        await connection.execute(sql)
    if (await connection.fetch("PRAGMA foreign_keys"))[0][0]:
        raise StatementError(
            "foreign keys cannot be switched off inside of a transaction, and dropping a table that is rebuilt would "
            "delete what points to it",
            hint="change tables outside of sandboxes and of other transactions",
        )
    try:
        yield
    finally:
        if not connection.is_closed:
            await connection.execute("PRAGMA legacy_alter_table = OFF")
            for sql in after:
                await connection.execute(sql)


@asynccontextmanager
async def keys_kept(connection: Connection) -> AsyncGenerator[None]:
    """Looks at the foreign keys of an SQLite database before a block and after it, inside of its transaction.

    Raises:
        ForeignKeyViolation: Rows point to nothing that did not do so before.
    """
    broken = await broken_keys(connection)
    yield
    refuse_broken(await broken_keys(connection) - broken)


async def send_whole(connection: Connection, dialect: Dialect, operation: Operation) -> None:
    """Sends the statements of one operation on SQLite, whose rebuilt tables keep what was made by hand.

    Raises:
        DataError: A value of a column that becomes another type is none of that type.
        DatabaseError: Something else failed; the table is named as it is outside of a rebuild.
    """
    if not isinstance(operation, RebuildTable):
        await send(connection, dialect, operation)
        return
    operation = await with_company(connection, operation)
    try:
        await send(connection, dialect, operation)
    except DatabaseError as error:
        if operation.aside not in str(error):
            raise
        if isinstance(error, DataError) and connection.in_transaction:
            await _refuse_unconverted(connection, dialect, operation, error)
        raise _named(operation, error) from error


async def _refuse_unconverted(
    connection: Connection, dialect: Dialect, operation: RebuildTable, error: DatabaseError
) -> None:
    """Looks, after a rebuild failed, whether it was for a value that cannot become one of another type."""
    table = operation.before
    # the number of a row is no column of such a table
    numbered = "WITHOUT ROWID" not in (table.options or "").upper()
    for conversion in operation.conversions:
        name, column = dialect.quote(conversion.column), table.column(conversion.column)
        if column is None:
            continue
        own = table.primary_key is not None and table.primary_key.columns == (column.name,)
        which = "rowid" if numbered and not own else "NULL"
        rows = await connection.fetch(
            f"SELECT {which} FROM {dialect.quote(table.name)} WHERE {conversion.fails(name)} LIMIT 1"
        )
        if rows:
            row = "" if rows[0][0] is None else f" (row {rows[0][0]})"
            raise DataError(
                f"a value of {table.name}.{column.name}{row} cannot become {conversion.words}",
                table=table.name,
                columns=(column.name,),
                hint="correct or delete such values first, or say how they become others: AlterColumn(..., using=...); "
                "nothing was changed",
            ) from error


def _named(operation: RebuildTable, error: DatabaseError) -> DatabaseError:
    """Gives an error of a rebuild with the table's own name: the other one is gone by now."""
    return type(error)(
        error.message.replace(operation.aside, operation.after.name),
        statement=error.statement,
        code=error.code,
        constraint=error.constraint,
        table=operation.after.name if error.table == operation.aside else error.table,
        columns=error.columns,
        hint=error.hint,
    )


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
