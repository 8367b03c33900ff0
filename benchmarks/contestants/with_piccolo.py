"""Piccolo."""

from __future__ import annotations

from typing import Any

from piccolo.columns import (
    JSON,
    JSONB,
    BigInt,
    Boolean,
    DoublePrecision,
    ForeignKey,
    Integer,
    LazyTableReference,
    Numeric,
    Serial,
    Text,
)
from piccolo.columns.m2m import M2M
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine
from piccolo.table import Table

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NUMBERS, PRICES, RATIOS, TEXTS


class Narrow(Table, tablename="narrow"):
    id: Any = Serial(primary_key=True)
    name = Text()
    age = Integer()
    score = DoublePrecision()


class Parent(Table, tablename="parent"):
    id: Any = Serial(primary_key=True)
    name = Text()


class Child(Table, tablename="child"):
    id: Any = Serial(primary_key=True)
    name = Text()
    value = Integer()
    parent: Any = ForeignKey(Parent, db_column_name="parent_id")


class Article(Table, tablename="article"):
    id: Any = Serial(primary_key=True)
    title = Text()
    tags: Any = M2M(LazyTableReference("Link", module_path=__name__))


class Tag(Table, tablename="tag"):
    id: Any = Serial(primary_key=True)
    name = Text()
    articles: Any = M2M(LazyTableReference("Link", module_path=__name__))


class Link(Table, tablename="article_tags"):
    id: Any = Serial(primary_key=True)
    article: Any = ForeignKey(Article, db_column_name="article_id")
    tag: Any = ForeignKey(Tag, db_column_name="tag_id")


def wide(sqlite: bool) -> Any:
    """Makes the model of 32 columns, as if it were written out."""
    body: dict[str, Any] = {
        "id": Serial(primary_key=True),
        "name": Text(),
        "age": Integer(),
        "score": DoublePrecision(),
        **{name: Integer() for name in NUMBERS},
        **{name: Text() for name in TEXTS},
        **{name: DoublePrecision() for name in RATIOS},
        **{name: Numeric(digits=(12, 2)) for name in PRICES},
        **{name: Boolean() for name in FLAGS},
        "data": JSON() if sqlite else JSONB(),
        "__module__": __name__,
    }
    return type(Table)("Wide", (Table,), body, tablename="wide")


TABLES = [Narrow, Parent, Child, Article, Tag, Link]
WIDE = {True: wide(True), False: wide(False)}
Column = BigInt


class WithPiccolo(Contestant):
    Narrow = Narrow

    async def open(self, dsn: str, pool: int) -> None:
        self.sqlite = dsn.startswith("sqlite")
        self.engine: Any = (
            SQLiteEngine(path=dsn.removeprefix("sqlite:///"), timeout=10)
            if self.sqlite
            else PostgresEngine({"dsn": dsn})
        )
        self.Wide = WIDE[self.sqlite]
        for table in (*TABLES, self.Wide):
            table._meta.db = self.engine
        if not self.sqlite:
            await self.engine.start_connection_pool(min_size=1, max_size=pool)

    async def close(self) -> None:
        if not self.sqlite:
            await self.engine.close_connection_pool()

    def children_of(self, parent: Any) -> Any:
        return parent[1]

    def tags_of(self, article: Any) -> Any:
        return article["tags"]

    def value(self, row: Any, name: str) -> Any:
        if isinstance(row, tuple):
            row = row[0]
        found = row[name] if isinstance(row, dict) else getattr(row, name)
        return as_json(found) if name == "data" else found

    # ---- reading

    async def get(self, model: Any, key: int) -> Any:
        return await model.objects().get(model.id == key)

    async def filter(self, model: Any, age: int) -> Any:
        return await model.objects().where(model.age == age).order_by(model.id).output(load_json=True)

    async def load(self, count: int) -> Any:
        return await Narrow.objects().where(Narrow.id <= count).order_by(Narrow.id)

    async def page(self, offset: int) -> Any:
        return await Narrow.objects().order_by(Narrow.id).limit(20).offset(offset)

    async def dicts(self, model: Any, age: int) -> Any:
        return await model.select().where(model.age == age).order_by(model.id).output(load_json=True)

    async def parents(self, count: int) -> Any:
        # there is no way to load what points to an object together with it
        parents = await Parent.objects().where(Parent.id <= count).order_by(Parent.id)
        below: dict[int, list[Any]] = {parent.id: [] for parent in parents}
        for child in await Child.objects().where(Child.parent.is_in(list(below))):
            below[child.parent].append(child)
        return [(parent, below[parent.id]) for parent in parents]

    async def children(self, count: int) -> Any:
        return await Child.objects(Child.parent).where(Child.id <= count).order_by(Child.id)

    async def articles(self, count: int) -> Any:
        query = Article.select(Article.id, Article.title, Article.tags(Tag.id, Tag.name))
        return await query.where(Article.id <= count).order_by(Article.id)

    async def web_read(self, key: int) -> Any:
        return await Child.objects(Child.parent).get(Child.id == key)

    # ---- writing

    async def insert(self, model: Any, row: dict[str, Any]) -> Any:
        made = model(**row)
        await made.save()
        return made

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        async with self.engine.transaction():
            made = [Narrow(**row) for row in rows]
            for item in made:
                await item.save()
        return made

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        made = [model(**row) for row in rows]
        await model.insert(*made)
        return made

    bulk_rows = bulk_objects

    async def update_whole(self, model: Any, items: list[Any]) -> Any:
        held = [await model.objects().get(model.id == key) for key, _ in items]
        yield None
        for found, (_, row) in zip(held, items, strict=True):
            for name, value in row.items():
                setattr(found, name, value)
            await found.save()
        yield None

    async def update_one(self, items: list[Any]) -> Any:
        held = [await Narrow.objects().get(Narrow.id == key) for key, _ in items]
        yield None
        for found, (_, score) in zip(held, items, strict=True):
            found.score = score
            await found.save([Narrow.score])
        yield None

    async def delete(self, keys: list[int]) -> Any:
        held = [await Narrow.objects().get(Narrow.id == key) for key in keys]
        yield None
        for found in held:
            await found.remove()
        yield None

    async def change(self, age: int, by: float) -> None:
        async with self.engine.transaction():
            for found in await Narrow.objects().where(Narrow.age == age).order_by(Narrow.id):
                found.score += by
                await found.save([Narrow.score])

    async def graph(self, parents: int, children: int) -> Any:
        async with self.engine.transaction():
            made = [Parent(name=f"new {n}") for n in range(parents)]
            await Parent.insert(*made)
            below = [Child(name=f"new {n}", value=n % 7, parent=parent.id) for parent in made for n in range(children)]
            await Child.insert(*below)
        return made

    async def web_write(self, key: int, score: float) -> None:
        found: Any = await Narrow.objects().get(Narrow.id == key)
        found.score = score
        await found.save([Narrow.score])


def as_json(found: Any) -> Any:
    """Gives a document; an object that was got alone has its text."""
    from json import loads

    return loads(found) if isinstance(found, str) else found
