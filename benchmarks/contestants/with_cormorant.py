"""Cormorant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NARROW, NUMBERS, PRICES, RATIOS, TEXTS
from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)


class Narrow(Model, table="narrow"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    age: Mapped[int]
    score: Mapped[float]


class Parent(Model, table="parent"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    children: Many[Child] = reverse("parent")


class Child(Model, table="child"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    value: Mapped[int]
    parent: One[Parent] = foreign_key()


class Article(Model, table="article"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    tags: Many[Tag] = many_to_many()


class Tag(Model, table="tag"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    articles: Many[Article] = reverse("tags")


def wide() -> Any:
    """Makes the model of 32 columns, as if it were written out."""
    annotations: dict[str, Any] = {
        "id": Mapped[int],
        "name": Mapped[str],
        "age": Mapped[int],
        "score": Mapped[float],
        **dict.fromkeys(NUMBERS, Mapped[int]),
        **dict.fromkeys(TEXTS, Mapped[str]),
        **dict.fromkeys(RATIOS, Mapped[float]),
        **dict.fromkeys(PRICES, Mapped[Decimal]),
        **dict.fromkeys(FLAGS, Mapped[bool]),
        "data": Mapped[dict[str, Any]],
    }
    body = {"__annotations__": annotations, "__module__": __name__, "id": generated(primary_key=True)}
    prices = {name: field(precision=12, decimal_places=2) for name in PRICES}
    return type(Model)("Wide", (Model,), body | prices, table="wide")


class WithCormorant(Contestant):
    async def open(self, dsn: str, pool: int) -> None:
        # what is got one by one here is meant to be: nobody needs to be told
        self.db = Database(dsn, pool_size=pool, n_plus_one="ignore")
        self.Narrow, self.Wide = Narrow, WIDE_MODEL

    async def close(self) -> None:
        await self.db.close()

    # ---- reading

    async def get(self, model: Any, keys: list[int]) -> AsyncIterator[Any]:
        async with AsyncSession(self.db) as session:
            yield None
            for key in keys:
                found = await session.get(model, key)
            yield found

    async def filter(self, model: Any, age: int) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(model).filter(model.age == age).order_by(model.id)

    async def load(self, count: int) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(Narrow).filter(Narrow.id <= count).order_by(Narrow.id)

    async def page(self, offset: int) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(Narrow).order_by(Narrow.id).limit(20).offset(offset)

    async def dicts(self, model: Any, age: int) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(model).filter(model.age == age).order_by(model.id).as_dicts()

    async def tuples(self, model: Any, age: int) -> Any:
        columns = [getattr(model, name) for name in (NARROW if model is Narrow else self.columns(model))]
        async with AsyncSession(self.db) as session:
            return await session.query(model).values(*columns).filter(model.age == age).order_by(model.id)

    async def parents(self, count: int) -> Any:
        async with AsyncSession(self.db) as session:
            query = session.query(Parent).filter(Parent.id <= count).order_by(Parent.id)
            return await query.prefetch_related(Parent.children)

    async def children(self, count: int) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(Child).filter(Child.id <= count).order_by(Child.id).select_related(Child.parent)

    async def articles(self, count: int) -> Any:
        async with AsyncSession(self.db) as session:
            query = session.query(Article).filter(Article.id <= count).order_by(Article.id)
            return await query.prefetch_related(Article.tags)

    async def web_read(self, key: int) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(Child).filter(Child.id == key).select_related(Child.parent).one()

    # ---- writing

    async def insert(self, model: Any, rows: list[Any]) -> AsyncIterator[Any]:
        async with AsyncSession(self.db) as session:
            yield None
            for row in rows:
                made = model(**row)
                session.add(made)
                await session.commit()
            yield made

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        async with AsyncSession(self.db) as session, session.transaction():
            for row in rows:
                made = Narrow(**row)
                session.add(made)
                await session.flush()
        return made

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(model).bulk_create([model(**row) for row in rows])

    async def bulk_rows(self, model: Any, rows: list[Any]) -> Any:
        async with AsyncSession(self.db) as session:
            return await session.query(model).bulk_create(rows)

    async def update_whole(self, model: Any, items: list[Any]) -> AsyncIterator[Any]:
        async with AsyncSession(self.db) as session:
            held = [await session.get_one(model, key) for key, _ in items]
            yield None
            for found, (_, row) in zip(held, items, strict=True):
                for name, value in row.items():
                    setattr(found, name, value)
                await session.commit()
            yield None

    async def update_one(self, items: list[Any]) -> AsyncIterator[Any]:
        async with AsyncSession(self.db) as session:
            held = [await session.get_one(Narrow, key) for key, _ in items]
            yield None
            for found, (_, score) in zip(held, items, strict=True):
                found.score = score
                await session.commit()
            yield None

    async def delete(self, keys: list[int]) -> AsyncIterator[Any]:
        async with AsyncSession(self.db) as session:
            held = [await session.get_one(Narrow, key) for key in keys]
            yield None
            for found in held:
                session.delete(found)
                await session.commit()
            yield None

    async def change(self, age: int, by: float) -> None:
        async with AsyncSession(self.db) as session:
            for found in await session.query(Narrow).filter(Narrow.age == age).order_by(Narrow.id):
                found.score += by

    async def graph(self, parents: int, children: int) -> Any:
        async with AsyncSession(self.db) as session:
            made = [Parent(name=f"new {n}") for n in range(parents)]
            for parent in made:
                session.add(*(Child(name=f"new {n}", value=n % 7, parent=parent) for n in range(children)))
        return made

    async def web_write(self, key: int, score: float) -> None:
        async with AsyncSession(self.db) as session:
            found = await session.get_one(Narrow, key)
            found.score = score

    # ---- what grows

    async def flush_dirty(self, items: list[Any]) -> AsyncIterator[Any]:
        ((loaded, dirty),) = items[:1]
        async with AsyncSession(self.db) as session:
            found = await session.query(Narrow).filter(Narrow.id <= loaded).order_by(Narrow.id)
            yield None
            for number, _ in enumerate(items):
                for item in found[:dirty]:
                    item.score += 1 + number
                await session.commit()
            yield None

    async def hits(self, items: list[Any]) -> AsyncIterator[Any]:
        ((loaded, _),) = items[:1]
        async with AsyncSession(self.db) as session:
            held = await session.query(Narrow).filter(Narrow.id <= loaded)
            yield None
            for _, key in items:
                found = await session.get(Narrow, key)
            yield found
            del held


class InThreads(WithCormorant):
    """The same with an option of SQLite's connections."""

    async def open(self, dsn: str, pool: int) -> None:
        await super().open(f"{dsn}?on_loop=false", pool)


WIDE_MODEL = wide()
