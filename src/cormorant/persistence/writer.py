"""What a session writes by statements of its own rather than by a flush: by query, in bulk, from a SELECT."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from cormorant.adapters.base import Connection, Row
from cormorant.database import PreparedQuery
from cormorant.database.invalidation import Invalidation
from cormorant.errors import QueryError, UniqueViolation
from cormorant.models.inside import find_changes_inside, readers
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import Origin, is_reference, is_set
from cormorant.observability.performance import asking
from cormorant.observability.shapes import Caller
from cormorant.persistence.accept import Acceptance
from cormorant.persistence.atomic import Atomic, Turn
from cormorant.persistence.bulk import BulkRun
from cormorant.persistence.changes import ChangeSet, DeleteChange, FlushResult
from cormorant.persistence.noting import note_table, note_tables, noted
from cormorant.persistence.transaction import Overtaken, settled
from cormorant.query.bulk import BulkWrite
from cormorant.query.spec import QuerySpec
from cormorant.sql.inner import homes_in, selects_of
from cormorant.sql.statements import InsertSelect

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState

T = TypeVar("T")


class StateWriter:
    """Writes for one session state.

    Args:
        state: The state.
    """

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self.turn: Turn = Turn()
        # counted, so that nobody undoes what others wrote
        self.sent: int = 0

    async def send(self, work: Callable[[Connection], Awaitable[T]], written: Callable[[Invalidation], None]) -> T:
        """Runs one statement that writes, in a transaction; in autocommit mode on its own.

        Args:
            work: Sends it.
            written: Notes for caches what it writes.
        """
        state = self.state
        caches = state.database.caches

        async def in_transaction(connection: Connection) -> T:
            self.note()
            self.sent += 1
            if caches.backends:
                written(noted(state.transactions))
            return await work(connection)

        async def alone(connection: Connection) -> T:
            self.note()
            self.sent += 1
            try:
                result = await work(connection)
            finally:
                if caches.backends:
                    written(what := Invalidation())
                    await caches.invalidate(what)
            # it is committed, whether or not the caller still waits
            hooks.committed(state.unit.history.committed())
            return result

        await settled(state.transactions)
        hooks = state.blocks.hooks
        # a session that only reads sends it in a transaction, which the database has refuse it
        if state.autocommit and not (state.transactions.is_open or state.transactions.options.read_only):
            with suppress(Overtaken):
                if not (caches.backends and caches.notifies):
                    return await hooks.then_due(state.transactions.use_alone(alone))
                # other processes are told by the transaction
                async with (block := self.atomic("a write")):
                    return await block.use(in_transaction)
        return await state.transactions.use(in_transaction)

    def note(self) -> None:
        """Remembers that something is written from now on."""
        self.state.unit.history.note_write(next(self.state.numbers))

    def atomic(self, verb: str) -> Atomic:
        """Gives the block around one write of several statements."""
        return Atomic(self, verb)

    def origin(self) -> Origin:
        """Gives what the objects of the next statement come from."""
        return Origin(self.state, next(self.state.numbers))

    async def flush(self) -> None:
        """Writes what is pending."""
        self.state.check_usable()
        self.state.unit.find_changes_inside()
        if not self.state.unit.is_empty:
            await self.state.flush()

    # ---- by query

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions and gives the number of rows; loaded objects follow it."""
        count, _ = await self._by_query(spec)
        return count

    async def write_rows(self, spec: QuerySpec) -> list[Any]:
        """Runs an UPDATE or DELETE by conditions and gives what its rows return; loaded objects follow it."""
        _, rows = await self._by_query(spec)
        return rows

    async def _by_query(self, spec: QuerySpec) -> tuple[int, list[Any]]:
        state = self.state
        state.check_usable()
        if state.scopes is not None or spec.lifted:
            spec = spec.scoped(state.scopes)
        caller = asking()
        followed, tail = self._followed(spec)
        prepared = state.database.prepare(followed)
        if state.unit.concerns(prepared.tables):
            await state.flush()
            followed, tail = self._followed(spec)
            prepared = state.database.prepare(followed)
        changes_keys = spec.mode == "delete" or any(a.column.attribute in spec.info.key_set for a in spec.assignments)

        def written(what: Invalidation) -> None:
            note_table(what, spec.info, dependent=changes_keys)

        if followed.columns == ():
            args = prepared.arguments(followed)
            work = partial(state.database.execute, tracker=state.tracker, sql=prepared.sql, args=args, caller=caller)
            return await self.send(work, written), []
        return await self.send(lambda c: self._returned(c, spec, followed, prepared, tail, caller), written)

    def _followed(self, spec: QuerySpec) -> tuple[QuerySpec, tuple[str, ...]]:
        """Gives the query with what loaded objects have to learn of its rows, and the names of those columns."""
        info = spec.info
        if spec.columns is None or not self.state.identity.of(info):
            return spec, ()
        names = info.key_attributes
        if spec.mode == "update":
            names = (*names, *_written(spec))
        columns = tuple(info.column(name) for name in names)
        return spec.changed(("follow", *names), (), columns=(*spec.columns, *columns), output="tuples"), names

    async def _returned(
        self,
        connection: Connection,
        spec: QuerySpec,
        followed: QuerySpec,
        prepared: PreparedQuery,
        tail: tuple[str, ...],
        caller: Caller | None,
    ) -> tuple[int, list[Any]]:
        state = self.state
        origin = Origin(state, next(self.state.numbers), lifted=bool(spec.lifted))
        args = prepared.arguments(followed)
        rows = await state.database.fetch(connection, state.tracker, prepared.sql, args, caller=caller)
        found = prepared.loader(rows, state.identity.of, origin, state.identity.remember)
        if spec.columns is None:
            if spec.mode == "delete":
                self.forget(spec.info, found)
            return len(found), found
        if tail:
            width = len(spec.columns)
            self._follow(spec, tail, [row[width:] for row in found], origin)
            found = [row[0] if spec.output == "scalars" else row[:width] for row in found]
        return len(found), found

    def _follow(self, spec: QuerySpec, names: tuple[str, ...], rows: list[Any], origin: Origin) -> None:
        """Makes loaded objects show what has become of their rows."""
        info = spec.info
        known = self.state.identity.of(info)
        key_of = itemgetter(*range(len(info.key_attributes)))
        loaded = [(known[key], row) for row in rows if (key := key_of(row)) in known]
        if spec.mode == "delete":
            self.forget(info, [instance for instance, _ in loaded])
            return
        mutable = readers(info, self.state.database.dialect.decoder)
        acceptance = Acceptance(self.state.unit, origin, FlushResult())
        for instance, row in loaded:
            if _is_older(instance, origin) and not (mutable and find_changes_inside(instance, mutable)):
                values = {n: v for n, v in zip(names, row, strict=True) if is_set(instance, n)}
                if len(values) > len(info.key_attributes):
                    acceptance.refreshed(instance, values)

    def forget(self, info: ModelInfo, instances: Iterable[Model]) -> None:
        """Takes objects whose rows are deleted out of the session, as a flush does."""
        unit = self.state.unit
        # a reference has nothing that could be wrong: who awaits it is told that its row is gone
        gone = [instance for instance in instances if not is_reference(instance)]
        for instance in gone:
            unit.delete(instance)
        deletes = [
            DeleteChange(instance, info, tuple(getattr(instance, n) for n in info.key_attributes), None)
            for instance in gone
        ]
        Acceptance(unit, self.origin(), FlushResult()).accept(ChangeSet(deletes=tuple(deletes)))

    async def fetch(
        self, prepared: PreparedQuery, spec: QuerySpec, caller: Caller | None, *, whole: bool
    ) -> Sequence[Row]:
        """Runs a query of which a part writes; `whole`: it is run once, for all of its rows."""
        if not whole:
            refuse_portions(prepared)
        state, args = self.state, prepared.arguments(spec)
        work = partial(state.database.fetch, tracker=state.tracker, sql=prepared.sql, args=args, caller=caller)
        return await self.send(work, lambda what: note_tables(what, prepared.tables))

    # ---- many rows, and one

    async def write_many(self, write: BulkWrite, rows: object) -> Any:
        """Inserts or upserts many rows: objects come back, of mappings what was asked for, or their number."""
        self.state.check_usable()
        return await self.bulk_run(write).run(rows)

    def bulk_run(self, write: BulkWrite) -> BulkRun:
        """Gives what writes many rows, for those who bring them in portions."""
        return BulkRun(self, write)

    async def insert_select(self, statement: InsertSelect, tables: frozenset[str]) -> int:
        """Inserts what a SELECT gives, and gives the number of rows."""
        state, caller = self.state, asking()
        state.check_usable()
        if any(home != state.database.number for home in homes_in(selects_of(statement.select))):
            raise QueryError(
                "insert_from() of a query that was made for another database",
                hint="read its rows, and write them: bulk_create(rows)",
            )
        if state.unit.concerns(tables):
            await state.flush()
        prepared = state.database.prepare_write(statement, state.scopes)
        args = [*prepared.first(statement), *prepared.last(state.scopes)]
        work = partial(state.database.execute, tracker=state.tracker, sql=prepared.sql, args=args, caller=caller)
        return await self.send(work, lambda what: what.add_new(statement.table))

    async def try_insert(self, instance: Model) -> UniqueViolation | None:
        """Adds an object and writes it; gives the error, and nothing has changed, where its row is there already."""
        block = self.atomic("get_or_create()")
        try:
            async with block:
                self.state.unit.add(instance)
                await self.state.flusher.flush(use=block.use)
        except UniqueViolation as error:
            return error
        return None


def refuse_portions(prepared: PreparedQuery) -> None:
    """Refuses to read rows in portions, or only to measure, where that would write, and write again.

    Raises:
        QueryError: A part of the query writes.
    """
    if prepared.writes:
        raise QueryError(
            "a part of the query writes: it gives all of its rows at once, and is no page, stream or measurement",
            hint="await query.all()",
        )


def _written(spec: QuerySpec) -> tuple[str, ...]:
    """Gives the attributes that an update writes, the database's own among them."""
    info = spec.info
    names = [item.column.attribute for item in spec.assignments]
    keys = [name for name in names if name in info.key_attributes]
    if keys:
        raise QueryError(
            f"update() sets {info.name}.{keys[0]}, a key, while the session holds {info.name} objects",
            hint="they would lose their rows: session.clear(), or use a session of its own",
        )
    return (*names, *(column.attribute for column in info.columns if column.spec.computed is not None))


def _is_older(instance: Model, origin: Origin) -> bool:
    known = instance.__orm_origin__
    return not instance.__orm_changes__ and known is not None and known.number < origin.number
