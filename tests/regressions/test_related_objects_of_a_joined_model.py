"""Where a row showed two objects of one model, what came along with the second was given to the first."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, One, alias, foreign_key, generated


class Crew(Model, app="regressions_root"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    ship: One[Ship] = foreign_key()
    chief: One[Crew | None] = foreign_key(default=None)


class Ship(Model, app="regressions_root"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


async def test_what_comes_along_belongs_to_the_objects_that_were_queried(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Crew, Ship)
        async with AsyncSession(database) as session:
            chief = Crew(name="chief", ship=Ship(name="flagship"))
            session.add(Crew(name="hand", ship=Ship(name="tender"), chief=chief))
        async with AsyncSession(database) as session:
            above = alias(Crew)
            crew = session.query(Crew).select_related(Crew.ship).join(above, Crew.chief.id == above.id)
            ((boss, hand),) = await crew.values(above, Crew)
            assert (boss.name, hand.name, hand.ship.name) == ("chief", "hand", "tender")
            assert boss.ship is not hand.ship
            assert (await boss.ship).name == "flagship"
