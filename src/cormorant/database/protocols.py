"""What a database knows of the rooms above it, by protocols that those fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from cormorant.adapters.stats import PoolStats
from cormorant.cache.backends import CacheBackend
from cormorant.dialects.base import IsolationLevel
from cormorant.models.scopes import Scope

if TYPE_CHECKING:
    from cormorant.database.database import Database
    from cormorant.persistence.retry import Retrying
    from cormorant.persistence.session import AsyncSession


class SessionOptions(TypedDict, total=False):
    """What `database.session()` takes: the options of AsyncSession."""

    autocommit: bool | None
    isolation: IsolationLevel | None
    read_only: bool
    scopes: Sequence[Scope[Any]]
    timeout: float | None
    performance_threshold: int | None
    slow_query_ms: float | None
    max_queries: int | None
    max_rows: int | None
    cache_backend: CacheBackend | None


class Sessions(Protocol):
    """What the room above makes for a database."""

    def session(self, database: Database, options: SessionOptions) -> AsyncSession:
        """Gives a session, not entered yet."""
        ...

    def retrying(self, database: Database, retries: int | None, isolation: IsolationLevel | None) -> Retrying:
        """Gives what runs units of work, and runs them again."""
        ...


class Companion(Protocol):
    """Connections of the same database that belong to another event loop."""

    @property
    def pool(self) -> PoolStats:
        """How they are used."""
        ...

    def schema_changed(self) -> None:
        """Has what its connections remember of tables forgotten."""
        ...

    async def close(self, timeout: float | None) -> None:
        """Closes its connections."""
        ...
