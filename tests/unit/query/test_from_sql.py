"""Queries whose objects come from a SELECT of the developer's own."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import QueryError, Scope, WrongType, func, text
from cormorant.models.scopes import Scopes
from tests.support.sql import both, query, sql
from tests.unit.query.models import Article, Author, Tag

HEAVY = "select * from tag where weight > :least"


def test_it_stands_in_the_place_of_the_table() -> None:
    built = query(Tag).from_sql(HEAVY, {"least": 3}).filter(Tag.name == "x").order_by(Tag.id).limit(5)
    assert both(built) == {
        "postgresql": (
            'SELECT "tag"."id", "tag"."name", "tag"."weight" '
            'FROM (select * from tag where weight > $1::integer) AS "tag" '
            'WHERE "tag"."name" = $2 ORDER BY "tag"."id" LIMIT $3',
            [3, "x", 5],
        ),
        "sqlite": (
            'SELECT "tag"."id", "tag"."name", "tag"."weight" '
            'FROM (select * from tag where weight > ?1) AS "tag" '
            'WHERE "tag"."name" = ?2 ORDER BY "tag"."id" LIMIT ?3',
            [3, "x", 5],
        ),
    }


def test_a_parameter_that_stands_twice_is_sent_once() -> None:
    built = query(Tag).from_sql(
        "select * from tag where weight > :n or weight < -:n and name <> :x", {"n": 3, "x": "y"}
    )
    assert sql(built)[0].endswith(
        'FROM (select * from tag where weight > $1::integer or weight < -$1::integer and name <> $2::text) AS "tag"'
    )
    assert sql(built)[1] == [3, "y"]


def test_relations_are_joined_to_it() -> None:
    raw = query(Article).from_sql("select * from articles")
    joined = 'FROM (select * from articles) AS "articles" JOIN "author" ON "author"."id" = "articles"."author_id"'
    assert joined in sql(raw.filter(Article.author.name == "Ada"))[0]
    assert joined in sql(raw.select_related(Article.author))[0]
    assert sql(raw.values(Article.author.name).distinct())[0] == f'SELECT DISTINCT "author"."name" {joined}'
    any_tag = raw.filter(Article.tags.any(Tag.name == "x"))
    assert '"articles"."id"' in sql(any_tag)[0].partition("EXISTS")[2]


def test_it_is_counted_grouped_and_put_into_others() -> None:
    raw = query(Article).from_sql("select * from articles")
    counted = raw._spec.changed(("count",), (), mode="count")
    assert sql(counted)[0] == 'SELECT count(*) FROM (select * from articles) AS "articles"'
    grouped = raw.values(Article.views, func.count()).group_by(Article.views)
    assert sql(grouped)[0].endswith('FROM (select * from articles) AS "articles" GROUP BY "articles"."views"')
    inside = query(Author).filter(Author.id.in_(raw.scalars(Article.author.id)))
    assert sql(inside)[0].endswith('IN (SELECT "articles"."author_id" FROM (select * from articles) AS "articles")')
    both_sides = raw.union(query(Article))
    assert sql(both_sides)[0].count('FROM (select * from articles) AS "articles"') == 1


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("select * from tag;", "select * from tag"),
        (" select * from tag ; \n", " select * from tag "),
        ("select * from tag -- all", "select * from tag -- all\n"),
        ("select * from tag; -- all", "select * from tag"),
        ("/* ; */ select * from tag where name = ';'", "/* ; */ select * from tag where name = ';'"),
        ("SELECT * FROM tag WHERE name = ':no'", "SELECT * FROM tag WHERE name = ':no'"),
        ("with t as (select 1) select * from tag", "with t as (select 1) select * from tag"),
        ("values (1, 'a', 2)", "values (1, 'a', 2)"),
        ("select *, 'delete from x' from tag", "select *, 'delete from x' from tag"),
        ('select last_update as "update" from tag', 'select last_update as "update" from tag'),
        ("select * from tag where weight > 1 :: int", "select * from tag where weight > 1 :: int"),
    ],
)
def test_one_select(written: Any, sent: str) -> None:
    assert sql(query(Tag).from_sql(written))[0].partition(" FROM ")[2] == f'({sent}) AS "tag"'
    assert sql(query(Tag).from_sql(text(written)))[0].partition(" FROM ")[2] == f'({sent}) AS "tag"'


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("select * from tag; select 1", "takes one statement"),
        ("select * from tag; drop table tag;", "takes one statement"),
        ("", "takes a SELECT"),
        ("   -- nothing", "takes a SELECT"),
        ("delete from tag returning *", "takes a SELECT"),
        ("update tag set name = 'x' returning *", "takes a SELECT"),
        ("with gone as (delete from tag returning *) select * from gone", "takes a SELECT"),
        ("with w as (insert into tag values (1) returning *) select * from w", "takes a SELECT"),
        ("with w as (update only tag as t set name = 'x' returning *) select * from w", "takes a SELECT"),
        ("explain select * from tag", "takes a SELECT"),
        ("drop table tag", "takes a SELECT"),
        ("select * from tag for update", "locks nothing"),
        ("select * from tag for no key update", "locks nothing"),
    ],
)
def test_what_is_no_select(written: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        query(Tag).from_sql(written)
    assert caught.value.hint is not None


@pytest.mark.parametrize("params", [{}, {"least": 1, "most": 2}, {"lesat": 1}])
def test_parameters_that_do_not_fit(params: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match="the statement has"):
        query(Tag).from_sql(HEAVY, params)


@pytest.mark.parametrize("params", [[1], (1,), "least", 3])
def test_parameters_are_given_by_name(params: Any) -> None:
    with pytest.raises(WrongType, match="parameters are given by name"):
        query(Tag).from_sql(HEAVY, params)


def test_values_are_checked() -> None:
    with pytest.raises(WrongType, match="the parameter :least: a text with the character NUL"):
        query(Tag).from_sql(HEAVY, {"least": "\0"})


@pytest.mark.parametrize("written", [None, 3, b"select 1", Tag, query(Tag)])
def test_what_is_no_sql(written: Any) -> None:
    with pytest.raises(WrongType, match=r"from_sql\(\) takes SQL"):
        query(Tag).from_sql(written)


async def test_a_second_source_and_writes_are_refused() -> None:
    raw = query(Tag).from_sql("select * from tag")
    for built in (raw, query(Tag).union(query(Tag))):
        with pytest.raises(QueryError, match="has a source already"):
            built.from_sql("select * from tag")
    with pytest.raises(QueryError, match=r"\(\) of SQL of your own"):
        sql(raw._spec.changed(("delete",), (), mode="delete"))


def test_plans_are_told_apart_by_the_text_and_the_types() -> None:
    built = [
        query(Tag),
        query(Tag).from_sql("select * from tag"),
        query(Tag).from_sql("select * from tag where true"),
        query(Tag).from_sql(HEAVY, {"least": 1}),
        query(Tag).from_sql(HEAVY, {"least": 1.5}),
    ]
    assert len({one._spec.cache_key for one in built}) == len(built)
    again = query(Tag).from_sql(HEAVY, {"least": 2})
    assert again._spec.cache_key == built[3]._spec.cache_key


def test_default_scopes_hold_for_it() -> None:
    scopes = Scopes([Scope(Tag, lambda tag: tag.weight > 0, name="heavy")])
    built = query(Tag).from_sql("select * from tag")._spec.scoped(scopes)
    assert sql(built)[0].endswith('FROM (select * from tag) AS "tag" WHERE "tag"."weight" > $1')
