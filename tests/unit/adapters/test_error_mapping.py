"""The tables from drivers' errors to Cormorant's, without a database."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import asyncpg
import pytest

from cormorant import errors
from cormorant.adapters import postgresql_errors, sqlite_errors

SECRET = "s3cr3t-value"


def server_error(state: str, message: str = "words", **fields: str) -> Exception:
    letters = {"detail": "D", "hint": "H", "table_name": "t", "column_name": "c", "constraint_name": "n"}
    made: Exception = asyncpg.PostgresError.new(
        {"S": "ERROR", "V": "ERROR", "C": state, "M": message} | {letters[name]: text for name, text in fields.items()}
    )
    return made


@pytest.mark.parametrize(
    ("state", "cls"),
    [
        ("23505", errors.UniqueViolation),
        ("23503", errors.ForeignKeyViolation),
        ("23001", errors.ForeignKeyViolation),
        ("23502", errors.NotNullViolation),
        ("23514", errors.CheckViolation),
        ("23P01", errors.IntegrityError),
        ("22001", errors.DataError),
        ("22P02", errors.DataError),
        ("22012", errors.DataError),
        ("40001", errors.SerializationError),
        ("40P01", errors.DeadlockError),
        ("40003", errors.CommitOutcomeUnknown),
        ("08007", errors.CommitOutcomeUnknown),
        ("55P03", errors.LockTimeout),
        ("57014", errors.QueryTimeout),
        ("53100", errors.DiskFullError),
        ("53300", errors.ConnectionLost),
        ("42P01", errors.StatementError),
        ("42501", errors.StatementError),
        ("0A000", errors.StatementError),
        ("25006", errors.StatementError),
        ("P0001", errors.StatementError),
        ("08006", errors.ConnectionLost),
        ("57P01", errors.ConnectionLost),
        ("57P02", errors.ConnectionLost),
        ("57P03", errors.ConnectionLost),
        ("25P03", errors.ConnectionLost),
        ("28P01", errors.ConnectionLost),
        ("3D000", errors.ConnectionLost),
        ("XX000", errors.DatabaseError),
    ],
)
def test_postgresql_by_state(state: str, cls: type[errors.DatabaseError]) -> None:
    found = postgresql_errors.translate(server_error(state), "SELECT 1")
    assert type(found) is cls
    assert (found.code, found.statement) == (state, "SELECT 1")
    assert found.message.startswith("words")


@pytest.mark.parametrize(
    ("detail", "columns"),
    [
        ("Key (email)=(s3cr3t-value) already exists.", ("email",)),
        ("Key (a, b)=(1, s3cr3t-value) already exists.", ("a", "b")),
        ('Key ("User", b)=(1, 2) already exists.', ("User", "b")),
        ('Key ("we""ird", "c, d")=(1, 2) already exists.', ('we"ird', "c, d")),
        ('Key (we"ird, p a)=(1, 2) is not present in table "b".', ('we"ird', "p a")),
        ("Key (lower(email))=(s3cr3t-value) already exists.", ()),
        ("Schlüssel »(email)=(s3cr3t-value)« existiert bereits.", ("email",)),
        ("Failing row contains (s3cr3t-value).", ()),
    ],
)
def test_postgresql_columns_without_values(detail: str, columns: tuple[str, ...]) -> None:
    found = postgresql_errors.translate(
        server_error("23505", detail=detail, table_name="author", constraint_name="author_email_key"), "INSERT"
    )
    assert (found.table, found.constraint, found.columns) == ("author", "author_email_key", columns)
    assert SECRET not in f"{found} {found!r} {found.__dict__}"


@pytest.mark.parametrize(
    "message",
    [
        f'invalid input syntax for type integer: "{SECRET}"',
        f'value "{SECRET}" is out of range for type integer',
        f'invalid input syntax for type json: "a "{SECRET}" b"',
    ],
)
def test_postgresql_data_errors_hide_values(message: str) -> None:
    found = postgresql_errors.translate(server_error("22P02", message, hint=SECRET), "SELECT 1")
    assert SECRET not in str(found)


def test_the_last_word_of_a_server_that_hangs_up() -> None:
    lost = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    lost.__cause__ = server_error("57P01", "terminating connection due to administrator command")
    found = postgresql_errors.translate(lost, "COMMIT", closed=True)
    assert isinstance(found, errors.ConnectionLost)
    assert found.sent
    assert found.code == "57P01"
    assert "administrator" in found.message


def test_what_the_driver_refuses_was_not_sent() -> None:
    found = postgresql_errors.translate(asyncpg.InterfaceError("connection is closed"), "COMMIT", closed=True)
    assert isinstance(found, errors.ConnectionLost)
    assert not found.sent


def test_postgresql_hints() -> None:
    found = postgresql_errors.translate(server_error("42883", "no function", hint="add casts"), "SELECT f()")
    assert found.hint == "add casts"
    found = postgresql_errors.translate(server_error("42P01", "no table"), "SELECT 1")
    assert "create_all" in str(found.hint)


@pytest.mark.parametrize(
    ("error", "closed", "cls"),
    [
        (asyncpg.InterfaceError("connection is closed"), True, errors.ConnectionLost),
        (asyncpg.InterfaceError("the server expects 1 argument for this query"), False, errors.StatementError),
        (asyncpg.InternalClientError("unexpected"), False, errors.DatabaseError),
        (ConnectionResetError(104, "reset"), True, errors.ConnectionLost),
        (OSError("no route"), False, errors.ConnectionLost),
        (TimeoutError(), False, errors.ConnectionLost),
        (ValueError(SECRET), False, errors.DataError),
        (OverflowError(SECRET), False, errors.DataError),
        (TypeError(SECRET), False, errors.DataError),
        (AttributeError(SECRET), True, errors.ConnectionLost),
        (RuntimeError(SECRET), False, errors.DatabaseError),
    ],
)
def test_postgresql_client_errors(error: Exception, closed: bool, cls: type[errors.DatabaseError]) -> None:
    found = postgresql_errors.translate(error, "SELECT 1", closed=closed)
    assert type(found) is cls
    assert SECRET not in str(found)


DISCONNECTS: list[Exception] = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.ConnectionFailureError("the server hung up"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("got result for unknown protocol state 3"),
    server_error("57P01", "terminating connection due to administrator command"),
    server_error("57P02", "terminating connection because of crash of another server process"),
    server_error("57P03", "the database system is in recovery mode"),
    server_error("57P05", "terminating connection due to idle-session timeout"),
    server_error("25P03", "terminating connection due to idle-in-transaction timeout"),
    server_error("08006"),
    ConnectionResetError(104, "Connection reset by peer"),
    ConnectionAbortedError(103, "Software caused connection abort"),
    ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5432)"),
    BrokenPipeError(32, "Broken pipe"),
    OSError(113, "No route to host"),
    TimeoutError(),
    EOFError(),
    asyncio.IncompleteReadError(b"", 8),
]


@pytest.mark.parametrize("error", DISCONNECTS, ids=[type(error).__name__ for error in DISCONNECTS])
def test_every_way_a_connection_ends_is_one_class(error: Exception) -> None:
    found = postgresql_errors.translate(error, "SELECT 1", closed=True)
    assert type(found) is errors.ConnectionLost
    connecting = postgresql_errors.translate_connect(error, "postgresql://here", 3)
    assert type(connecting) is errors.ConnectionLost
    assert "postgresql://here" in connecting.message
    assert "a value cannot be sent" not in connecting.message
    assert connecting.message.rpartition(": ")[2]


def sqlite_error(cls: type[sqlite3.Error], message: str, name: str | None) -> sqlite3.Error:
    error = cls(message)
    if name is not None:
        error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        (sqlite_error(sqlite3.OperationalError, "database is locked", "SQLITE_BUSY"), errors.LockTimeout),
        (sqlite_error(sqlite3.OperationalError, "database is locked", "SQLITE_BUSY_RECOVERY"), errors.LockTimeout),
        (sqlite_error(sqlite3.OperationalError, "locked", "SQLITE_BUSY_SNAPSHOT"), errors.SerializationError),
        (sqlite_error(sqlite3.OperationalError, "table is locked", "SQLITE_LOCKED"), errors.LockTimeout),
        (sqlite_error(sqlite3.OperationalError, "disk is full", "SQLITE_FULL"), errors.DiskFullError),
        (sqlite_error(sqlite3.OperationalError, "interrupted", "SQLITE_INTERRUPT"), errors.QueryTimeout),
        (sqlite_error(sqlite3.OperationalError, "unable to open", "SQLITE_CANTOPEN"), errors.ConnectionLost),
        (
            sqlite_error(sqlite3.IntegrityError, "FOREIGN KEY constraint failed", "SQLITE_CONSTRAINT_TRIGGER"),
            errors.ForeignKeyViolation,
        ),
        (sqlite_error(sqlite3.IntegrityError, "not today", "SQLITE_CONSTRAINT_TRIGGER"), errors.IntegrityError),
        (sqlite_error(sqlite3.IntegrityError, "cannot store TEXT value in INTEGER column t.a", None), errors.DataError),
        (sqlite_error(sqlite3.IntegrityError, "datatype mismatch", "SQLITE_MISMATCH"), errors.DataError),
        (sqlite_error(sqlite3.DatabaseError, "malformed", "SQLITE_CORRUPT_INDEX"), errors.DatabaseError),
        (sqlite_error(sqlite3.OperationalError, "disk I/O error", "SQLITE_IOERR_READ"), errors.DatabaseError),
        (sqlite_error(sqlite3.OperationalError, "syntax error", "SQLITE_ERROR"), errors.StatementError),
        (sqlite_error(sqlite3.OperationalError, "new in a later SQLite", "SQLITE_UNHEARD_OF"), errors.StatementError),
        (sqlite_error(sqlite3.ProgrammingError, "Cannot operate on a closed database.", None), errors.ConnectionLost),
        (sqlite_error(sqlite3.InterfaceError, "bad parameter", None), errors.DataError),
        (ValueError("Connection closed"), errors.ConnectionLost),
        (OverflowError(SECRET), errors.DataError),
        (UnicodeEncodeError("utf-8", SECRET, 0, 1, "surrogates"), errors.DataError),
        (RuntimeError(SECRET), errors.DatabaseError),
    ],
)
def test_sqlite_by_name(error: Exception, cls: type[errors.DatabaseError]) -> None:
    found = sqlite_errors.translate(error, "SELECT 1")
    assert type(found) is cls
    assert found.statement == "SELECT 1"
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("message", "name", "facts"),
    [
        ("UNIQUE constraint failed: author.email", "UNIQUE", ("author", ("email",), None)),
        ("UNIQUE constraint failed: book.shelf, book.place", "UNIQUE", ("book", ("shelf", "place"), None)),
        ("UNIQUE constraint failed: index 'by_name'", "UNIQUE", (None, (), "by_name")),
        ("NOT NULL constraint failed: author.name", "NOTNULL", ("author", ("name",), None)),
        ("CHECK constraint failed: positive", "CHECK", (None, (), "positive")),
        ("FOREIGN KEY constraint failed", "FOREIGNKEY", (None, (), None)),
    ],
)
def test_sqlite_facts(message: str, name: str, facts: tuple[Any, ...]) -> None:
    code = f"SQLITE_CONSTRAINT_{name}"
    found = sqlite_errors.translate(sqlite_error(sqlite3.IntegrityError, message, code), "INSERT")
    assert (found.table, found.columns, found.constraint) == facts
    assert found.code == code


def test_sqlite_text_that_is_no_utf8_is_not_shown() -> None:
    message = f"Could not decode to UTF-8 column 'name' with text '{SECRET}'"
    found = sqlite_errors.translate(sqlite_error(sqlite3.OperationalError, message, None), "SELECT name FROM t")
    assert type(found) is errors.DataError
    assert SECRET not in str(found)


def fatal(message: str) -> Exception:
    """What PgBouncer says before it hangs up."""
    made: Exception = asyncpg.PostgresError.new({"S": "FATAL", "V": "FATAL", "C": "08P01", "M": message})
    return made


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("server conn crashed?", True),
        ("query_timeout", True),
        ("query_wait_timeout", False),
        ("pgbouncer cannot connect to server", False),
    ],
)
def test_a_poolers_last_word(message: str, sent: bool) -> None:
    found = postgresql_errors.translate(fatal(message), "COMMIT", closed=True)
    assert isinstance(found, errors.ConnectionLost)
    assert (found.sent, found.message) == (sent, message)
    gone = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    gone.__cause__ = fatal(message)
    found = postgresql_errors.translate(gone, "COMMIT", closed=True)
    assert isinstance(found, errors.ConnectionLost)
    assert found.sent is sent


@pytest.mark.parametrize("state", ["26000", "42P05"])
def test_prepared_statements_that_a_pooler_has_lost(state: str) -> None:
    found = postgresql_errors.translate(server_error(state), "SELECT 1")
    assert type(found) is errors.StatementError
    assert "pooler=transaction" in str(found.hint)
