from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from cormorant import (
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    check,
    field,
    foreign_key,
    generated,
    index,
    many_to_many,
    reverse,
    text,
    types,
    unique,
)


class Variety(Model, table="varieties"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True, max_length=60, collation="NOCASE")
    kind: Mapped[str] = field(default="apple", server_default=text("'apple'"))
    parent: One[Variety | None] = foreign_key(default=None, on_delete="set_null", index=False)
    parent_of: Many[Variety] = reverse("parent")
    trees: Many[Tree] = reverse("variety")
    orders: Many[Order] = reverse("varieties")
    order_varieties: Many[OrderVariety] = reverse("variety")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("kind IN ('apple', 'pear', 'plum')"), name="ck_varieties_1")


class Field(Model, table="fields"):
    code: Mapped[str] = field(primary_key=True)
    area_ha: Mapped[float] = field(column="area ha")
    planted: Mapped[date | None] = field(default=None)
    notes: Mapped[bytes | None] = field(default=None)
    trees: Many[Tree] = reverse("field_")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text('"area ha" > 0'), name="ck_fields_1")


class Tree(Model, table="trees"):
    field_code: Mapped[str] = field(primary_key=True)
    number: Mapped[int] = field(primary_key=True)
    variety: One[Variety] = foreign_key(index=False)
    alive: Mapped[bool] = field(default=True, server_default=text("1"))
    label: Mapped[str | None] = generated(computed="field_code || '-' || number")
    field_: One[Field] = foreign_key(
        init=False,
        columns=("field_code",),
        on_delete="cascade",
        on_update="cascade",
        index=False,
    )
    harvests: Many[Harvest] = reverse("tree")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.variety, where=text("alive = 1"), name="trees_alive")


class Worker(Model, table="workers"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    boss: One[Worker | None] = foreign_key(default=None, on_delete="no_action", index=False)
    hired: Mapped[datetime] = generated(server_default=text("CURRENT_TIMESTAMP"))
    select: Mapped[str | None] = field(default=None)
    boss_of: Many[Worker] = reverse("boss")
    harvests: Many[Harvest] = reverse("workers")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(text("lower(name)"), cls.hired.desc(), unique=True, name="workers_name")


class Harvest(Model, table="harvests"):
    id: Mapped[int] = generated(primary_key=True)
    field_code: Mapped[str]
    tree_number: Mapped[int]
    picked: Mapped[datetime]
    kilos: Mapped[Any] = generated(server_default=text("0"), type=types.Native("NUMERIC(6, 2)"))
    quality: Mapped[int | None] = field(default=None)
    tree: One[Tree] = foreign_key(
        init=False,
        columns=("field_code", "tree_number"),
        on_delete="cascade",
        deferrable=True,
        index=False,
    )
    workers: Many[Worker] = many_to_many(through="HarvestWorker")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("quality BETWEEN 1 AND 5"), name="quality_known")


class HarvestWorker(Model, table="harvest_workers"):
    harvest: One[Harvest] = foreign_key(on_delete="cascade", primary_key=True)
    worker: One[Worker] = foreign_key(on_delete="cascade", primary_key=True)


class Customer(Model, table="customers"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    mail: Mapped[str | None] = field(default=None)
    profile: One[Profile | None] = reverse("customer")
    orders: Many[Order] = reverse("customer")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.mail, name="one_mail")


class Profile(Model, table="profiles"):
    customer_id: Mapped[int] = generated(primary_key=True)
    settings: Mapped[Any | None] = field(default=None)
    photo: Mapped[bytes | None] = field(default=None)
    customer: One[Customer] = foreign_key(init=False, columns=("customer_id",), on_delete="cascade", index=False)


class Order(Model, table="orders"):
    id: Mapped[int] = generated(primary_key=True)
    customer: One[Customer] = foreign_key(on_delete="no_action")
    total: Mapped[float] = field(default=0.0, server_default=text("0.0"))
    placed: Mapped[datetime]
    varieties: Many[Variety] = many_to_many(through="OrderVariety")
    order_varieties: Many[OrderVariety] = reverse("order")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.customer, cls.placed)


class OrderVariety(Model, table="order_varieties"):
    order: One[Order] = foreign_key(on_delete="cascade", primary_key=True)
    variety: One[Variety] = foreign_key(on_delete="no_action", primary_key=True)
    boxes: Mapped[int] = field(default=1, server_default=text("1"))


# not here: the view living
