"""Fills a library and answers a request: `python -m examples.graphql [REQUEST]`.

It takes the database of CORMORANT_DSN, or makes library.db in the current folder, anew each time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os

from cormorant import AsyncSession, Database
from examples.graphql.models import MODELS, Author, Book, Genre, Reader, Review
from examples.graphql.schema import execute

REQUEST = "{ authors { name books { title genres { name } reviews { stars reader { name } } } } }"


async def fill(database: Database, *, authors: int = 3, books: int = 2) -> None:
    """Makes a library."""
    await database.drop_all(*MODELS)
    await database.create_all(*MODELS)
    async with AsyncSession(database) as session:
        genres = [Genre(name=name) for name in ("poetry", "travel", "mathematics")]
        readers = [Reader(name=name) for name in ("Ida", "Tove", "Hugo", "Emil")]
        for a in range(authors):
            author = Author(name=f"Author {a + 1}")
            for b in range(books):
                book = Book(title=f"Book {b + 1} of author {a + 1}", author=author)
                book.genres.add(genres[b % 3], genres[(a + b + 1) % 3])
                session.add(book)
                session.add(
                    *(Review(stars=1 + (a + b + n) % 5, book=book, reader=readers[(a + n) % 4]) for n in (0, 1))
                )


async def main(request: str) -> None:
    """Prints the answer as JSON, and how many statements it took."""
    async with Database(os.environ.get("CORMORANT_DSN", "sqlite:///library.db")) as database:
        await fill(database)
        result = await execute(database, request)
        errors = [str(error) for error in result.errors or []]
        print(json.dumps({"data": result.data, "errors": errors, "extensions": result.extensions}, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.graphql", description=__doc__)
    parser.add_argument("request", nargs="?", default=REQUEST)
    asyncio.run(main(parser.parse_args().request))
