"""A statement that is read in chunks, inside of the session's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any

from cormorant.adapters.base import Connection, Cursor, Row
from cormorant.errors import DatabaseError, TransactionError
from cormorant.observability.shapes import Caller
from cormorant.persistence.levels import Level
from cormorant.persistence.limits import Limit
from cormorant.persistence.shielding import shielded
from cormorant.persistence.transaction import TransactionStack, settled


class StreamCursor:
    """The rows of one statement, as long as the block lasts in which the first chunk was read.

    The transaction is begun if none is open; that one ends with the cursor, unless it was used for something else.

    Args:
        transactions: The session's transactions.
        sql: The statement.
        args: Its values.
        caller: Whose code reads it.
        keeps_locks: What it locks stays locked: the transaction goes on.
    """

    def __init__(
        self,
        transactions: TransactionStack,
        sql: str,
        args: Sequence[Any],
        caller: Caller | None,
        *,
        keeps_locks: bool = False,
    ) -> None:
        self.level: Level | None = None
        self.task: asyncio.Task[Any] | None = None
        self._transactions = transactions
        self._sql = sql
        self._args = args
        self._caller = caller
        self._cursor: Cursor | None = None
        self._uses = 0
        self._began = False
        self._stays = keeps_locks or transactions.keeps_snapshots

    async def fetch(self, count: int) -> Sequence[Row]:
        """Gives the next rows; fewer than `count` are the last ones.

        Raises:
            TransactionError: The block in which the first chunk was read has ended.
        """
        await settled(self._transactions)
        self._check_open()
        return await self._transactions.use(partial(self._read, count), self._enter)

    def _check_open(self) -> None:
        if self.level is not None and self not in self._transactions.cursors:
            raise TransactionError(
                "the transaction in which the stream is read has ended",
                hint="end it after the loop; outside of transactions a stream in the order of its key needs none",
            )

    def _enter(self) -> None:
        """Notes, when it is its turn, which block it is read in."""
        self._check_open()
        transactions = self._transactions
        if self.level is None:
            if not transactions.levels:
                transactions.begin(transactions.options).implicit = True
                self._began = not self._stays
            self.level = transactions.levels[-1]
            transactions.cursors.append(self)
        self._uses += 1
        self.task = asyncio.current_task()

    async def _read(self, count: int, connection: Connection) -> Sequence[Row]:
        transactions = self._transactions
        budget = transactions.tracker.budget
        if self._cursor is None:
            if budget is not None:
                budget.count(self._sql)
            self._cursor = connection.cursor(self._text, self._args)
        start = perf_counter()
        database, tracker = transactions.database, transactions.tracker
        try:
            rows = await self._cursor.fetch(count)
        except BaseException as error:
            database.record(tracker, self._sql, 0, start, self._args, self._caller, error)
            raise
        database.record(tracker, self._sql, len(rows), start, self._args, self._caller)
        if budget is not None:
            budget.take(len(rows))
        return rows

    @property
    def _text(self) -> str:
        comment = self._transactions.database.comment
        return self._sql if comment is None else self._sql + comment()

    async def abandon(self) -> None:
        """Ends the statement; for who holds the connection's lock."""
        if self._cursor is not None:
            # what the database holds of it ends with the transaction in any case
            with suppress(DatabaseError):
                async with Limit(self._transactions.connections.patience):
                    await self._cursor.close()

    async def close(self) -> None:
        """Ends the statement, and the transaction that only it was for."""
        if self in self._transactions.cursors:
            await shielded(self._close(), self._transactions.database.commit_timeout, undoes=True)

    async def _close(self) -> None:
        transactions = self._transactions
        async with transactions.lock:
            if self not in transactions.cursors:
                return
            transactions.cursors.remove(self)
            await self.abandon()
            if self._is_alone:
                # others may be waiting for the one there is
                transactions.ending = transactions.ending or asyncio.Event()
                try:
                    if transactions.levels[0].cause is None:
                        await transactions.execute("COMMIT")
                        return
                    # if it fails, the pool resets the connection or closes it, which undoes the transaction too
                    with suppress(DatabaseError):
                        async with Limit(transactions.connections.patience):
                            await transactions.execute("ROLLBACK")
                finally:
                    transactions.end()

    @property
    def has_left_open(self) -> bool:
        """Whether the transaction that was begun for it goes on."""
        return self._began and self.level in self._transactions.levels

    @property
    def _is_alone(self) -> bool:
        """Whether the transaction was begun for it, and was used for nothing else."""
        levels = self._transactions.levels
        return self._began and levels == [self.level] and levels[0].uses == self._uses
