"""A database of its own for each process that runs tests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.errors import ConfigurationError
from cormorant.testing.keeper import Keeper

LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""


@contextmanager
def own_database(source: str | ConnectionConfig, name: str, keeper: Keeper) -> Generator[ConnectionConfig, None, None]:
    """Makes an empty database beside another one, and drops it afterwards.

    On PostgreSQL it is created by a connection to the given one; an SQLite file is another file in the same folder. One
    of that name that was left over is dropped first.

    Args:
        source: The database beside which it is made; nothing in it is touched.
        name: What is added to its name.
        keeper: Whose loop the server is asked on.

    Raises:
        ConfigurationError: The new name would be longer than the server takes.
    """
    config = ConnectionConfig.from_dsn(source) if isinstance(source, str) else source
    if config.scheme == "postgresql":
        beside = f"{config.database or config.user or 'postgres'}_{name}"
        _check_name(beside)
        made, dialect = config.replace(database=beside), PostgreSQLDialect()
        drop = f"DROP DATABASE IF EXISTS {dialect.quote(beside)} WITH (FORCE)"
        keeper.run(lambda: _execute(config, drop, f"CREATE DATABASE {dialect.quote(beside)}"))
        try:
            yield made
        finally:
            keeper.run(lambda: _execute(config, drop))
    elif config.path is not None and not config.in_memory:
        path = Path(config.path)
        made = config.replace(path=str(path.with_name(f"{path.stem}_{name}{path.suffix}")))
        _remove(made)
        try:
            yield made
        finally:
            _remove(made)
    else:
        # in memory, which is nobody else's; of what others have made nothing is known
        yield config


def _check_name(name: str) -> None:
    # the server cuts what is longer, and would drop whatever has the rest for its name
    if len(name.encode()) > LONGEST_NAME:
        raise ConfigurationError(
            f"the tests' own database would be called {name!r}, of which the server takes {LONGEST_NAME} bytes",
            hint="have them make it beside a database with a shorter name",
        )


async def _execute(config: ConnectionConfig, *statements: str) -> None:
    adapter = create_adapter(config)
    try:
        connection = await adapter.acquire(write=True)
        try:
            for sql in statements:
                await connection.execute(sql)
        finally:
            adapter.release(connection)
    finally:
        await adapter.close()


def _remove(config: ConnectionConfig) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{config.path}{suffix}").unlink(missing_ok=True)
