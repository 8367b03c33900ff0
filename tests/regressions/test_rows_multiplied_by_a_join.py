"""count() left out the join that selected columns imply; first() and one() asked for more rows than the limit."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, foreign_key, generated, reverse


class Shelf(Model, app="multiplied"):
    id: Mapped[int] = generated(primary_key=True)
    jars: Many[Jar] = reverse("shelf")


class Jar(Model, app="multiplied"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()


async def test_count_counts_the_rows_that_the_query_gives(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Shelf, Jar)
        async with AsyncSession(database) as session:
            shelf = Shelf()
            session.add(shelf, Shelf(), Jar(shelf=shelf), Jar(shelf=shelf), Jar(shelf=shelf))
            await session.flush()
            pairs = session.query(Shelf).values(Shelf.id, Shelf.jars.each.id)
            assert await pairs.count() == len(await pairs) == 4
            assert await session.query(Jar).limit(0).first() is None
            assert await session.query(Jar).order_by(Jar.id).limit(1).one() is not None
