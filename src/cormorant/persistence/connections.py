"""Where the statements of a session get their connections: one for a single statement, or one for a transaction."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import lru_cache
from time import monotonic, perf_counter
from typing import Any, TypeVar, cast

from cormorant._internal.frames import place
from cormorant.adapters.base import Adapter, Connection, Pipelining, Sharing
from cormorant.adapters.fair_lock import FairLock
from cormorant.adapters.holding import Held, Lease
from cormorant.database import Database
from cormorant.dialects.base import IsolationLevel
from cormorant.observability.performance import PerformanceTracker
from cormorant.persistence import context
from cormorant.persistence.levels import Level, Options
from cormorant.persistence.limits import A_CONNECTION, AN_ANSWER, Limit, answered_in_time
from cormorant.persistence.shielding import shielded

T = TypeVar("T")


@lru_cache(maxsize=100)
def shares(adapter: type[Adapter]) -> bool:
    """Whether several may use a connection of such an adapter: asked for each statement, and slow to find out."""
    return issubclass(adapter, Sharing)


class Connections:
    """The connections of one session state.

    Args:
        database: Where they come from.
        timeout: Seconds that a statement has, with all that it waits for; None sets no limit.
    """

    __slots__ = ("begun", "database", "last_commit", "timeout", "tracker", "xid")

    def __init__(self, database: Database, tracker: PerformanceTracker, timeout: float | None) -> None:
        self.database: Database = database
        self.tracker: PerformanceTracker = tracker
        self.timeout: float | None = timeout
        # when the server last said that something of ours is committed
        self.last_commit: datetime | None = None
        # what the server calls the open transaction, if it was asked
        self.xid: int | None = None
        # when it began by the server's clock
        self.begun: datetime | None = None

    @property
    def patience(self) -> float:
        """Seconds that undoing may take: a connection that is given up then undoes too."""
        patience = self.database.commit_timeout
        return patience if self.timeout is None else min(patience, self.timeout)

    def may_change_task(self, connection: Connection) -> bool:
        """Whether one task may go on with a statement that another has begun: nothing in it asks for its task."""
        # limits of time do, and caches may
        if self.timeout is not None or self.database.caches.backends:
            return False
        # isinstance() of a protocol takes as long as the rest of a commit without I/O
        return getattr(connection, "resumable", False)

    async def acquire(self, *, write: bool = False) -> Connection:
        """Takes a connection.

        Raises:
            WouldDeadlock: The caller is inside of transactions that hold all there are, and wait for him.
        """
        adapter, lending = self.database.adapter, self.database.lending
        if not (lending.holders or lending.beside) or not (around := self._around()):
            return await adapter.acquire(write=write)
        with lending.waiting(around, write=write, waiter=context.used_here):
            return await adapter.acquire(write=write)

    def acquire_once(self, *, write: bool) -> Coroutine[Any, Any, Connection]:
        """Takes a connection for a single statement, which has no limit of time and is not broken off if it writes."""
        database = self.database
        if database.lending.holders or (database.lending.beside and self._around()):
            return self.acquire(write=write)
        if write and shares(type(database.adapter)):
            return cast(Sharing, database.adapter).acquire_shared()
        return database.adapter.acquire(write=write)

    def acquire_to_read(self) -> Coroutine[Any, Any, Connection]:
        """Takes a connection for a single statement that reads, by `fetch`."""
        database = self.database
        if database.lending.holders and self._around():
            return self.acquire()
        adapter = database.adapter
        return cast(Sharing, adapter).acquire_shared(write=False) if shares(type(adapter)) else adapter.acquire()

    def _around(self) -> dict[object, str]:
        """Gives the other transactions that the caller is inside of, as far as they hold connections."""
        lending, found = self.database.lending, dict[object, str]()
        holders, beside = lending.holders, () if lending.beside is None else lending.beside.holders
        cell = context.current.get()
        while cell is not None:
            frame = cell.frame()
            if frame is not None:
                other = frame.state.transactions.connections
                if other is not self and (other in holders or other in beside):
                    found[other] = str(frame.root)
            cell = cell.parent
        return found

    async def find_level(self) -> IsolationLevel | None:
        """Gives the isolation level of transactions that name none, which may be the server's."""
        database = self.database
        if database.default_level is None:
            # it is read when the first connection is opened
            database.adapter.release(await self.acquire())
        return database.level

    # ---- one statement

    async def alone(self, work: Callable[[Connection], Coroutine[Any, Any, T]], timeout: float, *, write: bool) -> T:
        """Runs work that is one statement on a connection of its own, in a given time."""
        async with Limit(timeout) as limit:
            limit.doing = A_CONNECTION
            connection = await self.acquire(write=write)
            try:
                limit.doing = AN_ANSWER
                if not write:
                    return await work(connection)
                patience = self.database.commit_timeout
                # what is cut off may be committed: the server is asked to stop, and its answer counts
                sent = answered_in_time(work(connection), limit.take_rest(), connection, patience)
                return await shielded(sent, patience, told=self)
            finally:
                self.database.adapter.release(connection)

    # ---- a transaction

    async def begin(self, options: Options, levels: Sequence[Level], limit: Limit | None) -> Connection:
        """Takes a connection for a transaction, and sends BEGIN and the savepoints that were asked for meanwhile."""
        database = self.database
        if limit is not None:
            limit.doing = A_CONNECTION
        # without a call in between: most have nobody around them
        lending = database.lending
        lent = self if (lending.holders or lending.beside) and self._around() else database.adapter
        connection = await lent.acquire(write=not options.read_only)
        if limit is not None:
            limit.doing = AN_ANSWER
        begin = database.dialect.begin(
            isolation=options.isolation, read_only=options.read_only, deferrable=options.deferrable, write=True
        )
        try:
            savepoints = [database.dialect.savepoint(level.savepoint) for level in levels if level.savepoint]
            for sql in (begin, *savepoints):
                if not self.put_ahead(connection, sql):
                    await database.execute(connection, self.tracker, sql)
            number = database.dialect.transaction_number if database.track_commits and not options.read_only else None
            self.xid = self.begun = None
            if number is not None:
                ((self.xid, self.begun),) = await database.fetch(connection, self.tracker, number, ())
        except BaseException:
            database.adapter.release(connection)
            raise
        return connection

    def put_ahead(self, connection: Connection, sql: str) -> bool:
        """Has BEGIN, SAVEPOINT or RELEASE go along with the next statement, whose time it takes; tells if it can."""
        # isinstance() of a protocol takes as long as the rest of it
        if not getattr(connection, "pipelines", False):
            return False
        if self.tracker.budget is not None:
            self.tracker.budget.count(sql)
        cast(Pipelining, connection).send_later(sql)
        self.database.record(self.tracker, sql, 0, perf_counter())
        return True

    def lease(self, connection: Connection, session: context.Frame[Any], lock: FairLock, *, write: bool) -> Lease:
        """Notes a transaction that holds a connection, and gives what takes it back, also from who is dropped.

        Args:
            connection: The connection.
            session: The session's frame.
            lock: Held while a statement runs on it.
            write: It may write.
        """
        adapter, lending, now = self.database.adapter, self.database.lending, monotonic()

        def give_back() -> None:
            lending.let_go(self)
            adapter.release(connection)

        try:
            held = Held(session.task, session.place, context.task_name(), place(), lock, now, now)
            lending.hold(self, held, write=write)
            return Lease(held, give_back)
        except BaseException:
            give_back()
            raise
