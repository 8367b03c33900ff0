"""Cormorant: an async-first ORM with an identity map and a unit of work, for PostgreSQL and SQLite."""

from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

from cormorant import errors
from cormorant.errors import (
    AfterHookError,
    AmbiguousSession,
    ChangedMigration,
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
    DestructiveMigration,
    DiskFullError,
    DriverNotInstalled,
    DuplicateModel,
    ExpressionUsedAsBool,
    FlushError,
    ForeignInstanceError,
    ForeignKeyViolation,
    HookError,
    InstanceError,
    IntegrityError,
    InvalidField,
    InvalidMigration,
    IrreversibleMigration,
    KeyConflictError,
    ListenerOverflow,
    LockTimeout,
    Loss,
    MigrationConflict,
    MigrationCycle,
    MigrationError,
    MigrationFailed,
    MigrationLocked,
    MissingMigration,
    ModelError,
    MultipleResultsError,
    NotFoundError,
    NotLoadedError,
    NotNullViolation,
    NPlusOneError,
    NPlusOneWarning,
    PoolClosed,
    PoolTimeout,
    QueryBudgetExceeded,
    QueryError,
    QueryTimeout,
    QueryWarning,
    ResultError,
    SchemaChangedError,
    SchemaOutdated,
    SerializationError,
    SessionClosedError,
    SessionError,
    SessionNotEntered,
    SessionTaskError,
    StaleObjectError,
    StatementError,
    SyncInLoopError,
    TransactionError,
    TransactionFailedError,
    UniqueViolation,
    UnknownName,
    UnresolvedReference,
    UnsavedError,
    ValidationError,
    ValueOutOfRange,
    WouldDeadlock,
    WrongCursor,
    WrongType,
)

if TYPE_CHECKING:
    from cormorant import hooks
    from cormorant.adapters.base import Adapter
    from cormorant.adapters.config import ConnectionConfig
    from cormorant.adapters.notifying import Notification
    from cormorant.adapters.postgresql import PostgresAdapter
    from cormorant.adapters.sqlite import SQLiteAdapter
    from cormorant.cache.backends import CacheBackend, NoOpCache
    from cormorant.cache.memory import MemoryCache
    from cormorant.cache.redis import RedisCache
    from cormorant.database import Database, DatabaseStats, Listener, configure, report
    from cormorant.migrations.running.engine import MigrationEngine
    from cormorant.models.alias import alias
    from cormorant.models.collections import Collection
    from cormorant.models.constraints import TableArg, check, index, search_index, unique
    from cormorant.models.fields import Mapped, field, generated, retired
    from cormorant.models.hybrid import hybrid
    from cormorant.models.model import Model, ref
    from cormorant.models.paths import ManyExpr
    from cormorant.models.relations import Many, One, foreign_key, many_to_many, reverse
    from cormorant.models.scopes import Scope
    from cormorant.models.search import search
    from cormorant.observability.correlation import correlation_id, query_tags, set_correlation_id
    from cormorant.observability.events import Observer, StatementEvent
    from cormorant.observability.exported import ExportedStats
    from cormorant.observability.findings import Finding
    from cormorant.observability.report import Report
    from cormorant.observability.shapes import CacheUse, CallSite, StatementStats
    from cormorant.persistence.blocks import Transaction
    from cormorant.persistence.changed import Change
    from cormorant.persistence.preview import FlushPreview
    from cormorant.persistence.result import Result
    from cormorant.persistence.session import AsyncSession
    from cormorant.query.explaining import CompiledQuery, Explanation
    from cormorant.query.page import Page
    from cormorant.query.predicates import Q
    from cormorant.query.queryset import Manager, QuerySet
    from cormorant.query.rows import Rows
    from cormorant.query.subquery import Cte, Subquery, exists
    from cormorant.schema.builder import SchemaBuilder
    from cormorant.sql import types
    from cormorant.sql.case import case
    from cormorant.sql.columns import Column
    from cormorant.sql.conversions import literal
    from cormorant.sql.excluded import excluded
    from cormorant.sql.expr import Expr
    from cormorant.sql.functions import func
    from cormorant.sql.raw import text
    from cormorant.sql.tuples import tuple_
    from cormorant.sync.database import SyncDatabase
    from cormorant.sync.listening import SyncListener
    from cormorant.sync.queryset import SyncQuerySet, SyncRows
    from cormorant.sync.session import Session, SyncTransaction

__version__ = "0.1.0"
"""The version of the package."""

# A room is loaded when one of its names is first asked for: the errors alone take a few milliseconds, the whole house
# with asyncio takes a hundred, and a driver is of use for its own database only.
_ROOMS = {
    "cormorant.adapters.base": "Adapter",
    "cormorant.adapters.config": "ConnectionConfig",
    "cormorant.adapters.notifying": "Notification",
    "cormorant.cache.backends": "CacheBackend NoOpCache",
    "cormorant.cache.memory": "MemoryCache",
    "cormorant.cache.redis": "RedisCache",
    "cormorant.database": "Database DatabaseStats Listener configure report",
    "cormorant.migrations.running.engine": "MigrationEngine",
    "cormorant.models.alias": "alias",
    "cormorant.models.collections": "Collection",
    "cormorant.models.constraints": "TableArg check index search_index unique",
    "cormorant.models.fields": "Mapped field generated retired",
    "cormorant.models.hybrid": "hybrid",
    "cormorant.models.model": "Model ref",
    "cormorant.models.paths": "ManyExpr",
    "cormorant.models.scopes": "Scope",
    "cormorant.models.search": "search",
    "cormorant.models.relations": "Many One foreign_key many_to_many reverse",
    "cormorant.observability.correlation": "correlation_id query_tags set_correlation_id",
    "cormorant.observability.events": "Observer StatementEvent",
    "cormorant.observability.exported": "ExportedStats",
    "cormorant.observability.findings": "Finding",
    "cormorant.observability.report": "Report",
    "cormorant.observability.shapes": "CacheUse CallSite StatementStats",
    "cormorant.persistence.preview": "FlushPreview",
    "cormorant.persistence.result": "Result",
    "cormorant.persistence.blocks": "Transaction",
    "cormorant.persistence.changed": "Change",
    "cormorant.persistence.session": "AsyncSession",
    "cormorant.query.explaining": "CompiledQuery Explanation",
    "cormorant.query.page": "Page",
    "cormorant.query.predicates": "Q",
    "cormorant.query.queryset": "Manager QuerySet",
    "cormorant.query.rows": "Rows",
    "cormorant.query.subquery": "Cte Subquery exists",
    "cormorant.schema.builder": "SchemaBuilder",
    "cormorant.sql.case": "case",
    "cormorant.sql.columns": "Column",
    "cormorant.sql.conversions": "literal",
    "cormorant.sql.excluded": "excluded",
    "cormorant.sql.functions": "func",
    "cormorant.sql.expr": "Expr",
    "cormorant.sql.raw": "text",
    "cormorant.sql.tuples": "tuple_",
    "cormorant.sync.database": "SyncDatabase",
    "cormorant.sync.listening": "SyncListener",
    "cormorant.sync.queryset": "SyncQuerySet SyncRows",
    "cormorant.sync.session": "Session SyncTransaction",
}
_ADAPTERS = {"PostgresAdapter": "postgresql", "SQLiteAdapter": "sqlite"}
_MODULES = {"hooks": "cormorant.hooks", "types": "cormorant.sql.types"}
_WHERE = {name: room for room, names in _ROOMS.items() for name in names.split()}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = _load(name)
        return value

    def _load(name: str) -> object:
        if name in _MODULES:
            return import_module(_MODULES[name])
        if name in _ADAPTERS:
            return import_module("cormorant.adapters.registry").adapter_class(_ADAPTERS[name])
        if name in ("Database", "Model"):
            # sessions answer `Author.objects` and `database.session()`; pydantic is loaded by who asks for a schema,
            # migrations by who wants to know whether the database has them
            import_module("cormorant.persistence.retry")
            source = import_module("cormorant.models.schemas").SchemaSource
            source.load = staticmethod(lambda: import_module("cormorant.integrations.pydantic").SCHEMAS)
            gate = import_module("cormorant.database.gating").Gate
            gate.load = staticmethod(lambda: import_module("cormorant.migrations.running.outdated").check)
        return getattr(import_module(_WHERE[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


def utcnow() -> datetime:
    """Gives the present moment with its zone, UTC."""
    return datetime.now(UTC)


__all__ = [
    "Adapter",
    "AfterHookError",
    "AmbiguousSession",
    "AsyncSession",
    "CacheBackend",
    "CacheUse",
    "CallSite",
    "Change",
    "ChangedMigration",
    "CheckViolation",
    "Collection",
    "Column",
    "CommitOutcomeUnknown",
    "CompileError",
    "CompiledQuery",
    "ConfigurationError",
    "ConnectionConfig",
    "ConnectionLost",
    "CormorantError",
    "Cte",
    "DataError",
    "Database",
    "DatabaseError",
    "DatabaseStats",
    "DeadlockError",
    "DependencyCycleError",
    "DestructiveMigration",
    "DiskFullError",
    "DriverNotInstalled",
    "DuplicateModel",
    "Explanation",
    "ExportedStats",
    "Expr",
    "ExpressionUsedAsBool",
    "Finding",
    "FlushError",
    "FlushPreview",
    "ForeignInstanceError",
    "ForeignKeyViolation",
    "HookError",
    "InstanceError",
    "IntegrityError",
    "InvalidField",
    "InvalidMigration",
    "IrreversibleMigration",
    "KeyConflictError",
    "Listener",
    "ListenerOverflow",
    "LockTimeout",
    "Loss",
    "Manager",
    "Many",
    "ManyExpr",
    "Mapped",
    "MemoryCache",
    "MigrationConflict",
    "MigrationCycle",
    "MigrationEngine",
    "MigrationError",
    "MigrationFailed",
    "MigrationLocked",
    "MissingMigration",
    "Model",
    "ModelError",
    "MultipleResultsError",
    "NPlusOneError",
    "NPlusOneWarning",
    "NoOpCache",
    "NotFoundError",
    "NotLoadedError",
    "NotNullViolation",
    "Notification",
    "Observer",
    "One",
    "Page",
    "PoolClosed",
    "PoolTimeout",
    "PostgresAdapter",
    "Q",
    "QueryBudgetExceeded",
    "QueryError",
    "QuerySet",
    "QueryTimeout",
    "QueryWarning",
    "RedisCache",
    "Report",
    "Result",
    "ResultError",
    "Rows",
    "SQLiteAdapter",
    "SchemaBuilder",
    "SchemaChangedError",
    "SchemaOutdated",
    "Scope",
    "SerializationError",
    "Session",
    "SessionClosedError",
    "SessionError",
    "SessionNotEntered",
    "SessionTaskError",
    "StaleObjectError",
    "StatementError",
    "StatementEvent",
    "StatementStats",
    "Subquery",
    "SyncDatabase",
    "SyncInLoopError",
    "SyncListener",
    "SyncQuerySet",
    "SyncRows",
    "SyncTransaction",
    "TableArg",
    "Transaction",
    "TransactionError",
    "TransactionFailedError",
    "UniqueViolation",
    "UnknownName",
    "UnresolvedReference",
    "UnsavedError",
    "ValidationError",
    "ValueOutOfRange",
    "WouldDeadlock",
    "WrongCursor",
    "WrongType",
    "alias",
    "case",
    "check",
    "configure",
    "correlation_id",
    "errors",
    "excluded",
    "exists",
    "field",
    "foreign_key",
    "func",
    "generated",
    "hooks",
    "hybrid",
    "index",
    "literal",
    "many_to_many",
    "query_tags",
    "ref",
    "report",
    "retired",
    "reverse",
    "search",
    "search_index",
    "set_correlation_id",
    "text",
    "tuple_",
    "types",
    "unique",
    "utcnow",
]
