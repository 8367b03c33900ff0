"""Tables that stay in place from test to test: emptying them takes a tenth of the time that making them anew does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cormorant import Database, Model
from cormorant.errors import ConnectionLost
from tests.support import pgbouncer, postgres
from tests.support.caretaker import Connection, caretaker

# whatever a test might have made, dropped or altered has a row of its own in one of these, or a newer one
FINGERPRINT = """
    SELECT md5(string_agg(thing, ' ' ORDER BY thing)) FROM (
        SELECT 'n' || oid || xmin FROM pg_namespace WHERE oid >= 16384
        UNION ALL SELECT 'c' || oid || xmin || relfilenode FROM pg_class WHERE oid >= 16384 AND relkind <> 't'
        UNION ALL SELECT 'a' || attrelid || '.' || attnum || xmin FROM pg_attribute WHERE attrelid >= 16384
        UNION ALL SELECT 'd' || oid || xmin FROM pg_attrdef WHERE oid >= 16384
        UNION ALL SELECT 'k' || oid || xmin FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT 'i' || indexrelid || xmin FROM pg_index WHERE indexrelid >= 16384
        UNION ALL SELECT 't' || oid || tgenabled::text || xmin FROM pg_trigger WHERE oid >= 16384
        UNION ALL SELECT 'r' || oid || xmin FROM pg_rewrite WHERE oid >= 16384
        UNION ALL SELECT 'y' || oid || xmin FROM pg_type WHERE oid >= 16384
        UNION ALL SELECT 'e' || oid || xmin FROM pg_enum WHERE oid >= 16384
        UNION ALL SELECT 'p' || oid || xmin FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT 'l' || oid || xmin FROM pg_collation WHERE oid >= 16384
        UNION ALL SELECT 'o' || oid || xmin FROM pg_policy
        UNION ALL SELECT 's' || classoid || '.' || objoid || '.' || objsubid || xmin FROM pg_description
                  WHERE objoid >= 16384
    ) things (thing)
"""
FILLED = "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind = 'r' AND pg_relation_size(oid) > 0"
# A replica's session fires no triggers and checks no references, so that the order of the tables does not matter.
EMPTY = "SET LOCAL session_replication_role = replica; "
RESTART = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"

_kept: dict[str, tuple[Sequence[type[Model]], str]] = {}


async def prepare(database: Database, dsn: str, *models: type[Model]) -> None:
    """Gives a database the models' tables and nothing else, all of them empty, as `create_all` would."""
    if database.dialect.name != "postgresql":
        await database.create_all(*models)
        return
    server = pgbouncer.server_of(dsn)
    if await asyncio.wrap_future(caretaker().do(server, lambda connection: _emptied(connection, server, models))):
        await database.ping()
        return
    try:
        await database.create_all(*models)
    except ConnectionLost:
        # the server has said goodbye to one of before, and not hung up yet
        await database.create_all(*models)
    made = await asyncio.wrap_future(caretaker().do(server, _fingerprint))
    _kept[server] = (models, made)


async def _emptied(connection: Connection, dsn: str, models: Sequence[type[Model]]) -> bool:
    """Empties the tables, if they are these; else drops whatever there is."""
    await connection.execute(postgres.END_OTHER_SESSIONS)
    kept = (models, await _fingerprint(connection))
    if _kept.get(dsn) != kept or not await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = user"):
        await postgres.make_empty(connection)
        return False
    if filled := [name for (name,) in await connection.fetch(FILLED)]:
        await connection.execute(EMPTY + "".join(f"DELETE FROM {name}; " for name in filled) + RESTART)
        # without it, rows would be read in another order than the one they are written in
        await connection.execute(f"VACUUM {', '.join(filled)}")
    else:
        await connection.execute(RESTART)
    return True


async def _fingerprint(connection: Connection) -> object:
    return await connection.fetchval(FINGERPRINT)
