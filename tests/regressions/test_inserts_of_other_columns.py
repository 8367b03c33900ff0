"""An INSERT of (name, id) was taken for the plan of one of (name) that gives the id back."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, generated


class Thing(Model, app="regressions"):
    name: Mapped[str]
    id: Mapped[int] = generated(primary_key=True)


async def test_given_and_made_keys_take_turns(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Thing)
        async with AsyncSession(database) as session:
            made = await session.create(Thing, name="made")
            await session.create(Thing, name="given", id=made.id + 10)
            again = await session.create(Thing, name="made again")
            assert sorted(await session.query(Thing).scalars(Thing.id)) == sorted([made.id, made.id + 10, again.id])
