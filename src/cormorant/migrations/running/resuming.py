"""Steps outside of transactions, and what one that was cut off has left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.errors import DatabaseError
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema.names import beside, quoted
from cormorant.schema.operations import Operation

_INDEX = """
SELECT i.indisvalid AND i.indisready, EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
FROM pg_index AS i WHERE i.indexrelid = to_regclass($1) AND i.indrelid = to_regclass($2)
"""
_CONSTRAINT = "SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = $1 AND conrelid = to_regclass($2))"
_LABELS = "SELECT enumlabel FROM pg_enum WHERE enumtypid = to_regtype($1) ORDER BY enumsortorder"


async def run_alone(
    connection: Connection,
    dialect: Dialect,
    operation: Operation,
    send: Callable[[str], Awaitable[object]],
    *,
    resumed: bool,
) -> None:
    """Runs an operation that must not be in a transaction.

    Args:
        connection: A connection without a transaction.
        dialect: The database's.
        operation: What is to be done.
        send: Sends one statement on that connection.
        resumed: It may have been done before, or half of it.
    """
    statements: Sequence[str] = operation.statements(dialect)
    if resumed:
        statements = await remaining(connection, dialect, operation)
    try:
        for sql in statements:
            await send(sql)
    except Exception:
        if not connection.is_closed:
            # an index that could not be finished is kept up to date by every write, and used by nobody
            with suppress(DatabaseError):
                await _drop_unfinished(connection, dialect, operation)
        raise


async def remaining(connection: Connection, dialect: Dialect, operation: Operation) -> list[str]:
    """Gives what is still to be done of an operation that may have been done before, or half of it.

    Args:
        connection: Where it is to be done.
        dialect: The database's.
        operation: The operation.
    """
    if isinstance(operation, o.DropConstraint):
        return await _drop_what_is_there(connection, dialect, operation)
    if isinstance(operation, i.AlterEnum):
        return (await _without_known_labels(connection, dialect, operation)).statements(dialect)
    name = _index_of(operation)
    if name is None:
        return operation.statements(dialect)
    await _drop_unfinished(connection, dialect, operation)
    found = await connection.fetch(_INDEX, [quoted(dialect, name), quoted(dialect, operation.touched)])
    if isinstance(operation, (i.DropIndex, i.DropSearchIndex)):
        return operation.statements(dialect) if found else []
    if not found:
        return operation.statements(dialect)
    # the index is there; what comes after it makes a constraint of it
    return [] if found[0][1] else operation.statements(dialect)[1:]


async def _drop_what_is_there(connection: Connection, dialect: Dialect, operation: o.DropConstraint) -> list[str]:
    """Gives what drops a constraint, or the index that was to become one."""
    name = operation.constraint.name or o.default_name(operation.table, operation.constraint)
    if (await connection.fetch(_CONSTRAINT, [name, quoted(dialect, operation.table)]))[0][0]:
        return operation.statements(dialect)
    index = quoted(dialect, beside(operation.table, name))
    found = await connection.fetch(_INDEX, [index, quoted(dialect, operation.table)])
    return [f"DROP INDEX {index}"] if found else []


async def _drop_unfinished(connection: Connection, dialect: Dialect, operation: Operation) -> None:
    name = _index_of(operation)
    if name is None:
        return
    said = quoted(dialect, name)
    found = await connection.fetch(_INDEX, [said, quoted(dialect, operation.touched)])
    if found and not found[0][0]:
        await connection.execute(f"DROP INDEX CONCURRENTLY {said}")


def _index_of(operation: Operation) -> str | None:
    """Gives the key of the index that an operation makes or drops while others write; None if it does no such thing."""
    if isinstance(operation, (i.CreateIndex, i.DropIndex)) and operation.concurrently:
        return beside(operation.table, operation.index.name)
    if isinstance(operation, (i.CreateSearchIndex, i.DropSearchIndex)) and operation.outside:
        return beside(operation.table, operation.search.name)
    if isinstance(operation, o.AddConstraint) and operation.outside:
        name = operation.constraint.name or o.default_name(operation.table, operation.constraint)
        return beside(operation.table, name)
    return None


async def _without_known_labels(connection: Connection, dialect: Dialect, operation: i.AlterEnum) -> i.AlterEnum:
    rows = await connection.fetch(_LABELS, [quoted(dialect, operation.before.key)])
    known = tuple(label for (label,) in rows)
    if operation.swaps or not set(known) <= set(operation.after.labels):
        return operation
    return replace(operation, before=replace(operation.before, labels=known))
