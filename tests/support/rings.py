"""Models whose rows need each other: rings through one, two and three tables, with and without NULL."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, reverse, unique


class Town(Model, app="rings"):
    """Has a mayor, who lives in a town."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = generated(version=True)
    mayor: One[Person | None] = foreign_key(default=None)
    people: Many[Person] = reverse("town")


class Person(Model, app="rings"):
    """Always lives in a town."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    town: One[Town] = foreign_key()
    friend: One[Person | None] = foreign_key(default=None)


class Step(Model, app="rings"):
    """A list linked both ways."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    before: One[Step | None] = foreign_key(default=None)
    after: One[Step | None] = foreign_key(default=None)


class Rock(Model, app="rings"):
    """Rock, paper, scissors: a ring through three tables with one place for None."""

    id: Mapped[int] = generated(primary_key=True)
    paper: One[Paper] = foreign_key()


class Paper(Model, app="rings"):
    id: Mapped[int] = generated(primary_key=True)
    scissors: One[Scissors] = foreign_key()


class Scissors(Model, app="rings"):
    id: Mapped[int] = generated(primary_key=True)
    rock: One[Rock | None] = foreign_key(default=None)


class Twin(Model, app="rings"):
    """Needs another one, always."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    other: One[Twin] = foreign_key(init=False)


class Known(Model, app="rings"):
    """The same with keys that the program makes."""

    id: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    name: Mapped[str]
    other: One[Known | None] = foreign_key(default=None)


class Seat(Model, app="rings"):
    """Values of one and of two columns that no two rows share."""

    id: Mapped[int] = generated(primary_key=True)
    code: Mapped[str | None] = field(default=None, unique=True)
    hall: Mapped[int] = field(default=1)
    place: Mapped[int | None] = field(default=None)
    note: Mapped[str] = field(default="")

    @classmethod
    def __table_args__(cls) -> Any:
        yield unique(cls.hall, cls.place)


class Card(Model, app="rings"):
    """A place that rows may exchange, where the database can wait."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    place: Mapped[int]

    @classmethod
    def __table_args__(cls) -> Any:
        yield unique(cls.place, deferrable=True)


MODELS: list[type[Model]] = [Town, Person, Step, Rock, Paper, Scissors, Twin, Known, Seat, Card]
