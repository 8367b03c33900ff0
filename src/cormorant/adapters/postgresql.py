"""PostgreSQL through asyncpg, with Cormorant's own pool: no reset query, one round trip for each statement."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from cormorant.adapters.base import Adapter, Connection, RawRows, Row
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.notifying import Notification, listening_config
from cormorant.adapters.pool import RESET_TIMEOUT, Pool
from cormorant.adapters.postgresql_ahead import Ahead
from cormorant.adapters.postgresql_cursor import PostgresCursor
from cormorant.adapters.postgresql_errors import schema_changed, translate, translate_connect
from cormorant.adapters.postgresql_listening import PostgresListening, check_channel
from cormorant.adapters.postgresql_plans import Edition, forget, forget_all, is_outdated, may_be_outdated
from cormorant.adapters.postgresql_pooled import pooled_driver
from cormorant.adapters.postgresql_state import REMEDIES, LeftBehind
from cormorant.adapters.stats import PoolStats
from cormorant.adapters.text import check_sendable
from cormorant.dialects.base import ISOLATION_LEVELS, IsolationLevel
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.errors import ConfigurationError, StatementError

R = TypeVar("R")

# the driver comes without types; here they end
_connect: Callable[..., Awaitable[Any]] = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"})
_READS = frozenset({"SELECT", "FETCH"})
_ENDS = frozenset({"COMMIT", "ROLLBACK"})
# bytes that are asked of a socket at once. asyncio makes room for 256 KiB each time, which glibc takes from the system
# and gives back as soon as the answer is cut to its size: up to a sixth of the time of a short statement
READ_SIZE = 64 * 1024
_left_behind = LeftBehind()


class PostgresConnection:
    """One asyncpg connection.

    Args:
        driver: The open driver connection.
        pooled: Whether a pooler gives each transaction another connection of its own.
        edition: What tells texts from those that were prepared before others changed tables.
    """

    resumable = True

    __slots__ = (
        "_ahead",
        "_driver",
        "_edition",
        "_poll",
        "_pooled",
        "_prepared",
        "_protocol",
        "_record",
        "_run",
        "_unsettled",
        "altered",
        "pipelines",
    )

    def __init__(self, driver: Any, *, pooled: bool = False, edition: Edition | None = None) -> None:
        self._driver = driver
        self._protocol = protocol = driver._protocol
        self._pooled = pooled
        self._edition: Edition = edition or Edition()
        self._unsettled = False
        # a statement may have left something behind that outlives its transaction
        self.altered: bool = False
        # what the driver has prepared, and how it runs that: its public methods take five coroutines to come there
        self._prepared: Callable[[Any], Any] = driver._stmt_cache.get
        self._record: type[Any] = protocol.get_record_class()
        self._run: Callable[..., Awaitable[Sequence[Row]]] = protocol.bind_execute
        self._poll = _watch(driver._transport.get_extra_info("socket"))
        self._ahead = Ahead(driver._transport)
        # not every pooler is known to stand it
        self.pipelines: bool = self._ahead.is_possible and not pooled

    @property
    def in_transaction(self) -> bool:
        return not self.is_closed and bool(self._ahead.waiting or self._driver.is_in_transaction())

    @property
    def is_closed(self) -> bool:
        # as the driver's own method says it; every statement asks several times
        return bool(self._driver._aborted or not self._protocol.is_connected())

    @property
    def looks_lost(self) -> bool:
        # the loop may not have read the server's goodbye yet: an idle connection has nothing else to say
        return self._poll is not None and bool(self._poll.poll(0))

    @property
    def needs_reset(self) -> bool:
        # after a cancelled statement the driver knows the state before it: a BEGIN may have got through
        is_begun = self._ahead.waiting or self._protocol.is_in_transaction()
        return self._unsettled or (bool(is_begun) and not self.is_closed)

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> Sequence[Row]:
        driver = self._driver
        prepared = self._prepared((sql, self._record, False))
        if prepared is None or self._edition.mark or driver._query_loggers:
            return await self._send(driver.fetch, sql, args)
        # the text itself was looked at when it was prepared
        if (left := _left_behind[sql]) is not None:
            self._note(left, sql)
        try:
            # without the driver's guard against others: whoever has the connection runs one statement at a time, and
            # the protocol itself refuses more
            if self._ahead.waiting:
                with self._ahead:
                    rows = await self._run(prepared, args, "", 0, False, None)
            else:
                rows = await self._run(prepared, args, "", 0, False, None)
        except asyncio.CancelledError:
            self._unsettled = True
            raise
        except Exception as error:
            if isinstance(error, asyncpg.OutdatedSchemaCacheError):
                await driver.reload_schema_state()
            return await self._failed(error, driver.fetch, sql, args)
        self._unsettled = False
        return rows

    def send_later(self, sql: str) -> None:
        """Has BEGIN, SAVEPOINT or RELEASE go along with the next statement, or before it where that is not prepared."""
        waiting = self._ahead.waiting
        # a block of which nothing was sent leaves no trace: many of them would wait for the next statement
        done = waiting and sql == f"RELEASE {waiting[-1]}"
        self._ahead.waiting = waiting[:-1] if done else (*waiting, sql)

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        if self._ahead.waiting and sql in _ENDS:
            # what waits ends with the transaction, of which the server may know nothing yet
            self._ahead.waiting = ()
            # as the server knows it, also where the connection is gone by now: that has undone what was sent
            if not (self._unsettled or self._protocol.is_in_transaction()):
                return 0
        # the simple protocol spares BEGIN and COMMIT a preparation, but would also run "a; b"
        if args or ";" in sql or not sql.strip():
            _, _, tag = await self._send(self._describe, sql, args)
        else:
            tag = await self._send(self._driver.execute, sql, ())
        return _count(tag, _WRITES)

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        return [await self.fetch(sql, args) for args in arg_rows]

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        columns, rows, tag = await self._send(self._describe, sql, args)
        return RawRows(columns, rows, _count(tag, _WRITES | _READS))

    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Appends rows by COPY in binary form, which the server reads faster than any INSERT."""

        async def copy(_: str) -> str:
            tag: str = await self._driver.copy_records_to_table(table, records=rows, columns=columns)
            return tag

        return _count(await self._send(copy, f"COPY {table}", ()), _WRITES)

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> PostgresCursor:
        return PostgresCursor(self._driver, self._send, sql, args)

    async def reset(self) -> None:
        """Rolls back what is open, and drops what was left behind.

        The driver first waits for the end of a statement it cancelled.
        """
        if self.needs_reset:
            await self.execute("ROLLBACK")
        if self.altered:
            await self.execute("DISCARD ALL")
            forget_all(self._driver)
            self.altered = False

    async def close(self) -> None:
        """Closes the connection politely."""
        await self._driver.close()

    def terminate(self) -> None:
        """Closes the connection at once, also when its event loop is gone."""
        if self.is_closed:
            return
        transport = self._driver._transport
        try:
            self._driver.terminate()
        except RuntimeError:
            # the loop is closed and runs nothing any more; the socket still tells the server
            _hang_up(transport)

    async def interrupt(self) -> None:
        """Asks the server to cancel the running statement; its own answer says what became of it."""
        # the driver's way of doing it when a task is cancelled, which would leave the answer unread; it ends when the
        # server has acted, so that no later statement is met
        await self._driver._cancel(asyncio.get_running_loop().create_future())

    async def _send(self, method: Callable[..., Awaitable[R]], sql: str, args: Sequence[Any]) -> R:
        if self._ahead.waiting:
            await self._catch_up()
        if not sql.isascii() or "\0" in sql:
            check_sendable(sql)
        # a look into a dictionary: the text itself is looked at once
        if (left := _left_behind[sql]) is not None:
            self._note(left, sql)
        try:
            # the mark is empty, and this the text itself, until a pooler had to be told that tables were changed
            answer = await method(sql + self._edition.mark, *args)
        except asyncio.CancelledError:
            self._unsettled = True
            raise
        except Exception as error:
            return await self._failed(error, method, sql, args)
        self._unsettled = False
        return answer

    async def _catch_up(self) -> None:
        """Sends what waits, each by itself; what is not reached goes on waiting."""
        waiting, self._ahead.waiting = list(self._ahead.waiting), ()
        try:
            while waiting:
                await self._send(self._driver.execute, waiting.pop(0), ())
        finally:
            self._ahead.waiting = tuple(waiting)

    def _note(self, left: str, sql: str) -> None:
        """Remembers that a statement leaves something behind; refuses it where others would meet that."""
        if not self._pooled:
            self.altered = True
        elif left in REMEDIES:
            raise StatementError(
                "what this leaves behind would stay in a connection that the pooler gives to others",
                statement=sql,
                hint=REMEDIES[left],
            )

    async def _failed(self, error: Exception, method: Callable[..., Awaitable[R]], sql: str, args: Sequence[Any]) -> R:
        """Runs a statement once more that was prepared before tables were changed, or raises what became of it."""
        edition, open_before = self._edition, self.in_transaction
        new = edition.following
        outdated = may_be_outdated(error, sql, in_transaction=open_before, tracked=bool(new))
        if outdated and (new or forget(self._driver, sql)):
            # the driver has sent nothing of a statement that it refused, nor what waits for it
            if self._ahead.waiting:
                await self._catch_up()
            try:
                answer = await method(sql + new, *args)
            except asyncio.CancelledError:
                self._unsettled = True
                raise
            except Exception as again:
                # the first goes along as the context, and is to say as little
                translate(error, sql)
                error = again
            else:
                self._unsettled = False
                edition.reach(new)
                return answer
        self._unsettled = not isinstance(error, asyncpg.PostgresError)
        if open_before and is_outdated(error, sql):
            # the other statements too, and those of other connections
            edition.advance()
            raise schema_changed(error, sql) from error
        raise translate(error, sql, closed=self.is_closed) from error

    async def _describe(self, sql: str, *args: Any) -> tuple[tuple[str, ...], Sequence[Row], bytes | None]:
        """Gives the column names, the rows and the command tag of a statement in one round trip."""
        driver = self._driver

        def run(statement: Any, timeout: float | None) -> Any:
            return driver._protocol.bind_execute(
                state=statement, args=args, portal_name="", limit=0, return_extra=True, timeout=timeout
            )

        # the driver's public methods give either the rows or the tag, and no names when there are no rows
        driver._check_open()
        with driver._stmt_exclusive_section:
            (rows, tag, _), statement = await driver._do_execute(sql, run, None)
        return tuple(attribute.name for attribute in statement._get_attributes()), rows, tag


class PostgresAdapter(Adapter):
    """Connects to a PostgreSQL server.

    Args:
        source: A DSN such as postgresql://user:password@host/database, or a configuration.

    Raises:
        ConfigurationError: The DSN cannot be read or names another database.
    """

    def __init__(self, source: ConnectionConfig | str) -> None:
        config = ConnectionConfig.from_dsn(source) if isinstance(source, str) else source
        if config.scheme != "postgresql":
            raise ConfigurationError(
                f"{config.redacted} is no PostgreSQL database", hint="write postgresql://user:password@host/database"
            )
        self._config = config
        self._dialect = PostgreSQLDialect()
        self._server_version: tuple[int, ...] = ()
        self._default_isolation: IsolationLevel | None = None
        self._edition = Edition(self.schema_changed, tracked=config.pooler is not None and config.cached_statements > 0)
        self._pool = Pool(
            self._open,
            size=config.pool_size,
            min_size=config.min_pool_size,
            acquire_timeout=config.acquire_timeout,
            max_age=config.max_connection_age,
            max_waiting=config.max_waiting,
            # who accepts connections in this time rolls back in it too
            reset_timeout=min(RESET_TIMEOUT, config.connect_timeout),
        )

    @property
    def config(self) -> ConnectionConfig:
        return self._config

    @property
    def dialect(self) -> PostgreSQLDialect:
        return self._dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return self._server_version

    @property
    def default_isolation(self) -> IsolationLevel | None:
        """The server's level for transactions that name none; None before the first connection."""
        return self._default_isolation

    @property
    def stats(self) -> PoolStats:
        """How the pool is used at the moment."""
        return self._pool.stats

    def acquire(self, *, write: bool = False) -> Coroutine[Any, Any, PostgresConnection]:
        return self._pool.acquire()

    def release(self, connection: Connection) -> None:
        if not isinstance(connection, PostgresConnection):
            raise ConfigurationError(
                f"{connection!r} is no PostgreSQL connection", hint="release it where it was acquired"
            )
        self._pool.release(connection)

    def schema_changed(self) -> None:
        # prepared statements, and what the driver knows of types, would fail at their next use
        self._pool.renew()

    async def close(self, timeout: float | None = None) -> None:
        """Closes every connection, those in use as they come back.

        Args:
            timeout: Seconds to wait for the ones in use, which are then terminated; None waits without end.
        """
        await self._pool.close(timeout)

    def another(self) -> PostgresAdapter:
        """Gives an adapter to the same server with a pool of its own."""
        return type(self)(self._config)

    def check_channels(self, channels: tuple[str, ...]) -> None:
        """Refuses what cannot be listened to, without I/O."""
        listening_config(self._config)
        for channel in channels:
            check_channel(channel)

    async def open_listening(self, told: Callable[[Notification], None], lost: Callable[[], None]) -> PostgresListening:
        """Opens a connection for notifications, beside the pool."""
        return PostgresListening(await _open_driver(listening_config(self._config)), told, lost)

    async def _open(self) -> PostgresConnection:
        driver = await _open_driver(self._config)
        self._server_version = _version(driver.get_server_version())
        pooled = self._config.pooler is not None
        if self._default_isolation is None:
            self._default_isolation = await _read_isolation(driver, self._config)
        return PostgresConnection(driver, pooled=pooled, edition=self._edition)


async def _open_driver(config: ConnectionConfig) -> Any:
    try:
        driver = await _connect(**connect_arguments(config))
    except Exception as error:
        files = {"ssl_root_cert": config.ssl_root_cert, "ssl_cert": config.ssl_cert, "ssl_key": config.ssl_key}
        raise translate_connect(error, config.redacted, config.connect_timeout, files) from error
    _read_less(driver._transport)
    return driver


def connect_arguments(config: ConnectionConfig) -> dict[str, Any]:
    """Gives what `asyncpg.connect` takes; what is None is left to libpq's variables and files."""
    addresses = config.addresses
    values: dict[str, Any] = {
        "dsn": _ssl_dsn(config),
        "host": [host for host, _ in addresses] or None,
        "port": [port or 5432 for _, port in addresses] if any(port for _, port in addresses) else config.port,
        "user": config.user,
        "password": config.password,
        "database": config.database,
        "timeout": config.connect_timeout,
        # with 0 a statement is prepared without a name, and once more in one piece with its run. It takes two round
        # trips, and what they know of each other is safe: a pooler changes connections at a Sync alone, which only
        # the second one sends
        "statement_cache_size": config.cached_statements,
        # a timer for each statement would keep the context of the task that first ran it
        "max_cached_statement_lifetime": 0,
        "server_settings": _server_settings(config),
        "target_session_attrs": config.target_session_attrs,
        "connection_class": None if config.pooler is None else pooled_driver,
    }
    return {name: value for name, value in values.items() if value is not None}


def _ssl_dsn(config: ConnectionConfig) -> str | None:
    # asyncpg takes the files of certificates in a DSN only
    options = {
        "sslmode": config.ssl,
        "sslrootcert": config.ssl_root_cert,
        "sslcert": config.ssl_cert,
        "sslkey": config.ssl_key,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return f"postgresql:///?{urlencode(given)}" if given else None


def _server_settings(config: ConnectionConfig) -> dict[str, str] | None:
    settings = dict(config.server_settings)
    if config.application_name is not None:
        settings["application_name"] = config.application_name
    for name, seconds in (("statement_timeout", config.statement_timeout), ("lock_timeout", config.lock_timeout)):
        if seconds is not None:
            # 0 would lift the limit
            settings[name] = str(max(1, round(seconds * 1000)))
    return settings or None


def _version(version: Any) -> tuple[int, ...]:
    # the driver calls 15.20 (15, 0, 20)
    return (version.major, version.micro) if version.major >= 10 else (version.major, version.minor, version.micro)


async def _read_isolation(driver: Any, config: ConnectionConfig) -> IsolationLevel | None:
    try:
        async with asyncio.timeout(config.connect_timeout):
            name = await driver.fetchval("SHOW default_transaction_isolation")
    except BaseException as error:
        # nobody has the connection yet who could close it
        driver.terminate()
        if isinstance(error, Exception):
            raise translate_connect(error, config.redacted, config.connect_timeout) from error
        raise
    return next((level for level in ISOLATION_LEVELS if level == name), None)


def _count(tag: str | bytes | None, words: frozenset[str]) -> int:
    text = tag.decode() if isinstance(tag, bytes) else tag or ""
    word, _, rest = text.partition(" ")
    # INSERT 0 5, UPDATE 5
    return int(rest.rpartition(" ")[2]) if word in words else 0


def _read_less(transport: Any) -> None:
    """Has asyncio's own transport ask for less at once, and TLS on it; other loops have one room for all answers."""
    reader = getattr(transport, "_ssl_protocol", transport)
    if isinstance(getattr(reader, "max_size", None), int):
        reader.max_size = READ_SIZE


def _watch(connected: Any) -> Any:
    """Gives what tells whether there is something to read; None where the platform has no such thing."""
    make: Callable[[], Any] | None = getattr(select, "poll", None)
    if make is None or connected is None:
        return None
    poll = make()
    poll.register(connected.fileno(), select.POLLIN)
    return poll


def _hang_up(transport: Any) -> None:
    """Closes the socket under a transport whose event loop is closed."""
    # a TLS transport wraps the one that holds the socket; nothing public reaches it without its loop
    holder = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None) or transport
    connected: socket.socket | None = getattr(holder, "_sock", None)
    if connected is not None:
        connected.close()
        holder._sock = None
