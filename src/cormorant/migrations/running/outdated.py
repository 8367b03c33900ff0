"""Whether a database has the migrations that the program was written for, asked by one query at its first use."""

from __future__ import annotations

import logging

from cormorant.database import Database
from cormorant.database.gating import OnOutdated, Places
from cormorant.errors import SchemaOutdated, StatementError
from cormorant.migrations.history import History
from cormorant.migrations.running import ledger
from cormorant.migrations.running.deciding import Standing
from cormorant.migrations.running.engine import MigrationEngine

_log = logging.getLogger("cormorant.migrations")


async def check(database: Database, what: OnOutdated, places: Places) -> None:
    """Asks a database which migrations it has, and does what was wanted if some are missing.

    A database that has more than the program knows is no obstacle: while a release is rolled out, the one before goes
    on. It is told of by the log.

    Args:
        database: The database.
        what: "refuse", "warn" or "migrate".
        places: The directory of the migrations, or that of each app.

    Raises:
        SchemaOutdated: Some are missing, and the program shall not go on then.
    """
    history = History.load(places)
    standing = Standing(history, await _records(database))
    if standing.missing:
        _log.warning(
            "%s has migrations that this program does not know: %s",
            database.config.redacted,
            ", ".join(standing.missing),
        )
    pending = [file.key for file in standing.pending]
    if pending and what == "migrate":
        await MigrationEngine(database, history).migrate()
    elif pending:
        error = _outdated(database, pending)
        if what == "refuse":
            raise error
        _log.warning("%s", error)


async def _records(database: Database) -> list[ledger.Record]:
    connection = await database.adapter.acquire()
    try:
        return await ledger.read_all(connection)
    except StatementError:
        # the first migration makes the table
        return []
    finally:
        database.adapter.release(connection)


def _outdated(database: Database, pending: list[str]) -> SchemaOutdated:
    some = ", ".join(pending[:5]) + (f" and {len(pending) - 5} more" if len(pending) > 5 else "")
    return SchemaOutdated(
        f"{database.config.redacted} has not all migrations that this program was written for; not applied: {some}",
        hint='run `await MigrationEngine(db, "migrations").migrate()` first, or give Database(on_outdated="migrate")',
    )
