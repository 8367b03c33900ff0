"""Asks a database for its schema, and PostgreSQL for its wording of another."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff
from cormorant.schema.names import OWN
from cormorant.schema.postgresql_catalog import QUERIES, Answers
from cormorant.schema.scripts import text
from cormorant.schema.sqlite_catalog import MASTER, snapshot_of
from cormorant.schema.views import as_seen


async def introspect(connection: Connection, dialect: Dialect, schemas: Sequence[str] = ()) -> s.SchemaSnapshot:
    """Gives the schema that a database has, without the tables that migrations keep for themselves.

    Args:
        connection: Where to ask; nothing is written.
        dialect: The database's.
        schemas: Schemas of PostgreSQL beside the one that tables are made in.
    """
    if not dialect.supports_add_constraint:
        return _without_own(snapshot_of(await connection.fetch(MASTER)))
    ((default,),) = await connection.fetch("SELECT current_schema()::text")
    found = await _ask(connection, {default: None, **{name: name for name in schemas if name != default}})
    return _without_own(found)


def _without_own(found: s.SchemaSnapshot) -> s.SchemaSnapshot:
    return found.only(table.key for table in found.tables if table.name not in OWN)


async def _ask(connection: Connection, schemas: Mapping[str, str | None]) -> s.SchemaSnapshot:
    # a name becomes a regnamespace as an identifier does: in quotes it stays as it is
    names = ['"' + name.replace('"', '""') + '"' for name in schemas]
    answers = [await connection.fetch(sql, [names]) for sql in QUERIES]
    tables, columns, constraints, indexes, enums, views = answers
    return Answers(tables, columns, constraints, indexes, enums, views, schemas).snapshot()


async def normalised(connection: Connection, dialect: Dialect, snapshot: s.SchemaSnapshot) -> s.SchemaSnapshot:
    """Gives a schema in the words in which the database would give it back, so that the two can be compared.

    PostgreSQL rewrites what it is told: `views >= 0` comes back as `(views >= 0)`, `'a'` as `'a'::text`. So the schema
    is made in a scratch schema, read, and rolled back; that needs the right to create schemas, takes no lock on any
    table, and leaves nothing. SQLite keeps its text, and is not asked.

    Args:
        connection: Where to ask; a transaction that is open on it stays open.
        dialect: The database's.
        snapshot: The schema, of models for instance.
    """
    seen = as_seen(snapshot, dialect.name)
    if not dialect.supports_add_constraint:
        return seen
    mark = secrets.token_hex(4)
    scratch: dict[str | None, str] = {None: f"cormorant_scratch_{mark}"}
    for number, name in enumerate(snapshot.schemas):
        scratch[name] = f"cormorant_scratch_{mark}_{number}"
    async with _rolled_back(connection, f"scratch_{mark}"):
        for name in scratch.values():
            await connection.execute(f"CREATE SCHEMA {dialect.quote(name)}")
        path = text(dialect.quote(scratch[None]) + ", ")
        await connection.execute(f"SELECT set_config('search_path', {path} || current_setting('search_path'), true)")
        for operation in diff(s.SchemaSnapshot(dialect=dialect.name), _moved(seen, scratch)):
            for sql in operation.statements(dialect):
                await connection.execute(sql)
        found = await _ask(connection, {name: key for key, name in scratch.items()})
    return _with_intentions(found, snapshot)


@asynccontextmanager
async def _rolled_back(connection: Connection, mark: str) -> AsyncGenerator[None]:
    """Undoes all that is done in it; inside of a transaction only that."""
    inside = connection.in_transaction
    await connection.execute(f"SAVEPOINT {mark}" if inside else "BEGIN")
    try:
        yield
    finally:
        await connection.execute(f"ROLLBACK TO SAVEPOINT {mark}" if inside else "ROLLBACK")


def _moved(snapshot: s.SchemaSnapshot, scratch: Mapping[str | None, str]) -> s.SchemaSnapshot:
    """Gives the schema with its named schemas under their names in scratch; the default one is on the path."""
    if not snapshot.schemas:
        return snapshot
    keys = {t.key: replace(t, schema=t.schema and scratch[t.schema]).key for t in snapshot.tables}

    def moved(table: s.Table) -> s.Table:
        found = tuple(replace(key, target=keys.get(key.target, key.target)) for key in table.foreign_keys)
        return replace(table, schema=table.schema and scratch[table.schema], foreign_keys=found)

    enums = tuple(replace(enum, schema=enum.schema and scratch[enum.schema]) for enum in snapshot.enums)
    return replace(snapshot, tables=tuple(map(moved, snapshot.tables)), enums=enums, schemas=())


def _with_intentions(found: s.SchemaSnapshot, asked: s.SchemaSnapshot) -> s.SchemaSnapshot:
    """Gives the schema with what no database keeps: former names, and values for rows that are there."""

    def table(each: s.Table) -> s.Table:
        said = asked.table(each.key)
        columns = tuple(column(x, None if said is None else said.column(x.name)) for x in each.columns)
        return replace(each, columns=columns, renamed_from=None if said is None else said.renamed_from)

    def column(each: s.Column, said: s.Column | None) -> s.Column:
        return each if said is None else replace(each, fill=said.fill, renamed_from=said.renamed_from)

    return replace(found, tables=tuple(map(table, found.tables)))
