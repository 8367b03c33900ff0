"""Transactions of one session state: begun lazily, nested by savepoints, on the one connection that they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cormorant._internal.made_once import MadeOnce
from cormorant.adapters.base import Connection, RawRows, Row, Sharing
from cormorant.adapters.fair_lock import FairLock
from cormorant.adapters.holding import Lease
from cormorant.database import Database
from cormorant.database.cache_news import CHANNEL
from cormorant.database.invalidation import Invalidation
from cormorant.dialects.base import SNAPSHOTS
from cormorant.errors import (
    DatabaseError,
    SessionTaskError,
    TransactionError,
    TransactionFailedError,
)
from cormorant.observability.performance import PerformanceTracker
from cormorant.observability.shapes import Caller
from cormorant.persistence.connections import Connections, shares
from cormorant.persistence.context import Frame
from cormorant.persistence.levels import Level, OpenCursor, Options, savepoint_name, summary
from cormorant.persistence.limits import AN_ANSWER, Limit
from cormorant.persistence.shielding import committing, shielded

T = TypeVar("T")


class Overtaken(Exception):
    """Another task has ended or begun a transaction before something was sent."""


def _connections_of(stack: TransactionStack) -> Connections:
    made = stack.made_connections = Connections(stack.database, stack.tracker, stack.timeout)
    return made


class TransactionStack:
    """The open transaction of a state, if any, and the one connection it holds.

    Statements inside a transaction queue on its connection. Outside of one, each statement borrows a connection.

    Args:
        database: Where connections come from.
        options: How transactions begin unless told otherwise.
        check_usable: Refuses once the session has ended, also those who waited meanwhile.
        session: The session's frame, to tell of its transactions.
        timeout: Seconds that a statement has, with all that it waits for; None sets no limit.
    """

    if TYPE_CHECKING:
        connections: Connections
    else:
        # reads outside of transactions need none
        connections = MadeOnce(_connections_of)

    def __init__(
        self,
        database: Database,
        tracker: PerformanceTracker,
        options: Options,
        check_usable: Callable[[], None],
        session: Frame[Any],
        timeout: float | None = None,
    ) -> None:
        self.database = database
        self.tracker = tracker
        self.options = options
        # all reads are to see one moment: the first one opens the transaction
        self.keeps_snapshots: bool = options.isolation in SNAPSHOTS
        # nothing has to be found out, or watched, before a read outside of a transaction
        self.is_plain: bool = timeout is None and (options.isolation is not None or database.default_level is not None)
        self.levels: list[Level] = []
        self.connection: Connection | None = None
        # held while a statement of a transaction runs, and while one is begun or ended
        self.lock: FairLock = FairLock()
        self.cursors: list[OpenCursor] = []
        self.timeout: float | None = timeout
        self.made_connections: Connections | None = None
        self._check_usable = check_usable
        self.session: Frame[Any] = session
        self.lease: Lease | None = None
        # whether somebody works with the connection
        self.is_used: bool = False
        self.begin_with: Options = options
        # how many there were: whoever finds as many as before has read outside of all
        self.begun: int = 0
        # what has to be dropped from caches once it is committed
        self.written: Invalidation | None = None
        # whose statements are under way
        self.in_flight: set[asyncio.Task[Any] | None] = set()
        self._arrivals: asyncio.Event | None = None
        self.ending: asyncio.Event | None = None

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open, or will be with the next statement."""
        return bool(self.levels)

    @property
    def allows_lone_writes(self) -> bool:
        """Whether one row may be written without BEGIN: no transaction is open, and none was asked to be special."""
        database = self.database
        special = database.track_commits or (database.caches.backends and database.caches.notifies)
        return not (self.levels or self.options.read_only or self.keeps_snapshots or special)

    # ---- statements

    async def fetch(self, sql: str, args: Sequence[Any], caller: Caller | None = None) -> Sequence[Row]:
        """Runs a read for somebody's code and gives its rows."""
        if self.tracker.budget is not None:
            # before it can fail the block that it is in
            self.tracker.budget.check()
        if self.ending is not None:
            await settled(self)
        if not (self.is_plain or self.levels):
            await find_level(self)
            if not (self.is_plain or self.keeps_snapshots):
                return await self.use_alone(
                    lambda c: self.database.fetch(c, self.tracker, sql, args, caller=caller), write=False
                )
        if self.levels or self.keeps_snapshots:
            return await self.use(lambda c: self.database.fetch(c, self.tracker, sql, args, caller=caller))
        self.in_flight.add(task := asyncio.current_task())
        database = self.database
        try:
            adapter = database.adapter
            if database.lending.holders:
                connection = await self.connections.acquire_to_read()
            elif shares(type(adapter)):
                connection = await cast(Sharing, adapter).acquire_shared(write=False)
            else:
                connection = await adapter.acquire()
            try:
                return await database.fetch(connection, self.tracker, sql, args, caller=caller)
            finally:
                database.adapter.release(connection)
        finally:
            self._arrive(task)

    async def query(self, sql: str, args: Sequence[Any], caller: Caller | None = None) -> RawRows:
        """Runs a raw read for somebody's code, in the open transaction if there is one."""
        if self.tracker.budget is not None:
            self.tracker.budget.check()
        await settled(self)
        await find_level(self)
        if self.levels or self.keeps_snapshots:
            return await self.use(lambda c: self.database.query(c, self.tracker, sql, args, caller))
        return await self.use_alone(lambda c: self.database.query(c, self.tracker, sql, args, caller), write=False)

    def use(
        self,
        work: Callable[[Connection], Awaitable[T]],
        check: Callable[[], None] | None = None,
        undo: Callable[[BaseException], Awaitable[None]] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Runs work in the transaction, begun if none is open; an error or a cancellation fails the innermost block.

        Args:
            work: What is to be done.
            check: Refuses once it is the work's turn; the block does not fail then.
            undo: Undoes the work before anybody else has his turn, instead of failing the block.
        """
        timeout = self.timeout
        if timeout is None:
            return self._use(work, check, undo, None)
        return _in_time(timeout, lambda limit: self._use(work, check, undo, limit))

    async def _use(
        self,
        work: Callable[[Connection], Awaitable[T]],
        check: Callable[[], None] | None,
        undo: Callable[[BaseException], Awaitable[None]] | None,
        limit: Limit | None,
    ) -> T:
        self.in_flight.add(task := asyncio.current_task())
        locked = False
        try:
            # taken, and given back below, as `async with` does it, by two calls less
            if not self.lock.take():
                await self.lock.acquire()
            locked = True
            self._check_usable()
            if self.levels:
                self.check()
            if check is not None:
                check()
            if not self.levels:
                self.begin(self.options).implicit = True
            self.levels[0].uses += 1
            self.is_used = True
            try:
                if self.connection is None:
                    await _take_connection(self, limit)
                elif limit is not None:
                    limit.doing = AN_ANSWER
                assert self.connection is not None
                found = await work(self.connection)
                if not self.levels:
                    raise TransactionError(
                        "the transaction was ended by another task while a statement ran in it",
                        hint="end it after the tasks that use it",
                    )
                return found
            except BaseException as error:
                # in no variable: the error would hold this frame, and this frame the error
                if _is_only_wanted(self):
                    # nothing was sent, and nobody has asked for a transaction by name: it can be tried again
                    self.end()
                elif undo is None or self.connection is None:
                    self.fail(error if limit is None else limit.cause(error))
                else:
                    await undo(error if limit is None else limit.cause(error))
                raise
            finally:
                self.is_used = False
                if not self.levels:
                    self.end()
        finally:
            if locked:
                self.lock.release()
            if self.lease is not None:
                self.lease.held.used = monotonic()
            self._arrive(task)

    async def use_alone(self, work: Callable[[Connection], Coroutine[Any, Any, T]], *, write: bool = True) -> T:
        """Runs work that is one statement on a connection of its own; a write that was sent is waited for.

        While it writes, nobody ends a transaction.

        Raises:
            Overtaken: It would write, and another task has begun a transaction meanwhile.
        """
        self.in_flight.add(task := asyncio.current_task())
        database, connections = self.database, self.connections
        if write and not self.lock.take():
            try:
                await self.lock.acquire()
            except BaseException:
                self._arrive(task)
                raise
        try:
            if write and self.levels:
                raise Overtaken
            if connections.timeout is not None:
                return await connections.alone(work, connections.timeout, write=write)
            connection = await connections.acquire_once(write=write)
            try:
                if not write:
                    return await work(connection)
                resumable = connections.may_change_task(connection)
                patience = database.commit_timeout
                return await shielded(work(connection), patience, told=connections, resumable=resumable)
            finally:
                database.adapter.release(connection)
        finally:
            if write:
                self.lock.release()
            self._arrive(task)

    async def execute(self, sql: str, *, ahead: bool = False) -> None:
        """Runs a statement on the connection, if there is one, or ahead of the next one; for who holds the lock."""
        if self.connection is not None:
            if not (ahead and self.connections.put_ahead(self.connection, sql)):
                await self.database.execute(self.connection, self.tracker, sql)
            if self.lease is not None:
                self.lease.held.used = monotonic()

    # ---- who is under way

    def _arrive(self, task: asyncio.Task[Any] | None) -> None:
        self.in_flight.discard(task)
        if self._arrivals is not None:
            self._arrivals.set()

    @property
    def others_in_flight(self) -> list[asyncio.Task[Any]]:
        """The other tasks that wait for a statement."""
        current = asyncio.current_task()
        return [task for task in self.in_flight if task is not None and task is not current]

    async def drain(self, *, cancel: bool) -> None:
        """Waits until no other task has a statement in flight.

        Args:
            cancel: Cancel those tasks first.
        """
        if not self.in_flight:
            return
        cancelled: set[asyncio.Task[Any]] = set()
        while others := self.others_in_flight:
            # each of them once, so that it can clean up; also those that have come meanwhile
            for task in set(others) - cancelled if cancel else ():
                task.cancel()
            cancelled.update(others)
            self._arrivals = self._arrivals or asyncio.Event()
            self._arrivals.clear()
            await self._arrivals.wait()

    # ---- failure

    def fail(self, cause: BaseException) -> None:
        """Marks the innermost block failed; every block, where the whole transaction is lost."""
        connection = self.connection
        lost = connection is None or connection.is_closed or not (connection.in_transaction or connection.needs_reset)
        for level in self.levels if lost else self.levels[-1:]:
            if level.cause is None:
                level.cause = cause

    def check(self) -> None:
        """Refuses to go on in a failed block.

        Raises:
            TransactionFailedError: Carrying the first error as its cause.
        """
        for level in self.levels:
            if level.cause is not None:
                raise TransactionFailedError(
                    f"the transaction failed earlier: {summary(level.cause)}",
                    hint="leave the block, or await session.rollback(); to try something and go on, "
                    "use a nested `async with session.transaction()`",
                ) from level.cause

    # ---- blocks

    def begin(self, options: Options) -> Level:
        """Opens a transaction; BEGIN is sent with the first statement."""
        self.begin_with = options.under(self.options)
        self.begun += 1
        self.levels.append(level := Level(None))
        return level

    async def savepoint(self) -> Level:
        """Opens a block inside the open transaction."""
        if self.connection is None and self.lock.locked():
            # another task is sending BEGIN, and knows nothing of this block
            async with self.lock:
                pass
        if not self.levels:
            # another task has ended it: the block is one of its own
            return self.begin(self.options)
        self.check()
        level = Level("")
        if self.connection is None:
            level.savepoint = savepoint_name(self.levels)
        else:

            async def open_level(_: Connection) -> None:
                # named when it is its turn: another task may be ending a block
                level.savepoint = name = savepoint_name(self.levels)
                around, dialect = self.levels[-1], self.database.dialect
                if around.has_leftover:
                    # inside of it the new one would be a level deeper each time, which takes locks of the server
                    around.has_leftover = False
                    await self.execute(dialect.release_savepoint(name), ahead=True)
                await self.execute(dialect.savepoint(name), ahead=True)

            await self.use(open_level)
        self.levels.append(level)
        return level

    async def commit(self, block: Level | None = None) -> None:
        """Ends the innermost block well: RELEASE for a savepoint, else COMMIT.

        Args:
            block: The block; None for nothing but the whole transaction.

        Raises:
            SessionTaskError: Another task has opened a block in the transaction meanwhile.
            TransactionError: Another task has ended the block meanwhile.
            TransactionFailedError: The block failed before; it is still open.
            DatabaseError: The server refused; a transaction whose COMMIT was refused is over.
        """
        await settled(self)
        if block is not None and block not in self.levels:
            raise TransactionError("the transaction was ended inside of its block", hint="leave the block instead")
        if not self.levels:
            # another task has ended it meanwhile
            return
        self.check()
        level = self.levels[-1]
        if level.savepoint is not None:
            if block is None:
                raise SessionTaskError(
                    "another task has opened a block in the transaction that was to be committed",
                    hint="end that first, or give this task a session of its own: async with AsyncSession()",
                )
            await _in_turn(self, self.database.dialect.release_savepoint(level.savepoint), self.levels)
            self.levels.pop()
            for cursor in self.cursors:
                cursor.level = self.levels[-1] if cursor.level is level else cursor.level
            return
        self.ending = asyncio.Event()
        try:
            await _in_turn(self, "COMMIT", ())
            if self.connection is not None:
                self.connections.last_commit = datetime.now(UTC)
        finally:
            self.end()

    async def rollback_to(self, level: Level) -> None:
        """Ends a block, and those inside of it, by undoing them; does nothing if it has ended."""
        # another task may be ending it
        await settled(self)
        if level not in self.levels:
            return
        if level.savepoint is None:
            await self.rollback()
            return
        async with self.lock:
            if level not in self.levels:
                return
            del self.levels[self.levels.index(level) :]
            if self.connection is None or self.levels[-1].cause is not None:
                return
            try:
                async with Limit(self.connections.patience):
                    await _abandon(self.cursors, self.levels)
                    await self.execute(self.database.dialect.rollback_to_savepoint(level.savepoint))
                    self.levels[-1].has_leftover = True
            except DatabaseError as error:
                # the transaction cannot go on; whoever ends it learns why
                self.fail(error)

    async def undo(self, level: Level) -> None:
        """Ends a block, and those inside of it, by undoing them; for who holds the lock."""
        remaining = self.levels[: self.levels.index(level)]
        try:
            async with Limit(self.connections.patience):
                await _abandon(self.cursors, remaining)
                if level.savepoint is not None:
                    self.levels[:] = remaining
                    await self.execute(self.database.dialect.rollback_to_savepoint(level.savepoint))
                    remaining[-1].has_leftover = True
                    return
                await self.execute("ROLLBACK")
        except DatabaseError as error:
            # the transaction cannot go on; whoever ends it learns why
            if remaining:
                self.fail(error)
        if not remaining:
            self.end()

    async def rollback(self) -> None:
        """Undoes the whole transaction."""
        await settled(self)
        self.ending = asyncio.Event()
        try:
            # another task may be about to open it
            async with self.lock:
                connection = self.connection
                if connection is not None and connection.needs_reset and not connection.is_closed:
                    # if it fails, the pool resets the connection or closes it, which undoes the transaction too
                    with suppress(DatabaseError):
                        async with Limit(self.connections.patience):
                            await _abandon(self.cursors, ())
                            await self.execute("ROLLBACK")
        finally:
            self.end()

    def end(self) -> None:
        """Lets go of the connection, once no statement of another task runs on it: the transaction is over."""
        self.levels.clear()
        self.cursors.clear()
        self.written = None
        if self.ending is not None:
            self.ending.set()
            self.ending = None
        if self.is_used:
            return
        self.connection = None
        lease, self.lease = self.lease, None
        if lease is not None:
            lease.release()


def last_commit_of(transactions: TransactionStack) -> datetime | None:
    """Gives when the server last said that something of the session is committed."""
    made = transactions.made_connections
    return None if made is None else made.last_commit


async def _in_time(seconds: float, use: Callable[[Limit], Awaitable[T]]) -> T:
    async with Limit(seconds) as limit:
        return await use(limit)


def is_unsent(transactions: TransactionStack) -> bool:
    """Whether the server knows nothing of a transaction, and nobody is telling it of one, or of its end."""
    return transactions.connection is None and transactions.ending is None and not transactions.lock.locked()


def _is_only_wanted(transactions: TransactionStack) -> bool:
    """Whether a transaction is none but by the statement that was to begin it, of which the server knows nothing."""
    levels = transactions.levels
    is_unsent = transactions.connection is None and transactions.ending is None
    return is_unsent and len(levels) == 1 and levels[0].implicit and levels[0].cause is None


def forget(transactions: TransactionStack, level: Level) -> None:
    """Ends a block, and those inside of it, of which nothing was sent."""
    if level.savepoint is None:
        transactions.end()
    else:
        del transactions.levels[transactions.levels.index(level) :]


async def _take_connection(transactions: TransactionStack, limit: Limit | None) -> None:
    """Takes a transaction's connection, and sends BEGIN."""
    connections, options = transactions.connections, transactions.begin_with
    taken = await connections.begin(options, transactions.levels, limit)
    write = not options.read_only
    transactions.lease = connections.lease(taken, transactions.session, transactions.lock, write=write)
    # only now: whoever has no lease gives nothing back
    transactions.connection = taken


async def _in_turn(transactions: TransactionStack, sql: str, remaining: Sequence[Level]) -> None:
    """Ends a block by a statement, after those that others have sent."""
    async with transactions.lock:
        written = None
        try:
            # a server answers the COMMIT of a failed transaction with a ROLLBACK, and raises nothing
            transactions.check()
            if transactions.cursors:
                await _abandon(transactions.cursors, remaining)
            if transactions.written is not None and not remaining:
                await announce(transactions)
                written = transactions.written
            work = transactions.execute(sql, ahead=bool(remaining))
            await (work if remaining else committing(work, transactions.connections, transactions.connections.timeout))
        except BaseException as error:
            transactions.fail(error)
            if written is not None:
                # it may be committed all the same
                await transactions.database.caches.invalidate(written)
            raise
        if written is not None:
            await transactions.database.caches.invalidate(written, told=True)


async def announce(transactions: TransactionStack) -> None:
    """Has the server tell other processes what the transaction has written, when it commits."""
    database, connection, written = transactions.database, transactions.connection, transactions.written
    if written is None or connection is None or database.dialect.notify is None or not database.caches.notifies:
        return
    start, failed = perf_counter(), None
    try:
        async with Limit(transactions.connections.patience):
            # no statement of the user's: it counts to no budget, and a transaction must always end
            await connection.fetch(database.dialect.notify, (CHANNEL, written.payload()))
    except BaseException as error:
        failed = error
        raise
    finally:
        database.record(transactions.tracker, database.dialect.notify, 0, start, error=failed)


def other_readers(transactions: TransactionStack) -> list[asyncio.Task[Any]]:
    """Gives the other tasks that read a stream in the transaction, as far as they have not ended."""
    current = asyncio.current_task()
    tasks = [cursor.task for cursor in transactions.cursors]
    return [task for task in tasks if task is not None and task is not current and not task.done()]


async def _abandon(cursors: list[OpenCursor], remaining: Sequence[Level]) -> None:
    """Ends the statements that are still read, but for those of blocks that go on."""
    for cursor in [cursor for cursor in cursors if cursor.level not in remaining]:
        cursors.remove(cursor)
        await cursor.abandon()


async def find_level(transactions: TransactionStack) -> None:
    """Asks the server, before the first statement on a database, whether all reads are to see one moment."""
    if not (transactions.is_plain or transactions.levels):
        if transactions.options.isolation is None:
            level = await transactions.connections.find_level()
            transactions.options = replace(transactions.options, isolation=level)
            transactions.keeps_snapshots = level in SNAPSHOTS
        transactions.is_plain = transactions.connections.timeout is None


async def settled(transactions: TransactionStack) -> None:
    """Waits for the end of a COMMIT or ROLLBACK on its way: what comes now belongs to what follows it."""
    while transactions.ending is not None:
        await transactions.ending.wait()
