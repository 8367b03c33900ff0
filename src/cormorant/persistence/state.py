"""A session's state: what one `async with AsyncSession()` block knows and holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from cormorant.adapters.base import Connection, RawRows
from cormorant.database import Database, PreparedQuery
from cormorant.dialects.base import IsolationLevel
from cormorant.errors import SessionClosedError, SessionTaskError, TransactionError
from cormorant.models.collections import Collection
from cormorant.models.inside import find_changes_inside, readers
from cormorant.models.metadata import ModelInfo, RelationInfo
from cormorant.models.model import Model
from cormorant.models.state import Origin, new_ghost, unset_silently
from cormorant.observability.performance import PerformanceTracker
from cormorant.persistence import context, loader
from cormorant.persistence.accept import Acceptance, restore
from cormorant.persistence.changes import ChangeSet, collect
from cormorant.persistence.flush import FlushResult, FlushRun
from cormorant.persistence.flush_plan import FlushPlan, plan_flush
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.transaction import Level, Options, TransactionStack
from cormorant.persistence.unit_of_work import UnitOfWork
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
        self.unit = UnitOfWork(self, self.identity)
        self.transactions = TransactionStack(database, self.tracker, options)
        self.frame: context.Frame[SessionState] = context.Frame(self, None, "session")
        self.closed = False
        self.closed_at = ""
        self.number = 0
        self._flush_lock = asyncio.Lock()
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

    def check_owner(self, verb: str) -> None:
        """Refuses a transaction verb from outside of the innermost block.

        Raises:
            SessionTaskError: Naming both blocks.
        """
        cell = context.innermost()
        while cell is not None and (cell.frame is None or cell.frame.state is not self):
            cell = cell.parent
        mine = self.root_frame if cell is None or cell.frame is None else cell.frame
        if mine is not self.frame:
            raise SessionTaskError(
                f"{verb} by {context.task_name()} at {context.caller()}, while {self.frame} is open",
                hint="end that block first, or give this task a session of its own: async with AsyncSession()",
            )

    @property
    def root_frame(self) -> context.Frame[SessionState]:
        """The session's own frame."""
        frame = self.frame
        while frame.parent is not None:
            frame = frame.parent
        return frame

    # ---- reading

    async def fetch(self, spec: QuerySpec, *, autoflush: bool = True) -> list[Any]:
        """Runs a query and gives its rows in the form it asks for."""
        self.check_usable()
        prepared = self.database.prepare(spec)
        if autoflush and self._concerns(prepared):
            await self.flush()
        self.number = number = self.number + 1
        rows = await self.transactions.fetch(prepared.sql, prepared.encode(spec.values))
        return prepared.loader(rows, self.identity.of, Origin(self, number))

    def _concerns(self, prepared: PreparedQuery) -> bool:
        """Whether pending changes could show in a query's rows."""
        unit = self.unit
        if unit.is_empty:
            return False
        # what a delete takes along by on_delete can be in any table
        return bool(self.autocommit or unit.deleted) or not prepared.tables.isdisjoint(unit.tables())

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions and gives the number of rows."""
        self.check_usable()
        prepared = self.database.prepare(spec)
        if self._concerns(prepared):
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
        self.transactions.note_write(self.number)
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

    # ---- flushing

    async def flush(self) -> None:
        """Writes what is pending; in autocommit mode in a transaction of its own."""
        self.check_usable()
        if self.autocommit and not self.transactions.is_open:
            await self.commit()
        else:
            await self._flush(lone=False)

    async def _flush(self, *, lone: bool) -> None:
        async with self._flush_lock:
            changes = self.changes()
            if changes:
                await self._run(changes, lone=lone)
            self._settle_unchanged()

    def changes(self) -> ChangeSet:
        """Gives what a flush would write, as values."""
        self.find_changes_inside()
        self.unit.cascade()
        unit = self.unit
        return collect(
            list(unit.new.values()),
            list(unit.dirty.values()),
            list(unit.deleted.values()),
            list(unit.collections.values()),
        )

    def plan(self, changes: ChangeSet) -> FlushPlan:
        """Gives the statements that a flush would send."""
        dialect, version = self.database.dialect, self.database.adapter.server_version

        def insert_mode(*, key_given: bool, ascending: bool) -> Any:
            return dialect.insert_mode(version, key_given=key_given, ascending=ascending)

        return plan_flush(changes, insert_mode, batches=dialect.supports_array_binds)

    async def _run(self, changes: ChangeSet, *, lone: bool) -> None:
        self.number = number = self.number + 1

        async def send(connection: Connection) -> FlushResult:
            # the server's version is known once a connection is open, and decides how batches are matched
            return await FlushRun(self.database, connection, self.tracker).run(self.plan(changes))

        if lone and not self.transactions.is_open and is_lone(changes):
            result = await self.transactions.use_alone(send)
        else:
            self.transactions.begin_implicit()
            self.transactions.note_write(number)
            result = await self.transactions.use(send)
        origin = Origin(self, number)
        Acceptance(self.unit, self.identity, origin, self.transactions.log).accept(changes, result)

    def _settle_unchanged(self) -> None:
        """Forgets objects whose columns were written and ended as they were."""
        for instance in list(self.unit.dirty.values()):
            changes = instance.__orm_changes__
            if changes and all(getattr(instance, name, None) is value for name, value in changes.items()):
                restore(instance, {})
                self.unit.dirty.pop(id(instance), None)

    def find_changes_inside(self) -> None:
        """Finds changes inside JSON documents and arrays, which no assignment tells of."""
        decoder = self.database.dialect.decoder
        for info in self.identity.models():
            if info.mutable_columns:
                columns = readers(info, decoder)
                for instance in self.identity.of(info).values():
                    find_changes_inside(instance, columns)

    # ---- transactions

    async def commit(self) -> None:
        """Writes what is pending and commits. One row needs no transaction: the server alone decides its success."""
        self.check_usable()
        try:
            await self._flush(lone=True)
            if self.transactions.is_open:
                await self.transactions.commit()
        except BaseException:
            # a failed COMMIT has undone everything at the server; a failed flush waits for rollback()
            if self.transactions.is_open and self.transactions.connection is None:
                self.undo(await self.transactions.rollback())
            raise

    async def rollback(self) -> None:
        """Rolls the transaction back and gives objects the values they had before it."""
        if self.transactions.is_open:
            self.undo(await self.transactions.rollback())
        else:
            self.undo(Level(None, explicit=False))

    def undo(self, level: Level) -> None:
        """Puts objects back as they were when a block began."""
        self.find_changes_inside()
        for instance in list(self.unit.dirty.values()):
            restore(instance, instance.__orm_changes__ or {})
            self.unit.dirty.pop(id(instance), None)
        # entering an inner block writes what is pending, so what is pending now came up inside of it
        self.unit.forget_pending()
        for undo in reversed(level.undo):
            undo()
        if level.first_number is not None:
            self._unload_since(level.first_number)

    def _unload_since(self, number: int) -> None:
        """Makes references of what was loaded after the first write: it may show rows that are gone."""
        for instance in list(self.identity):
            origin = instance.__orm_origin__
            if origin is not None and origin.number > number:
                unload(instance, Origin(self, 0))

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
        level = self.transactions.begin(options)
        return level

    async def leave_block(self, level: Level, *, failed: bool) -> None:
        """Ends a block: flush and commit it, or roll it back."""
        if failed:
            self.undo(await self.transactions.rollback())
            return
        try:
            await self._flush(lone=False)
            await self.transactions.commit()
        except BaseException:
            if level in self.transactions.levels:
                self.undo(await self.transactions.rollback())
            raise

    async def close(self, *, failed: bool) -> None:
        """Ends the session: commits, or rolls back; frees the identity map."""
        try:
            if failed:
                await self._roll_back_everything()
            else:
                await self._commit_at_exit()
        finally:
            self.closed = True
            self.closed_at = context.caller()
            self.identity.clear()
            self.unit.clear()

    async def _commit_at_exit(self) -> None:
        try:
            await self.commit()
        except BaseException:
            await self._roll_back_everything()
            raise

    async def _roll_back_everything(self) -> None:
        while self.transactions.is_open:
            self.undo(await self.transactions.rollback())

    def forget(self, instances: Iterable[Model]) -> None:
        """Takes objects out of the session."""
        for instance in instances:
            self.unit.forget(instance)


def default_options(isolation: IsolationLevel | None, *, read_only: bool) -> Options:
    """Gives how a session's transactions begin."""
    return Options(isolation, read_only)


def is_lone(changes: ChangeSet) -> bool:
    """Whether one statement writes everything and the server alone decides its success: it needs no BEGIN."""
    rows = len(changes.inserts) + len(changes.updates) + len(changes.deletes) + len(changes.links)
    return rows == 1


def unload(instance: Model, origin: Origin) -> None:
    """Makes an instance a reference: nothing but its key."""
    info: ModelInfo = type(instance).__info__
    from_ghost = info.ghost
    for name in info.fields:
        if name not in info.key_attributes:
            unset_silently(instance, name)
    unset_silently(instance, "__orm_raw__")
    restore(instance, {})
    object.__setattr__(instance, "__orm_related__", None)
    object.__setattr__(instance, "__orm_origin__", origin)
    object.__dict__["__class__"].__set__(instance, from_ghost)
