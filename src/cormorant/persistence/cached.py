"""What a session reads from the second-level cache: rows by key, and results of queries that ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cormorant.cache.backends import Address
from cormorant.cache.codec import NotKept, encode
from cormorant.database import Database, PreparedQuery
from cormorant.database.caching import Cache, Loaded, Rows
from cormorant.database.invalidation import (
    LONGEST,
    digest,
    everything_tag,
    group_text,
    key_text,
    reads_tag,
    row_group,
    rows_tag,
)
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.scopes import Scopes, values_of
from cormorant.models.state import Origin, bare_key, is_reference, row_key_of
from cormorant.observability.performance import asking
from cormorant.persistence import prefetch
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.beside import Beside
from cormorant.query.prefetch import by_key, chunks, objects_of
from cormorant.query.related import NOTHING
from cormorant.query.spec import Keep, QuerySpec, Single
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr
from cormorant.sql.inner import has_own_text, selects_in, tables_of
from cormorant.sql.raw_source import ANY_TABLE

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


class CachedReads:
    """The second-level cache as one session asks it: outside of transactions, which read the database.

    Args:
        state: The session.
        cache: The cache.
    """

    def __init__(self, state: SessionState, cache: Cache) -> None:
        self._state = state
        self._cache = cache

    def _may_ask(self) -> bool:
        """Whether what is committed is what the session would read: no transaction is open, nor begun by a read."""
        stack = self._state.transactions
        knows = stack.options.isolation is not None or self._state.database.default_level is not None
        return knows and not (stack.levels or stack.keeps_snapshots)

    # ---- rows by key

    async def get(self, info: ModelInfo, key: Any, spec: QuerySpec) -> Model | None:
        """Gives the object of a key, which the session does not hold; `spec` reads it from the database."""
        state = self._state
        if not (_is_cached(info) and self._may_ask()) or state.unit.concerns(frozenset({info.table})):
            rows = await state.fetch(spec)
            return rows[0] if rows else None
        wanted = _Wanted(self._state, self._cache, info, [key], spec=spec)
        await wanted.take()
        if wanted.read:
            # a database may find keys equal that are not
            return wanted.read[0]
        found: Model | None = state.identity.get(info, key)
        return None if found is None or is_reference(found) else found

    async def load(
        self, info: ModelInfo, keys: Sequence[Any], *, single: Single | None = None, autoflush: bool = False
    ) -> list[Any]:
        """Loads rows that the session does not hold, or holds only the keys of; gives the keys of the others."""
        state = self._state
        if not (_is_cached(info) and self._may_ask()):
            return list(keys)
        if autoflush and state.unit.concerns(frozenset({info.table})):
            return list(keys)
        known = state.identity.of(info)
        wanted = [key for key in keys if key not in known or is_reference(known[key])]
        await _Wanted(state, self._cache, info, wanted, single=single).take()
        asked = set(wanted)
        return [key for key in keys if key not in asked]

    # ---- results

    async def fetch(self, spec: QuerySpec, beside: list[Beside] | None, *, autoflush: bool) -> list[Any]:
        """Runs a query whose result may be cached, and gives its rows."""
        state = self._state
        assert spec.keep is not None
        if state.scopes is not None or spec.lifted:
            spec = spec.scoped(state.scopes)
        prepared = state.database.prepare(spec)
        runs = prepared.writes or spec.lock is not None or not self._may_ask()
        address = None if runs else self._address(prepared, spec)
        plain = spec.changed((), (), keep=None)
        if address is None or state.unit.concerns(prepared.tables):
            return await state.fetch(plain, autoflush=autoflush, beside=beside)
        return await _Result(state, self._cache, plain, prepared, beside).take(address, spec)

    def _address(self, prepared: PreparedQuery, spec: QuerySpec) -> Address | None:
        if prepared.rests_on is None:
            return None
        try:
            values = encode([prepared.arguments(spec)]).decode()
        except NotKept:
            return None
        tables = set(prepared.rests_on)
        if spec.scopes is not None:
            tables |= _read_by(spec.scopes.conditions_of(prepared.owners))
        cache, keep = self._cache, spec.keep
        name = digest(f"{cache.identity}\n{prepared.sql}\n{values}")
        tags = [everything_tag(cache.space), *(reads_tag(cache.space, table) for table in sorted(tables))]
        return Address(f"{cache.space}:result:{name}", name, tuple(tags), None if keep is None else keep.ttl)


class _Wanted:
    """Rows by key that one call wants.

    Args:
        spec: The query of the one key there is.
        single: What one key alone is read as.
    """

    def __init__(
        self,
        state: SessionState,
        cache: Cache,
        info: ModelInfo,
        keys: Sequence[Any],
        *,
        spec: QuerySpec | None = None,
        single: Single | None = None,
    ) -> None:
        self.state = state
        self.cache = cache
        self.info = info
        self.keys = keys
        self.spec = spec
        self.single: Single | None = single
        # objects that it has read from the database itself
        self.read: list[Model] = []
        # whose text tells in which form rows are kept
        sample = spec if spec is not None or not keys else by_key(info, _key_of(info), keys[0], ("get", info))
        self.sample: QuerySpec | None = (
            sample if sample is None or state.scopes is None else sample.scoped(state.scopes)
        )

    async def take(self) -> None:
        """Makes the rows that there are objects of the session."""
        if self.sample is None:
            return
        state = self.state
        prepared = state.database.prepare(self.sample)
        addresses = self._addresses(prepared)
        if addresses is None:
            await self._load(list(range(len(self.keys))))
            return
        begun = state.transactions.begun
        given = await self.cache.ask(
            addresses,
            self._load,
            self._accept(prepared),
            state.tracker.note_cache,
            state.transactions.connections.timeout,
        )
        state.check_usable()
        known = state.identity.of(self.info)
        # what was read meanwhile by others is newer
        fresh = {p: r for p, r in given.items() if (k := self.keys[p]) not in known or is_reference(known[k])}
        if state.transactions.begun != begun:
            # in the transaction that another task has begun, rows may be other ones
            await self._load(list(fresh))
        elif fresh:
            caller = asking()
            origin = Origin(state, next(state.numbers), rows=len(fresh), caller=caller)
            identity, rows = state.identity, [row for rows in fresh.values() for row in rows]
            prepared.loader(rows, identity.of, origin, identity.remember)

    def _addresses(self, prepared: PreparedQuery) -> list[Address] | None:
        info, cache = self.info, self.cache
        tables: set[str] = set()
        values = ""
        if self.state.scopes is not None and prepared.owners:
            conditions = self.state.scopes.conditions_of(prepared.owners)
            tables = _read_by(conditions)
            told = _told(conditions)
            if told is None:
                return None
            values = told
        form = _form(info, cache.identity, prepared.sql, values)
        space, table, ttl = cache.space, info.table, _ttl_of(info)
        tags = (everything_tag(space), rows_tag(space, table), *(reads_tag(space, read) for read in sorted(tables)))
        found: list[Address] = []
        for key in self.keys:
            text = key_text(key)
            if text is None:
                return None
            group = row_group(space, table, group_text(text))
            name = form + (text if len(text) <= LONGEST else digest(text))
            found.append(Address(group, name, tags, ttl))
        return found

    def _accept(self, prepared: PreparedQuery) -> Any:
        info, keys = self.info, self.keys
        names, width = list(info.fields), len(info.fields)
        places = [names.index(name) for name in info.key_attributes]
        decoders = [self.state.database.dialect.decoder(column.type) for column in info.key_columns]

        def accept(place: int, rows: Rows) -> bool:
            if len(rows) != 1 or len(rows[0]) != width:
                return False
            try:
                values = [rows[0][at] if d is None else d(rows[0][at]) for at, d in zip(places, decoders, strict=True)]
                return bool(bare_key(tuple(values)) == keys[place])
            except Exception:
                # whatever somebody has put there
                return False

        return accept

    async def _load(self, places: list[int]) -> Loaded:
        """Reads rows from the database."""
        stack = self.state.transactions
        begun, is_open = stack.begun, bool(stack.levels)
        wanted = {self.keys[place]: place for place in places}
        found: dict[int, Rows] = {}
        for chunk in chunks(wanted, len(self.info.key_attributes)):
            spec = self.spec or objects_of(self.info, chunk)
            if self.single is not None and len(chunk) == 1:
                spec = spec.changed((), (), single=self.single)
            beside: list[Beside] = []
            objects = await self.state.fetch(spec, autoflush=self.spec is not None, beside=beside)
            self.read += objects
            for instance, row in zip(objects, beside[0].rows, strict=True):
                key = row_key_of(instance)
                if key in wanted and key_text(key) == key_text(self.keys[wanted[key]]):
                    found[wanted[key]] = [tuple(row)]
        return Loaded(found, is_kept=not is_open and stack.begun == begun)


class _Result:
    """The result of one query."""

    def __init__(
        self,
        state: SessionState,
        cache: Cache,
        spec: QuerySpec,
        prepared: PreparedQuery,
        beside: list[Beside] | None,
    ) -> None:
        self.state = state
        self.cache = cache
        self.spec = spec
        self.prepared = prepared
        self.beside = beside
        self.found: list[Any] | None = None

    async def take(self, address: Address, asked: QuerySpec) -> list[Any]:
        """Gives the rows."""
        state = self.state
        given = await self.cache.ask(
            [address], self._load, self._accept, state.tracker.note_cache, state.transactions.connections.timeout
        )
        state.check_usable()
        if self.found is None:
            await self._show(given.get(0, []))
        assert self.found is not None
        spec = self.spec
        if spec.mode == "rows" and (spec.loading is not NOTHING or spec.collections):
            return await prefetch.complete(_Kept(state, asked.keep), spec, self.found)
        return self.found

    async def _show(self, rows: Rows) -> None:
        """Makes objects of rows that were kept; those that the session has stay as they are."""
        state, prepared = self.state, self.prepared
        caller = asking()
        origin = Origin(state, 0, lifted=bool(self.spec.lifted), rows=len(rows), caller=caller)
        try:
            self.found = prepared.loader(rows, state.identity.of, origin, state.identity.remember)
        except Exception:
            # rows that no such query gives
            await self._load([0])
            return
        if self.beside is not None:
            self.beside.append(Beside(rows, prepared.beside))

    def _accept(self, _: int, rows: Rows) -> bool:
        width = len(rows[0]) if rows else 0
        return all(len(row) == width for row in rows)

    async def _load(self, places: list[int]) -> Loaded:
        state, stack = self.state, self.state.transactions
        begun, is_open = stack.begun, bool(stack.levels)
        read: list[Beside] = []
        # what comes along is read by statements of its own, whose results may be kept too
        self.found = await state.fetch(self.spec, beside=read, whole=False)
        if self.beside is not None:
            self.beside.append(read[0])
        rows = [tuple(row) for row in read[0].rows]
        return Loaded({0: rows}, is_kept=not is_open and stack.begun == begun)


class _Kept:
    """Runs the queries of what comes along with a result, whose own results may be kept as well."""

    def __init__(self, state: SessionState, keep: Keep | None) -> None:
        self.database: Database = state.database
        self.identity: IdentityMap = state.identity
        self.scopes: Scopes | None = state.scopes
        self.cached: CachedReads | None = None
        self._state = state
        self._keep = keep

    @property
    def unit(self) -> UnitOfWork:
        """The session's unit of work."""
        return self._state.unit

    @property
    def made_unit(self) -> UnitOfWork | None:
        """The unit of work, if anything has asked for it yet."""
        return self._state.made_unit

    def check_usable(self) -> None:
        """Refuses once the session has ended."""
        self._state.check_usable()

    async def fetch(self, spec: QuerySpec, *, autoflush: bool = True) -> list[Any]:
        """Runs a query."""
        return await self._state.fetch(spec.changed(("cached",), (), keep=self._keep), autoflush=autoflush)

    async def flush(self) -> None:
        """Writes what is pending."""
        await self._state.flush()


# ------------------------------------------------------------------ addresses


def _is_cached(info: ModelInfo) -> bool:
    """Whether a model's rows may be kept: what is sensitive leaves the database only if the model says so."""
    if info.cache is None:
        return not any(spec.sensitive for spec in info.fields.values())
    return info.cache is not False


def _ttl_of(info: ModelInfo) -> float | None:
    return None if isinstance(info.cache, bool) else info.cache


def _key_of(info: ModelInfo) -> list[Column[Any]]:
    return [info.column(name) for name in info.key_attributes]


@lru_cache(maxsize=1_000)
def _form(info: ModelInfo, identity: str, sql: str, values: str) -> str:
    """Gives what tells apart in which form a row is kept: whose it is, its columns, and the scopes that it has met."""
    columns = [(column.name, column.type.name) for column in info.columns]
    return digest(f"{identity}\n{columns}\n{sql}\n{values}")


def _told(conditions: Iterable[Expr[Any]]) -> str | None:
    """Gives the values of conditions as a text; None where they have none."""
    try:
        return encode([values_of(condition.binds) for condition in conditions]).decode()
    except NotKept:
        return None


def _read_by(conditions: Sequence[Expr[Any]]) -> set[str]:
    """Gives the tables whose rows decide what conditions let pass, besides the row's own values."""
    found: set[str] = set()
    for select in selects_in(conditions):
        found |= {*tables_of(select), *([ANY_TABLE] if has_own_text(select) else [])}
    return found
