"""Tortoise."""

from __future__ import annotations

from typing import Any

from tortoise import Tortoise, fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NUMBERS, PRICES, RATIOS, TEXTS


class Narrow(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    name = fields.TextField()
    age = fields.IntField()
    score = fields.FloatField()

    class Meta:
        table = "narrow"


class Parent(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    name = fields.TextField()

    class Meta:
        table = "parent"


class Child(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    name = fields.TextField()
    value = fields.IntField()
    parent: Any = fields.ForeignKeyField("models.Parent", related_name="children")

    class Meta:
        table = "child"


class Article(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    title = fields.TextField()
    tags: Any = fields.ManyToManyField(
        "models.Tag", through="article_tags", forward_key="tag_id", backward_key="article_id", related_name="articles"
    )

    class Meta:
        table = "article"


class Tag(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    name = fields.TextField()

    class Meta:
        table = "tag"


class Named(Model):
    """What every wide row has, and `Wide` goes on from."""

    id = fields.BigIntField(primary_key=True, generated=True)
    name = fields.TextField()
    age = fields.IntField()
    score = fields.FloatField()

    class Meta:
        abstract = True


Wide: Any = type(
    "Wide",
    (Named,),
    {
        **{name: fields.IntField() for name in NUMBERS},
        **{name: fields.TextField() for name in TEXTS},
        **{name: fields.FloatField() for name in RATIOS},
        **{name: fields.DecimalField(max_digits=12, decimal_places=2) for name in PRICES},
        **{name: fields.BooleanField() for name in FLAGS},
        "data": fields.JSONField(),
        "Meta": type("Meta", (), {"table": "wide"}),
        "__module__": __name__,
    },
)


class WithTortoise(Contestant):
    Narrow, Wide = Narrow, Wide

    async def open(self, dsn: str, pool: int) -> None:
        if dsn.startswith("sqlite"):
            url = f"{dsn.replace('sqlite:///', 'sqlite://')}?journal_mode=WAL&synchronous=NORMAL"
        else:
            url = f"{dsn.replace('postgresql://', 'asyncpg://')}?minsize=1&maxsize={pool}"
        await Tortoise.init(db_url=url, modules={"models": [__name__]})

    async def close(self) -> None:
        await Tortoise.close_connections()

    # ---- reading

    async def get(self, model: Any, key: int) -> Any:
        return await model.get(id=key)

    async def filter(self, model: Any, age: int) -> Any:
        return await model.filter(age=age).order_by("id")

    async def load(self, count: int) -> Any:
        return await Narrow.filter(id__lte=count).order_by("id")

    async def page(self, offset: int) -> Any:
        return await Narrow.all().order_by("id").limit(20).offset(offset)

    async def dicts(self, model: Any, age: int) -> Any:
        return await model.filter(age=age).order_by("id").values()

    async def tuples(self, model: Any, age: int) -> Any:
        return await model.filter(age=age).order_by("id").values_list()

    async def parents(self, count: int) -> Any:
        return await Parent.filter(id__lte=count).order_by("id").prefetch_related("children")

    async def children(self, count: int) -> Any:
        return await Child.filter(id__lte=count).order_by("id").select_related("parent")

    async def articles(self, count: int) -> Any:
        return await Article.filter(id__lte=count).order_by("id").prefetch_related("tags")

    async def web_read(self, key: int) -> Any:
        return await Child.get(id=key).select_related("parent")

    # ---- writing

    async def insert(self, model: Any, row: dict[str, Any]) -> Any:
        return await model.create(**row)

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        async with in_transaction():
            return [await Narrow.create(**row) for row in rows]

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        return await model.bulk_create([model(**row) for row in rows])

    bulk_rows = bulk_objects

    async def update_whole(self, model: Any, items: list[Any]) -> Any:
        held = [await model.get(id=key) for key, _ in items]
        yield None
        for found, (_, row) in zip(held, items, strict=True):
            await found.update_from_dict(row).save()
        yield None

    async def update_one(self, items: list[Any]) -> Any:
        held = [await Narrow.get(id=key) for key, _ in items]
        yield None
        for found, (_, score) in zip(held, items, strict=True):
            found.score = score
            await found.save(update_fields=["score"])
        yield None

    async def delete(self, keys: list[int]) -> Any:
        held = [await Narrow.get(id=key) for key in keys]
        yield None
        for found in held:
            await found.delete()
        yield None

    async def change(self, age: int, by: float) -> None:
        async with in_transaction():
            found = await Narrow.filter(age=age).order_by("id")
            for item in found:
                item.score += by
            await Narrow.bulk_update(found, fields=["score"])

    async def graph(self, parents: int, children: int) -> Any:
        # objects that were created together have no keys afterwards: those that others point to are created one by one
        async with in_transaction():
            made = [await Parent.create(name=f"new {n}") for n in range(parents)]
            below = [Child(name=f"new {n}", value=n % 7, parent=parent) for parent in made for n in range(children)]
            await Child.bulk_create(below)
        return made

    async def web_write(self, key: int, score: float) -> None:
        found = await Narrow.get(id=key)
        found.score = score
        await found.save(update_fields=["score"])
