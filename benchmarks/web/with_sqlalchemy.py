"""The same application with SQLAlchemy."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import DateTime, ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

from benchmarks.web.shapes import ArticleIn, ArticleOut, ArticleWithAuthor, AuthorOut


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "web_author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None]


class Article(Base):
    __tablename__ = "web_article"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str] = mapped_column(default="")
    views: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))
    author_id: Mapped[int] = mapped_column(ForeignKey("web_author.id"))
    author: Mapped[Author] = relationship()


dsn = os.environ["BENCH_DSN"].replace("postgresql://", "postgresql+asyncpg://")
make_session = async_sessionmaker(create_async_engine(dsn, pool_size=10, max_overflow=0), expire_on_commit=False)
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


@app.get("/authors/{key}", response_model=AuthorOut)
async def author(key: int, session: SessionDep) -> Author:
    return await session.get_one(Author, key)


@app.get("/articles", response_model=list[ArticleWithAuthor])
async def articles(session: SessionDep) -> list[Article]:
    found = await session.scalars(select(Article).options(joinedload(Article.author)).order_by(Article.id).limit(20))
    return list(found)


@app.post("/articles", status_code=201, response_model=ArticleOut)
async def create(data: ArticleIn, session: SessionDep) -> Article:
    article = Article(**data.model_dump())
    session.add(article)
    await session.commit()
    return article
