"""The table that remembers which migrations a database has, and how far one has come that was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, cast

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.schema.names import MIGRATIONS
from cormorant.schema.scripts import text

TABLE = MIGRATIONS

State: TypeAlias = Literal["started", "done"]

_COLUMNS = "app, name, checksum, applied_at, seconds, state, step, done"
# the moment as the databases say it: with a zone, and to the millisecond at least
_NOW = {"postgresql": "clock_timestamp()", "sqlite": "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"}


@dataclass(frozen=True, slots=True)
class Record:
    """What the database knows of one migration.

    Args:
        app: Whose migration; "" where there is one directory for all.
        name: The migration's name, "0001_initial".
        checksum: That of its file when it was run.
        applied_at: When it was last written down.
        seconds: How long its steps took.
        state: "done", or "started" while some of its steps are in the database and others are not.
        step: How many of its steps, from the first, are in the database.
        done: A digest of those steps in words; "" for a migration that is done.
    """

    app: str
    name: str
    checksum: str
    applied_at: datetime
    seconds: float
    state: State
    step: int
    done: str = ""

    @property
    def key(self) -> str:
        """The name, with its app's before it if there is one."""
        return f"{self.app}/{self.name}" if self.app else self.name


def create_statement(dialect: Dialect) -> str:
    """Gives what makes the table, unless it is there."""
    moment, number = ("timestamptz", "double precision") if dialect.supports_add_constraint else ("TEXT", "REAL")
    return (
        f"CREATE TABLE IF NOT EXISTS {TABLE} (\n  app text NOT NULL,\n  name text NOT NULL,\n"
        f"  checksum text NOT NULL,\n  applied_at {moment} NOT NULL,\n  seconds {number} NOT NULL,\n"
        f"  state text NOT NULL,\n  step integer NOT NULL,\n  done text NOT NULL,\n  PRIMARY KEY (app, name)\n)"
    )


def write_statement(
    dialect: Dialect, app: str, name: str, checksum: str, *, seconds: float, state: State, step: int, done: str = ""
) -> str:
    """Gives what writes down how far a migration is; the seconds of several runs are added up."""
    texts = ", ".join(map(text, (app, name, checksum)))
    values = f"{texts}, {_NOW[dialect.name]}, {seconds:.6f}, {text(state)}, {step}, {text(done)}"
    return (
        f"INSERT INTO {TABLE} ({_COLUMNS}) VALUES ({values}) ON CONFLICT (app, name) DO UPDATE SET "
        f"checksum = excluded.checksum, applied_at = excluded.applied_at, state = excluded.state, "
        f"seconds = {TABLE}.seconds + excluded.seconds, "
        "step = excluded.step, done = excluded.done"
    )


def checksum_statement(app: str, name: str, checksum: str) -> str:
    """Gives what writes down another checksum of a migration that is done, and nothing else."""
    return f"UPDATE {TABLE} SET checksum = {text(checksum)} WHERE app = {text(app)} AND name = {text(name)}"


def forget_statement(*keys: str) -> str:
    """Gives what forgets migrations that were taken back.

    Args:
        keys: The migration's key, and the keys of those that it stands for.
    """
    parts = [key.rpartition("/") for key in keys]
    found = " OR ".join(f"(app = {text(app)} AND name = {text(name)})" for app, _, name in parts)
    return f"DELETE FROM {TABLE} WHERE {found}"


async def read(connection: Connection, dialect: Dialect) -> list[Record]:
    """Gives what is written down, in the order of its being done; nothing where the table is not there."""
    return await read_all(connection) if await exists(connection, dialect) else []


async def read_all(connection: Connection) -> list[Record]:
    """Gives what is written down, in the order of its being done.

    Raises:
        StatementError: The table is not there.
    """
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM {TABLE} ORDER BY applied_at, app, name")
    return [_record(row) for row in rows]


async def read_one(connection: Connection, app: str, name: str) -> Record | None:
    """Gives what is written down about one migration."""
    where = f"WHERE app = {text(app)} AND name = {text(name)}"
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM {TABLE} {where}")
    return _record(rows[0]) if rows else None


async def exists(connection: Connection, dialect: Dialect) -> bool:
    """Whether the table is there."""
    if dialect.supports_add_constraint:
        return bool((await connection.fetch(f"SELECT to_regclass('{TABLE}') IS NOT NULL"))[0][0])
    return bool(await connection.fetch(f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'"))


def _record(row: Sequence[Any]) -> Record:
    app, name, checksum, moment, seconds, state, step, done = row
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return Record(app, name, checksum, moment.astimezone(UTC), seconds, cast("State", state), step, done)
