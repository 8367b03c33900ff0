"""Sync sessions and units of work. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any, Self, assert_type

from cormorant import (
    AsyncSession,
    CallSite,
    Database,
    DatabaseStats,
    ExportedStats,
    FlushPreview,
    Model,
    QuerySet,
    Report,
    Result,
    Session,
    StatementStats,
    SyncDatabase,
    SyncQuerySet,
    SyncRows,
    SyncTransaction,
    func,
    report,
)
from tests.typing.shop import Card, Customer, Order


class CustomerQuery(SyncQuerySet[Customer]):
    def named(self, name: str) -> Self:
        return self.filter(Customer.name == name)


class AwaitedQuery(QuerySet[Customer]):
    pass


def sessions(s: Session, customer: Customer, order: Order) -> None:
    with Session("sqlite:///app.db", autocommit=True) as session:
        assert_type(session, Session)
    assert_type(s.get(Customer, 1), Customer | None)
    assert_type(s.get_one(Customer, 1), Customer)
    assert_type(s.get_many(Customer, (key for key in (1, 2))), list[Customer])
    assert_type(s.create(Customer, name="x"), Customer)
    assert_type(s.preview(), FlushPreview)
    assert_type(s.create(Card, number="1", holder=customer), Card)
    s.add(customer, order)
    s.delete(customer)
    s.refresh(customer, order)
    s.flush()
    s.commit()
    assert_type(s.new, Collection[Model])
    assert_type(s.in_transaction, bool)
    assert_type(s.query_stats(), list[StatementStats])
    assert_type(s.query_stats()[0].call_sites, list[CallSite])
    assert_type(s.export_query_stats(reset=True), list[ExportedStats])
    assert_type(s.report(), Report)
    assert_type(report(s), Report)
    assert_type(s.database, Database)
    assert_type(s.execute("select 1"), Result)


def sessions_refuse(s: Session, customer: Customer, name: str) -> None:
    s.add(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.add(Customer)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.get("Customer", 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.create(Customer, name=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.query(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    s.query(AwaitedQuery)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
    s.query(customer)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    s.execute(f"select '{name}'")  # pyright: ignore[reportArgumentType]
    Session(isolation="chaos")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def sync_is_not_awaited(s: Session) -> None:
    await s.query(Customer)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await s.flush()  # type: ignore[func-returns-value, misc]  # pyright: ignore[reportGeneralTypeIssues]
    async with s:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass


def transactions(s: Session) -> None:
    with s.transaction(isolation="serializable") as tx:
        assert_type(tx, SyncTransaction)
    assert_type(s.begin(read_only=True), SyncTransaction)
    s.transaction(isolation="chaos")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def queries(s: Session, customer: Customer) -> None:
    q = s.query(Customer)
    assert_type(q, SyncQuerySet[Customer])
    assert_type(q.filter(Customer.name == "x").order_by(Customer.id).limit(3), SyncQuerySet[Customer])
    assert_type(q.all(), list[Customer])
    assert_type(iter(q), Iterator[Customer])
    assert_type(q.first(), Customer | None)
    assert_type(q.last(), Customer | None)
    assert_type(q.one(), Customer)
    assert_type(q.get(name="x"), Customer)
    assert_type(q.one_or_none(), Customer | None)
    assert_type(q.exists(), bool)
    assert_type(q.delete(), int)
    assert_type(q.update(Customer.name.set("x")), int)
    assert_type(q.scalars(Customer.name), SyncRows[str])
    assert_type(q.values(Customer.id, Customer.name, func.count()).all(), list[tuple[int, str, int]])
    assert_type(q.annotate(func.count()).first(), tuple[Customer, int] | None)
    assert_type(q.as_dicts(Customer.id), SyncRows[dict[str, Any]])
    assert_type(q.aggregate(func.count(), func.max(Customer.name)), tuple[int, str | None])
    assert_type(s.query(CustomerQuery).named("x").limit(1), CustomerQuery)
    assert_type(s.query(customer.orders), SyncQuerySet[Order])
    assert_type(s.query(customer.orders).one(), Order)
    q.filter(Customer.name == 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.update(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    len(q)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def rename(session: Session, key: int, *, name: str) -> Customer:
    return session.get_one(Customer, key)


def databases(db: SyncDatabase, awaited: Database) -> None:
    with SyncDatabase("sqlite:///app.db") as own:
        assert_type(own, SyncDatabase)
    assert_type(SyncDatabase(awaited).database, Database)
    assert_type(db.session(read_only=True), Session)
    assert_type(Session(db), Session)
    db.create_all(Customer, Order)
    assert_type(db.create_sql(), list[str])
    assert_type(db.ping(timeout=1), float)
    assert_type(db.stats(), DatabaseStats)
    assert_type([note.payload for note in db.listen("orders")], list[str])
    assert_type(db.query_stats(), list[StatementStats])
    assert_type(report(db), Report)
    assert_type(db.report(), Report)
    assert_type(db.run(rename, 1, name="x"), Customer)
    assert_type(db.retrying(retries=5, isolation="serializable").run(rename, 1, name="x"), Customer)
    db.create_all(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    db.run(rename, 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    db.run(rename, "1", name="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _ = db.run(move, 1, 2, amount=Decimal(3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    db.session(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    db.retrying(isolation="chaos")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def move(session: AsyncSession, source: int, target: int, *, amount: Decimal) -> int:
    return 1


async def units(db: Database) -> None:
    assert_type(await db.run(move, 1, 2, amount=Decimal(3)), int)
    assert_type(await db.retrying(retries=5, isolation="serializable").run(move, 1, 2, amount=Decimal(3)), int)
    async with db.session(isolation="serializable", read_only=True) as session:
        assert_type(session, AsyncSession)
    await db.run(move, 1, amount=Decimal(3))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await db.run(move, 1, "2", amount=Decimal(3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await db.run(move, 1, 2, amount=Decimal(3), retries=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    db.retrying(retries="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    db.session(isolation="chaos")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    db.session(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
