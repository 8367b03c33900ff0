"""The databases of a run: one for each contestant, made with the same rows and removed at the end."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from benchmarks.schema import Sizes, create, fill

SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
"""What `--db postgresql` stands for, unless CORMORANT_DSN names a PostgreSQL."""


def server() -> str:
    """Gives the DSN of the PostgreSQL in which databases are made."""
    dsn = os.environ.get("CORMORANT_DSN", "")
    return dsn if dsn.startswith("postgres") else SERVER


@contextmanager
def folder() -> Iterator[Path]:
    """Gives a folder for SQLite's files: in memory, if the system has such a place, so that no disk is measured."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cormorant-bench-", dir=where) as made:
        yield Path(made)


@contextmanager
def fresh(db: str, names: dict[str, str], sizes: Sizes) -> Iterator[dict[str, str]]:
    """Makes a database for each name, and gives their DSNs.

    Args:
        db: "sqlite", or "postgresql", or the DSN of a PostgreSQL whose user may make databases.
        names: How SQLite declares decimal columns for each contestant.
    """
    if db == "sqlite":
        with folder() as where:
            yield {name: seeded_file(where / f"{name}.db", decimal_type, sizes) for name, decimal_type in names.items()}
        return
    dsn = server() if db == "postgresql" else db
    prefix = f"cormorant_bench_{os.getpid()}"
    try:
        asyncio.run(seed_postgres(dsn, prefix, list(names), sizes))
        yield {name: replaced(dsn, f"{prefix}_{name}") for name in names}
    finally:
        asyncio.run(drop_postgres(dsn, prefix))


def seeded_file(path: Path, decimal_type: str, sizes: Sizes) -> str:
    """Makes an SQLite database; gives its DSN."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in (*create("sqlite", decimal_type), *fill("sqlite", sizes)):
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{path}"


def replaced(dsn: str, database: str) -> str:
    """Gives the DSN of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def seed_postgres(dsn: str, prefix: str, names: list[str], sizes: Sizes) -> None:
    """Makes one database, and copies it for each name."""
    import asyncpg

    connection: Any = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {prefix}")
    # the disk is not what is measured: no commit waits for it
    await connection.execute(f"ALTER DATABASE {prefix} SET synchronous_commit = off")
    template: Any = await asyncpg.connect(replaced(dsn, prefix))
    for statement in (*create("postgresql", ""), *fill("postgresql", sizes)):
        await template.execute(statement)
    await template.close()
    for name in names:
        await connection.execute(f"CREATE DATABASE {prefix}_{name} TEMPLATE {prefix}")
        await connection.execute(f"ALTER DATABASE {prefix}_{name} SET synchronous_commit = off")
    await connection.close()


async def drop_postgres(dsn: str, prefix: str) -> None:
    """Drops the databases of a run."""
    import asyncpg

    connection: Any = await asyncpg.connect(dsn)
    for (name,) in await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix):
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


def reachable() -> bool:
    """Tells whether there is a PostgreSQL in which databases can be made."""

    async def ask() -> bool:
        import asyncpg

        try:
            connection: Any = await asyncpg.connect(server(), timeout=5)
            may: bool = await connection.fetchval("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")
            await connection.close()
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        return may

    return asyncio.run(ask())
