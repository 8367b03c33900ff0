"""The program's databases: the configured one, and one for each DSN."""

from __future__ import annotations

import os

from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.database.database import Database
from cormorant.errors import ConfigurationError

_configured: list[Database] = []
_by_dsn: dict[str, Database] = {}


def configure(database: Database | str | None) -> Database | None:
    """Sets the database that `AsyncSession()` uses; None goes back to the environment's CORMORANT_DSN.

    Returns:
        The database.
    """
    _configured.clear()
    if database is not None:
        _configured.append(database_of(database))
    return _configured[0] if _configured else None


def default_database() -> Database:
    """Gives the configured database, or the one CORMORANT_DSN names.

    Raises:
        ConfigurationError: There is neither.
    """
    if _configured:
        return _configured[0]
    if not os.environ.get("CORMORANT_DSN"):
        raise ConfigurationError(
            "no database is configured",
            hint='call configure(Database("sqlite:///app.db")), set CORMORANT_DSN, or pass a database to the session',
        )
    return database_of(ConnectionConfig.from_env())


def database_of(source: Database | ConnectionConfig | Adapter | str | None) -> Database:
    """Gives the database for what a session was given: one and the same for one DSN."""
    if source is None:
        return default_database()
    if isinstance(source, Database):
        return source
    if isinstance(source, (str, ConnectionConfig)):
        key = source if isinstance(source, str) else repr((source, source.password, source.listen_dsn))
        found = _by_dsn.get(key)
        if found is None:
            found = _by_dsn[key] = Database(source)
        return found
    return Database(source)
