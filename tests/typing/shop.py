"""The models of the checks beside this file: one of each kind of declaration."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from cormorant import (
    Expr,
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    check,
    field,
    foreign_key,
    func,
    generated,
    hybrid,
    index,
    many_to_many,
    reverse,
    text,
    unique,
    utcnow,
)


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Address:
    street: str
    city: str = ""


class Stamped(Model, abstract=True):
    made: Mapped[datetime] = field(default_factory=utcnow)
    changed: Mapped[datetime | None] = field(default=None)

    @classmethod
    def fresh(cls) -> Expr[bool]:
        return cls.changed.is_null()


class Customer(Stamped):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(max_length=100)
    mail: Mapped[str | None] = field(default=None, unique=True, pattern=".+@.+")
    home: Mapped[Address | None] = field(default=None)
    card: One[Card | None] = reverse("holder")
    orders: Many[Order] = reverse("customer")
    friends: Many[Customer] = many_to_many()

    @hybrid
    def shout(self) -> str:
        return self.name + "!"


class Card(Model):
    number: Mapped[str] = field(primary_key=True, sensitive=True)
    holder: One[Customer] = foreign_key(unique=True, on_delete="cascade")
    points: Mapped[int] = field(default=0, ge=0, size="small")


class Product(Model, table="products", app="shop"):
    sku: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    title: Mapped[str]
    price: Mapped[Decimal] = field(precision=10, decimal_places=2)
    discount: Mapped[Decimal | None] = field(default=None)
    weight: Mapped[float] = field(default=0.0)
    volume: Mapped[float | None] = field(default=None)
    size: Mapped[Size] = field(default=Size.SMALL, native=True)
    kind: Mapped[Literal["thing", "service"]] = field(default="thing")
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    words: Mapped[list[str]] = field(default_factory=list)
    photo: Mapped[bytes | None] = field(default=None)
    on_sale: Mapped[bool] = field(default=True)
    since: Mapped[date | None] = field(default=None)
    opens: Mapped[time | None] = field(default=None)
    delivery: Mapped[timedelta] = field(default=timedelta(days=1))
    rank: Mapped[int] = generated(server_default=text("1"))
    double: Mapped[Decimal] = generated(computed=lambda m: m.price + m.price)
    lines: Many[Line] = reverse("product")


class Order(Stamped):
    id: Mapped[int] = generated(primary_key=True)
    version: Mapped[int] = generated(version=True)
    customer_id: Mapped[int]
    customer: One[Customer] = foreign_key(init=False)
    paid_with: One[Card | None] = foreign_key(default=None, on_delete="set_null")
    note: Mapped[str | None] = field(default=None)
    lines: Many[Line] = reverse("order")
    products: Many[Product] = many_to_many(through="Line")

    @hybrid
    def label(self) -> str:
        return self.note or "order"

    @label.expression
    @classmethod
    def _label(cls) -> Expr[str]:
        return func.coalesce(cls.note, "order")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.customer, cls.made.desc(), where=cls.changed.is_null())
        yield unique(cls.customer, cls.note)
        yield check(cls.version > 0, name="version_counts_up")


class Line(Model):
    order: One[Order] = foreign_key(primary_key=True)
    product: One[Product] = foreign_key(primary_key=True)
    amount: Mapped[int] = field(default=1)
