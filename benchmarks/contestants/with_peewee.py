"""Peewee, by the asynchronous interface in its playhouse."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import peewee as p
from playhouse.postgres_ext import BinaryJSONField
from playhouse.pwasyncio import AsyncModel, AsyncPostgresqlDatabase, AsyncSqliteDatabase
from playhouse.sqlite_ext import JSONField

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NUMBERS, PRICES, RATIOS, TEXTS


class Narrow(AsyncModel):
    id = p.BigAutoField()
    name = p.TextField()
    age = p.IntegerField()
    score = p.DoubleField()

    class Meta:
        table_name = "narrow"


class Parent(AsyncModel):
    id = p.BigAutoField()
    name = p.TextField()

    class Meta:
        table_name = "parent"


class Child(AsyncModel):
    id = p.BigAutoField()
    name = p.TextField()
    value = p.IntegerField()
    parent: Any = p.ForeignKeyField(Parent, backref="children")

    class Meta:
        table_name = "child"


class Article(AsyncModel):
    id = p.BigAutoField()
    title = p.TextField()

    class Meta:
        table_name = "article"


class Tag(AsyncModel):
    id = p.BigAutoField()
    name = p.TextField()

    class Meta:
        table_name = "tag"


class Link(AsyncModel):
    id = p.BigAutoField()
    article: Any = p.ForeignKeyField(Article, backref="links")
    tag: Any = p.ForeignKeyField(Tag, backref="links")

    class Meta:
        table_name = "article_tags"


def wide(document: Any) -> Any:
    """Makes the model of 32 columns, as if it were written out."""
    body: dict[str, Any] = {
        "id": p.BigAutoField(),
        "name": p.TextField(),
        "age": p.IntegerField(),
        "score": p.DoubleField(),
        **{name: p.IntegerField() for name in NUMBERS},
        **{name: p.TextField() for name in TEXTS},
        **{name: p.DoubleField() for name in RATIOS},
        **{name: p.DecimalField(max_digits=12, decimal_places=2) for name in PRICES},
        **{name: p.BooleanField() for name in FLAGS},
        "data": document(),
        "Meta": type("Meta", (), {"table_name": "wide"}),
        "__module__": __name__,
    }
    return type(AsyncModel)("Wide", (AsyncModel,), body)


TABLES = [Narrow, Parent, Child, Article, Tag, Link]
WIDE = {True: wide(JSONField), False: wide(BinaryJSONField)}


class WithPeewee(Contestant):
    Narrow = Narrow

    async def open(self, dsn: str, pool: int) -> None:
        sqlite = dsn.startswith("sqlite")
        if sqlite:
            pragmas = {"synchronous": "NORMAL", "busy_timeout": 10000, "journal_mode": "wal"}
            self.db: Any = AsyncSqliteDatabase(dsn.removeprefix("sqlite:///"), pragmas=pragmas, pool_size=pool)
        else:
            parts = urlsplit(dsn)
            server = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
            self.db = AsyncPostgresqlDatabase(parts.path[1:], pool_size=pool, **server)
        self.Wide = WIDE[sqlite]
        self.db.bind([*TABLES, self.Wide])

    async def close(self) -> None:
        await self.db.close_pool()

    # ---- reading

    async def get(self, model: Any, key: int) -> Any:
        return await model.aget_by_id(key)

    async def filter(self, model: Any, age: int) -> Any:
        return await self.db.list(model.select().where(model.age == age).order_by(model.id))

    async def load(self, count: int) -> Any:
        return await self.db.list(Narrow.select().where(Narrow.id <= count).order_by(Narrow.id))

    async def page(self, offset: int) -> Any:
        return await self.db.list(Narrow.select().order_by(Narrow.id).limit(20).offset(offset))

    async def dicts(self, model: Any, age: int) -> Any:
        return await self.db.list(model.select().where(model.age == age).order_by(model.id).dicts())

    async def tuples(self, model: Any, age: int) -> Any:
        return await self.db.list(model.select().where(model.age == age).order_by(model.id).tuples())

    async def parents(self, count: int) -> Any:
        query = Parent.select().where(Parent.id <= count).order_by(Parent.id)
        return await self.db.aprefetch(query, Child.select())

    async def children(self, count: int) -> Any:
        query = Child.select(Child, Parent).join(Parent).where(Child.id <= count).order_by(Child.id)
        return await self.db.list(query)

    async def articles(self, count: int) -> Any:
        query = Article.select().where(Article.id <= count).order_by(Article.id)
        return await self.db.aprefetch(query, Link.select(), Tag.select())

    def tags_of(self, article: Any) -> Any:
        return [link.tag for link in article.links]

    async def web_read(self, key: int) -> Any:
        return await self.db.get(Child.select(Child, Parent).join(Parent).where(Child.id == key))

    # ---- writing

    async def insert(self, model: Any, row: dict[str, Any]) -> Any:
        return await model.acreate(**row)

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        async with self.db.atomic():
            return [await Narrow.acreate(**row) for row in rows]

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        # a statement takes so many values and no more
        made = [model(**row) for row in rows]
        async with self.db.atomic():
            await model.abulk_create(made, batch_size=30_000 // len(self.columns(model)))
        return made

    async def bulk_rows(self, model: Any, rows: list[Any]) -> Any:
        size = 30_000 // len(self.columns(model))
        async with self.db.atomic():
            for batch in p.chunked(rows, size):
                await self.db.aexecute(model.insert_many(batch))

    async def update_whole(self, model: Any, items: list[Any]) -> Any:
        held = [await model.aget_by_id(key) for key, _ in items]
        yield None
        for found, (_, row) in zip(held, items, strict=True):
            for name, value in row.items():
                setattr(found, name, value)
            await found.asave()
        yield None

    async def update_one(self, items: list[Any]) -> Any:
        held = [await Narrow.aget_by_id(key) for key, _ in items]
        yield None
        for found, (_, score) in zip(held, items, strict=True):
            found.score = score
            await found.asave(only=[Narrow.score])
        yield None

    async def delete(self, keys: list[int]) -> Any:
        held = [await Narrow.aget_by_id(key) for key in keys]
        yield None
        for found in held:
            await found.adelete_instance()
        yield None

    async def change(self, age: int, by: float) -> None:
        async with self.db.atomic():
            found = await self.filter(Narrow, age)
            for item in found:
                item.score += by
            if isinstance(self.db, AsyncSqliteDatabase):
                await Narrow.abulk_update(found, fields=[Narrow.score])
                return
            # its statement for many has no types that PostgreSQL could know through asyncpg
            for item in found:
                await item.asave(only=[Narrow.score])

    async def graph(self, parents: int, children: int) -> Any:
        return await self.db.run(self._graph, parents, children)

    def _graph(self, parents: int, children: int) -> Any:
        with p.Database.atomic(self.db):
            made = [Parent(name=f"new {n}") for n in range(parents)]
            if isinstance(self.db, AsyncSqliteDatabase):
                # objects that are created together have no keys afterwards on SQLite
                for parent in made:
                    parent.save(force_insert=True)
            else:
                Parent.bulk_create(made)
            Child.bulk_create(
                [Child(name=f"new {n}", value=n % 7, parent=parent) for parent in made for n in range(children)]
            )
        return made

    async def web_write(self, key: int, score: float) -> None:
        found = await Narrow.aget_by_id(key)
        found.score = score
        await found.asave(only=[Narrow.score])
