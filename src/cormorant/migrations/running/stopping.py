"""Where a migration stopped, why, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.errors import (
    CommitOutcomeUnknown,
    ConnectionLost,
    CormorantError,
    DatabaseError,
    LockTimeout,
    MigrationFailed,
    UniqueViolation,
)
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running.duplicates import duplicates_remedy
from cormorant.migrations.running.moves import Chunk, Move
from cormorant.migrations.step import RunSession
from cormorant.schema.names import quoted
from cormorant.schema.operations import Operation

_BLOCKERS = """
SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), a.usename, a.backend_type),
    coalesce(a.state, 'at work'), round(extract(epoch FROM clock_timestamp() - a.xact_start))::int
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.granted AND l.relation = to_regclass($1) AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
ORDER BY 4 DESC LIMIT 3
"""


def failure(
    error: Exception,
    file: MigrationFile,
    chunk: Chunk,
    at: Move | None,
    done: int,
    *,
    up: bool,
    blockers: Sequence[str],
    dialect: Dialect,
) -> MigrationFailed:
    """Gives the error of a migration that stopped.

    Args:
        error: Why.
        file: The migration.
        chunk: What was being done.
        at: The step that was being taken.
        done: How many of its steps, from the first, are in the database.
        up: It was on its way up.
        blockers: Who holds locks that it waits for.
        dialect: The database's.
    """
    count = len(file.migration.operations)
    where = f"step {at.number} of {count}, {at.step.describe()}" if at is not None else "writing down that it is done"
    why = error.message if isinstance(error, CormorantError) else f"{type(error).__name__}: {error}"
    if blockers:
        why += f"; {quote_all(blockers)}"
    statement = error.statement if isinstance(error, DatabaseError) else None
    said = f"\nStatement: {statement[:2000]}" if statement else ""
    direction = "" if up else " on the way back"
    return MigrationFailed(
        f"{file.key} stopped{direction} at {where}: {why}{said}",
        migration=file.key,
        step=None if at is None else at.number,
        statement=statement,
        hint=_remedy(error, file, chunk, done, up=up, own=_own_hint(error, chunk, at, dialect)),
    )


def quote_all(blockers: Sequence[str]) -> str:
    """Gives those who hold locks in one sentence."""
    return "it waits for " + ", ".join(blockers)


def _own_hint(error: Exception, chunk: Chunk, at: Move | None, dialect: Dialect) -> str | None:
    hint = error.hint if isinstance(error, CormorantError) else None
    if not isinstance(error, UniqueViolation) or (at is not None and isinstance(at.step, RunSession)):
        return hint
    # what a session would do about one row is no help where a statement is about many
    return duplicates_remedy(error, chunk, at, dialect)


def _remedy(error: Exception, file: MigrationFile, chunk: Chunk, done: int, *, up: bool, own: str | None) -> str:
    again = "migrate" if up else "roll back"
    count = len(file.migration.operations)
    if isinstance(error, (ConnectionLost, CommitOutcomeUnknown)):
        # it may have been the answer to COMMIT that was lost
        return (
            f"the connection was lost: the database has on record what was done of this migration, `status` shows it; "
            f"{again} again, which goes on there"
        )
    if up and not done:
        state = "nothing of this migration is in the database"
    elif not up and done == count:
        state = "all of this migration is still in the database"
    else:
        state = f"steps 1 to {done} of {count} are in the database, which has written that down"
    if chunk.outside:
        state += "; the step ran outside of a transaction, and what it may have left is put in order by the next run"
    going_on = (
        f"correct the cause and {again} again"
        if up and not done
        else f"correct the cause and {again} again, which goes on there"
    )
    if up and done:
        going_on += "; or roll this migration back"
    why = f" ({own})" if own else ""
    return f"{state}; migrations before it stay as they are. {going_on[0].upper()}{going_on[1:]}{why}"


async def blockers_of(connection: Connection, dialect: Dialect, error: Exception, at: Move | None) -> list[str]:
    """Gives who holds locks on the table of a step whose lock was not granted."""
    step = None if at is None else at.step
    if not isinstance(error, LockTimeout) or not dialect.supports_add_constraint or not isinstance(step, Operation):
        return []
    try:
        rows = await connection.fetch(_BLOCKERS, [quoted(dialect, step.touched)])
    except DatabaseError:
        # it is a help, and no reason to say less about what happened
        return []
    return [
        f"{name} (session {pid} of the server, {state}, its transaction is {age} s old)"
        for pid, name, state, age in rows
    ]
