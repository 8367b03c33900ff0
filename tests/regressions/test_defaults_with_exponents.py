"""Defaults like 1e-7 were read from SQLite as 1e: they drifted for ever, and tables with them could not be rebuilt."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, SchemaBuilder, field, generated
from cormorant.models.registry import registry


async def test_a_default_with_an_exponent_does_not_drift(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        with registry.isolated():

            class Reading(Model):
                id: Mapped[int] = generated(primary_key=True)
                least: Mapped[float] = field(server_default=1e-7, default=0.0)
                most: Mapped[float] = field(server_default=-1e300, default=0.0)

            await db.create_all(Reading)
            assert await SchemaBuilder(db).difference(Reading) == []
            async with AsyncSession(db) as session:
                session.add(Reading(least=2.5))
        with registry.isolated():

            class Reading(Model):  # type: ignore[no-redef]
                id: Mapped[int] = generated(primary_key=True)
                least: Mapped[float] = field(server_default=1e-7, default=0.0)
                most: Mapped[float | None] = field(server_default=-1e300, default=0.0)

            builder = SchemaBuilder(db)
            await builder.apply(await builder.difference(Reading))
            assert await builder.difference(Reading) == []
            async with AsyncSession(db) as session:
                assert [each.least for each in await session.query(Reading)] == [2.5]
                await session.execute("INSERT INTO reading DEFAULT VALUES")
                assert (
                    await session.query(Reading).order_by(Reading.id.desc()).values(Reading.least, Reading.most) != []
                )
