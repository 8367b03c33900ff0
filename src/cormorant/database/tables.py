"""Creating and dropping the tables of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cormorant.database.caching import forget
from cormorant.dialects.base import Dialect
from cormorant.dialects.ddl import compile_operation
from cormorant.models.model import Model
from cormorant.models.tables import create_operations, drop_operations, infos_of
from cormorant.sql.ddl import Operation

if TYPE_CHECKING:
    from cormorant.database.database import Database


def create_statements(dialect: Dialect, models: Sequence[type[Model]]) -> list[str]:
    """Gives what creates the tables of the models, of every known one if none is named, parents first."""
    return _compile(dialect, create_operations(infos_of(models), add_constraints=dialect.supports_add_constraint))


def drop_statements(dialect: Dialect, models: Sequence[type[Model]]) -> list[str]:
    """Gives what drops the tables of the models, children first."""
    return _compile(dialect, drop_operations(infos_of(models)))


def _compile(dialect: Dialect, operations: list[Operation]) -> list[str]:
    return [sql for operation in operations if (sql := compile_operation(dialect, operation))]


async def run_all(
    database: Database, statements: Sequence[str], before: Sequence[str] = (), after: Sequence[str] = ()
) -> None:
    """Runs statements in one transaction, and others around it."""
    connection = await database.adapter.acquire(write=True)
    tracker = database.tracker.for_session()
    try:
        begin = database.dialect.begin(isolation=None, read_only=False, deferrable=False, write=True)
        for sql in (*before, begin, *statements, "COMMIT"):
            await database.execute(connection, tracker, sql)
    finally:
        try:
            if after and connection.in_transaction:
                await connection.execute("ROLLBACK")
            for sql in after:
                await database.execute(connection, tracker, sql)
        finally:
            # after an error the transaction may still be open: the pool rolls it back
            database.schema_changed()
            database.adapter.release(connection)
    if database.caches.backends:
        await forget(database, ())
