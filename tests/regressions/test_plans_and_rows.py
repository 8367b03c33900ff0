"""Wrong rows and lost checks that a review found: each is a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    StaleObjectError,
    field,
    foreign_key,
    generated,
    many_to_many,
    ref,
    reverse,
)
from tests.support import kept_tables


class Tag(Model, table="reviewed_tag"):
    id: Mapped[int] = generated(primary_key=True)


class Article(Model, table="reviewed_article"):
    id: Mapped[int] = generated(primary_key=True)
    views: Mapped[int] = field(default=0)
    tags: Many[Tag] = many_to_many(through="ArticleTag")
    notes: Many[Note] = reverse("article")


class Photo(Model, table="reviewed_photo"):
    id: Mapped[int] = generated(primary_key=True)
    tags: Many[Tag] = many_to_many(through="PhotoTag")


class ArticleTag(Model, table="reviewed_article_tag"):
    owner: One[Article] = foreign_key(primary_key=True)
    tag: One[Tag] = foreign_key(primary_key=True)


class PhotoTag(Model, table="reviewed_photo_tag"):
    owner: One[Photo] = foreign_key(primary_key=True)
    tag: One[Tag] = foreign_key(primary_key=True)


class Note(Model, table="reviewed_note"):
    id: Mapped[int] = generated(primary_key=True)
    article: One[Article] = foreign_key()


class Doc(Model, table="reviewed_doc"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str] = field(default="")
    version: Mapped[int] = generated(version=True)


class Pair(Model, table="reviewed_pair"):
    a: Mapped[int] = field(primary_key=True)
    b: Mapped[int] = field(primary_key=True)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as made:
        await kept_tables.prepare(made, database_dsn, Tag, Article, Photo, ArticleTag, PhotoTag, Note, Doc, Pair)
        yield made


async def test_relations_of_one_name_to_one_model_have_plans_of_their_own(database: Database) -> None:
    async with AsyncSession(database) as session:
        first, second = Tag(), Tag()
        article, photo = Article(), Photo()
        session.add(first, second, article, photo)
        await session.flush()
        session.add(ArticleTag(owner=article, tag=first), PhotoTag(owner=photo, tag=second))
        keys = article.id, photo.id, first.id, second.id
    async with AsyncSession(database) as session:
        one, other = await session.get_one(Article, keys[0]), await session.get_one(Photo, keys[1])
        assert [tag.id for tag in await one.tags] == [keys[2]]
        assert [tag.id for tag in await other.tags] == [keys[3]]


async def test_a_stale_delete_is_refused_beside_a_reference(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Doc(), Doc())
    async with AsyncSession(database) as session:
        stale, last = await session.query(Doc).order_by(Doc.id)
        session.expunge(last)
        async with AsyncSession(database) as other:
            (await other.get_one(Doc, stale.id)).text = "newer"
        session.delete(stale, ref(Doc, last.id))
        with pytest.raises(StaleObjectError):
            await session.flush()
        await session.rollback()
    async with AsyncSession(database) as session:
        assert await session.query(Doc).count() == 2


async def test_an_update_sees_pending_rows_that_its_values_read(database: Database) -> None:
    async with AsyncSession(database) as session:
        article = await session.create(Article)
        session.add(Note(article=article))
        await session.query(Article).update(Article.views.set(Article.notes.count()))
        assert await session.query(Article).scalars(Article.views) == [1]


async def test_many_composite_keys(database: Database) -> None:
    keys = [(a, b) for a in range(40) for b in range(40)]
    async with AsyncSession(database) as session:
        session.add(*(Pair(a=a, b=b) for a, b in keys))
    async with AsyncSession(database) as session:
        assert [(pair.a, pair.b) for pair in await session.get_many(Pair, keys)] == keys


async def test_a_read_that_meets_a_commit_begins_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Article(), Article())
        await session.flush()
        _, found = await asyncio.gather(session.commit(), session.query(Article).count())
        assert found == 2
        assert not session.in_transaction
