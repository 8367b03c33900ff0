"""Conditions: the exact SQL of each, on each database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import Expr, Q, func, ref, text
from tests.support.sql import query, where
from tests.unit.query.models import Article, Author, Color, Sample, Seat, Ticket

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 6, UTC)
UID = UUID("12345678-1234-5678-1234-567812345678")

# condition, PostgreSQL, its values, SQLite, its values (None where they are the same as PostgreSQL's)
Case = tuple[Callable[[], Any], str, list[Any], str | None, list[Any] | None]

COMPARISONS: list[Case] = [
    (lambda: Sample.small == 3, '"sample"."small" = $1', [3], None, None),
    (lambda: Sample.small != 3, '"sample"."small" <> $1', [3], None, None),
    (lambda: Sample.small < 3, '"sample"."small" < $1', [3], None, None),
    (lambda: Sample.small <= 3, '"sample"."small" <= $1', [3], None, None),
    (lambda: Sample.small > 3, '"sample"."small" > $1', [3], None, None),
    (lambda: Sample.small >= 3, '"sample"."small" >= $1', [3], None, None),
    (lambda: Sample.small > 3, '"sample"."small" > $1', [3], None, None),
    (lambda: Sample.small == Sample.big, '"sample"."small" = "sample"."big"', [], None, None),
    (lambda: Sample.maybe == None, '"sample"."maybe" IS NULL', [], None, None),  # noqa: E711
    (lambda: Sample.maybe != None, '"sample"."maybe" IS NOT NULL', [], None, None),  # noqa: E711
    (lambda: Sample.maybe.is_null(), '"sample"."maybe" IS NULL', [], None, None),
    (lambda: Sample.maybe.is_not_null(), '"sample"."maybe" IS NOT NULL', [], None, None),
    (lambda: Sample.small.between(1, 5), '"sample"."small" BETWEEN $1 AND $2', [1, 5], None, None),
    (lambda: Sample.small.between(Sample.big, 5), '"sample"."small" BETWEEN "sample"."big" AND $1', [5], None, None),
    (lambda: Sample.flag == True, '"sample"."flag" = $1', [True], None, None),  # noqa: E712
    (lambda: Sample.flag, '"sample"."flag"', [], None, None),
    (lambda: Sample.number > 2, '"sample"."number" > $1', [2], None, None),
    (lambda: Sample.data == b"\0", '"sample"."data" = $1', [b"\0"], None, None),
    (lambda: Sample.day == date(2024, 1, 2), '"sample"."day" = $1', [date(2024, 1, 2)], None, ["2024-01-02"]),
    (lambda: Sample.hour < time(1, 2), '"sample"."hour" < $1', [time(1, 2)], None, ["01:02:00.000000"]),
    (lambda: Sample.moment < MOMENT, '"sample"."moment" < $1', [MOMENT], None, ["2024-01-02T03:04:05.000006+00:00"]),
    (lambda: Sample.span > timedelta(1), '"sample"."span" > $1', [timedelta(1)], None, [86_400_000_000]),
    (lambda: Sample.uid == UID, '"sample"."uid" = $1', [UID], None, [str(UID)]),
    (lambda: Sample.color == Color.RED, '"sample"."color" = $1', ["red"], None, None),
    (lambda: Sample.paint == Color.RED, '"sample"."paint" = $1', ["red"], None, None),
    (
        lambda: Sample.extra == {"a": 1},
        '"sample"."extra" = $1',
        ['{"a":1}'],
        'cormorant_json("sample"."extra") = cormorant_json(?1)',
        None,
    ),
    (lambda: Sample.words == ["a"], '"sample"."words" = $1', [["a"]], None, ['["a"]']),
    (lambda: func.now() > Sample.moment, 'now() > "sample"."moment"', [], "SKIP", None),
]

DECIMALS: list[Case] = [
    (lambda: Sample.price == Decimal("1.50"), '"sample"."price" = $1', [Decimal("1.50")], None, ["1.5"]),
    (lambda: Sample.price == 3, '"sample"."price" = $1', [3], None, ["3"]),
    (
        lambda: Sample.price < Decimal("1.505"),
        '"sample"."price" < $1',
        [Decimal("1.505")],
        '"sample"."price" COLLATE cormorant_decimal < ?1',
        ["1.505"],
    ),
    (
        lambda: Sample.price.between(1, 2),
        '"sample"."price" BETWEEN $1 AND $2',
        [1, 2],
        '"sample"."price" COLLATE cormorant_decimal BETWEEN ?1 AND ?2',
        ["1", "2"],
    ),
    (
        lambda: Sample.small.between(Sample.price, Sample.exact),
        '"sample"."small" BETWEEN "sample"."price" AND "sample"."exact"',
        [],
        'CAST("sample"."small" AS TEXT) COLLATE cormorant_decimal BETWEEN "sample"."price" AND "sample"."exact"',
        None,
    ),
    (
        lambda: Sample.small > Sample.price,
        '"sample"."small" > "sample"."price"',
        [],
        'CAST("sample"."small" AS TEXT) COLLATE cormorant_decimal > "sample"."price"',
        None,
    ),
    (
        lambda: Sample.price * 2 > Sample.small + 1,
        '("sample"."price" * $1::numeric) > ("sample"."small" + $2::bigint)',
        [2, 1],
        '(cormorant_decimal_mul("sample"."price", ?1)) COLLATE cormorant_decimal > CAST("sample"."small" + ?2 AS TEXT)',
        ["2", 1],
    ),
    (
        lambda: Sample.price.in_([Decimal("1.005"), 2]),
        '"sample"."price" = ANY($1::numeric[])',
        [[Decimal("1.005"), 2]],
        '"sample"."price" IN (SELECT value FROM json_each(?1))',
        ['["1.005", "2"]'],
    ),
]

TEXTS: list[Case] = [
    (
        lambda: Sample.text.contains(r"50%_\x"),
        '"sample"."text" LIKE $1',
        [r"%50\%\_\\x%"],
        'instr("sample"."text", ?1) > 0',
        [r"50%_\x"],
    ),
    (
        lambda: Sample.text.startswith("a%"),
        '"sample"."text" LIKE $1',
        [r"a\%%"],
        'substr("sample"."text", 1, length(?1)) = ?1',
        ["a%"],
    ),
    (
        lambda: Sample.text.endswith("_z"),
        '"sample"."text" LIKE $1',
        [r"%\_z"],
        'substr("sample"."text", length("sample"."text") - length(?1) + 1) = ?1',
        ["_z"],
    ),
    (
        lambda: Sample.text.icontains("É%"),
        '"sample"."text" ILIKE $1',
        [r"%É\%%"],
        'instr(cormorant_lower("sample"."text"), cormorant_lower(?1)) > 0',
        ["É%"],
    ),
    (
        lambda: Sample.text.istartswith("a"),
        '"sample"."text" ILIKE $1',
        ["a%"],
        'substr(cormorant_lower("sample"."text"), 1, length(cormorant_lower(?1))) = cormorant_lower(?1)',
        ["a"],
    ),
    (
        lambda: Sample.text.iendswith("a"),
        '"sample"."text" ILIKE $1',
        ["%a"],
        'substr(cormorant_lower("sample"."text"), length(cormorant_lower("sample"."text"))'
        " - length(cormorant_lower(?1)) + 1) = cormorant_lower(?1)",
        ["a"],
    ),
    (
        lambda: Sample.text.iexact("A"),
        'lower("sample"."text") = lower($1::text)',
        ["A"],
        'cormorant_lower("sample"."text") = cormorant_lower(?1)',
        ["A"],
    ),
    (
        lambda: Sample.text.contains(Sample.note),
        'strpos("sample"."text", "sample"."note") > 0',
        [],
        'instr("sample"."text", "sample"."note") > 0',
        None,
    ),
    (
        lambda: Sample.text.startswith(Sample.note),
        'starts_with("sample"."text", "sample"."note")',
        [],
        'substr("sample"."text", 1, length("sample"."note")) = "sample"."note"',
        None,
    ),
]

LISTS: list[Case] = [
    (
        lambda: Sample.small.in_([1, 2]),
        '"sample"."small" = ANY($1::smallint[])',
        [[1, 2]],
        '"sample"."small" IN (SELECT value FROM json_each(?1))',
        ["[1, 2]"],
    ),
    (
        lambda: Sample.small.in_([]),
        '"sample"."small" = ANY($1::smallint[])',
        [[]],
        '"sample"."small" IN (SELECT value FROM json_each(?1))',
        ["[]"],
    ),
    (
        lambda: Sample.text.in_(x for x in ("a", 'b"')),
        '"sample"."text" = ANY($1::text[])',
        [["a", 'b"']],
        '"sample"."text" IN (SELECT value FROM json_each(?1))',
        [r'["a", "b\""]'],
    ),
    (
        lambda: Sample.color.in_({Color.RED}),
        '"sample"."color" = ANY($1::text[])',
        [["red"]],
        '"sample"."color" IN (SELECT value FROM json_each(?1))',
        ['["red"]'],
    ),
    (
        lambda: Sample.paint.in_([Color.RED]),
        '"sample"."paint" = ANY($1::"paint"[])',
        [["red"]],
        '"sample"."paint" IN (SELECT value FROM json_each(?1))',
        ['["red"]'],
    ),
    (
        lambda: Sample.data.in_([b"\xff"]),
        '"sample"."data" = ANY($1::bytea[])',
        [[b"\xff"]],
        '"sample"."data" IN (SELECT cormorant_unhex(value) FROM json_each(?1))',
        ['["FF"]'],
    ),
    (
        lambda: Sample.uid.in_([UID]),
        '"sample"."uid" = ANY($1::uuid[])',
        [[UID]],
        '"sample"."uid" IN (SELECT value FROM json_each(?1))',
        [f'["{UID}"]'],
    ),
    (
        lambda: Sample.id.in_(query(Article).filter(Article.views > 3).scalars(Article.id)),
        '"sample"."id" IN (SELECT "articles"."id" FROM "articles" WHERE "articles"."views" > $1)',
        [3],
        None,
        None,
    ),
]

ARITHMETIC: list[Case] = [
    (lambda: Sample.small + 1 > 5, '("sample"."small" + $1::bigint) > $2', [1, 5], "SKIP", None),
    (
        lambda: Sample.number * 2 - Sample.small > 5,
        '(("sample"."number" * $1::double precision) - "sample"."small") > $2',
        [2, 5],
        '(("sample"."number" * ?1) - "sample"."small") > ?2',
        None,
    ),
    (
        lambda: Sample.text + "!" == "x!",
        '("sample"."text" || $1::text) = $2',
        ["!", "x!"],
        '("sample"."text" || ?1) = ?2',
        None,
    ),
    (
        lambda: Sample.moment + timedelta(1) > MOMENT,
        """(("sample"."moment" AT TIME ZONE 'UTC' + $1::interval) AT TIME ZONE 'UTC') > $2""",
        [timedelta(1), MOMENT],
        'cormorant_moment_add("sample"."moment", ?1) > ?2',
        [86_400_000_000, "2024-01-02T03:04:05.000006+00:00"],
    ),
    (
        lambda: Sample.moment - Sample.moment > timedelta(1),
        '("sample"."moment" - "sample"."moment") > $1',
        [timedelta(1)],
        'cormorant_moment_diff("sample"."moment", "sample"."moment") > ?1',
        [86_400_000_000],
    ),
    (
        lambda: Sample.span + timedelta(1) > timedelta(2),
        '("sample"."span" + $1::interval) > $2',
        [timedelta(1), timedelta(2)],
        '("sample"."span" + ?1) > ?2',
        [86_400_000_000, 172_800_000_000],
    ),
    (
        lambda: Sample.exact - Sample.price == 0,
        '("sample"."exact" - "sample"."price") = $1',
        [0],
        '(cormorant_decimal_sub("sample"."exact", "sample"."price")) = ?1',
        ["0"],
    ),
]

LOGIC: list[Case] = [
    (
        lambda: (Sample.small > 1) & (Sample.small < 5),
        '"sample"."small" > $1 AND "sample"."small" < $2',
        [1, 5],
        None,
        None,
    ),
    (
        lambda: (Sample.small < 1) | (Sample.small > 5),
        '("sample"."small" < $1 OR "sample"."small" > $2)',
        [1, 5],
        None,
        None,
    ),
    (
        lambda: (Sample.flag & (Sample.small < 1)) | Sample.flag,
        '(("sample"."flag" AND "sample"."small" < $1) OR "sample"."flag")',
        [1],
        None,
        None,
    ),
    (
        lambda: Sample.flag & (Sample.flag | (Sample.small < 1)),
        '"sample"."flag" AND ("sample"."flag" OR "sample"."small" < $1)',
        [1],
        None,
        None,
    ),
    (lambda: ~(Sample.small > 1), 'NOT ("sample"."small" > $1)', [1], None, None),
    (lambda: ~~Sample.flag, 'NOT (NOT ("sample"."flag"))', [], None, None),
    (lambda: (Sample.small > 1) == Sample.flag, '("sample"."small" > $1) = "sample"."flag"', [1], None, None),
    (lambda: (Sample.small > 1).is_null(), '("sample"."small" > $1) IS NULL', [1], None, None),
    # there may be operators in it that bind otherwise
    (lambda: text("a OR b"), "(a OR b)", [], None, None),
    (lambda: text("a OR b") & Sample.flag, '(a OR b) AND "sample"."flag"', [], None, None),
    (lambda: ~text("a OR b"), "NOT (a OR b)", [], None, None),
    (lambda: text("a + b") * 2 == 4, "((a + b) * $1::integer) = $2", [2, 4], "((a + b) * ?1) = ?2", None),
    (lambda: text("a").op("+", 2, returns=int) > 3, "(a + $1::integer) > $2", [2, 3], "(a + ?1) > ?2", None),
    (lambda: Sample.text == text("upper(text)"), '"sample"."text" = upper(text)', [], None, None),
    (lambda: Q(small=1) | (Sample.small > 5), '("sample"."small" = $1 OR "sample"."small" > $2)', [1, 5], None, None),
    (lambda: (Sample.small > 5) | Q(small=1), '("sample"."small" > $1 OR "sample"."small" = $2)', [5, 1], None, None),
    (lambda: (Sample.small > 5) & Q(small=1), '"sample"."small" > $1 AND "sample"."small" = $2', [5, 1], None, None),
    (lambda: ~Q(maybe=1), '("sample"."maybe" = $1) IS NOT TRUE', [1], None, None),
    (lambda: ~Q(small=1), 'NOT ("sample"."small" = $1)', [1], None, None),
    (lambda: Q() | Q(small=1) | Q(small=2), '("sample"."small" = $1 OR "sample"."small" = $2)', [1, 2], None, None),
    (lambda: Q(small=1, big=2), '"sample"."small" = $1 AND "sample"."big" = $2', [1, 2], None, None),
    (
        lambda: ~(Q(small=1) | Q(Sample.flag, big=2)),
        'NOT ("sample"."small" = $1 OR ("sample"."flag" AND "sample"."big" = $2))',
        [1, 2],
        None,
        None,
    ),
]

ALL = [*COMPARISONS, *DECIMALS, *TEXTS, *LISTS, *ARITHMETIC, *LOGIC]


@pytest.mark.parametrize("case", ALL, ids=[case[1] for case in ALL])
def test_a_condition_has_its_sql(case: Case) -> None:
    build, postgresql, values, sqlite, sqlite_values = case
    built = query(Sample).filter(build())
    assert where(built, "postgresql") == (postgresql, values)
    if sqlite != "SKIP":
        expected = sqlite if sqlite is not None else numbered_for_sqlite(postgresql)
        assert where(built, "sqlite") == (expected, values if sqlite_values is None else sqlite_values)


def numbered_for_sqlite(sql: str) -> str:
    """Gives SQL that needs no types with SQLite's placeholders."""
    assert "::" not in sql
    return sql.replace("$", "?")


def test_conditions_of_several_calls_are_joined_by_and() -> None:
    built = query(Sample).filter(Sample.small > 1).filter((Sample.small < 5) | Sample.flag, Sample.big == 2)
    assert where(built) == (
        '"sample"."small" > $1 AND ("sample"."small" < $2 OR "sample"."flag") AND "sample"."big" = $3',
        [1, 5, 2],
    )


def test_filter_without_conditions_keeps_every_row() -> None:
    assert where(query(Sample).filter().exclude()) == ("", [])


def test_a_value_used_twice_is_sent_once() -> None:
    condition = Sample.small == 3
    assert where(query(Sample).filter(condition | (condition & Sample.flag))) == (
        '("sample"."small" = $1 OR ("sample"."small" = $1 AND "sample"."flag"))',
        [3],
    )


# ------------------------------------------------------------------ exclude


def test_exclude_keeps_rows_whose_condition_is_null() -> None:
    assert where(query(Sample).exclude(Sample.maybe == 3)) == ('("sample"."maybe" = $1) IS NOT TRUE', [3])
    assert where(query(Sample).exclude(Sample.small == 3)) == ('NOT ("sample"."small" = $1)', [3])
    assert where(query(Article).exclude(Article.editor.name == "x"))[0] == '("editor"."name" = $1) IS NOT TRUE'
    assert where(query(Article).exclude(Article.author.name == "x"))[0] == 'NOT ("author"."name" = $1)'


def test_exclude_drops_rows_that_meet_all_conditions_of_one_call() -> None:
    assert where(query(Sample).exclude(Sample.small == 3, big=4).exclude(flag=True)) == (
        'NOT ("sample"."small" = $1 AND "sample"."big" = $2) AND NOT ("sample"."flag" = $3)',
        [3, 4, True],
    )


# ------------------------------------------------------------------ relations


def test_a_relation_is_compared_with_an_object() -> None:
    ada = Author(id=3, name="Ada")
    assert where(query(Article).filter(Article.author == ada)) == ('"articles"."author_id" = $1', [3])
    assert where(query(Article).filter(Article.author == ref(Author, 4))) == ('"articles"."author_id" = $1', [4])
    assert where(query(Article).filter(Article.author != ada)) == ('NOT ("articles"."author_id" = $1)', [3])
    assert where(query(Article).filter(Article.author == Article.editor)) == (
        '"articles"."author_id" = "articles"."editor_id"',
        [],
    )


def test_a_relation_is_compared_with_none() -> None:
    assert where(query(Article).filter(Article.editor == None))[0] == '"articles"."editor_id" IS NULL'  # noqa: E711
    assert where(query(Article).filter(Article.editor != None))[0] == '"articles"."editor_id" IS NOT NULL'  # noqa: E711
    assert where(query(Article).filter(Article.editor.is_null()))[0] == '"articles"."editor_id" IS NULL'
    assert where(query(Article).filter(Article.editor.is_not_null()))[0] == '"articles"."editor_id" IS NOT NULL'


def test_a_relation_is_looked_for_among_objects() -> None:
    authors = [Author(id=1, name="a"), ref(Author, 2)]
    assert where(query(Article).filter(Article.author.in_(authors))) == (
        '"articles"."author_id" = ANY($1::bigint[])',
        [[1, 2]],
    )
    assert where(query(Article).filter(Article.author.in_([])))[1] == [[]]
    assert where(query(Article).filter(Article.author.not_in(authors))) == (
        'NOT ("articles"."author_id" = ANY($1::bigint[]))',
        [[1, 2]],
    )


def test_composite_keys_are_compared_as_a_whole() -> None:
    seats = [ref(Seat, 1, 2), ref(Seat, 3, 4)]
    assert where(query(Ticket).filter(Ticket.seat.in_(seats))) == (
        '(("ticket"."seat_row" = $1 AND "ticket"."seat_number" = $2)'
        ' OR ("ticket"."seat_row" = $3 AND "ticket"."seat_number" = $4))',
        [1, 2, 3, 4],
    )
    assert where(query(Ticket).filter(Ticket.seat.in_([]))) == ('"ticket"."seat_row" = ANY($1::integer[])', [[]])
    assert where(query(Ticket).filter(Ticket.seat != seats[0]))[0] == (
        'NOT ("ticket"."seat_row" = $1 AND "ticket"."seat_number" = $2)'
    )


def test_methods_of_the_target_run_along_the_path() -> None:
    conditions: list[Expr[bool]] = [Article.author.adult, Author.articles.any(Article.popular())]
    assert where(query(Article).filter(conditions[0])) == ('"author"."age" >= $1', [18])
    assert where(query(Author).filter(conditions[1])) == (
        'EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id" AND "articles"."views" > $1)',
        [1000],
    )
    assert where(query(Article).filter(Article.author.shout == "ADA")) == ('upper("author"."name") = $1', ["ADA"])
