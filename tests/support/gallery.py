"""Models for the tests of loading: relations of each kind at several depths, keys of two columns."""

from __future__ import annotations

from typing import Any

from cormorant import Database, Many, Mapped, Model, One, field, foreign_key, generated, many_to_many, reverse
from cormorant.persistence.session import AsyncSession


class City(Model, app="gallery"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    painters: Many[Painter] = reverse("city")


class Painter(Model, app="gallery"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    city: One[City | None] = foreign_key(default=None)
    teacher: One[Painter | None] = foreign_key(default=None)
    pupils: Many[Painter] = reverse("teacher")
    paintings: Many[Painting] = reverse("painter")
    studio: One[Studio | None] = reverse("painter")
    friends: Many[Painter] = many_to_many(symmetrical=True)
    admires: Many[Painter] = many_to_many()
    admired_by: Many[Painter] = reverse("admires")


class Studio(Model, app="gallery"):
    """One-to-one."""

    id: Mapped[int] = generated(primary_key=True)
    street: Mapped[str] = field(default="")
    painter: One[Painter] = foreign_key(unique=True)


class Wall(Model, app="gallery"):
    """A key of two columns."""

    room: Mapped[int] = field(primary_key=True)
    side: Mapped[str] = field(primary_key=True)
    color: Mapped[str] = field(default="white")
    paintings: Many[Painting] = reverse("wall")


class Painting(Model, app="gallery"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    price: Mapped[int] = field(default=0)
    notes: Mapped[str] = field(default="")
    facts: Mapped[dict[str, Any]] = field(default_factory=dict)
    version: Mapped[int] = generated(version=True)
    painter: One[Painter] = foreign_key()
    owner: One[Painter | None] = foreign_key(default=None)
    wall: One[Wall | None] = foreign_key(default=None)
    styles: Many[Style] = many_to_many()
    shows: Many[Show] = many_to_many(through="Hanging")


class Style(Model, app="gallery"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    weight: Mapped[int] = field(default=0)
    paintings: Many[Painting] = reverse("styles")


class Show(Model, app="gallery"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    paintings: Many[Painting] = reverse("shows")
    guests: Many[Painter] = many_to_many(through="Invitation")


class Hanging(Model, app="gallery"):
    """Links with columns that have defaults."""

    painting: One[Painting] = foreign_key(primary_key=True, on_delete="cascade")
    show: One[Show] = foreign_key(primary_key=True, on_delete="cascade")
    place: Mapped[str] = field(default="hall")
    remarks: Mapped[list[str]] = field(default_factory=lambda: ["new"])


class Invitation(Model, app="gallery"):
    """Links with columns that only the program knows."""

    show: One[Show] = foreign_key(primary_key=True)
    guest: One[Painter] = foreign_key(primary_key=True)
    speech: Mapped[str]


MODELS: list[type[Model]] = [City, Painter, Studio, Wall, Painting, Style, Show, Hanging, Invitation]


async def hang(database: Database) -> None:
    """Fills the gallery: three painters with four, three and no paintings."""
    async with AsyncSession(database) as session:
        delft, paris = City(name="Delft"), City(name="Paris")
        ada = Painter(name="Ada", city=delft)
        bob = Painter(name="Bob", city=paris, teacher=ada)
        cy = Painter(name="Cy", teacher=bob)
        walls = [Wall(room=room, side=side) for room in (1, 2) for side in ("n", "s")]
        styles = [Style(name=name, weight=weight) for weight, name in enumerate(("baroque", "cubism", "dada"))]
        session.add(delft, paris, ada, bob, cy, *walls, *styles, Studio(painter=ada, street="Canal"))
        await session.flush()
        for number in range(7):
            painting = Painting(
                title=f"p{number}",
                price=number * 10,
                notes=f"notes {number}",
                facts={"n": number},
                painter=ada if number < 4 else bob,
                owner=cy if number % 2 else None,
                wall=walls[number % 4] if number != 6 else None,
            )
            painting.styles.add(styles[number % 3], styles[(number + 1) % 3])
            session.add(painting)
            # in the order of their numbers
            await session.flush()
