"""The application with Cormorant, and a session in a block of each handler."""

from __future__ import annotations

import os

from fastapi import FastAPI

from benchmarks.web.tables import Article, Author
from cormorant import AsyncSession, Database
from cormorant.integrations.fastapi import Create, lifespan

database = Database(os.environ["BENCH_DSN"], pool_size=10)
app = FastAPI(lifespan=lifespan(database, freeze=True))


@app.get("/authors/{key}")
async def author(key: int) -> Author:
    async with AsyncSession(database, read_only=True) as session:
        return await session.get_one(Author, key)


@app.get("/articles")
async def articles() -> list[Article]:
    async with AsyncSession(database, read_only=True) as session:
        return await session.query(Article).select_related(Article.author).order_by(Article.id).limit(20)


@app.post("/articles", status_code=201)
async def create(data: Create[Article]) -> Article:
    async with AsyncSession(database) as session:
        article = data.build()
        session.add(article)
    return article
