"""The GraphQL side of the library.

A resolver awaits the relation of the one object it is asked about. That loads the relation for all objects that came
from the same query, so each level of a request costs one statement, and there is no dataloader.
"""

from __future__ import annotations

import strawberry
from strawberry.types import ExecutionResult

from cormorant import AsyncSession, Database
from examples.graphql.models import Author, Book, Genre, Reader, Review


@strawberry.type(name="Genre")
class GenreNode:
    model: strawberry.Private[Genre]

    @strawberry.field
    def name(self) -> str:
        return self.model.name

    @strawberry.field
    async def books(self) -> list[BookNode]:
        return [BookNode(model=book) for book in await self.model.books]


@strawberry.type(name="Reader")
class ReaderNode:
    model: strawberry.Private[Reader]

    @strawberry.field
    def name(self) -> str:
        return self.model.name

    @strawberry.field
    async def reviews(self) -> list[ReviewNode]:
        return [ReviewNode(model=review) for review in await self.model.reviews]


@strawberry.type(name="Review")
class ReviewNode:
    model: strawberry.Private[Review]

    @strawberry.field
    def stars(self) -> int:
        return self.model.stars

    @strawberry.field
    async def book(self) -> BookNode:
        return BookNode(model=await self.model.book)

    @strawberry.field
    async def reader(self) -> ReaderNode:
        return ReaderNode(model=await self.model.reader)


@strawberry.type(name="Book")
class BookNode:
    model: strawberry.Private[Book]

    @strawberry.field
    def title(self) -> str:
        return self.model.title

    @strawberry.field
    async def author(self) -> AuthorNode:
        return AuthorNode(model=await self.model.author)

    @strawberry.field
    async def genres(self) -> list[GenreNode]:
        return [GenreNode(model=genre) for genre in await self.model.genres]

    @strawberry.field
    async def reviews(self) -> list[ReviewNode]:
        return [ReviewNode(model=review) for review in await self.model.reviews]


@strawberry.type(name="Author")
class AuthorNode:
    model: strawberry.Private[Author]

    @strawberry.field
    def name(self) -> str:
        return self.model.name

    @strawberry.field
    async def books(self) -> list[BookNode]:
        return [BookNode(model=book) for book in await self.model.books]


@strawberry.type
class Query:
    @strawberry.field
    async def authors(self) -> list[AuthorNode]:
        session = AsyncSession.current()
        return [AuthorNode(model=author) for author in await session.query(Author).order_by(Author.id)]

    @strawberry.field
    async def books(self, genre: str | None = None) -> list[BookNode]:
        query = AsyncSession.current().query(Book).order_by(Book.id)
        if genre is not None:
            query = query.filter(Book.genres.any(Genre.name == genre))
        return [BookNode(model=book) for book in await query]


schema = strawberry.Schema(Query)


async def execute(database: Database, request: str) -> ExecutionResult:
    """Answers a request, in a session of its own; what an answer holds is read before the session ends."""
    async with AsyncSession(database, read_only=True) as session:
        result = await schema.execute(request)
        result.extensions = {"statements": sum(stats.count for stats in session.query_stats())}
        return result
