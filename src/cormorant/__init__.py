"""Cormorant: an async-first ORM with an identity map and a unit of work, for PostgreSQL and SQLite."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cormorant import errors
from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import adapter_class
from cormorant.database import Database, configure
from cormorant.errors import (
    AmbiguousSession,
    CheckViolation,
    CommitOutcomeUnknown,
    CompileError,
    ConfigurationError,
    ConnectionLost,
    CormorantError,
    DatabaseError,
    DataError,
    DeadlockError,
    DependencyCycleError,
    DiskFullError,
    DriverNotInstalled,
    DuplicateModel,
    ExpressionUsedAsBool,
    FlushError,
    ForeignInstanceError,
    ForeignKeyViolation,
    InstanceError,
    IntegrityError,
    LockTimeout,
    ModelError,
    MultipleResultsError,
    NotFoundError,
    NotLoadedError,
    NotNullViolation,
    PoolClosed,
    PoolTimeout,
    QueryError,
    QueryTimeout,
    ResultError,
    SerializationError,
    SessionClosedError,
    SessionError,
    SessionNotEntered,
    SessionTaskError,
    StaleObjectError,
    StatementError,
    TransactionError,
    TransactionFailedError,
    UniqueViolation,
    UnknownName,
    UnresolvedReference,
    UnsavedError,
    ValidationError,
    WrongType,
)
from cormorant.models.collections import Collection
from cormorant.models.constraints import TableArg, check, index, unique
from cormorant.models.fields import Mapped, field, generated
from cormorant.models.hybrid import hybrid
from cormorant.models.model import Model, ref
from cormorant.models.paths import ManyExpr
from cormorant.models.relations import Many, One, foreign_key, many_to_many, reverse
from cormorant.observability.performance import StatementStats
from cormorant.persistence.result import Result
from cormorant.persistence.session import AsyncSession, Transaction
from cormorant.query.predicates import Q
from cormorant.query.queryset import Manager, QuerySet, Rows
from cormorant.sql import types
from cormorant.sql.columns import Column
from cormorant.sql.functions import func
from cormorant.sql.nodes import Expr
from cormorant.sql.raw import text

if TYPE_CHECKING:
    from cormorant.adapters.postgresql import PostgresAdapter
    from cormorant.adapters.sqlite import SQLiteAdapter

__version__ = "0.1.0"
"""The version of the package."""

# each needs its driver, which is imported when the name is first asked for
_ADAPTERS = {"PostgresAdapter": "postgresql", "SQLiteAdapter": "sqlite"}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _ADAPTERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return adapter_class(_ADAPTERS[name])


def utcnow() -> datetime:
    """Gives the present moment with its zone, UTC."""
    return datetime.now(UTC)


__all__ = [
    "Adapter",
    "AmbiguousSession",
    "AsyncSession",
    "CheckViolation",
    "Collection",
    "Column",
    "CommitOutcomeUnknown",
    "CompileError",
    "ConfigurationError",
    "ConnectionConfig",
    "ConnectionLost",
    "CormorantError",
    "DataError",
    "Database",
    "DatabaseError",
    "DeadlockError",
    "DependencyCycleError",
    "DiskFullError",
    "DriverNotInstalled",
    "DuplicateModel",
    "Expr",
    "ExpressionUsedAsBool",
    "FlushError",
    "ForeignInstanceError",
    "ForeignKeyViolation",
    "InstanceError",
    "IntegrityError",
    "LockTimeout",
    "Manager",
    "Many",
    "ManyExpr",
    "Mapped",
    "Model",
    "ModelError",
    "MultipleResultsError",
    "NotFoundError",
    "NotLoadedError",
    "NotNullViolation",
    "One",
    "PoolClosed",
    "PoolTimeout",
    "PostgresAdapter",
    "Q",
    "QueryError",
    "QuerySet",
    "QueryTimeout",
    "Result",
    "ResultError",
    "Rows",
    "SQLiteAdapter",
    "SerializationError",
    "SessionClosedError",
    "SessionError",
    "SessionNotEntered",
    "SessionTaskError",
    "StaleObjectError",
    "StatementError",
    "StatementStats",
    "TableArg",
    "Transaction",
    "TransactionError",
    "TransactionFailedError",
    "UniqueViolation",
    "UnknownName",
    "UnresolvedReference",
    "UnsavedError",
    "ValidationError",
    "WrongType",
    "check",
    "configure",
    "errors",
    "field",
    "foreign_key",
    "func",
    "generated",
    "hybrid",
    "index",
    "many_to_many",
    "ref",
    "reverse",
    "text",
    "types",
    "unique",
    "utcnow",
]
