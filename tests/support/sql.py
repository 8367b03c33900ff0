"""SQL without a database: what a query would send, as text and values."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from cormorant import Database, Model, QuerySet, SessionNotEntered
from cormorant.query.beside import Beside
from cormorant.query.builder import Builder
from cormorant.query.spec import QuerySpec
from cormorant.sql.statements import InsertSelect

M = TypeVar("M", bound=Model)

DATABASES = {
    name: Database(dsn) for name, dsn in {"sqlite": "sqlite://", "postgresql": "postgresql://nowhere/x"}.items()
}


class Recorder:
    """Stands in for a session and keeps what it was asked to run."""

    def __init__(self) -> None:
        self.specs: list[QuerySpec] = []
        self.statements: list[InsertSelect] = []

    @property
    def database(self) -> Database:
        # the same query is compiled for both
        raise SessionNotEntered("no session")

    async def fetch(self, spec: QuerySpec) -> list[Any]:
        self.specs.append(spec)
        return [(0,)]

    @property
    def reader(self) -> Recorder:
        return self

    async def fetch_beside(self, spec: QuerySpec) -> tuple[list[Any], Beside]:
        self.specs.append(spec)
        return [], Beside([], ())

    async def chunks(self, spec: QuerySpec, size: int) -> AsyncGenerator[list[Any], None]:
        self.specs.append(spec)
        yield [(size,)]

    async def write(self, spec: QuerySpec) -> int:
        self.specs.append(spec)
        return 0

    @property
    def writer(self) -> Any:
        return self

    async def write_rows(self, spec: QuerySpec) -> list[Any]:
        self.specs.append(spec)
        return []

    async def insert_select(self, statement: InsertSelect, tables: frozenset[str]) -> int:
        self.statements.append(statement)
        return 0


def query(model: type[M]) -> QuerySet[M]:
    """Gives a query that can be built, and compiled by `sql`."""
    return QuerySet(QuerySpec(model.__info__), Recorder())


def sql(built: Builder[Any] | QuerySpec, database: str = "postgresql") -> tuple[str, list[Any]]:
    """Gives a query's SQL text, and the values as they are given to the driver."""
    spec = built._spec if isinstance(built, Builder) else built
    prepared = DATABASES[database].prepare(spec)
    return prepared.sql, prepared.arguments(spec)


def last_sql(built: Builder[Any], database: str = "postgresql") -> tuple[str, list[Any]]:
    """Gives the SQL of the last thing a query of `query()` was asked to run."""
    recorder: Any = built._executor
    return sql(recorder.specs[-1], database)


def both(built: Builder[Any] | QuerySpec) -> dict[str, tuple[str, list[Any]]]:
    """Gives the SQL and the values on each database."""
    return {name: sql(built, name) for name in DATABASES}


def where(built: Builder[Any] | QuerySpec, database: str = "postgresql") -> tuple[str, list[Any]]:
    """Gives what stands after WHERE, and the values."""
    text, values = sql(built, database)
    return text.partition(" WHERE ")[2], values
