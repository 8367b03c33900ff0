"""Empty databases to try things on, which are gone afterwards."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.notifying import listening_config
from cormorant.adapters.registry import create_adapter
from cormorant.database import Database
from cormorant.errors import MigrationError, StatementError


@asynccontextmanager
async def scratch_database(database: Database) -> AsyncGenerator[Database]:
    """Makes an empty database of the same kind: beside it on the same server, or a file in a temporary folder.

    Args:
        database: The database beside which it is made; nothing in it is touched.

    Raises:
        MigrationError: The user may make no databases.
    """
    config = database.adapter.config
    if config.scheme == "sqlite":
        with TemporaryDirectory(prefix="cormorant-") as folder:
            async with Database(config.replace(path=str(Path(folder) / "scratch.db"))) as scratch:
                yield scratch
        return
    if config.pooler is not None and config.listen_dsn is None:
        raise MigrationError(
            f"no database can be made through a pooler: {config.redacted}",
            hint='name the server itself beside it, listen_dsn="postgresql://...", or give an empty database',
        )
    direct = listening_config(config).replace(listen_dsn=None)
    name = f"{(direct.database or direct.user or 'postgres')[:40]}_scratch_{secrets.token_hex(4)}"
    quoted = database.dialect.quote(name)
    await _execute(direct, f"CREATE DATABASE {quoted}")
    try:
        async with Database(direct.replace(database=name)) as scratch:
            yield scratch
    finally:
        await _execute(direct, f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


async def _execute(config: ConnectionConfig, sql: str) -> None:
    adapter = create_adapter(config.replace(pool_size=1))
    try:
        connection = await adapter.acquire(write=True)
        try:
            await connection.execute(sql)
        except StatementError as error:
            raise MigrationError(
                f"no empty database can be made on {config.redacted}: {error.message}",
                hint="name one that may be filled and emptied, or have the user made who may: ALTER ROLE app CREATEDB",
            ) from error
        finally:
            adapter.release(connection)
    finally:
        await adapter.close()
