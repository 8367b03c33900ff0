"""Asks a database how large its tables are, as far as it knows without counting."""

from __future__ import annotations

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.migrations.safety.sizes import SMALL_ROWS, TableSize
from cormorant.schema.names import key_of

# what was never analysed has -1 rows there; partitions are counted for their table
_SIZES = """
    SELECT CASE WHEN n.nspname = current_schema() THEN NULL ELSE n.nspname::text END, c.relname::text,
        sum(greatest(p.reltuples::bigint, pg_stat_get_live_tuples(p.oid), 0))::bigint,
        sum(pg_total_relation_size(p.oid))::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT c.oid AS oid WHERE c.relkind = 'r' UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf
    ) t JOIN pg_class p ON p.oid = t.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    GROUP BY 1, 2
"""
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


async def read_sizes(connection: Connection, dialect: Dialect) -> dict[str, TableSize]:
    """Asks a database how large its tables are.

    SQLite counts the rows, of a large table no more than show that it is large.

    Args:
        connection: A connection to it.
        dialect: The database's.

    Example:
        >>> await read_sizes(connection, database.dialect)
        {"article": TableSize(rows=1200345, bytes=734003200)}
    """
    if not dialect.supports_add_constraint:
        return await _counted(connection, dialect)
    rows = await connection.fetch(_SIZES)
    return {key_of(name, schema): TableSize(count, size) for schema, name, count, size in rows}


async def _counted(connection: Connection, dialect: Dialect) -> dict[str, TableSize]:
    found: dict[str, TableSize] = {}
    for (name,) in await connection.fetch(_TABLES):
        some = f"SELECT 1 FROM {dialect.quote(name)} LIMIT {SMALL_ROWS + 1}"
        ((count,),) = await connection.fetch(f"SELECT count(*) FROM ({some})")
        found[key_of(name)] = TableSize(count)
    return found
