"""The SQL of pages by key, and their cursors."""

from __future__ import annotations

import enum
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import Database, Page, QueryError, WrongCursor, WrongType, alias, errors, func, text
from cormorant.query.builder import Builder
from cormorant.query.cursors import Cursors, Place, from_plain, to_plain
from cormorant.query.paging import paging_of
from cormorant.query.spec import QuerySpec
from cormorant.sql import types as t
from tests.support.sql import DATABASES, Recorder, query, sql, where
from tests.unit.query.models import Article, Author, Color, Country, Sample, Seat, Tag


def ordered(built: Builder[Any], database: str = "postgresql") -> str:
    """Gives what stands after ORDER BY on a first page."""
    text, _ = sql(paging_of(built._spec).ask(2, None), database)
    return text.partition(" ORDER BY ")[2]


def seek(built: Builder[Any], *values: Any, database: str = "postgresql", **options: Any) -> tuple[str, list[Any]]:
    """Gives the condition of the rows behind `values`, with what follows it."""
    backwards = options.pop("backwards", False)
    return where(paging_of(built._spec).ask(2, Place(values, **options), backwards=backwards), database)


class OnSQLite(Recorder):
    """Stands in for a session of a database."""

    @property
    def database(self) -> Database:
        return DATABASES["sqlite"]

    def scoped(self, spec: QuerySpec) -> QuerySpec:
        return spec


def on_sqlite(built: Any) -> Any:
    """Gives a query that knows its database, whose cursors it takes."""
    return type(built)(built._spec, OnSQLite())


# ------------------------------------------------------------------ the order


def test_a_first_page_is_one_row_longer_and_ordered_by_the_key() -> None:
    assert sql(paging_of(query(Tag)._spec).ask(3, None)) == (
        'SELECT "tag"."id", "tag"."name", "tag"."weight" FROM "tag" ORDER BY "tag"."id" LIMIT $1',
        [3],
    )


@pytest.mark.parametrize(
    ("built", "order"),
    [
        (query(Tag).order_by(Tag.name), '"tag"."name", "tag"."id" LIMIT $1'),
        (query(Tag).order_by(Tag.name.desc()), '"tag"."name" DESC, "tag"."id" DESC LIMIT $1'),
        (query(Tag).order_by(Tag.name.desc(), Tag.weight), '"tag"."name" DESC, "tag"."weight", "tag"."id" LIMIT $1'),
        (query(Tag).order_by(Tag.id.desc()), '"tag"."id" DESC LIMIT $1'),
        (query(Tag).order_by(Tag.name.label("n")), '"tag"."name", "tag"."id" LIMIT $1'),
        (query(Seat), '"seat"."row", "seat"."number" LIMIT $1'),
        (query(Seat).order_by(Seat.number), '"seat"."number", "seat"."row" LIMIT $1'),
    ],
)
def test_what_tells_rows_apart_is_added(built: Builder[Any], order: str) -> None:
    assert ordered(built) == order


def test_order_values_are_selected_beside_the_rows_once() -> None:
    built = query(Tag).values(Tag.name).order_by(func.lower(Tag.name), Tag.name)
    assert sql(paging_of(built._spec).ask(2, None))[0] == (
        'SELECT "tag"."name", lower("tag"."name"), "tag"."id" FROM "tag" '
        'ORDER BY lower("tag"."name"), "tag"."name", "tag"."id" LIMIT $1'
    )


def test_groups_are_told_apart_by_what_they_are_grouped_by() -> None:
    built = query(Article).values(Article.views, func.count()).group_by(Article.views).order_by(func.count().desc())
    assert ordered(built) == 'count(*) DESC, "articles"."views" DESC LIMIT $1'


def test_distinct_rows_are_told_apart_by_what_they_show() -> None:
    built = query(Article).values(Article.views, Article.author.name).distinct().order_by(Article.author.name)
    assert ordered(built) == '"author"."name", "articles"."views" LIMIT $1'
    assert ordered(query(Article).distinct().order_by(Article.views)) == '"articles"."views", "articles"."id" LIMIT $1'


def test_a_union_is_told_apart_by_what_it_shows() -> None:
    tags = query(Tag)
    built = tags.filter(Tag.weight > 1).union(tags.filter(Tag.weight < 9)).order_by(Tag.name)
    assert ordered(built) == '"tag"."name", "tag"."id" LIMIT $3'


def test_joined_rows_are_told_apart_by_the_joined_keys_too() -> None:
    each = query(Author).values(Author.name, Author.articles.each.title)
    assert ordered(each) == '"author"."id", "articles"."id" LIMIT $1'
    tags = query(Article).values(Article.title, Article.tags.each.name)
    assert ordered(tags) == '"articles"."id", "tags_link__tags"."id" LIMIT $1'
    other = alias(Author, "other")
    joined = query(Author).join(other, other.age == Author.age)
    assert ordered(joined) == '"author"."id", "other"."id" LIMIT $1'
    assert ordered(query(Article).values(Article.author.name)) == '"articles"."id" LIMIT $1'


def test_a_joined_subquery_is_told_apart_by_all_its_columns() -> None:
    total = func.sum(Article.views).label("total")
    per = query(Article).values(Article.author.id, total).group_by(Article.author.id).subquery("per")
    joined = query(Author).join(per, per[Article.author.id] == Author.id)
    assert ordered(joined) == '"author"."id", "per"."author_id", "per"."total" LIMIT $1'


# ------------------------------------------------------------------ the condition


def test_one_column() -> None:
    assert seek(query(Tag), 7) == ('"tag"."id" > $1 ORDER BY "tag"."id" LIMIT $2', [7, 2])
    assert seek(query(Tag), 7, backwards=True) == ('"tag"."id" < $1 ORDER BY "tag"."id" DESC LIMIT $2', [7, 2])
    assert seek(query(Tag), 7, inclusive=True)[0].startswith('("tag"."id" > $1 OR "tag"."id" = $1) ORDER')


def test_one_direction_without_null_is_one_comparison() -> None:
    built = query(Tag).order_by(Tag.name, Tag.weight)
    assert seek(built, "a", 3, 7) == (
        '("tag"."name", "tag"."weight", "tag"."id") > ($1, $2, $3) '
        'ORDER BY "tag"."name", "tag"."weight", "tag"."id" LIMIT $4',
        ["a", 3, 7, 2],
    )
    assert seek(built, "a", 3, 7, backwards=True)[0] == (
        '("tag"."name", "tag"."weight", "tag"."id") < ($1, $2, $3) '
        'ORDER BY "tag"."name" DESC, "tag"."weight" DESC, "tag"."id" DESC LIMIT $4'
    )


def test_directions_that_differ_are_spelled_out() -> None:
    condition, values = seek(query(Tag).order_by(Tag.name.desc(), Tag.weight), "a", 3, 7)
    assert condition.partition(" ORDER")[0] == (
        '"tag"."name" <= $1 AND ("tag"."name" < $1 OR ("tag"."name" = $1 AND '
        '("tag"."weight" > $2 OR ("tag"."weight" = $2 AND "tag"."id" > $3))))'
    )
    assert values == ["a", 3, 7, 2]


@pytest.mark.parametrize(
    ("descending", "value", "condition"),
    [
        (
            False,
            "x",
            '("author"."email" > $1 OR "author"."email" IS NULL OR ("author"."email" = $1 AND "author"."id" > $2))',
        ),
        (False, None, '"author"."email" IS NULL AND "author"."id" > $1'),
        (
            True,
            "x",
            '"author"."email" <= $1 AND ("author"."email" < $1 OR ("author"."email" = $1 AND "author"."id" < $2))',
        ),
        (True, None, '("author"."email" IS NOT NULL OR ("author"."email" IS NULL AND "author"."id" < $1))'),
    ],
)
def test_null_is_larger_than_everything(descending: bool, value: Any, condition: str) -> None:
    key = Author.email.desc() if descending else Author.email
    assert seek(query(Author).order_by(key), value, 7)[0].partition(" ORDER")[0] == condition


def test_nothing_comes_behind_null() -> None:
    built = query(Article).values(Article.editor.name.optional()).group_by(Article.editor.name)
    assert seek(built, None)[0].startswith('"editor"."name" = ANY($1::text[])')


def test_an_order_along_relations_and_by_expressions() -> None:
    built = query(Article).order_by(func.lower(Article.author.name), Article.views * 2)
    assert seek(built, "ada", 4, 7) == (
        '(lower("author"."name"), "articles"."views" * $1::bigint, "articles"."id") > ($2, $3, $4) '
        'ORDER BY lower("author"."name"), "articles"."views" * $1::bigint, "articles"."id" LIMIT $5',
        [2, "ada", 4, 7, 2],
    )


def test_what_is_joined_from_outside_may_be_null() -> None:
    built = query(Article).order_by(Article.editor.name)
    assert '"editor"."name" IS NULL' in seek(built, "x", 7)[0]
    other = alias(Author, "other")
    joined = query(Author).outer_join(other, other.id > Author.id).order_by(other.name)
    assert '"other"."name" IS NULL' in seek(joined, "x", 7, 8)[0]
    assert '"other"."id" IS NULL' in seek(joined, "x", 7, 8)[0]


def test_aggregates_are_compared_in_having() -> None:
    rows = query(Article).values(Article.views, func.count()).group_by(Article.views)
    text, values = sql(paging_of(rows.order_by(func.count())._spec).ask(2, Place((3, 5))))
    assert text == (
        'SELECT "articles"."views", count(*) FROM "articles" GROUP BY "articles"."views" '
        'HAVING (count(*), "articles"."views") > ($1, $2) ORDER BY count(*), "articles"."views" LIMIT $3'
    )
    assert values == [3, 5, 2]
    assert seek(rows, 5)[0].startswith('"articles"."views" > $1 GROUP BY "articles"."views"')


def test_decimals_on_sqlite_are_compared_as_numbers() -> None:
    built = query(Sample).scalars(Sample.id).order_by(Sample.exact)
    condition, values = seek(built, Decimal("1.50"), 7, database="sqlite")
    assert condition.startswith('("sample"."exact" COLLATE cormorant_decimal, "sample"."id") > (?1, ?2) ORDER BY')
    assert values == ["1.5", 7, 2]


def test_plans_are_shared_by_pages_of_one_shape() -> None:
    paging = paging_of(query(Author).order_by(Author.email)._spec)
    keys = {paging.ask(2, place).cache_key for place in (Place(("a", 1)), Place(("b", 2)))}
    assert len(keys) == 1
    others = {paging.ask(2, place).cache_key for place in (None, Place((None, 1)), Place(("b", 2), inclusive=True))}
    assert len(keys | others) == 4


def test_plans_tell_whether_an_order_is_selected_anyway() -> None:
    def asked(shown: int, by: int) -> QuerySpec:
        return paging_of(query(Author).values(Author.age * shown).order_by(Author.age * by)._spec).ask(2, None)

    assert asked(3, 3).cache_key == asked(5, 5).cache_key
    assert asked(2, 3).cache_key == asked(4, 7).cache_key
    assert asked(2, 3).cache_key != asked(3, 3).cache_key
    # chance among the values of conditions makes no further plans
    paging = paging_of(query(Author).filter(Author.age > 2)._spec)
    assert paging.ask(2, Place((2,))).cache_key == paging.ask(3, Place((4,))).cache_key


# ------------------------------------------------------------------ what cannot be paged


@pytest.mark.parametrize(
    ("built", "message"),
    [
        (query(Tag).limit(3), "limit or offset"),
        (query(Tag).offset(0), "limit or offset"),
        (query(Tag).values(func.count()), "gives one row"),
        (query(Tag).distinct(Tag.name).order_by(Tag.name), "distinct in some columns"),
        (query(Tag).union(query(Tag), all=True), "UNION ALL keeps equal rows"),
        (query(Sample).values(Sample.words).distinct(), "array values have no place in an order"),
        (query(Tag).order_by(func.rank().over(order_by=[Tag.weight])), "looks at other rows"),
        (query(Tag).annotate(func.rank().over(order_by=[Tag.weight]).label("place")), "looks at other rows"),
        (query(Tag).order_by(func.random()), "is another one for each page"),
        (query(Tag).order_by(Tag.name, (func.random() * Tag.weight).desc()), "is another one for each page"),
        (query(Tag).order_by(func.now().desc()), "is another one for each page"),
    ],
)
async def test_queries_without_pages(built: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        await on_sqlite(built).page(2)
    assert caught.value.hint is not None


@pytest.mark.parametrize("size", [0, -1, True, 1.0, "2", None])
async def test_a_size_is_a_whole_number(size: Any) -> None:
    with pytest.raises(WrongType, match="a number of rows is an int of 1 or more"):
        await on_sqlite(query(Tag)).page(size)


async def test_a_page_is_before_or_after() -> None:
    with pytest.raises(QueryError, match="not both"):
        await on_sqlite(query(Tag)).page(2, after="a", before="b")


# ------------------------------------------------------------------ cursors


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


SIZES = t.Enumeration(Size, integers=True)
POINTS = t.Custom(complex, t.TEXT, str, complex)

VALUES: list[tuple[Any, t.SqlType]] = [
    (7, t.INTEGER),
    (-(2**62), t.BIG_INTEGER),
    (0.1, t.FLOAT),
    (float("inf"), t.FLOAT),
    (1e-300, t.FLOAT),
    ("", t.TEXT),
    ("é\n\"'\\\U0001f426", t.TEXT),
    (True, t.BOOLEAN),
    (None, t.TEXT),
    (Decimal("1.50"), t.NUMERIC),
    (Decimal("1E+20"), t.NUMERIC),
    (datetime(2024, 2, 29, 12, 0, 0, 1, UTC), t.DATETIME),
    (date(1, 1, 1), t.DATE),
    (time(23, 59, 59, 999999), t.TIME),
    (timedelta(days=-1, microseconds=1), t.INTERVAL),
    (UUID(int=7), t.UUID),
    (b"\x00\xff", t.BINARY),
    (Color.RED, t.Enumeration(Color)),
    (Size.LARGE, SIZES),
    (complex(1, 2), POINTS),
    ("b", t.Literals(("a", "b"))),
    (7, t.UNKNOWN),
    (Decimal(7), t.UNKNOWN),
]


def cursors(key: bytes = b"secret") -> Cursors:
    return Cursors(key, lambda select: DATABASES["sqlite"].dialect.compile(select).sql)


@pytest.mark.parametrize(("value", "type_"), VALUES)
def test_a_value_comes_back_from_a_cursor(value: Any, type_: t.SqlType) -> None:
    made = cursors().write("o", [type_], Place((value,)))
    assert made.isascii()
    assert made.replace("-", "").replace("_", "").isalnum()
    found = cursors().read("o", [type_], made)
    assert found == Place((value,))
    assert type(found.values[0]) is type(value)
    assert cursors().read("o", [type_], cursors().write("o", [type_], Place((value,), inclusive=True))).inclusive


def test_what_a_cursor_cannot_hold() -> None:
    with pytest.raises(QueryError, match="a cursor cannot hold a object"):
        to_plain(object(), t.UNKNOWN)


def test_a_flag_is_kept_by_its_number() -> None:
    both = enum.IntFlag("Bits", "A B")(3)
    type_ = t.Enumeration(type(both), integers=True)
    assert from_plain(to_plain(both, type_), type_) == both


def forged(order: str, *values: Any) -> str:
    """Gives a cursor that is signed with the right key."""
    made = cursors()
    text = json.dumps([order, 0, *values]).encode()
    return urlsafe_b64encode(made._signature(text) + text).rstrip(b"=").decode()


@pytest.mark.parametrize("value", ["x", 1.5, True, ["d", "1"], ["?", "1"], ["f", "x"], {"a": 1}, ["f"], [], 2**70])
def test_a_value_of_another_kind(value: Any) -> None:
    with pytest.raises(WrongCursor, match="values of another kind"):
        cursors().read("o", [t.INTEGER], forged("o", value))


@pytest.mark.parametrize(("value", "type_"), [("green", t.Enumeration(Color)), (9, SIZES), ("x", POINTS)])
def test_a_value_that_is_none_of_its_type(value: Any, type_: t.SqlType) -> None:
    with pytest.raises(WrongCursor, match="values of another kind"):
        cursors().read("o", [type_], forged("o", value))


@pytest.mark.parametrize("bad", ["", "x", "é", "====", "\0", "a" * 1000, "null", "\ud800"])
def test_what_is_no_cursor(bad: str) -> None:
    with pytest.raises(WrongCursor, match="changed, cut or signed with another key") as caught:
        cursors().read("o", [t.INTEGER], bad)
    assert caught.value.hint == "begin again with the first page: .page(size)"


@pytest.mark.parametrize("bad", [b"x", 7, ["a"]])
def test_a_cursor_is_a_text(bad: Any) -> None:
    with pytest.raises(WrongCursor, match="a cursor is a str"):
        cursors().read("o", [t.INTEGER], bad)


def test_every_changed_or_cut_cursor_is_refused() -> None:
    made = cursors().write("o", [t.INTEGER], Place((7,)))
    for place in range(len(made)):
        other = "A" if made[place] != "A" else "B"
        changed = made[:place] + other + made[place + 1 :]
        # the bits behind the last byte mean nothing
        if urlsafe_b64decode(changed + "==") != urlsafe_b64decode(made + "=="):
            with pytest.raises(WrongCursor):
                cursors().read("o", [t.INTEGER], changed)
        with pytest.raises(WrongCursor):
            cursors().read("o", [t.INTEGER], made[:place])
    with pytest.raises(WrongCursor):
        cursors(b"other").read("o", [t.INTEGER], made)


def test_a_cursor_of_another_order_is_told_from_a_forged_one() -> None:
    made = cursors().write("o", [t.INTEGER], Place((7,)))
    with pytest.raises(WrongCursor, match="of another query, or of another order"):
        cursors().read("p", [t.INTEGER], made)
    with pytest.raises(WrongCursor, match="of another query, or of another order"):
        cursors().read("o", [t.INTEGER, t.INTEGER], made)


def test_orders_are_told_apart() -> None:
    built: list[Builder[Any]] = [
        query(Tag),
        query(Author),
        query(Tag).order_by(Tag.id.desc()),
        query(Tag).order_by(Tag.name),
        query(Tag).order_by(Tag.weight * 2),
        query(Tag).order_by(Tag.weight * 3),
        query(Article).order_by(Article.author.name),
        query(Article).order_by(Article.editor.name),
        query(Country),
    ]
    names = [cursors().order_of(paging_of(one._spec).keys) for one in built]
    assert len(set(names)) == len(built)


def test_filters_and_what_is_selected_are_no_part_of_the_order() -> None:
    made, names = cursors(), set[str]()
    for built in (query(Tag), query(Tag).filter(Tag.name == "x"), query(Tag).values(Tag.name)):
        names.add(made.order_of(paging_of(built.order_by(Tag.weight)._spec).keys))
    assert len(names) == 1


def test_an_order_is_known_again_in_another_process() -> None:
    # an order's name is part of cursors that live longer than a process: serial numbers are no part of it
    assert cursors().order_of(paging_of(query(Tag).order_by(Tag.weight * 2)._spec).keys) == "d5b3ad0c451f"


# ------------------------------------------------------------------ the key


def cursor_of(database: Database) -> str:
    return database.cursors.write("o", [t.INTEGER], Place((7,)))


def test_the_key_comes_from_the_dsn_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORMORANT_CURSOR_KEY", raising=False)
    one = cursor_of(Database("postgresql://u:secret@h/d"))
    assert one == cursor_of(Database("postgresql://u:secret@h/d"))
    assert one != cursor_of(Database("postgresql://u:other@h/d"))
    assert one != cursor_of(Database("postgresql://u:secret@h/e"))


def test_the_key_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORMORANT_CURSOR_KEY", raising=False)
    one = cursor_of(Database("sqlite://", cursor_key="k" * 200))
    assert one == cursor_of(Database("sqlite:///other.db", cursor_key=b"k" * 200))
    monkeypatch.setenv("CORMORANT_CURSOR_KEY", "k" * 200)
    assert one == cursor_of(Database("sqlite:///third.db"))
    assert one != cursor_of(Database("sqlite://", cursor_key="other"))


@pytest.mark.parametrize("key", ["", b"", 7, object()])
def test_what_is_no_key(key: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="cursor_key is no secret"):
        Database("sqlite://", cursor_key=key)


def test_the_key_is_shown_nowhere() -> None:
    database = Database("postgresql://u:pass1@h/d", cursor_key="hidden1")
    assert "hidden1" not in f"{database!r} {database.cursors!r}"
    assert "pass1" not in f"{database!r} {database.cursors!r}"


# ------------------------------------------------------------------ Page


def test_a_page_is_a_sequence() -> None:
    page = Page([1, 2, 3], next="n")
    assert list(page) == page.items == [1, 2, 3]
    assert (len(page), page[0], page[1:], 2 in page, bool(page)) == (3, 1, [2, 3], True, True)
    assert (page.has_next, page.has_previous, page.previous) == (True, False, None)
    assert page == Page([1, 2, 3], next="n")
    assert page != Page([1, 2, 3])
    assert page != [1, 2, 3]
    assert repr(page) == "<Page of 3 rows, with a next>"
    assert repr(Page([], previous="p", next="n")) == "<Page of 0 rows, with a next and a previous>"
    assert not Page([])


def test_text_can_be_ordered_by() -> None:
    assert seek(query(Tag).order_by(text("lower(name)")), "a", 7)[0].startswith(
        "(lower(name) > $1 OR lower(name) IS NULL OR ("
    )
