"""Transactions of one session state: begun lazily, nested by savepoints, with a log to undo objects in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cormorant.adapters.base import Connection, RawRows, Row
from cormorant.database import Database
from cormorant.dialects.base import IsolationLevel
from cormorant.observability.performance import PerformanceTracker
from cormorant.persistence.levels import Level, Levels

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How a transaction is begun."""

    isolation: IsolationLevel | None = None
    read_only: bool = False
    deferrable: bool = False


class TransactionStack:
    """The open transaction of a state, if any, and the one connection it holds.

    Statements inside a transaction queue on its connection. Outside of one, each statement borrows a connection.

    Args:
        database: Where connections come from.
        options: How transactions begin unless told otherwise.
    """

    def __init__(self, database: Database, tracker: PerformanceTracker, options: Options) -> None:
        self.database = database
        self.tracker = tracker
        self.options = options
        self.levels = Levels()
        self.connection: Connection | None = None
        self._begin_with: Options = options
        self._lock = asyncio.Lock()
        self._savepoints = 0

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open, or will be with the next statement."""
        return bool(self.levels)

    # ---- statements

    async def fetch(self, sql: str, args: Sequence[Any]) -> Sequence[Row]:
        """Runs a read and gives its rows."""
        if not self.levels.open:
            return await self._fetch_alone(sql, args)
        async with self._lock:
            connection = await self._ready()
            try:
                return await self.database.fetch(connection, self.tracker, sql, args)
            except BaseException as error:
                self.levels.fail(error)
                raise

    async def _fetch_alone(self, sql: str, args: Sequence[Any]) -> Sequence[Row]:
        adapter = self.database.adapter
        connection = await adapter.acquire()
        try:
            return await self.database.fetch(connection, self.tracker, sql, args)
        finally:
            adapter.release(connection)

    async def query(self, sql: str, args: Sequence[Any]) -> RawRows:
        """Runs a statement of raw SQL, in the open transaction if there is one."""
        if self.levels:
            return await self.use(lambda connection: self.database.query(connection, self.tracker, sql, args))
        adapter = self.database.adapter
        connection = await adapter.acquire()
        try:
            return await self.database.query(connection, self.tracker, sql, args)
        finally:
            adapter.release(connection)

    async def use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs work on the transaction's connection; an error or a cancellation fails the innermost block."""
        async with self._lock:
            connection = await self._ready()
            try:
                return await work(connection)
            except BaseException as error:
                self.levels.fail(error)
                raise

    async def use_alone(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs work that is one statement on a connection of its own, without a transaction."""
        adapter = self.database.adapter
        connection = await adapter.acquire(write=True)
        try:
            return await work(connection)
        finally:
            adapter.release(connection)

    async def _ready(self) -> Connection:
        """Gives the held connection, with BEGIN and savepoints sent."""
        self.levels.check()
        if self.connection is None:
            adapter = self.database.adapter
            self.connection = await adapter.acquire(write=not self._begin_with.read_only)
            try:
                await self._execute(self._begin_statement())
                for level in self.levels:
                    if level.savepoint is not None:
                        await self._execute(self.database.dialect.savepoint(level.savepoint))
            except BaseException as error:
                self._let_go()
                self.levels.fail(error)
                raise
        return self.connection

    def _begin_statement(self) -> str:
        options = self._begin_with
        return self.database.dialect.begin(
            isolation=options.isolation, read_only=options.read_only, deferrable=options.deferrable, write=True
        )

    async def _execute(self, sql: str) -> None:
        assert self.connection is not None
        await self.database.execute(self.connection, self.tracker, sql)

    # ---- blocks

    def begin(self, options: Options | None = None, *, explicit: bool = True) -> Level:
        """Opens a transaction; BEGIN is sent with the first statement."""
        self._begin_with = options or self.options
        level = Level(None, explicit)
        return self.levels.push(level)

    def begin_implicit(self) -> None:
        """Opens a transaction for a write, unless one is open."""
        if not self.levels:
            self.begin(explicit=False)

    async def savepoint(self) -> Level:
        """Opens a block inside the open transaction."""
        self.levels.check()
        self._savepoints += 1
        level = Level(f"cormorant_{self._savepoints}", explicit=True)
        if self.connection is not None:
            async with self._lock:
                await self._execute(self.database.dialect.savepoint(level.savepoint or ""))
        return self.levels.push(level)

    async def commit(self) -> None:
        """Ends the innermost block well: COMMIT, or RELEASE for a savepoint."""
        self.levels.check()
        level = self.levels.innermost
        if level.savepoint is not None:
            await self._release(level)
            return
        try:
            # once COMMIT is sent its outcome counts, whatever becomes of the caller
            cancelled = await self._end("COMMIT")
        finally:
            self._let_go()
        self.levels.pop()
        _raise(cancelled)

    async def _release(self, level: Level) -> None:
        cancelled = await self._end(self.database.dialect.release_savepoint(level.savepoint or ""))
        self.levels.pop()
        self.levels.innermost.undo += level.undo
        _raise(cancelled)

    async def _end(self, sql: str) -> asyncio.CancelledError | None:
        """Sends the words that end a block, unless nothing was sent in it; gives a cancellation met meanwhile."""
        if self.connection is None:
            return None
        async with self._lock:
            return await _to_the_end(self._execute(sql))

    async def rollback(self, undo: Callable[[Level], None]) -> None:
        """Ends the innermost block by undoing it, in the database and then by `undo` in the objects.

        Both are done even if the caller is cancelled meanwhile; the cancellation is raised afterwards.
        """
        level = self.levels.innermost
        try:
            if level.savepoint is not None:
                cancelled = await self._end(self.database.dialect.rollback_to_savepoint(level.savepoint))
            else:
                cancelled = await self._roll_back_all()
        finally:
            # also when the connection is lost: the server has rolled back by itself then
            self.levels.pop()
            undo(level)
        _raise(cancelled)

    async def _roll_back_all(self) -> asyncio.CancelledError | None:
        connection = self.connection
        try:
            if connection is not None and connection.in_transaction and not connection.is_closed:
                return await self._end("ROLLBACK")
            return None
        finally:
            self._let_go()

    def _let_go(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self.database.adapter.release(connection)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> asyncio.CancelledError | None:
    """Runs work to its end even if the caller is cancelled meanwhile, and gives that cancellation."""
    task = asyncio.ensure_future(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
    task.result()
    return cancelled


def _raise(cancelled: asyncio.CancelledError | None) -> None:
    if cancelled is not None:
        raise cancelled
