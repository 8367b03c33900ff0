"""What a session reads besides whole results: pages, streams, and how a query would be run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from cormorant.database import PreparedQuery
from cormorant.errors import CompileError
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import row_key_of
from cormorant.persistence import streaming
from cormorant.persistence.writer import refuse_portions
from cormorant.query.beside import Beside
from cormorant.query.explaining import CompiledQuery, Explanation, explained
from cormorant.query.prefetch import chunks, objects_of
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

    async def get_many(self, info: ModelInfo, wanted: Sequence[Any]) -> list[Any]:
        """Gives the objects of several keys, in the keys' order, in one query; missing ones are left out."""
        state = self._state
        known = state.identity.of(info)
        shown: dict[Any, Model] = {key: known[key] for key in wanted if key in known and state.shows(known[key])}
        missing = [key for key in wanted if key not in shown]
        for chunk in chunks(dict.fromkeys(missing), len(info.key_attributes)):
            shown |= {row_key_of(row): row for row in await state.fetch(objects_of(info, chunk))}
        found = [shown[key] for key in wanted if key in shown]
        return [instance for instance in found if id(instance) not in state.unit.deleted]

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
        return explained(await state.transactions.fetch(f"{words} {prepared.sql}", prepared.arguments(spec)))

    def _prepared(self, spec: QuerySpec) -> tuple[PreparedQuery, QuerySpec]:
        state = self._state
        if state.scopes is not None or spec.lifted:
            spec = spec.scoped(state.scopes)
        return state.database.prepare(spec), spec
