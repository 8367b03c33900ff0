"""The same application with Tortoise."""

from __future__ import annotations

import os

from fastapi import FastAPI
from tortoise import fields
from tortoise.contrib.fastapi import RegisterTortoise
from tortoise.models import Model

from benchmarks.web.shapes import ArticleIn, ArticleOut, ArticleWithAuthor, AuthorOut


class Author(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=80)
    email = fields.TextField(null=True)

    class Meta:
        table = "web_author"


class Article(Model):
    id = fields.BigIntField(primary_key=True)
    title = fields.CharField(max_length=120)
    body = fields.TextField(default="")
    views = fields.IntField(default=0)
    created = fields.DatetimeField(auto_now_add=True)
    author = fields.ForeignKeyField("models.Author")

    class Meta:
        table = "web_article"


async def lifespan(app: FastAPI):
    url = os.environ["BENCH_DSN"].replace("postgresql://", "asyncpg://")
    config = f"{url}{'&' if '?' in url else '?'}minsize=1&maxsize=10"
    async with RegisterTortoise(app, db_url=config, modules={"models": [__name__]}, use_tz=True):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/authors/{key}", response_model=AuthorOut)
async def author(key: int):
    return await Author.get(id=key)


@app.get("/articles", response_model=list[ArticleWithAuthor])
async def articles():
    return await Article.all().select_related("author").order_by("id").limit(20)


@app.post("/articles", status_code=201, response_model=ArticleOut)
async def create(data: ArticleIn):
    return await Article.create(**data.model_dump())
