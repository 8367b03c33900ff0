"""Runs a backfill: batch after batch, each in a transaction of its own with the position that it has reached."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cormorant.adapters.base import Connection
from cormorant.dialects.base import Dialect
from cormorant.errors import DeadlockError, LockTimeout, SerializationError
from cormorant.migrations.safety import batches as b
from cormorant.migrations.safety.batches import Batches, Position, batches_of
from cormorant.migrations.step import Backfill
from cormorant.schema import snapshot as s
from cormorant.schema.names import quoted
from cormorant.schema.running import transaction

RETRIES = 5
"""How often a batch is tried again that met others who write the same rows."""

_MAY_SUCCEED_LATER = (DeadlockError, LockTimeout, SerializationError)


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a backfill has come.

    Args:
        table: The table's key.
        rows: How many rows it has written, in earlier runs too.
        expected: How many it will have written in the end, as far as the database knows without looking; None if it
            does not.
        batches: How many batches this run has written.
    """

    table: str
    rows: int
    expected: int | None = None
    batches: int = 0


Tell: TypeAlias = Callable[[BackfillProgress], object]


async def run_backfill(
    connection: Connection,
    dialect: Dialect,
    backfill: Backfill,
    table: s.Table,
    *,
    name: str,
    resume: bool = False,
    progress: Tell | None = None,
    done: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Writes the rows of a backfill, and gives how many, with those of an earlier run that this one goes on with.

    Stopped at any moment, it goes on behind the last batch that was committed: no row is written twice.

    Args:
        connection: A connection without a transaction, which nobody else uses meanwhile.
        dialect: The database's.
        backfill: What is written.
        table: The table as it is.
        name: What its position is kept under.
        resume: Go on where a run was stopped; else it begins anew.
        progress: Is told after each batch.
        done: What is written in the transaction of the last batch, to be there if and only if all rows are written.

    Raises:
        InvalidMigration: Nothing tells the table's rows apart.

    Example:
        >>> await run_backfill(connection, dialect, Backfill("essay", (("slug", "lower(title)"),)), table, name="slugs")
        1200345
    """
    if not backfill.values:
        async with transaction(connection, dialect):
            await _told(done)
        return 0
    run = _Run(connection, dialect, batches_of(backfill, table, dialect), name)
    await run.prepare(resume=resume)
    said = BackfillProgress(backfill.table, run.rows, await run.expected())
    while True:
        ended = await run.again(done)
        said = replace(said, rows=run.rows, batches=said.batches + 1)
        if progress is not None:
            progress(said)
        if ended:
            return run.rows
        await asyncio.sleep(backfill.pause)


async def _told(done: Callable[[], Awaitable[None]] | None) -> None:
    if done is not None:
        await done()


class _Run:
    """A backfill on its way."""

    def __init__(self, connection: Connection, dialect: Dialect, batches: Batches, name: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self._batches = batches
        self._name = name
        self._position: Position | None = None
        self.rows: int = 0

    async def prepare(self, *, resume: bool) -> None:
        """Finds out where to begin."""
        await self._connection.execute(b.make_positions())
        found = await self._connection.fetch(*b.read_position(self._dialect, self._name))
        if not found:
            return
        if resume:
            self._position, self.rows = b.position_of(found[0][0]), found[0][1]
        else:
            await self._connection.execute(*b.forget_position(self._dialect, self._name))

    async def expected(self) -> int | None:
        """Gives how many rows there will be, with those that are written."""
        backfill, dialect = self._batches.backfill, self._dialect
        table = f"FROM {quoted(dialect, backfill.table)} WHERE {backfill.condition(dialect)}"
        if not dialect.supports_add_constraint:
            ((count,),) = await self._connection.fetch(f"SELECT count(*) {table}")
            return self.rows + int(count)
        ((plan,),) = await self._connection.fetch(f"EXPLAIN (FORMAT JSON) SELECT 1 {table}")
        plans: Any = json.loads(plan) if isinstance(plan, str) else plan
        return self.rows + int(plans[0]["Plan"]["Plan Rows"])

    async def again(self, done: Callable[[], Awaitable[None]] | None) -> bool:
        """Writes one batch, once more if it met others; gives whether it was the last one."""
        for attempt in range(RETRIES):
            try:
                return await self._once(done)
            except _MAY_SUCCEED_LATER:
                if self._connection.is_closed:
                    raise
            # those who were met have their turn
            await asyncio.sleep(0.05 * 2**attempt)
        return await self._once(done)

    async def _once(self, done: Callable[[], Awaitable[None]] | None) -> bool:
        async with transaction(self._connection, self._dialect):
            found = await self._connection.fetch(*self._batches.last_of(self._position))
            to: Position | None = tuple(found[0]) if found else None
            written = await self._connection.execute(*self._batches.update(self._position, to))
            rows = self.rows + written
            if to is not None:
                await self._connection.execute(*b.keep_position(self._dialect, self._name, to, rows))
            else:
                await self._finish(done)
        self._position, self.rows = to, rows
        return to is None

    async def _finish(self, done: Callable[[], Awaitable[None]] | None) -> None:
        await self._connection.execute(*b.forget_position(self._dialect, self._name))
        if not await self._connection.fetch(f"SELECT 1 FROM {b.POSITIONS} LIMIT 1"):
            await self._connection.execute(f"DROP TABLE {b.POSITIONS}")
        await _told(done)
