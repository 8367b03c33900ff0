"""What every application reads and writes."""

from __future__ import annotations

from datetime import datetime

from cormorant import AsyncSession, Database, Mapped, Model, One, field, foreign_key, generated, utcnow

ARTICLES = 200


class Author(Model, table="web_author"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(max_length=80)
    email: Mapped[str | None] = field(default=None)


class Article(Model, table="web_article"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str] = field(max_length=120)
    body: Mapped[str] = field(default="")
    views: Mapped[int] = field(default=0)
    created: Mapped[datetime] = field(default_factory=utcnow)
    author: One[Author] = foreign_key()


async def fill(dsn: str) -> None:
    """Makes the tables anew, with their rows."""
    async with Database(dsn) as database:
        await database.drop_all(Author, Article)
        await database.create_all(Author, Article)
        async with AsyncSession(database) as session:
            authors = [Author(name=f"Author {number}", email=f"{number}@example.org") for number in range(20)]
            session.add(*authors)
            session.add(
                *(
                    Article(title=f"Article {number}", body="x" * 200, author=authors[number % 20])
                    for number in range(ARTICLES)
                )
            )
