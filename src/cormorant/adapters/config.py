"""Where a database is and how to connect to it, as one frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast
from urllib.parse import quote

from cormorant.adapters.dsn import DSN_EXAMPLE, MEMORY, READERS, Address, check_scheme, parse_dsn
from cormorant.dialects.base import IsolationLevel, check_isolation
from cormorant.errors import ConfigurationError, suggest

_SIZES = ("pool_size", "min_pool_size", "max_waiting", "statement_cache_size")
_TEXTS = (
    "host",
    "user",
    "password",
    "database",
    "path",
    "ssl_root_cert",
    "ssl_cert",
    "ssl_key",
    "application_name",
    "listen_dsn",
)
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSION_ATTRIBUTES = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_DURATIONS = (
    "connect_timeout",
    "acquire_timeout",
    "statement_timeout",
    "lock_timeout",
    "busy_timeout",
    "max_connection_age",
)
_NEVER_ZERO = ("connect_timeout", "statement_timeout")
_IN_DATABASES = ("statement_timeout", "lock_timeout", "busy_timeout")
_LONGEST = 2_147_483
"""Seconds: databases count milliseconds in 32 bits; SQLite would not wait at all for more, PostgreSQL not connect."""

COMMIT_TIMEOUT = 5.0
"""Seconds that a cancelled COMMIT may still take, before the connection is given up, unless told otherwise."""

CACHED_STATEMENTS = 256
"""Prepared statements that a connection keeps, unless told otherwise."""


IDLE_WARNING = 60.0
"""Seconds after which a transaction in which nothing is sent is logged, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionConfig:
    """Where a database is and how to connect to it; creating one does no I/O.

    The password is part of no `repr`, `str` or error message.

    Args:
        scheme: "postgresql" or "sqlite".
        host: A host name, or the folder of a Unix socket; the driver's default when None.
        hosts: Several (host, port) pairs, tried in order.
        database: The database's name on the server.
        path: The file of an SQLite database, or ":memory:".
        autocommit: Whether sessions write each flush in a transaction of its own.
        isolation: The isolation level of transactions that name none.
        connect_timeout: Seconds to wait for a new connection.
        acquire_timeout: Seconds to wait for a connection of the pool; None waits without end.
        statement_timeout: Seconds a statement may run; None sets no limit.
        lock_timeout: Seconds a statement may wait for a lock; None leaves the server's setting.
        busy_timeout: Seconds SQLite waits for another process's lock, unless `lock_timeout` is given.
        pool_size: Connections at most; on SQLite the readers, to which one writer is added.
        min_pool_size: Connections opened at first use.
        max_connection_age: Seconds after which a connection is replaced; None keeps it.
        max_waiting: Callers at most that wait for a connection of the pool; further ones get PoolTimeout at once. None
            lets any number wait.
        pooler: "transaction" if the DSN leads to a PgBouncer, or the like, that gives each transaction any of the
            server's connections.
        statement_cache_size: Prepared statements kept by each connection; 256 when None. With a `pooler` None means 0:
            give a number if it keeps track of them, as PgBouncer does from 1.21 with max_prepared_statements.
        on_loop: Whether SQLite runs statements that have proved to be short on the event loop itself, without a
            thread: it does unless this is False.
        ssl: "disable", "allow", "prefer", "require", "verify-ca" or "verify-full".
        ssl_root_cert: The file of the authorities to trust.
        ssl_cert: The file of the client's certificate.
        ssl_key: The file of the client's key.
        target_session_attrs: Which of several hosts will do: "any", "primary", "read-write" and so on.
        application_name: The name shown in the server's list of connections.
        server_settings: PostgreSQL settings by name, sent when a connection opens.
        listen_dsn: Where `db.listen()` connects to instead: past a pooler, which carries no notifications.

    Raises:
        ConfigurationError: A value cannot be used, named with the remedy.
    """

    scheme: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    path: str | None = None
    hosts: tuple[Address, ...] = ()
    autocommit: bool = False
    isolation: IsolationLevel | None = None
    connect_timeout: float = 10.0
    acquire_timeout: float | None = 10.0
    statement_timeout: float | None = None
    lock_timeout: float | None = None
    busy_timeout: float = 5.0
    pool_size: int = 10
    min_pool_size: int = 0
    max_connection_age: float | None = None
    max_waiting: int | None = None
    pooler: Literal["transaction"] | None = None
    statement_cache_size: int | None = None
    on_loop: bool | None = None
    ssl: str | None = None
    ssl_root_cert: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    target_session_attrs: str | None = None
    application_name: str | None = None
    # a mapping cannot be hashed, and equal settings still compare equal
    server_settings: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    # it may hold a password
    listen_dsn: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # the caller may go on changing its own
        object.__setattr__(self, "server_settings", _settings(self.server_settings))
        check_scheme(self.scheme)
        for name in _TEXTS:
            _check_text(name, getattr(self, name))
        _check_addresses(self.addresses or (("", self.port),))
        check_isolation(self.isolation)
        for name in _DURATIONS:
            _check_duration(name, getattr(self, name))
        self._check_sizes()
        _check_choice("ssl", self.ssl, _SSL_MODES)
        _check_choice("target_session_attrs", self.target_session_attrs, _SESSION_ATTRIBUTES)
        if self.listen_dsn is not None and parse_dsn(self.listen_dsn)["scheme"] == "sqlite":
            raise ConfigurationError("listen_dsn leads to SQLite, which sends no notifications", hint="leave it out")
        _check_flag("autocommit", self.autocommit)
        if self.on_loop is not None:
            _check_flag("on_loop", self.on_loop)
        if self.on_loop is not None and self.scheme != "sqlite":
            raise ConfigurationError("on_loop is about SQLite's threads", hint="leave on_loop out")
        _check_choice("pooler", self.pooler, ("transaction",))
        if self.pooler is not None:
            self._check_pooled()
        if self.scheme == "sqlite" and self.path is None:
            raise ConfigurationError("an SQLite database needs a path", hint=f'give path="file.db" or path="{MEMORY}"')

    def _check_sizes(self) -> None:
        for name in _SIZES:
            _check_whole(name, getattr(self, name))
        if self.pool_size < 1:
            raise ConfigurationError(f"pool_size is {self.pool_size}", hint="give 1 or more connections")
        if not 0 <= self.min_pool_size <= self.pool_size:
            raise ConfigurationError(
                f"min_pool_size is {self.min_pool_size}", hint=f"give 0 to {self.pool_size}, the pool_size"
            )
        if self.max_waiting is not None and self.max_waiting < 0:
            raise ConfigurationError(
                f"max_waiting is {self.max_waiting}", hint="give 0 or more, or None for any number"
            )
        if self.cached_statements < 0:
            raise ConfigurationError(
                f"statement_cache_size is {self.statement_cache_size}", hint="give 0 to keep no prepared statements"
            )

    def _check_pooled(self) -> None:
        if self.scheme == "sqlite":
            raise ConfigurationError("an SQLite database has no pooler in front of it", hint="leave pooler out")
        # a setting of the connection would stay with one of the pooler's, whoever gets that next
        for name in ("statement_timeout", "lock_timeout"):
            if getattr(self, name) is not None:
                raise ConfigurationError(
                    f"{name} cannot be set through a pooler, which gives each transaction another connection",
                    hint=f"have the server set it: ALTER ROLE app SET {name} = '5s'; `SET LOCAL {name} = ...` sets it "
                    "for one transaction; Database(timeout=5) limits statements from this side",
                )

    @classmethod
    def from_dsn(cls, dsn: str, **overrides: Any) -> ConnectionConfig:
        """Reads a DSN such as postgresql://user:password@host:5432/database?pool_size=5.

        Args:
            dsn: The address, with options after the question mark; SQLite as sqlite:///relative.db,
                sqlite:////absolute.db or sqlite:// for a database in memory.
            **overrides: Fields of the configuration, stronger than the DSN.

        Raises:
            ConfigurationError: The DSN cannot be read; the message never shows its password.
        """
        values = parse_dsn(_text(dsn).strip())
        values.update(_known_fields(overrides))
        return cls(**values)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, prefix: str = "CORMORANT_") -> ConnectionConfig:
        """Reads CORMORANT_DSN, and options such as CORMORANT_POOL_SIZE, which are stronger than the DSN.

        Args:
            environ: The variables; those of the process when None.
            prefix: What the variables' names begin with.

        Raises:
            ConfigurationError: The DSN's variable is missing or a value cannot be used.
        """
        variables = os.environ if environ is None else environ
        dsn = variables.get(f"{prefix}DSN")
        if not dsn:
            raise ConfigurationError(f"the environment has no {prefix}DSN", hint=f"set it to {DSN_EXAMPLE}")
        given = {name: f"{prefix}{name.upper()}" for name in READERS if f"{prefix}{name.upper()}" in variables}
        return cls.from_dsn(
            dsn, **{name: READERS[name](variable, variables[variable]) for name, variable in given.items()}
        )

    @property
    def redacted(self) -> str:
        """The DSN with *** for the password, fit for logs."""
        if self.scheme == "sqlite":
            return f"sqlite:///{'' if self.path == MEMORY else self.path}"
        secret = ":***" if self.password is not None else ""
        login = f"{quote(self.user or '', safe='')}{secret}@" if self.user or secret else ""
        # a slash would end the address: folders of sockets are quoted
        hosts = ",".join(_host_text(host, port) for host, port in self.addresses)
        return f"{self.scheme}://{login}{hosts}/{quote(self.database or '', safe='')}"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The hosts in the order they are tried; empty when the driver's default is used."""
        if self.hosts:
            return self.hosts
        return () if self.host is None else ((self.host, self.port),)

    @property
    def cached_statements(self) -> int:
        """How many prepared statements each connection keeps."""
        if self.statement_cache_size is None:
            return CACHED_STATEMENTS if self.pooler is None else 0
        return self.statement_cache_size

    @property
    def runs_on_loop(self) -> bool:
        """Whether SQLite's short statements may run on the event loop."""
        return self.scheme == "sqlite" and self.on_loop is not False

    @property
    def lock_patience(self) -> float:
        """Seconds that SQLite waits for a lock of another connection."""
        return self.busy_timeout if self.lock_timeout is None else self.lock_timeout

    @property
    def in_memory(self) -> bool:
        """Whether this is an SQLite database without a file."""
        return self.path == MEMORY

    def replace(self, **changes: Any) -> ConnectionConfig:
        """Gives a copy with other values.

        Raises:
            ConfigurationError: A name is no field, or a value cannot be used.
        """
        return replace(self, **_known_fields(changes))

    def __str__(self) -> str:
        return self.redacted


def _host_text(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else quote(host, safe="")
    return name if port is None else f"{name}:{port}"


def check_timeout(name: str, seconds: object) -> float | None:
    """Gives a timeout back, if it is one.

    Raises:
        ConfigurationError: It is no number of seconds above 0.
    """
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{name} is {seconds!r}", hint=f"give seconds, more than 0: {name}=5")
    return float(seconds)


def _check_duration(name: str, seconds: object) -> None:
    if seconds is None:
        if name in ("connect_timeout", "busy_timeout"):
            raise ConfigurationError(f"{name} needs a limit", hint=f"give seconds, for instance {name}=5")
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{name} is {seconds!r}", hint=f"give seconds, 0 or more: {name}=5")
    # PostgreSQL's own 0 is no limit, which is None here: with 0 nothing could ever be done in time
    if seconds == 0 and name in _NEVER_ZERO:
        raise ConfigurationError(f"{name} is {seconds!r}", hint=f"give seconds, more than 0: {name}=5")
    if seconds > _LONGEST and name in _IN_DATABASES:
        raise ConfigurationError(f"{name} is {seconds!r}", hint=f"give seconds, {_LONGEST} at most: {name}=5")


def _check_whole(name: str, number: object) -> None:
    optional = name in ("max_waiting", "statement_cache_size")
    if (number is None and optional) or (isinstance(number, int) and not isinstance(number, bool)):
        return
    raise ConfigurationError(f"{name} is {number!r}", hint=f"give a whole number{', or None' * optional}: {name}=5")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is {value!r}", hint="give True or False")


def _check_text(name: str, value: object) -> None:
    if value is None or (isinstance(value, str) and "\0" not in value):
        return
    # the value itself stays out: it may be a password
    what = "holds a NUL character" if isinstance(value, str) else f"is no text, but {type(value).__name__}"
    raise ConfigurationError(f"{name} {what}", hint=f"give a text, or leave {name} out")


def _check_addresses(addresses: object) -> None:
    for address in _items(addresses) or [addresses]:
        host, port = pair if len(pair := _items(address)) == 2 else (None, None)
        if not isinstance(host, str):
            raise ConfigurationError(
                f"hosts holds {address!r}", hint='give pairs of a host and a port: (("one.example.org", 5432),)'
            )
        if port is not None and not (isinstance(port, int) and 0 < port < 65536):
            raise ConfigurationError(f"the port is {port!r}", hint="give a number from 1 to 65535: port=5432")


def _items(value: object) -> list[object]:
    return list(cast(Sequence[object], value)) if isinstance(value, (list, tuple)) else []


def _settings(given: object) -> dict[str, str]:
    if isinstance(given, Mapping):
        settings = dict(cast(Mapping[object, object], given))
        if all(isinstance(part, str) for item in settings.items() for part in item):
            return cast(dict[str, str], settings)
    raise ConfigurationError(
        "server_settings is no mapping of texts", hint='give names and values as texts: {"work_mem": "8MB"}'
    )


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ConfigurationError(f"{name} is {value!r}", hint="use one of " + ", ".join(choices))


def _text(dsn: object) -> str:
    if isinstance(dsn, str):
        return dsn
    raise ConfigurationError(f"a DSN is a text, not {type(dsn).__name__}", hint=f"for instance {DSN_EXAMPLE}")


def _known_fields(values: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [item.name for item in fields(ConnectionConfig)]
    for name in values:
        if name not in names:
            raise ConfigurationError(f"a connection has no option {name!r}", hint=suggest(name, names))
    return values
