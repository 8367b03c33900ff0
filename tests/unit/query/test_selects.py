"""What is selected, in which order, and how many: the exact SQL of each form."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import Q, QueryError, UnknownName, WrongType, func
from tests.support.sql import both, last_sql, query, sql
from tests.unit.query.models import Article, Author, Country, Node, Sample, Seat, Tag, Ticket

AUTHOR = '"author"."id", "author"."name", "author"."email", "author"."age", "author"."country_id"'
ARTICLE = '"articles"."id", "articles"."title", "articles"."views", "articles"."author_id", "articles"."editor_id"'


def text(built: Any, database: str = "postgresql") -> str:
    return sql(built, database)[0]


# ------------------------------------------------------------------ rows


def test_objects_are_selected_by_their_columns() -> None:
    assert text(query(Author)) == f'SELECT {AUTHOR} FROM "author"'


def test_values_select_columns_and_expressions() -> None:
    assert text(query(Author).values(Author.name, Author.age + 1)) == (
        'SELECT "author"."name", "author"."age" + $1::bigint FROM "author"'
    )


def test_values_may_be_models_and_relations() -> None:
    assert text(query(Article).values(Article, Article.author, Article.title)) == (
        f'SELECT {ARTICLE}, {AUTHOR}, "articles"."title"'
        ' FROM "articles" JOIN "author" ON "author"."id" = "articles"."author_id"'
    )


def test_scalars_select_one() -> None:
    assert text(query(Author).scalars(Author.name)) == 'SELECT "author"."name" FROM "author"'


def test_as_dicts_selects_everything_or_what_is_named() -> None:
    assert text(query(Author).as_dicts()) == f'SELECT {AUTHOR} FROM "author"'
    assert text(query(Author).as_dicts(Author.name, (Author.age + 1).label("next"))) == (
        'SELECT "author"."name", "author"."age" + $1::bigint AS "next" FROM "author"'
    )


def test_annotate_adds_to_the_object() -> None:
    assert text(query(Author).annotate(Author.articles.count())) == (
        f'SELECT {AUTHOR}, (SELECT count(*) FROM "articles" WHERE "articles"."author_id" = "author"."id") FROM "author"'
    )


def test_distinct() -> None:
    assert text(query(Author).distinct().scalars(Author.name)) == 'SELECT DISTINCT "author"."name" FROM "author"'


def test_distinct_rows_are_ordered_by_what_they_show() -> None:
    for built in (
        query(Author).distinct().order_by(Author.name),
        query(Author).distinct().values(Author.name, (Author.age + 1).label("x")).order_by(Author.age + 1, Author.name),
    ):
        assert " ORDER BY " in text(built)
    with pytest.raises(
        QueryError, match=r"distinct rows are ordered by Author\.age, which they do not show\nHint: sel"
    ):
        sql(query(Author).distinct().order_by(Author.age).scalars(Author.name))


# ------------------------------------------------------------------ order, limit


def test_order_by_has_a_direction_and_further_calls_add_to_it() -> None:
    built = query(Author).order_by(Author.age.desc(), Author.name).order_by(Author.id.asc())
    assert text(built).endswith('ORDER BY "author"."age" DESC, "author"."name", "author"."id"')


def test_null_sorts_as_larger_than_everything_on_both() -> None:
    orders = both(query(Author).order_by(Author.email, Author.email.desc(), Author.age).scalars(Author.id))
    assert orders["postgresql"][0].endswith('ORDER BY "author"."email", "author"."email" DESC, "author"."age"')
    assert orders["sqlite"][0].endswith(
        'ORDER BY "author"."email" NULLS LAST, "author"."email" DESC NULLS FIRST, "author"."age"'
    )


def test_a_column_of_an_optional_relation_may_be_null_in_the_order() -> None:
    assert text(query(Article).order_by(Article.editor.name), "sqlite").endswith('ORDER BY "editor"."name" NULLS LAST')
    assert text(query(Article).order_by(Article.author.name), "sqlite").endswith('ORDER BY "author"."name"')


def test_decimals_are_ordered_as_numbers() -> None:
    built = query(Sample).order_by(Sample.price, (Sample.exact * 2).desc()).scalars(Sample.id)
    assert text(built, "sqlite").endswith(
        'ORDER BY "sample"."price" COLLATE cormorant_decimal,'
        ' cormorant_decimal_mul("sample"."exact", ?1) COLLATE cormorant_decimal DESC'
    )


def test_expressions_and_relations_can_be_ordered_by() -> None:
    assert text(query(Author).order_by(func.lower(Author.name))).endswith('ORDER BY lower("author"."name")')
    assert text(query(Author).order_by(func.lower(Author.name)), "sqlite").endswith(
        'ORDER BY cormorant_lower("author"."name")'
    )
    assert text(query(Article).order_by(Article.author)).endswith('ORDER BY "articles"."author_id"')
    assert text(query(Author).order_by(Author.articles.count().desc())).endswith(
        'ORDER BY (SELECT count(*) FROM "articles" WHERE "articles"."author_id" = "author"."id") DESC'
    )


def test_limit_and_offset_are_values() -> None:
    built = query(Author).filter(Author.age > 3).limit(10).offset(20)
    assert sql(built) == (f'SELECT {AUTHOR} FROM "author" WHERE "author"."age" > $1 LIMIT $2 OFFSET $3', [3, 10, 20])
    assert text(query(Author).offset(5)).endswith('"author" OFFSET $1')
    assert text(query(Author).offset(5), "sqlite").endswith('"author" LIMIT -1 OFFSET ?1')


def test_a_later_limit_replaces_the_one_before() -> None:
    assert sql(query(Author).limit(10).limit(3).scalars(Author.id)) == (
        'SELECT "author"."id" FROM "author" LIMIT $1',
        [3],
    )


# ------------------------------------------------------------------ what runs a query


async def test_first_reads_one_row() -> None:
    built = query(Author).order_by(Author.id)
    await built.first()
    assert last_sql(built)[0].endswith('ORDER BY "author"."id" LIMIT $1')
    assert last_sql(built)[1] == [1]


async def test_one_reads_two_rows() -> None:
    built = query(Author).filter(Author.id == 3)
    await built.one()
    assert last_sql(built)[1] == [3, 2]
    await query(Author).get(id=3)


async def test_a_limit_of_the_query_is_never_exceeded() -> None:
    for verb, limit, sent in (("first", 0, 0), ("one", 1, 1), ("one_or_none", 0, 0), ("first", 5, 1), ("exists", 0, 0)):
        built = query(Author).limit(limit)
        await getattr(built, verb)()
        assert last_sql(built)[1] == [sent]


async def test_last_turns_the_order_round() -> None:
    built = query(Author).order_by(Author.age.desc(), Author.name)
    await built.last()
    assert last_sql(built)[0].endswith('ORDER BY "author"."age", "author"."name" DESC LIMIT $1')
    built = query(Author)
    await built.last()
    assert last_sql(built)[0].endswith('ORDER BY "author"."id" DESC LIMIT $1')
    seats = query(Seat)
    await seats.last()
    assert last_sql(seats)[0].endswith('ORDER BY "seat"."row" DESC, "seat"."number" DESC LIMIT $1')


async def test_last_of_a_limited_query_is_refused() -> None:
    for built in (query(Author).limit(3), query(Author).offset(3)):
        with pytest.raises(QueryError, match=r"last\(\) of a query with limit or offset\nHint: turn the order round"):
            await built.last()


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (query(Author).filter(Author.age > 3), 'SELECT count(*) FROM "author" WHERE "author"."age" > $1'),
        (query(Author).order_by(Author.age), 'SELECT count(*) FROM "author"'),
        (
            query(Article).filter(Article.author.name == "x"),
            'SELECT count(*) FROM "articles" JOIN "author" ON "author"."id" = "articles"."author_id"'
            ' WHERE "author"."name" = $1',
        ),
        (
            query(Author).order_by(Author.age).limit(3),
            'SELECT count(*) FROM (SELECT 1 FROM "author" ORDER BY "author"."age" LIMIT $1) AS "counted"',
        ),
        (
            query(Author).distinct().scalars(Author.age),
            'SELECT count(*) FROM (SELECT DISTINCT "author"."age" FROM "author") AS "counted"',
        ),
        (
            query(Author).values(Author.age, func.count()).group_by(Author.age).having(func.count() > 1),
            'SELECT count(*) FROM (SELECT 1 FROM "author" GROUP BY "author"."age" HAVING count(*) > $1) AS "counted"',
        ),
        (query(Article).values(Article.author.name), 'SELECT count(*) FROM "articles"'),
        (
            query(Author).values(func.count()),
            'SELECT count(*) FROM (SELECT count(*) AS "c0" FROM "author") AS "counted"',
        ),
        (
            query(Author).values(Author.name, Author.articles.each.title),
            'SELECT count(*) FROM (SELECT "author"."name", "articles"."title" FROM "author"'
            ' LEFT JOIN "articles" ON "articles"."author_id" = "author"."id") AS "counted"',
        ),
    ],
)
async def test_count(built: Any, expected: str) -> None:
    await built.count()
    assert last_sql(built)[0] == expected


async def test_exists() -> None:
    built = query(Author).filter(Author.age > 3).order_by(Author.age)
    await built.exists()
    assert last_sql(built) == ('SELECT 1 FROM "author" WHERE "author"."age" > $1 LIMIT $2', [3, 1])


# ------------------------------------------------------------------ aggregates


async def test_aggregates_fold_all_rows() -> None:
    built = query(Sample).filter(Sample.flag)
    await built.aggregate(func.sum(Sample.small))
    assert last_sql(built)[0] == 'SELECT sum("sample"."small")::bigint FROM "sample" WHERE "sample"."flag"'
    await built.aggregate(func.avg(Sample.small), func.max(Sample.text), func.min(Sample.number))
    assert last_sql(built)[0].startswith(
        'SELECT avg("sample"."small")::double precision, max("sample"."text"), min("sample"."number") FROM'
    )


async def test_an_order_means_nothing_to_an_aggregate() -> None:
    built = query(Sample).order_by(Sample.small)
    await built.aggregate(func.count())
    assert last_sql(built)[0] == 'SELECT count(*) FROM "sample"'


@pytest.mark.parametrize(
    "built",
    [query(Sample).limit(3), query(Sample).offset(3), query(Sample).distinct(), query(Sample).group_by(Sample.id)],
)
async def test_an_aggregate_of_a_part_of_the_rows_is_refused(built: Any) -> None:
    with pytest.raises(QueryError, match=r"aggregate\(\) of a query with limit, offset, distinct or group_by\nHint: "):
        await built.aggregate(func.sum(Sample.small))


async def test_an_aggregate_folds() -> None:
    with pytest.raises(QueryError, match=r"Sample\.small in aggregate\(\) is no aggregate\nHint: .*func\.max"):
        await query(Sample).aggregate(Sample.small)


@pytest.mark.parametrize(
    ("expr", "postgresql", "sqlite"),
    [
        (func.count(Sample.maybe), 'count("sample"."maybe")', None),
        (func.count(Sample.text, distinct=True), 'count(DISTINCT "sample"."text")', None),
        (func.sum(Sample.number), 'sum("sample"."number")', None),
        (func.sum(Sample.price), 'sum("sample"."price")', 'cormorant_decimal_sum("sample"."price")'),
        (func.avg(Sample.price), 'avg("sample"."price")', 'cormorant_decimal_avg("sample"."price")'),
        (func.max(Sample.price), 'max("sample"."price")', 'max("sample"."price" COLLATE cormorant_decimal)'),
        (func.abs(Sample.small), 'abs("sample"."small")', None),
        (func.abs(Sample.price), 'abs("sample"."price")', """ltrim("sample"."price", '-')"""),
        (func.upper(Sample.text), 'upper("sample"."text")', 'cormorant_upper("sample"."text")'),
        (func.length(Sample.text), 'length("sample"."text")', None),
        (func.coalesce(Sample.note, "x"), 'coalesce("sample"."note", $1::text)', 'coalesce("sample"."note", ?1)'),
        (
            func.call("left", Sample.text, 3, returns=str),
            'left("sample"."text", $1::integer)',
            'left("sample"."text", ?1)',
        ),
        (func.call("pg_catalog.upper", Sample.text, returns=str), 'pg_catalog.upper("sample"."text")', None),
    ],
)
def test_functions(expr: Any, postgresql: str, sqlite: str | None) -> None:
    built = query(Sample).scalars(expr)
    assert text(built) == f'SELECT {postgresql} FROM "sample"'
    assert text(built, "sqlite") == f'SELECT {sqlite or postgresql} FROM "sample"'


def test_now_is_the_same_form_on_sqlite_as_a_stored_moment() -> None:
    assert text(query(Sample).scalars(func.now())) == 'SELECT now() FROM "sample"'
    assert text(query(Sample).filter(Sample.moment < func.now()), "sqlite").endswith(
        """"sample"."moment" < strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'"""
    )


@pytest.mark.parametrize("name", ["", "a b", "a;b", "drop table", "é", 'a"b', "1a", "a("])
def test_a_function_has_a_plain_name(name: str) -> None:
    with pytest.raises(QueryError, match="is no function name"):
        func.call(name, returns=int)


def test_counting_nothing_distinct_is_refused() -> None:
    with pytest.raises(QueryError, match=r"count\(distinct=True\) of nothing\nHint: "):
        func.count(distinct=True)


# ------------------------------------------------------------------ groups


def test_group_by_and_having() -> None:
    built = (
        query(Article)
        .values(Article.author.name, func.count(), func.sum(Article.views))
        .group_by(Article.author.name)
        .having(func.count() > 3, Article.author.name != "x")
        .order_by(func.count().desc())
    )
    assert sql(built) == (
        'SELECT "author"."name", count(*), sum("articles"."views")::bigint'
        ' FROM "articles" JOIN "author" ON "author"."id" = "articles"."author_id"'
        ' GROUP BY "author"."name" HAVING count(*) > $1 AND "author"."name" <> $2 ORDER BY count(*) DESC',
        [3, "x"],
    )


def test_equal_values_are_one_parameter_where_rows_are_folded() -> None:
    built = query(Author).values(func.count(), (Author.age * 2).label("x")).group_by(Author.age * 2)
    assert sql(built) == (
        'SELECT count(*), "author"."age" * $1::bigint AS "x" FROM "author" GROUP BY "author"."age" * $1::bigint',
        [2],
    )
    assert sql(built.having(Author.age * 2 > 3).order_by((Author.age * 2).desc())) == (
        'SELECT count(*), "author"."age" * $1::bigint AS "x" FROM "author" GROUP BY "author"."age" * $1::bigint'
        ' HAVING ("author"."age" * $1::bigint) > $2 ORDER BY "author"."age" * $1::bigint DESC',
        [2, 3],
    )
    assert sql(query(Author).distinct().order_by(Author.age * 2).scalars(Author.age * 2)) == (
        'SELECT DISTINCT "author"."age" * $1::bigint FROM "author" ORDER BY "author"."age" * $1::bigint',
        [2],
    )


def test_a_plan_is_of_these_values_where_they_decide_what_is_the_same() -> None:
    def grouped(selected: int, by: int) -> tuple[str, list[Any]]:
        return sql(query(Author).values(Author.age * selected, func.count()).group_by(Author.age * by))

    assert grouped(2, 2)[1] == [2]
    with pytest.raises(QueryError, match="is read from groups"):
        grouped(2, 3)
    assert grouped(3, 3)[1] == [3]


def test_what_is_searched_for_is_never_another_value() -> None:
    built = (
        query(Author).values(Author.name + "a", func.count()).group_by(Author.name).having(Author.name.contains("a"))
    )
    assert sql(built)[1] == ["a", "%a%"]


def test_a_relation_is_grouped_by_its_key() -> None:
    assert text(query(Article).values(Article.author.id, func.count()).group_by(Article.author)) == (
        'SELECT "articles"."author_id", count(*) FROM "articles" GROUP BY "articles"."author_id"'
    )


def test_a_model_can_be_grouped_with_its_key() -> None:
    built = query(Author).values(Author.name, func.count(Author.articles.each.id)).group_by(Author.id)
    assert text(built) == (
        'SELECT "author"."name", count("articles"."id") FROM "author"'
        ' LEFT JOIN "articles" ON "articles"."author_id" = "author"."id" GROUP BY "author"."id"'
    )


@pytest.mark.parametrize(
    ("built", "named"),
    [
        (query(Author).values(Author.name, func.count()), "Author.name"),
        (query(Author).values(Author.name, func.count()).group_by(Author.age), "Author.name"),
        (query(Author).group_by(Author.age), "Author.id"),
        (query(Author).values(Author.age).group_by(Author.age).order_by(Author.name), "Author.name"),
        (query(Author).values(Author.age).group_by(Author.age).having(Author.name == "x"), "Author.name"),
        (query(Article).values(Article.author.name, func.count()).group_by(Article.editor), "Author.name"),
        (query(Author).values(Author.articles.count(), func.count()), "ScalarSelect"),
    ],
)
def test_what_is_not_one_for_a_group_must_be_grouped_by(built: Any, named: str) -> None:
    with pytest.raises(
        QueryError, match=rf"({named}).* is read from groups without being grouped by\nHint: add \.group"
    ):
        sql(built)


def test_what_is_one_for_a_group_can_be_read() -> None:
    for built in (
        query(Author).group_by(Author.id).order_by(Author.name),
        query(Author)
        .values(func.lower(Author.name), func.count())
        .group_by(Author.name)
        .order_by(func.max(Author.age)),
        query(Author).values(func.lower(Author.name), func.count()).group_by(func.lower(Author.name)),
        query(Author).values((Author.age + 1).label("x"), func.count()).group_by((Author.age + 1).label("x")),
        query(Author).values(Author.id, Author.articles.count(), func.count()).group_by(Author.id),
        query(Author).values(func.count() + 1, func.coalesce(func.max(Author.age), 0)),
    ):
        assert sql(built)


# ------------------------------------------------------------------ relations


def test_a_required_relation_joins_and_an_optional_one_joins_left() -> None:
    built = query(Article).filter(
        Article.author.name == "a", (Article.editor.name == "b") | (Article.views > 3), Article.author.age > 3
    )
    assert text(built).partition(" FROM ")[2] == (
        '"articles" JOIN "author" ON "author"."id" = "articles"."author_id"'
        ' LEFT JOIN "author" AS "editor" ON "editor"."id" = "articles"."editor_id"'
        ' WHERE "author"."name" = $1 AND ("editor"."name" = $2 OR "articles"."views" > $3) AND "author"."age" > $4'
    )


def test_an_optional_relation_that_a_condition_needs_joins_like_a_required_one() -> None:
    built = query(Article).filter(Article.editor.name == "b", Article.editor.age.is_not_null())
    assert text(built).partition(" FROM ")[2].startswith('"articles" JOIN "author" AS "editor" ON')
    for kept in (
        Article.editor.age.is_null(),
        ~(Article.editor.name == "b"),
        func.coalesce(Article.editor.name, "") == "",
    ):
        assert '"articles" LEFT JOIN "author" AS "editor" ON' in text(query(Article).filter(kept))


def test_what_hangs_on_an_optional_relation_joins_left_too() -> None:
    built = query(Node).order_by(Node.parent.parent.name).scalars(Node.id)
    assert text(built).count("LEFT JOIN") == 2


def test_the_key_of_a_relation_needs_no_join() -> None:
    assert "JOIN" not in text(query(Article).filter(Article.author.id == 3).order_by(Article.editor.id))
    assert text(query(Article).filter(Article.author.country.code == "DE")).count("JOIN") == 1
    assert "JOIN" not in text(query(Ticket).filter(Ticket.seat.row == 3, Ticket.seat.number == 4))


def test_joins_come_once_from_wherever_they_are_implied() -> None:
    built = (
        query(Article)
        .values(Article.author.name, func.count())
        .filter(Article.author.age > 3)
        .group_by(Article.author.name)
        .order_by(Article.author.name)
    )
    assert text(built).count("JOIN") == 1


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Author.articles.any(), 'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id")'),
        (
            Author.articles.any(Article.views > 3, Article.title == "x"),
            'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id"'
            ' AND "articles"."views" > $1 AND "articles"."title" = $2)',
        ),
        (
            Author.articles.none(Article.views > 3),
            'NOT (EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id"'
            ' AND "articles"."views" > $1))',
        ),
        (
            Author.articles.every(Article.views > 3),
            'NOT (EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id"'
            ' AND NOT ("articles"."views" > $1)))',
        ),
        (
            Author.articles.every(Article.editor.name == "x"),
            'NOT (EXISTS (SELECT 1 FROM "articles" LEFT JOIN "author" AS "editor" ON "editor"."id" ='
            ' "articles"."editor_id" WHERE "articles"."author_id" = "author"."id"'
            ' AND ("editor"."name" = $1) IS NOT TRUE))',
        ),
        (
            Author.articles.count(Article.views > 3) > 5,
            '(SELECT count(*) FROM "articles" WHERE "articles"."author_id" = "author"."id" AND "articles"."views" > $1)'
            " > $2",
        ),
        (
            Author.articles.any(Article.author.name == "x"),
            'EXISTS (SELECT 1 FROM "articles" JOIN "author" AS "author_2" ON "author_2"."id" = "articles"."author_id"'
            ' WHERE "articles"."author_id" = "author"."id" AND "author_2"."name" = $1)',
        ),
        (
            Author.articles.any(Article.tags.any(Tag.name == "x")),
            'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id"'
            ' AND EXISTS (SELECT 1 FROM "tag" JOIN "articles_tags" AS "tags_link" ON "tags_link"."tag_id" = "tag"."id"'
            ' WHERE "tags_link"."article_id" = "articles"."id" AND "tag"."name" = $1))',
        ),
        (
            Author.articles.any(Article.title == Author.name),
            'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id"'
            ' AND "articles"."title" = "author"."name")',
        ),
        (
            Author.articles.any(Author.country.name == "x"),
            'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id" AND "country"."name" = $1)',
        ),
    ],
)
def test_relations_to_many(condition: Any, expected: str) -> None:
    assert text(query(Author).filter(condition)).partition(" WHERE ")[2] == expected


def test_a_condition_of_the_outer_query_joins_in_the_outer_query() -> None:
    built = query(Author).filter(Author.articles.any(Author.country.name == "x"))
    assert (
        text(built)
        .partition(" WHERE ")[0]
        .endswith('FROM "author" LEFT JOIN "country" ON "country"."code" = "author"."country_id"')
    )


def test_a_relation_to_many_beyond_one_to_one() -> None:
    assert text(query(Article).filter(Article.author.articles.any(Article.views > 3))).partition(" FROM ")[2] == (
        '"articles" WHERE EXISTS (SELECT 1 FROM "articles" AS "articles_2"'
        ' WHERE "articles_2"."author_id" = "articles"."author_id"'
        ' AND "articles_2"."views" > $1)'
    )


def test_each_makes_a_row_of_every_pair() -> None:
    assert text(query(Author).values(Author.name, Author.articles.each.title)) == (
        'SELECT "author"."name", "articles"."title" FROM "author"'
        ' LEFT JOIN "articles" ON "articles"."author_id" = "author"."id"'
    )
    assert text(query(Article).values(Article.title, Article.tags.each.name)) == (
        'SELECT "articles"."title", "tags_link__tags"."name" FROM "articles"'
        ' LEFT JOIN "articles_tags" AS "tags_link" ON "tags_link"."article_id" = "articles"."id"'
        ' LEFT JOIN "tag" AS "tags_link__tags" ON "tags_link__tags"."id" = "tags_link"."tag_id"'
    )


def test_a_relation_to_many_stands_for_nothing_by_itself() -> None:
    for build in (
        lambda: query(Author).filter(Author.articles),
        lambda: query(Author).order_by(Author.articles),
        lambda: query(Author).filter(Author.articles == 3),
    ):
        with pytest.raises(QueryError, match=r"Author\.articles is a relation to many.*\nHint: use \.any\(\.\.\.\)"):
            sql(build())


def test_composite_keys_are_linked_column_by_column() -> None:
    assert text(query(Seat).filter(Seat.tickets.any())).partition(" WHERE ")[2] == (
        'EXISTS (SELECT 1 FROM "ticket" WHERE "ticket"."seat_row" = "seat"."row"'
        ' AND "ticket"."seat_number" = "seat"."number")'
    )
    joined = text(query(Ticket).filter(Ticket.seat.taken)).partition(" FROM ")[2]
    assert joined == (
        '"ticket" LEFT JOIN "seat" ON "seat"."row" = "ticket"."seat_row" AND "seat"."number" = "ticket"."seat_number"'
        ' WHERE "seat"."taken"'
    )


# ------------------------------------------------------------------ inner queries


def test_in_takes_a_query_of_one_column() -> None:
    codes = query(Country).filter(Country.name.startswith("G")).scalars(Country.code)
    assert sql(query(Author).filter(Author.country.code.in_(codes), Author.age > 3)) == (
        f'SELECT {AUTHOR} FROM "author" WHERE "author"."country_id" IN'
        ' (SELECT "country"."code" FROM "country" WHERE "country"."name" LIKE $1) AND "author"."age" > $2',
        ["G%", 3],
    )


def test_a_query_of_the_same_table_has_a_name_of_its_own() -> None:
    parents = query(Node).filter(Node.name == "x").scalars(Node.id)
    assert text(query(Node).filter(Node.parent.id.in_(parents))).partition(" WHERE ")[2] == (
        '"node"."parent_id" IN (SELECT "node_2"."id" FROM "node" AS "node_2" WHERE "node_2"."name" = $1)'
    )


@pytest.mark.parametrize(
    "inner", [query(Country), query(Country).values(Country.code, Country.name), query(Country).as_dicts()]
)
def test_in_refuses_a_query_of_several_columns(inner: Any) -> None:
    with pytest.raises(
        QueryError, match=r"in_\(\) takes a query of one column, not of 2\nHint: .*\.scalars\(Model\.id\)"
    ):
        query(Author).filter(Author.name.in_(inner))


def test_a_relation_among_a_query_says_how_to_write_it() -> None:
    with pytest.raises(WrongType, match=r"Author\.country\.in_\(\) takes objects\nHint: .*\.in_\(query\.scalars"):
        query(Author).filter(Author.country.in_(query(Country)))


# ------------------------------------------------------------------ writes


async def test_update_sets_values_and_expressions() -> None:
    built = query(Article).filter(Article.views == 0)
    await built.update(Article.views.set(Article.views + 1), Article.title.set("x"), Article.editor_id.set(None))  # type: ignore[attr-defined]
    assert last_sql(built) == (
        'UPDATE "articles" SET "views" = "articles"."views" + $1::bigint, "title" = $2::text, "editor_id" = NULL'
        ' WHERE "articles"."views" = $3',
        [1, "x", 0],
    )


async def test_update_rounds_as_the_column_does() -> None:
    built = query(Sample)
    await built.update(Sample.price.set(Sample.price * 2))
    assert last_sql(built, "sqlite")[0] == (
        'UPDATE "sample" SET "price" = cormorant_fit_decimal((cormorant_decimal_mul("sample"."price", ?1)), 10, 2)'
    )


async def test_delete() -> None:
    built = query(Article).filter(Q(views=0) | Q(title="x"))
    await built.delete()
    assert last_sql(built) == (
        'DELETE FROM "articles" WHERE ("articles"."views" = $1 OR "articles"."title" = $2)',
        [0, "x"],
    )


async def test_writes_along_relations_find_their_rows_by_key() -> None:
    built = query(Article).filter(Article.author.name == "x")
    await built.delete()
    assert last_sql(built)[0] == (
        'DELETE FROM "articles" WHERE "articles"."id" IN (SELECT "articles_2"."id" FROM "articles" AS "articles_2"'
        ' JOIN "author" ON "author"."id" = "articles_2"."author_id" WHERE "author"."name" = $1)'
    )
    await built.update(Article.views.set(0))
    assert last_sql(built)[0].startswith('UPDATE "articles" SET "views" = $1::integer WHERE "articles"."id" IN (SELECT')


async def test_writes_over_relations_to_many() -> None:
    built = query(Article).filter(tags__name="x")
    await built.delete()
    assert last_sql(built)[0].startswith('DELETE FROM "articles" WHERE EXISTS (SELECT 1 FROM "tag" JOIN')


async def test_writes_refuse_what_they_cannot_keep() -> None:
    for built in (query(Article).limit(1), query(Article).offset(1), query(Article).distinct()):
        await built.delete()
        with pytest.raises(
            QueryError, match=r"delete\(\) of Article has (limit|offset|distinct), which .* cannot have\nHint"
        ):
            last_sql(built)
    with pytest.raises(QueryError, match=r"update\(\) has nothing to set\nHint: pass Model\.column\.set\(value\)"):
        await query(Article).update()
    with pytest.raises(
        WrongType, match=r"update\(\) takes assignments, not \{'views': 3\}\nHint: use Model\.column\.set"
    ):
        await query(Article).update({"views": 3})  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=r"Author\.name is not a column of Article"):
        await query(Article).update(Author.name.set("x"))
    with pytest.raises(QueryError, match=r"Author\.name is not a column of Article"):
        await query(Article).update(Article.author.name.set("x"))


@pytest.mark.parametrize(
    ("assign", "message"),
    [
        (lambda: Article.views.set("x"), r"Article\.views: 'x' \(str\) is not an int"),
        (lambda: Article.views.set(None), r"Article\.views takes no None"),
        (lambda: Article.title.set("x" * 101), r"Article\.title: has 101 characters, and at most 100 fit"),
        (lambda: Sample.price.set(10**9), r"Sample\.price: 1000000000 does not fit 10 digits with 2 decimal places"),
        (
            lambda: Article.views.set(Article.title),
            r"Article\.views is integer and is .* Article\.title, which is text",
        ),
    ],
)
def test_an_assignment_fits_its_column(assign: Any, message: str) -> None:
    with pytest.raises(WrongType, match=message):
        assign()


def test_what_holds_of_related_objects_may_be_a_q() -> None:
    either = Q(views__gt=3) | Q(title="x")
    same = (Article.views > 3) | (Article.title == "x")
    for asked in ("any", "none", "every", "count"):
        by_name = query(Author).scalars(getattr(Author.articles, asked)(either))
        assert sql(by_name) == sql(query(Author).scalars(getattr(Author.articles, asked)(same)))
    with pytest.raises(UnknownName, match="Article has no column or relation 'names'"):
        Author.articles.any(Q(names=3))
