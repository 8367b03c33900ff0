"""Reads a query's rows in chunks, and forgets the objects of each chunk before the next one comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from cormorant.adapters.base import Row
from cormorant.models.many import count_of_rows
from cormorant.models.state import Origin
from cormorant.observability.performance import asking
from cormorant.persistence import locking, prefetch
from cormorant.persistence.arguments import raw_text, sent_as
from cormorant.persistence.cursors import StreamCursor
from cormorant.persistence.passing import Passing
from cormorant.persistence.transaction import find_level
from cormorant.persistence.writer import refuse_portions
from cormorant.query.cursors import Place
from cormorant.query.paging import Paging, goes_on_by_key, paging_of
from cormorant.query.spec import QuerySpec
from cormorant.sql.expr import is_expr
from cormorant.sql.raw import parse
from cormorant.sql.raw_source import one_select

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState

T = TypeVar("T")


async def chunks(state: SessionState, spec: QuerySpec, size: int) -> AsyncGenerator[list[Any], None]:
    """Gives a query's rows, at most `size` at a time, in the form it asks for.

    Outside of a transaction each chunk is a statement that goes on behind the last row, and no connection is held in
    between. Inside of one, or where rows have no place to go on behind, one statement is read in chunks.
    """
    state.check_usable()
    if spec.keep is not None:
        spec = spec.changed((), (), keep=None)
    transactions = state.transactions
    await find_level(transactions)
    held = transactions.is_open or transactions.keeps_snapshots or spec.lock is not None
    paged = not held and goes_on_by_key(spec)
    found = _by_key(state, paging_of(state.reader.scoped(spec)), size) if paged else _at_once(state, spec, size)
    passing = Passing(state.unit, state.database.dialect.decoder) if _gives_objects(spec) else None
    rows: list[Any] = []
    async with aclosing(found):
        try:
            async for rows in found:
                yield rows
                state.check_usable()
                if passing is not None:
                    passing.release(rows)
                rows = []
        finally:
            if passing is not None and not state.closed:
                passing.release(rows)


def _gives_objects(spec: QuerySpec) -> bool:
    return spec.columns is None or bool(spec.collections) or not all(map(is_expr, spec.columns))


async def _by_key(state: SessionState, paging: Paging, size: int) -> AsyncGenerator[list[Any], None]:
    left = size if paging.spec.limit is None else paging.spec.limit.value
    place: Place | None = None
    while left > 0:
        wanted = min(size, left)
        rows, beside = await state.reader.fetch_beside(paging.ask(wanted, place))
        if rows:
            place = Place(beside[len(rows) - 1])
            yield rows
        if len(rows) < wanted:
            return
        left -= 0 if paging.spec.limit is None else wanted


async def _at_once(state: SessionState, spec: QuerySpec, size: int) -> AsyncGenerator[list[Any], None]:
    if state.scopes is not None or spec.lifted:
        spec = spec.scoped(state.scopes)
    prepared, locks = state.database.prepare(spec), spec.lock is not None
    refuse_portions(prepared)
    if locks:
        locking.check_can_lock(state)
        await locking.flush_before(state, prepared.tables)
    elif not state.unit.is_empty and state.unit.concerns(prepared.tables):
        await state.flush()
    # a row is as old as the statement, however late it is read; one that is locked is as it is now
    number, caller = next(state.numbers), asking()
    cursor = StreamCursor(state.transactions, prepared.sql, prepared.arguments(spec), caller, keeps_locks=locks)
    async with aclosing(_rows(state, cursor, size)) as found:
        async for rows in found:
            number = next(state.numbers) if locks else number
            origin = Origin(state, number, lifted=bool(spec.lifted), rows=len(rows), caller=caller)
            made = prepared.loader(rows, state.identity.of, origin, state.identity.remember)
            if locks:
                locking.refuse_changed(made)
            yield await prefetch.complete(state, spec, made)


def raw_chunks(
    state: SessionState, sql: object, params: object, size: object
) -> AsyncGenerator[list[tuple[Any, ...]], None]:
    """Gives the rows of a raw SELECT, at most `size` at a time.

    Raises:
        QueryError: It is not one SELECT, or the parameters do not fit.
    """
    statement = parse(one_select(raw_text(sql), "stream()"))
    text, args = sent_as(statement, params, state.database.dialect)
    return _raw(state, text, args, count_of_rows("stream", size))


async def each_of(chunks: AsyncGenerator[list[T], None]) -> AsyncGenerator[T, None]:
    """Gives the rows of chunks one after another."""
    # closed here, where the loop is left: nobody else knows of it
    async with aclosing(chunks):
        async for rows in chunks:
            for row in rows:
                yield row


async def _raw(
    state: SessionState, sql: str, args: Sequence[Any], size: int
) -> AsyncGenerator[list[tuple[Any, ...]], None]:
    state.check_usable()
    state.unit.find_changes_inside()
    if not state.unit.is_empty:
        await state.flush()
    async with aclosing(_rows(state, StreamCursor(state.transactions, sql, args, asking()), size)) as found:
        async for rows in found:
            yield list(map(tuple, rows))


async def _rows(state: SessionState, cursor: StreamCursor, size: int) -> AsyncGenerator[Sequence[Row], None]:
    """Gives what a statement gives, chunk by chunk, and ends it."""
    try:
        count = size
        while count == size:
            rows = await cursor.fetch(size)
            state.check_usable()
            if count := len(rows):
                yield rows
    finally:
        await cursor.close()
        if state.autocommit and cursor.has_left_open:
            # what was written meanwhile had joined it
            await (state.blocks.commit() if state.transactions.levels[0].cause is None else state.blocks.rollback())
