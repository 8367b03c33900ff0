"""Opens the configured database for a command, and closes it afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.dsn import DSN_EXAMPLE
from cormorant.cli.configuration import EXAMPLE, Config
from cormorant.cli.loading import attribute, put_on_path
from cormorant.database import Database
from cormorant.database.gating import ungated
from cormorant.dialects.base import Dialect
from cormorant.errors import ConfigurationError, ConnectionLost, DatabaseError, DestructiveMigration
from cormorant.migrations import History
from cormorant.migrations.running.counting import counted
from cormorant.migrations.running.engine import MigrationEngine
from cormorant.migrations.safety.measuring import read_sizes
from cormorant.migrations.safety.sizes import Sizes

T = TypeVar("T")


def has_database(config: Config) -> bool:
    """Whether a database is named anywhere."""
    return config.dsn is not None or config.database is not None


def database_of(config: Config) -> Database:
    """Gives the configured database; nobody is connected to.

    Raises:
        ConfigurationError: None is named, or what is named is none.
    """
    if config.database is not None:
        return _of_program(config)
    if config.dsn is None:
        raise _nothing_named(config)
    # CORMORANT_POOL_SIZE and its like hold here too
    given = ConnectionConfig.from_env({**os.environ, "CORMORANT_DSN": config.dsn})
    return Database(_placed(given, config.source.root) if config.dsn_of_file else given)


def _placed(given: ConnectionConfig, root: Path) -> ConnectionConfig:
    """Gives a file of SQLite its place beside the file that names it, wherever the command is run."""
    if given.path is None or given.in_memory or given.path.startswith("file:"):
        return given
    return given.replace(path=str(root / given.path))


def _of_program(config: Config) -> Database:
    put_on_path(config.path)
    found = attribute(config.database or "")
    if callable(found):
        found = cast("Callable[[], object]", found)()
    if isinstance(found, str):
        return Database(found)
    if not isinstance(found, Database):
        raise ConfigurationError(
            f"{config.database} is no Database: {type(found).__name__}",
            hint="name one, its DSN, or a function without parameters that gives it",
        )
    # one that refuses what is outdated could not be looked at, nor mended
    found.adapter = ungated(found.adapter)
    return found


def _nothing_named(config: Config) -> ConfigurationError:
    if config.dsn_variable is not None:
        return ConfigurationError(
            f"the environment has no {config.dsn_variable}, which {config.source.name} names for the database",
            hint=f"set it to {DSN_EXAMPLE}",
        )
    where = "says nothing of a database" if config.source.table else "has no section [tool.cormorant]"
    said = f"{config.source.name} {where}" if config.source.path else "there is no pyproject.toml here or above"
    return ConfigurationError(
        f"no database is named: {said}, CORMORANT_DSN is not set, and there is no --dsn",
        hint=f"write into pyproject.toml:\n{EXAMPLE}\nor have it written: cormorant init",
    )


def with_database(config: Config, work: Callable[[Database], Awaitable[T]]) -> T:
    """Gives what work on the configured database gives."""
    return asyncio.run(_opened(database_of(config), work))


async def _opened(database: Database, work: Callable[[Database], Awaitable[T]]) -> T:
    async with database:
        return await work(database)


def with_engine(
    config: Config,
    work: Callable[[MigrationEngine], Awaitable[T]],
    *,
    wait: float | None = None,
    history: History | Mapping[str, Path] | None = None,
) -> T:
    """Gives what work with the engine gives, on the configured database and its migrations.

    Args:
        config: What is configured.
        work: The work.
        wait: Seconds to wait for another one who migrates; what is configured if None.
        history: The migrations; those of the configured directories, which need not be there yet, if None.
    """
    database = database_of(config)
    engine = engine_of(config, database, wait=wait, history=history)

    async def worked(_: Database) -> T:
        return await work(engine)

    return asyncio.run(_opened(database, worked))


def engine_of(
    config: Config,
    database: Database,
    *,
    wait: float | None = None,
    history: History | Mapping[str, Path] | None = None,
) -> MigrationEngine:
    """Gives the engine of a database and the configured migrations."""
    return MigrationEngine(
        database,
        history_of(config) if history is None else history,
        wait=config.wait if wait is None else wait,
        lock_timeout=config.lock_timeout,
        retries=config.retries,
    )


def history_of(config: Config, *, conflicts_ok: bool = False) -> History:
    """Gives the configured migrations; none where the directory is not there yet."""
    return History.load(config.migrations, missing_ok=True, conflicts_ok=conflicts_ok)


def refuse_missing_file(database: Database) -> None:
    """Refuses a file of SQLite that is not there, which asking would make.

    Raises:
        ConnectionLost: There is none.
    """
    path = database.config.path
    if path is not None and not database.config.in_memory and not path.startswith("file:") and not Path(path).exists():
        raise ConnectionLost(f"there is no database {path}", hint="correct the path")


def counted_losses(config: Config, error: DestructiveMigration) -> DestructiveMigration:
    """Gives an error with the numbers of rows that the configured database would lose, if it can be asked."""
    if not has_database(config):
        return error
    try:
        return error.counted(with_database(config, lambda database: counted(database, error.losses)))
    except DatabaseError:
        return error


@dataclass(frozen=True, slots=True)
class Measured:
    """What a database tells to `lint`; nothing where none was asked.

    Args:
        dialect: Its dialect.
        pending: The keys of the migrations that it has not.
        sizes: How large its tables are.
    """

    dialect: Dialect | None = None
    pending: frozenset[str] | None = None
    sizes: Sizes | None = None


async def measured(engine: MigrationEngine) -> Measured:
    """Asks a database what `lint` needs to know."""
    database, status = engine.database, await engine.status()
    connection = await database.adapter.acquire(write=False)
    try:
        sizes = await read_sizes(connection, database.dialect)
    finally:
        database.adapter.release(connection)
    return Measured(database.dialect, frozenset(file.key for file in status.pending), sizes)
