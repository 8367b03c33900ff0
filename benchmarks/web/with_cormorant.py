"""The application with Cormorant, and a session for each request by FastAPI's dependencies."""

from __future__ import annotations

import os

from fastapi import FastAPI

from benchmarks.web.tables import Article, Author
from cormorant import Database
from cormorant.integrations.fastapi import Create, ReadSessionDep, SessionDep, lifespan

app = FastAPI(lifespan=lifespan(lambda: Database(os.environ["BENCH_DSN"], pool_size=10), freeze=True))


@app.get("/authors/{key}")
async def author(key: int, session: ReadSessionDep) -> Author:
    return await session.get_one(Author, key)


@app.get("/articles")
async def articles(session: ReadSessionDep) -> list[Article]:
    return await session.query(Article).select_related(Article.author).order_by(Article.id).limit(20)


@app.post("/articles", status_code=201)
async def create(data: Create[Article], session: SessionDep) -> Article:
    article = data.build()
    session.add(article)
    await session.commit()
    return article
