"""Columns and what is made of them. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, assert_type
from uuid import UUID

from cormorant import Column, Expr, ManyExpr, Q, func, types
from cormorant.sql.columns import Assignment
from cormorant.sql.expr import Order as Sorted
from tests.typing.shop import Address, Card, Customer, Line, Order, Product, Size, Stamped


def columns() -> None:
    assert_type(Customer.id, Column[int])
    assert_type(Customer.made, Column[datetime])
    assert_type(Customer.mail, Column[str | None])
    assert_type(Customer.home, Column[Address | None])
    assert_type(Customer.shout, Expr[str])
    assert_type(Order.label, Expr[str])
    assert_type(Product.sku, Column[UUID])
    assert_type(Product.size, Column[Size])
    assert_type(Product.kind, Column[Literal["thing", "service"]])
    assert_type(Product.words, Column[list[str]])
    assert_type(Product.double, Column[Decimal])
    assert_type(Stamped.changed, Column[datetime | None])


def relations(customer: Customer) -> None:
    assert_type(Order.customer, type[Customer])
    assert_type(Order.paid_with, type[Card])
    assert_type(Customer.card, type[Card])
    assert_type(Order.customer.name, Column[str])
    assert_type(Order.paid_with.holder.mail, Column[str | None])
    assert_type(Order.paid_with.points.optional(), Expr[int | None])
    assert_type(Customer.card.number, Column[str])
    assert_type(Order.customer.shout, Expr[str])
    assert_type(Order.customer.fresh(), Expr[bool])
    assert_type(Order.customer.orders, ManyExpr[Order])
    assert_type(Customer.friends, ManyExpr[Customer])
    assert_type(Customer.orders.each, type[Order])
    assert_type(Customer.orders.each.lines.each.product.price, Column[Decimal])
    assert_type(Order.products.each.title, Column[str])
    assert_type(Order.customer == customer, Expr[bool])
    assert_type(Order.customer != customer, Expr[bool])
    assert_type(Order.paid_with == None, Expr[bool])  # noqa: E711
    assert_type(Order.paid_with.is_not_null(), Expr[bool])
    assert_type(Order.customer.in_([customer]), Expr[bool])
    assert_type(Order.customer.not_in([customer]), Expr[bool])
    assert_type(Order.customer.optional(), Expr[Customer | None])
    assert_type(Customer.orders.any(), Expr[bool])
    assert_type(Customer.orders.any(Order.note == "x", Order.version > 1), Expr[bool])
    assert_type(Customer.orders.every(Order.fresh()), Expr[bool])
    assert_type(Customer.orders.none(), Expr[bool])
    assert_type(Customer.orders.count(Order.note.is_null()), Expr[int])


def comparisons() -> None:
    assert_type(Customer.name == "x", Expr[bool])
    assert_type(Customer.mail == None, Expr[bool])  # noqa: E711
    assert_type(Customer.name == Customer.mail, Expr[bool])
    assert_type(Customer.made >= datetime.now(), Expr[bool])
    assert_type(Customer.id.in_({1, 2}), Expr[bool])
    assert_type(Customer.id.in_(range(3)), Expr[bool])
    assert_type(Customer.id.between(1, Customer.id + 3), Expr[bool])
    assert_type(Product.price > 3, Expr[bool])
    assert_type(Product.price == 3, Expr[bool])
    assert_type(Product.discount <= 3, Expr[bool])
    assert_type(Product.weight < 3, Expr[bool])
    assert_type(Product.size == Size.LARGE, Expr[bool])
    assert_type(Product.kind == "service", Expr[bool])
    assert_type(3 < Customer.id, Expr[bool])
    assert_type(Customer.name.contains("a"), Expr[bool])
    assert_type(Customer.mail.iendswith(Customer.name), Expr[bool])
    assert_type(~(Customer.id > 3) & Customer.mail.is_null() | Product.on_sale, Expr[bool])


def comparisons_refused() -> None:
    Customer.id > "x"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.made > 3  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.price > "x"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.id > Customer.name  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.id.in_(["x"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    Customer.id.in_(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.id.between("a", "b")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.id.contains("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.name.contains(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    Customer.id & Customer.mail.is_null()  # type: ignore[misc]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    ~Customer.name  # type: ignore[misc]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.nmae  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    Order.customer.nmae  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    Customer.orders.name  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    Customer.orders.any(Order.note)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.orders.any(True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Order.customer.in_([3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    Order.customer.not_in([3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def arithmetic() -> None:
    assert_type(Customer.id + 1, Expr[int])
    assert_type(Customer.id + Product.weight, Expr[float])
    assert_type(Product.weight * 2, Expr[float])
    assert_type(Product.volume - 1.5, Expr[float | None])
    assert_type(Product.price + Product.price, Expr[Decimal])
    assert_type(Product.price * 2, Expr[Decimal])
    assert_type(Product.discount * 2, Expr[Decimal | None])
    assert_type(Product.price - Product.discount, Expr[Decimal | None])
    assert_type(Customer.name + "!", Expr[str])
    assert_type(Customer.mail + "!", Expr[str | None])
    assert_type(Customer.name + Customer.mail, Expr[str | None])
    assert_type(Customer.made - Order.made, Expr[timedelta])
    assert_type(Customer.made + timedelta(1), Expr[datetime])
    assert_type(Customer.made + Product.delivery, Expr[datetime])
    assert_type(Product.delivery + Product.delivery, Expr[timedelta])


def arithmetic_refused() -> None:
    Customer.name + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.mail + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.id + "x"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.name * 2  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.made + Customer.made  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.size + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]


def functions() -> None:
    assert_type(func.count(), Expr[int])
    assert_type(func.count(Order.customer, distinct=True), Expr[int])
    assert_type(func.sum(Line.amount), Expr[int | None])
    assert_type(func.sum(Product.discount), Expr[Decimal | None])
    assert_type(func.sum(Product.volume), Expr[float | None])
    assert_type(func.avg(Line.amount), Expr[float | None])
    assert_type(func.max(Customer.made), Expr[datetime | None])
    assert_type(func.min(Customer.mail), Expr[str | None])
    assert_type(func.lower(Customer.name), Expr[str])
    assert_type(func.upper(Customer.mail), Expr[str | None])
    assert_type(func.length(Customer.mail), Expr[int | None])
    assert_type(func.coalesce(Customer.mail, Customer.name), Expr[str])
    assert_type(func.coalesce(func.sum(Line.amount), 0), Expr[int])
    assert_type(func.abs(Product.price), Expr[Decimal])
    assert_type(func.now(), Expr[datetime])
    assert_type(func.call("similarity", Customer.name, "x", returns=float), Expr[float])


def functions_refused() -> None:
    func.sum(Customer.name)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    func.length(Customer.id)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    func.call("f", Customer.name)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def values() -> None:
    assert_type(Customer.name.set("x"), Assignment)
    assert_type(Customer.mail.set(None), Assignment)
    assert_type(Customer.id.set(Customer.id + 1), Assignment)
    assert_type(Customer.name.desc(), Sorted)
    assert_type(Customer.name.label("who"), Expr[str])
    Customer.id.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.name.set(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.id.set(Customer.name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def keywords() -> None:
    assert_type(Q(name="x") | ~Q(Customer.id > 3), Q)
    assert_type(Q() & (Customer.id > 3), Q)
    Q(True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def truth() -> None:
    if Customer.id > 3:  # pyright: ignore[reportGeneralTypeIssues]
        pass


def own_types() -> None:
    assert_type(types.TEXT, types.Text)
    types.Custom(Address, base=types.TEXT, encode=str, decode=Address)
    types.Integer("huge")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
