"""An object whose key was changed and not yet written was taken for the object of another row."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, One, field, foreign_key, ref
from tests.support import kept_tables
from tests.support.keyed import MODELS, Bill, Line


class Shelf(Model, app="changed_keys"):
    number: Mapped[int] = field(primary_key=True)


class Box(Model, app="changed_keys"):
    number: Mapped[int] = field(primary_key=True)
    shelf: One[Shelf] = foreign_key(on_delete="cascade")


class Note(Model, app="changed_keys"):
    number: Mapped[int] = field(primary_key=True)
    box: One[Box | None] = foreign_key(on_delete="set_null")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS, Shelf, Box, Note)
        yield database


async def test_a_reference_with_another_key_is_known_by_its_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Bill(number=1), Bill(number=3))
    async with AsyncSession(database) as session:
        bill = ref(Bill, 1)
        bill.number = 2
        session.add(bill)
        assert bill in session.identity_map
        assert session.identity_map.get(Bill.__info__, 1) is bill
        await session.commit()
        assert await session.get(Bill, 2) is bill
    async with AsyncSession(database) as session:
        assert sorted(await session.query(Bill).scalars(Bill.number)) == [2, 3]


async def test_two_references_that_change_places(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Bill(number=1), Bill(number=2))
    async with AsyncSession(database) as session:
        one, two = ref(Bill, 1), ref(Bill, 2)
        one.number, two.number = 4, 1
        session.add(one, two)
        await session.commit()
        assert (await session.get(Bill, 4), await session.get(Bill, 1)) == (one, two)


async def test_a_reference_is_loaded_by_the_key_of_its_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Line(bill=Bill(number=1), place=1, text="one"))
        session.add(Line(bill=Bill(number=2), place=1, text="two"))
    async with AsyncSession(database) as session:
        line = ref(Line, (1, 1))
        session.add(line)
        line.place = 2
        await line
        assert (line.text, line.place) == ("one", 2)


async def test_a_streamed_object_with_another_key_comes_back_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Bill(number=1))
    async with AsyncSession(database) as session:
        bills = [bill async for bill in session.query(Bill).stream()]
        (bill,) = bills
        bill.number = 2
        session.delete(bill)
        session.add(bill)
        assert len(session.identity_map) == 1
        await session.commit()
        assert await session.get(Bill, 2) is bill


async def test_the_database_deletes_an_object_whose_key_was_to_change(database: Database) -> None:
    """What points to it was looked for under the key that the row never got, after all had been written."""
    async with AsyncSession(database) as session:
        box = Box(number=1, shelf=Shelf(number=1))
        session.add(Note(number=1, box=box))
    async with AsyncSession(database) as session:
        shelf, box = await session.get_one(Shelf, 1), await session.get_one(Box, 1)
        note = await session.get_one(Note, 1)
        box.number = 2
        session.delete(shelf)
        await session.commit()
        assert note.box is None
