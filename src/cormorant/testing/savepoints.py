"""Transactions inside of a transaction that is never committed: BEGIN, COMMIT and ROLLBACK become savepoints."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from cormorant._internal.transaction_words import Word, transaction_word
from cormorant.adapters.base import Connection, Cursor
from cormorant.dialects.base import Dialect
from cormorant.errors import ConnectionLost, DatabaseError, StatementError
from cormorant.testing.deferred import Broken, DeferredKeys
from cormorant.testing.keeper import finished
from cormorant.testing.turns import Holder, Turns

T = TypeVar("T")

_READS = re.compile(r"\s*(?:SELECT|VALUES|TABLE|SHOW|EXPLAIN|WITH)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|ANALYZE)\b", re.IGNORECASE)
_CHECK = "cormorant_sandbox_check"


def is_read(sql: str) -> bool:
    """Whether a statement only reads, as far as its words tell: one that may write is taken for a write."""
    return _READS.match(sql) is not None and _WRITES.search(sql) is None


class Shared:
    """The real connection, whose transaction takes everything in and is rolled back in the end.

    Args:
        real: The connection; a transaction is open on it.
        dialect: The SQL it understands.
        turns: Who uses it.
    """

    def __init__(self, real: Connection, dialect: Dialect, turns: Turns) -> None:
        self.real: Connection = real
        self.dialect: Dialect = dialect
        self.turns: Turns = turns
        # told apart by name only where a word differs: SQLite checks and forbids in other ways
        self.is_sqlite: bool = dialect.name == "sqlite"
        self.keys: DeferredKeys = DeferredKeys(real)
        self.ended: bool = False
        # held while what a connection has left open is undone, which nobody waits for
        self.undoing: asyncio.Lock = asyncio.Lock()

    def check(self) -> None:
        """Refuses once the transaction is gone.

        Raises:
            ConnectionLost: It is.
        """
        if self.ended:
            raise ConnectionLost("the sandbox has ended", hint="use the database inside of it")
        if not self.real.in_transaction:
            raise ConnectionLost(
                "the sandbox's transaction is gone: the database ended it after an error",
                hint="look at the first error of the test",
            )

    async def send(self, *statements: str) -> None:
        """Runs words of our own, all of them, whatever becomes of the caller."""
        await finished(self._send(statements))

    async def _send(self, statements: tuple[str, ...]) -> None:
        for sql in statements:
            await self.real.execute(sql)

    async def undo(self, savepoint: str) -> None:
        """Takes back what came since a savepoint, and forgets it."""
        await self.send(self.dialect.rollback_to_savepoint(savepoint), self.dialect.release_savepoint(savepoint))

    async def check_deferred(self) -> None:
        """Has the constraints looked at that would wait for the real COMMIT.

        Raises:
            IntegrityError: One is broken.
        """
        if not self.is_sqlite:
            dialect = self.dialect
            # going back to the savepoint has them wait again, those that others declared so
            await self.send(dialect.savepoint(_CHECK), "SET CONSTRAINTS ALL IMMEDIATE")
            await self.undo(_CHECK)
        else:
            await self.keys.check()


class Inner:
    """One of the transactions inside: what a connection of the sandbox does, on the sandbox's own event loop.

    Args:
        shared: The real connection.
        holder: Who uses it.
        depth: How many others he is inside of.
        reads_only: Refuse to write.
    """

    def __init__(self, shared: Shared, holder: Holder, *, reads_only: bool) -> None:
        self.shared: Shared = shared
        self.holder: Holder = holder
        self.is_open: bool = False
        self.cursors: list[Cursor] = []
        self._given_back = False
        self._reads_only = reads_only and shared.is_sqlite
        self._savepoint = f"cormorant_sandbox_{len(holder.inside)}"
        self._broken_before: Broken | None = None

    async def run(self, sql: str, work: Callable[[Connection], Awaitable[T]], nothing: T) -> T:
        """Runs a statement when it is its turn.

        Args:
            sql: Its text.
            work: Runs it on the real connection.
            nothing: What a BEGIN, COMMIT or ROLLBACK gives back.
        """
        async with self.shared.turns.turn(self.holder):
            self.shared.check()
            if self._given_back:
                raise StatementError("the connection was given back", statement=sql)
            word = transaction_word(sql)
            if word in ("begin", "commit", "rollback"):
                # what was sent is noted, also where the caller is cancelled meanwhile
                await finished(self._end_or_begin(word, sql))
                return nothing
            if self.is_open or word is not None:
                return await self._work(sql, work)
            return await self._alone(sql, work)

    async def end(self) -> None:
        """Rolls back what is open, and lets others have the connection."""
        self._given_back = True
        try:
            async with self.shared.turns.turn(self.holder), self.shared.undoing:
                if self.is_open and not self.shared.ended and self.shared.real.in_transaction:
                    await self._roll_back()
        finally:
            self.shared.turns.leave(self.holder)

    async def _end_or_begin(self, word: Word, sql: str) -> None:
        if word == "begin":
            await self._begin(sql)
        elif self.is_open and word == "commit":
            await self._commit()
        elif self.is_open:
            await self._roll_back()

    async def _begin(self, sql: str) -> None:
        words = [self.shared.dialect.savepoint(self._savepoint)]
        # its level says nothing here: whatever runs one after another is serializable
        if " READ ONLY" in sql.upper():
            words.append("SET TRANSACTION READ ONLY")
        await self.shared.send(*words)
        self._broken_before = self.shared.keys.before
        self.is_open = True

    async def _commit(self) -> None:
        try:
            await finished(self._close_cursors())
            await finished(self.shared.check_deferred())
            await self.shared.send(self.shared.dialect.release_savepoint(self._savepoint))
        except Exception:
            # a server ends the transaction whose COMMIT it refuses
            await self._roll_back()
            raise
        self.is_open = False

    async def _roll_back(self) -> None:
        await finished(self._close_cursors())
        await self._undo()
        self.is_open = False

    async def _undo(self) -> None:
        # noted first: the other ends by raising the cancellation of a caller
        self.shared.keys.go_back(self._broken_before)
        await self.shared.undo(self._savepoint)

    async def _close_cursors(self) -> None:
        """Ends the statements that nobody has read to their end, as the end of a real transaction would."""
        while self.cursors:
            with suppress(DatabaseError):
                await self.cursors.pop().close()

    async def _alone(self, sql: str, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs a statement outside of any transaction: its error must not fail the real one."""
        await self.shared.send(self.shared.dialect.savepoint(self._savepoint))
        self._broken_before = self.shared.keys.before
        try:
            answer = await self._work(sql, work)
            if not is_read(sql):
                await finished(self.shared.check_deferred())
        except BaseException:
            if self.shared.real.in_transaction:
                await self._undo()
            raise
        await self.shared.send(self.shared.dialect.release_savepoint(self._savepoint))
        return answer

    async def _work(self, sql: str, work: Callable[[Connection], Awaitable[T]]) -> T:
        real = self.shared.real
        if is_read(sql):
            return await work(real)
        if self.shared.is_sqlite:
            await finished(self.shared.keys.prepare())
        if self._reads_only:
            await self.shared.send("PRAGMA query_only = ON")
        try:
            # a write that is cut off may take the whole transaction with it
            return await finished(work(real))
        finally:
            if self._reads_only:
                await self.shared.send("PRAGMA query_only = OFF")
