"""Locking rows of an outer join reached the server, whose refusal ended the transaction and named no way out."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, One, QueryError, Scope, foreign_key, generated


class Boat(Model, app="regressions_locks"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


class Trip(Model, app="regressions_locks"):
    id: Mapped[int] = generated(primary_key=True)
    boat: One[Boat] = foreign_key()
    spare: One[Boat | None] = foreign_key(default=None)


@pytest.mark.postgresql
async def test_they_are_refused_before_anything_is_sent(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Boat, Trip)
        async with AsyncSession(database) as session:
            session.add(Trip(boat=Boat(name="a")), Trip(boat=Boat(name="b"), spare=Boat(name="c")))
        async with AsyncSession(database) as session, session.transaction():
            trips = session.query(Trip).select_related(Trip.boat, Trip.spare)
            with pytest.raises(QueryError, match=r'names "spare", where rows may be missing') as caught:
                await trips.for_update(of=[Trip.boat, Trip.spare])
            assert ".join(" in (caught.value.hint or "")
            (trip,) = await trips.join(Trip.spare).for_update(of=Trip.spare)
            assert trip.spare is not None
            assert len(await trips.for_share(of=(Trip, Trip.boat))) == 2
        hidden = Scope(Boat, lambda boat: boat.name != "a", name="hidden")
        async with AsyncSession(database, scopes=[hidden]) as session:
            with pytest.raises(QueryError, match=r'names "boat", where rows may be missing'):
                await session.query(Trip).select_related(Trip.boat).for_update(of=Trip.boat)
