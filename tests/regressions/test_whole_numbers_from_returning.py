"""SQLite's RETURNING gave the int 2 for the 2.0 of a float column."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, generated


class Measure(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)
    ratio: Mapped[float] = generated(server_default=2.0)


async def test_a_float_that_the_database_made_is_one(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Measure)
        async with AsyncSession(database) as session:
            made = await session.create(Measure)
            assert (made.ratio, type(made.ratio)) == (2.0, float)
