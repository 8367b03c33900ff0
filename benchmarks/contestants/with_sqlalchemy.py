"""SQLAlchemy's asynchronous session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, Numeric, Table, event, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship, selectinload

from benchmarks.contestants.base import Contestant
from benchmarks.schema import FLAGS, NUMBERS, PRICES, RATIOS, TEXTS

Key = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class Narrow(Base):
    __tablename__ = "narrow"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    age: Mapped[int]
    score: Mapped[float]


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    children: Mapped[list[Child]] = relationship(back_populates="parent")


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    value: Mapped[int]
    parent_id: Mapped[int] = mapped_column(Key, ForeignKey("parent.id"))
    parent: Mapped[Parent] = relationship(back_populates="children")


links = Table(
    "article_tags",
    Base.metadata,
    Column("article_id", Key, ForeignKey("article.id"), primary_key=True),
    Column("tag_id", Key, ForeignKey("tag.id"), primary_key=True),
)


class Article(Base):
    __tablename__ = "article"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    title: Mapped[str]
    tags: Mapped[list[Tag]] = relationship(secondary=links)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]


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
    body: dict[str, Any] = {"__tablename__": "wide", "__annotations__": annotations, "__module__": __name__}
    body |= {
        "id": mapped_column(Key, primary_key=True),
        "data": mapped_column(JSON().with_variant(JSONB, "postgresql")),
    }
    body |= {name: mapped_column(Numeric(12, 2)) for name in PRICES}
    return type("Wide", (Base,), body)


class WithSQLAlchemy(Contestant):
    def __init__(self) -> None:
        self.Narrow, self.Wide = Narrow, wide()

    async def open(self, dsn: str, pool: int) -> None:
        url = dsn.replace("postgresql://", "postgresql+asyncpg://").replace("sqlite://", "sqlite+aiosqlite://")
        self.engine = create_async_engine(url, pool_size=pool, max_overflow=0)
        if dsn.startswith("sqlite"):
            event.listen(self.engine.sync_engine, "connect", pragmas)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.engine.dispose()

    # ---- reading

    async def get(self, model: Any, keys: list[int]) -> AsyncIterator[Any]:
        async with self.session() as session:
            yield None
            for key in keys:
                found = await session.get(model, key)
            yield found

    async def filter(self, model: Any, age: int) -> Any:
        async with self.session() as session:
            return (await session.scalars(select(model).where(model.age == age).order_by(model.id))).all()

    async def load(self, count: int) -> Any:
        async with self.session() as session:
            return (await session.scalars(select(Narrow).where(Narrow.id <= count).order_by(Narrow.id))).all()

    async def page(self, offset: int) -> Any:
        async with self.session() as session:
            return (await session.scalars(select(Narrow).order_by(Narrow.id).limit(20).offset(offset))).all()

    async def dicts(self, model: Any, age: int) -> Any:
        columns = model.__table__.c
        async with self.session() as session:
            found = await session.execute(select(*columns).where(columns.age == age).order_by(columns.id))
            return [dict(row) for row in found.mappings()]

    async def tuples(self, model: Any, age: int) -> Any:
        columns = model.__table__.c
        async with self.session() as session:
            found = await session.execute(select(*columns).where(columns.age == age).order_by(columns.id))
            return found.tuples().all()

    async def parents(self, count: int) -> Any:
        async with self.session() as session:
            query = select(Parent).where(Parent.id <= count).order_by(Parent.id).options(selectinload(Parent.children))
            return (await session.scalars(query)).all()

    async def children(self, count: int) -> Any:
        async with self.session() as session:
            query = select(Child).where(Child.id <= count).order_by(Child.id)
            return (await session.scalars(query.options(joinedload(Child.parent, innerjoin=True)))).all()

    async def articles(self, count: int) -> Any:
        async with self.session() as session:
            query = select(Article).where(Article.id <= count).order_by(Article.id)
            return (await session.scalars(query.options(selectinload(Article.tags)))).all()

    async def web_read(self, key: int) -> Any:
        async with self.session() as session:
            return await session.get_one(Child, key, options=[joinedload(Child.parent, innerjoin=True)])

    # ---- writing

    async def insert(self, model: Any, rows: list[Any]) -> AsyncIterator[Any]:
        async with self.session() as session:
            yield None
            for row in rows:
                made = model(**row)
                session.add(made)
                await session.commit()
            yield made

    async def insert_in_transaction(self, rows: list[Any]) -> Any:
        async with self.session() as session, session.begin():
            for row in rows:
                made = Narrow(**row)
                session.add(made)
                await session.flush()
        return made

    async def bulk_objects(self, model: Any, rows: list[Any]) -> Any:
        async with self.session() as session, session.begin():
            made = [model(**row) for row in rows]
            session.add_all(made)
        return made

    async def bulk_rows(self, model: Any, rows: list[Any]) -> Any:
        async with self.session() as session, session.begin():
            await session.execute(insert(model), rows)

    async def update_whole(self, model: Any, items: list[Any]) -> AsyncIterator[Any]:
        async with self.session() as session:
            held = [await session.get_one(model, key) for key, _ in items]
            await session.commit()
            yield None
            for found, (_, row) in zip(held, items, strict=True):
                for name, value in row.items():
                    setattr(found, name, value)
                await session.commit()
            yield None

    async def update_one(self, items: list[Any]) -> AsyncIterator[Any]:
        async with self.session() as session:
            held = [await session.get_one(Narrow, key) for key, _ in items]
            await session.commit()
            yield None
            for found, (_, score) in zip(held, items, strict=True):
                found.score = score
                await session.commit()
            yield None

    async def delete(self, keys: list[int]) -> AsyncIterator[Any]:
        async with self.session() as session:
            held = [await session.get_one(Narrow, key) for key in keys]
            await session.commit()
            yield None
            for found in held:
                await session.delete(found)
                await session.commit()
            yield None

    async def change(self, age: int, by: float) -> None:
        async with self.session() as session, session.begin():
            for found in await session.scalars(select(Narrow).where(Narrow.age == age).order_by(Narrow.id)):
                found.score += by

    async def graph(self, parents: int, children: int) -> Any:
        async with self.session() as session, session.begin():
            made = [
                Parent(name=f"new {n}", children=[Child(name=f"new {c}", value=c % 7) for c in range(children)])
                for n in range(parents)
            ]
            session.add_all(made)
        return made

    async def web_write(self, key: int, score: float) -> None:
        async with self.session() as session, session.begin():
            found = await session.get_one(Narrow, key)
            found.score = score

    # ---- what grows

    async def flush_dirty(self, items: list[Any]) -> AsyncIterator[Any]:
        ((loaded, dirty),) = items[:1]
        async with self.session() as session:
            found = (await session.scalars(select(Narrow).where(Narrow.id <= loaded).order_by(Narrow.id))).all()
            await session.commit()
            yield None
            for number, _ in enumerate(items):
                for item in found[:dirty]:
                    item.score += 1 + number
                await session.commit()
            yield None

    async def hits(self, items: list[Any]) -> AsyncIterator[Any]:
        ((loaded, _),) = items[:1]
        async with self.session() as session:
            held = (await session.scalars(select(Narrow).where(Narrow.id <= loaded))).all()
            yield None
            for _, key in items:
                found = await session.get(Narrow, key)
            yield found
            del held


def pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
