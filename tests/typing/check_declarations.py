"""Declarations, constructors and instances. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, assert_type
from uuid import UUID

from cormorant import (
    Collection,
    Many,
    Mapped,
    Model,
    One,
    field,
    foreign_key,
    generated,
    index,
    many_to_many,
    ref,
    reverse,
    unique,
)
from tests.typing.shop import Address, Card, Customer, Line, Order, Product, Size


def constructors(customer: Customer, card: Card, product: Product, order: Order) -> None:
    Customer(name="Ada")
    Customer(name="Ada", id=3, mail=None, home=Address("Strand"), made=datetime.now(), changed=None)
    Card(number="1", holder=customer)
    Card(number="1", holder=ref(Customer, 1), points=2)
    Product(title="Tea", price=Decimal(1))
    Product(title="Tea", price=Decimal(1), size=Size.LARGE, kind="service", words=["a"], delivery=timedelta(1))
    Order(customer_id=1)
    Order(customer_id=1, paid_with=card, note="soon")
    Line(order=order, product=product)
    Line(order=ref(Order, 1), product=ref(Product, UUID(int=1)), amount=3)


def constructors_refuse(customer: Customer, order: Order) -> None:
    Customer()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Customer("Ada")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    Customer(name=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer(name=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer(nmae="Ada")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Customer(name="Ada", orders=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Customer(name="Ada", card=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Customer(name="Ada", home={"street": "Strand"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Card(number="1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Card(number="1", holder=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Card(number="1", holder=order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Product(title="Tea", price=1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Product(title="Tea", price=Decimal(1), size="small")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Product(title="Tea", price=Decimal(1), kind="idea")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Order(customer_id=1, customer=customer)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Line(order=order)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def instances(customer: Customer, card: Card, product: Product, order: Order, line: Line) -> None:
    assert_type(customer.id, int)
    assert_type(customer.made, datetime)
    assert_type(customer.changed, datetime | None)
    assert_type(customer.home, Address | None)
    assert_type(customer.card, Card | None)
    assert_type(customer.orders, Collection[Order])
    assert_type(customer.friends, Collection[Customer])
    assert_type(customer.shout, str)
    assert_type(card.holder, Customer)
    assert_type(card.holder.name, str)
    assert_type(product.sku, UUID)
    assert_type(product.price, Decimal)
    assert_type(product.discount, Decimal | None)
    assert_type(product.size, Size)
    assert_type(product.kind, Literal["thing", "service"])
    assert_type(product.extra, dict[str, Any])
    assert_type(product.words, list[str])
    assert_type(product.since, date | None)
    assert_type(product.delivery, timedelta)
    assert_type(product.rank, int)
    assert_type(product.double, Decimal)
    assert_type(order.version, int)
    assert_type(order.customer_id, int)
    assert_type(order.customer, Customer)
    assert_type(order.paid_with, Card | None)
    assert_type(order.label, str)
    assert_type(line.product.lines, Collection[Line])
    assert_type(customer.to_dict(), dict[str, Any])
    assert_type(ref(Line, 1, UUID(int=1)), Line)


async def references(customer: Customer, order: Order) -> None:
    assert_type(await order.customer, Customer)
    assert_type((await order.customer).name, str)
    if order.paid_with is not None:
        assert_type(await order.paid_with, Card)
    assert_type(await customer.orders, list[Order])
    assert_type([each async for each in customer.friends], list[Customer])
    assert_type(len(customer.orders), int)
    assert_type(list(customer.orders), list[Order])
    assert_type(await customer.orders.filter(Order.note == "x", version=1), list[Order])
    assert_type(await customer.orders.filter().first(), Order | None)
    await order.paid_with  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]


def changes(customer: Customer, card: Card, product: Product, order: Order) -> None:
    customer.name = "Bob"
    customer.mail = None
    order.paid_with = card
    order.paid_with = None
    card.holder = ref(Customer, 3)
    customer.orders.add(order)
    customer.orders.remove(order)
    customer.friends.set([customer])
    customer.friends.clear()


def changes_refused(customer: Customer, card: Card, product: Product, order: Order) -> None:
    customer.name = 3  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    customer.name = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    customer.nmae = "Bob"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    card.holder = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    card.holder = order  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    product.kind = "idea"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    customer.orders.add(customer)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    customer.friends.set([order])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    print(customer.objects)  # type: ignore[arg-type]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    customer.orders = []  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


class Mistaken(Model):
    id: Mapped[int] = generated(primary_key=True)
    bare: Mapped[int] = 0  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    wrong_default: Mapped[int] = field(default="x")  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    no_none: Mapped[int] = field(default=None)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    unknown_option: Mapped[int] = field(lenght=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportUnknownVariableType]
    wrong_size: Mapped[int] = field(size="huge")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    a_column: Mapped[int] = reverse("x")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    one: One[Customer] = many_to_many()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    many: Many[Customer] = foreign_key()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    on_delete: One[Customer] = foreign_key(on_delete="vanish")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    default: One[Customer] = foreign_key(default=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportAssignmentType]
    none: One[Customer] = foreign_key(default=None)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


index("name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
unique(Customer.name.desc())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
