"""`SchemaBuilder`: the face of this room."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from cormorant.adapters.base import Connection
from cormorant.database.database import Database
from cormorant.models.model import Model
from cormorant.schema import introspect as asking
from cormorant.schema.declared import from_models
from cormorant.schema.diff import diff
from cormorant.schema.operations import Operation
from cormorant.schema.plan import plan
from cormorant.schema.running import run
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.unsaid import with_unsaid


class SchemaBuilder:
    """Compares models with a database, and changes the one that can be changed.

    Args:
        database: The database.

    Example:
        >>> builder = SchemaBuilder(db)
        >>> operations = await builder.difference(Author, Article)
        >>> print(*builder.sql(operations), sep=";")     # ALTER TABLE "article" ADD COLUMN "views" integer NOT NULL
        >>> await builder.apply(operations)
    """

    def __init__(self, database: Database) -> None:
        self.database: Database = database

    @staticmethod
    def wanted(*models: type[Model]) -> SchemaSnapshot:
        """Gives the schema of models, of every known one if none is named; no database is asked."""
        return from_models(models)

    async def live(self, schemas: Sequence[str] = ()) -> SchemaSnapshot:
        """Gives the schema that the database has.

        Args:
            schemas: Schemas of PostgreSQL beside the one that tables are made in.
        """
        async with self._connection() as connection:
            return await asking.introspect(connection, self.database.dialect, schemas)

    async def normalised(self, snapshot: SchemaSnapshot) -> SchemaSnapshot:
        """Gives a schema in the database's own words, to be compared with what it has; it leaves nothing there.

        Args:
            snapshot: The schema of models, or of a file.

        Raises:
            StatementError: The database would not take such a schema.
        """
        async with self._connection() as connection:
            return await asking.normalised(connection, self.database.dialect, snapshot)

    async def difference(self, *models: type[Model]) -> list[Operation]:
        """Gives the operations that make the database what the models say; none if it is so already.

        Tables that no model has are among them, to be dropped.

        Args:
            models: The models; every known one if none is named.
        """
        async with self._connection() as connection:
            live = await asking.introspect(connection, self.database.dialect)
            wanted = await asking.normalised(connection, self.database.dialect, from_models(models))
        return diff(live, with_unsaid(wanted, live))

    def sql(self, operations: Sequence[Operation], snapshot: SchemaSnapshot | None = None) -> list[str]:
        """Gives the statements of operations.

        Args:
            operations: What would be done.
            snapshot: The schema before; SQLite's rebuilds of tables need it.
        """
        dialect = self.database.dialect
        planned = operations if snapshot is None else plan(snapshot, operations, dialect)
        return [sql for operation in planned for sql in operation.statements(dialect)]

    async def apply(self, operations: Sequence[Operation]) -> None:
        """Runs operations, in one transaction where the database lets them.

        Args:
            operations: What `difference`, or `diff` of the live schema and another, gave.

        Raises:
            ForeignKeyViolation: On SQLite, rows would point to nothing afterwards; nothing is done then.
        """
        try:
            async with self._connection() as connection:
                live = await asking.introspect(connection, self.database.dialect)
                await run(connection, self.database.dialect, live, operations)
        finally:
            self.database.schema_changed()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        connection = await self.database.adapter.acquire(write=True)
        try:
            yield connection
        finally:
            self.database.adapter.release(connection)
