"""`db.stats()`, `db.ping()` and the counting of statements that fail, on real databases."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    ConnectionConfig,
    ConnectionLost,
    Database,
    DatabaseError,
    DatabaseStats,
    Mapped,
    Model,
    PoolClosed,
    PoolTimeout,
    Scope,
    Session,
    StatementError,
    UniqueViolation,
    field,
    generated,
)
from tests.support.faults import FaultProxy


class Gull(Model, table="stats_gull"):
    id: Mapped[int] = generated(primary_key=True)
    ring: Mapped[str] = field(unique=True)


# ---- figures


async def test_nothing_is_counted_before_the_first_statement(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        stats = db.stats()
        assert isinstance(stats, DatabaseStats)
        with pytest.raises(FrozenInstanceError):
            stats.listeners = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
        size = stats.pool.size
        assert size == (10 if db.dialect.name == "postgresql" else 11)
        figures = stats.as_dict()
        assert figures.pop("pool_size") == size
        assert set(figures.values()) == {0}
        assert {"pool_in_use", "pool_timeouts", "statements_errors", "plans_hits", "listeners"} <= set(figures)


async def test_what_was_done_is_counted(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        await db.create_all(Gull)
        before = db.stats()
        async with AsyncSession(db) as session:
            session.add(Gull(ring="a"), Gull(ring="b"))
        for _ in range(3):
            async with AsyncSession(db) as session:
                assert len(await session.query(Gull).filter(Gull.id > 0)) == 2
                assert db.stats().pool.in_use == 0
        after = db.stats()
        assert after.statements.rows - before.statements.rows == 2 + 3 * 2
        sent = sum(stats.count for stats in db.query_stats())
        assert (after.statements.count, after.statements.shapes) == (sent, len(db.query_stats()))
        assert after.statements.total_ms > before.statements.total_ms > 0
        assert after.statements.errors == 0
        # the write and the read are made once; and the write once more for SQLite, which counts what it gives back
        made = 3 if database_dsn.startswith("sqlite") else 2
        assert after.plans.misses - before.plans.misses == made
        assert after.plans.hits - before.plans.hits == 2
        assert after.plans.kept == made
        assert after.pool.acquired - before.pool.acquired == 4
        assert after.pool.opened == after.pool.connected - after.pool.closed == after.pool.idle
    assert db.stats().pool.closed == db.stats().pool.connected > 0
    assert db.stats().pool.opened == 0


async def test_plans_of_scopes_are_made_once_too(database_dsn: str) -> None:
    scope = Scope(Gull, lambda model: model.ring != "hidden", name="shown")
    async with Database(database_dsn, scopes=[scope]) as db:
        await db.create_all(Gull)
        for _ in range(3):
            async with AsyncSession(db) as session:
                await session.query(Gull)
        plans = db.stats().plans
        assert (plans.hits, plans.misses) == (2, 1)


async def test_waiters_and_those_sent_away_are_counted(database_dsn: str) -> None:
    async with Database(ConnectionConfig.from_dsn(database_dsn, pool_size=1, max_waiting=1)) as db:
        held = await db.adapter.acquire()
        waiting = asyncio.create_task(db.ping())
        await asyncio.sleep(0)
        assert (db.stats().pool.waiting, db.stats().pool.in_use) == (1, 1)
        with pytest.raises(PoolTimeout):
            await db.ping()
        assert db.stats().pool.timeouts == 1
        db.adapter.release(held)
        await waiting


def test_the_connections_of_sync_sessions_are_counted_too(database_dsn: str) -> None:
    db = Database(database_dsn)
    with Session(db) as session:
        session.execute("select 1")
    stats = db.stats()
    assert (stats.pool.opened, stats.statements.count) == (1, 1)
    assert stats.pool.acquired >= 1
    assert stats.pool.size == 2 * Database(database_dsn).stats().pool.size
    asyncio.run(db.close())


@pytest.mark.direct("a pooler gives nobody notifications")
@pytest.mark.postgresql
async def test_listeners_are_counted(postgres_database: str) -> None:
    async with Database(postgres_database) as db:
        async with db.listen("a"), db.listen("a"):
            assert (db.stats().listeners, db.stats().as_dict()["listeners"]) == (2, 2)
        assert db.stats().listeners == 0


# ---- statements that fail


async def test_a_statement_that_fails_is_counted_and_timed(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        await db.create_all(Gull)
        async with AsyncSession(db) as session:
            session.add(Gull(ring="a"))
            await session.commit()
            session.add(Gull(ring="a"))
            with pytest.raises(UniqueViolation):
                await session.flush()
            await session.rollback()
            with pytest.raises(StatementError):
                await session.execute("select nothing from nowhere")
            failed = {stats.sql: stats for stats in session.query_stats() if stats.errors}
            assert len(failed) == 2
            raw = failed["select nothing from nowhere"]
            assert (raw.count, raw.errors, raw.rows) == (1, 1, 0)
            assert raw.total_ms > 0
            insert = next(stats for sql, stats in failed.items() if sql.startswith("INSERT"))
            assert (insert.count, insert.errors, insert.rows) == (2, 1, 1)
        assert db.stats().statements.errors == 2


async def test_so_is_a_stream_that_fails(database_dsn: str) -> None:
    async with Database(database_dsn) as db, AsyncSession(db) as session:
        with pytest.raises(DatabaseError):
            async for _ in session.stream("select nothing from nowhere"):
                pass
        await session.rollback()
        assert [stats.sql for stats in session.query_stats() if stats.errors] == ["select nothing from nowhere"]


async def test_so_is_one_that_was_cancelled(postgres_database: str) -> None:
    async with Database(postgres_database) as db, AsyncSession(db) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.execute("select pg_sleep(60)")
        (stats,) = session.query_stats()
        assert (stats.count, stats.errors) == (1, 1)


# ---- ping


async def test_a_ping_gives_the_milliseconds_of_its_round_trip(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        for timeout in (None, 30, 30.0):
            assert 0 < await db.ping(timeout) < 30_000
        assert db.stats().pool.in_use == 0
        assert db.stats().statements.count == 0
        for wrong in (0, -1, "soon", True):
            with pytest.raises(ConfigurationError, match="timeout is"):
                await db.ping(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(PoolClosed):
        await db.ping(timeout=1)


async def test_a_ping_waits_for_a_connection_until_its_deadline(database_dsn: str) -> None:
    async with Database(ConnectionConfig.from_dsn(database_dsn, pool_size=2)) as db:
        held = [await db.adapter.acquire() for _ in range(2)]
        with pytest.raises(PoolTimeout, match=r"became free within 0\.05 s: all 2 are in use"):
            await db.ping(timeout=0.05)
        waiting = asyncio.create_task(db.ping(timeout=30))
        await asyncio.sleep(0)
        for connection in held:
            db.adapter.release(connection)
        assert await waiting > 0
        assert db.stats().pool.waiting == 0


async def test_a_server_that_is_gone_is_lost(postgres_database: str) -> None:
    async with FaultProxy(postgres_database) as proxy:
        db = Database(proxy.dsn)
        await db.ping()
    with pytest.raises(ConnectionLost):
        await db.ping()
    await db.close()


@pytest.mark.parametrize("opened", [True, False])
async def test_a_server_that_says_nothing_is_lost_at_the_deadline(postgres_database: str, opened: bool) -> None:
    async with FaultProxy(postgres_database) as proxy, Database(proxy.dsn) as db:
        if opened:
            await db.ping()
            proxy.break_all("blackhole")
        else:
            # the first thing that a client sends
            proxy.arm(b"\x00\x03\x00\x00", when="before", action="blackhole")
        message = "did not answer within" if opened else "could be opened within"
        with pytest.raises(ConnectionLost, match=message):
            await db.ping(timeout=0.1)
        if opened:
            # the connection that does not answer is lent to nobody
            assert await db.ping(timeout=30) > 0
        await db.close(timeout=0.1)
