"""What comes along with the objects of a query: the exact SQL of joins, further statements, and columns left out."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import Model, QueryError, UnknownName, WrongType, alias, func
from cormorant.models.many import WHOLE
from cormorant.query.prefetch import members_of, objects_of
from cormorant.query.related import Branch, loading_of
from cormorant.query.rows import in_mode
from tests.support.sql import both, last_sql, query, sql
from tests.unit.query.models import Article, Author, Country, Node, Seat, Tag, Ticket

ARTICLE = '"articles"."id", "articles"."title", "articles"."views", "articles"."author_id", "articles"."editor_id"'
TAG = '"tag"."id", "tag"."name", "tag"."weight"'
JOIN_AUTHOR = 'JOIN "author" ON "author"."id" = "articles"."author_id"'


def text(built: Any, database: str = "postgresql") -> str:
    return sql(built, database)[0]


def columns(alias: str, *names: str) -> str:
    return ", ".join(f'"{alias}"."{name}"' for name in names)


AUTHOR = columns("author", *Author.__info__.fields)


# ------------------------------------------------------------------ joins


def test_a_relation_is_joined_and_its_columns_follow() -> None:
    for sql_text, _ in both(query(Article).select_related(Article.author)).values():
        assert sql_text == f'SELECT {ARTICLE}, {AUTHOR} FROM "articles" {JOIN_AUTHOR}'


def test_a_nullable_one_is_an_outer_join_and_so_is_all_behind_it() -> None:
    assert text(query(Article).select_related(Article.editor.country)) == (
        f"SELECT {ARTICLE}, {AUTHOR.replace('author', 'editor')}, {columns('editor__country', 'code', 'name')}"
        ' FROM "articles" LEFT JOIN "author" AS "editor" ON "editor"."id" = "articles"."editor_id"'
        ' LEFT JOIN "country" AS "editor__country" ON "editor__country"."code" = "editor"."country_id"'
    )


def test_the_other_side_of_one_to_one_is_an_outer_join() -> None:
    assert text(query(Author).select_related(Author.profile)) == (
        f'SELECT {AUTHOR}, "profile"."author_id", "profile"."text" FROM "author"'
        ' LEFT JOIN "profile" ON "profile"."author_id" = "author"."id"'
    )


def test_conditions_and_joins_share_what_they_read() -> None:
    built = query(Article).select_related(Article.author).filter(Article.author.name == "Ada").order_by(Article.id)
    assert sql(built) == (
        f'SELECT {ARTICLE}, {AUTHOR} FROM "articles" {JOIN_AUTHOR} WHERE "author"."name" = $1 ORDER BY "articles"."id"',
        ["Ada"],
    )


def test_the_limit_is_of_the_querys_own_objects() -> None:
    built = query(Article).select_related(Article.author, Article.tags, Article.author.articles).limit(3)
    assert text(built) == f'SELECT {ARTICLE}, {AUTHOR} FROM "articles" {JOIN_AUTHOR} LIMIT $1'


def test_a_relation_asked_for_twice_is_joined_once() -> None:
    once = query(Article).select_related(Article.author)
    assert text(once.select_related(Article.author).prefetch_related(Article.author)) == text(once)


def test_what_comes_along_is_no_part_of_counts_or_inner_queries() -> None:
    built = query(Article).select_related(Article.author)
    for mode in ("count", "exists"):
        assert " JOIN " not in text(in_mode(built._spec, mode))
    inner = built.subquery("s")
    outside = text(query(Tag).join(inner, inner[Article.id] == Tag.id).values(Tag.id))
    assert " JOIN " not in outside.partition("(")[2].partition(") AS")[0]
    assert text(query(Article).prefetch_related(Article.author)) == text(query(Article))


def test_annotations_and_objects_come_along_together() -> None:
    built = query(Article).select_related(Article.author).annotate(Article.views + 1)
    assert text(built).startswith(f'SELECT {ARTICLE}, "articles"."views" + $1::bigint, {AUTHOR} FROM')
    swapped = query(Article).select_related(Article.author).values(Article.title, Article)
    assert text(swapped).startswith(f'SELECT "articles"."title", {ARTICLE}, {AUTHOR} FROM')


def test_plans_differ_by_what_comes_along_and_not_by_what_is_fetched_later() -> None:
    plain = query(Article)
    keys = [
        plain._spec.cache_key,
        plain.select_related(Article.author)._spec.cache_key,
        plain.prefetch_related(Article.author)._spec.cache_key,
        plain.select_related(Article.editor)._spec.cache_key,
        plain.only(Article.title)._spec.cache_key,
        plain.defer(Article.title)._spec.cache_key,
    ]
    assert len(set(keys)) == len(keys)
    few, many = (plain.prefetch_related(Article.tags.filter(Tag.weight > n))._spec for n in (1, 2))
    assert few.cache_key == many.cache_key


# ------------------------------------------------------------------ statements of their own


def relation(model: type[Model], name: str) -> Any:
    return model.__info__.relation(name)


def part_of(many: Any) -> Any:
    return many.__steps__[-1].part


def test_objects_are_read_by_their_keys() -> None:
    found = both(objects_of(Author.__info__, [1, 2]))
    assert found["postgresql"] == (f'SELECT {AUTHOR} FROM "author" WHERE "author"."id" = ANY($1::bigint[])', [[1, 2]])
    assert found["sqlite"][0] == (
        f'SELECT {AUTHOR} FROM "author" WHERE "author"."id" IN (SELECT value FROM json_each(?1))'
    )


def test_keys_of_several_columns_are_conditions() -> None:
    assert sql(objects_of(Seat.__info__, [(1, 2), (3, 4)])) == (
        'SELECT "seat"."row", "seat"."number", "seat"."taken" FROM "seat"'
        ' WHERE (("seat"."row" = $1 AND "seat"."number" = $2) OR ("seat"."row" = $3 AND "seat"."number" = $4))',
        [1, 2, 3, 4],
    )


def test_members_come_with_their_owners_key() -> None:
    assert text(members_of(relation(Author, "articles"), [1])) == (
        f'SELECT "articles"."author_id", {ARTICLE} FROM "articles"'
        ' WHERE "articles"."author_id" = ANY($1::bigint[]) ORDER BY "articles"."id"'
    )


def test_links_are_joined_to_the_members() -> None:
    assert text(members_of(relation(Article, "tags"), [1])) == (
        f'SELECT "tags_link"."article_id", {TAG} FROM "tag"'
        ' JOIN "articles_tags" AS "tags_link" ON "tags_link"."tag_id" = "tag"."id"'
        ' WHERE "tags_link"."article_id" = ANY($1::bigint[]) ORDER BY "tag"."id"'
    )
    assert '"articles_link"."tag_id" = ANY($1::bigint[])' in text(members_of(relation(Tag, "articles"), [1]))


def test_members_are_filtered_and_ordered() -> None:
    part = part_of(Author.articles.filter(Article.views > 3, title__startswith="A").order_by(Article.views.desc()))
    assert sql(members_of(relation(Author, "articles"), [1, 2], part)) == (
        f'SELECT "articles"."author_id", {ARTICLE} FROM "articles"'
        ' WHERE "articles"."author_id" = ANY($1::bigint[]) AND "articles"."views" > $2 AND "articles"."title" LIKE $3'
        ' ORDER BY "articles"."views" DESC, "articles"."id"',
        [[1, 2], 3, "A%"],
    )


LIMITED = (
    "SELECT {outer} FROM (SELECT {inner}, row_number() OVER (PARTITION BY {near} ORDER BY {order}) AS"
    ' "n" FROM {source}) AS "limited" WHERE "limited"."n" <= {limit} ORDER BY "limited"."n"'
)


def numbered(names: str) -> tuple[str, str]:
    """Gives columns as the outer and the inner SELECT of a limited relation name them."""
    parts = names.split(", ")
    outer = ", ".join(f'"limited"."c{n}"' for n in range(len(parts)))
    return outer, ", ".join(f'{part} AS "c{n}"' for n, part in enumerate(parts))


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_a_limit_counts_each_owners_members(database: str) -> None:
    part = part_of(Author.articles.filter(Article.views > 3).order_by(Article.views.desc()).limit(2))
    outer, inner = numbered(f'"articles"."author_id", {ARTICLE}')
    one, two, three = ("$1", "$2", "$3") if database == "postgresql" else ("?1", "?2", "?3")
    among = f"= ANY({one}::bigint[])" if database == "postgresql" else f"IN (SELECT value FROM json_each({one}))"
    found = sql(members_of(relation(Author, "articles"), [1], part), database)
    assert found[0] == LIMITED.format(
        outer=outer,
        inner=inner,
        near='"articles"."author_id"',
        order='"articles"."views" DESC, "articles"."id"',
        source=f'"articles" WHERE "articles"."author_id" {among} AND "articles"."views" > {two}',
        limit=three,
    )
    assert found[1][1:] == [3, 2]


def test_a_limit_over_links_is_of_each_owner_too() -> None:
    outer, inner = numbered(f'"tags_link"."article_id", {TAG}')
    assert text(members_of(relation(Article, "tags"), [1], part_of(Article.tags.limit(1)))) == LIMITED.format(
        outer=outer,
        inner=inner,
        near='"tags_link"."article_id"',
        order='"tag"."id"',
        source='"tag" JOIN "articles_tags" AS "tags_link" ON "tags_link"."tag_id" = "tag"."id"'
        ' WHERE "tags_link"."article_id" = ANY($1::bigint[])',
        limit="$2",
    )


def test_what_is_joined_to_members_comes_in_their_rows() -> None:
    branches = (Branch(relation(Article, "editor"), joined=True), Branch(relation(Article, "tags")))
    members = loading_of(Branch(relation(Author, "articles"), branches=branches))
    assert text(members_of(relation(Author, "articles"), [1], WHOLE, members)) == (
        f'SELECT "articles"."author_id", {ARTICLE}, {AUTHOR.replace("author", "editor")} FROM "articles"'
        ' LEFT JOIN "author" AS "editor" ON "editor"."id" = "articles"."editor_id"'
        ' WHERE "articles"."author_id" = ANY($1::bigint[]) ORDER BY "articles"."id"'
    )


def test_conditions_of_members_may_go_along_relations() -> None:
    part = part_of(Tag.articles.filter(Article.author.name == "Ada"))
    assert text(members_of(relation(Tag, "articles"), [1], part)).endswith(
        'FROM "articles" JOIN "articles_tags" AS "articles_link" ON "articles_link"."article_id" = "articles"."id"'
        f' {JOIN_AUTHOR} WHERE "articles_link"."tag_id" = ANY($1::bigint[]) AND "author"."name" = $2'
        ' ORDER BY "articles"."id"'
    )


# ------------------------------------------------------------------ parts of relations as expressions


def test_a_part_is_counted_and_asked_for() -> None:
    part = Author.articles.filter(Article.views > 3)
    inner = '"articles" WHERE "articles"."author_id" = "author"."id" AND "articles"."views" > $1'
    assert sql(query(Author).filter(part.any(Article.title == "x"))) == (
        f'SELECT {AUTHOR} FROM "author" WHERE EXISTS (SELECT 1 FROM {inner} AND "articles"."title" = $2)',
        [3, "x"],
    )
    assert text(query(Author).annotate(part.count())) == (
        f'SELECT {AUTHOR}, (SELECT count(*) FROM {inner}) FROM "author"'
    )


def test_a_part_never_changes() -> None:
    whole = Author.articles
    part = whole.filter(Article.views > 3).order_by(Article.id).limit(2)
    assert repr(part) == repr(whole) == "Author.articles"
    assert part_of(whole) is WHOLE
    assert part.key != whole.key
    assert [bind.value for bind in part.binds] == [3, 2]


def test_lists_as_values_are_read_by_a_statement_of_their_own() -> None:
    built = query(Author).annotate(Author.articles.filter(Article.views > 3), Author.articles.count())
    count = '(SELECT count(*) FROM "articles" WHERE "articles"."author_id" = "author"."id")'
    assert sql(built) == (f'SELECT {AUTHOR}, "author"."id", {count} FROM "author"', [])
    further = query(Article).values(Article.title, Article.author.articles.limit(2).label("others"))
    assert sql(further) == ('SELECT "articles"."title", "articles"."author_id" FROM "articles"', [])


# ------------------------------------------------------------------ columns left out


def test_only_what_is_named_is_read_and_the_key() -> None:
    assert text(query(Author).only(Author.name)) == 'SELECT "author"."id", "author"."name" FROM "author"'
    assert (
        text(query(Author).only(Author.name).only(Author.age)) == 'SELECT "author"."id", "author"."age" FROM "author"'
    )
    assert text(query(Ticket).only(Ticket.seat.row)) == 'SELECT "ticket"."id", "ticket"."seat_row" FROM "ticket"'


def test_deferred_columns_add_up_and_the_key_is_never_one() -> None:
    built = query(Author).defer(Author.email, Author.id).defer(Author.age, Author.country.code)
    assert text(built) == 'SELECT "author"."id", "author"."name" FROM "author"'
    assert text(query(Author).only(Author.name, Author.age).defer(Author.age)) == text(query(Author).only(Author.name))


def test_columns_of_what_is_joined_are_left_out_too() -> None:
    built = query(Article).only(Article.title, Article.author.name).select_related(Article.author)
    assert text(built) == (
        'SELECT "articles"."id", "articles"."title", "articles"."author_id", "author"."id", "author"."name"'
        f' FROM "articles" {JOIN_AUTHOR}'
    )
    assert text(
        query(Article).select_related(Article.author).defer(Article.author.email, Article.author.country.code)
    ) == (f'SELECT {ARTICLE}, "author"."id", "author"."name", "author"."age" FROM "articles" {JOIN_AUTHOR}')


def test_the_key_of_what_is_to_be_loaded_is_read() -> None:
    built = query(Article).only(Article.title).prefetch_related(Article.editor)
    assert text(built) == 'SELECT "articles"."id", "articles"."title", "articles"."editor_id" FROM "articles"'


def test_everything_named_is_everything() -> None:
    assert text(query(Country).only(Country.name)) == text(query(Country))


# ------------------------------------------------------------------ mistakes

WRONG: Any = Author.name
OTHER: Any = alias(Article)


@pytest.mark.parametrize("verb", ["select_related", "prefetch_related"])
@pytest.mark.parametrize(
    ("relation", "error", "message"),
    [
        (Author.name, WrongType, r"_related\(\) takes relations, not Author\.name\nHint: name them from the model"),
        ("author", WrongType, r"takes relations, not 'author'"),
        (None, WrongType, "takes relations, not None"),
        (Author, WrongType, "takes relations, not <class"),
        (Author.articles.count(), WrongType, "takes relations"),
        (Author.articles, QueryError, r"Author\.articles is no relation of the Article objects that .*_related\(\) is"),
        (Article.author.name, WrongType, "takes relations"),
        (OTHER, QueryError, r"alias\(Article\) is no relation of the Article objects"),
        (OTHER.author, QueryError, r"Article\.author is no relation of the Article objects"),
        (
            Article.author.articles.each.author,
            QueryError,
            r"Author\.articles and then Article\.author is a cycle: it lea",
        ),
        (Article.author.profile.author, QueryError, r"Author\.profile and then Profile\.author is a cycle"),
        (
            Article.author.articles.each.author.articles,
            QueryError,
            "is a cycle: it leads back to the Author it started",
        ),
    ],
)
def test_what_is_no_relation_of_the_objects_is_refused(verb: str, relation: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(query(Article), verb)(relation)


def test_a_tree_may_be_followed_level_by_level() -> None:
    built = query(Node).prefetch_related(Node.children.each.children.each.children, Node.near.each.near)
    assert [branch.relation.name for branch in built._spec.loading.branches] == ["children", "near"]


@pytest.mark.parametrize("verb", ["select_related", "prefetch_related", "only", "defer"])
def test_nothing_named_is_a_mistake(verb: str) -> None:
    with pytest.raises(QueryError, match=rf"{verb}\(\) names no"):
        getattr(query(Article), verb)()


def test_one_relation_cannot_be_asked_for_in_two_ways() -> None:
    some = Author.articles.filter(Article.views > 3)
    again = Author.articles.filter(Article.views > 3)
    assert len(query(Author).prefetch_related(some, again, Author.articles.each.tags)._spec.loading.branches) == 1
    for other in (Author.articles, Author.articles.filter(Article.views > 4), some.limit(2)):
        with pytest.raises(QueryError, match=r"Author\.articles is asked for in two ways"):
            query(Author).prefetch_related(some, other)
        with pytest.raises(QueryError, match=r"Author\.articles is asked for in two ways"):
            query(Author).prefetch_related(other).prefetch_related(some)
    # what only passes through says nothing, whether it comes first or last
    query(Author).prefetch_related(Author.articles.each.tags, some)


@pytest.mark.parametrize("verb", ["only", "defer"])
@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        (Article.author, WrongType, r"takes columns, not Article\.author"),
        (Article.tags, WrongType, "takes columns"),
        ("title", WrongType, "takes columns, not 'title'"),
        (None, WrongType, "takes columns, not None"),
        (Article.views + 1, WrongType, "takes columns"),
        (func.count(), WrongType, "takes columns"),
        (Author.name, QueryError, r"Author\.name in .* is not a column of Article"),
    ],
)
def test_what_is_no_column_of_the_objects_is_refused(verb: str, column: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(query(Article), verb)(column)


def test_columns_of_a_relation_that_does_not_come_along_are_refused() -> None:
    for built in (
        query(Article).only(Article.author.name),
        query(Article).defer(Article.editor.name).prefetch_related(Article.author),
    ):
        with pytest.raises(QueryError, match=r"name columns of a relation that does not come along\nHint: load it"):
            sql(built)


@pytest.mark.parametrize(
    ("built", "what"),
    [
        (query(Article).select_related(Article.author), "select_related"),
        (query(Article).prefetch_related(Article.tags), "prefetch_related"),
        (query(Article).only(Article.title), "only"),
        (query(Article).defer(Article.title), "defer"),
    ],
)
def test_values_have_nothing_to_come_along_with(built: Any, what: str) -> None:
    for rows in (
        lambda: built.values(Article.title),
        lambda: built.values(Article.author),
        lambda: built.scalars(Article.id),
        lambda: built.as_dicts(),
    ):
        with pytest.raises(QueryError, match=rf"{what}.* with values of Article: there are no Article objects"):
            rows()
    assert built.annotate(Article.views) is not None
    assert built.values(Article.title, Article) is not None


def test_parts_are_checked_when_they_are_made() -> None:
    with pytest.raises(WrongType):
        Author.articles.filter(Author.name)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match=r"nope=.*Article has no column or relation 'nope'"):
        Author.articles.filter(nope=3)
    with pytest.raises(WrongType, match="a number of rows"):
        Author.articles.limit(-1)
    with pytest.raises(WrongType, match="takes columns and expressions"):
        Author.articles.order_by("title")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=r"Author\.articles\.limit\(\.\.\.\) in a condition or a count"):
        Author.articles.limit(3).count()
    with pytest.raises(QueryError, match=r"filter\(\.\.\.\)\.each: a join takes all of them"):
        _ = Author.articles.filter(Article.views > 3).each
    with pytest.raises(QueryError, match="belongs to a table that the query does not read"):
        sql(members_of(relation(Author, "articles"), [1], part_of(Author.articles.filter(Tag.name == "x"))))


def test_lists_are_no_values_inside_of_other_queries() -> None:
    inner: Any = query(Author).scalars(Author.articles)
    with pytest.raises(QueryError, match="stands inside another query"):
        query(Author).filter(Author.id.in_(inner))


def test_unions_say_what_comes_along_after_they_are_put_together() -> None:
    one, two = query(Article).filter(Article.views > 3), query(Article).filter(Article.views < 1)
    assert text(one.union(two).prefetch_related(Article.tags)).startswith("SELECT ")
    with pytest.raises(QueryError, match="use prefetch_related"):
        sql(one.union(two).select_related(Article.author))
    with pytest.raises(QueryError, match="say it after the union"):
        one.prefetch_related(Article.tags).union(two)


async def test_aggregates_leave_it_out() -> None:
    built = query(Article).select_related(Article.author).only(Article.title)
    await built.aggregate(func.count())
    assert last_sql(built)[0] == 'SELECT count(*) FROM "articles"'
