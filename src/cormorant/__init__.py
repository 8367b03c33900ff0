"""Cormorant: an async-first ORM with an identity map and a unit of work, for PostgreSQL and SQLite."""

from datetime import UTC, datetime

from cormorant import errors
from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.database import Database, configure
from cormorant.errors import *  # noqa: F403
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

__version__ = "0.1.0"


def utcnow() -> datetime:
    """Gives the present moment with its zone, UTC."""
    return datetime.now(UTC)


__all__ = [
    "Adapter",
    "AsyncSession",
    "Collection",
    "Column",
    "ConnectionConfig",
    "Database",
    "Expr",
    "Manager",
    "Many",
    "ManyExpr",
    "Mapped",
    "Model",
    "One",
    "Q",
    "QuerySet",
    "Result",
    "Rows",
    "StatementStats",
    "TableArg",
    "Transaction",
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
    *errors.__all__,
]
