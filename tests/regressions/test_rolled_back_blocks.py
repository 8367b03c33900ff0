"""What an inner block left unwritten was written by the outer one, although the inner block had been rolled back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    UniqueViolation,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)
from tests.support import kept_tables


class Shelf(Model, app="rolled_back"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    books: Many[Book] = reverse("shelf")


class Label(Model, app="rolled_back"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]


class Book(Model, app="rolled_back"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key(on_delete="cascade")
    labels: Many[Label] = many_to_many()


class ChangedMyMind(Exception):
    pass


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with one book on one shelf."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Shelf, Label, Book)
        async with AsyncSession(database) as session:
            session.add(Book(shelf=Shelf(name="first")), Label(text="old"))
        yield database


@asynccontextmanager
async def rolled_back(session: AsyncSession) -> AsyncGenerator[None, None]:
    """An inner block that ends with an exception."""
    await session.execute("UPDATE rolled_back_shelf SET name = name")  # opens the outer transaction
    with suppress(ChangedMyMind):
        async with session.transaction():
            yield
            raise ChangedMyMind


async def test_a_rolled_back_delete_is_forgotten(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelf = await session.query(Shelf).one()
        async with rolled_back(session):
            session.delete(shelf)
    async with AsyncSession(database) as session:
        assert await session.query(Shelf).count() == 1


async def test_an_object_added_in_a_rolled_back_block_belongs_to_nobody(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelf = Shelf(name="second")
        async with rolled_back(session):
            session.add(shelf)
        assert shelf not in session.new
    async with AsyncSession(database) as session:
        assert await session.query(Shelf).count() == 1
        session.add(shelf)
        await session.flush()
        assert await session.query(Shelf).count() == 2


async def test_what_failed_in_a_rolled_back_block_is_not_tried_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Shelf(name="second"))
        await session.flush()
        with pytest.raises(UniqueViolation):
            async with session.transaction():
                session.add(Shelf(name="first"))
        session.add(Shelf(name="third"))
    async with AsyncSession(database) as session:
        assert await session.query(Shelf).count() == 3


async def test_links_of_a_rolled_back_block_are_forgotten(database: Database) -> None:
    async with AsyncSession(database) as session:
        book, label = await session.query(Book).one(), await session.query(Label).one()
        assert await book.labels == []
        async with rolled_back(session):
            book.labels.add(label)
        assert list(book.labels) == []
        await session.flush()
        assert await session.query(Book).filter(Book.labels.any()).count() == 0
        book.labels.add(label)
        await session.flush()
        assert await session.query(Book).filter(Book.labels.any()).count() == 1


async def test_a_query_sees_what_a_pending_delete_takes_along(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.delete(await session.query(Shelf).one())
        assert await session.query(Book).count() == 0


async def test_what_a_rolled_back_transaction_gave_back_stays_loaded(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelf = await session.query(Shelf).one()
        with suppress(KeyError):
            async with session.transaction():
                shelf.name = "changed"
                await session.flush()
                raise KeyError
        # nothing is written that this could undo
        await session.rollback()
        assert shelf.name == "first"
