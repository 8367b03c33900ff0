"""Django's asynchronous interface."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections, models, transaction

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NARROW, NUMBERS, PRICES, RATIOS, TEXTS, WIDE

if not settings.configured:
    settings.configure(DATABASES={"default": {}}, INSTALLED_APPS=["benchmarks.contestants"], USE_TZ=True)
    django.setup()


class Narrow(models.Model):
    id: Any = models.BigAutoField(primary_key=True)
    name: Any = models.TextField()
    age: Any = models.IntegerField()
    score: Any = models.FloatField()

    class Meta:
        app_label = "contestants"
        db_table = "narrow"


class Parent(models.Model):
    id: Any = models.BigAutoField(primary_key=True)
    name: Any = models.TextField()

    class Meta:
        app_label = "contestants"
        db_table = "parent"


class Child(models.Model):
    id: Any = models.BigAutoField(primary_key=True)
    name: Any = models.TextField()
    value: Any = models.IntegerField()
    parent: Any = models.ForeignKey(Parent, models.CASCADE, related_name="children")

    class Meta:
        app_label = "contestants"
        db_table = "child"


class Tag(models.Model):
    id: Any = models.BigAutoField(primary_key=True)
    name: Any = models.TextField()

    class Meta:
        app_label = "contestants"
        db_table = "tag"


class Article(models.Model):
    id: Any = models.BigAutoField(primary_key=True)
    title: Any = models.TextField()
    tags: Any = models.ManyToManyField(Tag, db_table="article_tags", related_name="articles")

    class Meta:
        app_label = "contestants"
        db_table = "article"


Wide: Any = type(
    "Wide",
    (models.Model,),
    {
        "id": models.BigAutoField(primary_key=True),
        "name": models.TextField(),
        "age": models.IntegerField(),
        "score": models.FloatField(),
        **{name: models.IntegerField() for name in NUMBERS},
        **{name: models.TextField() for name in TEXTS},
        **{name: models.FloatField() for name in RATIOS},
        **{name: models.DecimalField(max_digits=12, decimal_places=2) for name in PRICES},
        **{name: models.BooleanField() for name in FLAGS},
        "data": models.JSONField(),
        "Meta": type("Meta", (), {"app_label": "contestants", "db_table": "wide"}),
        "__module__": __name__,
    },
)


class WithDjango(Contestant):
    Narrow, Wide = Narrow, Wide

    async def open(self, dsn: str, pool: int) -> None:
        if dsn.startswith("sqlite"):
            pragmas = "PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000"
            config = {"ENGINE": "django.db.backends.sqlite3", "NAME": dsn.removeprefix("sqlite:///")}
            options: dict[str, Any] = {"transaction_mode": "IMMEDIATE", "init_command": pragmas}
        else:
            parts = urlsplit(dsn)
            config = {"ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "USER": parts.username or ""}
            config |= {"HOST": parts.hostname or "", "PORT": str(parts.port or ""), "PASSWORD": parts.password or ""}
            options = {"pool": {"min_size": 1, "max_size": pool}, "server_side_binding": True}
        made = connections.configure_settings({"default": {**config, "OPTIONS": options}})
        connections.settings["default"] = made["default"]

    async def close(self) -> None:
        await sync_to_async(forget)()

    # ---- reading

    async def get(self, model: Any, key: int) -> Any:
        return await model.objects.aget(id=key)

    async def filter(self, model: Any, age: int) -> Any:
        return [item async for item in model.objects.filter(age=age).order_by("id")]

    async def load(self, count: int) -> Any:
        return [item async for item in Narrow.objects.filter(id__lte=count).order_by("id")]

    async def page(self, offset: int) -> Any:
        return [item async for item in Narrow.objects.order_by("id")[offset : offset + 20]]

    async def dicts(self, model: Any, age: int) -> Any:
        names = NARROW if model is Narrow else WIDE
        return [item async for item in model.objects.filter(age=age).order_by("id").values(*names)]

    async def tuples(self, model: Any, age: int) -> Any:
        names = NARROW if model is Narrow else WIDE
        return [item async for item in model.objects.filter(age=age).order_by("id").values_list(*names)]

    async def parents(self, count: int) -> Any:
        query = Parent.objects.filter(id__lte=count).order_by("id").prefetch_related("children")
        return [item async for item in query]

    def children_of(self, parent: Any) -> Any:
        return list(parent.children.all())

    async def children(self, count: int) -> Any:
        return [item async for item in Child.objects.filter(id__lte=count).order_by("id").select_related("parent")]

    async def articles(self, count: int) -> Any:
        return [item async for item in Article.objects.filter(id__lte=count).order_by("id").prefetch_related("tags")]

    def tags_of(self, article: Any) -> Any:
        return list(article.tags.all())

    async def web_read(self, key: int) -> Any:
        return await Child.objects.select_related("parent").aget(id=key)

    # ---- writing

    async def insert(self, model: Any, row: dict[str, Any]) -> Any:
        return await model.objects.acreate(**row)

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        # transactions are for synchronous code
        return await sync_to_async(insert_all)(rows)

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        return await model.objects.abulk_create([model(**row) for row in rows])

    bulk_rows = bulk_objects

    async def update_whole(self, model: Any, items: list[Any]) -> Any:
        held = [await model.objects.aget(id=key) for key, _ in items]
        yield None
        for found, (_, row) in zip(held, items, strict=True):
            for name, value in row.items():
                setattr(found, name, value)
            await found.asave()
        yield None

    async def update_one(self, items: list[Any]) -> Any:
        held = [await Narrow.objects.aget(id=key) for key, _ in items]
        yield None
        for found, (_, score) in zip(held, items, strict=True):
            found.score = score
            await found.asave(update_fields=["score"])
        yield None

    async def delete(self, keys: list[int]) -> Any:
        held = [await Narrow.objects.aget(id=key) for key in keys]
        yield None
        for found in held:
            await found.adelete()
        yield None

    async def change(self, age: int, by: float) -> None:
        await sync_to_async(change_all)(age, by)

    async def graph(self, parents: int, children: int) -> Any:
        return await sync_to_async(insert_graph)(parents, children)

    async def web_write(self, key: int, score: float) -> None:
        found = await Narrow.objects.aget(id=key)
        found.score = score
        await found.asave(update_fields=["score"])


@transaction.atomic
def insert_all(rows: list[Any]) -> Any:
    return [Narrow.objects.create(**row) for row in rows]


@transaction.atomic
def change_all(age: int, by: float) -> None:
    found = list(Narrow.objects.filter(age=age).order_by("id"))
    for item in found:
        item.score += by
    Narrow.objects.bulk_update(found, ["score"])


@transaction.atomic
def insert_graph(parents: int, children: int) -> Any:
    made = Parent.objects.bulk_create([Parent(name=f"new {n}") for n in range(parents)])
    below = [Child(name=f"new {n}", value=n % 7, parent=parent) for parent in made for n in range(children)]
    Child.objects.bulk_create(below)
    return made


def forget() -> None:
    """Closes the connection of Django's thread, and its pool."""
    connection = connections["default"]
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    del connections["default"]
