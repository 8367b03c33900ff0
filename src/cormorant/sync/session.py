"""`Session`: an AsyncSession for programs without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from collections.abc import Collection as AbstractCollection
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, LiteralString, ParamSpec, Self, overload

from typing_extensions import TypeVar

from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.cache.backends import CacheBackend
from cormorant.database import Database
from cormorant.dialects.base import IsolationLevel
from cormorant.hooks.dispatcher import Hooks, HookTarget
from cormorant.models.collections import Collection
from cormorant.models.model import Model
from cormorant.models.paths import ManyExpr
from cormorant.models.scopes import Scope
from cormorant.observability.exported import ExportedStats
from cormorant.observability.report import Report
from cormorant.observability.shapes import CacheUse, StatementStats
from cormorant.persistence.blocks import Transaction
from cormorant.persistence.changed import Change
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.preview import FlushPreview
from cormorant.persistence.result import Result
from cormorant.persistence.streaming import raw_chunks
from cormorant.sql.calls import Fragment
from cormorant.sql.columns import Column
from cormorant.sync.bridge import DatabaseHolder, LoopSession, each_of
from cormorant.sync.queryset import SyncQuerySet, sync_query

if TYPE_CHECKING:
    from cormorant.sync.database import SyncDatabase

M = TypeVar("M", bound=Model)
Q = TypeVar("Q", bound=SyncQuerySet[Any])
P = ParamSpec("P")


class SyncTransaction:
    """A transaction block: `with session.transaction() as tx`, or what `session.begin()` gives."""

    __slots__ = ("_session", "_transaction")

    def __init__(self, session: LoopSession, transaction: Transaction) -> None:
        self._session = session
        self._transaction = transaction

    def __enter__(self) -> Self:
        try:
            self._session.wait(self._transaction.__aenter__)
            # here, because Python does not leave a block whose beginning was interrupted
            return self
        except BaseException:
            self._abandon()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._session.leave(self._transaction, kind, error, traceback)
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        # Ctrl-C just before or after the waiting: Python will leave a block no second time, or not at all
        if self.is_open and self._session.is_open:
            error = KeyboardInterrupt()
            self._session.leave(self._transaction, type(error), error, None)

    @property
    def is_open(self) -> bool:
        """Whether its block was entered and not left."""
        return self._transaction.is_open

    def commit(self) -> None:
        """Commits a transaction that `begin()` opened."""
        self._session.wait(self._transaction.commit)

    def rollback(self) -> None:
        """Rolls a transaction back that `begin()` opened."""
        self._session.wait(self._transaction.rollback)


class Session(HookTarget["Session", Model]):
    """A unit of work on a database for programs without `await`: `with Session("sqlite:///app.db") as session`.

    It is an AsyncSession that runs on an event loop of its own, in a thread that all sync sessions of the process
    share; the caller waits. Its methods have the same names and meanings. References and collections load when they
    are first read, each together with its siblings. It works in any thread, for one thread at a time.

    Args:
        database: A Database, a SyncDatabase, an Adapter or a DSN; the configured one, or CORMORANT_DSN's, if none is
            given.
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
        >>> with Session("sqlite:///app.db") as session:
        ...     for article in session.query(Article).filter(Article.views > 3):
        ...         print(article.author.name)      # one more statement for all authors
    """

    def __init__(
        self,
        database: Database | SyncDatabase | Adapter | str | None = None,
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
        self._session = LoopSession(
            database.database if isinstance(database, DatabaseHolder) else database,
            dsn=dsn,
            connection_config=connection_config,
            autocommit=autocommit,
            isolation=isolation,
            read_only=read_only,
            scopes=scopes,
            timeout=timeout,
            performance_threshold=performance_threshold,
            slow_query_ms=slow_query_ms,
            max_queries=max_queries,
            max_rows=max_rows,
            cache_backend=cache_backend,
        )

    @property
    def __orm_hooks__(self) -> Hooks[Session, Model]:
        # kept where the session is, and called with what users know of it
        hooks: Hooks[Any, Any] = self._session.__orm_hooks__
        hooks.face = self
        return hooks

    @property
    def database(self) -> Database:
        """The database it works on."""
        return self._session.source

    # ---- life

    def __enter__(self) -> Self:
        self._session.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._session.leave(self._session, kind, error, traceback)
        except BaseException as interruption:
            # Ctrl-C just before the waiting: Python will leave the block no second time
            if self._session.is_open:
                self._session.leave(self._session, type(interruption), interruption, None)
            raise

    def close(self) -> None:
        """Rolls back what is not committed and ends the session; a second call does nothing."""
        if self._session.is_open:
            self._session.wait(self._session.close)

    # ---- reading

    @overload
    def query(self, source: type[M]) -> SyncQuerySet[M]: ...
    @overload
    def query(self, source: Collection[M]) -> SyncQuerySet[M]: ...
    @overload
    def query(self, source: type[Q]) -> Q: ...
    def query(self, source: Any) -> Any:
        """Starts a query of a model's objects, or of a collection's; a SyncQuerySet subclass may stand for its model.

        Example:
            >>> session.query(Article).filter(Article.views > 3).all()
            >>> session.query(author.articles).filter(Article.views > 3).count()
        """
        return sync_query(source, self._session)

    def get(self, model: type[M], key: Any, *, for_update: bool = False) -> M | None:
        """Gives the object of a primary key, or None; one that is known is given without a query.

        Args:
            model: The model.
            key: The key; for a composite one a tuple in declaration order.
            for_update: Read the row, known or not, and lock it until the transaction ends.
        """
        return self._session.wait(self._session.get, model, key, for_update=for_update)

    def get_one(self, model: type[M], key: Any, *, for_update: bool = False) -> M:
        """Gives the object of a primary key; `for_update` locks its row until the transaction ends.

        Raises:
            NotFoundError: There is none.
        """
        return self._session.wait(self._session.get_one, model, key, for_update=for_update)

    def get_many(self, model: type[M], keys: Iterable[Any]) -> list[M]:
        """Gives the objects of several keys, in the keys' order, in one query; missing ones are left out."""
        # what the caller's generator does, it does in the caller's thread
        return self._session.wait(self._session.get_many, model, list(keys))

    def refresh(self, *objects: Model) -> None:
        """Reads objects again, over what they hold.

        Raises:
            StaleObjectError: An object has changes that would be lost, or its row is gone.
        """
        self._session.wait(self._session.refresh, *objects)

    def load(self, objects: Model | Iterable[Model], /, *what: ManyExpr[Any] | type[Model] | Column[Any]) -> None:
        """Loads relations, and columns that were left out, of objects that are at hand.

        Args:
            objects: An object, or several of one model.
            what: Relations from that model, also further ones; its columns.

        Raises:
            WrongType: Something is no object, relation or column.
            ForeignInstanceError: An object does not belong to this session.
        """
        self._session.wait(self._session.load, objects if isinstance(objects, Model) else list(objects), *what)

    # ---- changing

    def add(self, *objects: Model) -> None:
        """Takes new objects in, and the new objects they are related to; written at the next flush.

        Raises:
            ForeignInstanceError: An object belongs to another session.
        """
        self._session.add(*objects)

    def create(self, model: Callable[P, M], *args: P.args, **kwargs: P.kwargs) -> M:
        """Makes an object, adds it and flushes.

        Example:
            >>> ada = session.create(Author, name="Ada")    # INSERT ... RETURNING "id"
        """
        instance = model(*args, **kwargs)
        self.add(instance)
        self.flush()
        return instance

    def delete(self, *objects: Model) -> None:
        """Marks objects' rows for deletion at the next flush."""
        self._session.delete(*objects)

    def merge(self, instance: M) -> M:
        """Copies what an object from outside holds onto the session's own object of the same row, and gives that.

        Args:
            instance: An object of another session, open or closed, an unpickled or a new one; it stays as it is.

        Raises:
            StaleObjectError: The row has another version than the object, or is gone.
        """
        return self._session.wait(self._session.merge, instance)

    def add_m2m(self, owner: Model, relation: ManyExpr[M], *items: M) -> None:
        """Links objects at once, without loading anything; new objects among them are saved first.

        Args:
            owner: The object that gets the links.
            relation: A many-to-many relation of its model.
            items: Objects of the relation's other side; those that are linked already stay so.
        """
        self._session.wait(self._session.add_m2m, owner, relation, *items)

    def remove_m2m(self, owner: Model, relation: ManyExpr[M], *items: M) -> None:
        """Drops links at once, without loading anything; the objects stay.

        Args:
            owner: The object that has the links.
            relation: A many-to-many relation of its model.
            items: Objects of the relation's other side; those that are not linked are left alone.
        """
        self._session.wait(self._session.remove_m2m, owner, relation, *items)

    def clear_m2m(self, owner: Model, relation: ManyExpr[Any]) -> None:
        """Drops every link of an object at once, without loading anything; the objects stay.

        Args:
            owner: The object that has the links.
            relation: A many-to-many relation of its model.
        """
        self._session.wait(self._session.clear_m2m, owner, relation)

    def expunge(self, *objects: Model) -> None:
        """Takes objects out of the session; what was pending for them is forgotten."""
        self._session.expunge(*objects)

    def clear(self) -> None:
        """Takes every object out of the session; what is pending is forgotten."""
        self._session.clear()

    def flush(self) -> None:
        """Writes what is pending: inserts, updates, links, deletes, in one transaction."""
        self._session.wait(self._session.flush)

    def preview(self) -> FlushPreview:
        """Gives what the next flush would do, to be printed: statements, rows, and what the database does by itself.

        Nothing is sent, no hook runs, and no object changes.

        Raises:
            ValidationError: A value cannot be saved.
            DependencyCycleError: Rows need each other in a ring.
        """
        return self._session.preview()

    # ---- transactions

    def transaction(
        self, *, isolation: IsolationLevel | None = None, read_only: bool = False, deferrable: bool = False
    ) -> SyncTransaction:
        """Opens a transaction; inside one, a savepoint.

        Args:
            isolation: The isolation level; only for the outermost transaction.
            read_only: Refuse writes.
            deferrable: Wait for a snapshot that cannot fail; for serializable read-only transactions.

        Example:
            >>> with session.transaction():      # BEGIN, or SAVEPOINT
            ...     article.views += 1
        """
        made = self._session.transaction(isolation=isolation, read_only=read_only, deferrable=deferrable)
        return SyncTransaction(self._session, made)

    def begin(
        self, *, isolation: IsolationLevel | None = None, read_only: bool = False, deferrable: bool = False
    ) -> SyncTransaction:
        """Opens a transaction that `commit()` or `rollback()` ends."""
        begin = self._session.begin
        made = self._session.wait(begin, isolation=isolation, read_only=read_only, deferrable=deferrable)
        return SyncTransaction(self._session, made)

    def commit(self) -> None:
        """Writes what is pending and commits; nothing is forgotten or expired."""
        self._session.wait(self._session.commit)

    def rollback(self) -> None:
        """Undoes everything since the last commit, in the database and in the objects."""
        self._session.wait(self._session.rollback)

    def after_commit(self, fn: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Has a function called once after what is going on is committed; forgotten if it is rolled back.

        Args:
            fn: A sync or async function; it is called on the session's event loop.
            args: What it is called with.
            kwargs: What it is called with by name.
        """
        self._session.after_commit(fn, *args, **kwargs)

    def after_rollback(self, fn: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Has a function called once after the innermost block, or one around it, is rolled back.

        Args:
            fn: A sync or async function; it is called on the session's event loop.
            args: What it is called with.
            kwargs: What it is called with by name.
        """
        self._session.after_rollback(fn, *args, **kwargs)

    # ---- raw SQL

    def execute(
        self, sql: LiteralString | Fragment, params: Mapping[str, Any] | None = None, *, write: bool | None = None
    ) -> Result:
        """Runs SQL of your own, with `:name` for parameters on every database.

        Args:
            sql: A literal; `text(...)` for text that was built.
            params: The values by name.
            write: Whether it may write; told from its first word otherwise. What writes opens a transaction.

        Example:
            >>> rows = session.execute("select id from author where name = :name", {"name": "Ada"})
        """
        return self._session.wait(self._session.execute, sql, params, write=write)

    def stream(
        self, sql: LiteralString | Fragment, params: Mapping[str, Any] | None = None, *, chunk: int = 1000
    ) -> Generator[tuple[Any, ...], None, None]:
        """Gives the rows of a SELECT of your own one after another, reading a chunk at a time, in the transaction.

        Args:
            sql: A literal; `text(...)` for text that was built.
            params: The values by name.
            chunk: Rows read at a time.

        Example:
            >>> for number, name in session.stream("select id, name from author"): ...
        """
        return each_of(self._session, raw_chunks(self._session.state(), sql, params, chunk))

    # ---- what is going on

    @property
    def new(self) -> AbstractCollection[Model]:
        """The objects that the next flush inserts."""
        return self._session.new

    @property
    def dirty(self) -> AbstractCollection[Model]:
        """The objects with changed columns."""
        return self._session.dirty

    def changes(self, instance: Model) -> Mapping[str, Change]:
        """Gives what the next flush would write of an object: old and new by attribute, for collections what came and
        went; of a new object every column that has a value.
        """
        return self._session.changes(instance)

    @property
    def deleted(self) -> AbstractCollection[Model]:
        """The objects whose rows the next flush deletes."""
        return self._session.deleted

    @property
    def identity_map(self) -> IdentityMap:
        """The instances it holds."""
        return self._session.identity_map

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._session.in_transaction

    @property
    def last_commit(self) -> datetime | None:
        """When the database last said that something of the session is committed; after its block, of the last one."""
        return self._session.last_commit

    def query_stats(self) -> list[StatementStats]:
        """Gives the session's statement shapes, the costliest first; after its block, those of the last one."""
        return self._session.query_stats()

    def cache_stats(self) -> CacheUse:
        """Gives what the session has asked of the second-level cache; `reset_query_stats()` forgets it."""
        return self._session.cache_stats()

    def report(self) -> Report:
        """Gives what the session has done, for people: `print(session.report())`, `.show()`, `.save("report.html")`.

        After its block it is about the last one. Figures of connections and plans are the database's.
        """
        return self._session.report()

    def export_query_stats(self, *, reset: bool = False, include_samples: bool = False) -> list[ExportedStats]:
        """Gives the statement shapes as JSON takes them, the costliest first.

        Args:
            reset: Forget them, so that the next export has what came after this one.
            include_samples: With the values of the slowest runs, where `Database(sample_parameters=True)` keeps them.
        """
        return self._session.export_query_stats(reset=reset, include_samples=include_samples)

    def reset_query_stats(self) -> None:
        """Forgets the statements counted so far."""
        self._session.reset_query_stats()
