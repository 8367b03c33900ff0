"""A reference that was deleted, or given to another, stayed in what held it: nobody knew where its row pointed to."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, foreign_key, generated, reverse


class Shelf(Model, app="deleted_references"):
    id: Mapped[int] = generated(primary_key=True)
    books: Many[Book] = reverse("shelf")
    label: One[Label | None] = reverse("shelf")


class Book(Model, app="deleted_references"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()


class Label(Model, app="deleted_references"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key(unique=True)


async def test_a_deleted_reference_leaves_its_collection(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Shelf, Book, Label)
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


async def test_a_reference_that_is_given_to_another_leaves_what_held_it(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Shelf, Book, Label)
        async with AsyncSession(database) as session:
            first, second = Shelf(), Shelf()
            book, label = Book(shelf=first), Label(shelf=first)
            session.add(second, book, Book(shelf=first), label)
            await session.commit()
            await session.create(Shelf)
            await session.refresh(book)
            await session.refresh(label)
            await session.rollback()
            # read after a write that was undone, both are references now
            book.shelf = label.shelf = second
            await session.flush()
            assert (len(first.books), first.label) == (1, None)
            await session.load(second, Shelf.books, Shelf.label)
            assert (list(second.books), second.label) == ([book], label)
            await session.rollback()
            assert (len(first.books), first.label) == (2, label)
