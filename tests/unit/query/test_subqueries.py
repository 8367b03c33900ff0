"""Queries inside other queries, in FROM, in WITH, as conditions and as values: the exact SQL of each form."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import CompileError, Cte, QueryError, Subquery, UnknownName, WrongType, alias, exists, func, literal
from tests.support.sql import both, query, sql
from tests.unit.query.models import Article, Author, Country, Node, Sample, Tag

TOTAL = func.max(Article.views).label("total")


def text(built: Any, database: str = "postgresql") -> str:
    return sql(built, database)[0]


def per_author(name: str | None = None) -> Subquery:
    rows = query(Article).filter(Article.views > 3).values(Article.author.id, TOTAL)
    return rows.group_by(Article.author.id).subquery(name)


INNER = (
    'SELECT "articles"."author_id", max("articles"."views") AS "total" FROM "articles"'
    ' WHERE "articles"."views" > $1 GROUP BY "articles"."author_id"'
)


# ------------------------------------------------------------------ in FROM


def test_a_subquery_is_joined_and_read_by_what_it_selects() -> None:
    per = per_author("per")
    built = query(Author).join(per, per[Article.author.id] == Author.id).filter(Author.age > 1)
    assert sql(built.values(Author.name, per[TOTAL])) == (
        f'SELECT "author"."name", "per"."total" FROM "author" JOIN ({INNER}) AS "per"'
        ' ON "per"."author_id" = "author"."id" WHERE "author"."age" > $2',
        [3, 1],
    )


def test_a_subquery_without_a_name_has_one() -> None:
    per = per_author()
    assert text(query(Author).outer_join(per, per[TOTAL] > 1).scalars(per[TOTAL])) == (
        f'SELECT "subquery"."total" FROM "author" LEFT JOIN ({INNER}) AS "subquery" ON "subquery"."total" > $2'
    )


def test_what_a_subquery_selects_is_found_with_and_without_its_label_and_by_its_relation() -> None:
    per = per_author("per")
    for asked in (Article.author.id, Article.author):
        assert per[asked] is per.columns[0]  # type: ignore[index]
    for again in (TOTAL, func.max(Article.views), func.max(Article.views).label("total")):
        assert per[again] is per.columns[1]
    doubled = query(Author).values(Author.age * 2, Author.age * 3).subquery()
    assert [doubled[Author.age * 3], doubled[Author.age * 2]] == [*reversed(doubled.columns)]


@pytest.mark.parametrize(
    "asked", [Author.name, func.max(Article.id), TOTAL * 2, Article.views, "total", None, 3, Author]
)
def test_what_a_subquery_does_not_select(asked: Any) -> None:
    with pytest.raises(UnknownName, match=r"'per' does not select .*\nHint: it has author_id, total"):
        per_author("per")[asked]


def test_a_subquery_may_be_joined_twice_under_another_name() -> None:
    per = per_author("per")
    other, third = per.alias(), per.alias("third")
    built = query(Author).join(per, per[TOTAL] > 1).join(other, other[TOTAL] < per[TOTAL]).join(third, third[TOTAL] > 2)
    assert sql(built.scalars(third[Article.author.id])) == (
        f'SELECT "third"."author_id" FROM "author" JOIN ({INNER}) AS "per" ON "per"."total" > $2'
        f' JOIN ({INNER}) AS "per_2" ON "per_2"."total" < "per"."total"'
        f' JOIN ({INNER}) AS "third" ON "third"."total" > $3',
        [3, 1, 2],
    )
    with pytest.raises(QueryError, match=r"reads <Subquery per: .*> already\nHint: other = subquery\.alias\(\)"):
        built.join(per, per[TOTAL] > 3)


def test_columns_of_a_subquery_have_names_of_their_own() -> None:
    inner = query(Article).values(
        Article.id.label("c3"),
        Article.author.id,
        Article.id,
        func.count(),
        (Article.views + 1).label("ID"),
        Article.views,
    )
    sub = inner.group_by(Article.id).subquery("s")
    assert [column.name for column in sub.columns] == ["c3", "author_id", "id", "c3_2", "c4", "views"]
    assert text(query(Tag).join(sub, sub[func.count()] == Tag.id).scalars(sub[Article.views])) == (
        'SELECT "s"."views" FROM "tag" JOIN (SELECT "articles"."id" AS "c3", "articles"."author_id", "articles"."id",'
        ' count(*) AS "c3_2", "articles"."views" + $1::bigint AS "c4", "articles"."views" FROM "articles"'
        ' GROUP BY "articles"."id") AS "s" ON "s"."c3_2" = "tag"."id"'
    )


def test_a_subquery_of_objects_shows_their_columns() -> None:
    sub = query(Article).filter(Article.views > 3).order_by(Article.id).limit(2).subquery("few")
    built = query(Author).join(sub, sub[Article.author.id] == Author.id)
    assert sql(built.scalars(sub[Article.title])) == (
        'SELECT "few"."title" FROM "author" JOIN (SELECT "articles"."id", "articles"."title", "articles"."views",'
        ' "articles"."author_id", "articles"."editor_id" FROM "articles" WHERE "articles"."views" > $1'
        ' ORDER BY "articles"."id" LIMIT $2) AS "few" ON "few"."author_id" = "author"."id"',
        [3, 2],
    )


def test_subqueries_of_subqueries() -> None:
    inner = query(Article).values(Article.author.id, TOTAL).group_by(Article.author.id).subquery("inner_one")
    outer = query(Author).join(inner, inner[Article.author.id] == Author.id)
    sub = outer.values(Author.country.code, inner[TOTAL]).subquery("outer_one")
    assert text(query(Country).join(sub, sub[Author.country.code] == Country.code).scalars(sub[inner[TOTAL]])) == (
        'SELECT "outer_one"."total" FROM "country" JOIN (SELECT "author"."country_id", "inner_one"."total" FROM'
        ' "author"'
        ' JOIN (SELECT "articles"."author_id", max("articles"."views") AS "total" FROM "articles"'
        ' GROUP BY "articles"."author_id") AS "inner_one" ON "inner_one"."author_id" = "author"."id") AS "outer_one"'
        ' ON "outer_one"."country_id" = "country"."code"'
    )


def test_a_subquery_does_not_see_what_stands_beside_it() -> None:
    sub = query(Author).values(Author.id, Author.name).subquery("author")
    assert text(query(Author).join(sub, sub[Author.id] == Author.id).scalars(sub[Author.name])) == (
        'SELECT "author_2"."name" FROM "author" JOIN (SELECT "author"."id", "author"."name" FROM "author") AS'
        ' "author_2"'
        ' ON "author_2"."id" = "author"."id"'
    )
    correlated = query(Article).filter(Article.author.id == Author.id).scalars(Article.id).subquery("s")
    with pytest.raises(QueryError, match="belongs to a table that the query does not read"):
        sql(query(Author).join(correlated, correlated[Article.id] == Author.id))


def test_what_may_be_missing_inside_may_be_missing_outside() -> None:
    titles = query(Author).outer_join(Article, Article.author.id == Author.id).values(Author.id, Article.title)
    sub = titles.subquery("titles")
    built = query(Country).join(sub, sub[Author.id] > 1)
    assert text(built.order_by(sub[Article.title], sub[Author.id]).scalars(Country.code), "sqlite").endswith(
        ' ORDER BY "titles"."title" NULLS LAST, "titles"."id"'
    )
    assert text(built.exclude(sub[Article.title] == "x").scalars(Country.code)).endswith(
        ' WHERE ("titles"."title" = $2) IS NOT TRUE'
    )
    assert text(built.exclude(sub[Author.id] == 3).scalars(Country.code)).endswith(' WHERE NOT ("titles"."id" = $2)')
    outer = query(Country).outer_join(sub, sub[Author.id] > 1)
    assert text(outer.order_by(sub[Author.id]).scalars(Country.code), "sqlite").endswith('"titles"."id" NULLS LAST')


def test_values_of_a_folded_subquery_are_sent_once() -> None:
    doubled = query(Article).values(Article.views * 2, func.count()).group_by(Article.views * 2).subquery("d")
    built = query(Author).filter(Author.age > 2).join(doubled, doubled[Article.views * 2] == Author.age * 2)
    assert sql(built.scalars(doubled[func.count()])) == (
        'SELECT "d"."c1" FROM "author" JOIN (SELECT "articles"."views" * $1::bigint AS "c0", count(*) AS "c1"'
        ' FROM "articles" GROUP BY "articles"."views" * $1::bigint) AS "d" ON "d"."c0" = ("author"."age" * $2::bigint)'
        ' WHERE "author"."age" > $3',
        [2, 2, 2],
    )


def test_searches_that_rows_are_folded_by_are_sent_once() -> None:
    has = Article.title.contains
    built = query(Article).values(has("a"), has("a"), Article.title == "a", func.count()).group_by(has("a"))
    built = built.group_by(Article.title == "a").order_by(has("a")).having(has("a"))
    assert sql(built) == (
        'SELECT "articles"."title" LIKE $1, "articles"."title" LIKE $1, "articles"."title" = $2, count(*)'
        ' FROM "articles" GROUP BY "articles"."title" LIKE $1, "articles"."title" = $2 HAVING "articles"."title" LIKE'
        " $1"
        ' ORDER BY "articles"."title" LIKE $1',
        ["%a%", "a"],
    )


def test_what_rows_are_folded_by_may_be_a_query() -> None:
    popular = Author.articles.count(Article.views > 3)
    built = (
        query(Author).values(popular, func.count()).group_by(Author.articles.count(Article.views > 3)).order_by(popular)
    )
    inner = '(SELECT count(*) FROM "articles" WHERE "articles"."author_id" = "author"."id" AND "articles"."views" > $1)'
    assert sql(built) == (f'SELECT {inner}, count(*) FROM "author" GROUP BY {inner} ORDER BY {inner}', [3])


# ------------------------------------------------------------------ LATERAL


def test_a_lateral_subquery_reads_what_is_joined_before_it() -> None:
    own = query(Article).filter(Article.author.id == Author.id, Article.title != Author.country.name)
    top = own.order_by(Article.views.desc()).limit(2).values(Article.title).subquery("top", lateral=True)
    built = query(Author).outer_join(top).values(Author.name, top[Article.title])
    assert sql(built) == (
        'SELECT "author"."name", "top"."title" FROM "author" LEFT JOIN "country" ON "country"."code" ='
        ' "author"."country_id" LEFT JOIN LATERAL (SELECT "articles"."title" FROM "articles" WHERE'
        ' "articles"."author_id" = "author"."id" AND "articles"."title" <> "country"."name"'
        ' ORDER BY "articles"."views" DESC LIMIT $1) AS "top" ON TRUE',
        [2],
    )
    with pytest.raises(CompileError, match=r"SQLite has no LATERAL: .*\nHint: use a value \(\.as_expr\(\)\)"):
        sql(built, "sqlite")
    filtered = query(Author).join(top, top[Article.title] != "x").values(Author.name)
    assert text(filtered).endswith('AS "top" ON "top"."title" <> $2')
    assert " JOIN LATERAL (" in text(filtered)


# ------------------------------------------------------------------ in WITH


def popular(**options: Any) -> Cte:
    return query(Article).filter(Article.views > 100).values(Article.id, Article.author.id).cte("popular", **options)


def test_a_common_table_expression_is_defined_once_however_often_it_is_read() -> None:
    cte = popular()
    other = cte.alias("other")
    inner = query(Tag).join(cte, cte[Article.id] == Tag.id).scalars(cte[Article.author.id])
    built = (
        query(Author).join(cte, cte[Article.author.id] == Author.id).join(other, other[Article.id] == cte[Article.id])
    )
    assert sql(built.filter(Author.id.in_(inner), Author.age > 1).scalars(Author.id)) == (
        'WITH "popular" AS (SELECT "articles"."id", "articles"."author_id" FROM "articles" WHERE "articles"."views" >'
        " $1)"
        ' SELECT "author"."id" FROM "author" JOIN "popular" ON "popular"."author_id" = "author"."id"'
        ' JOIN "popular" AS "other" ON "other"."id" = "popular"."id" WHERE "author"."id" IN (SELECT'
        ' "popular_2"."author_id" FROM "tag" JOIN "popular" AS "popular_2" ON "popular_2"."id" = "tag"."id")'
        ' AND "author"."age" > $2',
        [100, 1],
    )
    third = other.alias("third")
    assert ' JOIN "popular" AS "third" ON ' in text(built.join(third, third[Article.id] == Author.id))


@pytest.mark.parametrize(("materialized", "words"), [(True, "MATERIALIZED "), (False, "NOT MATERIALIZED "), (None, "")])
def test_whether_it_is_computed_on_its_own_may_be_said(materialized: bool | None, words: str) -> None:
    cte = popular(materialized=materialized)
    for database in ("postgresql", "sqlite"):
        found = text(query(Author).join(cte, cte[Article.author.id] == Author.id), database)
        assert found.startswith(f'WITH "popular" AS {words}(SELECT ')


def test_common_table_expressions_are_defined_after_those_they_read() -> None:
    cte = popular()
    outer = query(Author).join(cte, cte[Article.author.id] == Author.id).values(Author.id, Author.name).cte("names")
    built = (
        query(Country).join(outer, outer[Author.name] == Country.name).join(cte, cte[Article.id] == outer[Author.id])
    )
    assert text(built.scalars(Country.code)) == (
        'WITH "popular" AS (SELECT "articles"."id", "articles"."author_id" FROM "articles" WHERE "articles"."views" >'
        " $1),"
        ' "names" AS (SELECT "author"."id", "author"."name" FROM "author"'
        ' JOIN "popular" ON "popular"."author_id" = "author"."id") SELECT "country"."code" FROM "country"'
        ' JOIN "names" ON "names"."name" = "country"."name" JOIN "popular" ON "popular"."id" = "names"."id"'
    )


def test_common_table_expressions_that_read_each_other_twice_cost_no_more_with_each() -> None:
    def chain(low: int) -> Any:
        cte = query(Tag).filter(Tag.weight > low).values(Tag.id).cte("first")
        for number in range(60):
            other = cte.alias("other")
            both = query(Tag).join(cte, cte[Tag.id] == Tag.id).join(other, other[Tag.id] == Tag.id)
            cte = both.filter(Tag.weight < number).values(Tag.id).cte("next")
        return query(Author).join(cte, cte[Tag.id] == Author.id)

    found, values = sql(chain(7))
    assert found.count(" AS (SELECT") == 61
    assert values == [7, *range(60)]
    assert sql(chain(8)) == (found, [8, *range(60)])


def test_a_value_that_stands_twice_in_a_common_table_expression_is_sent_once() -> None:
    three, four = Tag.weight > 3, Tag.weight > 4
    found = []
    for conditions in ((three, three), (three, four), (four, Tag.weight > 4)):
        cte = query(Tag).filter(*conditions).values(Tag.id).cte("heavy")
        found.append(sql(query(Author).join(cte, cte[Tag.id] == Author.id, Author.age > 5).scalars(Author.id)))
    assert [values for _, values in found] == [[3, 5], [3, 4, 5], [4, 4, 5]]
    assert '"tag"."weight" > $1 AND "tag"."weight" > $1)' in found[0][0]
    assert '"tag"."weight" > $1 AND "tag"."weight" > $2)' in found[1][0]


def test_with_defines_what_nothing_reads() -> None:
    cte = popular()
    for built in (query(Tag).with_(cte), query(Tag).with_(cte, cte.alias()), query(Tag).with_(cte).with_(cte)):
        assert text(built.scalars(Tag.id)) == (
            'WITH "popular" AS (SELECT "articles"."id", "articles"."author_id" FROM "articles"'
            ' WHERE "articles"."views" > $1) SELECT "tag"."id" FROM "tag"'
        )


def test_a_subquery_is_joined_by_a_condition() -> None:
    for sub in (per_author("per"), popular()):
        with pytest.raises(QueryError, match=r"join\(.*\) has no condition\nHint: give one: \.join\(per, per\["):
            query(Author).join(sub)


@pytest.mark.parametrize("cte", [None, "popular", query(Tag), query(Tag).subquery(), Tag])
def test_with_takes_common_table_expressions(cte: Any) -> None:
    with pytest.raises(WrongType, match=r"is no common table expression\nHint: query\.cte\(\"name\"\)"):
        query(Tag).with_(cte)


def test_two_of_one_name_are_told_apart_by_a_number() -> None:
    one, two = popular(), query(Tag).scalars(Tag.id).cte("POPULAR")
    built = query(Author).join(one, one[Article.id] == Author.id).join(two, two[Tag.id] == Author.id)
    assert ' JOIN "popular" ON "popular"."id" = "author"."id" JOIN "POPULAR_2" ON "POPULAR_2"."id"' in text(built)


@pytest.mark.parametrize("name", ["articles", "ARTICLES", "author", "articles_tags"])
def test_a_common_table_expression_hides_no_table(name: str) -> None:
    cte = query(Article).filter(Article.views > 3).values(Article.id).cte(name)
    built = query(Author).join(cte, cte[Article.id] == Author.id)
    found = text(built.filter(Author.articles.any(Article.tags.any())).scalars(cte[Article.id]))
    assert found.startswith(f'WITH "{name}_2" AS (SELECT "articles"."id" FROM "articles" WHERE')
    assert f' JOIN "{name}_2" ON "{name}_2"."id" = "author"."id"' in found


async def test_a_common_table_expression_hides_no_table_that_is_written() -> None:
    built = query(Article)
    cte = query(Tag).scalars(Tag.id).cte("articles")
    await built.filter(Article.id.in_(query(Country).join(cte, cte[Tag.id] > 1).scalars(cte[Tag.id]))).delete()
    spec = built._executor.specs[-1]  # type: ignore[attr-defined]
    assert text(spec) == (
        'WITH "articles_2" AS (SELECT "tag"."id" FROM "tag") DELETE FROM "articles" WHERE "articles"."id" IN'
        ' (SELECT "articles_2"."id" FROM "country" JOIN "articles_2" ON "articles_2"."id" > $1)'
    )


# ------------------------------------------------------------------ recursion

DEPTH = literal(0).label("depth")


def tree(*, distinct: bool = False, materialized: bool | None = None) -> Cte:
    top = query(Node).filter(Node.parent.is_null()).values(Node.id, DEPTH)
    return top.cte(
        "tree",
        recursive=lambda up: (
            query(Node).join(up, up[Node.id] == Node.parent.id).values(Node.id, up[DEPTH] + 1).filter(up[DEPTH] < 9)
        ),
        distinct=distinct,
        materialized=materialized,
    )


def test_a_recursive_one_reads_itself() -> None:
    cte = tree()
    found = both(query(Node).join(cte, cte[Node.id] == Node.id).order_by(cte[DEPTH]).values(Node.name, cte[DEPTH]))
    assert found["postgresql"] == (
        'WITH RECURSIVE "tree" ("id", "depth") AS (SELECT "node"."id", CAST($1::bigint AS bigint) AS "depth"'
        ' FROM "node" WHERE "node"."parent_id" IS NULL UNION ALL SELECT "node"."id",'
        ' CAST("tree"."depth" + $2::bigint AS bigint) AS "c1" FROM "node" JOIN "tree" ON "tree"."id" ='
        ' "node"."parent_id" WHERE "tree"."depth" < $3) SELECT "node"."name", "tree"."depth" FROM "node"'
        ' JOIN "tree" ON "tree"."id" = "node"."id" ORDER BY "tree"."depth"',
        [0, 1, 9],
    )
    assert found["sqlite"][0].startswith(
        'WITH RECURSIVE "tree" ("id", "depth") AS (SELECT "node"."id", ?1 AS "depth" FROM "node" WHERE'
        ' "node"."parent_id" IS NULL UNION ALL SELECT "node"."id", "tree"."depth" + ?2 AS "c1" FROM "node" JOIN'
        ' "tree" ON'
    )


def test_a_recursive_one_may_leave_out_rows_it_has_found() -> None:
    cte = tree(distinct=True, materialized=True)
    found = text(query(Node).join(cte, cte[Node.id] == Node.id))
    assert found.startswith('WITH RECURSIVE "tree" ("id", "depth") AS MATERIALIZED (SELECT')
    assert '"parent_id" IS NULL UNION SELECT' in found


def test_columns_of_one_type_to_the_database_are_left_as_they_are() -> None:
    """PostgreSQL wants the columns of both parts to be of one type, their length included."""
    root = (
        query(Node)
        .values(Node.id, Node.name)
        .cte(
            "roots",
            recursive=lambda up: query(Node).join(up, up[Node.id] == Node.parent.id).values(Node.id, up[Node.name]),
        )
    )
    assert (
        '("id", "name") AS (SELECT "node"."id", "node"."name" FROM "node" UNION ALL SELECT "node"."id", "roots"."name"'
        in (text(query(Tag).join(root, root[Node.id] == Tag.id)))
    )
    prices = (
        query(Sample)
        .values(Sample.price, Sample.small, Sample.number)
        .cte(
            "prices",
            recursive=lambda up: (
                query(Sample)
                .join(up, up[Sample.price] < 9)
                .values(up[Sample.price] * 2, up[Sample.small], Sample.number)
            ),
        )
    )
    found = text(query(Tag).join(prices, prices[Sample.small] == Tag.id))
    assert 'SELECT CAST("sample"."price" AS numeric) AS "price", "sample"."small", "sample"."number" FROM' in found
    assert (
        'SELECT CAST("prices"."price" * $1::numeric AS numeric) AS "c0", "prices"."small", "sample"."number"' in found
    )


def test_numbers_of_several_kinds_become_the_widest() -> None:
    cte = (
        query(Sample)
        .values(Sample.small)
        .cte("numbers", recursive=lambda up: query(Sample).join(up, up[Sample.small] < 9).values(Sample.exact))
    )
    assert cte.columns[0].type.name == "numeric"
    assert cte.columns[0].name == "small"
    sql(query(Tag).join(cte, cte[Sample.small] > 1), "sqlite")


def test_a_step_may_join_several_and_the_one_behind_is_read_by_its_alias() -> None:
    def step(up: Cte) -> Any:
        below = alias(Node, "below")
        return query(Node).join(up, up[Node.id] == Node.id).join(below, below.parent.id == Node.id).values(below.id)

    cte = query(Node).values(Node.id).cte("tree", recursive=step)
    assert (
        'UNION ALL SELECT "below"."id" FROM "node" JOIN "tree" ON "tree"."id" = "node"."id" JOIN "node" AS "below"'
        in (text(query(Tag).join(cte, cte[Node.id] == Tag.id)))
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda up: None, r"the step of 'tree' gave None\nHint: it gives a query of the same columns"),
        (lambda up: query(Node).values(Node.id, Node.name), r"tree: 1 columns and 2 do not go together"),
        (lambda up: query(Node).scalars(Node.name), r"tree: .* mixes integer and text\nHint: cast"),
        (
            lambda up: query(Node).order_by(Node.id).scalars(Node.id),
            r"the step of 'tree' has an order or a limit\nHint",
        ),
        (
            lambda up: query(Node).limit(1).scalars(Node.id),
            r"the step of 'tree' has an order or a limit\nHint: order what",
        ),
        (
            lambda up: query(Node).scalars(func.max(Node.id)),
            r"the step of 'tree' folds rows\nHint: fold the rows of what",
        ),
        (lambda up: query(Node).group_by(Node.id).scalars(Node.id), r"the step of 'tree' folds rows"),
        (
            lambda up: query(Node).outer_join(up, up[Node.id] == Node.id).scalars(Node.id),
            r"the step of 'tree' reads the rows found so far twice, from outside or in an inner query\nHint: join them",
        ),
        (
            lambda up: query(Node).filter(exists(query(Tag).join(up, up[Node.id] == Tag.id))).scalars(Node.id),
            r"reads the rows found so far twice, from outside or in an inner query",
        ),
        (
            lambda up: query(Node).join(up, up[Node.id] > 1).join(o := up.alias(), o[Node.id] > 1).scalars(Node.id),
            r"reads the rows found so far twice",
        ),
        (
            lambda up: (one := query(Node).join(up, up[Node.id] > 1).scalars(Node.id)).union(one),
            r"reads the rows found so far twice, from outside or in an inner query",
        ),
    ],
)
def test_a_step_that_does_not_fit(step: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        query(Node).scalars(Node.id).cte("tree", recursive=step)


def test_rows_found_so_far_are_read_by_the_step_alone() -> None:
    kept: list[Cte] = []

    def step(up: Cte) -> Any:
        kept.append(up)
        return query(Node).join(up, up[Node.id] == Node.parent.id).scalars(Node.id)

    query(Node).scalars(Node.id).cte("tree", recursive=step)
    with pytest.raises(QueryError, match=r"the rows that 'tree' found so far are read outside of its own step\nHint: "):
        sql(query(Node).join(kept[0], kept[0][Node.id] == Node.id))


def test_leaving_out_what_was_found_is_for_recursion() -> None:
    with pytest.raises(QueryError, match=r"cte\('x', distinct=True\) is not recursive\nHint: write \.distinct\(\)"):
        query(Node).cte("x", distinct=True)


# ------------------------------------------------------------------ conditions and values


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (query(Article).filter(Article.author.id == Author.id), '1 FROM "articles" WHERE "articles"."author_id" ='),
        (query(Article).order_by(Article.id).limit(3).offset(1), '1 FROM "articles" LIMIT $1 OFFSET $2'),
        (query(Article).distinct().scalars(Article.views), 'DISTINCT "articles"."views" FROM "articles")'),
        (
            query(Article).distinct().offset(2).scalars(Article.views),
            'DISTINCT "articles"."views" FROM "articles" OFFSET $1)',
        ),
        (query(Article).scalars(func.count()), 'count(*) FROM "articles"'),
        (query(Article).group_by(Article.views).scalars(func.count()), '1 FROM "articles" GROUP BY "articles"."views"'),
        (
            query(Article).group_by(Article.views).having(func.count() > 1).scalars(Article.views),
            '1 FROM "articles" GROUP BY "articles"."views" HAVING count(*) > $1',
        ),
        (query(Article).values(Article.editor.name), '1 FROM "articles")'),
    ],
)
def test_exists(built: Any, expected: str) -> None:
    assert f"WHERE EXISTS (SELECT {expected}" in text(query(Author).filter(exists(built)))
    assert f"WHERE NOT (EXISTS (SELECT {expected}" in text(query(Author).filter(~exists(built)))


def test_sqlite_counts_distinct_rows_before_it_asks_whether_there_are_any() -> None:
    built = query(Author).filter(exists(query(Article).distinct().offset(2).scalars(Article.views)))
    assert text(built, "sqlite").endswith(
        'EXISTS (SELECT 1 FROM (SELECT DISTINCT "articles"."views" FROM "articles" LIMIT -1 OFFSET ?1))'
    )


def test_an_inner_query_joins_its_own_relations_and_the_outer_one_the_outer_ones() -> None:
    same = query(Article).filter(Article.author.country.name == Author.country.name)
    assert text(query(Author).filter(exists(same)).scalars(Author.id)) == (
        'SELECT "author"."id" FROM "author" LEFT JOIN "country" ON "country"."code" = "author"."country_id"'
        ' WHERE EXISTS (SELECT 1 FROM "articles" JOIN "author" AS "author_2" ON "author_2"."id" ='
        ' "articles"."author_id" JOIN "country" AS "author__country" ON "author__country"."code" ='
        ' "author_2"."country_id" WHERE "author__country"."name" = "country"."name")'
    )


def test_a_union_in_an_inner_query_sees_what_is_around_it() -> None:
    same = query(Article).filter(Article.title == Author.country.name)
    either = same.union(query(Article).filter(Article.title == Author.name)).filter(Article.views > 3)
    assert text(query(Author).filter(exists(either)).scalars(Author.id)) == (
        'SELECT "author"."id" FROM "author" LEFT JOIN "country" ON "country"."code" = "author"."country_id" WHERE'
        " EXISTS"
        ' (SELECT 1 FROM (SELECT "articles"."id", "articles"."title", "articles"."views", "articles"."author_id",'
        ' "articles"."editor_id" FROM "articles" WHERE "articles"."title" = "country"."name" UNION SELECT'
        ' "articles"."id", "articles"."title", "articles"."views", "articles"."author_id", "articles"."editor_id"'
        ' FROM "articles" WHERE "articles"."title" = "author"."name") AS "articles" WHERE "articles"."views" > $1)'
    )


@pytest.mark.parametrize("given", [None, Author, Author.articles, "x", Author.id, query(Author).subquery()])
def test_exists_takes_a_query(given: Any) -> None:
    with pytest.raises(WrongType, match=r"exists\(\) takes a query, not .*\nHint: exists\(session\.query"):
        exists(given)


def test_a_query_of_one_column_is_a_value() -> None:
    newest = query(Article).filter(Article.author.id == Author.id).scalars(func.max(Article.views)).as_expr()
    assert sql(query(Author).filter(newest > 3).order_by(newest.desc()).values(Author.id, newest.label("n"))) == (
        'SELECT "author"."id", (SELECT max("articles"."views") FROM "articles" WHERE "articles"."author_id" ='
        ' "author"."id") AS "n" FROM "author" WHERE (SELECT max("articles"."views") FROM "articles" WHERE'
        ' "articles"."author_id" = "author"."id") > $1 ORDER BY (SELECT max("articles"."views") FROM "articles" WHERE'
        ' "articles"."author_id" = "author"."id") DESC',
        [3],
    )
    title = query(Article).order_by(Article.views.desc()).limit(1).scalars(Article.title).as_expr()
    assert sql(query(Author).filter(Author.name == title).scalars(Author.id)) == (
        'SELECT "author"."id" FROM "author" WHERE "author"."name" ='
        ' (SELECT "articles"."title" FROM "articles" ORDER BY "articles"."views" DESC LIMIT $1)',
        [1],
    )


@pytest.mark.parametrize(
    "built", [query(Author), query(Author).values(Author.id, Author.name), query(Article).as_dicts()]
)
def test_a_query_of_several_columns_is_no_value(built: Any) -> None:
    with pytest.raises(QueryError, match=r"as_expr\(\) of a query of \d columns\nHint: name one: query\.scalars"):
        built.as_expr()


# ------------------------------------------------------------------ checked like others


@pytest.mark.parametrize(
    "bad",
    [
        query(Article).values(Article.author.id, func.count()),
        query(Article).group_by(Article.title).values(Article.author.id, Article.title),
        query(Article).having(func.count() > 1).values(Article.author.id, Article.title),
        query(Article).order_by(func.count()).values(Article.author.id, Article.title),
    ],
)
def test_columns_without_a_group_are_found_in_inner_queries_too(bad: Any) -> None:
    sub, cte = bad.subquery(), bad.cte("bad")
    for built in (
        query(Author).join(sub, sub[Article.author.id] == Author.id),
        query(Author).join(cte, cte[Article.author.id] == Author.id),
        query(Author).with_(cte),
        query(Author).filter(Author.id.in_(query(Tag).join(sub, sub[Article.author.id] > 1).scalars(Tag.id))),
        bad.union(bad),
    ):
        for database in ("postgresql", "sqlite"):
            with pytest.raises(QueryError, match=r"is read from groups without being grouped by\nHint: add \.group_by"):
                sql(built, database)


def test_an_inner_query_reads_of_groups_what_they_are_grouped_by() -> None:
    def with_country(given: Any) -> Any:
        inner = query(Country).filter(Country.code == given).scalars(Country.name).as_expr()
        return query(Author).values(inner, func.count()).group_by(Author.country.code)

    sql(with_country(Author.country.code))
    with pytest.raises(QueryError, match=r"is read from groups without being grouped by"):
        sql(with_country(Author.name))


def test_distinct_rows_of_inner_queries_are_ordered_by_what_they_show() -> None:
    sub = query(Article).distinct().order_by(Article.id).limit(1).values(Article.views).subquery()
    with pytest.raises(QueryError, match=r"distinct rows are ordered by Article\.id, which they do not show"):
        sql(query(Author).join(sub, sub[Article.views] == Author.id))


@pytest.mark.parametrize("name", [3, b"x", Author, ["x"]])
def test_a_name_is_a_text(name: Any) -> None:
    for build in (query(Author).subquery, query(Author).cte, query(Author).subquery().alias):
        with pytest.raises(WrongType, match=r"is no name\nHint: give a str"):
            build(name)
    with pytest.raises(WrongType, match=r"None \(NoneType\) is no name"):
        query(Author).cte(None)  # type: ignore[arg-type]


HOSTILE = ["", "\0", "a\0b", "\ud800", "\n", "x" * 1_000_000, "\x7f"]
ODD = ['"', "a b", "a;--", "' OR 1=1", "é", "\u200b", "\u202e", "%s", "$1", "?", ":x", "{}", "select", "日本"]


@pytest.mark.parametrize("name", [*HOSTILE, *ODD])
def test_names_are_quoted_or_refused(name: str) -> None:
    other = alias(Author, name) if name else alias(Author)
    sub, cte = query(Author).values(Author.id).subquery(name), query(Author).values(Author.id).cte(name)
    labelled = query(Author).values(Author.id.label(name)).subquery()
    for database in ("postgresql", "sqlite"):
        for built in (
            *([query(Author).join(other, other.id == Author.id)] if name else []),
            query(Author).join(sub, sub[Author.id] == Author.id),
            query(Author).join(cte, cte[Author.id] == Author.id),
            query(Author).join(labelled, labelled[Author.id] == Author.id),
            query(Author).values(Author.id.label(name)),
        ):
            if name in HOSTILE:
                with pytest.raises(QueryError, match=r"cannot be a name in SQL\nHint|is longer than \d+ bytes\nHint"):
                    sql(built, database)
            else:
                assert '"' + name.replace('"', '""') + '"' in text(built, database)
