"""`session.dirty` went on naming objects of which the next flush writes nothing, and those that it deletes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, field, foreign_key, generated, reverse


class Box(Model, app="first_values"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    data: Mapped[dict[str, list[int]]] = field(default_factory=dict)
    things: Many[Thing] = reverse("box", orphan_removal=True)


class Thing(Model, app="first_values"):
    id: Mapped[int] = generated(primary_key=True)
    box: One[Box] = foreign_key(on_delete="cascade")


@pytest.fixture
async def session(database_dsn: str) -> AsyncIterator[AsyncSession]:
    """A session on a database with one box that has one thing."""
    async with Database(database_dsn) as database:
        await database.create_all(Box, Thing)
        async with AsyncSession(database) as session:
            session.add(Thing(box=Box(name="first", data={"x": [1]})))
        async with AsyncSession(database) as session:
            yield session


async def test_a_value_that_was_put_back_is_no_change(session: AsyncSession) -> None:
    box = await session.get_one(Box, 1)
    box.name = "second"
    box.data["x"].append(2)
    assert list(session.dirty) == [box]
    box.name = "first"
    assert list(session.dirty) == [box]
    box.data["x"].pop()
    assert not session.changes(box)
    assert not session.dirty
    assert not session.preview().statements


async def test_what_is_deleted_is_not_updated(session: AsyncSession) -> None:
    box = await session.get_one(Box, 1)
    (thing,) = await box.things
    box.things.remove(thing)
    assert (list(session.deleted), list(session.dirty)) == ([thing], [])
    box.name = "second"
    session.delete(box)
    assert sorted(map(id, session.deleted)) == sorted(map(id, (box, thing)))
    assert not session.dirty
