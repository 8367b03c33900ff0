"""Joins, asked for and implied: the exact SQL of each form."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cormorant import Q, QueryError, WrongType, alias, func
from cormorant.query.entities import EntityColumns
from cormorant.query.planner import plan
from tests.support.sql import both, query, sql
from tests.unit.query.models import Article, Author, Country, Node, Profile, Seat, Tag, Ticket

ON_EDITOR = 'ON "editor"."id" = "articles"."editor_id"'


def text(built: Any, database: str = "postgresql") -> str:
    return sql(built, database)[0]


def tables(built: Any) -> str:
    """Gives what stands in FROM, which is the same on both databases."""
    (found,) = {re.split(" FROM | WHERE | GROUP BY | ORDER BY ", text)[1] for text, _ in both(built).values()}
    return found


# ------------------------------------------------------------------ models and aliases


def test_a_model_is_joined_by_the_one_relation_between_both() -> None:
    assert tables(query(Country).join(Author).values(Country.code, Author.name)) == (
        '"country" JOIN "author" ON "country"."code" = "author"."country_id"'
    )
    assert tables(query(Author).join(Country).values(Country.code, Author.name)) == (
        '"author" JOIN "country" ON "country"."code" = "author"."country_id"'
    )
    assert tables(query(Profile).outer_join(Author).scalars(Author.name)) == (
        '"profile" LEFT JOIN "author" ON "author"."id" = "profile"."author_id"'
    )


def test_a_composite_key_is_joined_column_by_column() -> None:
    assert tables(query(Ticket).join(Seat).values(Ticket.id, Seat.taken)) == (
        '"ticket" JOIN "seat" ON "seat"."row" = "ticket"."seat_row" AND "seat"."number" = "ticket"."seat_number"'
    )


def test_conditions_of_a_join_are_joined_by_and() -> None:
    built = query(Author).outer_join(Article, Article.author.id == Author.id, Article.views > 3)
    assert sql(built.values(Author.name, Article.title)) == (
        'SELECT "author"."name", "articles"."title" FROM "author"'
        ' LEFT JOIN "articles" ON "articles"."author_id" = "author"."id" AND "articles"."views" > $1',
        [3],
    )
    either = query(Author).join(Article, (Article.views > 3) | (Article.views < 1), Q(name="x"))
    assert sql(either.scalars(Article.id)) == (
        'SELECT "articles"."id" FROM "author"'
        ' JOIN "articles" ON ("articles"."views" > $1 OR "articles"."views" < $2) AND "author"."name" = $3',
        [3, 1, "x"],
    )


def test_an_alias_has_its_own_name_or_the_tables_with_a_number() -> None:
    named, plain, third = alias(Node, "above"), alias(Node), alias(Node)
    built = query(Node).join(named, named.id == Node.parent.id).join(plain, plain.id == named.parent.id)
    assert tables(built.join(third, third.id == plain.id).values(named.name, plain.name, third.name)) == (
        '"node" JOIN "node" AS "above" ON "above"."id" = "node"."parent_id"'
        ' JOIN "node" AS "node_2" ON "node_2"."id" = "above"."parent_id"'
        ' JOIN "node" AS "node_3" ON "node_3"."id" = "node_2"."id"'
    )


def test_a_model_is_joined_to_itself_by_the_relation_to_itself() -> None:
    above = alias(Node)
    assert tables(query(Node).outer_join(above).values(Node, above)) == (
        '"node" LEFT JOIN "node" AS "node_2" ON "node_2"."id" = "node"."parent_id"'
    )


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    other = alias(Author, "AUTHOR")
    assert tables(query(Author).join(other, other.id == Author.id).scalars(other.id)) == (
        '"author" JOIN "author" AS "AUTHOR_2" ON "AUTHOR_2"."id" = "author"."id"'
    )


def test_a_long_name_leaves_room_for_a_number() -> None:
    name = "é" * 31
    one, two = alias(Node, name), alias(Node, name)
    built = query(Node).join(one, one.id == Node.id).join(two, two.id == Node.id)
    assert f'"{name}" ON' in tables(built)
    assert f'"{"é" * 25}_2"."id" = "node"."id"' in tables(built)


def test_paths_hang_on_aliases_and_joined_models() -> None:
    other = alias(Article, "other")
    built = query(Article).join(other, other.author.id == Article.author.id)
    assert tables(built.values(Article.author.name, other.author.name, other.editor.country.name)) == (
        '"articles" JOIN "author" ON "author"."id" = "articles"."author_id"'
        ' JOIN "articles" AS "other" ON "other"."author_id" = "articles"."author_id"'
        ' JOIN "author" AS "author_2" ON "author_2"."id" = "other"."author_id"'
        ' LEFT JOIN "author" AS "editor" ON "editor"."id" = "other"."editor_id"'
        ' LEFT JOIN "country" AS "editor__country" ON "editor__country"."code" = "editor"."country_id"'
    )


def test_what_hangs_on_an_outer_join_is_joined_from_outside_too() -> None:
    built = query(Author).outer_join(Article, Article.author.id == Author.id)
    assert tables(built.values(Author.name, Article.author.country.name)) == (
        '"author" LEFT JOIN "articles" ON "articles"."author_id" = "author"."id"'
        ' LEFT JOIN "author" AS "author_2" ON "author_2"."id" = "articles"."author_id"'
        ' LEFT JOIN "country" AS "author__country" ON "author__country"."code" = "author_2"."country_id"'
    )


# ------------------------------------------------------------------ relations


def test_joining_a_relation_leaves_out_rows_without_it() -> None:
    assert tables(query(Article).join(Article.editor).scalars(Article.id)) == (
        f'"articles" JOIN "author" AS "editor" {ON_EDITOR}'
    )
    assert tables(query(Article).join(Article.editor).values(Article.editor.name, Article.editor)) == (
        f'"articles" JOIN "author" AS "editor" {ON_EDITOR}'
    )
    assert tables(query(Article).join(Article.editor.country).scalars(Article.id)) == (
        f'"articles" JOIN "author" AS "editor" {ON_EDITOR}'
        ' JOIN "country" AS "editor__country" ON "editor__country"."code" = "editor"."country_id"'
    )


def test_joining_a_relation_from_outside_keeps_them() -> None:
    assert tables(query(Article).outer_join(Article.editor).scalars(Article.id)) == (
        f'"articles" LEFT JOIN "author" AS "editor" {ON_EDITOR}'
    )


def test_joining_a_relation_twice_is_joining_it() -> None:
    built = query(Article).outer_join(Article.editor).join(Article.editor).join(Article.editor)
    assert tables(built.scalars(Article.id)) == f'"articles" JOIN "author" AS "editor" {ON_EDITOR}'


def test_joining_a_relation_to_many_gives_a_row_for_every_pair() -> None:
    built = query(Author).join(Author.articles.each).values(Author.name, Author.articles.each.title)
    assert tables(built) == '"author" JOIN "articles" ON "articles"."author_id" = "author"."id"'
    assert tables(query(Article).outer_join(Article.tags.each).scalars(Article.id)) == (
        '"articles" LEFT JOIN "articles_tags" AS "tags_link" ON "tags_link"."article_id" = "articles"."id"'
        ' LEFT JOIN "tag" AS "tags_link__tags" ON "tags_link__tags"."id" = "tags_link"."tag_id"'
    )


def test_joining_a_relation_of_something_joined_from_outside_needs_that_too() -> None:
    other = alias(Article, "other")
    built = query(Author).outer_join(other, other.author.id == Author.id).join(other.editor)
    assert tables(built.scalars(other.id)) == (
        '"author" JOIN "articles" AS "other" ON "other"."author_id" = "author"."id"'
        ' JOIN "author" AS "editor" ON "editor"."id" = "other"."editor_id"'
    )


# ------------------------------------------------------------------ LEFT JOIN where it is one


@pytest.mark.parametrize(
    ("condition", "inner"),
    [
        (Article.editor.name == "x", True),
        (Article.editor.name != "x", True),
        (Article.editor.age + 1 > 3, True),
        (Article.editor.name.label("n") == "x", True),
        (Article.author.name == Article.editor.name, True),
        (Article.editor.name.is_not_null(), True),
        (Article.editor.name.in_(["x"]), True),
        (Article.editor.age.between(1, 2), True),
        (Article.editor.name.startswith("x"), True),
        (Article.editor.name.in_(query(Author).scalars(Author.name)), True),
        ((Article.views > 1) & (Article.editor.name == "x"), True),
        (Q(editor__name="x"), True),
        ((Article.views > 1) | (Article.editor.name == "x"), False),
        (~(Article.editor.name == "x"), False),
        (~Q(editor__name="x"), False),
        (Article.editor.name.is_null(), False),
        (func.coalesce(Article.editor.name, "x") == "x", False),
        (func.coalesce(Article.editor.name, "x").is_null(), False),
    ],
)
def test_a_left_join_is_a_join_where_conditions_need_its_rows(condition: Any, inner: bool) -> None:
    found = tables(query(Article).filter(condition).scalars(Article.id))
    assert f'{"" if inner else "LEFT "}JOIN "author" AS "editor" {ON_EDITOR}' in found
    assert inner is ("LEFT JOIN" not in found)


@pytest.mark.parametrize(
    "condition", [Article.editor.articles.any(), Article.editor.articles.none(), Article.editor.articles.count() == 0]
)
def test_what_a_key_at_hand_leads_to_needs_no_join_on_the_way(condition: Any) -> None:
    assert tables(query(Article).filter(condition).scalars(Article.id)) == '"articles"'


@pytest.mark.parametrize(
    "built",
    [
        query(Article).exclude(Article.editor.name == "x").scalars(Article.id),
        query(Article).order_by(Article.editor.name).scalars(Article.id),
        query(Article).group_by(Article.editor.name).having(Article.editor.name == "x").scalars(func.count()),
        query(Article).scalars(Article.editor.name == "x"),
    ],
)
def test_other_clauses_keep_a_left_join(built: Any) -> None:
    assert tables(built) == f'"articles" LEFT JOIN "author" AS "editor" {ON_EDITOR}'


def test_a_condition_on_what_was_joined_from_outside_leaves_that_join_as_it_is() -> None:
    built = query(Author).outer_join(Article, Article.author.id == Author.id)
    assert tables(built.filter(Article.views > 3, Article.editor.name == "x").scalars(Author.id)) == (
        f'"author" LEFT JOIN "articles" ON "articles"."author_id" = "author"."id" JOIN "author" AS "editor" {ON_EDITOR}'
    )


def test_a_join_from_outside_in_an_inner_query_is_its_own_matter() -> None:
    outer = query(Author).outer_join(Article, Article.author.id == Author.id)
    built = outer.filter(Author.articles.any(Article.author.age + 1 < Article.views * 2)).scalars(Author.id)
    assert text(built).partition(" WHERE ")[2] == (
        'EXISTS (SELECT 1 FROM "articles" AS "articles_2" JOIN "author" AS "author_2"'
        ' ON "author_2"."id" = "articles_2"."author_id" WHERE "articles_2"."author_id" = "author"."id"'
        ' AND ("author_2"."age" + $1::bigint) < ("articles_2"."views" * $2::bigint))'
    )


# ------------------------------------------------------------------ conditions of joins along relations


def test_a_joins_condition_may_follow_relations_of_what_was_read_before() -> None:
    built = query(Author).join(Article, Article.author.id == Author.id, Author.country.name == "x")
    assert text(built.scalars(Article.id)) == (
        'SELECT "articles"."id" FROM "author" LEFT JOIN "country" ON "country"."code" = "author"."country_id"'
        ' JOIN "articles" ON "articles"."author_id" = "author"."id" AND "country"."name" = $1'
    )


def test_a_joins_condition_may_follow_relations_of_what_it_joins() -> None:
    other = alias(Article, "other")
    built = query(Author).outer_join(
        other, other.author.id == Author.id, other.editor.country.name == Author.name, other.author.age > 3
    )
    assert text(built.values(other.id, other.author.name, other.editor.name)) == (
        'SELECT "other"."id", "author_2"."name", "editor"."name" FROM "author" LEFT JOIN ("articles" AS "other"'
        ' LEFT JOIN "author" AS "editor" ON "editor"."id" = "other"."editor_id"'
        ' LEFT JOIN "country" AS "editor__country" ON "editor__country"."code" = "editor"."country_id"'
        ' JOIN "author" AS "author_2" ON "author_2"."id" = "other"."author_id")'
        ' ON "other"."author_id" = "author"."id" AND "editor__country"."name" = "author"."name"'
        ' AND "author_2"."age" > $1'
    )


def test_what_a_joins_condition_does_not_read_is_joined_behind_it() -> None:
    other = alias(Node, "other")
    built = query(Node).join(other, other.parent.name == Node.parent.name)
    assert tables(built.values(other.name, other.parent.parent.name)) == (
        '"node" LEFT JOIN "node" AS "parent" ON "parent"."id" = "node"."parent_id"'
        ' JOIN ("node" AS "other" LEFT JOIN "node" AS "parent_2" ON "parent_2"."id" = "other"."parent_id")'
        ' ON "parent_2"."name" = "parent"."name"'
        ' LEFT JOIN "node" AS "parent__parent" ON "parent__parent"."id" = "parent_2"."parent_id"'
    )


def test_a_joins_condition_may_hold_inner_queries() -> None:
    built = query(Author).join(Article, Article.author.id == Author.id, Article.tags.any(Tag.name == "x"))
    assert text(built.scalars(Author.id)) == (
        'SELECT "author"."id" FROM "author" JOIN "articles" ON "articles"."author_id" = "author"."id"'
        ' AND EXISTS (SELECT 1 FROM "tag" JOIN "articles_tags" AS "tags_link" ON "tags_link"."tag_id" = "tag"."id"'
        ' WHERE "tags_link"."article_id" = "articles"."id" AND "tag"."name" = $1)'
    )
    of_editor = query(Author).join(Article, Article.editor.articles.any())
    assert text(of_editor.scalars(Author.id)) == (
        'SELECT "author"."id" FROM "author" JOIN "articles"'
        ' ON EXISTS (SELECT 1 FROM "articles" AS "articles_2" WHERE "articles_2"."author_id" = "articles"."editor_id")'
    )


# ------------------------------------------------------------------ objects


def test_an_object_that_may_be_missing_is_read_as_such() -> None:
    other = alias(Author)
    joined = query(Article).outer_join(other, other.id == Article.editor.id)
    for built, missing in (
        (joined.values(Article, other), True),
        (joined.values(Article, other.country), True),
        (query(Article).outer_join(Article.editor).values(Article, Article.editor), True),
        (query(Article).join(other, other.id == Article.author.id).values(Article, other), False),
        (query(Article).values(Article, Article.author), False),
    ):
        parts = plan(built._spec).parts
        assert [part.optional for part in parts if isinstance(part, EntityColumns)] == [False, missing]


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: query(Author).join(Article),
            r"join\(Article\) to a query of Author: Article\.author and Article\.editor both lead .*\nHint: say how",
        ),
        (lambda: query(Author).join(Tag), r"join\(Tag\) to a query of Author: no relation leads .*\nHint: say how"),
        (lambda: query(Author).join(alias(Author)), r"join\(Author\) to a query of Author: no relation leads"),
        (lambda: query(Author).join(Author), r"the query of Author reads Author already\nHint: other = al"),
        (
            lambda: query(Country).join(Author).join(Author, Author.id == 1),
            r"the query of Country reads Author already\nHint: other = alias\(Model\) gives it",
        ),
        (
            lambda: query(Article).join(Article.author, Article.author.name == "x"),
            r"join\(Article\.author\) follows a relation, which has its condition\nHint: use \.filter",
        ),
        (
            lambda: query(Author).join(Article.author),
            r"join\(Article\.author\) follows a relation of something that the query of Author does not read\nHint: ",
        ),
        (lambda: query(Author).join(alias(Article).editor), r"of something that the query of Author does not read"),
    ],
)
def test_a_join_that_makes_no_sense(build: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        build()


def test_an_alias_is_read_once() -> None:
    other = alias(Author)
    joined = query(Author).join(other, other.id == Author.id)
    with pytest.raises(QueryError, match=r"reads alias\(Author\) already\nHint: other = alias\(Model\)"):
        joined.outer_join(other, other.name == Author.name)


@pytest.mark.parametrize("target", [None, "author", 3, int, Author.name, Author.articles, object(), query(Author)])
def test_only_what_has_rows_is_joined(target: Any) -> None:
    with pytest.raises(WrongType, match=r"join\(\) cannot join .*\nHint: "):
        query(Article).join(target, Article.id == 1)


@pytest.mark.parametrize("condition", [True, None, "x", Author.name, Author, 3])
def test_a_joins_condition_is_one(condition: Any) -> None:
    with pytest.raises(WrongType, match=r"not a condition"):
        query(Author).join(Article, condition)


@pytest.mark.parametrize(
    "built",
    [
        query(Author).filter(Article.views > 3),
        query(Author).values(alias(Author).name),
        query(Author).order_by(Tag.name),
        query(Author).join(Article, alias(Tag).id == Article.id).scalars(Author.id),
        query(Author).values(Article),
        query(Author).filter(alias(Article).author.name == "x"),
    ],
)
def test_a_column_of_something_that_is_not_read(built: Any) -> None:
    for database in ("postgresql", "sqlite"):
        with pytest.raises(QueryError, match=r"belongs to a table that the query does not read\nHint: start from its"):
            sql(built, database)


def test_a_joins_condition_reads_what_was_joined_before_it() -> None:
    first, second = alias(Article), alias(Article)
    built = query(Author).join(first, first.id == second.id).join(second, second.author.id == Author.id)
    with pytest.raises(QueryError, match=r"does not read\nHint: .* or \.join\(\.\.\.\) it before what reads it"):
        sql(built.scalars(Author.id))


@pytest.mark.parametrize("model", [None, 3, "Author", int, Author.name, Author.articles, Article.author, object()])
def test_an_alias_is_of_a_model(model: Any) -> None:
    with pytest.raises(WrongType, match=r"is no concrete model\nHint: name the model's class: alias\(Author\)"):
        alias(model)
    with pytest.raises(WrongType, match=r"alias\(Author\) is no concrete model"):
        alias(alias(Author))


@pytest.mark.parametrize("name", ["", b"x", 3, Author, ["x"]])
def test_an_alias_has_a_name(name: Any) -> None:
    with pytest.raises(WrongType, match=r"alias\(Author, .*\): a name is a str, and not empty"):
        alias(Author, name)


def test_an_alias_is_compared_with_its_own_model() -> None:
    writer, tag = alias(Author, "writer"), alias(Tag)
    assert text(query(Article).join(writer, Article.author == writer).scalars(writer.id)).endswith(
        'JOIN "author" AS "writer" ON "writer"."id" = "articles"."author_id"'
    )
    with pytest.raises(WrongType, match=r"alias\(Tag\) is a Tag and is compared with Article\.author \(Path\)\nHint"):
        query(Article).join(tag, Article.author == tag)
