"""Runs a flush: plans it, resolves keys made on the way, sends each step, and finds each returned row's object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Protocol, cast

from cormorant.adapters.base import Connection, CountingConnection, Row
from cormorant.adapters.fair_lock import FairLock
from cormorant.database import Database
from cormorant.database.invalidation import Invalidation
from cormorant.errors import FlushError, ForeignKeyViolation, StaleObjectError
from cormorant.hooks.dispatcher import registrations, running
from cormorant.models.metadata import ColumnInfo
from cormorant.models.model import Model
from cormorant.observability.performance import PerformanceTracker, asking
from cormorant.observability.shapes import Caller
from cormorant.persistence.accept import Acceptance, settle_unchanged
from cormorant.persistence.cascades import children_named, takes_its_own
from cormorant.persistence.changes import (
    ChangeSet,
    DeleteChange,
    FlushResult,
    InsertChange,
    PendingKey,
    UpdateChange,
)
from cormorant.persistence.collecting import collected, gather
from cormorant.persistence.flush_plan import DeleteStep, FlushPlan, InsertStep, LinkStep, UpdateStep, plan_flush
from cormorant.persistence.hooking import HookRun, SessionHooks, refuse_in_hooks
from cormorant.persistence.noting import note_changes, noted
from cormorant.persistence.pairing import in_order
from cormorant.persistence.sending import counts, fetch_each, insert_each, write_all, write_each
from cormorant.persistence.single import Single, single_of
from cormorant.persistence.transaction import Overtaken, TransactionStack
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.prepared import PreparedWrite
from cormorant.sql.statements import Delete, Insert

# read by C, once for each row
_waiting: Callable[[InsertChange], tuple[str, ...]] = attrgetter("waiting")
_attribute: Callable[[ColumnInfo], str] = attrgetter("attribute")
_ordinal: Callable[[Row], int] = itemgetter(0)


class Use(Protocol):
    """Runs work on the connection of the open transaction."""

    async def __call__(self, work: Callable[[Connection], Awaitable[None]], /) -> object: ...


class FlushRun:
    """One run of a plan on one connection; touches no object."""

    __slots__ = ("caller", "connection", "database", "result", "tracker")

    def __init__(
        self, database: Database, connection: Connection, tracker: PerformanceTracker, caller: Caller | None
    ) -> None:
        self.database: Database = database
        self.connection: Connection = connection
        self.tracker: PerformanceTracker = tracker
        self.caller: Caller | None = caller
        self.result: FlushResult = FlushResult()

    async def run(self, plan: FlushPlan) -> FlushResult:
        """Sends every step in order.

        Raises:
            StaleObjectError: A row to change or delete was not there as it was loaded.
            DatabaseError: The database refused a step.
        """
        for step in plan.steps:
            prepared = self.database.prepare_write(step.statement)
            if isinstance(step, InsertStep):
                waits = any(map(_waiting, step.changes))
                await self._insert(step, prepared, self._resolved_inserts(step) if waits else step.rows)
                continue
            rows = step.rows
            if PendingKey in map(type, chain.from_iterable(rows)):
                rows = tuple(map(self._resolved, rows))
            if isinstance(step, UpdateStep):
                await self._update(step, prepared, rows)
            elif isinstance(step, DeleteStep):
                await self._delete(step, prepared, rows)
            else:
                await self._link(step, prepared, rows)
        return self.result

    def _resolved(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([self.result.value(value) if isinstance(value, PendingKey) else value for value in row])

    def _resolved_inserts(self, step: InsertStep) -> Sequence[tuple[Any, ...]]:
        """Gives the rows with the keys that they waited for."""
        waiting = {name for change in step.changes for name in change.waiting}
        columns, resolved = list(zip(*step.rows, strict=True)), dict(self.result.resolved)
        for place, name in enumerate(step.changes[0].values):
            if name in waiting:
                # many wait for one
                found = {id(value): value for value in columns[place] if isinstance(value, PendingKey)}
                resolved |= {key: self.result.value(pending) for key, pending in found.items()}
                columns[place] = tuple([resolved.get(id(value), value) for value in columns[place]])
        self.result.resolved = resolved
        return list(zip(*columns, strict=True))

    async def _only(self, prepared: PreparedWrite, rows: Sequence[Sequence[Any]]) -> Sequence[Row]:
        """Sends the statement of one row, and gives what comes back."""
        if not prepared.is_plain:
            rows = encode_rows(prepared.encoders, rows)
        database, connection, tracker, caller = self.database, self.connection, self.tracker, self.caller
        if counts(type(connection)):
            # which tells SQLite's connection that it is one row
            (found,) = await fetch_each(self, prepared, rows)
            return found
        return await database.fetch(connection, tracker, prepared.sql, rows[0], written=1, caller=caller)

    async def _batch(self, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]) -> Sequence[Row]:
        """Sends one statement with an array for each column."""
        columns = zip(prepared.encoders, zip(*rows, strict=True), strict=True)
        arrays = [list(column) if encode is None else encode(list(column)) for encode, column in columns]
        return await self.database.fetch(
            self.connection, self.tracker, prepared.sql, arrays, written=len(rows), caller=self.caller
        )

    # ---- inserts

    async def _insert(self, step: InsertStep, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]) -> None:
        found: Sequence[Row] = ()
        if step.statement.mode != "row":
            found = await self._batch(prepared, rows)
            if step.returned:
                found = in_order(step.statement, prepared, step.changes[0].info, rows, found)
        else:
            found = await self._insert_each(step, prepared, rows)
            if step.returned and not all(found):
                raise _dropped(next(change for change, row in zip(step.changes, found, strict=True) if not row))
        if step.returned:
            self._keep(step.changes, step.returned, prepared, found)

    async def _insert_each(
        self, step: InsertStep, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]
    ) -> Sequence[Row]:
        """Sends one statement for each row, and gives what each returns; nothing for a row that was not inserted."""
        if len(rows) == 1:
            return await self._only(prepared, rows) or [()]
        sent = rows if prepared.is_plain else encode_rows(prepared.encoders, rows)
        if step.returned:
            return await insert_each(self, step.statement, prepared, step.returned, sent)
        await write_all(self, prepared, sent)
        return ()

    def _keep(
        self,
        changes: Sequence[InsertChange | UpdateChange],
        columns: Sequence[ColumnInfo],
        prepared: PreparedWrite,
        rows: Sequence[Row],
    ) -> None:
        """Keeps what the database made of each change."""
        made, names = self.result, tuple(map(_attribute, columns))
        decoders = prepared.decoders[len(prepared.decoders) - len(columns) :]
        if any(decoders):
            rows = encode_rows(decoders, rows)
        only = names[0] if len(names) == 1 else None
        for change, row in zip(changes, rows, strict=True):
            values = {only: row[0]} if only is not None else dict(zip(names, row, strict=True))
            known = made.setdefault(id(change.instance), values)
            if known is not values:
                # a row may be written in two parts
                known.update(values)

    # ---- updates, deletes, links

    async def _update(self, step: UpdateStep, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]) -> None:
        if step.statement.batch:
            answer = await self._batch(prepared, rows)
            if not step.returned and len(set(map(_ordinal, answer))) == len(rows):
                return
            found = {row[0]: tuple(row)[1:] for row in answer}
        else:
            runs = await self._run_each(step, prepared, rows)
            if not step.returned and all(runs):
                return
            found = {place: run for place, run in enumerate(runs, 1) if run}
        if len(found) < len(step.changes):
            refuse_stale([change for place, change in enumerate(step.changes, 1) if place not in found])
        if step.returned:
            self._keep(step.changes, step.returned, prepared, [found[place + 1] for place in range(len(rows))])

    async def _run_each(
        self, step: UpdateStep | DeleteStep, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]
    ) -> Sequence[Any]:
        """Sends one statement for each row, and gives what each returns; nothing, or 0, where the row was not there."""
        if len(rows) == 1:
            return await self._only(prepared, rows) or [()]
        sent = rows if prepared.is_plain else encode_rows(prepared.encoders, rows)
        if isinstance(step, DeleteStep) or not step.returned:
            return await write_each(self, step.statement, prepared, sent)
        return [run[0] if run else () for run in await fetch_each(self, prepared, sent)]

    async def _delete(self, step: DeleteStep, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]) -> None:
        info = step.changes[0].info
        try:
            if step.statement.batch:
                found = {row[0] for row in await self._batch(prepared, rows)}
            else:
                runs = await self._run_each(step, prepared, rows)
                if all(runs):
                    return
                found = {place for place, run in enumerate(runs, 1) if run}
            missing = [change for place, change in enumerate(step.changes, 1) if place not in found]
            if missing and len(step.changes) > 1 and takes_its_own(info):
                # a delete before may have taken the row along, by way of rows that nobody knows
                missing = [change for change in missing if change.version is not None]
                if not step.statement.batch:
                    missing = [change for change in missing if await self._is_there(change, prepared)]
        except ForeignKeyViolation as error:
            raise children_named(error, info) from error
        refuse_stale(missing)

    async def _is_there(self, change: DeleteChange, prepared: PreparedWrite) -> bool:
        """Whether a row that was not deleted is there all the same, with another version than was loaded."""
        quote, placeholder, info = self.database.dialect.quote, self.database.dialect.placeholder, change.info
        where = [f"{quote(column.name)} = {placeholder(place)}" for place, column in enumerate(info.key_columns)]
        sql = f"SELECT 1 FROM {quote(info.table)} WHERE {' AND '.join(where)}"
        key = encode_row(prepared.encoders[: len(where)], change.key)
        return bool(await self.database.fetch(self.connection, self.tracker, sql, key, caller=self.caller))

    async def _link(self, step: LinkStep, prepared: PreparedWrite, rows: Sequence[tuple[Any, ...]]) -> None:
        statement = step.statement
        batch = statement.batch if isinstance(statement, Delete) else statement.mode != "row"
        if batch:
            await self._batch(prepared, rows)
        elif len(rows) == 1:
            await self._only(prepared, rows)
        else:
            sent = rows if prepared.is_plain else encode_rows(prepared.encoders, rows)
            if isinstance(statement, Delete):
                await write_each(self, statement, prepared, sent)
            else:
                await write_all(self, prepared, sent)


class Flusher:
    """Writes what is pending, one flush at a time.

    Args:
        unit: What is pending.
        hooks: The session's hooks.
    """

    __slots__ = ("__weakref__", "_caller", "_lock", "database", "hooks", "transactions", "unit")

    def __init__(
        self, database: Database, unit: UnitOfWork, transactions: TransactionStack, hooks: SessionHooks
    ) -> None:
        self.database: Database = database
        self.unit: UnitOfWork = unit
        self.transactions: TransactionStack = transactions
        self.hooks: SessionHooks = hooks
        self._lock = FairLock()
        # whose code asked for what is written now
        self._caller: Caller | None = None

    async def flush(self, *, lone: bool = False, use: Use | None = None) -> bool:
        """Writes what is pending, in a transaction.

        Args:
            lone: Nothing follows: what is one row needs no transaction, because the server alone decides its success.
            use: Runs work on the transaction's connection; the stack does unless told otherwise.

        Returns:
            Whether it was one row, which is committed.
        """
        if running.get() is not None:
            refuse_in_hooks(self.hooks.owner, "a flush")
        unit = self.unit
        pending = unit.new or unit.dirty or unit.deleted or unit.collections or unit.identity.documents
        if not (pending or self._lock.locked()):
            if self.hooks.version != registrations.version:
                self.hooks.refresh()
            self.hooks.has_news = False
            unit.forgotten.clear()
            if unit.spared:
                unit.keep_spared()
            return False
        # as `async with` does it, by two calls less
        if not self._lock.take():
            await self._lock.acquire()
        try:
            self.hooks.has_news = False
            one = self._single()
            if one is None:
                return await self._flush(unit, lone=lone, use=use)
            # most flushes, by the shortest way
            self._caller = asking()
            transactions = self.transactions
            try:
                if lone and transactions.allows_lone_writes:
                    await transactions.use_alone(partial(self._write_one, one, unit.history.undone))
                    return True
                write = partial(self._write_one, one, None)
                await (transactions.use(write, self._overtaken(unit.history.undone)) if use is None else use(write))
            except Overtaken:
                # nothing was sent, and something else is pending now
                return await self._flush(unit, lone=lone, use=use)
            return False
        finally:
            self._lock.release()

    async def _flush(self, unit: UnitOfWork, *, lone: bool, use: Use | None) -> bool:
        hooks, undone = None, unit.history.undone
        while True:
            try:
                gather(unit, unit.delete)
                hooks = hooks or self._hooks()
                if hooks is None:
                    changes = collected(unit)
                else:
                    changes = await hooks.prepare()
                    lone = lone and not hooks.needs_transaction(changes)
                # as of the moment in which they were collected: a hook may have undone something of its own before
                undone = unit.history.undone
                if changes.unchanged:
                    # before what the database does to their rows, which would be a change against theirs
                    settle_unchanged(unit, changes.unchanged)
                sent = self._send(changes, hooks, undone, lone=lone, use=use)
                if sent is not None:
                    await sent
            except Overtaken:
                # nothing was sent, and something else is pending now; only what was put back is told to hooks again
                if undone != unit.history.undone:
                    hooks = None
                continue
            break
        if hooks is not None:
            await hooks.after(changes)
        return False

    def _send(
        self, changes: ChangeSet, hooks: HookRun | None, undone: int, *, lone: bool, use: Use | None
    ) -> Awaitable[object] | None:
        """Has changes written; gives what is to be awaited, if anything is."""
        # what is refused is refused before anything is sent, and fails no transaction; the plan of one new object
        # refuses nothing, and is made once there is a connection: who waits for one may be cancelled
        plan = None if _is_one_new_object(changes) else self.plan(changes)
        if plan is None or plan.steps:
            # now: what is shielded runs in a task of its own, which nobody called
            self._caller = asking()
        transactions, work = self.transactions, self._write_in_transaction
        if lone and (plan is None or plan.is_single) and transactions.allows_lone_writes:
            return transactions.use_alone(partial(self._write_alone, changes, plan, hooks, undone))
        if plan is not None and not changes.rows:
            Acceptance(self.unit, self.unit.origin(), FlushResult()).accept(changes)
            return None
        if use is not None:
            # from inside of a block, which nobody else ends
            return use(lambda connection: work(connection, changes, plan, hooks))
        return transactions.use(lambda connection: work(connection, changes, plan, hooks), self._overtaken(undone))

    def _overtaken(self, undone: int) -> Callable[[], None]:
        """Gives what refuses to write once something has been put back that was read before."""
        history = self.unit.history

        def check() -> None:
            if history.undone != undone:
                raise Overtaken

        return check

    # ---- one row

    def _single(self) -> Single | None:
        """Gives the row to write, where it is the only one, and nobody else has to be asked or told."""
        hooks, version = self.hooks, registrations.version
        if hooks.version != version:
            hooks.refresh()
        if hooks.wide or self.database.caches.backends:
            return None
        one = single_of(self.unit)
        if one is None:
            return None
        info = one.change.info
        return None if info.hooks or info.hooks_version != version else one

    async def _write_one(self, one: Single, undone: int | None, connection: Connection) -> None:
        # `undone` says how often something had been put back when it was read, where the statement commits by itself
        unit, history, change = self.unit, self.unit.history, one.change
        if undone is None:
            history.note_write(next(unit.numbers))
        elif history.undone != undone:
            raise Overtaken
        result = FlushResult()
        try:
            prepared, sent = send_one(self.database, connection, self.transactions.tracker, one, self._caller)
            found = await sent
        except ForeignKeyViolation as error:
            if isinstance(change, DeleteChange):
                raise children_named(error, change.info) from error
            raise
        if not (found and found[0]):
            _refuse_no_row(one)
        elif one.write.returned:
            result[id(change.instance)] = made_of(one.write.returned, prepared, found[0])
        Acceptance(unit, unit.origin(), result).accept_one(change)
        if undone is not None:
            # the row is committed, whether or not the caller still waits
            ends = history.committed()
            if ends is not None or self.hooks.wide:
                self.hooks.committed(ends)

    # ---- the rest

    def _hooks(self) -> HookRun | None:
        """Gives what is to be called for the pending objects; None where no hook is registered for any of them."""
        unit, hooks, version = self.unit, self.hooks, registrations.version
        classes: set[type[Model]] = set(map(type, (*unit.new.values(), *unit.dirty.values(), *unit.deleted.values())))
        known = not hooks.wide and hooks.version == version
        for cls in classes if known else ():
            info = cls.__info__
            if info.hooks or info.hooks_version != version:
                known = False
        return None if known else hooks.run_for({cls.__info__ for cls in classes})

    async def _write_alone(
        self, changes: ChangeSet, plan: FlushPlan | None, hooks: HookRun | None, undone: int, connection: Connection
    ) -> None:
        if self.unit.history.undone != undone:
            raise Overtaken
        if self.database.caches.backends:
            await self._write_and_drop(connection, changes, plan, hooks)
        else:
            await self._write(connection, changes, plan, hooks)
        # the row is committed, whether or not the caller still waits
        ends = self.unit.history.committed()
        if ends is not None or self.hooks.wide:
            self.hooks.committed(ends)

    async def _write_and_drop(
        self, connection: Connection, changes: ChangeSet, plan: FlushPlan | None, hooks: HookRun | None
    ) -> None:
        note_changes(what := Invalidation(), changes)
        try:
            await self._write(connection, changes, plan, hooks)
        finally:
            # also where nobody knows whether it is committed
            await self.database.caches.invalidate(what)

    async def _write_in_transaction(
        self, connection: Connection, changes: ChangeSet, plan: FlushPlan | None, hooks: HookRun | None
    ) -> None:
        self.unit.history.note_write(next(self.unit.numbers))
        if self.database.caches.backends:
            note_changes(noted(self.transactions), changes)
        try:
            await self._write(connection, changes, plan, hooks)
        except StaleObjectError:
            if self.database.caches.backends:
                # what was cached may be what was stale, whoever wrote since
                await self.database.caches.invalidate(noted(self.transactions))
            raise

    async def _write(
        self, connection: Connection, changes: ChangeSet, plan: FlushPlan | None, hooks: HookRun | None
    ) -> None:
        if plan is None or plan.server_version != self.database.adapter.server_version:
            # it is known since a connection is open, and decides how batches are matched
            plan = self.plan(changes)
        result = await FlushRun(self.database, connection, self.transactions.tracker, self._caller).run(plan)
        Acceptance(self.unit, self.unit.origin(), result).accept(changes)
        if hooks is not None:
            hooks.note(changes)

    def plan(self, changes: ChangeSet) -> FlushPlan:
        """Gives the statements that a flush would send."""
        dialect, version = self.database.dialect, self.database.adapter.server_version
        return plan_flush(
            changes,
            partial(dialect.insert_mode, version),
            batches=dialect.supports_array_binds,
            deferrable=dialect.supports_deferrable_unique,
            server_version=version,
        )


def send_one(
    database: Database, connection: Connection, tracker: PerformanceTracker, one: Single, caller: Caller | None
) -> tuple[PreparedWrite, Awaitable[Sequence[Any]]]:
    """Gives what is to be awaited of one row's statement: it gives what came back of the row, or how many it wrote."""
    statement, _, silent = one.write
    prepared = database.prepare_write(statement)
    row = one.row if prepared.is_plain else encode_row(prepared.encoders, one.row)
    if silent is None or not counts(type(connection)):
        return prepared, database.fetch(connection, tracker, prepared.sql, row, written=1, caller=caller)
    counting = cast(CountingConnection, connection)
    run: Any = counting.insert_each if isinstance(silent, Insert) else counting.write_each
    text = database.prepare_write(silent).sql
    return prepared, cast(
        Awaitable[Sequence[Any]], database.run_each(partial(run, text), tracker, prepared.sql, (row,), caller)
    )


def encode_row(encoders: Sequence[Callable[[Any], Any] | None], row: Sequence[Any]) -> list[Any]:
    """Gives a row's values as the driver takes them."""
    return encode_rows(encoders, (row,))[0]


def encode_rows(encoders: Sequence[Callable[[Any], Any] | None], rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Gives rows' values as the driver takes them, or as objects have them."""
    found = list(map(list, rows))
    # most columns stay as they are
    for place, encode in enumerate(encoders):
        if encode is not None:
            for row in found:
                if (value := row[place]) is not None:
                    row[place] = encode(value)
    return found


def made_of(columns: Sequence[ColumnInfo], prepared: PreparedWrite, row: Row) -> dict[str, Any]:
    """Gives what the database has made of a row's columns, by attribute; they are the last ones it gives back."""
    count = len(columns)
    decoders = prepared.decoders[len(prepared.decoders) - count :]
    if count == 1 and decoders[0] is None:
        # most often a key
        return {columns[0].attribute: row[-1]}
    values = encode_row(decoders, row) if any(decoders) else row
    return dict(zip(map(_attribute, columns), values, strict=True))


def _refuse_no_row(one: Single) -> None:
    """Refuses that a statement gave no row back, where it had to."""
    if not isinstance(one.change, InsertChange):
        refuse_stale([one.change])
    elif one.write.returned:
        raise _dropped(one.change)


def _is_one_new_object(changes: ChangeSet) -> bool:
    others = changes.updates or changes.deletes or changes.links
    return len(changes.inserts) == 1 and not (others or changes.inserts[0].waiting)


def _dropped(change: InsertChange) -> FlushError:
    return FlushError(f"the row of {change.instance!r} was inserted and did not come back", hint="a trigger drops it")


def refuse_stale(missing: Sequence[UpdateChange | DeleteChange]) -> None:
    """Refuses to go on where rows were not found as they were loaded."""
    if not missing:
        return
    first = missing[0]
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    why = "deleted" if first.version is None else "changed or deleted"
    raise StaleObjectError(
        f"the row of {first.instance!r}{others} was {why} by someone else since it was loaded",
        hint="load it again and repeat the change, or run the whole unit of work again",
    )
