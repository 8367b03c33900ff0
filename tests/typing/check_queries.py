"""Queries and what they give. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Self, TypedDict, TypeVar, assert_type

from pydantic import BaseModel

from cormorant import AsyncSession, Manager, Model, Q, QuerySet, Rows, func
from tests.typing.shop import Card, Customer, Line, Order, Product, Stamped

M = TypeVar("M", bound=Model)
S = TypeVar("S", bound=Stamped)


class OrderQuery(QuerySet[Order]):
    """A query set with a method of its own."""

    def of(self, customer: Customer) -> Self:
        return self.filter(Order.customer == customer)

    async def total(self) -> int:
        return await self.count()


@dataclass
class Summary:
    name: str
    orders: int


class AsTuple(NamedTuple):
    name: str
    orders: int


class AsDict(TypedDict):
    name: str
    orders: int


class AsModel(BaseModel):
    name: str
    orders: int


def builders(s: AsyncSession, customer: Customer) -> None:
    q = s.query(Customer)
    assert_type(q, QuerySet[Customer])
    assert_type(q.filter(), QuerySet[Customer])
    assert_type(q.filter(Customer.name == "x", Q(mail__isnull=True), Order.note.is_null()), QuerySet[Customer])
    assert_type(q.filter(orders__note="x", name__in=["a"]), QuerySet[Customer])
    assert_type(q.exclude(Customer.fresh()), QuerySet[Customer])
    assert_type(q.order_by(Customer.name, Customer.made.desc(), Customer.card), QuerySet[Customer])
    assert_type(q.group_by(Customer.name).having(func.count() > 1), QuerySet[Customer])
    assert_type(q.distinct().limit(3).offset(1), QuerySet[Customer])
    assert_type(s.query(OrderQuery), OrderQuery)
    assert_type(s.query(OrderQuery).limit(1).of(customer).order_by(Order.id), OrderQuery)
    assert_type(Customer.objects, Manager[Customer])
    assert_type(Order.objects.filter(Order.id > 3).limit(1), Manager[Order])
    assert_type(s.query(Order).pipe(newest, 3), QuerySet[Order])
    assert_type(s.query(OrderQuery).pipe(OrderQuery.of, customer), OrderQuery)


def builders_refuse(s: AsyncSession, customer: Customer, order: Order) -> None:
    q = s.query(Order)
    q.filter(True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.filter(Order.id)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.filter(Order.id == "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.filter(Order.version == None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # noqa: E711
    q.filter(Order.customer == order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.filter("note is null")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.exclude(Order.note)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.having(False)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.order_by("id")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.group_by(Order.id.desc())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.limit("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.of(customer)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    q.pipe(newest, "3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    s.query(customer)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    s.query("Order")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    s.query(OrderQuery).of(order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def newest(query: QuerySet[Order], count: int) -> QuerySet[Order]:
    return query.order_by(Order.id.desc()).limit(count)


async def verbs(s: AsyncSession) -> None:
    q = s.query(Customer)
    assert_type(await q, list[Customer])
    assert_type(await q.all(), list[Customer])
    assert_type(await q.first(), Customer | None)
    assert_type(await q.last(), Customer | None)
    assert_type(await q.one(), Customer)
    assert_type(await q.one_or_none(), Customer | None)
    assert_type(await q.get(Customer.id == 3), Customer)
    assert_type(await q.get(name="x"), Customer)
    assert_type(await q.count(), int)
    assert_type(await q.exists(), bool)
    assert_type(await q.update(Customer.name.set("x"), Customer.mail.set(None)), int)
    assert_type(await q.delete(), int)
    assert_type([each async for each in q], list[Customer])
    assert_type(await s.query(OrderQuery), list[Order])
    assert_type(await s.query(OrderQuery).total(), int)


async def verbs_refuse(s: AsyncSession) -> None:
    q = s.query(Customer)
    for _ in q:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass
    len(q)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await q.update(Customer.name == "x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await q.update(name="x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    (await q.first()).name  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


async def rows(s: AsyncSession) -> None:
    q = s.query(Order)
    assert_type(q.values(Order.id), Rows[tuple[int]])
    assert_type(await q.values(Order.id, Order.customer.name, Order.note), list[tuple[int, str, str | None]])
    assert_type(await q.values(Order.customer, Order.paid_with.optional()), list[tuple[Customer, Card | None]])
    assert_type(await q.values(Order, func.count()).first(), tuple[Order, int] | None)
    assert_type(await q.values(Order.label, Order.id + 1).one(), tuple[str, int])
    assert_type(
        await q.values(Order.id, Order.id, Order.id, Order.id, Order.id, Order.id, Order.id, Order.note),
        list[tuple[int, int, int, int, int, int, int, str | None]],
    )
    assert_type(await q.scalars(Order.made), list[datetime])
    assert_type(await q.scalars(Order.customer), list[Customer])
    assert_type(await q.as_dicts(), list[dict[str, Any]])
    assert_type(await q.as_dicts(Order.id, Order.note).first(), dict[str, Any] | None)
    assert_type([each async for each in q.scalars(Order.id)], list[int])
    assert_type(await q.values(Order.id).filter(Order.id > 3).distinct().count(), int)
    assert_type(s.query(Order).filter(Order.id.in_(q.scalars(Order.id))), QuerySet[Order])


async def rows_refuse(s: AsyncSession) -> None:
    q = s.query(Order)
    q.values()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    q.values("id")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    q.scalars()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    q.filter(Order.id.in_(q.scalars(Order.note)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.filter(Order.id.in_(q.values(Order.id)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.values(Order.id).update(Order.note.set("x"))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


async def more_columns(s: AsyncSession) -> None:
    q = s.query(Customer)
    count = Customer.orders.count()
    assert_type(await q.annotate(count), list[tuple[Customer, int]])
    assert_type(await q.annotate(count, Customer.shout), list[tuple[Customer, int, str]])
    assert_type(
        await q.annotate(count, count, count, count, count, Customer.name),
        list[tuple[Customer, int, int, int, int, int, str]],
    )
    async for customer, number in q.annotate(count):
        assert_type(customer, Customer)
        assert_type(number, int)


async def aggregates(s: AsyncSession) -> None:
    q = s.query(Line)
    assert_type(await q.aggregate(func.sum(Line.amount)), int | None)
    assert_type(await q.aggregate(func.count(), func.max(Line.product.price)), tuple[int, Decimal | None])
    assert_type(
        await q.aggregate(func.count(), func.count(), func.count(), func.count(), func.avg(Line.amount)),
        tuple[int, int, int, int, float | None],
    )
    await q.aggregate()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await q.aggregate(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


def joined(name: str, orders: int) -> str:
    return f"{name} {orders}"


async def shapes(s: AsyncSession) -> None:
    pairs = s.query(Order).values(Order.customer.name.label("name"), func.count().label("orders"))
    assert_type(await pairs.into(Summary), list[Summary])
    assert_type(await pairs.into(AsTuple), list[AsTuple])
    assert_type(await pairs.into(AsDict), list[AsDict])
    assert_type(await pairs.into(AsModel).first(), AsModel | None)
    assert_type(await pairs.into(joined), list[str])
    pairs.into("Summary")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# ---- code over any model


async def page(query: QuerySet[M], number: int) -> list[M]:
    return await query.offset(number * 20).limit(20)


async def latest(s: AsyncSession, model: type[S]) -> S | None:
    return await s.query(model).filter(model.changed.is_null()).order_by(model.made.desc()).first()


async def each(s: AsyncSession, model: type[M]) -> AsyncIterator[M]:
    async for item in s.query(model):
        yield item


async def generic(s: AsyncSession) -> None:
    assert_type(await page(s.query(Product), 2), list[Product])
    assert_type(await page(s.query(OrderQuery), 2), list[Order])
    assert_type(await latest(s, Customer), Customer | None)
    assert_type([card.number async for card in each(s, Card)], list[str])
    await latest(s, Card)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
