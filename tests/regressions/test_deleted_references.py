"""A reference that was deleted stayed in the loaded collections that held it: nobody knew where its row pointed to."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, foreign_key, generated, reverse


class Shelf(Model, app="deleted_references"):
    id: Mapped[int] = generated(primary_key=True)
    books: Many[Book] = reverse("shelf")


class Book(Model, app="deleted_references"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()


async def test_a_deleted_reference_leaves_its_collection(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Shelf, Book)
        async with AsyncSession(database) as session:
            shelf = Shelf()
            book = Book(shelf=shelf)
            session.add(book, Book(shelf=shelf))
            await session.commit()
            try:
                async with session.transaction():
                    await session.create(Shelf)
                    await session.query(Book).all()
                    raise KeyError
            except KeyError:
                # read after a write that was undone, the books are references now
                assert book in shelf.books
            session.delete(book)
            await session.flush()
            assert len(shelf.books) == 1
            assert book not in shelf.books
            await session.rollback()
            assert len(shelf.books) == 2
