"""Oxyde."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oxyde import Field, Model, db
from oxyde.db import PoolSettings, transaction

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NUMBERS, PRICES, RATIOS, TEXTS


class Narrow(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str
    age: int
    score: float

    class Meta:
        is_table = True
        table_name = "narrow"


class Parent(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str
    children: list[Child] = Field(db_reverse_fk="parent")

    class Meta:
        is_table = True
        table_name = "parent"


class Child(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str
    value: int
    parent: Parent | None = Field(default=None)

    class Meta:
        is_table = True
        table_name = "child"


class Article(Model):
    id: int | None = Field(default=None, db_pk=True)
    title: str
    tags: list[Tag] = Field(db_m2m=True, db_through="Link")

    class Meta:
        is_table = True
        table_name = "article"


class Tag(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str

    class Meta:
        is_table = True
        table_name = "tag"


class Link(Model):
    id: int | None = Field(default=None, db_pk=True)
    article: Article | None = Field(default=None)
    tag: Tag | None = Field(default=None)

    class Meta:
        is_table = True
        table_name = "article_tags"


def wide() -> Any:
    """Makes the model of 32 columns, as if it were written out."""
    annotations: dict[str, Any] = {
        "id": int | None,
        "name": str,
        "age": int,
        "score": float,
        **dict.fromkeys(NUMBERS, int),
        **dict.fromkeys(TEXTS, str),
        **dict.fromkeys(RATIOS, float),
        **dict.fromkeys(PRICES, Decimal),
        **dict.fromkeys(FLAGS, bool),
        "data": dict[str, Any],
    }
    meta = type("Meta", (), {"is_table": True, "table_name": "wide", "__qualname__": "Wide.Meta"})
    body = {"__annotations__": annotations, "__module__": __name__, "__qualname__": "Wide", "Meta": meta}
    prices = {name: Field(max_digits=12, decimal_places=2) for name in PRICES}
    return type(Model)("Wide", (Model,), body | prices | {"id": Field(default=None, db_pk=True)})


class WithOxyde(Contestant):
    Narrow, Wide = Narrow, wide()

    async def open(self, dsn: str, pool: int) -> None:
        await db.init(default=dsn, settings=PoolSettings(max_connections=pool, min_connections=1))

    async def close(self) -> None:
        await db.close()

    # ---- reading

    async def get(self, model: Any, key: int) -> Any:
        return await model.objects.get(id=key)

    async def filter(self, model: Any, age: int) -> Any:
        return await model.objects.filter(age=age).order_by("id").all()

    async def load(self, count: int) -> Any:
        return await Narrow.objects.filter(id__lte=count).order_by("id").all()

    async def page(self, offset: int) -> Any:
        return await Narrow.objects.query().order_by("id").limit(20).offset(offset).all()

    async def dicts(self, model: Any, age: int) -> Any:
        rows = await model.objects.filter(age=age).order_by("id").values(*self.columns(model)).all()
        if model is Narrow:
            return rows
        # decimals come as text unless they come in objects
        return [{name: Decimal(value) if name in PRICES else value for name, value in row.items()} for row in rows]

    async def tuples(self, model: Any, age: int) -> Any:
        names = self.columns(model)
        rows = await model.objects.filter(age=age).order_by("id").values_list(*names).all()
        if model is Narrow:
            return rows
        start, end = names.index(PRICES[0]), names.index(PRICES[-1]) + 1
        return [(*row[:start], *map(Decimal, row[start:end]), *row[end:]) for row in rows]

    async def parents(self, count: int) -> Any:
        return await Parent.objects.filter(id__lte=count).order_by("id").prefetch("children").all()

    async def children(self, count: int) -> Any:
        return await Child.objects.filter(id__lte=count).order_by("id").join("parent").all()

    async def articles(self, count: int) -> Any:
        return await Article.objects.filter(id__lte=count).order_by("id").prefetch("tags").all()

    async def web_read(self, key: int) -> Any:
        return await Child.objects.filter(id=key).join("parent").get()

    # ---- writing

    async def insert(self, model: Any, row: dict[str, Any]) -> Any:
        return await model.objects.create(**row)

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        async with transaction.atomic():
            return [await Narrow.objects.create(**row) for row in rows]

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        # a statement takes so many values and no more
        size = 30_000 // len(self.columns(model))
        return await model.objects.bulk_create([model(**row) for row in rows], batch_size=size)

    async def bulk_rows(self, model: Any, rows: list[Any]) -> Any:
        return await model.objects.bulk_create(rows, batch_size=30_000 // len(self.columns(model)))

    async def update_whole(self, model: Any, items: list[Any]) -> Any:
        held = [await model.objects.get(id=key) for key, _ in items]
        yield None
        for found, (_, row) in zip(held, items, strict=True):
            for name, value in row.items():
                setattr(found, name, value)
            await found.save()
        yield None

    async def update_one(self, items: list[Any]) -> Any:
        held = [await Narrow.objects.get(id=key) for key, _ in items]
        yield None
        for found, (_, score) in zip(held, items, strict=True):
            found.score = score
            await found.save(update_fields=["score"])
        yield None

    async def delete(self, keys: list[int]) -> Any:
        held = [await Narrow.objects.get(id=key) for key in keys]
        yield None
        for found in held:
            await found.delete()
        yield None

    async def change(self, age: int, by: float) -> None:
        async with transaction.atomic():
            found = await Narrow.objects.filter(age=age).order_by("id").all()
            for item in found:
                item.score += by
            # a statement for more than that is too deep for SQLite
            for at in range(0, len(found), 400):
                await Narrow.objects.bulk_update(found[at : at + 400], ["score"])

    async def graph(self, parents: int, children: int) -> Any:
        async with transaction.atomic():
            made = await Parent.objects.bulk_create([Parent(name=f"new {n}") for n in range(parents)])
            below = [
                Child(name=f"new {n}", value=n % 7, parent_id=parent.id) for parent in made for n in range(children)
            ]
            await Child.objects.bulk_create(below)
        return made

    async def web_write(self, key: int, score: float) -> None:
        found = await Narrow.objects.get(id=key)
        found.score = score
        await found.save(update_fields=["score"])
