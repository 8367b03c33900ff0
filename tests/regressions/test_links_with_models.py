"""Links dropped at once left their objects in the session, and objects of links were not shown by the collections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)


class Choir(Model, app="links_with_models"):
    id: Mapped[int] = generated(primary_key=True)
    singers: Many[Singer] = many_to_many(through="Seat")
    seats: Many[Seat] = reverse("choir")


class Singer(Model, app="links_with_models"):
    id: Mapped[int] = generated(primary_key=True)
    choirs: Many[Choir] = reverse("singers")
    seats: Many[Seat] = reverse("singer")
    visits: Many[Visit] = reverse("singer")
    halls: Many[Hall] = many_to_many(through="Visit")


class Seat(Model, app="links_with_models"):
    choir: One[Choir] = foreign_key(primary_key=True)
    singer: One[Singer] = foreign_key(primary_key=True)
    row: Mapped[int] = field(default=1)


class Hall(Model, app="links_with_models"):
    id: Mapped[int] = generated(primary_key=True)
    singers: Many[Singer] = reverse("halls")


class Visit(Model, app="links_with_models"):
    id: Mapped[int] = generated(primary_key=True)
    singer: One[Singer] = foreign_key()
    hall: One[Hall] = foreign_key()


class Found(NamedTuple):
    session: AsyncSession
    choir: Choir
    first: Singer
    second: Singer


@pytest.fixture
async def found(database_dsn: str) -> AsyncIterator[Found]:
    """A choir of two, with everything loaded on all sides."""
    async with Database(database_dsn) as database:
        await database.create_all(Choir, Singer, Seat, Hall, Visit)
        async with AsyncSession(database) as session:
            choir, singers = Choir(), [Singer(), Singer()]
            choir.singers.add(*singers)
            session.add(choir)
        async with AsyncSession(database) as session:
            choir = await session.get_one(Choir, choir.id)
            first, second = [await session.get_one(Singer, singer.id) for singer in singers]
            for collection in (choir.singers, choir.seats, first.choirs, first.seats, second.choirs, second.seats):
                await collection
            yield Found(session, choir, first, second)


@pytest.mark.parametrize("verb", ["remove", "clear"])
async def test_objects_of_links_dropped_at_once_leave_the_session(found: Found, verb: str) -> None:
    session, choir, first, second = found
    gone, other = [await session.get_one(Seat, (choir.id, singer.id)) for singer in (first, second)]
    if verb == "remove":
        await session.remove_m2m(choir, Choir.singers, first)
    else:
        await session.clear_m2m(choir, Choir.singers)
    left = [other] if verb == "remove" else []
    assert await session.get(Seat, (choir.id, first.id)) is None
    assert list(choir.seats) == left
    assert list(second.seats) == left
    assert list(first.seats) == []
    # what takes the link's key is no second object of the row
    session.add(Seat(choir=choir, singer=first, row=2))
    await session.flush()
    assert [seat.row for seat in first.seats] == [2]
    await session.rollback()
    assert set(choir.seats) == {gone, other}
    assert await session.get(Seat, (choir.id, first.id)) is gone
    assert set(choir.singers) == {first, second}


async def test_changes_that_wait_in_the_object_of_a_dropped_link_go_with_it(found: Found) -> None:
    session, choir, first, _ = found
    gone = await session.get_one(Seat, (choir.id, first.id))
    gone.row = 7
    await session.remove_m2m(first, Singer.choirs, choir)
    assert not session.dirty
    await session.flush()
    assert await session.query(Seat).count() == 1


async def test_the_object_of_a_link_is_shown_by_both_ends(found: Found) -> None:
    session, choir, first, second = found
    third = Singer()
    session.add(third)
    await session.flush()
    seat = Seat(choir=choir, singer=third)
    session.add(seat)
    await session.flush()
    assert set(choir.singers) == {first, second, third}
    assert list(await third.choirs) == [choir]
    await session.commit()
    session.delete(seat)
    await session.flush()
    assert set(choir.singers) == {first, second}
    assert list(third.choirs) == []
    await session.rollback()
    assert set(choir.singers) == {first, second, third}
    assert list(third.choirs) == [choir]


async def test_two_objects_of_one_link(found: Found) -> None:
    session, _, first, _ = found
    hall = Hall()
    session.add(hall)
    await session.flush()
    await first.halls
    visits = [Visit(singer=first, hall=hall), Visit(singer=first, hall=hall)]
    session.add(*visits)
    await session.flush()
    assert list(first.halls) == [hall]
    session.delete(visits[0])
    await session.flush()
    assert list(first.halls) == [hall]
    session.delete(visits[1])
    await session.flush()
    assert list(first.halls) == []


async def test_the_object_of_a_link_that_moves(found: Found) -> None:
    session, _, first, second = found
    hall, other = Hall(), Hall()
    visit = Visit(singer=first, hall=hall)
    session.add(visit, other)
    await session.flush()
    await first.halls
    await second.halls
    visit.singer, visit.hall = second, other
    await session.flush()
    assert list(first.halls) == []
    assert list(second.halls) == [other]
    await session.rollback()
