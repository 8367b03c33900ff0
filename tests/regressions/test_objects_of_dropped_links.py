"""A loaded object of a table of links stayed in the session after a collection had dropped its row."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, field, foreign_key, generated, many_to_many


class Club(Model, app="dropped_links"):
    id: Mapped[int] = generated(primary_key=True)
    people: Many[Person] = many_to_many(through="Membership")


class Person(Model, app="dropped_links"):
    id: Mapped[int] = generated(primary_key=True)


class Membership(Model, app="dropped_links"):
    club: One[Club] = foreign_key(primary_key=True)
    person: One[Person] = foreign_key(primary_key=True)
    role: Mapped[str] = field(default="member")


@pytest.fixture
async def session(database_dsn: str) -> AsyncIterator[AsyncSession]:
    """A session on a database with a club of two people."""
    async with Database(database_dsn) as database:
        await database.create_all(Club, Person, Membership)
        async with AsyncSession(database) as session:
            club = Club()
            club.people.add(Person(), Person())
            session.add(club)
        async with AsyncSession(database) as session:
            yield session


async def test_the_object_of_a_dropped_link_leaves_the_session(session: AsyncSession) -> None:
    club = await session.get_one(Club, 1)
    first, second = sorted(await club.people, key=lambda person: person.id)
    gone, stays = [await session.get_one(Membership, (1, person.id)) for person in (first, second)]
    club.people.remove(first)
    await session.flush()
    assert await session.get(Membership, (1, first.id)) is None
    assert await session.get(Membership, (1, second.id)) is stays
    assert not session.dirty
    await session.rollback()
    assert await session.get(Membership, (1, first.id)) is gone
    assert gone.role == "member"


@pytest.mark.parametrize("touch", ["change", "delete"])
async def test_what_is_pending_for_a_dropped_link_goes_with_it(session: AsyncSession, touch: str) -> None:
    club = await session.get_one(Club, 1)
    first = min(await club.people, key=lambda person: person.id)
    gone = await session.get_one(Membership, (1, first.id))
    if touch == "change":
        gone.role = "guest"
    else:
        session.delete(gone)
    club.people.remove(first)
    await session.flush()
    assert not session.dirty
    assert not session.deleted
    assert await session.get(Membership, (1, first.id)) is None
    assert await session.query(Membership).count() == 1
