"""Updates and deletes by query, and rows from another query: the exact SQL of each form, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import (
    Column,
    Mapped,
    Model,
    One,
    QueryError,
    UnknownName,
    WrongType,
    excluded,
    field,
    foreign_key,
    func,
    generated,
)
from tests.support.sql import DATABASES, last_sql, query
from tests.unit.query.models import Article, Author, Country, Node, Sample, Seat, Tag
from tests.unit.query.models import Ticket as SeatTicket


class Story(Model, app="writes", table="story"):
    """Counts its changes."""

    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    upper: Mapped[str] = generated(computed=lambda m: func.upper(m.title))
    version: Mapped[int] = generated(version=True)


class Line(Model, app="writes", table="line"):
    """A key of two columns, one of them a relation."""

    story: One[Story] = foreign_key(primary_key=True)
    place: Mapped[int] = field(primary_key=True)
    text: Mapped[str]


class Archive(Model, app="writes", table="archive"):
    id: Mapped[int] = field(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str] = field(default="old")
    stars: Mapped[int | None] = field(default=None)


RETURN = '"articles"."id", "articles"."title", "articles"."views", "articles"."author_id", "articles"."editor_id"'


# ------------------------------------------------------------------ what comes back


async def test_an_update_gives_objects_values_and_tuples_back() -> None:
    built = query(Article).filter(Article.views == 0)
    head = 'UPDATE "articles" SET "views" = $1::integer WHERE "articles"."views" = $2 RETURNING '
    await built.update(Article.views.set(1), returning=Article)
    assert last_sql(built) == (head + RETURN, [1, 0])
    await built.update(Article.views.set(1), returning=Article.id)
    assert last_sql(built) == (head + '"articles"."id"', [1, 0])
    await built.update(Article.views.set(1), returning=(Article.id, Article.views + 2))
    assert last_sql(built) == (head + '"articles"."id", "articles"."views" + $3::bigint', [1, 0, 2])


async def test_a_delete_gives_objects_values_and_tuples_back() -> None:
    built = query(Article).filter(Article.views == 0)
    head = 'DELETE FROM "articles" WHERE "articles"."views" = ?1 RETURNING '
    await built.delete(returning=Article)
    exact = RETURN.replace('"articles"', '+"articles"').replace('+"articles"."title"', '"articles"."title"')
    assert last_sql(built, "sqlite") == (head + exact, [0])
    await built.delete(returning=Article.title)
    assert last_sql(built, "sqlite") == (head + '"articles"."title"', [0])
    await built.delete(returning=(Article.id,))
    assert last_sql(built, "sqlite") == (head + '+"articles"."id"', [0])


@pytest.mark.parametrize(
    ("returning", "message"),
    [
        (Author, r"returning=<class '.*Author'> is no column of Article\nHint: returning=Article, a column"),
        ("id", r"returning='id' is no column of Article"),
        ((Article.id, "title"), r"returning=\(Article\.id, 'title'\) is no column of Article"),
        ((), r"returning=\(\) names nothing"),
    ],
)
async def test_what_comes_back_are_columns(returning: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        await query(Article).delete(returning=returning)


async def test_what_comes_back_is_not_read_along_relations() -> None:
    built = query(Article)
    await built.delete(returning=Article.author.name)
    with pytest.raises(QueryError, match=r"delete\(returning=\.\.\.\) of Article reads along a relation"):
        last_sql(built)


# ------------------------------------------------------------------ what is set


async def test_a_version_counts_up() -> None:
    built = query(Story)
    await built.update(Story.title.set("x"))
    assert last_sql(built) == (
        'UPDATE "story" SET "title" = $1::text, "version" = "story"."version" + 1',
        ["x"],
    )


async def test_a_relation_is_set_by_its_key() -> None:
    built = query(Article)
    await built.update(Article.author.id.set(3))
    assert last_sql(built) == ('UPDATE "articles" SET "author_id" = $1::bigint', [3])


async def test_a_value_may_come_from_a_query() -> None:
    built = query(Author)
    own = query(Article).filter(Article.author.id == Author.id).scalars(func.coalesce(func.max(Article.views), 0))
    await built.update(Author.age.set(own.as_expr()))
    assert last_sql(built, "sqlite") == (
        'UPDATE "author" SET "age" = (SELECT coalesce(max("articles"."views"), ?1) FROM "articles"'
        ' WHERE "articles"."author_id" = "author"."id")',
        [0],
    )


async def test_a_value_may_be_read_along_a_relation() -> None:
    built = query(Article)
    await built.update(Article.title.set(Article.author.name))
    value = (
        '(SELECT "author"."name" FROM "articles" AS "articles_2"'
        ' JOIN "author" ON "author"."id" = "articles_2"."author_id" WHERE "articles_2"."id" = "articles"."id")'
    )
    assert last_sql(built)[0] == f'UPDATE "articles" SET "title" = {value}'
    assert last_sql(built, "sqlite")[0] == f'UPDATE "articles" SET "title" = cormorant_fit_text({value}, 100)'


@pytest.mark.parametrize(
    ("assign", "error", "message"),
    [
        (
            lambda: Article.author.set(3),
            UnknownName,
            r"Article\.author is a relation.*\nHint: .*Article\.author\.id\.set",
        ),  # type: ignore[attr-defined]
        (
            lambda: Article.author.name.set("x"),
            QueryError,
            r"update\(\): Author\.name is not a column of Article\nHint",
        ),
        (lambda: Author.name.set("x"), QueryError, r"update\(\): Author\.name is not a column of Article"),
        (lambda: Article.views, WrongType, r"update\(\) takes assignments, not Article\.views"),
    ],
)
async def test_only_columns_of_the_model_are_set(assign: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        await query(Article).update(assign())


async def test_what_the_database_makes_is_not_set() -> None:
    with pytest.raises(QueryError, match=r"cannot set Story\.upper: the database computes it"):
        await query(Story).update(Story.upper.set("x"))
    with pytest.raises(QueryError, match=r"cannot set Story\.version: every write counts it up"):
        await query(Story).update(Story.version.set(7))


async def test_a_column_is_set_once() -> None:
    with pytest.raises(QueryError, match=r"Article\.views is set twice"):
        await query(Article).update(Article.views.set(1), Article.views.set(2))


# ------------------------------------------------------------------ which rows


async def test_conditions_along_relations_find_rows_by_a_key_of_several_columns() -> None:
    built = query(Line).filter(Line.story.title == "x")
    await built.delete()
    expected = (
        'DELETE FROM "line" WHERE EXISTS (SELECT 1 FROM "line" AS "line_2"'
        ' JOIN "story" ON "story"."id" = "line_2"."story_id"'
        ' WHERE "line_2"."story_id" = "line"."story_id" AND "line_2"."place" = "line"."place"'
        ' AND "story"."title" = $1)'
    )
    assert last_sql(built) == (expected, ["x"])


async def test_joins_that_were_asked_for_find_rows_by_key() -> None:
    built = query(Author).join(Article, Article.author.id == Author.id).filter(Article.views > 3)
    await built.update(Author.age.set(1))
    assert last_sql(built)[0] == (
        'UPDATE "author" SET "age" = $1::integer WHERE "author"."id" IN (SELECT "author_2"."id" FROM "author" AS'
        ' "author_2" JOIN "articles" ON "articles"."author_id" = "author_2"."id" WHERE "articles"."views" > $2)'
    )


@pytest.mark.parametrize(
    ("built", "part"),
    [
        (query(Article).limit(1), "limit"),
        (query(Article).offset(1), "offset"),
        (query(Article).order_by(Article.id), "order_by"),
        (query(Article).distinct(), "distinct"),
        (query(Article).group_by(Article.id), "group_by"),
        (query(Article).limit(1).order_by(Article.id), "limit and order_by"),
        (query(Article).select_related(Article.author), "related objects or chosen columns"),
    ],
)
async def test_a_statement_that_writes_has_no_limit_and_no_order(built: Any, part: str) -> None:
    for verb in ("delete", "update"):
        await (built.delete() if verb == "delete" else built.update(Article.views.set(1)))
        with pytest.raises(
            QueryError, match=rf"{verb}\(\) of Article has {part}, .*\nHint: .*Article\.id\.in_\(query\.scalars"
        ):
            last_sql(built)


# ------------------------------------------------------------------ rows from another query


def inserted(built: Any, database: str = "postgresql") -> tuple[str, list[Any]]:
    (statement,) = built._executor.statements
    prepared = DATABASES[database].prepare_write(statement)
    return prepared.sql, prepared.first(statement)


async def test_rows_come_from_another_query() -> None:
    built = query(Country)
    await built.insert_from(
        [Country.code, Country.name], query(Author).filter(Author.age > 3).values(Author.name, Author.name)
    )
    expected = (
        'INSERT INTO "country" ("code", "name") SELECT "author"."name", "author"."name" FROM "author"'
        ' WHERE "author"."age" > '
    )
    assert inserted(built) == (expected + "$1", [3])
    assert inserted(built, "sqlite") == (expected + "?1", [3])


async def test_plain_defaults_go_with_the_rows() -> None:
    built = query(Archive)
    await built.insert_from([Archive.id, Archive.title], query(Article).values(Article.id, Article.title))
    assert inserted(built) == (
        'WITH "selected"("c0", "c1") AS (SELECT "articles"."id", "articles"."title" FROM "articles")'
        ' INSERT INTO "archive" ("id", "title", "kind", "stars")'
        ' SELECT "c0", "c1", $1::text, NULL FROM "selected"',
        ["old"],
    )


async def test_decimals_are_rounded_as_the_column_keeps_them() -> None:
    built = query(Sample)
    names = [c.attribute for c in Sample.__info__.columns if c.attribute != "id"]
    columns: list[Column[Any]] = [getattr(Sample, name) for name in names]
    given = [Sample.exact if name == "price" else getattr(Sample, name) for name in names]
    await built.insert_from(columns, query(Sample).values(*given))
    assert ' cormorant_fit_decimal("c3", 10, 2), ' in inserted(built, "sqlite")[0]
    assert 'SELECT "sample"."small", "sample"."big"' in inserted(built)[0]
    assert "WITH" not in inserted(built)[0]


async def test_relations_are_given_by_their_key() -> None:
    built = query(SeatTicket)
    await built.insert_from([SeatTicket.id], query(Tag).scalars(Tag.id))
    assert inserted(built)[0].startswith('WITH "selected"("c0") AS (SELECT "tag"."id" FROM "tag") INSERT INTO "ticket"')
    built = query(Node)
    await built.insert_from([Node.name, Node.parent], query(Tag).values(Tag.name, Tag.id))
    assert inserted(built)[0] == 'INSERT INTO "node" ("name", "parent_id") SELECT "tag"."name", "tag"."id" FROM "tag"'


NAMES = query(Author).values(Author.name)
PAIRS = query(Author).values(Author.name, Author.name)


@pytest.mark.parametrize(
    ("columns", "rows", "error", "message"),
    [
        ([Country.code], PAIRS, QueryError, r"names 1 columns of Country, and the query selects 2"),
        ([Country.code], NAMES, QueryError, r"leaves Country\.name out, which has no default\nHint: select a value"),
        (
            [Country.code, Country.name],
            query(Author).values(Author.name, Author.age),
            WrongType,
            r"Country\.name is text and gets Author\.age, which is integer",
        ),
        ([Country.code, Country.code], PAIRS, QueryError, r"names Country\.code twice"),
        ([Author.name], NAMES, QueryError, r"Author\.name is not a column of Country"),
        (["code"], NAMES, WrongType, r"takes columns, not 'code' \(str\)"),
        ("code", NAMES, WrongType, r"takes a list of columns, not 'code'"),
        (Country.code, NAMES, WrongType, r"takes a list of columns, not Country\.code"),
        ([Country.code], [("x",)], WrongType, r"takes a query, not \[.*\nHint: for rows use bulk_create"),
    ],
)
async def test_rows_from_another_query_fit(columns: Any, rows: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        await query(Country).insert_from(columns, rows)


async def test_conditions_mean_nothing_to_new_rows() -> None:
    with pytest.raises(QueryError, match=r"insert_from\(\) of a query with conditions"):
        await query(Country).filter(Country.code == "x").insert_from([Country.code], NAMES)


async def test_computed_columns_take_no_rows() -> None:
    with pytest.raises(QueryError, match=r"cannot set Story\.upper: the database computes it"):
        await query(Story).insert_from([Story.title, Story.upper], query(Tag).values(Tag.name, Tag.name))


# ------------------------------------------------------------------ excluded


async def test_excluded_belongs_to_an_upsert() -> None:
    built = query(Seat)
    await built.update(Seat.taken.set(excluded(Seat.taken)))
    with pytest.raises(QueryError, match=r"the column 'taken' belongs to a table that the query does not read"):
        last_sql(built)
    with pytest.raises(WrongType, match=r"excluded\(\) takes a column, not 'taken'"):
        excluded("taken")  # type: ignore[arg-type]
