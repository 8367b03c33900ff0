"""Keyword lookups: each says the same as an expression, and has the same SQL."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cormorant import Expr, Q, QueryError, UnknownName, WrongType, ref
from tests.support.sql import both, query, sql, where
from tests.unit.query.models import Article, Author, Color, Node, Sample, Seat, Tag, Ticket

SAME: list[tuple[dict[str, Any], Callable[[], Expr[bool]]]] = [
    ({"small": 3}, lambda: Sample.small == 3),
    ({"small__exact": 3}, lambda: Sample.small == 3),
    ({"maybe": None}, lambda: Sample.maybe.is_null()),
    ({"text__iexact": "A"}, lambda: Sample.text.iexact("A")),
    ({"text__contains": "A%"}, lambda: Sample.text.contains("A%")),
    ({"text__icontains": "A"}, lambda: Sample.text.icontains("A")),
    ({"text__startswith": "A"}, lambda: Sample.text.startswith("A")),
    ({"text__istartswith": "A"}, lambda: Sample.text.istartswith("A")),
    ({"text__endswith": "A"}, lambda: Sample.text.endswith("A")),
    ({"text__iendswith": "A"}, lambda: Sample.text.iendswith("A")),
    ({"small__in": [1, 2]}, lambda: Sample.small.in_([1, 2])),
    ({"small__in": (n for n in (1, 2))}, lambda: Sample.small.in_([1, 2])),
    ({"small__gt": 3}, lambda: Sample.small > 3),
    ({"small__gte": 3}, lambda: Sample.small >= 3),
    ({"small__lt": 3}, lambda: Sample.small < 3),
    ({"small__lte": 3}, lambda: Sample.small <= 3),
    ({"small__range": (1, 3)}, lambda: Sample.small.between(1, 3)),
    ({"small__range": [1, 3]}, lambda: Sample.small.between(1, 3)),
    ({"maybe__isnull": True}, lambda: Sample.maybe.is_null()),
    ({"maybe__isnull": False}, lambda: Sample.maybe.is_not_null()),
    ({"price__gt": Decimal("1.5")}, lambda: Sample.price > Decimal("1.5")),
    ({"color": Color.RED}, lambda: Sample.color == Color.RED),
    ({"pk": 3}, lambda: Sample.id == 3),
    ({"pk__in": [3]}, lambda: Sample.id.in_([3])),
]


@pytest.mark.parametrize(("lookups", "same"), SAME, ids=["__".join(case[0]) for case in SAME])
def test_a_lookup_is_an_expression(lookups: dict[str, Any], same: Callable[[], Expr[bool]]) -> None:
    assert both(query(Sample).filter(**lookups)) == both(query(Sample).filter(same()))


def test_every_lookup_of_the_documentation_exists() -> None:
    named = [
        "exact",
        "iexact",
        "contains",
        "icontains",
        "startswith",
        "endswith",
        "in",
        "gt",
        "gte",
        "lt",
        "lte",
        "range",
    ]
    named.append("isnull")
    text = {"iexact", "contains", "icontains", "startswith", "endswith"}
    for name in named:
        column = "text" if name in text else "small"
        value: Any = {"in": [1], "range": (1, 2), "isnull": True}.get(name, "x" if name in text else 1)
        assert where(query(Sample).filter(**{f"{column}__{name}": value}))[0]


def test_lookups_of_one_call_are_joined_by_and() -> None:
    assert where(query(Sample).filter(Sample.flag, small=1, big__gt=2)) == (
        '"sample"."flag" AND "sample"."small" = $1 AND "sample"."big" > $2',
        [1, 2],
    )


# ------------------------------------------------------------------ through relations to one


def test_a_lookup_goes_through_relations() -> None:
    assert sql(query(Article).filter(author__name="Ada"))[0].partition(" FROM ")[2] == (
        '"articles" JOIN "author" ON "author"."id" = "articles"."author_id" WHERE "author"."name" = $1'
    )
    assert sql(query(Article).filter(editor__country__name__startswith="G"))[0].partition(" FROM ")[2] == (
        '"articles" JOIN "author" AS "editor" ON "editor"."id" = "articles"."editor_id"'
        ' JOIN "country" AS "editor__country" ON "editor__country"."code" = "editor"."country_id"'
        ' WHERE "editor__country"."name" LIKE $1'
    )


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"author": 3}, ('"articles"."author_id" = $1', [3])),
        ({"author": ref(Author, 3)}, ('"articles"."author_id" = $1', [3])),
        ({"author_id": 3}, ('"articles"."author_id" = $1', [3])),
        ({"author__id": 3}, ('"articles"."author_id" = $1', [3])),
        ({"author__pk": 3}, ('"articles"."author_id" = $1', [3])),
        ({"author__pk__in": [3]}, ('"articles"."author_id" = ANY($1::bigint[])', [[3]])),
        ({"author__in": [3, 4]}, ('"articles"."author_id" = ANY($1::bigint[])', [[3, 4]])),
        ({"author__in": [ref(Author, 3)]}, ('"articles"."author_id" = ANY($1::bigint[])', [[3]])),
        ({"author__in": [ref(Author, 3), 4]}, ('"articles"."author_id" = ANY($1::bigint[])', [[3, 4]])),
        ({"author__in": []}, ('"articles"."author_id" = ANY($1::bigint[])', [[]])),
        ({"author__gt": 3}, ('"articles"."author_id" > $1', [3])),
        ({"author__range": (1, 3)}, ('"articles"."author_id" BETWEEN $1 AND $2', [1, 3])),
        ({"editor": None}, ('"articles"."editor_id" IS NULL', [])),
        ({"editor__isnull": False}, ('"articles"."editor_id" IS NOT NULL', [])),
        ({"editor__email__isnull": True}, ('"editor"."email" IS NULL', [])),
        ({"author__adult": True}, ('("author"."age" >= $1) = $2', [18, True])),
        ({"author__shout__startswith": "A"}, ('upper("author"."name") LIKE $1', ["A%"])),
    ],
)
def test_a_relation_is_looked_up_by_object_or_key(lookups: dict[str, Any], expected: tuple[str, list[Any]]) -> None:
    assert where(query(Article).filter(**lookups)) == expected


def test_a_relation_is_looked_up_among_a_query() -> None:
    adults = query(Author).filter(Author.age > 17)
    expected = (
        '"articles"."author_id" IN (SELECT "author"."id" FROM "author" WHERE "author"."age" > $1)',
        [17],
    )
    assert where(query(Article).filter(author__in=adults.scalars(Author.id))) == expected
    assert where(query(Article).filter(author_id__in=adults.scalars(Author.id))) == expected
    assert where(query(Article).filter(Article.author.id.in_(adults.scalars(Author.id)))) == expected


def test_the_other_side_of_one_to_one() -> None:
    assert where(query(Author).filter(profile__text="x")) == ('"profile"."text" = $1', ["x"])
    assert where(query(Author).filter(profile=None))[0] == '"profile"."author_id" IS NULL'
    assert where(query(Author).filter(profile__isnull=False))[0] == '"profile"."author_id" IS NOT NULL'


def test_composite_keys() -> None:
    seat = ref(Seat, 1, 2)
    expected = ('"ticket"."seat_row" = $1 AND "ticket"."seat_number" = $2', [1, 2])
    assert where(query(Ticket).filter(seat=seat)) == expected
    assert where(query(Ticket).filter(seat=(1, 2))) == expected
    assert where(query(Ticket).filter(seat__in=[seat, (3, 4)]))[1] == [1, 2, 3, 4]
    assert where(query(Ticket).filter(seat__row=1)) == ('"ticket"."seat_row" = $1', [1])
    assert where(query(Seat).filter(pk=(1, 2))) == ('"seat"."row" = $1 AND "seat"."number" = $2', [1, 2])


# ------------------------------------------------------------------ through relations to many

TAGGED = (
    'EXISTS (SELECT 1 FROM "tag" JOIN "articles_tags" AS "tags_link" ON "tags_link"."tag_id" = "tag"."id"'
    ' WHERE "tags_link"."article_id" = "articles"."id"'
)


def test_lookups_over_one_relation_to_many_in_one_call_are_about_one_object() -> None:
    assert where(query(Article).filter(tags__name="math", tags__weight__gt=3)) == (
        f'{TAGGED} AND "tag"."name" = $1 AND "tag"."weight" > $2)',
        ["math", 3],
    )
    assert where(query(Article).filter(tags__name="math").filter(tags__weight__gt=3))[0] == (
        f'{TAGGED} AND "tag"."name" = $1) AND {TAGGED} AND "tag"."weight" > $2)'
    )


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"tags": ref(Tag, 3)}, (f'{TAGGED} AND "tag"."id" = $1)', [3])),
        ({"tags": 3}, (f'{TAGGED} AND "tag"."id" = $1)', [3])),
        ({"tags__pk": 3}, (f'{TAGGED} AND "tag"."id" = $1)', [3])),
        ({"tags__in": [ref(Tag, 3), 4]}, (f'{TAGGED} AND "tag"."id" = ANY($1::bigint[]))', [[3, 4]])),
        ({"tags__isnull": True}, (f"NOT ({TAGGED}))", [])),
        ({"tags__isnull": False}, (f"{TAGGED})", [])),
        ({"tags__name__in": ["a"]}, (f'{TAGGED} AND "tag"."name" = ANY($1::text[]))', [["a"]])),
    ],
)
def test_a_relation_to_many_is_looked_up(lookups: dict[str, Any], expected: tuple[str, list[Any]]) -> None:
    assert where(query(Article).filter(**lookups)) == expected


def test_lookups_go_through_several_relations_to_many() -> None:
    assert where(query(Author).filter(articles__tags__name="math", articles__views__gt=3))[0] == (
        'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id" AND "articles"."views" > $1'
        f' AND {TAGGED} AND "tag"."name" = $2))'
    )
    assert where(query(Article).filter(author__articles__title="x"))[0] == (
        'EXISTS (SELECT 1 FROM "articles" AS "articles_2"'
        ' WHERE "articles_2"."author_id" = "articles"."author_id" AND "articles_2"."title" = $1)'
    )


def test_a_lookup_to_itself() -> None:
    assert where(query(Node).filter(children__name="x", parent__name="y"))[0] == (
        '"parent"."name" = $1 AND EXISTS (SELECT 1 FROM "node" AS "node_2"'
        ' WHERE "node_2"."parent_id" = "node"."id" AND "node_2"."name" = $2)'
    )


def test_excluding_lookups_over_a_relation_to_many_drops_whoever_has_such_an_object() -> None:
    assert where(query(Article).exclude(tags__name="math"))[0] == f'NOT ({TAGGED} AND "tag"."name" = $1))'


def test_a_q_has_its_own_exists() -> None:
    assert where(query(Article).filter(Q(tags__name="a") & Q(tags__name="b")))[0].count("EXISTS") == 2
    assert where(query(Article).filter(Q(tags__name="a", tags__weight=1)))[0].count("EXISTS") == 1


# ------------------------------------------------------------------ what does not exist


@pytest.mark.parametrize(
    ("lookups", "message"),
    [
        (
            {"titel": 1},
            r"titel=\.\.\.: Article has no column or relation 'titel'\nHint: did you mean 'title'\? it has: ",
        ),
        (
            {"author__nmae": 1},
            r"author__nmae=\.\.\.: Author has no column or relation 'nmae'\nHint: did you mean 'name'",
        ),
        ({"tags__nmae": 1}, r"tags__nmae=\.\.\.: Tag has no column or relation 'nmae'\nHint: did you mean 'name'"),
        ({"title__like": "x"}, r"title__like=\.\.\.: there is no lookup 'like'\nHint: .*it has: contained_by,"),
        ({"title__exact__exact": "x"}, r"there is no lookup 'exact__exact'"),
        ({"title__": "x"}, r"there is no lookup ''"),
        ({"author__shout__foo": "x"}, r"author__shout__foo=\.\.\.: there is no lookup 'foo'"),
        ({"author__name__first": "x"}, r"there is no lookup 'first'"),
        ({"": 1}, r"=\.\.\.: Article has no column or relation ''"),
        ({"__": 1}, r"Article has no column or relation ''"),
        ({"__class__": 1}, r"Article has no column or relation ''"),
        ({"mro": 1}, r"Article has no column or relation 'mro'"),
        ({"to_dict": 1}, r"Article has no column or relation 'to_dict'"),
        ({"objects": 1}, r"Article has no column or relation 'objects'"),
        ({"popular": True}, r"Article has no column or relation 'popular'"),
        ({"title; drop table x": 1}, r"Article has no column or relation 'title; drop table x'"),
        ({"tags__foo__bar": 1}, r"Tag has no column or relation 'foo'"),
        ({"author__contains": "x"}, r"Article\.author_id is integer, and text can only be searched in text columns"),
    ],
)
def test_what_does_not_exist_is_named(lookups: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        query(Article).filter(**lookups)
    assert isinstance(caught.value, (UnknownName, WrongType))


@pytest.mark.parametrize(
    ("lookups", "message"),
    [
        ({"small": "x"}, r"Sample\.small: 'x' \(str\) is not an int"),
        ({"small__gt": None}, r"small__gt=\.\.\.: Sample\.small is compared with None\nHint: use \.is_null\(\)"),
        ({"small__range": 3}, r"small__range=\.\.\.: a range needs \(low, high\), not 3"),
        ({"small__range": (1, 2, 3)}, r"small__range=\.\.\.: a range needs"),
        ({"small__in": 3}, r"small__in=\.\.\.: Sample\.small\.in_\(3\) has no collection of values\nHint: "),
        ({"small__in": [1, None]}, r"Sample\.small\.in_\(\) got None, which IN never matches\nHint: add \| "),
        ({"text__in": "abc"}, r"Sample\.text\.in_\('abc'\) would test its characters\nHint: put the value in a list"),
        ({"maybe__isnull": 1}, r"maybe__isnull=\.\.\.: isnull takes True or False, not 1"),
        ({"text__contains": 3}, r"Sample\.text: 3 \(int\) is not a str"),
        ({"small__contains": "x"}, r"Sample\.small is integer, and text can only be searched in text columns"),
        ({"color": "red"}, r"Sample\.color: 'red' \(str\) is not a Color\nHint: use Color\.RED"),
    ],
)
def test_a_value_that_does_not_fit_is_named(lookups: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        query(Sample).filter(**lookups)


def test_a_composite_key_needs_all_its_values() -> None:
    for lookups in ({"seat": 3}, {"seat": (1,)}, {"seat__in": [(1, 2), 3]}, {"seat__gt": (1, 2)}):
        with pytest.raises(WrongType, match=r"seat(__\w+)?=\.\.\.: .* key of (2|Seat has 2) columns"):
            query(Ticket).filter(**lookups)
    with pytest.raises(
        WrongType, match=r"pk=\.\.\.: the key of Seat has 2 columns, and 1 values were given\nHint: ref"
    ):
        query(Seat).filter(pk=3)
