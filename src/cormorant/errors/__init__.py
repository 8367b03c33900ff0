"""Every exception of Cormorant, in one tree.

    CormorantError
    |-- ConfigurationError            a DSN, an option or a missing driver
    |   `-- DriverNotInstalled
    |-- ModelError                    a declaration that cannot work
    |   |-- UnresolvedReference
    |   `-- DuplicateModel
    |-- HookError                     a function that cannot be called at an event
    |-- QueryError                    a query that cannot be built
    |   |-- UnknownName
    |   |-- WrongType
    |   |   `-- ValueOutOfRange       of the right type, and no column can hold it
    |   |-- ExpressionUsedAsBool
    |   |-- WrongCursor               a page's cursor that leads nowhere
    |   `-- CompileError              the dialect cannot say it
    |-- ResultError
    |   |-- NotFoundError
    |   `-- MultipleResultsError
    |-- ValidationError               objects refused before anything is sent
    |-- MigrationError                migrations that cannot be read, made, put in order or run
    |   |-- InvalidMigration          a file, a name or a step that cannot be used
    |   |-- MissingMigration          one that another depends on, or that a database has applied
    |   |-- MigrationCycle            migrations that depend on each other in a ring
    |   |-- MigrationConflict         branches that change the same thing
    |   |-- ChangedMigration          an applied one whose file is another now
    |   |-- IrreversibleMigration     a step without a way back
    |   |-- DestructiveMigration      rows or values would be lost
    |   |-- MigrationLocked           somebody else migrates
    |   |-- MigrationFailed           where it stopped, and how to go on
    |   `-- SchemaOutdated            the database is behind the program, or ahead of it
    |-- InstanceError (RuntimeError)
    |   |-- NotLoadedError            an attribute that was not loaded
    |   `-- UnsavedError              a value the database has not made yet
    |-- SessionError
    |   |-- SessionNotEntered
    |   |-- SessionClosedError
    |   |-- AmbiguousSession
    |   |-- SessionTaskError          two tasks disagree about one transaction
    |   |-- WouldDeadlock             a session would wait for the one it is inside of
    |   |-- SyncInLoopError           a sync session would wait for its own event loop
    |   |-- ForeignInstanceError      an object of another session
    |   |-- AfterHookError            what followed a commit failed; the commit stands
    |   |-- NPlusOneError             things are loaded one by one that could be loaded at once
    |   |-- QueryBudgetExceeded       a session has sent or read more than it may
    |   |-- FlushError
    |   |   |-- DependencyCycleError
    |   |   |-- KeyConflictError      two objects with one key
    |   |   `-- StaleObjectError
    |   `-- TransactionError
    |       `-- TransactionFailedError
    `-- DatabaseError                 what the server or the driver answered
        |-- IntegrityError
        |   |-- UniqueViolation
        |   |-- ForeignKeyViolation
        |   |-- NotNullViolation
        |   `-- CheckViolation
        |-- DataError
        |-- StatementError            the server cannot run this SQL
        |-- SerializationError
        |-- DeadlockError
        |-- LockTimeout
        |-- QueryTimeout
        |-- DiskFullError
        |-- ConnectionLost
        |-- PoolClosed
        |-- CommitOutcomeUnknown
        |-- PoolTimeout
        `-- ListenerOverflow          notifications that nobody takes

QueryWarning is no error: a query that runs, and may give something else each time. Nor is NPlusOneWarning: what runs,
and would be faster at once.

A message says what happened, on what, and what to do; the same facts are attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypedDict

from typing_extensions import Unpack

from cormorant.errors.base import CormorantError, rebuilt, reworded, shortened, suggest
from cormorant.errors.migrations import (
    ChangedMigration,
    DestructiveMigration,
    InvalidMigration,
    IrreversibleMigration,
    Loss,
    MigrationConflict,
    MigrationCycle,
    MigrationError,
    MigrationFailed,
    MigrationLocked,
    MissingMigration,
    SchemaOutdated,
)

__all__ = [
    "AfterHookError",
    "AmbiguousSession",
    "ChangedMigration",
    "CheckViolation",
    "CommitOutcomeUnknown",
    "CompileError",
    "ConfigurationError",
    "ConnectionLost",
    "CormorantError",
    "DataError",
    "DatabaseError",
    "DeadlockError",
    "DependencyCycleError",
    "DestructiveMigration",
    "DiskFullError",
    "DriverNotInstalled",
    "DuplicateModel",
    "ExpressionUsedAsBool",
    "FlushError",
    "ForeignInstanceError",
    "ForeignKeyViolation",
    "HookError",
    "InstanceError",
    "IntegrityError",
    "InvalidField",
    "InvalidMigration",
    "IrreversibleMigration",
    "KeyConflictError",
    "ListenerOverflow",
    "LockTimeout",
    "Loss",
    "MigrationConflict",
    "MigrationCycle",
    "MigrationError",
    "MigrationFailed",
    "MigrationLocked",
    "MissingMigration",
    "ModelError",
    "MultipleResultsError",
    "NPlusOneError",
    "NPlusOneWarning",
    "NotFoundError",
    "NotLoadedError",
    "NotNullViolation",
    "PoolClosed",
    "PoolTimeout",
    "QueryBudgetExceeded",
    "QueryError",
    "QueryTimeout",
    "QueryWarning",
    "ResultError",
    "SchemaOutdated",
    "SerializationError",
    "SessionClosedError",
    "SessionError",
    "SessionNotEntered",
    "SessionTaskError",
    "StaleObjectError",
    "StatementError",
    "SyncInLoopError",
    "TransactionError",
    "TransactionFailedError",
    "UniqueViolation",
    "UnknownName",
    "UnresolvedReference",
    "UnsavedError",
    "ValidationError",
    "WouldDeadlock",
    "WrongCursor",
    "WrongType",
    "reworded",
    "suggest",
]


class ConfigurationError(CormorantError):
    """A DSN, an option or an environment variable cannot be used as given."""


class DriverNotInstalled(ConfigurationError):
    """The driver package for a database is missing."""


class ModelError(CormorantError):
    """A model declaration cannot work as written."""


class UnresolvedReference(ModelError):
    """A name in an annotation, or the target of a relation, was never found."""


class DuplicateModel(ModelError):
    """Two models claim one table or one name."""


class HookError(CormorantError, TypeError):
    """A function cannot be called at the event, or the target, it is registered for."""


class QueryError(CormorantError):
    """A query cannot be built as written."""


class UnknownName(QueryError, AttributeError):
    """A column, relation or lookup does not exist."""


class WrongType(QueryError, TypeError):
    """A value of the wrong Python type meets a column or an operator."""


class ValueOutOfRange(WrongType, ValueError):
    """No row can have a value of the right type: a number too large for its column, a text with NUL, limit(-1)."""


class ExpressionUsedAsBool(QueryError, TypeError):
    """An SQL expression was used where Python wants a truth value."""


class WrongCursor(QueryError, ValueError):
    """A page was asked for by a cursor of another query or order, or by one that was changed."""


class CompileError(QueryError):
    """The database's dialect has no way to say what was asked."""


class QueryWarning(UserWarning):
    """A query can give other rows each time it runs."""


class NPlusOneWarning(UserWarning):
    """One line of the program loads things one by one that could be loaded at once."""


class ResultError(CormorantError):
    """A query that must give one row gave another number of rows."""


class NotFoundError(ResultError, LookupError):
    """No row matched."""


class MultipleResultsError(ResultError):
    """More than one row matched."""


class InvalidField(NamedTuple):
    """One value that was refused.

    Args:
        model: The model's name.
        field: The attribute's name; None where the object as a whole was refused.
        message: What is wrong.
        instance: The object; None for a row of a bulk write, and after pickling.
        row: The number of the row in a bulk write, the first is 1.
    """

    model: str
    field: str | None
    message: str
    instance: object | None
    row: int | None = None


def _invalid_field(problem: tuple[str, str], instance: object | None) -> InvalidField:
    place, message = problem
    # rows of bulk writes are numbered: "row 3: Author.name"
    row, _, attribute = place.rpartition(": ")
    model, _, name = attribute.partition(".")
    number = int(row.removeprefix("row ")) if row.startswith("row ") else None
    return InvalidField(model, name or None, message, instance, number)


class ValidationError(CormorantError, ValueError):
    """Objects were refused before anything was sent.

    Args:
        problems: One (place, what is wrong) pair for each bad field, place as "Author.name".
        instances: For each pair its object, where there is one.
        hint: What to do about it.
    """

    def __init__(
        self,
        problems: Sequence[tuple[str, str]],
        *,
        instances: Sequence[object] = (),
        hint: str = "correct the values and flush again; nothing was sent",
    ) -> None:
        lines = "".join(f"\n  {place}: {text}" for place, text in problems)
        super().__init__(f"{len(problems)} value{'s'[: len(problems) != 1]} cannot be saved:{lines}", hint=hint)
        self.problems: tuple[tuple[str, str], ...] = tuple(problems)
        owners = (*instances, *[None] * (len(problems) - len(instances)))
        self.fields: tuple[InvalidField, ...] = tuple(map(_invalid_field, problems, owners))

    def __reduce__(self) -> tuple[object, ...]:
        # the objects stay where they are, with all their values
        fields = tuple([field._replace(instance=None) for field in self.fields])
        return (rebuilt, (type(self), self.args, {**self.__dict__, "fields": fields}))


class InstanceError(CormorantError, RuntimeError):
    """An attribute has no value yet.

    Deliberately no AttributeError: hasattr() and getattr(x, name, default) must not hide it.
    """


class NotLoadedError(InstanceError):
    """An attribute or a relation was not loaded."""


class UnsavedError(InstanceError):
    """A value that the database makes was read before the flush."""


class SessionError(CormorantError):
    """A session was used in a way it cannot honour."""


class SessionNotEntered(SessionError):
    """The session was not entered with `async with`."""


class SessionClosedError(SessionError):
    """The session's block has ended."""


class AmbiguousSession(SessionError):
    """One handle has several open states and the caller's context names none of them."""


class SessionTaskError(SessionError):
    """A transaction verb was called where another task or block owns the transaction."""


class WouldDeadlock(SessionError):
    """A session needs a connection that only the transactions around it could give back, which wait for it."""


class SyncInLoopError(SessionError):
    """A sync session was called on its own event loop, which would wait for itself for ever."""


class ForeignInstanceError(SessionError):
    """An object belongs to another session."""


class AfterHookError(SessionError):
    """Hooks that are called after a commit or a rollback failed; what was done before stays.

    Args:
        message: What ended, and which hooks failed.
        errors: What they raised.
        hint: What to do about it.
    """

    def __init__(self, message: str, errors: Sequence[Exception], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.errors: tuple[Exception, ...] = tuple(errors)


class NPlusOneError(SessionError):
    """One line of the program loads things one by one that could be loaded at once; nothing was sent."""


class QueryBudgetExceeded(SessionError):
    """A session would send more statements than it may, or has read more rows."""


class FlushError(SessionError):
    """The pending changes cannot be written."""


class DependencyCycleError(FlushError):
    """Rows need each other in a ring: by keys of new objects, or by unique values that they exchange."""


class KeyConflictError(FlushError):
    """Two objects of one session have the same key."""


class StaleObjectError(FlushError):
    """A row that was to be changed is gone or was changed by someone else."""


class TransactionError(SessionError):
    """A transaction verb that does not fit the state of the transaction."""


class TransactionFailedError(TransactionError):
    """The transaction block failed earlier and must be ended first."""


class _Facts(TypedDict, total=False):
    """What a DatabaseError may have beside its message."""

    statement: str | None
    code: str | None
    constraint: str | None
    table: str | None
    columns: Sequence[str]
    hint: str | None


class DatabaseError(CormorantError):
    """The server or the driver refused or lost a statement.

    Args:
        message: What the server said.
        statement: The SQL text, without its parameters.
        code: SQLSTATE on PostgreSQL, extended result code name on SQLite.
        constraint: The violated constraint's name, where the server tells it.
        columns: The columns it covers, as far as known.
    """

    def __init__(
        self,
        message: str,
        *,
        statement: str | None = None,
        code: str | None = None,
        constraint: str | None = None,
        table: str | None = None,
        columns: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        text = message if statement is None else f"{message}\nStatement: {_shorten(statement)}"
        super().__init__(text, hint=hint)
        self.message: str = shortened(message)
        self.statement = statement
        self.code = code
        self.constraint = constraint
        self.table = table
        self.columns: tuple[str, ...] = tuple(columns)


class IntegrityError(DatabaseError):
    """A constraint of the database refused the change."""


class UniqueViolation(IntegrityError):
    """A value that must be unique exists already."""


class ForeignKeyViolation(IntegrityError):
    """A row points to a row that does not exist, or is still pointed to."""


class NotNullViolation(IntegrityError):
    """A required column got no value."""


class CheckViolation(IntegrityError):
    """A CHECK constraint does not hold."""


class DataError(DatabaseError):
    """A value does not fit its column's type."""


class StatementError(DatabaseError):
    """The server cannot run the SQL: a missing table or column, bad syntax, no permission."""


class SchemaChangedError(StatementError):
    """Tables or types were changed after the statement was prepared, by others; run the whole unit of work again."""


class SerializationError(DatabaseError):
    """Concurrent transactions cannot be put in an order; run the whole unit of work again."""


class DeadlockError(DatabaseError):
    """Transactions waited for each other; run the whole unit of work again."""


class LockTimeout(DatabaseError):
    """A lock was not granted in time."""


class QueryTimeout(DatabaseError):
    """A statement took longer than allowed."""


class DiskFullError(DatabaseError):
    """The server has no space left."""


class ConnectionLost(DatabaseError):
    """The connection broke, or could not be made.

    Args:
        message: What happened, and to which connection.
        sent: Whether the statement may have reached the server, and its effect with it.
        facts: What every DatabaseError may have.
    """

    def __init__(self, message: str, *, sent: bool = False, **facts: Unpack[_Facts]) -> None:
        super().__init__(message, **facts)
        self.sent: bool = sent


class PoolClosed(DatabaseError):
    """The database was closed; a new one must be made."""


class CommitOutcomeUnknown(DatabaseError):
    """COMMIT, or a write that commits by itself, was sent, and its answer never came: all of it is done, or nothing.

    Args:
        message: What was waited for.
        xid: The transaction's number on PostgreSQL, where `track_commits` has asked for it: `await db.outcome(error)`.
        begun: When the transaction began by the server's clock; with the number it tells of one transaction only.
        facts: What every DatabaseError may have.
    """

    def __init__(
        self, message: str, *, xid: int | None = None, begun: datetime | None = None, **facts: Unpack[_Facts]
    ) -> None:
        super().__init__(message, **facts)
        self.xid: int | None = xid
        self.begun: datetime | None = begun


class PoolTimeout(DatabaseError):
    """No connection became free in time."""


class ListenerOverflow(DatabaseError):
    """More notifications came than may wait for their listener."""


def _shorten(sql: str, limit: int = 2000) -> str:
    return sql if len(sql) <= limit else f"{sql[:limit]}... ({len(sql)} characters)"
