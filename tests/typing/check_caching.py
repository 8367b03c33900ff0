"""What checkers know of caches. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from typing import assert_type

from cormorant import (
    AsyncSession,
    CacheBackend,
    Database,
    Mapped,
    MemoryCache,
    Model,
    NoOpCache,
    QuerySet,
    RedisCache,
    Rows,
    Session,
    SyncDatabase,
    SyncQuerySet,
    generated,
)
from tests.typing.shop import Customer, Order


class Kept(Model, cache=60):
    id: Mapped[int] = generated(primary_key=True)


class OwnQuery(QuerySet[Order]):
    pass


def backends(redis: RedisCache) -> list[CacheBackend]:
    return [MemoryCache(max_entries=10, ttl=5.0), redis, NoOpCache()]


async def queries(s: AsyncSession, sync: Session) -> None:
    assert_type(s.query(Order).cached(), QuerySet[Order])
    assert_type(s.query(OwnQuery).cached(ttl=60), OwnQuery)
    assert_type(await s.query(Order).cached(ttl=1.5), list[Order])
    assert_type(s.query(Customer).values(Customer.name).cached(), Rows[tuple[str]])
    assert_type(await s.query(Order).cached().count(), int)
    assert_type(sync.query(Order).cached(), SyncQuerySet[Order])
    assert_type(sync.query(Order).cached().all(), list[Order])
    s.query(Order).cached(60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def databases(db: Database, sync: SyncDatabase) -> None:
    assert_type(await db.invalidate(Order, keys=[1]), None)
    sync.invalidate(Order, Customer)
    AsyncSession(db, cache_backend=NoOpCache())
    Session(db, cache_backend=MemoryCache())
    db.session(cache_backend=MemoryCache())
    assert_type(db.stats().cache.hits, int)
    Database("sqlite://", cache_backend="memory")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
