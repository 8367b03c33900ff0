"""A session's state: what one `async with AsyncSession()` block knows and holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from cormorant._internal.frames import NOWHERE, Place, place
from cormorant.adapters.base import RawRows
from cormorant.database import Database
from cormorant.database.caching import Cache
from cormorant.errors import ForeignInstanceError, SessionClosedError, SessionTaskError
from cormorant.hooks.dispatcher import hook_around, running
from cormorant.models.collections import Collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.scopes import Scope, Scopes
from cormorant.models.state import LinkVerb, Origin, is_ghost, new_ghost, set_attribute
from cormorant.observability.budgets import Budget
from cormorant.observability.performance import PerformanceTracker, asking
from cormorant.persistence import context, loader, locking, m2m, prefetch
from cormorant.persistence.blocks import Blocks, end
from cormorant.persistence.cached import CachedReads
from cormorant.persistence.hooking import refuse_in_hooks
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.levels import Options
from cormorant.persistence.noting import note_raw
from cormorant.persistence.parts import Parts, finish, is_untouched
from cormorant.persistence.reading import Reading
from cormorant.persistence.repeats import note_single
from cormorant.persistence.transaction import TransactionStack, other_readers, settled
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.beside import Beside
from cormorant.query.queryset import QuerySet
from cormorant.query.spec import QuerySpec


class SessionState(Parts):
    """Identity map, unit of work and transaction of one entered session.

    Args:
        handle: The session it was entered by.
        database: What it works on.
        options: How its transactions begin.
        autocommit: Every flush is a transaction of its own.
        scopes: Its default scopes, besides the database's.
        timeout: Seconds that a statement has; None sets no limit.
        performance_threshold: How often one line may load things one by one; the database's if not given.
        budget: What its statements have to stay within.
        cache: Its second-level cache.
        opened: The place where the block begins; the caller's if not given.
    """

    def __init__(
        self,
        handle: object,
        database: Database,
        options: Options,
        *,
        autocommit: bool,
        scopes: Sequence[Scope[Any]] = (),
        timeout: float | None = None,
        performance_threshold: int | None = None,
        budget: Budget | None = None,
        cache: Cache | None = None,
        opened: Place | None = None,
    ) -> None:
        self.scopes: Scopes | None = Scopes((*database.scopes, *scopes)) if database.scopes or scopes else None
        self.handle = handle
        self.database = database
        self.autocommit = autocommit
        # a sync session is entered outside of its loop, and sets it
        self.loop: asyncio.AbstractEventLoop | None = context.running_loop()
        self.frame: context.Frame[SessionState] = context.Frame(self, None, "session", opened, self.loop)
        self.tracker: PerformanceTracker = database.tracker.for_session()
        self.tracker.budget = budget
        self.identity: IdentityMap = IdentityMap()
        self.known: Callable[[ModelInfo, Any], Model | None] = self.identity.get
        # counts its statements
        self.numbers: count[int] = count(1)
        self.transactions: TransactionStack = TransactionStack(
            database, self.tracker, options, self.check_usable, self.frame, timeout
        )
        # once they are made
        self.made_unit: UnitOfWork | None = None
        self.made_blocks: Blocks | None = None
        self.closed: bool = False
        self.closed_at: Place = NOWHERE
        # a sync session sets it: has a coroutine run on the loop while the caller waits; False where nobody may wait
        self.wait: Callable[..., bool] | None = None
        self.reader: Reading = Reading(self)
        self.cached: CachedReads | None = None if cache is None else CachedReads(self, cache)
        self.threshold: int = performance_threshold or database.performance_threshold

    # ---- who may do what

    def check_usable(self) -> None:
        """Refuses a closed session, another event loop and another thread.

        Raises:
            SessionClosedError: The block has ended.
            SessionTaskError: The caller runs elsewhere.
        """
        if self.closed:
            raise SessionClosedError(
                f"the session is closed: {self.ended}; it is used by {context.used_here()}",
                hint="open a session of its own for work that goes on: `async with AsyncSession()`",
            )
        if context.running_loop() is not self.loop:
            where = "another event loop" if context.running_task() else "the thread of its event loop"
            raise SessionTaskError(
                f"{self.frame} belongs to {where}, and is used by {context.used_here()}",
                hint="open a session on the loop that uses it; functions that run in threads use Session",
            )

    @property
    def ended(self) -> context.Ended:
        """Where the block began and where it ended, for messages."""
        root = self.frame if self.frame.parent is None else self.frame.root
        # made by no function of Python's: every session tells it
        facts = (root.task, root.place, self.closed_at)
        return tuple.__new__(context.Ended, facts)  # pyright: ignore[reportUnknownMemberType]

    def check_owner(self, verb: str, *, alone: bool = True) -> None:
        """Refuses a transaction verb from outside of the innermost block, or while another task waits for a statement.

        Args:
            verb: What is refused, for messages.
            alone: No other task may be waiting for a statement.

        Raises:
            SessionTaskError: Naming both.
        """
        cell = context.current.get()
        nearest = cell is not None and cell.frame() is self.frame
        mine = self.frame
        if not nearest:
            mine = mine.innermost_for(context.innermost_frame(mine.state) or mine.root)
        transactions = self.transactions
        if nearest and not (transactions.in_flight or transactions.cursors):
            return
        busy = (transactions.others_in_flight or other_readers(transactions)) if alone else []
        if mine is self.frame and not busy:
            return
        other = (
            f"{self.frame} is open" if mine is not self.frame else f"{context.whereabouts(busy[0])} uses the session"
        )
        inside = "" if mine is self.frame else f", inside of {mine}"
        raise SessionTaskError(
            f"{verb} by {context.used_here()}{inside}, while {other}",
            hint="end that first, or give this task a session of its own: async with AsyncSession()",
        )

    # ---- reading

    async def fetch(
        self, spec: QuerySpec, *, autoflush: bool = True, beside: list[Beside] | None = None, whole: bool = True
    ) -> list[Any]:
        """Runs a query and gives its rows in the form it asks for; what was read beside them goes to `beside`.

        Args:
            spec: The query.
            autoflush: Write what is pending for its tables before.
            beside: Takes what was read beside the rows.
            whole: With what further statements bring.
        """
        self.check_usable()
        if spec.keep is not None and self.cached is not None:
            return await self.cached.fetch(spec, beside, autoflush=autoflush)
        if spec.lock is not None and spec.mode == "rows":
            return await locking.fetch_locked(self, spec, beside)
        if self.scopes is not None or spec.lifted:
            spec = spec.scoped(self.scopes)
        prepared = self.database.prepare(spec)
        if autoflush and (self.made_unit is not None or self.identity.documents):
            unit = self.unit
            pending = unit.new or unit.dirty or unit.deleted or unit.collections or self.identity.documents
            if pending and unit.concerns(prepared.tables):
                await self.flush()
        number = next(self.numbers)
        caller = asking()
        if spec.single is not None:
            note_single(self, spec.single, spec.mode, caller)
        if prepared.writes:
            rows = await self.writer.fetch(prepared, spec, caller, whole=beside is None)
        else:
            rows = await self.transactions.fetch(prepared.sql, prepared.arguments(spec), caller)
            if self.tracker.budget is not None:
                self.tracker.budget.take(len(rows))
        if self.closed:
            self.check_usable()
        if beside is not None:
            beside.append(Beside(rows, prepared.beside))
        origin = Origin(self, number, lifted=bool(spec.lifted), rows=len(rows), caller=caller)
        found = prepared.loader(rows, self.identity.of, origin, self.identity.remember)
        if prepared.further and whole:
            return await prefetch.complete(self, spec, found)
        return found

    def shows(self, instance: Model) -> bool:
        """Whether a known instance can be given without a query: it is whole, and was not found by lifting a scope."""
        if is_ghost(instance):
            return False
        origin = instance.__orm_origin__
        return self.scopes is None or origin is None or not origin.lifted

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions and gives the number of rows."""
        return await self.writer.write(spec)

    async def raw(self, sql: str, args: Sequence[Any], *, write: bool) -> RawRows:
        """Runs raw SQL; what may write opens a transaction."""
        self.check_usable()
        if self.made_unit is not None or self.identity.documents:
            self.unit.find_changes_inside()
            if not self.unit.is_empty:
                await self.flush()
        caller = asking()
        if write:
            work = partial(self.database.query, tracker=self.tracker, sql=sql, args=args, caller=caller)
            found = await self.writer.send(work, lambda what: note_raw(what, sql))
        else:
            found = await self.transactions.query(sql, args, caller)
            if self.tracker.budget is not None:
                self.tracker.budget.take(len(found.rows))
        return found

    # ---- what instances ask of their owner

    def touched(self, instance: Model) -> None:
        """Notes the first change of an instance."""
        if not self.closed:
            if self.identity.has_let_go:
                try:
                    self.identity.take_back(instance)
                except ForeignInstanceError:
                    # not changed after all
                    set_attribute(instance, "__orm_changes__", None)
                    raise
            self.unit.touched(instance)

    def opened(self, instance: Model) -> None:
        """Notes that somebody has a document of an instance, and may change it inside."""
        if not self.closed and (not self.identity.has_let_go or instance in self.identity):
            self.identity.opened(instance)

    def collection_touched(self, collection: Collection[Any]) -> None:
        """Notes the first change of a collection."""
        if self.closed:
            raise SessionClosedError(
                f"{collection!r} cannot be changed: its session is closed",
                hint="load the object in the session that is to save the change",
            )
        self.identity.take_back(collection.owner)
        self.unit.collection_touched(collection)

    def shown(self, instance: Model, name: str) -> None:
        """Remembers what the other side of a relation shows, before that changes."""
        if not self.closed:
            self.unit.history.keep_side(instance, name)

    def reached(self, instance: Model) -> None:
        """Takes in an object that one of this session's leads to now."""
        if not self.closed:
            self.unit.add(instance)

    def reference(self, relation: RelationInfo, key: Any, beside: Model) -> Model:
        """Gives the known instance of a key, or a reference to it."""
        info = relation.target
        known = self.identity.of(info)
        found: Model | None = known.get(key)
        if found is None:
            values = (key,) if len(info.key_attributes) == 1 else key
            origin = Origin(self, 0, beside=(beside, relation))
            found = new_ghost(info, dict(zip(info.key_attributes, values, strict=True)), origin)
            if not self.closed:
                known[key] = found
        assert found is not None
        return found

    async def load(self, instance: Model) -> None:
        """Fills a reference, and the siblings it was read beside."""
        self.check_usable()
        self.identity.take_back(instance)
        await self.loads.reference(instance)

    async def load_relation(self, instance: Model, relation: RelationInfo) -> None:
        """Loads a relation on the other side of an instance and of its siblings."""
        self.check_usable()
        await self.loads.relation(instance, relation)

    def load_now(self, instance: Model, relation: RelationInfo | None = None) -> bool:
        """Loads a reference, or a relation, while it is read: in a sync session, outside of its loop."""
        if self.wait is None or self.closed:
            return False
        return self.wait(self.load, instance) if relation is None else self.wait(self.load_relation, instance, relation)

    def members(self, instance: Model, relation: RelationInfo) -> QuerySet[Any]:
        """Gives the query of a to-many relation's objects, to be awaited.

        Raises:
            SessionTaskError: The session is a sync one, and the caller has nothing to await it with.
        """
        if self.wait is not None and context.running_loop() is not self.loop:
            name = f"{type(instance).__name__.lower()}.{relation.name}"
            raise SessionTaskError(
                f"{relation.place}.filter(), count() and exists() are awaited, and this is a sync session",
                hint=f"ask the session, which waits by itself: session.query({name}).count()",
            )
        return QuerySet(loader.members(relation, instance), self)

    def link(
        self, verb: LinkVerb, instance: Model, relation: RelationInfo, items: Sequence[Model] = ()
    ) -> Awaitable[None]:
        """Makes or drops links of a many-to-many relation at once; in a sync session it is done on return."""
        work = partial(m2m.link, self, verb, instance, relation, items)
        return m2m.DONE if self.wait is not None and self.wait(work) else work()

    # ---- writing

    async def flush(self) -> None:
        """Writes what is pending; not inside of a hook, which is part of a flush itself."""
        if (work := flushing(self)) is not None:
            await work

    async def close(self, *, failed: bool, at: Place | None = None) -> None:
        """Ends the session: commits, or rolls back; frees the identity map.

        Args:
            failed: Roll back.
            at: The place where the block ends; the caller's if not given.
        """
        try:
            if not is_untouched(self):
                await end(self.blocks, self.frame.check_ended, failed=failed)
        finally:
            finish(self, place() if at is None else at)


class EndedState(SessionState):
    """What a state is once nobody is in its block any more: it has let go of what has worked for it."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            self.check_usable()
            raise AttributeError(f"{SessionState.__name__!r} object has no attribute {name!r}", name=name, obj=self)


def flushing(state: SessionState, *, asked: bool = False) -> Coroutine[Any, Any, object] | None:
    """Gives the flush to be awaited; None inside of a hook, which is part of a flush itself.

    Args:
        state: The session.
        asked: The user has asked for it, rather than a query that needs it.

    Raises:
        FlushError: It was asked for inside of a hook.
    """
    state.check_usable()
    if running.get() is not None and hook_around(state) is not None:
        if asked:
            refuse_in_hooks(state, "flush()")
        return None
    # most flushes, without a coroutine in between
    return state.flusher.flush() if not (state.autocommit or state.transactions.ending) else _flush_in_turn(state)


async def _flush_in_turn(state: SessionState) -> None:
    if not state.autocommit:
        await settled(state.transactions)
        await state.flusher.flush()
        return
    # each flush is a transaction of its own: one that fails must not undo another task's
    async with state.turn:
        await state.blocks.flush()
