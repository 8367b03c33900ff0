"""A unique value was taken before the row that had it went, where the database deletes that one with another."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, One, field, foreign_key, generated


class Shelf(Model, app="freed"):
    id: Mapped[int] = generated(primary_key=True)


class Jar(Model, app="freed"):
    id: Mapped[int] = generated(primary_key=True)
    label: Mapped[str] = field(unique=True)
    shelf: One[Shelf] = foreign_key(on_delete="cascade")


async def test_a_new_row_takes_a_unique_value_over_from_one_that_is_deleted_with_its_parent(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Shelf, Jar)
        async with AsyncSession(database) as session:
            old = Shelf()
            session.add(Jar(label="salt", shelf=old), Jar(label="rice", shelf=old))
            await session.commit()
            session.delete(old)
            session.add(Jar(label="salt", shelf=Shelf()))
            await session.commit()
        async with AsyncSession(database) as session:
            (jar,) = await session.query(Jar)
            assert jar.label == "salt"
            assert await session.query(Shelf).count() == 1
