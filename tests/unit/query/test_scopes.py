"""Where a default scope's condition stands: the exact SQL, and the order of its values."""

from __future__ import annotations

from typing import Any

from cormorant import Scope, alias, exists
from cormorant.models.scopes import Scopes
from tests.support.sql import query, sql
from tests.unit.query.models import Article, Author, Tag

SCOPES = Scopes([
    Scope(Author, lambda author: author.age > 17, name="adult"),
    Scope(Article, lambda article: article.title != "", name="titled"),
])  # fmt: skip


def scoped(built: Any, database: str = "postgresql") -> tuple[str, list[Any]]:
    text, values = sql(built._spec.scoped(SCOPES), database)
    return text.partition(" FROM ")[2], values


def test_the_condition_of_the_querys_table_comes_last() -> None:
    built = query(Author).filter(Author.name == "Ada").limit(3)
    assert scoped(built) == (
        '"author" WHERE "author"."name" = $1 AND "author"."age" > $3 LIMIT $2', ["Ada", 3, 17]
    )  # fmt: skip
    assert scoped(built, "sqlite") == (
        '"author" WHERE "author"."name" = ?1 AND "author"."age" > ?3 LIMIT ?2', ["Ada", 3, 17]
    )  # fmt: skip


def test_a_model_without_a_scope_is_left_as_it_is() -> None:
    assert scoped(query(Tag)) == ('"tag"', [])


def test_the_condition_of_a_joined_table_is_part_of_on() -> None:
    built = query(Article).filter(Article.views > 3).order_by(Article.editor.name)
    assert scoped(built) == (
        '"articles" LEFT JOIN "author" AS "editor" ON "editor"."id" = "articles"."editor_id" AND "editor"."age" > $2'
        ' WHERE "articles"."views" > $1 AND "articles"."title" <> $3 ORDER BY "editor"."name"',
        [3, 17, ""],
    )
    other = alias(Author)
    assert scoped(query(Author).outer_join(other, other.name == Author.name).filter(Author.age > 3)) == (
        '"author" LEFT JOIN "author" AS "author_2" ON "author_2"."name" = "author"."name" AND "author_2"."age" > $2'
        ' WHERE "author"."age" > $1 AND "author"."age" > $2',
        [3, 17],
    )


def test_inner_queries_have_their_conditions() -> None:
    assert scoped(query(Author).unscoped("adult").filter(Author.articles.any(Article.views > 3))) == (
        '"author" WHERE EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id"'
        ' AND "articles"."views" > $1 AND "articles"."title" <> $2)',
        [3, ""],
    )
    inner = query(Article).unscoped().filter(Article.author.id == Author.id)
    assert scoped(query(Author).filter(exists(inner))) == (
        '"author" WHERE EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id")'
        ' AND "author"."age" > $1',
        [17],
    )


def test_lifting_is_part_of_the_shape() -> None:
    built = query(Author)
    assert scoped(built.unscoped("adult")) == ('"author"', [])
    assert scoped(built) == ('"author" WHERE "author"."age" > $1', [17])
    assert scoped(built.unscoped()) == ('"author"', [])
    assert scoped(built.unscoped("titled")) == ('"author" WHERE "author"."age" > $1', [17])
