"""SQLite's RETURNING gave the int 2 for the 2.0 of a float column.

And it gave the float 7.0 for the 7 of an int column, where the table began with a float, and large numbers rounded.
"""

from __future__ import annotations

import enum
from datetime import timedelta

from cormorant import AsyncSession, Database, Mapped, Model, field, generated

LARGE = 2**53 + 1


class Measure(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)
    ratio: Mapped[float] = generated(server_default=2.0)


class Level(enum.IntEnum):
    HIGH = 2


class Probe(Model, app="regressions"):
    depth: Mapped[float] = field(primary_key=True)
    number: Mapped[int] = field(size="big")
    dry: Mapped[bool] = field(default=True)
    level: Mapped[Level] = field(default=Level.HIGH)
    took: Mapped[timedelta] = field(default=timedelta(microseconds=LARGE))
    version: Mapped[int] = generated(version=True)


class Sample(Model, app="regressions"):
    weight: Mapped[float]
    id: Mapped[int] = generated(primary_key=True)
    made: Mapped[int] = generated(server_default=LARGE, size="big")


async def test_a_float_that_the_database_made_is_one(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Measure)
        async with AsyncSession(database) as session:
            made = await session.create(Measure)
            assert (made.ratio, type(made.ratio)) == (2.0, float)


async def test_whole_numbers_of_a_table_that_begins_with_a_float(database_dsn: str) -> None:
    asked = (Probe.number, Probe.dry, Probe.level, Probe.took)
    expected = (LARGE, True, Level.HIGH, timedelta(microseconds=LARGE))
    async with Database(database_dsn) as database:
        await database.create_all(Probe)
        async with AsyncSession(database) as session:
            probes = session.query(Probe)
            rows = [{"depth": 1.0, "number": LARGE}, {"depth": 2.0, "number": LARGE}]
            assert await probes.bulk_create(rows, returning=asked) == [expected] * 2
            assert await probes.upsert(rows, on=[Probe.depth], returning=asked) == [expected] * 2
            (version,) = await probes.filter(depth=1.0).update(Probe.dry.set(True), returning=Probe.version.label("v"))
            assert (version, type(version)) == (3, int)
            assert await probes.filter(depth=1.0).delete(returning=asked) == [expected]
            (probe,) = await probes.delete(returning=Probe)
            assert (probe.number, type(probe.version)) == (LARGE, int)


async def test_what_the_database_makes_beside_a_float_that_comes_first(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Sample)
        async with AsyncSession(database) as session:
            flushed = [await session.create(Sample, weight=0.5), Sample(weight=1.5), Sample(weight=2.5)]
            session.add(*flushed)
            await session.flush()
            samples = [*flushed, *await session.query(Sample).bulk_create([Sample(weight=3.5)])]
        assert [(type(sample.id), sample.made) for sample in samples] == [(int, LARGE)] * 4
