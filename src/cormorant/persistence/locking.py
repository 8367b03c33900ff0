"""Reads that lock what they read: in the transaction, and applied whatever else was read meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cormorant.errors import StaleObjectError, TransactionError
from cormorant.models.state import Origin
from cormorant.observability.performance import asking
from cormorant.persistence import prefetch
from cormorant.persistence.noting import note_tables, noted
from cormorant.persistence.passing import objects_in
from cormorant.persistence.transaction import settled
from cormorant.query.beside import Beside
from cormorant.query.spec import QuerySpec

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


def check_can_lock(state: SessionState) -> None:
    """Refuses a lock that would not hold.

    Raises:
        TransactionError: No transaction would keep it, or the one there is only reads.
    """
    transactions = state.transactions
    if (transactions.begin_with if transactions.is_open else transactions.options).read_only:
        raise TransactionError(
            "for_update() and for_share() in a transaction that is read only", hint="lock in one that may write"
        )
    if state.autocommit and not transactions.is_open:
        raise TransactionError(
            "for_update() and for_share() in autocommit mode: the lock would end with the query",
            hint="keep it for a block: async with session.transaction()",
        )


async def flush_before(state: SessionState, tables: frozenset[str]) -> None:
    """Writes what is pending for tables whose rows are going to be locked.

    Changes of their objects are not written: they may rest on what others have changed since.
    """
    unit = state.unit
    unit.find_changes_inside()
    changed = any(type(instance).__info__.table in tables for instance in unit.dirty.values())
    if not changed and not unit.is_empty and unit.concerns(tables):
        await state.flush()


def refuse_changed(rows: Iterable[Any]) -> None:
    """Refuses rows whose objects have changes that were made before they were locked.

    Raises:
        StaleObjectError: Naming the first of them.
    """
    for instance in objects_in(rows):
        if instance.__orm_changes__:
            raise StaleObjectError(
                f"{instance!r} has unsaved changes to {', '.join(instance.__orm_changes__)}, made before it was locked",
                hint="lock first and change then, or flush before",
            )


async def fetch_locked(state: SessionState, spec: QuerySpec, beside: list[Beside] | None) -> list[Any]:
    """Runs a query that locks its rows, in the transaction, which is begun for it."""
    check_can_lock(state)
    caller = asking()
    await settled(state.transactions)
    if state.scopes is not None or spec.lifted:
        spec = spec.scoped(state.scopes)
    prepared = state.database.prepare(spec)
    await flush_before(state, prepared.tables)
    if prepared.writes:
        state.writer.note()
        if state.database.caches.backends:
            note_tables(noted(state.transactions), prepared.tables)
    database, tracker, args = state.database, state.tracker, prepared.arguments(spec)
    if tracker.budget is not None:
        # before it can fail the block that it is in
        tracker.budget.check()
    rows = await state.transactions.use(lambda c: database.fetch(c, tracker, prepared.sql, args, caller=caller))
    state.check_usable()
    if tracker.budget is not None:
        tracker.budget.take(len(rows))
    if beside is not None:
        beside.append(Beside(rows, prepared.beside))
    # newer than all that was read while it waited for others
    origin = Origin(state, next(state.numbers), lifted=bool(spec.lifted), rows=len(rows), caller=caller)
    found = prepared.loader(rows, state.identity.of, origin, state.identity.remember)
    refuse_changed(found)
    return await prefetch.complete(state, spec, found)
