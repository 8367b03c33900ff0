"""`AsyncSession`: the face of the persistence layer. It finds the caller's state and hands on; it decides nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from collections.abc import Collection as AbstractCollection
from datetime import datetime
from types import FrameType, TracebackType
from typing import Any, LiteralString, ParamSpec, Self, cast, overload

from typing_extensions import TypeVar

from cormorant._internal import frames
from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig, check_timeout
from cormorant.cache.backends import CacheBackend
from cormorant.database import Database, check_threshold, database_of
from cormorant.dialects.base import IsolationLevel, check_isolation
from cormorant.errors import WrongType
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.paths import ManyExpr
from cormorant.models.scopes import Scope, distinct
from cormorant.observability.budgets import budget_of
from cormorant.observability.exported import ExportedStats
from cormorant.observability.performance import PerformanceTracker
from cormorant.observability.report import Report, report_of
from cormorant.observability.shapes import CacheUse, StatementStats
from cormorant.observability.watching import slow_seconds
from cormorant.persistence import context, merging
from cormorant.persistence.arguments import check_own, is_queryset, links_of, model_of, only_one, raw_text, sent_as
from cormorant.persistence.blocks import Transaction, begin, check_verb, end
from cormorant.persistence.changed import Change, changes_of
from cormorant.persistence.current import current_state
from cormorant.persistence.entering import Entrances
from cormorant.persistence.hooking import HookedSession, refuse_in_hooks
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.levels import DEFAULTS, Options
from cormorant.persistence.orphans import leaving
from cormorant.persistence.parts import finish, is_untouched
from cormorant.persistence.preview import FlushPreview, preview
from cormorant.persistence.reading import Reading
from cormorant.persistence.result import Result
from cormorant.persistence.state import SessionState, flushing
from cormorant.persistence.streaming import each_of, raw_chunks
from cormorant.persistence.writer import StateWriter
from cormorant.query.queryset import QuerySet
from cormorant.query.spec import QuerySpec
from cormorant.sql.calls import Fragment
from cormorant.sql.columns import Column
from cormorant.sql.raw import parse, refuse_transaction_verbs

M = TypeVar("M", bound=Model)
Q = TypeVar("Q", bound=QuerySet[Any])
P = ParamSpec("P")


class AsyncSession(HookedSession["AsyncSession"]):
    """A unit of work on a database: `async with AsyncSession() as session`.

    The object is a handle; each `async with` makes a state of its own, found again through the context, so that one
    handle may be entered by many tasks. Entering does no I/O. Leaving commits; leaving by an exception rolls back.

    Args:
        database: A Database, an Adapter or a DSN; the configured one, or CORMORANT_DSN's, if none is given.
        dsn: A DSN, in the place of `database`.
        connection_config: A ConnectionConfig, in the place of `database`.
        autocommit: Make every flush a transaction of its own; the configuration's setting if not given.
        isolation: The isolation level of its transactions.
        read_only: Its transactions refuse writes.
        scopes: Conditions that its queries get by themselves, besides the database's: tenants, soft delete.
        timeout: Seconds that a statement has, with the waiting for its turn, a connection and locks; the database's if
            not given.
        performance_threshold: How often one line may load things one by one before it is warned of; the database's if
            not given.
        slow_query_ms: Milliseconds from which a statement of it is logged as slow; the database's if not given.
        max_queries: Statements that it may send; one more raises a QueryBudgetExceeded, and is not sent.
        max_rows: Rows that it may read; a statement that has read more raises a QueryBudgetExceeded.
        cache_backend: Its second-level cache; the database's if not given. NoOpCache() reads past that.

    Example:
        >>> async with AsyncSession() as session:
        ...     session.add(Author(name="Ada"))
    """

    def __init__(
        self,
        database: Database | Adapter | str | None = None,
        *,
        dsn: str | None = None,
        connection_config: ConnectionConfig | None = None,
        autocommit: bool | None = None,
        isolation: IsolationLevel | None = None,
        read_only: bool = False,
        scopes: Sequence[Scope[Any]] = (),
        timeout: float | None = None,
        performance_threshold: int | None = None,
        slow_query_ms: float | None = None,
        max_queries: int | None = None,
        max_rows: int | None = None,
        cache_backend: CacheBackend | None = None,
    ) -> None:
        if isolation is not None:
            check_isolation(isolation)
        self._timeout = None if timeout is None else check_timeout("timeout", timeout)
        self._threshold = None if performance_threshold is None else check_threshold(performance_threshold)
        self._limits = None if max_queries is None and max_rows is None else (max_queries, max_rows)
        if self._limits is not None:
            budget_of(*self._limits)
        self._slow = None if slow_query_ms is None else slow_seconds(slow_query_ms)
        self._scopes = distinct(scopes) if scopes else ()
        alone = dsn is None and connection_config is None
        self._source: Any = database if alone else only_one(database, dsn, connection_config)
        self._autocommit = autocommit
        self._isolation: IsolationLevel | None = isolation
        self._read_only = read_only
        self._cache_backend = cache_backend
        self._entrances = Entrances()

    @property
    def database(self) -> Database:
        """The database it works on."""
        source = self._source
        if isinstance(source, Database):
            return source
        found = database_of(source)
        if not isinstance(source, (str, ConnectionConfig, type(None))):
            # what is made of an adapter is another database each time
            self._source = found
        return found

    # ---- life

    async def __aenter__(self) -> Self:
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        self.begin_block(frames.place_of(caller), caller)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # a coroutine function, by which unittest tells that it is to be awaited
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        await self.end_block(self._entrances.left_by(caller), frames.place_of(caller), failed=error is not None)

    def begin_block(self, opened: frames.Place, awaiting: FrameType | None = None) -> SessionState:
        """Begins a block, which may be the `async with` of a frame; gives its state."""
        database = self.database
        level = self._isolation or database.level
        state = SessionState(
            self,
            database,
            DEFAULTS if level is None and not self._read_only else Options(level, self._read_only),
            autocommit=database.config.autocommit if self._autocommit is None else self._autocommit,
            scopes=self._scopes,
            timeout=self._timeout or database.timeout,
            performance_threshold=self._threshold,
            budget=None if self._limits is None else budget_of(*self._limits),
            cache=database.caches.of_session(self._cache_backend),
            opened=opened,
        )
        if self._slow is not None:
            state.tracker.slow = self._slow
        return self._entrances.enter(state, awaiting)

    async def end_block(self, state: SessionState | None, at: frames.Place, *, failed: bool) -> None:
        """Ends a block, unless it was ended before: commits, or rolls back if it failed."""
        if state is None:
            return
        try:
            # as `state.close()` does it, by a call less
            if not is_untouched(state):
                await end(state.blocks, state.frame.check_ended, failed=failed)
        finally:
            finish(state, at)
            self._entrances.leave(state, inside=False)

    async def close(self) -> None:
        """Rolls back what is not committed and ends the session's block; a second call does nothing.

        Raises:
            AmbiguousSession: Several are open, and the context names none.
        """
        if (state := self._entrances.closable()) is not None:
            refuse_in_hooks(state, "close()")
            try:
                await state.close(failed=True)
            finally:
                self._entrances.leave(state, inside=True)

    @classmethod
    def current(cls) -> AsyncSession:
        """Gives the session of the innermost open block of the calling context.

        Raises:
            SessionNotEntered: There is none.
        """
        return cast(AsyncSession, current_state().handle)

    def state(self) -> SessionState:
        """Gives the caller's state: the context's innermost one of this handle, else the only open one.

        Raises:
            SessionNotEntered: The handle was never entered.
            SessionClosedError: Every block of it has ended.
            AmbiguousSession: Several are open, and the context names none.
        """
        # walked here, because everything passes; closed cells have no frame, open blocks may outlive their session
        cell: context.Cell[SessionState] | None = context.current.get()
        while cell is not None:
            frame = cell.frame()
            if frame is not None and frame.state.handle is self:
                if frame.state.closed:
                    frame.state.check_usable()
                return frame.state
            cell = cell.parent
        if (found := self._entrances.only) is None:
            raise self._entrances.why_none()
        return found

    def _here(self) -> SessionState:
        """Gives the caller's state; refuses other threads, but for those of a sync session, which wait for it."""
        state = self.state()
        if context.running_loop() is not state.loop and state.wait is None:
            state.check_usable()
        return state

    # ---- reading

    @overload
    def query(self, source: type[M]) -> QuerySet[M]: ...
    @overload
    def query(self, source: type[Q]) -> Q: ...
    def query(self, source: Any) -> Any:
        """Starts a query of a model's objects; an alias of it, or a QuerySet subclass, may stand for the model.

        Example:
            >>> await session.query(Article).filter(Article.views > 3)
        """
        info: Any = getattr(source, "__info__", None) or getattr(source, "__aliased__", None)
        if isinstance(info, ModelInfo):
            # not QuerySet[Any](...), which would look for a place to note what it was called by
            made: QuerySet[Any] = QuerySet(QuerySpec(info), self)
            return made
        if is_queryset(source):
            return source(QuerySpec(model_of(source)), self)
        raise WrongType(f"query() takes a model, not {source!r}", hint="session.query(Author)")

    def fetch(self, spec: QuerySpec) -> Coroutine[Any, Any, list[Any]]:
        """Runs a query; queries call it."""
        return self.state().fetch(spec)

    @property
    def reader(self) -> Reading:
        """What queries read with."""
        return self.state().reader

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions; queries call it."""
        return await self.state().write(spec)

    @property
    def writer(self) -> StateWriter:
        """What writes in bulk; queries ask for it."""
        return self.state().writer

    async def get(self, model: type[M], key: Any, *, for_update: bool = False) -> M | None:
        """Gives the object of a primary key, or None; one that is known is given without a query.

        Args:
            model: The model.
            key: The key; for a composite one a tuple in declaration order.
            for_update: Read the row, known or not, and lock it until the transaction ends.
        """
        return cast("M | None", await self.state().reader.get(model, key, for_update=for_update))

    async def get_one(self, model: type[M], key: Any, *, for_update: bool = False) -> M:
        """Gives the object of a primary key; `for_update` locks its row until the transaction ends.

        Raises:
            NotFoundError: There is none.
        """
        return cast(M, await self.state().reader.get_one(model, key, for_update=for_update))

    async def get_many(self, model: type[M], keys: Iterable[Any]) -> list[M]:
        """Gives the objects of several keys, in the keys' order, in one query; missing ones are left out."""
        return await self.state().reader.get_many(model, keys)

    async def refresh(self, *objects: Model) -> None:
        """Reads objects again, over what they hold.

        Raises:
            StaleObjectError: An object has changes that would be lost, or its row is gone.
        """
        await self.state().reader.refresh(objects)

    async def load(self, objects: Model | Iterable[Model], /, *what: ManyExpr[Any] | type[Model] | Column[Any]) -> None:
        """Loads relations, and columns that were left out, of objects that are at hand.

        What is loaded already is not read again, but for parts of a relation that are asked for by `filter`,
        `order_by` or `limit`. Each relation is one statement, whatever the number of objects.

        Args:
            objects: An object, or several of one model.
            what: Relations from that model, also further ones: `Author.articles.each.tags`; its columns.

        Raises:
            WrongType: Something is no object, relation or column.
            ForeignInstanceError: An object does not belong to this session.

        Example:
            >>> await session.load(authors, Author.articles, Author.articles.each.tags)
            ... # SELECT ... WHERE "articles"."author_id" = ANY($1); SELECT ... WHERE "tags_link"."article_id" = ANY($1)
        """
        await self.state().reader.load(objects, what)

    # ---- changing

    def add(self, *objects: Model) -> None:
        """Takes new objects in, and the new objects they are related to, all or none; written at the next flush.

        Raises:
            ForeignInstanceError: An object belongs to another session.
        """
        state = self.state()
        if context.running_loop() is not state.loop and state.wait is None:
            state.check_usable()
        if objects:
            state.unit.add(*objects)

    async def create(self, model: Callable[P, M], *args: P.args, **kwargs: P.kwargs) -> M:
        """Makes an object, adds it and flushes.

        Example:
            >>> ada = await session.create(Author, name="Ada")   # INSERT ... RETURNING "id"
        """
        refuse_in_hooks(self.state(), "create()")
        instance = model(*args, **kwargs)
        self.add(instance)
        await self.flush()
        return instance

    def delete(self, *objects: Model) -> None:
        """Marks objects' rows for deletion at the next flush."""
        unit = self._here().unit
        for instance in objects:
            unit.delete(instance)

    async def merge(self, instance: M) -> M:
        """Copies what an object from outside holds onto the session's own object of the same row, and gives that.

        The row is loaded if the session does not hold it; an object without a row is copied as a new one. What is
        loaded of its relations is merged with it.

        Args:
            instance: An object of another session, open or closed, an unpickled or a new one; it stays as it is.

        Raises:
            StaleObjectError: The row has another version than the object, or is gone.

        Example:
            >>> article = await session.merge(pickle.loads(saved))    # SELECT ... WHERE "articles"."id" = $1
        """
        return cast(M, await merging.merge(self.state(), instance))

    async def add_m2m(self, owner: Model, relation: ManyExpr[M], *items: M) -> None:
        """Links objects at once, without loading anything; new objects among them are saved first.

        Args:
            owner: The object that gets the links.
            relation: A many-to-many relation of its model.
            items: Objects of the relation's other side; those that are linked already stay so.

        Raises:
            WrongType: The relation is none of the owner's, or not many-to-many, or its links need further values.

        Example:
            >>> await session.add_m2m(article, Article.tags, math, logic)
            ... # INSERT INTO "articles_tags" ("article_id", "tag_id") ... ON CONFLICT DO NOTHING
        """
        await self.state().link("add", owner, links_of(relation), items)

    async def remove_m2m(self, owner: Model, relation: ManyExpr[M], *items: M) -> None:
        """Drops links at once, without loading anything; the objects stay.

        Args:
            owner: The object that has the links.
            relation: A many-to-many relation of its model.
            items: Objects of the relation's other side; those that are not linked are left alone.

        Example:
            >>> await session.remove_m2m(article, Article.tags, math)   # DELETE FROM "articles_tags" WHERE ...
        """
        await self.state().link("remove", owner, links_of(relation), items)

    async def clear_m2m(self, owner: Model, relation: ManyExpr[Any]) -> None:
        """Drops every link of an object at once, without loading anything; the objects stay.

        Args:
            owner: The object that has the links.
            relation: A many-to-many relation of its model.

        Example:
            >>> await session.clear_m2m(article, Article.tags)   # DELETE FROM "articles_tags" WHERE "article_id" = $1
        """
        await self.state().link("clear", owner, links_of(relation))

    def expunge(self, *objects: Model) -> None:
        """Takes objects out of the session; what was pending for them is forgotten."""
        for instance in objects:
            self._here().unit.forget(instance)

    def clear(self) -> None:
        """Takes every object out of the session; what is pending is forgotten."""
        self._here().unit.clear()

    async def flush(self) -> None:
        """Writes what is pending: inserts, updates, links, deletes, in one transaction."""
        if (work := flushing(self.state(), asked=True)) is not None:
            await work

    def preview(self) -> FlushPreview:
        """Gives what the next flush would do, to be printed: statements, rows, and what the database does by itself.

        Nothing is sent, no hook runs, and no object changes.

        Raises:
            ValidationError: A value cannot be saved.
            DependencyCycleError: Rows need each other in a ring.

        Example:
            >>> print(session.preview())
            ... # 1 statement, 1 row
            ... # 1. INSERT author: 1 row
            ... #    INSERT INTO "author" ("name") VALUES ($1) RETURNING "id"
            ... #    name = 'Ada'
        """
        return preview(self.state().flusher)

    # ---- transactions

    def transaction(
        self, *, isolation: IsolationLevel | None = None, read_only: bool = False, deferrable: bool = False
    ) -> Transaction:
        """Opens a transaction; inside one, a savepoint.

        Args:
            isolation: The isolation level; only for the outermost transaction.
            read_only: Refuse writes.
            deferrable: Wait for a snapshot that cannot fail; for serializable read-only transactions.

        Example:
            >>> async with session.transaction():      # BEGIN, or SAVEPOINT
            ...     article.views += 1
        """
        check_isolation(isolation)
        return Transaction(
            self, Options(isolation, read_only, deferrable) if isolation or read_only or deferrable else DEFAULTS
        )

    async def begin(
        self, *, isolation: IsolationLevel | None = None, read_only: bool = False, deferrable: bool = False
    ) -> Transaction:
        """Opens a transaction that `commit()`, `rollback()` or leaving `async with await session.begin()` ends."""
        check_isolation(isolation)
        options = Options(isolation, read_only, deferrable)
        return Transaction(self, options, begin(self.state(), options))

    async def commit(self) -> None:
        """Writes what is pending and commits; nothing is forgotten or expired."""
        state = self.state()
        check_verb(state, "commit()")
        await state.blocks.commit()

    async def rollback(self) -> None:
        """Undoes everything since the last commit, in the database and in the objects."""
        state = self.state()
        check_verb(state, "rollback()")
        await state.blocks.rollback()

    # ---- raw SQL

    async def execute(
        self, sql: LiteralString | Fragment, params: Mapping[str, Any] | None = None, *, write: bool | None = None
    ) -> Result:
        """Runs SQL of your own, with `:name` for parameters on every database.

        Args:
            sql: A literal; `text(...)` for text that was built.
            params: The values by name.
            write: Whether it may write; told from its first word otherwise. What writes opens a transaction.

        Raises:
            QueryError: A parameter has no value, or is none of the statement's.
            TransactionError: The SQL begins or ends a transaction.

        Example:
            >>> rows = await session.execute("select id from author where name = :name", {"name": "Ada"})
        """
        refuse_transaction_verbs(raw_text(sql))
        statement = parse(raw_text(sql))
        state = self.state()
        text, args = sent_as(statement, params, state.database.dialect)
        return Result(await state.raw(text, args, write=not statement.is_read if write is None else write))

    def stream(
        self, sql: LiteralString | Fragment, params: Mapping[str, Any] | None = None, *, chunk: int = 1000
    ) -> AsyncGenerator[tuple[Any, ...], None]:
        """Gives the rows of a SELECT of your own one after another, reading a chunk at a time, in the transaction.

        Args:
            sql: A literal; `text(...)` for text that was built.
            params: The values by name.
            chunk: Rows read at a time.

        Example:
            >>> async for number, name in session.stream("select id, name from author"): ...
        """
        return each_of(raw_chunks(self.state(), sql, params, chunk))

    # ---- what is going on

    @property
    def new(self) -> AbstractCollection[Model]:
        """The objects that the next flush inserts."""
        return tuple(self.state().unit.new.values())

    @property
    def dirty(self) -> AbstractCollection[Model]:
        """The objects that the next flush updates: those with changed columns."""
        return self.state().unit.changed()

    def changes(self, instance: Model) -> Mapping[str, Change]:
        """Gives what the next flush would write of an object: old and new by attribute, for collections what came and
        went; of a new object every column that has a value.

        Example:
            >>> session.changes(article)["title"].old    # 'Notes'
        """
        state = self.state()
        check_own(state, instance)
        state.unit.look_inside((instance,))
        return changes_of(instance)

    @property
    def deleted(self) -> AbstractCollection[Model]:
        """The objects whose rows the next flush deletes."""
        return leaving(self.state().unit)

    @property
    def identity_map(self) -> IdentityMap:
        """The instances it holds."""
        return self.state().identity

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.state().transactions.is_open

    @property
    def last_commit(self) -> datetime | None:
        """When the database last said that something of the session is committed; after its block, of the last one.

        Whether a commit happened that was cancelled on its way shows in this having changed.
        """
        last = self._entrances
        return self.state().transactions.connections.last_commit if last.open else last.last_commit

    def query_stats(self) -> list[StatementStats]:
        """Gives the session's statement shapes, the costliest first; after its block, those of the last one."""
        return self._tracker().stats()

    def cache_stats(self) -> CacheUse:
        """Gives what the session has asked of the second-level cache; `reset_query_stats()` forgets it."""
        return self._tracker().cache_use()

    def _tracker(self) -> PerformanceTracker:
        last = self._entrances
        return self.state().tracker if last.open or last.tracker is None else last.tracker

    def report(self) -> Report:
        """Gives what the session has done, for people: `print(session.report())`, `.show()`, `.save("report.html")`.

        After its block it is about the last one. Figures of connections and plans are the database's.
        """
        return report_of(self._tracker(), self.database.watch.target, self.database.stats().as_dict(), "session")

    def export_query_stats(self, *, reset: bool = False, include_samples: bool = False) -> list[ExportedStats]:
        """Gives the statement shapes as JSON takes them, the costliest first.

        Args:
            reset: Forget them, so that the next export has what came after this one.
            include_samples: With the values of the slowest runs, where `Database(sample_parameters=True)` keeps them.
        """
        return self._tracker().export(reset=reset, include_samples=include_samples)

    def reset_query_stats(self) -> None:
        """Forgets the statements counted so far."""
        self._tracker().reset()
