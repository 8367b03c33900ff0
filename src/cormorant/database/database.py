"""`Database`: adapter, dialect, plans and observers together; the single door to a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from logging import DEBUG
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from typing_extensions import Unpack

from cormorant._internal.made_once import KnownOnce
from cormorant.adapters.asking import ask
from cormorant.adapters.base import Adapter, Connection, RawRows, Reopenable, Row
from cormorant.adapters.config import COMMIT_TIMEOUT, IDLE_WARNING, ConnectionConfig, check_timeout
from cormorant.adapters.lending import Lending
from cormorant.adapters.registry import adapter_of
from cormorant.cache.backends import CacheBackend
from cormorant.database.caching import Caches, caches_of, forget
from cormorant.database.closing import all_ended, check_close_timeout
from cormorant.database.gating import OnOutdated, Places, gate
from cormorant.database.listening import BUFFER, Listener, listener_on, switchboard_of
from cormorant.database.made import noted
from cormorant.database.outcomes import Outcome, ask_outcome
from cormorant.database.preparing import prepared_write, query_parts
from cormorant.database.protocols import Companion, SessionOptions, Sessions
from cormorant.database.seeing import THRESHOLD, NPlusOne, check_n_plus_one, check_threshold, target_of
from cormorant.database.stats import DatabaseStats, plan_stats
from cormorant.database.switchboard import Switchboard
from cormorant.database.tables import create_statements, drop_statements, run_all
from cormorant.database.units import own_options
from cormorant.dialects.base import SNAPSHOTS, Codec, Dialect, IsolationLevel, check_isolation
from cormorant.errors import CommitOutcomeUnknown, PoolClosed, SessionNotEntered
from cormorant.hooks.dispatcher import Hooks, HookTarget
from cormorant.hydration.hydrator import Loader
from cormorant.models.model import Model
from cormorant.models.scopes import Scope, Scopes, distinct, values_of
from cormorant.observability.budgets import TRANSACTION_WORDS
from cormorant.observability.correlation import comment
from cormorant.observability.events import Observer, StatementEvent
from cormorant.observability.exported import ExportedStats
from cormorant.observability.performance import PerformanceTracker, SilentTracker
from cormorant.observability.report import Report, report_of
from cormorant.observability.shapes import Caller, StatementStats
from cormorant.observability.watching import SQL, Watch, slow_seconds
from cormorant.query.beside import Pick
from cormorant.query.cursors import Cursors, cursor_secret
from cormorant.query.plans import Plans
from cormorant.query.prepared import PreparedWrite, encoded
from cormorant.query.spec import QuerySpec
from cormorant.sql.restrictions import Owner
from cormorant.sql.statements import Write

if TYPE_CHECKING:
    from cormorant.persistence.retry import Retrying
    from cormorant.persistence.session import AsyncSession

P = ParamSpec("P")
T = TypeVar("T")
Runs = TypeVar("Runs", bound="Sequence[object] | None")

PLANS = 1000

CLOSE_TIMEOUT = 10.0
"""Seconds that `close()` waits for connections in use, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query's text with its encoders and its loader, kept for every query of the same shape.

    Args:
        encoders: For each parameter its encoder or None; None if no parameter has one.
        owners: Whose conditions the text holds beside the query's own.
        beside: What is read beside the rows.
        picks: For each parameter the place of its value in the query; None if they are in the query's order.
        writes: A part of it writes.
        rests_on: The tables whose changes change its result; "*" where it may be any, None where it may not be kept.
        further: What its objects come with takes statements of its own.
    """

    sql: str
    picks: tuple[int, ...] | None
    encoders: tuple[Codec | None, ...] | None
    loader: Loader
    tables: frozenset[str]
    owners: tuple[Owner, ...] = ()
    beside: tuple[Pick, ...] = ()
    writes: bool = False
    rests_on: frozenset[str] | None = frozenset()
    further: bool = False

    def arguments(self, spec: QuerySpec) -> list[Any]:
        """Gives a query's values as the driver takes them, and after them those of default scopes."""
        if not self.owners and self.picks is None and self.encoders is None:
            return spec.values
        values = spec.values
        if self.owners and spec.scopes is not None:
            for condition in spec.scopes.conditions_of(self.owners):
                values += values_of(condition.binds)
        return self.encode(values)

    def encode(self, values: list[Any]) -> list[Any]:
        """Gives the values as the driver takes them."""
        if self.picks is not None:
            values = [values[place] for place in self.picks]
        return values if self.encoders is None else encoded(self.encoders, values)


class Database(HookTarget["AsyncSession", Model]):
    """A database that sessions work on; made once for a program. Making it does no I/O.

    Args:
        source: A DSN, a ConnectionConfig or an Adapter.
        isolation: The isolation level of transactions that name none; the server's own otherwise.
        scopes: Conditions that the queries of every session get by themselves: tenants, soft delete.
        pool_size: Connections at most, unless the DSN says it.
        cursor_key: The secret that signs the cursors of pages; CORMORANT_CURSOR_KEY, or one made of the DSN, if none is
            given. Programs that take each other's cursors need the same one.
        timeout: Seconds that a statement of a session has, with the waiting for its turn, a connection and locks; None
            sets no limit. `ConnectionConfig.statement_timeout` is the server's own, and counts the statement alone.
        commit_timeout: Seconds that a COMMIT on its way may still take after its caller was cancelled.
        track_commits: Every transaction that writes asks for its number first, by one round trip more, and a
            CommitOutcomeUnknown has it as `xid`, for `outcome()`. SQLite has no such numbers, and needs none.
        idle_transaction_warning: Seconds after which a transaction in which no statement runs is logged, once, with
            its task and lines, to the logger "cormorant.transactions"; None logs none.
        track_queries: Count and time statements by their shape, and remember the lines of code that ask for them.
        performance_threshold: How often one line of the program may load things one by one in a session; 5 unless told
            otherwise.
        n_plus_one: What is done when it does so more often: "warn" once for each line by an NPlusOneWarning, "raise" an
            NPlusOneError, for tests, or "ignore"; CORMORANT_N_PLUS_ONE, or "warn", if not given.
        sample_parameters: Keep the values of the slowest run of each shape as text, secret ones hidden.
        slow_query_ms: Milliseconds from which a statement is logged as slow; CORMORANT_SLOW_QUERY_MS, or 200, if not
            given.
        cache_backend: Where rows that are read by key, and results of queries that ask for it, are kept between
            sessions: MemoryCache(), RedisCache(url).
        echo: Print every statement to stderr with its values, secret ones hidden.
        query_comments: End statements with a comment of the tags that `query_tags` gives them.
        on_outdated: What is done at the first use if the database has not all migrations: "refuse" by SchemaOutdated,
            "warn" by the logger "cormorant.migrations", or "migrate"; None does not ask.
        migrations: The directory of the migrations, or that of each app; for `on_outdated`.

    Its `number` tells it from the program's other databases.

    Example:
        >>> db = Database("postgresql://app@localhost/app")
        >>> await db.create_all()
    """

    # filled by the room that knows sessions; a database knows none
    sessions: ClassVar[Sessions | None] = None

    if TYPE_CHECKING:
        default_level: IsolationLevel | None
    else:
        # the level of transactions that name none; the server's is not known before the first connection is open
        default_level = KnownOnce(lambda database: database.isolation or database.adapter.default_isolation)

    def __init__(
        self,
        source: str | ConnectionConfig | Adapter,
        *,
        isolation: IsolationLevel | None = None,
        scopes: Sequence[Scope[Any]] = (),
        pool_size: int | None = None,
        cursor_key: str | bytes | None = None,
        timeout: float | None = None,
        commit_timeout: float = COMMIT_TIMEOUT,
        track_commits: bool = False,
        idle_transaction_warning: float | None = IDLE_WARNING,
        track_queries: bool = True,
        performance_threshold: int = THRESHOLD,
        n_plus_one: NPlusOne | None = None,
        sample_parameters: bool = False,
        slow_query_ms: float | None = None,
        cache_backend: CacheBackend | None = None,
        echo: bool = False,
        query_comments: bool = False,
        on_outdated: OnOutdated | None = None,
        migrations: Places = "migrations",
        plans: int = PLANS,
    ) -> None:
        check_isolation(isolation)
        self.scopes: tuple[Scope[Any], ...] = distinct(scopes)
        self.adapter: Adapter = adapter_of(source, pool_size)
        self.dialect: Dialect = self.adapter.dialect
        self.config: ConnectionConfig = self.adapter.config
        self.isolation: IsolationLevel | None = isolation or self.config.isolation
        self.timeout: float | None = check_timeout("timeout", timeout)
        self.commit_timeout: float = check_timeout("commit_timeout", commit_timeout) or COMMIT_TIMEOUT
        self.track_commits: bool = track_commits and self.dialect.transaction_number is not None
        self.switchboard: Switchboard | None = switchboard_of(self.adapter)
        idle = check_timeout("idle_transaction_warning", idle_transaction_warning)
        self.lending: Lending = Lending(self.adapter, idle)
        self.watch: Watch = Watch(target_of(self.config), echo=echo)
        self.comment: Callable[[], str] | None = comment if query_comments else None
        made = partial(PerformanceTracker, samples=sample_parameters) if track_queries else SilentTracker
        self.tracker: PerformanceTracker = made(slow=slow_seconds(slow_query_ms))
        # one made of the DSN is the same for all who have the whole DSN
        secret = cursor_secret(cursor_key, repr((self.config.redacted, self.config.password)))
        dialect = self.dialect
        self.cursors: Cursors = Cursors(secret, lambda select: dialect.compile(select).sql)
        self.plans: Plans[PreparedQuery] = Plans(plans)
        self._writes: Plans[PreparedWrite] = Plans(plans)
        self._companions: list[Companion] = []
        self.performance_threshold: int = check_threshold(performance_threshold) or THRESHOLD
        self.n_plus_one: NPlusOne = check_n_plus_one(n_plus_one)
        # the lines of the program that were warned of
        self.reported: set[tuple[object, ...]] = set()
        # by a sandbox, whose transactions are all rolled back
        self.is_borrowed: bool = False
        self.caches: Caches = caches_of(self, cache_backend)
        self._closed = False
        self._own_hooks = Hooks()
        gate(self, on_outdated, migrations)
        # at last: who is told of it may look at it
        self.number: int = noted(self)

    def __repr__(self) -> str:
        return f"<Database {self.config.redacted}>"

    @property
    def level(self) -> IsolationLevel | None:
        """The isolation level of transactions that name none: the given one, else the server's if it is stronger."""
        if self.isolation is not None or not self.dialect.supports_isolation_levels:
            return self.isolation
        default = self.default_level
        return default if default in SNAPSHOTS else None

    # ---- sessions

    def session(self, **options: Unpack[SessionOptions]) -> AsyncSession:
        """Gives a session on this database, to be entered: `async with db.session() as session`.

        Args:
            options: `autocommit`, `isolation`, `read_only`, `scopes`, `timeout`,
                `performance_threshold`, `slow_query_ms`, `max_queries` and `max_rows`, as for AsyncSession.
        """
        return self._sessions().session(self, options)

    async def run(
        self, fn: Callable[Concatenate[AsyncSession, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `await fn(session, ...)` as one unit of work in a session of its own, and gives its result.

        Where the database could not put it in an order with others, it is rolled back and run again: at most three
        times, after growing pauses. So `fn` should do nothing that cannot be done twice. `retries=` and `isolation=`
        may be given here too if `fn` has no parameter of that name; typed, they are given to `retrying()`.

        Raises:
            SerializationError: The last attempt met others too; so does DeadlockError.
            TransactionError: The caller is inside of a transaction, which would not be repeated with it.

        Example:
            >>> await db.run(transfer, 1, 2, amount=Decimal(3))     # BEGIN ... COMMIT, again if they are refused
        """
        return await self.retrying(**own_options(fn, kwargs)).run(fn, *args, **kwargs)

    def retrying(self, *, retries: int | None = None, isolation: IsolationLevel | None = None) -> Retrying:
        """Gives what runs units of work like `run()`, in its own way.

        Args:
            retries: How often a unit of work is run again at most; 3 unless told otherwise.
            isolation: The isolation level of its transactions.

        Example:
            >>> await db.retrying(retries=10, isolation="serializable").run(transfer, 1, 2, amount=Decimal(3))
        """
        return self._sessions().retrying(self, retries, isolation)

    def _sessions(self) -> Sessions:
        if self.sessions is None:
            raise SessionNotEntered("no sessions are known", hint="import cormorant, not one of its modules alone")
        return self.sessions

    # ---- plans

    def prepare(self, spec: QuerySpec) -> PreparedQuery:
        """Gives a query's text and loader, made at the first query of its shape."""
        key = spec.cache_key
        self.plans.asked += 1
        if spec.scopes is not None:
            return self.plans.find_scoped(key, spec.scopes, partial(self._prepare, spec))
        # by far the most are found here, without a further call
        found = self.plans.recent.get(key)
        return self.plans.find(key, partial(self._prepare, spec)) if found is None else found

    def _prepare(self, spec: QuerySpec) -> PreparedQuery:
        return PreparedQuery(*query_parts(self.dialect, spec, self.number))

    def prepare_write(self, statement: Write, scopes: Scopes | None = None) -> PreparedWrite:
        """Gives a write's text and codecs, made at the first write of its shape."""
        key = statement.key
        self._writes.asked += 1
        if scopes is not None:
            return self._writes.find_scoped(key, scopes, partial(prepared_write, self.dialect, statement, scopes))
        found = self._writes.recent.get(key)
        return self._writes.find(key, partial(prepared_write, self.dialect, statement)) if found is None else found

    # ---- statements, timed and counted

    async def fetch(
        self,
        connection: Connection,
        tracker: PerformanceTracker,
        sql: str,
        args: Sequence[Any],
        *,
        written: int = 0,
        caller: Caller | None = None,
    ) -> Sequence[Row]:
        """Runs one statement and gives its rows; `written` counts them where it writes and gives none back."""
        if tracker.budget is not None:
            tracker.budget.count(sql)
        start = perf_counter()
        try:
            rows = await connection.fetch(sql if self.comment is None else sql + self.comment(), args)
        except BaseException as error:
            self.record(tracker, sql, 0, start, args, caller, error)
            raise
        self.record(tracker, sql, len(rows) or written, start, args, caller)
        return rows

    async def run_each(
        self,
        run: Callable[[str, Sequence[Sequence[Any]]], Awaitable[Runs]],
        tracker: PerformanceTracker,
        sql: str,
        args: Sequence[Sequence[Any]],
        caller: Caller | None = None,
    ) -> Runs:
        """Runs one write for each row of arguments, by a method of a connection, and gives what that gives."""
        if tracker.budget is not None:
            tracker.budget.count(sql)
        start = perf_counter()
        try:
            runs = await run(sql if self.comment is None else sql + self.comment(), args)
        except BaseException as error:
            self.record(tracker, sql, 0, start, args, caller, error, len(args))
            raise
        written = 0 if runs is None else sum(map(bool, runs))
        self.record(tracker, sql, written or len(args), start, args, caller, runs=len(args))
        return runs

    async def execute(
        self,
        connection: Connection,
        tracker: PerformanceTracker,
        sql: str,
        args: Sequence[Any] = (),
        caller: Caller | None = None,
    ) -> int:
        """Runs one statement and gives the number of rows it wrote."""
        if tracker.budget is not None:
            tracker.budget.count(sql)
        start = perf_counter()
        try:
            # words of transactions go without comments
            plain = self.comment is None or sql.startswith(TRANSACTION_WORDS)
            count = await connection.execute(sql if plain else f"{sql}{comment()}", args)
        except BaseException as error:
            self.record(tracker, sql, 0, start, args, caller, error)
            raise
        self.record(tracker, sql, max(count, 0), start, args, caller)
        return count

    async def query(
        self,
        connection: Connection,
        tracker: PerformanceTracker,
        sql: str,
        args: Sequence[Any],
        caller: Caller | None = None,
    ) -> RawRows:
        """Runs one statement of raw SQL."""
        if tracker.budget is not None:
            tracker.budget.count(sql)
        start = perf_counter()
        try:
            result = await connection.query(sql if self.comment is None else sql + self.comment(), args)
        except BaseException as error:
            self.record(tracker, sql, 0, start, args, caller, error)
            raise
        self.record(tracker, sql, len(result.rows), start, args, caller)
        return result

    def record(
        self,
        tracker: PerformanceTracker,
        sql: str,
        rows: int,
        start: float,
        args: Sequence[Any] = (),
        caller: Caller | None = None,
        error: BaseException | None = None,
        runs: int = 1,
    ) -> None:
        """Counts and times a statement that was sent at `start`, and tells those who watch."""
        seconds = perf_counter() - start
        tracker.record(sql, rows, seconds, args, error is not None, start, caller)
        watch = self.watch
        # nothing is put into words that nobody wants to hear
        if seconds >= tracker.slow or watch.observers or SQL.isEnabledFor(DEBUG):
            watch.tell(StatementEvent(sql, rows, seconds, error, watch.target, runs, args), tracker.slow)

    def observe(self, observer: Observer) -> None:
        """Has an observer told of every statement from now on, also of those that sync sessions send.

        Args:
            observer: Its `statement(event)` is called after each statement, in the task that sent it.

        Raises:
            ConfigurationError: It has no such method, or an async one.
        """
        self.watch.add(observer)

    def query_stats(self) -> list[StatementStats]:
        """Gives every statement shape run on this database, the costliest first."""
        return self.tracker.stats()

    def stats(self) -> DatabaseStats:
        """Gives how connections, statements and plans were used so far; it asks nobody, and costs microseconds.

        Example:
            >>> db.stats().pool.in_use
            >>> db.stats().as_dict()     # {"pool_size": 10, ..., "statements_errors": 0, "plans_hits": 4711, ...}
        """
        pool = sum((companion.pool for companion in self._companions), self.adapter.stats)
        plans = plan_stats(self.plans, self._writes)
        return DatabaseStats(pool, self.tracker.totals(), plans, len(self.switchboard or ()), self.caches.stats())

    def report(self) -> Report:
        """Gives what happened on this database, for people: `print(db.report())`, `db.report().save("report.html")`."""
        return report_of(self.tracker, self.watch.target, self.stats().as_dict(), "database")

    def export_query_stats(self, *, reset: bool = False, include_samples: bool = False) -> list[ExportedStats]:
        """Gives the same as JSON takes it.

        Args:
            reset: Forget them, so that the next export has what came after this one.
            include_samples: With the values of the slowest runs, where `sample_parameters` is set.
        """
        return self.tracker.export(reset=reset, include_samples=include_samples)

    def reset_query_stats(self) -> None:
        """Forgets the statements counted so far."""
        self.tracker.reset()

    async def invalidate(self, *models: type[Model], keys: Iterable[Any] | None = None) -> None:
        """Drops what the second-level cache has of models, of all if none is named, after others have written.

        Args:
            models: The models.
            keys: Primary keys of one model, if only their rows were written; others are a WrongType.

        Example:
            >>> await db.invalidate(Author, keys=[1, 2])    # on PostgreSQL other processes are told: pg_notify(...)
        """
        await forget(self, models, keys)

    # ---- tables

    def create_sql(self, *models: type[Model]) -> list[str]:
        """Gives the statements of `create_all` without running them."""
        return create_statements(self.dialect, models)

    async def create_all(self, *models: type[Model]) -> None:
        """Creates the tables of the models, of every known one if none is named, parents first, in one transaction."""
        await run_all(self, self.create_sql(*models))

    async def drop_all(self, *models: type[Model]) -> None:
        """Drops the tables of the models as far as they exist, children first."""
        await run_all(self, drop_statements(self.dialect, models), *self.dialect.around_drops)

    def schema_changed(self) -> None:
        """Has what connections remember of tables and types forgotten before their next use."""
        self.adapter.schema_changed()
        for companion in self._companions:
            companion.schema_changed()

    # ---- life

    async def ping(self, timeout: float | None = None) -> float:
        """Asks the server for an answer, on a connection of the pool.

        Args:
            timeout: Seconds for all of it, the waiting for a connection too; the database's `timeout` if None, and 10
                if it has none.

        Returns:
            The milliseconds that the answer took, without the waiting for a connection.

        Raises:
            ConnectionLost: There is none, or none in time.
            PoolTimeout: Nobody could be asked: all connections are in use, which says nothing about the server.
            PoolClosed: The database is closed.

        Example:
            >>> await db.ping(timeout=2)     # SELECT 1
        """
        answer = await ask(self.adapter, "SELECT 1", (), self.timeout if timeout is None else timeout)
        return answer.milliseconds

    def listen(self, channel: str, /, *channels: str, buffer: int = BUFFER, resume: bool = False) -> Listener:
        """Gives the notifications of channels as they come, on PostgreSQL; all listeners share one connection.

        Args:
            channel: The channel's name, as it is written here: `NOTIFY Orders` means "orders".
            channels: Further ones.
            buffer: Notifications that may wait for the listener. One more ends it by ListenerOverflow, once those are
                taken.
            resume: Whether it goes on after notifications were missed: it listens again as soon as it can when the
                connection is lost, and drops what does not fit in the buffer. Each channel concerned gets a
                notification with `gap=True` then.

        Returns:
            A Listener, for `async for` and for `async with`. It ends when the database is closed.

        Raises:
            ConfigurationError: The database sends no notifications, or a name is empty or too long.
            ConnectionLost: From the listener: the server cannot be reached or, without `resume`, is no longer there.

        Example:
            >>> async for note in db.listen("orders"):     # LISTEN "orders"
            ...     print(note.payload)
        """
        return listener_on(self.adapter, self.switchboard, (channel, *channels), buffer=buffer, resume=resume)

    async def outcome(self, of: CommitOutcomeUnknown | int) -> Outcome | None:
        """Asks what became of the transaction whose COMMIT was not answered.

        "in progress" is the answer too while a server has not noticed that the connection is gone.

        Args:
            of: The error, or its `xid` alone; a server that has crashed may give the same number to another
                transaction, and only the error tells them apart.

        Returns:
            "committed", "aborted" or "in progress"; None if the server does not know any more: it ended long ago, or
            the server has been restarted, and has made a checkpoint, since.

        Raises:
            ConfigurationError: The database is no PostgreSQL.

        Example:
            >>> await db.outcome(error)     # SELECT ... pg_xact_status(...)
        """
        return await ask_outcome(self.adapter, of, self.timeout)

    async def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Closes every connection, those in use as they come back, and ends listeners; the database stays closed.

        Newcomers and those who wait for a connection get PoolClosed from now on. Closing it again does nothing.

        Args:
            timeout: Seconds to wait for the ones in use, which are then terminated, with what they had not
                committed; None waits without end.
        """
        check_close_timeout(timeout)
        if self.is_borrowed:
            # the program ends, and its database goes on when the sandbox has ended
            return
        self._closed = True
        listeners = () if self.switchboard is None else (self.switchboard.close(timeout),)
        others = (companion.close(timeout) for companion in self._companions)
        await all_ended(self.adapter.close(timeout), self.caches.close(), *listeners, *others)

    def beside(self) -> Database:
        """Gives this database with connections of its own, which another event loop may use at the same time.

        Plans and statistics are shared. A database in memory is its one connection's, and is given itself.

        Raises:
            PoolClosed: The database is closed.
        """
        adapter = self.adapter.another() if isinstance(self.adapter, Reopenable) else None
        if adapter is None:
            return self
        if self._closed:
            raise PoolClosed("the database is closed", hint="make a new Database, or close this one later")
        twin = copy(self)
        twin.switchboard = switchboard_of(adapter)
        twin.adapter, twin.lending, twin._companions = adapter, self.lending.another(adapter), []
        twin.caches = self.caches.beside(twin)
        return twin

    def accompany(self, companion: Companion) -> None:
        """Has a companion told when tables change and when the database is closed."""
        self._companions.append(companion)

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
