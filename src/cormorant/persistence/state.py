"""A session's state: what one `async with AsyncSession()` block knows and holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from cormorant.adapters.base import Connection, RawRows
from cormorant.database import Database
from cormorant.errors import SessionClosedError, SessionTaskError, TransactionError
from cormorant.models.collections import Collection
from cormorant.models.links import RelationInfo
from cormorant.models.model import Model
from cormorant.models.state import Origin, new_ghost
from cormorant.observability.performance import PerformanceTracker
from cormorant.persistence import context, loader
from cormorant.persistence.flush import Flusher
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.levels import Level
from cormorant.persistence.transaction import Options, TransactionStack
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.queryset import QuerySet
from cormorant.query.spec import QuerySpec

T = TypeVar("T")


class SessionState:
    """Identity map, unit of work and transaction of one entered session.

    Args:
        database: What it works on.
        options: How its transactions begin.
        autocommit: Every flush is a transaction of its own.
    """

    def __init__(self, database: Database, options: Options, *, autocommit: bool) -> None:
        self.database = database
        self.autocommit = autocommit
        self.tracker = PerformanceTracker()
        self.identity = IdentityMap()
        self.unit = UnitOfWork(self, self.identity, database.dialect.decoder, eager=autocommit)
        self.transactions = TransactionStack(database, self.tracker, options)
        self.flusher = Flusher(self.unit, self.identity, self.transactions, self.new_origin)
        self.frame: context.Frame[SessionState] = context.Frame(self, None, "session")
        self.closed = False
        self.closed_at = ""
        self.number = 0
        self._loop = asyncio.get_running_loop()

    # ---- who may do what

    def check_usable(self) -> None:
        """Refuses a closed session and another event loop.

        Raises:
            SessionClosedError: The block has ended.
            SessionTaskError: The caller runs on another loop.
        """
        if self.closed:
            raise SessionClosedError(
                f"the session is closed: {self.frame} ended at {self.closed_at}",
                hint="open a session of its own for work that goes on: `async with AsyncSession()`",
            )
        if asyncio.get_running_loop() is not self._loop:
            raise SessionTaskError(
                f"{self.frame} belongs to another event loop", hint="open a session on the loop that uses it"
            )

    # ---- reading

    async def fetch(self, spec: QuerySpec, *, autoflush: bool = True) -> list[Any]:
        """Runs a query and gives its rows in the form it asks for."""
        self.check_usable()
        prepared = self.database.prepare(spec)
        unit = self.unit
        if (unit.new or unit.dirty or unit.deleted or unit.collections) and autoflush and unit.concerns(prepared.tables):
            await self.flush()
        self.number = number = self.number + 1
        rows = await self.transactions.fetch(prepared.sql, prepared.encode(spec.values))
        return prepared.loader(rows, self.identity.by_model.__getitem__, Origin(self, number))

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions and gives the number of rows."""
        self.check_usable()
        prepared = self.database.prepare(spec)
        if self.unit.concerns(prepared.tables):
            await self.flush()
        args = prepared.encode(spec.values)
        self.number += 1

        async def send(connection: Connection) -> int:
            return await self.database.execute(connection, self.tracker, prepared.sql, args)

        return await self._write(send)

    async def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        if self.autocommit and not self.transactions.is_open:
            return await self.transactions.use_alone(work)
        self.transactions.begin_implicit()
        self.transactions.levels.note_write(self.number)
        return await self.transactions.use(work)

    async def raw(self, sql: str, args: Sequence[Any], *, write: bool) -> RawRows:
        """Runs raw SQL; what may write opens a transaction."""
        self.check_usable()
        if not self.unit.is_empty:
            await self.flush()
        self.number += 1
        if not write:
            return await self.transactions.query(sql, args)
        return await self._write(lambda connection: self.database.query(connection, self.tracker, sql, args))

    def new_origin(self) -> Origin:
        """Numbers a statement, and gives what its objects remember of it."""
        self.number = number = self.number + 1
        return Origin(self, number)

    # ---- what instances ask of their owner

    def touched(self, instance: Model) -> None:
        """Notes the first change of an instance."""
        if self.closed:
            return
        self.unit.touched(instance)

    def collection_touched(self, collection: Collection[Any]) -> None:
        """Notes the first change of a collection."""
        if self.closed:
            raise SessionClosedError(f"{collection!r} cannot be changed: its session is closed")
        self.unit.collection_touched(collection)

    def reference(self, relation: RelationInfo, key: Any, beside: Model) -> Model:
        """Gives the known instance of a key, or a reference to it."""
        info = relation.target
        known = self.identity.of(info)
        found: Model | None = known.get(key)
        if found is not None:
            return found
        values = (key,) if len(info.key_attributes) == 1 else key
        siblings = (beside.__orm_origin__, relation) if beside.__orm_origin__ is not None else None
        origin = Origin(self, 0, beside=siblings)
        made: Model = new_ghost(info, dict(zip(info.key_attributes, values, strict=True)), origin)
        if not self.closed:
            known[key] = made
        return made

    async def load(self, instance: Model) -> None:
        """Fills a reference, and the siblings it was read beside."""
        self.check_usable()
        await loader.load_references(self, instance)

    async def load_relation(self, instance: Model, relation: RelationInfo) -> None:
        """Loads a to-many relation of an instance and of its siblings."""
        self.check_usable()
        await loader.load_collections(self, instance, relation)

    def members(self, instance: Model, relation: RelationInfo) -> QuerySet[Any]:
        """Gives the query of a to-many relation's objects."""
        return QuerySet(loader.members(relation, instance), self)

    # ---- flushing

    async def flush(self) -> None:
        """Writes what is pending; in autocommit mode in a transaction of its own."""
        self.check_usable()
        if self.autocommit and not self.transactions.is_open:
            await self.commit()
        else:
            await self.flusher.flush(lone=False)

    # ---- transactions

    async def commit(self) -> None:
        """Writes what is pending and commits. One row needs no transaction: the server alone decides its success."""
        self.check_usable()
        try:
            await self.flusher.flush(lone=True)
            if self.transactions.is_open:
                await self.transactions.commit()
        except BaseException:
            # a failed COMMIT has undone everything at the server; a failed flush waits for rollback()
            if self.transactions.is_open and self.transactions.connection is None:
                await self.transactions.rollback(self.undo)
            raise

    async def rollback(self) -> None:
        """Rolls the transaction back and gives objects the values they had before it."""
        if self.transactions.is_open:
            await self.transactions.rollback(self.undo)
        else:
            self.undo(Level(None, explicit=False))

    def undo(self, level: Level) -> None:
        """Puts objects back as they were when a block began."""
        self.unit.undo(level.undo)
        if level.first_number is not None:
            self.identity.unload_since(level.first_number, Origin(self, 0))

    async def enter_block(self, options: Options) -> Level:
        """Opens a transaction, or a savepoint in the open one; what is pending is written before."""
        self.check_usable()
        if self.transactions.is_open:
            if options != Options():
                raise TransactionError(
                    "isolation, read_only and deferrable belong to the outermost transaction",
                    hint="open it with them, before the first write of the session",
                )
            await self.flush()
            return await self.transactions.savepoint()
        return self.transactions.begin(options)

    async def leave_block(self, level: Level, *, failed: bool) -> None:
        """Ends a block: flush and commit it, or roll it back."""
        if failed:
            await self.transactions.rollback(self.undo)
            return
        try:
            await self.flusher.flush(lone=False)
            await self.transactions.commit()
        except BaseException:
            if level in self.transactions.levels:
                await self.transactions.rollback(self.undo)
            raise

    async def close(self, *, failed: bool) -> None:
        """Ends the session: commits, or rolls back; frees the identity map."""
        try:
            if not failed:
                await self.commit()
        finally:
            try:
                # after a commit nothing is open any more
                while self.transactions.is_open:
                    await self.transactions.rollback(self.undo)
            finally:
                self._end()

    def _end(self) -> None:
        self.closed = True
        self.closed_at = context.caller()
        self.identity.clear()
        self.unit.clear()
