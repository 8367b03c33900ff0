"""Checked, never run: what comes along with objects, parts of collections, links. Rules as in contract/."""

from __future__ import annotations

from typing import assert_type

from cormorant import AsyncSession, Expr, ManyExpr, QuerySet, Session, SyncQuerySet, alias
from tests.typing.shop import Customer, Order, Product


async def queries(session: AsyncSession, sync: Session) -> None:
    orders = session.query(Order)
    assert_type(orders.select_related(Order.customer), QuerySet[Order])
    assert_type(orders.prefetch_related(Order.products, Order.customer.friends.each.friends), QuerySet[Order])
    assert_type(orders.only(Order.id, Order.customer.name).defer(Order.id), QuerySet[Order])
    assert_type(sync.query(Order).select_related(Order.customer).only(Order.id), SyncQuerySet[Order])
    orders.select_related(Customer.name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    orders.prefetch_related("products")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    orders.only("id")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    orders.defer(Order.customer)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    orders.select_related(alias(Order).customer)


async def parts(session: AsyncSession) -> None:
    part = Customer.friends.filter(Customer.name == "x", name="x").order_by(Customer.name.desc()).limit(3)
    assert_type(part, ManyExpr[Customer])
    rows = await session.query(Customer).annotate(part, Customer.friends.count())
    assert_type(rows, list[tuple[Customer, list[Customer], int]])
    lists: Expr[list[Customer]] = part
    assert_type(await session.query(Customer).scalars(lists), list[list[Customer]])
    Customer.friends.filter(Customer.name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.friends.limit("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def objects(session: AsyncSession, customer: Customer, order: Order, product: Product) -> None:
    await session.load(customer, Customer.friends, Customer.name)
    await session.load([customer], Customer.friends.limit(3))
    await session.load(3, Customer.friends)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(await customer.friends.count(), int)
    assert_type(await customer.friends.exists(), bool)
    await session.add_m2m(customer, Customer.friends, customer, customer)
    await session.remove_m2m(order, Order.products, product)
    await session.clear_m2m(order, Order.products)
    await session.add_m2m(customer, Customer.friends, order)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    await session.add_m2m(customer, Customer.name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await customer.m2m_add("friends", customer)
    await customer.m2m_clear("friends")
    await customer.m2m_add("friends", 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
