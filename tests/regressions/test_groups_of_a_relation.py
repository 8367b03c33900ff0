"""Rows grouped by a relation could not show its objects, whatever was grouped by."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, One, QueryError, foreign_key, func, generated


class Place(Model, app="regressions_groups"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    within: One[Place | None] = foreign_key(default=None)


class Trip(Model, app="regressions_groups"):
    id: Mapped[int] = generated(primary_key=True)
    days: Mapped[int]
    start: One[Place] = foreign_key()
    end: One[Place | None] = foreign_key(default=None)


async def test_the_objects_grouped_by_are_shown(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Place, Trip)
        async with AsyncSession(database) as session:
            rome, bern = Place(name="Rome", within=Place(name="Italy")), Place(name="Bern")
            session.add(Trip(days=1, start=rome, end=bern), Trip(days=2, start=rome), Trip(days=4, start=bern))
            await session.flush()
            trips, total = session.query(Trip), func.sum(Trip.days)
            by_start = trips.group_by(Trip.start).order_by(Trip.start.name)
            assert await by_start.values(Trip.start, total) == [(bern, 4), (rome, 3)]
            assert await by_start.values(func.upper(Trip.start.name), total) == [("BERN", 4), ("ROME", 3)]
            assert await by_start.values(Trip.start.within.name, total) == [(None, 4), ("Italy", 3)]
            assert await by_start.values(Trip.start, total).having(Trip.start.name != "Bern").count() == 1
            by_end = trips.group_by(Trip.end.id).order_by(Trip.end.name)
            assert await by_end.values(Trip.end.optional(), total) == [(bern, 1), (None, 6)]


async def test_the_key_of_its_table_is_grouped_by_as_well_where_it_is_read(database_dsn: str) -> None:
    async with Database(database_dsn) as database, AsyncSession(database) as session:
        groups = session.query(Trip).group_by(Trip.start)
        table = '"regressions_groups_trip"'
        assert groups.values(Trip.start.name, func.count()).compile().sql == (
            f'SELECT "start"."name", count(*) FROM {table} JOIN "regressions_groups_place" AS "start"'
            f' ON "start"."id" = {table}."start_id" GROUP BY {table}."start_id", "start"."id"'
        )
        assert groups.values(Trip.start.id, func.count()).compile().sql == (
            f'SELECT {table}."start_id", count(*) FROM {table} GROUP BY {table}."start_id"'
        )
        with pytest.raises(QueryError, match=r"Trip\.days is read from groups"):
            groups.values(Trip.start.name, Trip.days).compile()
        with pytest.raises(QueryError, match=r"Place\.name is read from groups"):
            session.query(Trip).group_by(Trip.days).values(Trip.start.name).compile()
