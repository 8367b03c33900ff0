"""What a session reads besides whole results: objects by key and at hand, pages, streams, how a query would be run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cormorant.database import PreparedQuery
from cormorant.errors import CompileError, NotFoundError
from cormorant.models.describing import shown_key
from cormorant.models.keys import checked_key
from cormorant.models.model import Model
from cormorant.models.state import Origin, is_reference, row_key_of
from cormorant.observability.performance import asking
from cormorant.persistence import loader, prefetch, streaming
from cormorant.persistence.accept import settle_unchanged
from cormorant.persistence.arguments import check_own, check_unchanged, given_objects, info_of
from cormorant.persistence.parts import deletes
from cormorant.persistence.repeats import note_single
from cormorant.persistence.writer import refuse_portions
from cormorant.query.beside import Beside
from cormorant.query.explaining import CompiledQuery, Explanation, explained
from cormorant.query.locking import LOCK, locked
from cormorant.query.prefetch import KeyQuery, chunks, key_query, objects_of
from cormorant.query.spec import QuerySpec

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


class Reading:
    """Reads for one session.

    Args:
        state: The session.
    """

    __slots__ = ("_state",)

    def __init__(self, state: SessionState) -> None:
        self._state = state

    async def fetch_beside(self, spec: QuerySpec) -> tuple[list[Any], Beside]:
        """Runs a query, and gives its rows and the values that were asked for beside them."""
        beside: list[Beside] = []
        rows = await self._state.fetch(spec, beside=beside)
        return rows, beside[0]

    # ---- by key

    async def get(self, model: type[Model], key: Any, *, for_update: bool) -> Model | None:
        """Gives the object of a primary key, or None; one that is known is given without a query."""
        state = self._state
        state.check_usable()
        info = info_of(model)
        found: Model | None = state.identity.get(info, checked_key(info, key))
        if found is not None and (for_update or state.shows(found)):
            if deletes(state, found):
                return None
            if not for_update:
                return found
        query = key_query(info)
        if state.cached is not None and not for_update and (found is None or is_reference(found)):
            return await state.cached.get(info, key, query.of(key))
        if type(key) is query.plain and state.scopes is None and not for_update:
            rows = await _fetch_by_key(state, query, key)
        else:
            spec = query.of(key)
            rows = await state.fetch(locked(spec, LOCK) if for_update else spec)
        return rows[0] if rows else None

    async def get_one(self, model: type[Model], key: Any, *, for_update: bool) -> Model:
        """Gives the object of a primary key.

        Raises:
            NotFoundError: There is none.
        """
        found = await self.get(model, key, for_update=for_update)
        if found is None:
            raise NotFoundError(
                f"{model.__name__} {shown_key(info_of(model), key)} does not exist", hint="use get() where that can be"
            )
        return found

    async def get_many(self, model: type[Model], keys: Iterable[Any]) -> list[Any]:
        """Gives the objects of several keys, in the keys' order, in one query; missing ones are left out."""
        state, info = self._state, info_of(model)
        wanted = [checked_key(info, key) for key in keys]
        state.check_usable()
        known = state.identity.of(info)
        shown: dict[Any, Model] = {key: known[key] for key in wanted if key in known and state.shows(known[key])}
        missing = [key for key in wanted if key not in shown]
        if state.cached is not None:
            missing = await state.cached.load(info, list(dict.fromkeys(missing)), autoflush=True)
            shown |= {key: known[key] for key in wanted if key in known and state.shows(known[key])}
        for chunk in chunks(dict.fromkeys(missing), len(info.key_attributes)):
            shown |= {row_key_of(row): row for row in await state.fetch(objects_of(info, chunk))}
        found = [shown[key] for key in wanted if key in shown]
        return [instance for instance in found if not deletes(state, instance)]

    # ---- objects that are at hand

    async def refresh(self, objects: Sequence[Model]) -> None:
        """Reads objects again, over what they hold.

        Raises:
            StaleObjectError: An object has changes that would be lost, or its row is gone.
        """
        state = self._state
        for instance in objects:
            check_own(state, instance)
        state.unit.look_inside(objects)
        settle_unchanged(state.unit, objects)
        for instance in objects:
            check_unchanged(instance)
            state.identity.take_back(instance)
        await loader.refresh(state, objects)

    async def load(self, objects: Model | Iterable[Model], what: Sequence[Any]) -> None:
        """Loads relations, and columns that were left out, of objects."""
        state = self._state
        state.check_usable()
        given = given_objects(objects)
        for instance in given:
            check_own(state, instance)
            state.identity.take_back(instance)
        await prefetch.load(state, given, what)

    # ---- other ways to read

    def chunks(self, spec: QuerySpec, size: int) -> AsyncGenerator[list[Any], None]:
        """Gives a query's rows, at most `size` at a time, and forgets the objects of each chunk before the next."""
        return streaming.chunks(self._state, spec, size)

    def compiled(self, spec: QuerySpec) -> CompiledQuery:
        """Gives what a query would send."""
        prepared, spec = self._prepared(spec)
        return CompiledQuery(prepared.sql, tuple(prepared.arguments(spec)))

    async def explain(self, spec: QuerySpec, *, analyze: bool) -> Explanation:
        """Gives how the database would run a query; what is pending is not written before.

        Args:
            spec: The query.
            analyze: Run it, and give what was measured too.

        Raises:
            CompileError: The database cannot measure.
        """
        state = self._state
        state.check_usable()
        prepared, spec = self._prepared(spec)
        dialect = state.database.dialect
        words = dialect.explain_analyze if analyze else dialect.explain
        if words is None:
            raise CompileError(
                f"{dialect.name} explains queries without running them",
                hint="leave analyze out; session.query_stats() tells what queries took",
            )
        if analyze:
            refuse_portions(prepared)
        rows = await state.transactions.fetch(f"{words} {prepared.sql}", prepared.arguments(spec))
        return explained(rows, prepared.sql)

    def scoped(self, spec: QuerySpec) -> QuerySpec:
        """Gives a query with the default scopes it will run with."""
        scopes = self._state.scopes
        return spec if scopes is None and not spec.lifted else spec.scoped(scopes)

    def _prepared(self, spec: QuerySpec) -> tuple[PreparedQuery, QuerySpec]:
        spec = self.scoped(spec)
        return self._state.database.prepare(spec), spec


async def _fetch_by_key(state: SessionState, query: KeyQuery, key: Any) -> list[Any]:
    """Runs the query of one object: what `SessionState.fetch` does, as far as this shape needs it, without a spec."""
    database, unit = state.database, state.made_unit
    made_for, prepared = query.prepared
    if made_for == database.number:
        database.plans.asked += 1
    else:
        prepared = database.prepare(query.of(key))
        query.prepared = database.number, prepared
    # what was changed inside of documents does not decide which row has a key
    pending = (state.autocommit and state.identity.documents) or (unit is not None and not unit.is_empty)
    if pending and state.unit.concerns(prepared.tables):
        await state.flush()
    number, caller = next(state.numbers), asking()
    note_single(state, query.single, "rows", caller)
    rows = await state.transactions.fetch(prepared.sql, prepared.encode([key]), caller)
    if state.tracker.budget is not None:
        state.tracker.budget.take(len(rows))
    if state.closed:
        state.check_usable()
    identity, origin = state.identity, Origin(state, number, rows=len(rows), caller=caller)
    found: list[Any] = prepared.loader(rows, identity.of, origin, identity.remember)
    return found
