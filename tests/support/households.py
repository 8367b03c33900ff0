"""Models for the tests of object graphs: each `on_delete`, owners that delete what they let go, both sides of each."""

from __future__ import annotations

from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, many_to_many, reverse


class House(Model, app="households"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    rooms: Many[Room] = reverse("house")
    guests: Many[Guest] = reverse("house")
    parcels: Many[Parcel] = reverse("house")
    debts: Many[Debt] = reverse("house")
    claims: Many[Claim] = reverse("house")
    alarm: One[Alarm | None] = reverse("house")


class Room(Model, app="households"):
    """Goes with its house."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    house: One[House] = foreign_key(on_delete="cascade")
    lamps: Many[Lamp] = reverse("room")
    colours: Many[Colour] = many_to_many()


class Lamp(Model, app="households"):
    """Goes with its room."""

    id: Mapped[int] = generated(primary_key=True)
    watts: Mapped[int] = field(default=0)
    version: Mapped[int] = generated(version=True)
    room: One[Room] = foreign_key(on_delete="cascade")


class Colour(Model, app="households"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    rooms: Many[Room] = reverse("colours")


class Guest(Model, app="households"):
    """Stays without a house."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    house: One[House | None] = foreign_key(default=None, on_delete="set_null")


class Parcel(Model, app="households"):
    """Goes to the first house, if there is no other."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    house_id: Mapped[int] = field(server_default=1)
    house: One[House] = foreign_key(on_delete="set_default", init=False)


class Debt(Model, app="households"):
    """Keeps its house."""

    id: Mapped[int] = generated(primary_key=True)
    house: One[House] = foreign_key()


class Claim(Model, app="households"):
    """Keeps its house too, as the database says."""

    id: Mapped[int] = generated(primary_key=True)
    house: One[House | None] = foreign_key(default=None, on_delete="no_action")


class Alarm(Model, app="households"):
    """One for a house."""

    id: Mapped[int] = generated(primary_key=True)
    house: One[House | None] = foreign_key(default=None, unique=True, on_delete="cascade")


class Branch(Model, app="households"):
    """Goes with the branch it grows on."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    parent: One[Branch | None] = foreign_key(default=None, on_delete="cascade")
    branches: Many[Branch] = reverse("parent")


class Order(Model, app="households"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    lines: Many[Line] = reverse("order", orphan_removal=True)
    notes: Many[Note] = reverse("order", orphan_removal=True)
    receipt: One[Receipt | None] = reverse("order", orphan_removal=True)
    gift: One[Gift | None] = reverse("order", orphan_removal=True)


class Line(Model, app="households"):
    """Is nothing without its order."""

    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str] = field(default="")
    order: One[Order] = foreign_key(on_delete="cascade")


class Note(Model, app="households"):
    """Could be without an order, and is deleted by it all the same."""

    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str] = field(default="")
    order: One[Order | None] = foreign_key(default=None)


class Receipt(Model, app="households"):
    """One for an order, and nothing without it."""

    id: Mapped[int] = generated(primary_key=True)
    total: Mapped[int] = field(default=0)
    order: One[Order] = foreign_key(unique=True, on_delete="cascade")


class Gift(Model, app="households"):
    """Has its order's key."""

    order: One[Order] = foreign_key(primary_key=True, on_delete="cascade")
    text: Mapped[str] = field(default="")


MODELS: list[type[Model]] = [
    House,
    Room,
    Lamp,
    Colour,
    Guest,
    Parcel,
    Debt,
    Claim,
    Alarm,
    Branch,
    Order,
    Line,
    Note,
    Receipt,
    Gift,
]
