"""The application: its database, its routes, its errors."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from cormorant import Database, StatementError
from cormorant.integrations.fastapi import add_exception_handlers, lifespan
from examples.fastapi_blog import authors, posts
from examples.fastapi_blog.models import MODELS, Author
from examples.fastapi_blog.views import Views


def create_app(dsn: str | None = None) -> FastAPI:
    """Gives the application on the database of a DSN, of CORMORANT_DSN, or on blog.db in the current folder."""
    source = dsn or os.environ.get("CORMORANT_DSN", "sqlite:///blog.db")

    @asynccontextmanager
    async def started(app: FastAPI) -> AsyncGenerator[None]:
        database = Database(source)
        async with lifespan(database)(app):
            await create_tables(database)
            yield

    app = FastAPI(title="Blog", lifespan=started)
    app.state.views = Views()
    app.include_router(authors.router)
    app.include_router(posts.router)
    add_exception_handlers(app)
    return app


async def create_tables(database: Database) -> None:
    """Makes the tables when the application starts for the first time."""
    try:
        async with database.session() as session:
            await session.query(Author).exists()
    except StatementError:
        await database.create_all(*MODELS)
