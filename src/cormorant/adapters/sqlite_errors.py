"""Which of Cormorant's errors an error of SQLite is."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any, TypeAlias

from cormorant._internal.secrets import said_of, without_secrets
from cormorant.adapters.sqlite_constraints import noted_name
from cormorant.adapters.sqlite_reasons import noted_reason
from cormorant.errors import (
    CheckViolation,
    ConnectionLost,
    DatabaseError,
    DataError,
    DiskFullError,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    NotNullViolation,
    QueryTimeout,
    SerializationError,
    StatementError,
    UniqueViolation,
)

_Rule: TypeAlias = tuple[type[DatabaseError], str | None]

_TAKEN = "load the row that has it and change that, await session.merge(...), or use get_or_create() or upsert()"
_HELD = (
    "another connection, of this program or of another one, holds the file; "
    "keep transactions short or raise busy_timeout"
)
_NO_SUCH_NAME = "create it with `await db.create_all()` or a migration, or correct the name"
_WRONG_VALUE = "check the values: a divisor of zero, a pattern, a text that is cast"
_ONE_VALUE_EACH = "give one value for each placeholder"

# by extended result code, then by its first two words
_BY_CODE: dict[str, _Rule] = {
    "SQLITE_BUSY": (LockTimeout, _HELD),
    "SQLITE_BUSY_SNAPSHOT": (
        SerializationError,
        "run the whole unit of work again in a new session; in this one objects show what was read before, "
        "until they are refreshed",
    ),
    "SQLITE_CANTOPEN": (ConnectionLost, "check that the folder of the file exists and may be written"),
    "SQLITE_CORRUPT": (DatabaseError, "the file is damaged; restore a backup, or what `sqlite3 FILE .recover` finds"),
    "SQLITE_IOERR": (DatabaseError, "the disk could not be read or written; look at its space and its health"),
    "SQLITE_CONSTRAINT": (IntegrityError, None),
    "SQLITE_CONSTRAINT_CHECK": (CheckViolation, None),
    "SQLITE_CONSTRAINT_DATATYPE": (DataError, None),
    "SQLITE_CONSTRAINT_FOREIGNKEY": (ForeignKeyViolation, None),
    "SQLITE_CONSTRAINT_NOTNULL": (NotNullViolation, None),
    "SQLITE_CONSTRAINT_PRIMARYKEY": (UniqueViolation, _TAKEN),
    "SQLITE_CONSTRAINT_ROWID": (UniqueViolation, _TAKEN),
    "SQLITE_CONSTRAINT_UNIQUE": (UniqueViolation, _TAKEN),
    "SQLITE_ERROR": (StatementError, None),
    "SQLITE_FULL": (DiskFullError, "free space on the disk, or raise PRAGMA max_page_count"),
    "SQLITE_INTERRUPT": (QueryTimeout, "make the statement cheaper or raise statement_timeout"),
    "SQLITE_LOCKED": (LockTimeout, "end the other statement first"),
    "SQLITE_MISMATCH": (DataError, None),
    "SQLITE_NOTADB": (ConnectionLost, "check that the path names an SQLite file"),
    "SQLITE_RANGE": (StatementError, _ONE_VALUE_EACH),
    "SQLITE_READONLY": (StatementError, "write in a session that is not read only, to a file that may be written"),
    "SQLITE_READONLY_DIRECTORY": (
        StatementError,
        "let the folder of the file be written: SQLite has its log there, without which it does not even read WAL mode",
    ),
    "SQLITE_TOOBIG": (DataError, None),
}

# stronger than the code: SQLite reports a RESTRICT as a trigger's error, and much under SQLITE_ERROR
_BY_MESSAGE: tuple[tuple[re.Pattern[str], _Rule], ...] = (
    (re.compile("FOREIGN KEY constraint failed"), (ForeignKeyViolation, None)),
    (re.compile("no such (table|column)|has no column named"), (StatementError, _NO_SUCH_NAME)),
    (re.compile("cannot store .* value in"), (DataError, None)),
    (re.compile("integer overflow|malformed JSON|bad JSON path"), (DataError, None)),
    (re.compile("user-defined .* raised (exception|error)"), (DataError, _WRONG_VALUE)),
    (re.compile("Could not decode to UTF-8"), (DataError, "the file holds text that is no UTF-8; CAST it to BLOB")),
    (re.compile("Error binding parameter"), (DataError, "convert the value to a number, a text or bytes first")),
    (re.compile("Incorrect number of bindings"), (StatementError, _ONE_VALUE_EACH)),
    (re.compile("SQL statements in progress"), (LockTimeout, "end the other statement first")),
    (re.compile("one statement at a time"), (StatementError, "send the statements one by one")),
    (re.compile("closed database|no active connection|Connection closed"), (ConnectionLost, None)),
)

_BY_CLASS: tuple[tuple[type[Exception], _Rule], ...] = (
    (sqlite3.IntegrityError, (IntegrityError, None)),
    (sqlite3.DataError, (DataError, None)),
    (sqlite3.InterfaceError, (DataError, None)),
    (sqlite3.Error, (StatementError, None)),
    (OSError, (ConnectionLost, None)),
    (OverflowError, (DataError, "SQLite's integers have 64 bits; keep larger ones as Decimal")),
    (UnicodeError, (DataError, "remove lone surrogates from the text")),
    (ValueError, (DataError, None)),
    (TypeError, (DataError, None)),
    (Exception, (DatabaseError, None)),
)

# a column's value is part of these messages
_REDACTED = re.compile(r"(Could not decode to UTF-8 column).*", re.DOTALL)
_CONSTRAINT = re.compile(r"(UNIQUE|NOT NULL|CHECK) constraint failed: (.*)", re.DOTALL)
_INDEX = re.compile(r"index '(.*)'")


def translate(error: Exception, sql: str | None) -> DatabaseError:
    """Gives Cormorant's error for one of the driver's, without the values of parameters."""
    given, sql = sql, None if sql is None else without_secrets(sql)
    code: str | None = getattr(error, "sqlite_errorname", None)
    cls, hint = _rule(error, code)
    text = said_of(given, _text(error))
    if (reason := noted_reason(error)) is not None:
        text, hint = reason, None
    message = _REDACTED.sub(r"\1", text) if isinstance(error, sqlite3.Error) else _of_value(error)
    facts = _facts(text)
    facts["constraint"] = facts.get("constraint") or noted_name(error)
    if not isinstance(error, OSError):
        # the driver's error goes along as the cause
        error.args = (message, *error.args[1:]) if noted_name(error) is not None else (message,)
        error.__cause__ = error.__context__ = None
    return cls(message, statement=sql, code=code, hint=hint, **facts)


def _text(error: Exception) -> str:
    # its name may have been noted beside
    return str(error.args[0] if noted_name(error) or noted_reason(error) else error)


def _of_value(error: Exception) -> str:
    """Names a driver's error whose own text may quote the value."""
    return f"a value cannot be sent or read ({type(error).__name__})"


def _rule(error: Exception, code: str | None) -> _Rule:
    message = _text(error)
    for pattern, rule in _BY_MESSAGE:
        if pattern.search(message):
            return rule
    if code is not None:
        general = "_".join(code.split("_")[:2])
        if code in _BY_CODE or general in _BY_CODE:
            return _BY_CODE.get(code) or _BY_CODE[general]
    return next(rule for cls, rule in _BY_CLASS if isinstance(error, cls))


def _facts(message: str) -> dict[str, Any]:
    """Reads the table, the columns and the constraint out of the message, the only place that has them."""
    match = _CONSTRAINT.match(message)
    return {} if match is None else _READ_FACTS[match[1]](match[2])


def _columns(names: str) -> dict[str, Any]:
    index = _INDEX.fullmatch(names)
    if index is not None:
        return {"constraint": index[1]}
    pairs = [name.rpartition(".") for name in names.split(", ")]
    return {"table": pairs[0][0] or None, "columns": tuple(column for _, _, column in pairs)}


def _constraint(name: str) -> dict[str, Any]:
    return {"constraint": name}


_READ_FACTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "UNIQUE": _columns,
    "NOT NULL": _columns,
    "CHECK": _constraint,
}
