"""What unions of unions select could not be ordered, or asked for, by what their first query selects."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, generated


class Plant(Model, app="regressions_unions"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    height: Mapped[int]


async def test_they_go_on_under_the_names_of_the_first(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Plant)
        async with AsyncSession(database) as session:
            session.add(*(Plant(name=name, height=n) for n, name in enumerate("abcd")))
            await session.flush()
            plants = session.query(Plant)
            double = (Plant.height * 2).label("double")
            all_ = plants.values(Plant.name, double)
            ends = plants.filter(Plant.height.in_([0, 3])).values(Plant.name, double)
            without = all_.union(ends).except_(plants.filter(name="c").values(Plant.name, double))
            assert await without.order_by(Plant.name.desc()) == [("d", 6), ("b", 2), ("a", 0)]
            twice = without.union(ends, all=True)
            assert await twice.filter(double > 1).order_by(double, Plant.name) == [("b", 2), ("d", 6), ("d", 6)]
            assert await twice.intersect(ends).order_by(Plant.name).limit(1) == [("a", 0)]
