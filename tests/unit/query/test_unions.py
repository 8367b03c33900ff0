"""Rows of several queries put together: the exact SQL of each form, and what goes on from there."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cormorant import Q, QueryError, WrongType, alias, exists, func
from cormorant.query.entities import EntityColumns
from cormorant.query.planner import plan
from tests.support.sql import both, last_sql, query, sql
from tests.unit.query.models import Article, Author, Country, Node, Sample, Seat, Tag, Ticket

TAG = '"tag"."id", "tag"."name", "tag"."weight"'
TAGS = f'SELECT {TAG} FROM "tag"'


def text(built: Any, database: str = "postgresql") -> str:
    return sql(built, database)[0]


def tags() -> Any:
    return query(Tag).filter(Tag.weight > 3).union(query(Tag).filter(Tag.name == "x"))


BOTH = f'({TAGS} WHERE "tag"."weight" > $1 UNION {TAGS} WHERE "tag"."name" = $2) AS "tag"'


@dataclasses.dataclass
class Line:
    name: str
    n: int


# ------------------------------------------------------------------ forms


@pytest.mark.parametrize(
    ("built", "word"),
    [
        (query(Tag).union(query(Tag)), "UNION"),
        (query(Tag).union(query(Tag), all=True), "UNION ALL"),
        (query(Tag).intersect(query(Tag)), "INTERSECT"),
        (query(Tag).except_(query(Tag)), "EXCEPT"),
    ],
)
def test_objects(built: Any, word: str) -> None:
    for found, _ in both(built).values():
        assert found == f'SELECT {TAG} FROM ({TAGS} {word} {TAGS}) AS "tag"'


def test_several_at_once() -> None:
    built = (
        query(Tag).filter(Tag.id == 1).union(query(Tag).filter(Tag.id == 2), query(Tag).filter(Tag.id == 3), all=True)
    )
    assert sql(built) == (
        f'SELECT {TAG} FROM ({TAGS} WHERE "tag"."id" = $1 UNION ALL {TAGS} WHERE "tag"."id" = $2'
        f' UNION ALL {TAGS} WHERE "tag"."id" = $3) AS "tag"',
        [1, 2, 3],
    )


def test_tuples_of_different_models() -> None:
    built = query(Author).values(Author.id, Author.name).union(query(Tag).values(Tag.weight, Tag.name))
    assert text(built) == (
        'SELECT "author"."id", "author"."name" FROM (SELECT "author"."id", "author"."name" FROM "author"'
        ' UNION SELECT "tag"."weight", "tag"."name" FROM "tag") AS "author"'
    )


def test_scalars_dicts_and_shapes() -> None:
    assert text(query(Author).scalars(Author.name).union(query(Tag).scalars(Tag.name))) == (
        'SELECT "author"."name" FROM (SELECT "author"."name" FROM "author" UNION SELECT "tag"."name" FROM "tag")'
        ' AS "author"'
    )
    n = Tag.weight.label("n")
    dicts = query(Tag).as_dicts(Tag.name, n).union(query(Tag).as_dicts(Tag.name, Tag.id))
    assert plan(dicts._spec).names == ("name", "n")
    assert text(dicts) == (
        'SELECT "tag"."name", "tag"."n" FROM (SELECT "tag"."name", "tag"."weight" AS "n" FROM "tag"'
        ' UNION SELECT "tag"."name", "tag"."id" FROM "tag") AS "tag"'
    )
    second = query(Tag).values(Tag.name, Tag.id.label("n")).into(Line)
    shaped = query(Tag).values(Tag.name, n).into(Line).union(second)
    assert shaped._spec.into is not None
    later = query(Tag).values(Tag.name, n).union(query(Tag).values(Tag.name, Tag.id)).into(Line)
    assert text(later) == text(dicts)
    assert text(shaped).startswith('SELECT "tag"."name", "tag"."n" FROM (SELECT')


def test_objects_beside_values() -> None:
    built = query(Tag).annotate(Tag.weight + 1).union(query(Tag).annotate(Tag.weight))
    assert sql(built) == (
        f'SELECT {TAG}, "tag"."c3" FROM (SELECT {TAG}, "tag"."weight" + $1::bigint AS "c3" FROM "tag" UNION SELECT'
        f" {TAG},"
        ' "tag"."weight" AS "c3" FROM "tag") AS "tag"',
        [1],
    )


def test_columns_of_one_name_have_names_of_their_own() -> None:
    built = query(Article).values(Article.id, Article.author.id, Article.author.articles.count(), Article.id)
    assert text(built.union(built)).startswith(
        'SELECT "articles"."id", "articles"."author_id", "articles"."c2", "articles"."c3"'
    )


def test_parts_keep_their_own_order_and_limit() -> None:
    top = query(Tag).order_by(Tag.weight.desc()).limit(2).scalars(Tag.name)
    last = query(Tag).order_by(Tag.weight).offset(1).scalars(Tag.name)
    found = both(top.union(last).order_by(Tag.name).limit(3))
    assert found["postgresql"] == (
        'SELECT "tag"."name" FROM (SELECT * FROM (SELECT "tag"."name" FROM "tag" ORDER BY "tag"."weight" DESC LIMIT $1)'
        ' AS member UNION SELECT * FROM (SELECT "tag"."name" FROM "tag" ORDER BY "tag"."weight" OFFSET $2) AS member)'
        ' AS "tag" ORDER BY "tag"."name" LIMIT $3',
        [2, 1, 3],
    )
    assert " LIMIT -1 OFFSET ?2" in found["sqlite"][0]


def test_parts_join_what_they_need() -> None:
    built = (
        query(Article)
        .scalars(Article.author.name)
        .union(query(Article).join(Article.editor).scalars(Article.editor.name))
    )
    assert text(built) == (
        'SELECT "articles"."name" FROM (SELECT "author"."name" FROM "articles" JOIN "author" ON "author"."id" ='
        ' "articles"."author_id" UNION SELECT "editor"."name" FROM "articles" JOIN "author" AS "editor"'
        ' ON "editor"."id" = "articles"."editor_id") AS "articles"'
    )


def test_parts_may_read_common_table_expressions() -> None:
    cte = query(Tag).filter(Tag.weight > 3).cte("heavy")
    part = query(Author).join(cte, cte[Tag.id] == Author.id).scalars(Author.name)
    assert text(part.union(part)) == (
        f'WITH "heavy" AS ({TAGS} WHERE "tag"."weight" > $1) SELECT "author"."name" FROM (SELECT "author"."name" FROM'
        ' "author" JOIN "heavy" ON "heavy"."id" = "author"."id" UNION SELECT "author"."name" FROM "author"'
        ' JOIN "heavy" ON "heavy"."id" = "author"."id") AS "author"'
    )


def test_numbers_of_different_kinds_become_the_widest() -> None:
    built = query(Sample).values(Sample.small, Sample.big).union(query(Sample).values(Sample.price, Sample.small))
    found = both(built)
    assert found["postgresql"][0] == (
        'SELECT "sample"."small", "sample"."big" FROM (SELECT CAST("sample"."small" AS numeric) AS "small",'
        ' "sample"."big" FROM "sample" UNION SELECT "sample"."price", "sample"."small" FROM "sample") AS "sample"'
    )
    assert 'SELECT CAST("sample"."small" AS TEXT) AS "small"' in found["sqlite"][0]
    assert [part.type.name for part in plan(built._spec).parts if not isinstance(part, EntityColumns)] == [  # type: ignore[union-attr]
        "numeric",
        "integer",
    ]


# ------------------------------------------------------------------ going on


def test_filter_order_limit_and_offset_are_about_all_rows() -> None:
    built = tags().filter(Tag.weight < 9).exclude(Tag.name.startswith("y")).order_by(Tag.name.desc(), Tag.id)
    assert sql(built.limit(5).offset(2)) == (
        f'SELECT {TAG} FROM {BOTH} WHERE "tag"."weight" < $3 AND NOT ("tag"."name" LIKE $4)'
        ' ORDER BY "tag"."name" DESC, "tag"."id" LIMIT $5 OFFSET $6',
        [3, "x", 9, "y%", 5, 2],
    )
    assert sql(tags().filter(Q(weight=1) | Q(name="z")))[1] == [3, "x", 1, "z"]
    assert (
        sql(tags().filter(weight__lt=9).scalars(Tag.name))[0]
        == f'SELECT "tag"."name" FROM {BOTH} WHERE "tag"."weight" < $3'
    )


async def test_counting_and_asking() -> None:
    built = tags()
    await built.count()
    assert last_sql(built) == (f"SELECT count(*) FROM {BOTH}", [3, "x"])
    await built.exists()
    assert last_sql(built) == (f"SELECT 1 FROM {BOTH} LIMIT $3", [3, "x", 1])
    await built.limit(3).count()
    assert last_sql(built)[0] == f'SELECT count(*) FROM (SELECT 1 FROM {BOTH} LIMIT $3) AS "counted"'
    await built.distinct().scalars(Tag.weight).count()
    assert last_sql(built)[0] == f'SELECT count(*) FROM (SELECT DISTINCT "tag"."weight" FROM {BOTH}) AS "counted"'
    await built.aggregate(func.max(Tag.weight), func.count())
    assert last_sql(built)[0] == f'SELECT max("tag"."weight"), count(*) FROM {BOTH}'
    await built.last()
    assert last_sql(built)[0] == f'SELECT {TAG} FROM {BOTH} ORDER BY "tag"."id" DESC LIMIT $3'


async def test_rows_of_aggregates_are_counted_as_rows() -> None:
    rows = query(Tag).values(func.count()).union(query(Tag).values(func.max(Tag.weight)))
    await rows.count()
    assert last_sql(rows)[0].startswith('SELECT count(*) FROM (SELECT count(*) AS "c0" FROM "tag" UNION SELECT')


def test_what_is_put_together_is_folded_again() -> None:
    built = tags().values(Tag.weight * 2, func.count()).group_by(Tag.weight * 2).having(func.count() > 1)
    assert sql(built.order_by(Tag.weight * 2)) == (
        f'SELECT "tag"."weight" * $3::bigint, count(*) FROM {BOTH} GROUP BY "tag"."weight" * $3::bigint'
        ' HAVING count(*) > $4 ORDER BY "tag"."weight" * $3::bigint',
        [3, "x", 2, 1],
    )
    with pytest.raises(QueryError, match=r"Tag\.name is read from groups without being grouped by"):
        # the key decides the rest of a table, not of a union
        sql(tags().values(Tag.name, func.count()).group_by(Tag.id))


def test_what_was_folded_is_read_by_its_label() -> None:
    n = func.count().label("n")
    rows = query(Tag).values(Tag.weight, n).group_by(Tag.weight)
    built = rows.union(query(Author).values(Author.age, Author.id)).filter(n > 1, Tag.weight < 9).order_by(n.desc())
    assert sql(built) == (
        'SELECT "tag"."weight", "tag"."n" FROM (SELECT "tag"."weight", count(*) AS "n" FROM "tag" GROUP BY'
        ' "tag"."weight"'
        ' UNION SELECT "author"."age", "author"."id" FROM "author") AS "tag" WHERE "tag"."n" > $1 AND "tag"."weight"'
        " < $2"
        ' ORDER BY "tag"."n" DESC',
        [1, 9],
    )


def test_inner_queries_and_relations_go_on_from_what_is_shown() -> None:
    built = tags()
    assert text(built.annotate(Tag.articles.count()).filter(Tag.articles.any(Article.views > 3))) == (
        f'SELECT {TAG}, (SELECT count(*) FROM "articles" JOIN "articles_tags" AS "articles_link"'
        ' ON "articles_link"."article_id" = "articles"."id" WHERE "articles_link"."tag_id" = "tag"."id")'
        f' FROM {BOTH} WHERE EXISTS (SELECT 1 FROM "articles" JOIN "articles_tags" AS "articles_link" ON'
        ' "articles_link"."article_id" = "articles"."id" WHERE "articles_link"."tag_id" = "tag"."id"'
        ' AND "articles"."views" > $3)'
    )
    same = query(Author).filter(Author.name == Tag.name)
    assert text(built.filter(exists(same))).endswith(
        f'FROM {BOTH} WHERE EXISTS (SELECT 1 FROM "author" WHERE "author"."name" = "tag"."name")'
    )


def test_an_inner_query_of_the_same_model_reads_its_own_rows() -> None:
    inner = query(Tag).filter(Tag.weight > 3).scalars(Tag.id)
    assert text(tags().filter(Tag.id.in_(inner))).endswith(
        ' WHERE "tag"."id" IN (SELECT "tag_2"."id" FROM "tag" AS "tag_2" WHERE "tag_2"."weight" > $3)'
    )


def test_relations_are_followed_from_the_columns_that_hold_their_key() -> None:
    first = query(Article).filter(Article.views > 3)
    built = first.union(query(Article).filter(Article.id == 1)).filter(Article.author.name == "x")
    assert text(built.order_by(Article.editor.name).values(Article.title, Article.editor)) == (
        'SELECT "articles"."title", "editor"."id", "editor"."name", "editor"."email", "editor"."age",'
        ' "editor"."country_id" FROM (SELECT "articles"."id", "articles"."title", "articles"."views",'
        ' "articles"."author_id", "articles"."editor_id" FROM "articles" WHERE "articles"."views" > $1 UNION SELECT'
        ' "articles"."id", "articles"."title", "articles"."views", "articles"."author_id", "articles"."editor_id" FROM'
        ' "articles" WHERE "articles"."id" = $2) AS "articles" LEFT JOIN "author" AS "editor" ON "editor"."id" ='
        ' "articles"."editor_id" JOIN "author" ON "author"."id" = "articles"."author_id" WHERE "author"."name" = $3'
        ' ORDER BY "editor"."name"'
    )
    tickets = query(Ticket).union(query(Ticket)).filter(Ticket.seat.taken)
    assert ' AS "ticket" LEFT JOIN "seat" ON "seat"."row" = "ticket"."seat_row" AND "seat"."number" =' in text(tickets)
    keys = query(Ticket).values(Ticket.id, Ticket.seat.row).union(query(Ticket).values(Ticket.id, Ticket.seat.row))
    with pytest.raises(QueryError, match="belongs to a table that the query does not read"):
        # one of two columns of a key is none
        sql(keys.filter(Ticket.seat.taken))


def test_joins_and_further_unions_go_on_from_what_is_shown() -> None:
    assert text(tags().join(Author, Author.name == Tag.name).scalars(Author.id)) == (
        f'SELECT "author"."id" FROM {BOTH} JOIN "author" ON "author"."name" = "tag"."name"'
    )
    again = tags().order_by(Tag.id).limit(1).except_(query(Tag).filter(Tag.id == 7)).order_by(Tag.weight)
    assert sql(again) == (
        f'SELECT {TAG} FROM (SELECT * FROM (SELECT {TAG} FROM {BOTH} ORDER BY "tag"."id" LIMIT $3) AS member EXCEPT'
        f' {TAGS} WHERE "tag"."id" = $4) AS "tag" ORDER BY "tag"."weight"',
        [3, "x", 1, 7],
    )
    twice = tags().union(tags(), all=True)
    assert text(twice) == (
        f"SELECT {TAG} FROM (SELECT {TAG} FROM {BOTH} UNION ALL SELECT {TAG} FROM"
        f' {BOTH.replace("$1", "$3").replace("$2", "$4")}) AS "tag"'
    )


def test_a_union_is_a_subquery_and_a_list_of_values() -> None:
    names = query(Author).scalars(Author.name).union(query(Tag).scalars(Tag.name))
    rows = 'SELECT "author"."name" FROM "author" UNION SELECT "tag"."name" FROM "tag"'
    inner = f'SELECT "author"."name" FROM ({rows}) AS "author"'
    assert text(query(Country).filter(Country.name.in_(names)).scalars(Country.code)) == (
        f'SELECT "country"."code" FROM "country" WHERE "country"."name" IN ({inner})'
    )
    for sub in (names.subquery("u"), names.cte("u")):
        assert sub[Author.name] is sub.columns[0]
        assert '"u" ON "u"."name" = "country"."name"' in text(
            query(Country).join(sub, sub[Author.name] == Country.name)
        )
    n = func.count().label("n")
    counted = (
        query(Tag)
        .values(Tag.name, n)
        .group_by(Tag.name)
        .union(query(Author).values(Author.name, Author.age))
        .subquery()
    )
    assert counted[n] is counted.columns[1]


# ------------------------------------------------------------------ equal shapes of other values


def test_what_a_union_shows_is_found_by_its_values_too() -> None:
    rows = query(Author).values(Author.age + 1, Author.age + 2, Author.name)
    built = rows.union(query(Tag).values(Tag.id, Tag.weight, Tag.name))
    assert text(built.order_by(Author.age + 2)).endswith(' ORDER BY "author"."c1"')
    assert text(built.order_by(Author.age + 1)).endswith(' ORDER BY "author"."c0"')
    for database in ("postgresql", "sqlite"):
        with pytest.raises(QueryError, match=r"the column 'age' belongs to a table that the query does not read"):
            sql(built.order_by(Author.age + 3), database)


# ------------------------------------------------------------------ what may be missing


def test_null_in_any_part_is_null_in_the_whole() -> None:
    built = query(Author).scalars(Author.name).union(query(Author).scalars(Author.email))
    assert text(built.order_by(Author.name), "sqlite").endswith(' ORDER BY "author"."name" NULLS LAST')
    assert text(built.exclude(Author.name == "x")).endswith(' WHERE ("author"."name" = $1) IS NOT TRUE')
    outer = query(Author).outer_join(Article, Article.author.id == Author.id).scalars(Article.title)
    other = query(Tag).scalars(Tag.name)
    for some in (outer.union(other).order_by(Article.title), other.union(outer).order_by(Tag.name)):
        assert text(some, "sqlite").endswith(" NULLS LAST")
    assert text(other.union(other).order_by(Tag.name), "sqlite").endswith(' ORDER BY "tag"."name"')


def test_an_object_missing_in_any_part_may_be_missing() -> None:
    other, third = alias(Article), alias(Article)
    outer = query(Author).outer_join(other, other.author.id == Author.id).values(Author, other)
    inner = query(Author).join(third, third.author.id == Author.id).values(Author, third)
    for built in (
        outer.union(inner),
        inner.union(outer),
        inner.union(inner).union(outer),
        outer.union(inner, all=True),
    ):
        parts = [part for part in plan(built._spec).parts if isinstance(part, EntityColumns)]
        assert [part.optional for part in parts] == [False, True]
    sure = [part for part in plan(inner.union(inner)._spec).parts if isinstance(part, EntityColumns)]
    assert [part.optional for part in sure] == [False, False]


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: query(Tag).union(query(Tag).for_update()), r"union of locked rows\nHint: lock the rows themselves"),
        (lambda: query(Tag).union(query(Author)), r"union of Tag entities and Author entities\nHint: both sides must"),
        (lambda: query(Tag).union(query(Tag).scalars(Tag.id)), r"union of Tag entities and Tag scalars\nHint: both"),
        (
            lambda: query(Tag).values(Tag.id).except_(query(Tag).scalars(Tag.id)),
            r"except of Tag tuples and Tag scalars",
        ),
        (
            lambda: query(Tag).values(Tag.id).intersect(query(Tag).as_dicts(Tag.id)),
            r"intersect of Tag tuples and Tag dicts",
        ),
        (
            lambda: query(Tag).values(Tag.id).union(query(Tag).values(Tag.id, Tag.name)),
            r"union: \(a value\) and \(a value, a value\) do not go together\nHint: select the same number",
        ),
        (
            lambda: query(Author).values(Author, Author.id).union(query(Tag).values(Tag, Tag.id)),
            r"union: \(.*\.Author, a value\) and \(.*\.Tag, a value\) do not go together\nHint: .* of the same models",
        ),
        (
            lambda: query(Tag).values(Tag).union(query(Tag).values(Tag.id, Tag.name, Tag.weight)),
            r"union: \(.*\.Tag\) and \(a value, a value, a value\) do not go together",
        ),
        (
            lambda: query(Tag).scalars(Tag.id).union(query(Tag).scalars(Tag.name)),
            r"union: Tag\.id mixes integer and text",
        ),
        (
            lambda: query(Sample).scalars(Sample.number).union(query(Sample).scalars(Sample.price)),
            r"union: Sample\.number mixes float and numeric\nHint: cast",
        ),
        (
            lambda: query(Sample).scalars(Sample.color).union(query(Sample).scalars(Sample.text)),
            r"union: Sample\.color mixes enum and text",
        ),
        (
            lambda: query(Sample).scalars(Sample.flag).union(query(Sample).scalars(Sample.small)),
            r"mixes boolean and int",
        ),
        (
            lambda: query(Sample).scalars(Sample.day).union(query(Sample).scalars(Sample.moment)),
            r"mixes date and datetime",
        ),
    ],
)
def test_rows_that_do_not_go_together(build: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        build()


@pytest.mark.parametrize("other", [None, Tag, [query(Tag)], query(Tag).subquery(), "x"])
def test_only_queries_are_put_together(other: Any) -> None:
    for combine in (query(Tag).union, query(Tag).intersect, query(Tag).except_):
        with pytest.raises(WrongType, match=r"takes queries, not .*"):
            combine(other)


@pytest.mark.parametrize(
    "built",
    [
        query(Tag).values(Tag.id).union(query(Tag).values(Tag.id)).order_by(Tag.name),
        query(Tag).scalars(Tag.id).union(query(Tag).scalars(Tag.id)).filter(Tag.weight > 3),
        tags().filter(Author.name == "x"),
        tags().order_by(alias(Tag).id),
        query(Node).scalars(Node.id).union(query(Node).scalars(Node.id)).order_by(Node.parent.name),
    ],
)
def test_what_is_not_shown_cannot_be_asked(built: Any) -> None:
    for database in ("postgresql", "sqlite"):
        with pytest.raises(QueryError, match=r"belongs to a table that the query does not read\nHint: "):
            sql(built, database)


def test_a_union_reads_its_models_rows_already() -> None:
    with pytest.raises(QueryError, match=r"the query of Tag reads Tag already"):
        tags().join(Tag, Tag.id == 1)


async def test_rows_put_together_are_not_written() -> None:
    built = tags()
    for write in (built.delete, lambda: built.update(Tag.weight.set(0))):
        await write()
        with pytest.raises(QueryError, match=r"\(\) of a query of several\nHint: filter by key"):
            last_sql(built)


def test_a_seat_is_one_thing_in_a_union_too() -> None:
    built = query(Seat).union(query(Seat)).order_by(Seat.row, Seat.number)
    assert text(built).endswith('AS "seat" ORDER BY "seat"."row", "seat"."number"')
