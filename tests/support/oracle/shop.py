"""The tables that random queries ask: every kind of relation, NULLs, and values that are equal."""

from __future__ import annotations

from typing import Any

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, field, foreign_key, many_to_many, reverse


class Region(Model, app="oracle"):
    id: Mapped[int] = field(primary_key=True)
    name: Mapped[str]
    rank: Mapped[int | None] = field(default=None)
    people: Many[Person] = reverse("region")


class Desk(Model, app="oracle"):
    """A key of two columns."""

    row: Mapped[int] = field(primary_key=True)
    place: Mapped[int] = field(primary_key=True)
    floor: Mapped[int | None] = field(default=None)
    people: Many[Person] = reverse("desk")


class Hobby(Model, app="oracle"):
    id: Mapped[int] = field(primary_key=True)
    label: Mapped[str]
    weight: Mapped[int | None] = field(default=None)
    people: Many[Person] = reverse("hobbies")


class Person(Model, app="oracle"):
    id: Mapped[int] = field(primary_key=True)
    name: Mapped[str]
    nick: Mapped[str | None] = field(default=None)
    age: Mapped[int | None] = field(default=None)
    score: Mapped[int]
    active: Mapped[bool]
    region: One[Region | None] = foreign_key(default=None)
    desk: One[Desk | None] = foreign_key(default=None)
    boss: One[Person | None] = foreign_key(default=None)
    team: Many[Person] = reverse("boss")
    notes: Many[Note] = reverse("writer")
    hobbies: Many[Hobby] = many_to_many()


class Note(Model, app="oracle"):
    id: Mapped[int] = field(primary_key=True)
    title: Mapped[str]
    body: Mapped[str | None] = field(default=None)
    stars: Mapped[int | None] = field(default=None)
    rank: Mapped[int]
    pinned: Mapped[bool]
    writer: One[Person] = foreign_key()
    reader: One[Person | None] = foreign_key(default=None)


MODELS: dict[str, type[Model]] = {model.__name__: model for model in (Region, Desk, Hobby, Person, Note)}

REGIONS: list[tuple[Any, ...]] = [(1, "north", 1), (2, "south", None), (3, "north", 1)]
DESKS: list[tuple[Any, ...]] = [(1, 1, 2), (1, 2, None), (2, 1, 2)]
HOBBIES: list[tuple[Any, ...]] = [(1, "chess", 2), (2, "Chess", None), (3, "tea", 2), (4, "", 0)]
# id, name, nick, age, score, active, region, desk, boss, hobbies
PEOPLE: list[tuple[Any, ...]] = [
    (1, "ada", "a", 30, 5, True, 1, (1, 1), None, (1, 3)),
    (2, "Bob", None, 30, 5, True, 1, (1, 2), 1, (1, 2, 3)),
    (3, "cyd", "a", None, 2, False, 2, None, 1, ()),
    (4, "bob", "", 7, 2, False, None, (2, 1), 2, (4,)),
    (5, "eve", None, None, 0, True, 3, None, 2, (3, 4)),
    (6, "ada", "b", 41, -1, False, None, None, None, ()),
]
# id, title, body, stars, rank, pinned, writer, reader
NOTES: list[tuple[Any, ...]] = [
    (1, "alpha", "x", 5, 1, True, 1, None),
    (2, "beta", None, None, 1, False, 1, 2),
    (3, "alpha", "x", 3, 2, False, 2, 1),
    (4, "Gamma", "", 3, 2, True, 2, 2),
    (5, "delta", None, 0, 3, False, 3, 6),
    (6, "beta", "y", None, 3, True, 5, None),
    (7, "ada", "a", 5, 2, False, 1, 3),
]


async def fill(database: Database) -> None:
    """Makes the tables and their rows."""
    await database.create_all(*MODELS.values())
    await add_rows(database)


async def add_rows(database: Database) -> None:
    """Makes the rows alone."""
    async with AsyncSession(database) as session:
        regions = {key: Region(id=key, name=name, rank=rank) for key, name, rank in REGIONS}
        desks = {(row, place): Desk(row=row, place=place, floor=floor) for row, place, floor in DESKS}
        hobbies = {key: Hobby(id=key, label=label, weight=weight) for key, label, weight in HOBBIES}
        people: dict[int, Person] = {}
        session.add(*regions.values(), *desks.values(), *hobbies.values())
        for key, name, nick, age, score, active, region, desk, boss, liked in PEOPLE:
            person = people[key] = Person(id=key, name=name, nick=nick, age=age, score=score, active=active)
            person.region, person.desk, person.boss = regions.get(region), desks.get(desk), people.get(boss)
            person.hobbies.add(*(hobbies[hobby] for hobby in liked))
            session.add(person)
        for key, title, body, stars, rank, pinned, writer, reader in NOTES:
            note = Note(id=key, title=title, body=body, stars=stars, rank=rank, pinned=pinned, writer=people[writer])
            note.reader = people.get(reader)
            session.add(note)


TO_ONE = {"region": "Region", "desk": "Desk", "boss": "Person", "writer": "Person", "reader": "Person"}
TO_MANY = {"people": "Person", "team": "Person", "notes": "Note", "hobbies": "Hobby"}
"""The models that relations lead to, by the relations' names."""


def columns_of(model: str) -> tuple[str, ...]:
    """Gives the attributes of a model's columns."""
    return tuple(MODELS[model].__info__.fields)


def model_at(model: str, path: tuple[str, ...]) -> str:
    """Gives the model that a path leads to."""
    return model if not path else {**TO_ONE, **TO_MANY}[path[-1]]
