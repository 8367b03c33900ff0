"""`SyncDatabase`: what a program without an event loop does with a database, outside of sessions."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Concatenate, ParamSpec, Self

from typing_extensions import TypeVar, Unpack

from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.database import CLOSE_TIMEOUT, Database, DatabaseStats, Outcome, SessionOptions
from cormorant.database.listening import BUFFER
from cormorant.database.units import own_options
from cormorant.dialects.base import IsolationLevel
from cormorant.errors import CommitOutcomeUnknown, SyncInLoopError, TransactionError, WrongType
from cormorant.models.model import Model
from cormorant.observability.events import Observer
from cormorant.observability.exported import ExportedStats
from cormorant.observability.report import Report
from cormorant.observability.shapes import StatementStats
from cormorant.persistence.retry import Retrying, is_conflict, pause
from cormorant.sync.bridge import DatabaseHolder, open_transaction, warn_on_a_loop
from cormorant.sync.listening import SyncListener
from cormorant.sync.portal import portal
from cormorant.sync.session import Session

P = ParamSpec("P")
T = TypeVar("T")


class SyncRetrying:
    """Runs units of work, each attempt in a sync session of its own.

    Args:
        retrying: Where they run, how often, and at which isolation level.
        sleep: Waits between two attempts.
    """

    def __init__(self, retrying: Retrying, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.database: Database = retrying.database
        self.retries: int = retrying.retries
        self.isolation: IsolationLevel | None = retrying.isolation
        self._sleep = sleep

    def run(self, fn: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn(session, ...)` and commits; again after a serialization failure or a deadlock.

        Raises:
            SerializationError: The last attempt met others too; so does DeadlockError.
            TransactionError: The caller is inside of a transaction, which would not be repeated with it.
            WrongType: `fn` is to be awaited.
        """
        if inspect.iscoroutinefunction(fn):
            raise WrongType(
                f"{fn.__qualname__}() is awaited, and a SyncDatabase waits by itself",
                hint="give it a plain function that takes a Session; `await Database.run(...)` takes this one",
            )
        _check_outside()
        attempt = 0
        while True:
            try:
                with Session(self.database, isolation=self.isolation) as session:
                    return fn(session, *args, **kwargs)
            except Exception as error:
                if attempt >= self.retries or not is_conflict(error):
                    raise
            self._sleep(pause(attempt))
            attempt += 1


def _check_outside() -> None:
    found = open_transaction()
    if found is not None:
        raise TransactionError(
            f"a unit of work begins inside of a transaction: {found} has one open",
            hint="call run() outside of it; inside, `with session.transaction()` makes a savepoint",
        )


class SyncDatabase(DatabaseHolder):
    """A Database for programs without `await`: tables, sessions and units of work.

    It waits where a Database is awaited; the connections are those of the sync sessions. Making it does no I/O.

    Args:
        source: A Database, which may have options; or a DSN, a ConnectionConfig or an Adapter.

    Example:
        >>> db = SyncDatabase("sqlite:///app.db")
        >>> db.create_all()
        >>> with db.session() as session:
        ...     session.add(Author(name="Ada"))
    """

    def __init__(self, source: Database | ConnectionConfig | Adapter | str) -> None:
        self.database: Database = source if isinstance(source, Database) else Database(source)

    def __repr__(self) -> str:
        return f"<SyncDatabase {self.database.config.redacted}>"

    # ---- sessions

    def session(self, **options: Unpack[SessionOptions]) -> Session:
        """Gives a session on this database, to be entered: `with db.session() as session`.

        Args:
            options: `autocommit`, `isolation`, `read_only`, `scopes` and `timeout`, as for Session.
        """
        return Session(self.database, **options)

    def run(self, fn: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn(session, ...)` as one unit of work in a session of its own, and gives its result.

        Where the database could not put it in an order with others, it is rolled back and run again: at most three
        times, after growing pauses. So `fn` should do nothing that cannot be done twice. `retries=` and `isolation=`
        may be given here too if `fn` has no parameter of that name; typed, they are given to `retrying()`.

        Raises:
            SerializationError: The last attempt met others too; so does DeadlockError.
            TransactionError: The caller is inside of a transaction, which would not be repeated with it.

        Example:
            >>> db.run(transfer, 1, 2, amount=Decimal(3))     # BEGIN ... COMMIT, again if they are refused
        """
        return self.retrying(**own_options(fn, kwargs)).run(fn, *args, **kwargs)

    def retrying(self, *, retries: int | None = None, isolation: IsolationLevel | None = None) -> SyncRetrying:
        """Gives what runs units of work like `run()`, in its own way.

        Args:
            retries: How often a unit of work is run again at most; 3 unless told otherwise.
            isolation: The isolation level of its transactions.

        Example:
            >>> db.retrying(retries=10, isolation="serializable").run(transfer, 1, 2, amount=Decimal(3))
        """
        return SyncRetrying(self.database.retrying(retries=retries, isolation=isolation))

    # ---- tables

    def create_sql(self, *models: type[Model]) -> list[str]:
        """Gives the statements of `create_all` without running them."""
        return self.database.create_sql(*models)

    def create_all(self, *models: type[Model]) -> None:
        """Creates the tables of the models, of every known one if none is named, parents first, in one transaction."""
        self._change(Database.create_all, models)

    def drop_all(self, *models: type[Model]) -> None:
        """Drops the tables of the models as far as they exist, children first."""
        self._change(Database.drop_all, models)

    def _change(self, verb: Callable[..., Coroutine[Any, Any, None]], models: Sequence[type[Model]]) -> None:
        try:
            self._wait(verb, *models)
        finally:
            # the program may use the same database on another loop
            self.database.schema_changed()

    def invalidate(self, *models: type[Model], keys: Iterable[Any] | None = None) -> None:
        """Drops what the second-level cache has of models, of all if none is named, after others have written.

        Args:
            models: The models.
            keys: Primary keys of one model, if only their rows were written.
        """
        self._run(partial(portal().connected(self.database).invalidate, *models, keys=keys))

    # ---- life

    def query_stats(self) -> list[StatementStats]:
        """Gives every statement shape run on this database, the costliest first."""
        return self.database.query_stats()

    def report(self) -> Report:
        """Gives what happened on this database, for people: `print(db.report())`, `db.report().save("report.html")`."""
        return self.database.report()

    def export_query_stats(self, *, reset: bool = False, include_samples: bool = False) -> list[ExportedStats]:
        """Gives the same as JSON takes it.

        Args:
            reset: Forget them, so that the next export has what came after this one.
            include_samples: With the values of the slowest runs, where `sample_parameters` is set.
        """
        return self.database.export_query_stats(reset=reset, include_samples=include_samples)

    def reset_query_stats(self) -> None:
        """Forgets the statements counted so far."""
        self.database.reset_query_stats()

    def observe(self, observer: Observer) -> None:
        """Has an observer told of every statement from now on.

        Args:
            observer: Its `statement(event)` is called after each statement, on the loop of sync sessions.
        """
        self.database.observe(observer)

    def stats(self) -> DatabaseStats:
        """Gives how connections, statements and plans were used so far; it asks nobody, and costs microseconds.

        Example:
            >>> db.stats().pool.in_use
        """
        return self.database.stats()

    def ping(self, timeout: float | None = None) -> float:
        """Asks the server for an answer, on a connection of the pool.

        Args:
            timeout: Seconds for all of it, the waiting for a connection too; the database's `timeout` if None, and 10
                if it has none.

        Returns:
            The milliseconds that the answer took, without the waiting for a connection.

        Raises:
            ConnectionLost: There is none, or none in time.
            PoolTimeout: Nobody could be asked: all connections are in use, which says nothing about the server.
        """
        return self._wait(Database.ping, timeout)

    def listen(self, channel: str, /, *channels: str, buffer: int = BUFFER, resume: bool = False) -> SyncListener:
        """Gives the notifications of channels as they come, on PostgreSQL; all listeners share one connection.

        Args:
            channel: The channel's name, as it is written here: `NOTIFY Orders` means "orders".
            channels: Further ones.
            buffer: Notifications that may wait for the listener. One more ends it by ListenerOverflow, once those are
                taken.
            resume: Whether it goes on after notifications were missed, of which one with `gap=True` tells.

        Raises:
            ConfigurationError: The database sends no notifications, or a name is empty or too long.
            ConnectionLost: From the listener: the server cannot be reached or, without `resume`, is no longer there.

        Example:
            >>> for note in db.listen("orders"):     # LISTEN "orders"
            ...     print(note.payload)
        """
        database = portal().connected(self.database)
        return SyncListener(database.listen(channel, *channels, buffer=buffer, resume=resume), self._run)

    def outcome(self, of: CommitOutcomeUnknown | int) -> Outcome | None:
        """Asks what became of the transaction whose COMMIT was not answered.

        "in progress" is the answer too while a server has not noticed that the connection is gone.

        Args:
            of: The error, or the transaction's number, which is its `xid`.

        Returns:
            "committed", "aborted" or "in progress"; None if it ended so long ago that the server has forgotten.

        Raises:
            ConfigurationError: The database is no PostgreSQL.

        Example:
            >>> db.outcome(error)     # SELECT pg_xact_status(...)
        """
        return self._wait(Database.outcome, of)

    def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Closes every connection, those in use as they come back; the database stays closed.

        Args:
            timeout: Seconds to wait for the ones in use, which are then terminated, with what they had not
                committed; None waits without end.
        """
        self._run(partial(self.database.close, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, verb: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        return self._run(partial(verb, portal().connected(self.database), *args))

    def _run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        used = portal()
        if used.is_here:
            raise SyncInLoopError(
                "a SyncDatabase is called on the event loop of sync sessions, which would wait for itself",
                hint="hooks run there: make the hook `async def`, and use AsyncSession.current().database",
            )
        warn_on_a_loop()
        return used.run(function, Context())
