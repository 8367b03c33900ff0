"""`.one()` of a single value took a row that holds NULL for no row."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, field


class Reachable(Model):
    name: Mapped[str] = field(primary_key=True)
    email: Mapped[str | None] = field(default=None)


async def test_one_gives_the_none_of_the_only_row(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Reachable)
        async with AsyncSession(database) as session:
            session.add(Reachable(name="Ada"))
            await session.flush()
            assert await session.query(Reachable).scalars(Reachable.email).one() is None
