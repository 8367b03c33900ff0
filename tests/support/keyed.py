"""Models whose keys change, or hold the keys of others."""

from __future__ import annotations

from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, many_to_many, reverse


class Nation(Model, app="keyed"):
    code: Mapped[str] = field(primary_key=True, max_length=3)
    name: Mapped[str] = field(default="")
    version: Mapped[int] = generated(version=True)
    cities: Many[City] = reverse("nation")
    ports: Many[Port] = reverse("nation")
    allies: Many[Pact] = many_to_many()


class City(Model, app="keyed"):
    """Follows its nation."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    nation: One[Nation] = foreign_key(on_update="cascade")


class Port(Model, app="keyed"):
    """Does not, but can be without one."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    nation: One[Nation | None] = foreign_key(default=None)


class Pact(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)


class Bill(Model, app="keyed"):
    number: Mapped[int] = field(primary_key=True)
    lines: Many[Line] = reverse("bill")


class Order(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)


class Line(Model, app="keyed"):
    bill: One[Bill] = foreign_key(primary_key=True, on_update="cascade")
    place: Mapped[int] = field(primary_key=True)
    text: Mapped[str] = field(default="")


class Part(Model, app="keyed"):
    """A key that holds one the database makes."""

    order: One[Order] = foreign_key(primary_key=True)
    place: Mapped[int] = field(primary_key=True)


class Detail(Model, app="keyed"):
    """Points to such a key."""

    id: Mapped[int] = generated(primary_key=True)
    part_order_id: Mapped[int] = field(init=False)
    part_place: Mapped[int] = field(init=False)
    part: One[Part] = foreign_key(columns=("part_order_id", "part_place"))


class Remark(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)
    line_number: Mapped[int] = field(init=False)
    line_place: Mapped[int] = field(init=False)
    line: One[Line] = foreign_key(columns=("line_number", "line_place"), on_update="cascade")


MODELS: list[type[Model]] = [Nation, City, Port, Pact, Bill, Order, Line, Part, Detail, Remark]
