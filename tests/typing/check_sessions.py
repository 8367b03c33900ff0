"""Sessions, transactions and databases. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, assert_type

from cormorant import (
    Adapter,
    AsyncSession,
    CallSite,
    Change,
    ConnectionConfig,
    CormorantError,
    Database,
    DatabaseStats,
    ExportedStats,
    Finding,
    FlushPreview,
    IntegrityError,
    Listener,
    Model,
    Notification,
    PostgresAdapter,
    Report,
    Result,
    SQLiteAdapter,
    StatementStats,
    Transaction,
    UniqueViolation,
    configure,
    correlation_id,
    query_tags,
    report,
    set_correlation_id,
    text,
)
from tests.typing.shop import Card, Customer, Order


async def sessions(s: AsyncSession, customer: Customer, order: Order) -> None:
    assert_type(await s.get(Customer, 1), Customer | None)
    assert_type(await s.get_one(Customer, 1), Customer)
    assert_type(await s.get_many(Customer, [1, 2]), list[Customer])
    assert_type(await s.create(Customer, name="x"), Customer)
    assert_type(await s.create(Card, number="1", holder=customer), Card)
    s.add(customer, order)
    s.delete(customer)
    s.expunge(customer)
    s.clear()
    await s.refresh(customer, order)
    assert_type(await s.merge(customer), Customer)
    assert_type(s.changes(order), Mapping[str, Change])
    await s.flush()
    assert_type(s.preview(), FlushPreview)
    assert_type([st.sql for st in s.preview().statements], list[str])
    assert_type(s.preview().rows, int)
    s.preview().rows = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    await s.commit()
    await s.rollback()
    await s.close()
    assert_type(s.new, Collection[Model])
    assert_type(s.in_transaction, bool)
    assert_type(s.query_stats(), list[StatementStats])
    assert_type(s.query_stats()[0].call_sites, list[CallSite])
    assert_type(s.export_query_stats(reset=True), list[ExportedStats])
    assert_type(s.report(), Report)
    assert_type(report(s.database).findings, tuple[Finding, ...])
    assert_type(report(s).save("report.html"), Path)
    report(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AsyncSession("sqlite://", performance_threshold=3, slow_query_ms=1.5, max_queries=10, max_rows=1000)
    AsyncSession("sqlite://", max_queries="10")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Database("sqlite://", n_plus_one="raise", echo=True, query_comments=True, sample_parameters=True)
    Database("sqlite://", n_plus_one="shout")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.database.observe(s)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(s.database.export_query_stats(), list[ExportedStats])
    assert_type(correlation_id(), str | None)
    set_correlation_id(None)
    with query_tags(route="/", task="x"):
        pass
    assert_type(s.database, Database)
    assert_type(AsyncSession.current(), AsyncSession)


async def sessions_refuse(s: AsyncSession, customer: Customer) -> None:
    s.add(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await s.merge("x")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    s.add([customer])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.add(Customer)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await s.get("Customer", 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await s.create(Customer)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await s.create(Customer, name=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await s.create(Customer, nmae="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with s:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass


async def transactions(s: AsyncSession) -> None:
    async with s.transaction() as tx:
        assert_type(tx, Transaction)
    async with s.transaction(isolation="serializable", read_only=True, deferrable=True):
        pass
    assert_type(await s.begin(isolation="read committed"), Transaction)
    s.transaction(isolation="chaos")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def raw(s: AsyncSession, name: str) -> None:
    result = await s.execute("select id, name from customer where name = :name", {"name": name})
    assert_type(result, Result)
    assert_type(result[0], tuple[Any, ...])
    assert_type(result.rowcount, int)
    assert_type(result.dicts(), list[dict[str, Any]])
    assert_type(list(result), list[tuple[Any, ...]])
    await s.execute(text("vacuum"), write=True)
    await s.execute(f"select '{name}'")  # pyright: ignore[reportArgumentType]
    await s.execute("select :n", [1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def databases(adapter: Adapter) -> None:
    async with AsyncSession() as s, AsyncSession("sqlite://"), AsyncSession(adapter, autocommit=True):
        assert_type(s, AsyncSession)
    config = ConnectionConfig.from_dsn("postgresql://app@localhost/app", pool_size=3)
    assert_type(config, ConnectionConfig)
    assert_type(ConnectionConfig.from_env(), ConnectionConfig)
    db = Database(config, isolation="repeatable read")
    assert_type(configure(db), Database | None)
    configure(None)
    await db.create_all()
    await db.create_all(Customer, Order)
    await db.drop_all(Customer)
    await db.ping()
    assert_type(await db.ping(timeout=1), float)
    await db.ping("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    stats = db.stats()
    assert_type(stats, DatabaseStats)
    assert_type((stats.pool.in_use, stats.statements.total_ms, stats.plans.hits), tuple[int, float, int])
    assert_type(stats.as_dict(), dict[str, float])
    await db.close(timeout=None)
    assert_type(db.create_sql(Customer), list[str])
    assert_type(db.listen("orders"), Listener)
    async with db.listen("orders", "returns", buffer=10, resume=True) as notes:
        assert_type(notes, Listener)
        async for note in notes:
            assert_type(note, Notification)
            assert_type((note.channel, note.payload, note.gap), tuple[str, str, bool])
            assert_type(note.pid, int | None)
    db.listen()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    db.listen(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with Database("sqlite://") as other:
        assert_type(other, Database)
    adapters: list[Adapter] = [PostgresAdapter(config), SQLiteAdapter("sqlite://")]
    Database(adapters[0])
    Database(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Database("sqlite://", isolation="chaos")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await db.create_all("Customer")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def errors(error: UniqueViolation) -> None:
    assert_type(error.hint, str | None)
    caught: IntegrityError = error
    root: CormorantError = caught
    assert_type(root.message, str)
