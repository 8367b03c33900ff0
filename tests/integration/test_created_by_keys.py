"""What a client has sent by its key: the object it points to is made when somebody asks for it, and not before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, ForeignKeyViolation, Mapped, Model, One, field, foreign_key, generated
from cormorant.integrations.pydantic import Create
from tests.support import kept_tables


class Shelf(Model, app="bykey"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")


class Volume(Model, app="bykey"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    shelf: One[Shelf] = foreign_key()
    lent_to: One[Shelf | None] = foreign_key(default=None)


class Place(Model, app="bykey"):
    row: Mapped[int] = field(primary_key=True)
    column: Mapped[int] = field(primary_key=True)


class Find(Model, app="bykey"):
    id: Mapped[int] = generated(primary_key=True)
    place: One[Place] = foreign_key()


class Noted(Model, app="bykey"):
    """Its constructor is its own, and gets objects."""

    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()

    def __init__(self, **values: Any) -> None:
        assert isinstance(values["shelf"], Shelf)
        super().__init__(**values)


class Watched(Model, app="bykey"):
    """Its attributes are set by its own method."""

    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()

    def __setattr__(self, name: str, value: Any) -> None:
        assert name != "shelf" or isinstance(value, Shelf)
        super().__setattr__(name, value)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Shelf, Volume, Place, Find, Noted, Watched)
        async with AsyncSession(database) as session:
            session.add(Shelf(name="first"), Shelf(name="second"))
        yield database


def volume(**values: Any) -> Volume:
    made: Volume = Create[Volume](title="Notes", **values).build()
    return made


def test_the_object_is_there_when_it_is_asked_for() -> None:
    made = volume(shelf_id=7)
    assert made.__orm_related__ == {"lent_to": None}
    assert (made.shelf_id, made.lent_to_id, made.lent_to) == (7, None, None)
    assert isinstance(made.shelf, Shelf)
    assert made.shelf.id == 7
    assert made.shelf is made.shelf


async def test_it_is_the_one_that_the_session_has(database: Database) -> None:
    async with AsyncSession(database) as session:
        first = await session.get_one(Shelf, 1)
        made = volume(shelf_id=1, lent_to_id=2)
        session.add(made)
        assert made.shelf is first
        await session.commit()
        assert made.lent_to is not None
        assert (await made.lent_to).name == "second"
    async with AsyncSession(database) as session:
        found = await session.query(Volume).select_related(Volume.shelf).one()
        assert (found.shelf.name, found.lent_to_id) == ("first", 2)


async def test_a_key_of_two_columns(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Place(row=3, column=4))
        await session.flush()
        made: Find = Create[Find](place_column=4, place_row=3).build()
        session.add(made)
    async with AsyncSession(database) as session:
        found = await session.query(Find).select_related(Find.place).one()
        assert (found.place.row, found.place.column) == (3, 4)


async def test_it_may_be_exchanged_before_it_is_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        made = volume(shelf_id=1, lent_to_id=2)
        session.add(made)
        made.shelf, made.lent_to = Shelf(name="third"), None
    async with AsyncSession(database) as session:
        found = await session.query(Volume).select_related(Volume.shelf).one()
        assert (found.shelf.name, found.lent_to) == ("third", None)


async def test_a_key_of_nobody_is_refused_by_the_database(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(volume(shelf_id=99))
        with pytest.raises(ForeignKeyViolation):
            await session.commit()
        await session.rollback()


@pytest.mark.parametrize("model", [Noted, Watched])
async def test_a_model_with_code_of_its_own_gets_objects(database: Database, model: type[Any]) -> None:
    async with AsyncSession(database) as session:
        session.add(Create[model](shelf_id=2).build())
    async with AsyncSession(database) as session:
        assert (await session.query(model).one()).shelf_id == 2
