"""The models whose queries are compiled here."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from cormorant import Expr, Many, Mapped, Model, One, field, foreign_key, func, generated, hybrid, many_to_many, reverse


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Country(Model, app="q", table="country"):
    code: Mapped[str] = field(primary_key=True)
    name: Mapped[str]


class Author(Model, app="q", table="author"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None] = field(default=None)
    age: Mapped[int] = field(default=0)
    country: One[Country | None] = foreign_key(default=None)
    articles: Many[Article] = reverse("author")
    profile: One[Profile | None] = reverse("author")

    @hybrid
    def adult(self) -> bool:
        return self.age >= 18

    @hybrid
    def shout(self) -> str:
        return self.name.upper()

    @shout.expression
    @classmethod
    def _shout(cls) -> Expr[str]:
        return func.upper(cls.name)


class Profile(Model, app="q", table="profile"):
    author: One[Author] = foreign_key(primary_key=True)
    text: Mapped[str]


class Tag(Model, app="q", table="tag"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    weight: Mapped[int] = field(default=0)
    articles: Many[Article] = reverse("tags")


class Article(Model, app="q", table="articles"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str] = field(max_length=100)
    views: Mapped[int] = field(default=0)
    author: One[Author] = foreign_key()
    editor: One[Author | None] = foreign_key(default=None)
    tags: Many[Tag] = many_to_many()

    @classmethod
    def popular(cls) -> Expr[bool]:
        return cls.views > 1000


class Sample(Model, app="q", table="sample"):
    """One column of each type."""

    id: Mapped[int] = generated(primary_key=True)
    small: Mapped[int] = field(size="small")
    big: Mapped[int] = field(size="big")
    number: Mapped[float]
    price: Mapped[Decimal] = field(precision=10, decimal_places=2)
    exact: Mapped[Decimal]
    flag: Mapped[bool]
    text: Mapped[str]
    note: Mapped[str | None]
    data: Mapped[bytes]
    day: Mapped[date]
    hour: Mapped[time]
    moment: Mapped[datetime]
    span: Mapped[timedelta]
    uid: Mapped[UUID]
    color: Mapped[Color]
    paint: Mapped[Color] = field(native="paint")
    extra: Mapped[dict[str, Any]]
    words: Mapped[list[str]]
    maybe: Mapped[int | None]


class Seat(Model, app="q", table="seat"):
    row: Mapped[int] = field(primary_key=True)
    number: Mapped[int] = field(primary_key=True)
    taken: Mapped[bool] = field(default=False)
    tickets: Many[Ticket] = reverse("seat")


class Ticket(Model, app="q", table="ticket"):
    id: Mapped[int] = generated(primary_key=True)
    seat: One[Seat | None] = foreign_key(default=None)


class Node(Model, app="q", table="node"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    parent: One[Node | None] = foreign_key(default=None)
    children: Many[Node] = reverse("parent")
    near: Many[Node] = many_to_many()
