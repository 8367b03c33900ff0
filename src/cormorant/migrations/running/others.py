"""What a PostgreSQL database has besides tables, and no migration makes."""

from __future__ import annotations

from collections.abc import Sequence

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect

_HERE = "(n.nspname = current_schema() OR n.nspname = ANY($1::text[]))"
_OWN = """NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = '{1}'::regclass AND d.objid = {0}.oid AND d.deptype IN ({2}))"""

_OTHERS = f"""
    SELECT 1, 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL SELECT 2, 'domain ' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE {_HERE} AND t.typtype = 'd' AND {_OWN.format("t", "pg_type", "'e'")}
    UNION ALL SELECT 3, 'function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_HERE} AND {_OWN.format("p", "pg_proc", "'e'")}
    UNION ALL SELECT 4, 'sequence ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_HERE} AND c.relkind = 'S' AND {_OWN.format("c", "pg_class", "'e', 'a', 'i'")}
    UNION ALL SELECT 5, 'trigger ' || g.tgname || ' of ' || c.relname
        FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_HERE} AND NOT g.tgisinternal AND NOT c.relispartition
    UNION ALL SELECT 6, 'exclusion constraint ' || o.conname || ' of ' || c.relname
        FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_HERE} AND o.contype = 'x'
    UNION ALL SELECT 7, 'partition ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_HERE} AND c.relispartition AND c.relkind IN ('r', 'p')
    ORDER BY 1, 2
"""


async def others_in(connection: Connection, dialect: Dialect, schemas: Sequence[str]) -> tuple[str, ...]:
    """Gives in words what a database has and no migration makes; SQLite tells it with its tables.

    Args:
        connection: Where to ask; nothing is written.
        dialect: The database's.
        schemas: Schemas beside the one that tables are made in.
    """
    if not dialect.supports_add_constraint:
        return ()
    return tuple(str(row[1]) for row in await connection.fetch(_OTHERS, [list(schemas)]))
