"""Which of Cormorant's errors an error of PostgreSQL or of asyncpg is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from ssl import SSLError
from traceback import clear_frames
from typing import Any, TypeAlias

from asyncpg import exceptions  # pyright: ignore[reportMissingTypeStubs]

from cormorant._internal.secrets import said_of, without_secrets
from cormorant.errors import (
    CheckViolation,
    CommitOutcomeUnknown,
    ConfigurationError,
    ConnectionLost,
    CormorantError,
    DatabaseError,
    DataError,
    DeadlockError,
    DiskFullError,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    NotNullViolation,
    QueryTimeout,
    SchemaChangedError,
    SerializationError,
    StatementError,
    UniqueViolation,
)

_Rule: TypeAlias = tuple[type[DatabaseError], str | None]

_TAKEN = "load the row that has it and change that, await session.merge(...), or use get_or_create() or upsert()"
_NO_SUCH_NAME = "create it with `await db.create_all()` or a migration, or correct the name"
_LOOK_FIRST = "look in the database whether the change is there before repeating it"
_POOLER = 'behind a pooler in transaction mode, write it into the DSN: "...?pooler=transaction"'
_RUN_AGAIN = (
    "run the whole unit of work again in a new session; in this one objects show what was read before, "
    "until they are refreshed"
)

# by SQLSTATE, then by its class, the first two characters
_BY_STATE: dict[str, _Rule] = {
    "08": (ConnectionLost, None),
    "08007": (CommitOutcomeUnknown, _LOOK_FIRST),
    "08P01": (StatementError, None),
    "22": (DataError, None),
    "23": (IntegrityError, None),
    "23001": (ForeignKeyViolation, None),
    "23502": (NotNullViolation, None),
    "23503": (ForeignKeyViolation, None),
    "23505": (UniqueViolation, _TAKEN),
    "23514": (CheckViolation, None),
    "25P02": (StatementError, "roll back, then run the whole transaction again"),
    "25P03": (ConnectionLost, "end transactions sooner, or raise idle_in_transaction_session_timeout"),
    "26000": (StatementError, _POOLER),
    "28": (ConnectionLost, "check the user name, the password and the server's pg_hba.conf"),
    "3D000": (ConnectionLost, "create the database, or correct its name in the DSN"),
    "40": (SerializationError, _RUN_AGAIN),
    "40003": (CommitOutcomeUnknown, _LOOK_FIRST),
    "40P01": (DeadlockError, _RUN_AGAIN),
    "42P01": (StatementError, _NO_SUCH_NAME),
    "42P05": (StatementError, _POOLER),
    "42703": (StatementError, _NO_SUCH_NAME),
    "44": (CheckViolation, None),
    "53": (DatabaseError, None),
    "53100": (DiskFullError, "free space on the server's disk"),
    "53300": (ConnectionLost, "lower pool_size in every process, or raise the server's max_connections"),
    "55P03": (LockTimeout, "keep transactions short, or raise lock_timeout"),
    "57": (ConnectionLost, None),
    "57014": (QueryTimeout, "make the statement cheaper, or raise statement_timeout"),
    "58": (DatabaseError, None),
    "F0": (DatabaseError, None),
    "XX": (DatabaseError, None),
}

_BY_CLASS: tuple[tuple[type[Exception], _Rule], ...] = (
    (
        exceptions.DataError,
        (DataError, "pass a value of the column's type; in SQL of your own, cast(:name as integer) says which"),
    ),
    (exceptions.PostgresConnectionError, (ConnectionLost, None)),
    (exceptions.TargetServerAttributeNotMatched, (ConnectionLost, "correct target_session_attrs or the hosts")),
    (exceptions.InterfaceError, (StatementError, None)),
    (exceptions.InternalClientError, (DatabaseError, None)),
    (OSError, (ConnectionLost, None)),
    (EOFError, (ConnectionLost, None)),
    (ValueError, (DataError, None)),
    (TypeError, (DataError, None)),
    (ArithmeticError, (DataError, None)),
    (AttributeError, (DataError, None)),
    (Exception, (DatabaseError, None)),
)

# what PgBouncer says of a statement that it has not passed on
_KEPT_BACK = ("query_wait_timeout", "pgbouncer cannot connect to server")
_CERTIFICATE = "give the file of the authorities to trust, ssl_root_cert, and the name in the certificate as the host"
_SET_ELSEWHERE = (
    "PgBouncer lets no such setting through: have the server set it, ALTER ROLE app SET ...; or name it in PgBouncer's "
    "ignore_startup_parameters, which drops it"
)
_SETTINGS = "correct server_settings: the server's log tells which of them it refused, and what it takes"
_REFUSED_SETTING = ("22023", "42704", "55P02")

_ARGUMENT = re.compile(r"invalid input for query argument \$(\d+)")
_KEY = re.compile(r"\((.+?)\)=\(")
_NAMES = re.compile(r' ?"(?:[^"]|"")+"|[^,]+')
_QUOTED = re.compile(r'".*"', re.DOTALL)


def schema_changed(error: Exception, sql: str) -> SchemaChangedError:
    """Gives the error for a statement that was prepared before others changed tables or types.

    Args:
        error: What asyncpg raised.
        sql: The statement.
    """
    message, code = str(error).partition("\n")[0], getattr(error, "sqlstate", None)
    return SchemaChangedError(
        f"tables or types were changed while statements were prepared: {message}",
        statement=sql,
        code=code,
        hint=f"roll back, and {_RUN_AGAIN}: it is prepared anew",
    )


def translate(error: Exception, sql: str | None, *, closed: bool = False) -> DatabaseError:
    """Gives Cormorant's error for one of the driver's, without the values of parameters.

    Args:
        error: What asyncpg raised.
        sql: The statement, None while connecting.
        closed: Whether the connection is gone.
    """
    given, sql = sql, None if sql is None else without_secrets(sql)
    # the driver uses a server's class for what it refuses itself, but then without a severity
    if said_by_server(error):
        found = _from_server(error, sql, given)
    elif closed:
        found = _lost(error, sql)
    else:
        cls, hint = next(rule for kind, rule in _BY_CLASS if isinstance(error, kind))
        found = cls(_client_message(error, closed=False), statement=sql, hint=hint)
    if isinstance(found, ConnectionLost):
        found.sent = closed and _was_sent(error)
    elif not isinstance(error, (OSError, exceptions.InterfaceError)) or isinstance(error, exceptions.DataError):
        _take_values_out(error, found.message, sql)
    return found


def _take_values_out(error: Exception, message: str, sql: str | None) -> None:
    """Has the driver's error, which goes along as the cause, say no more than ours: its details quote whole rows."""
    error.args = (message,)
    said: Any = error
    for name, shown in (("message", message), ("query", sql)):
        if getattr(error, name, None) is not None:
            setattr(said, name, shown)
    for name in ("detail", "context", "internal_query"):
        if getattr(error, name, None) is not None:
            setattr(error, name, None)
    error.__cause__ = error.__context__ = None


def said_by_server(error: BaseException | None) -> bool:
    """Whether an error is the server's own word."""
    return isinstance(error, exceptions.PostgresError) and getattr(error, "severity", None) is not None


_AGAIN = "roll back, then run the whole unit of work again: nothing of it was committed"


def _lost(error: Exception, sql: str | None) -> ConnectionLost:
    """Says that the connection is gone, with the server's last word if there was one."""
    word = error.__cause__ if said_by_server(error.__cause__) else None
    if word is not None:
        last = _from_server(word, sql, sql)
        message = f"the connection broke: {last.message}"
        return ConnectionLost(message, statement=sql, code=last.code, hint=last.hint or _AGAIN)
    return ConnectionLost(_client_message(error, closed=True), statement=sql, hint=_AGAIN)


def _was_sent(error: Exception) -> bool:
    """Whether the server may have run the statement on whose way the connection was lost."""
    # what the driver refuses itself has gone nowhere, nor has what a pooler had no server for
    if isinstance(error, exceptions.InterfaceError) or _kept_back(error) or _kept_back(error.__cause__):
        return False
    return was_prepared(error)


def _kept_back(error: BaseException | None) -> bool:
    return isinstance(error, exceptions.ProtocolViolationError) and str(error).startswith(_KEPT_BACK)


def was_prepared(error: Exception) -> bool:
    """Whether a statement failed when it was to be run, and not when it was prepared."""
    place = error.__traceback__
    while place is not None:
        # a statement that is prepared is not run yet
        if place.tb_frame.f_code.co_name == "_get_statement":
            return False
        place = place.tb_next
    return True


NO_FILES: Mapping[str, str | None] = {}
"""No paths were given."""


def translate_connect(
    error: Exception, address: str, seconds: float, files: Mapping[str, str | None] = NO_FILES
) -> CormorantError:
    """Gives Cormorant's error for a connection that could not be made.

    Args:
        error: What asyncpg raised.
        address: The DSN without its password.
        seconds: How long was waited.
        files: The paths that were given, by the names of their options.
    """
    _forget_locals(error)
    if isinstance(error, exceptions.ClientConfigurationError):
        return ConfigurationError(f"cannot connect to {address}: {error}", hint="correct the DSN or the options")
    # the socket of a server that is away is missing too, but comes back
    missing = [name for name, path in files.items() if path is not None and not Path(path).exists()]
    if isinstance(error, FileNotFoundError) and missing:
        return ConfigurationError(
            f"cannot connect to {address}: there is no file {files[missing[0]]!r}", hint=f"correct {missing[0]}"
        )
    if isinstance(error, TimeoutError):
        return ConnectionLost(f"{address} did not answer within {seconds} s", hint="raise connect_timeout")
    found = translate(error, None)
    if found.message.startswith("unsupported startup parameter"):
        return ConfigurationError(f"cannot connect to {address}: {found.message}", hint=_SET_ELSEWHERE)
    # it would refuse it each time
    if found.code in _REFUSED_SETTING:
        return ConfigurationError(f"cannot connect to {address}: {found.message}", hint=_SETTINGS)
    # anything else that goes wrong here means that there is no connection
    hint = _CERTIFICATE if isinstance(error, SSLError) else found.hint
    return ConnectionLost(f"cannot connect to {address}: {found.message}", code=found.code, hint=hint)


def _forget_locals(error: BaseException) -> None:
    """Empties the driver's frames, which hold the password: reports of errors may show what a frame holds."""
    at_hand: list[BaseException | None] = [error]
    seen: set[int] = set()
    while at_hand:
        one = at_hand.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            clear_frames(one.__traceback__)
            at_hand += (one.__cause__, one.__context__)


def _from_server(error: Any, sql: str | None, given: str | None) -> DatabaseError:
    state: str = error.sqlstate or ""
    cls, hint = _BY_STATE.get(state) or _BY_STATE.get(state[:2]) or (StatementError, None)
    if state == "08P01" and error.severity == "FATAL":
        # a pooler's last word before it hangs up; it has one code for everything
        cls = ConnectionLost
    message = said_of(given, error.message)
    if cls is DataError:
        # "invalid input syntax for type integer: "4711"": the value is a parameter's
        message = _QUOTED.sub('"..."', message)
    return cls(
        message,
        statement=sql,
        code=state,
        constraint=error.constraint_name,
        table=error.table_name,
        columns=_columns(error),
        hint=hint or (None if cls is DataError else error.hint),
    )


def _columns(error: Any) -> tuple[str, ...]:
    if error.column_name:
        return (error.column_name,)
    # the detail is the only place with the columns: Key (a, b)=(1, 2) already exists
    match = _KEY.search(error.detail or "")
    if match is None or "(" in match[1]:
        return ()
    # unique constraints have theirs quoted where that is needed, foreign keys have them bare
    return tuple(_bare(name.lstrip(" ")) for name in _NAMES.findall(match[1]))


def _bare(name: str) -> str:
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if is_quoted else name


def _client_message(error: Exception, *, closed: bool) -> str:
    """Describes what asyncpg or Python refused on this side; their texts may quote values."""
    argument = _ARGUMENT.match(str(error))
    if argument is not None:
        return f"the value of parameter ${argument[1]} does not fit its type ({type(error.__cause__).__name__})"
    ours = (OSError, EOFError, exceptions.InterfaceError, exceptions.PostgresConnectionError)
    if isinstance(error, ours) or (not closed and isinstance(error, exceptions.InternalClientError)):
        return str(error).partition("\n")[0] or type(error).__name__
    if closed:
        return f"the connection broke ({type(error).__name__})"
    return f"a value cannot be sent or read ({type(error).__name__})"
