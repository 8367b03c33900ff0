"""What checkers know of pages, streams, locks and explanations."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple, assert_type

from cormorant import (
    AsyncSession,
    CompiledQuery,
    Database,
    Explanation,
    Page,
    QuerySet,
    Rows,
    Session,
    SyncQuerySet,
    func,
    text,
)
from tests.typing.shop import Customer, Order


class OrderQuery(QuerySet[Order]):
    pass


class Short(NamedTuple):
    name: str
    n: int


async def pages(s: AsyncSession, after: str | None) -> None:
    q = s.query(Order).order_by(Order.made.desc())
    page = await q.page(20, after=after)
    assert_type(page, Page[Order])
    assert_type(page.items, list[Order])
    assert_type(list(page), list[Order])
    assert_type(page[0], Order)
    assert_type(page[1:], list[Order])
    assert_type(page.previous, str | None)
    assert_type(page.has_next, bool)
    assert_type(await s.query(OrderQuery).page(5, before=page.previous), Page[Order])
    assert_type(await q.values(Order.id, Order.note).page(5), Page[tuple[int, str | None]])
    assert_type(await q.scalars(Order.id).page(5), Page[int])
    wide: Page[Order | None] = page
    assert wide
    await q.page()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await q.page(20, "cursor")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await q.page(20, after=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def streams(s: AsyncSession) -> None:
    q = s.query(Order)
    assert_type(q.stream(), AsyncGenerator[Order, None])
    async for order in q.stream(500):
        assert_type(order, Order)
    assert_type([row async for row in q.values(Order.id, Order.note).stream()], list[tuple[int, str | None]])
    rows = s.query(Customer).values(Customer.name, func.count().label("n")).group_by(Customer.name)
    assert_type([row async for row in rows.into(Short).stream()], list[Short])
    assert_type([row async for row in s.stream("select id from orders")], list[tuple[Any, ...]])
    q.stream("many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def locks(s: AsyncSession) -> None:
    q = s.query(OrderQuery)
    assert_type(q.for_update(skip_locked=True), OrderQuery)
    assert_type(q.for_share(nowait=True, of=Order), OrderQuery)
    assert_type(q.for_update(of=[Order, Order.customer]), OrderQuery)
    assert_type(await q.for_update().first(), Order | None)
    assert_type(await s.get(Order, 1, for_update=True), Order | None)
    assert_type(await s.get_one(Order, 1, for_update=True), Order)
    q.for_update(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    q.for_update(of="orders")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def explanations(s: AsyncSession) -> None:
    q = s.query(Order)
    compiled = q.compile()
    assert_type(compiled, CompiledQuery)
    assert_type(compiled.sql, str)
    assert_type(compiled.params, tuple[Any, ...])
    plan = await q.explain(analyze=True)
    assert_type(plan, Explanation)
    assert_type(plan.text, str)


async def raw(s: AsyncSession, table: str) -> None:
    q = s.query(OrderQuery).from_sql("select * from orders where id > :n", {"n": 3})
    assert_type(q, OrderQuery)
    assert_type(await q.limit(1), list[Order])
    s.query(Order).from_sql(f"select * from {table}")  # pyright: ignore[reportArgumentType]
    s.query(Order).from_sql(text("select * from orders"))


async def ends(s: AsyncSession) -> None:
    q: QuerySet[Order] = s.query(Order)
    rows: Rows[tuple[int]] = q.values(Order.id)
    assert_type(await q.first(), Order | None)
    assert_type(await q.last(), Order | None)
    assert_type(await rows.last(), tuple[int] | None)


def waiting(s: Session, db: Database) -> None:
    q: SyncQuerySet[Order] = s.query(Order)
    assert_type(q.page(5), Page[Order])
    assert_type(list(q.stream()), list[Order])
    assert_type(q.explain(), Explanation)
    assert_type(q.last(), Order | None)
    assert_type(s.get(Order, 1, for_update=True), Order | None)
    assert_type(db.number, int)
    Database("sqlite://", cursor_key="secret")
    Database("sqlite://", cursor_key=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
