"""What is computed: the exact SQL of each function and operator, on each database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cormorant import Expr, case, func, literal, tuple_
from cormorant.adapters import sqlite_content, sqlite_folds, sqlite_moments, sqlite_numbers, sqlite_texts
from cormorant.dialects import postgresql_formulas, sqlite_formulas
from cormorant.sql.conversions import CASTS as POSSIBLE_CASTS
from tests.support.sql import DATABASES, query, sql
from tests.unit.query.models import Author, Color, Sample

# expression; PostgreSQL's SQL, without the table's name, and values; SQLite's (None where they are the same values)
Case = tuple[Callable[[], Expr[Any]], str, list[Any], str, list[Any] | None]

NUMBERS: list[Case] = [
    (lambda: Sample.small + Sample.small, 'CAST("small" AS bigint) + "small"', [], '"small" + "small"', None),
    (lambda: Sample.big + Sample.small, '"big" + "small"', [], '"big" + "small"', None),
    (lambda: Sample.small + 1, '"small" + $1::bigint', [1], '"small" + ?1', None),
    (lambda: 1 + Sample.small, '$1::bigint + "small"', [1], '?1 + "small"', None),
    (
        lambda: Sample.price - Sample.small,
        '"price" - "small"',
        [],
        'cormorant_decimal_sub("price", CAST("small" AS TEXT))',
        None,
    ),
    (
        lambda: Sample.exact * Decimal("1.5"),
        '"exact" * $1::numeric',
        [Decimal("1.5")],
        'cormorant_decimal_mul("exact", ?1)',
        ["1.5"],
    ),
    (lambda: Sample.small * 1.5, '"small" * $1::double precision', [1.5], '"small" * ?1', None),
    (
        lambda: Sample.small / 2,
        'CAST("small" AS double precision) / $1::double precision',
        [2.0],
        'cormorant_divide(CAST("small" AS REAL), ?1)',
        None,
    ),
    (
        lambda: Sample.small / Sample.big,
        'CAST("small" AS double precision) / CAST("big" AS double precision)',
        [],
        'cormorant_divide(CAST("small" AS REAL), CAST("big" AS REAL))',
        None,
    ),
    (lambda: Sample.number / 3, '"number" / $1::double precision', [3.0], 'cormorant_divide("number", ?1)', None),
    (lambda: Sample.price / 3, '"price" / $1::numeric', [3], 'cormorant_decimal_div("price", ?1)', ["3"]),
    (
        lambda: Sample.small / Sample.price,
        'CAST("small" AS numeric) / "price"',
        [],
        'cormorant_decimal_div(CAST("small" AS TEXT), "price")',
        None,
    ),
    (
        lambda: Sample.big // 2,
        'CAST(floor(CAST("big" AS numeric(39, 20)) / $1::bigint) AS bigint)',
        [2],
        'cormorant_floor_divide("big", ?1)',
        None,
    ),
    (
        lambda: Sample.big % 2,
        'CAST(mod(mod(CAST("big" AS numeric), $1::bigint) + $1::bigint, $1::bigint) AS bigint)',
        [2],
        'cormorant_modulo("big", ?1)',
        None,
    ),
    (lambda: Sample.price // 2, 'div("price", $1::numeric)', [2], 'cormorant_decimal_floor_div("price", ?1)', ["2"]),
    (lambda: Sample.price % Sample.exact, 'mod("price", "exact")', [], 'cormorant_decimal_mod("price", "exact")', None),
    (lambda: Sample.number**2, 'power("number", $1::double precision)', [2.0], 'cormorant_power("number", ?1)', None),
    (
        lambda: 2**Sample.small,
        'power($1::double precision, CAST("small" AS double precision))',
        [2.0],
        'cormorant_power(?1, CAST("small" AS REAL))',
        None,
    ),
    (lambda: -Sample.small, '-(CAST("small" AS bigint))', [], '-("small")', None),
    (lambda: -Sample.big * 2, '(-("big")) * $1::bigint', [2], '(-("big")) * ?1', None),
    (lambda: -Sample.price, '-("price")', [], """cormorant_decimal_sub('0', "price")""", None),
    (lambda: -Sample.span, '-("span")', [], '-("span")', None),
    (lambda: abs(Sample.small), 'abs("small")', [], 'abs("small")', None),
    (lambda: abs(Sample.price), 'abs("price")', [], """ltrim("price", '-')""", None),
    (lambda: func.sign(Sample.small), 'CAST(sign("small") AS integer)', [], 'sign("small")', None),
    (lambda: func.sign(Sample.price), 'CAST(sign("price") AS integer)', [], 'cormorant_sign("price")', None),
    (
        lambda: func.round(Sample.number, 2),
        'CAST(round(CAST("number" AS numeric), $1::integer) AS double precision)',
        [2],
        'cormorant_round("number", ?1)',
        None,
    ),
    (
        lambda: func.round(Sample.price, 1),
        'round("price", $1::integer)',
        [1],
        'cormorant_decimal_round("price", ?1)',
        None,
    ),
    (
        lambda: func.round(Sample.small, -2),
        'CAST(round(CAST("small" AS numeric), $1::integer) AS bigint)',
        [-2],
        'cormorant_round_whole("small", ?1)',
        None,
    ),
    (lambda: func.floor(Sample.number), 'CAST(floor("number") AS bigint)', [], 'cormorant_floor("number")', None),
    (lambda: func.ceil(Sample.price), 'CAST(ceil("price") AS bigint)', [], 'cormorant_ceil("price")', None),
    (lambda: func.floor(Sample.big), '"big"', [], '"big"', None),
    (
        lambda: func.sqrt(Sample.small),
        'sqrt(CAST("small" AS double precision))',
        [],
        'cormorant_sqrt(CAST("small" AS REAL))',
        None,
    ),
    (
        lambda: func.power(Sample.number, 2),
        'power("number", $1::double precision)',
        [2.0],
        'cormorant_power("number", ?1)',
        None,
    ),
    (lambda: func.random(), "random()", [], "((random() & 9007199254740991) / 9007199254740992.0)", None),
    (lambda: func.greatest(Sample.small, 3), 'greatest("small", $1::bigint)', [3], 'max("small", ?1)', None),
    (
        lambda: func.greatest(Sample.maybe, Sample.small, 3),
        'greatest("maybe", "small", $1::bigint)',
        [3],
        'max(coalesce("maybe", "small", ?1), coalesce("small", ?1, "maybe"), coalesce(?1, "maybe", "small"))',
        None,
    ),
    (
        lambda: func.least(Sample.price, Sample.exact),
        'least("price", "exact")',
        [],
        'min("price" COLLATE cormorant_decimal, "exact")',
        None,
    ),
    (
        lambda: func.greatest(Sample.small, Sample.price),
        'greatest(CAST("small" AS numeric), "price")',
        [],
        'max(CAST("small" AS TEXT) COLLATE cormorant_decimal, "price")',
        None,
    ),
    (
        lambda: func.coalesce(Sample.maybe, Sample.small, 3),
        'coalesce("maybe", "small", $1::bigint)',
        [3],
        'coalesce("maybe", "small", ?1)',
        None,
    ),
    (
        lambda: func.coalesce(Sample.maybe, 1.5),
        'coalesce(CAST("maybe" AS double precision), $1::double precision)',
        [1.5],
        'coalesce(CAST("maybe" AS REAL), ?1)',
        None,
    ),
    (
        lambda: func.nullif(Sample.price, Decimal(0)),
        'nullif("price", $1::numeric)',
        [Decimal("0")],
        'nullif("price", ?1)',
        ["0"],
    ),
]

MOMENTS: list[Case] = [
    (
        lambda: Sample.moment + timedelta(1),
        """("moment" AT TIME ZONE 'UTC' + $1::interval) AT TIME ZONE 'UTC'""",
        [timedelta(days=1)],
        'cormorant_moment_add("moment", ?1)',
        [86400000000],
    ),
    (
        lambda: Sample.moment - Sample.span,
        """("moment" AT TIME ZONE 'UTC' - "span") AT TIME ZONE 'UTC'""",
        [],
        'cormorant_moment_add("moment", -("span"))',
        None,
    ),
    (
        lambda: Sample.moment - Sample.moment,
        '"moment" - "moment"',
        [],
        'cormorant_moment_diff("moment", "moment")',
        None,
    ),
    (lambda: Sample.day + timedelta(3), '"day" + $1::integer', [3], 'cormorant_date_add("day", ?1)', None),
    (lambda: Sample.day - timedelta(3), '"day" + $1::integer', [-3], 'cormorant_date_add("day", ?1)', None),
    (
        lambda: Sample.day + Sample.span,
        '"day" + CAST(floor(EXTRACT(epoch FROM "span") / 86400) AS integer)',
        [],
        'cormorant_date_add("day", cormorant_floor_divide("span", 86400000000))',
        None,
    ),
    (
        lambda: Sample.day - Sample.span,
        '"day" - CAST(floor(EXTRACT(epoch FROM "span") / 86400) AS integer)',
        [],
        'cormorant_date_add("day", -cormorant_floor_divide("span", 86400000000))',
        None,
    ),
    (
        lambda: Sample.day - Sample.day,
        'make_interval(days => "day" - "day")',
        [],
        'CAST(julianday("day") - julianday("day") AS INTEGER) * 86400000000',
        None,
    ),
    (lambda: Sample.span + Sample.span, '"span" + "span"', [], '"span" + "span"', None),
    (lambda: Sample.span * 2, '"span" * $1::bigint', [2], '"span" * ?1', None),
    (lambda: func.now(), "now()", [], "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'", None),
    (lambda: func.today(), "CAST(now() AT TIME ZONE 'UTC' AS date)", [], "date('now')", None),
    (
        lambda: func.date(Sample.moment),
        """CAST("moment" AT TIME ZONE 'UTC' AS date)""",
        [],
        'substr("moment", 1, 10)',
        None,
    ),
    (
        lambda: func.year(Sample.moment),
        """CAST(EXTRACT(year FROM "moment" AT TIME ZONE 'UTC') AS integer)""",
        [],
        'CAST(substr("moment", 1, 4) AS INTEGER)',
        None,
    ),
    (
        lambda: func.year(Sample.day),
        'CAST(EXTRACT(year FROM "day") AS integer)',
        [],
        'CAST(substr("day", 1, 4) AS INTEGER)',
        None,
    ),
    (
        lambda: func.quarter(Sample.moment),
        """CAST(EXTRACT(quarter FROM "moment" AT TIME ZONE 'UTC') AS integer)""",
        [],
        '((CAST(substr("moment", 6, 2) AS INTEGER) + 2) / 3)',
        None,
    ),
    (
        lambda: func.month(Sample.day),
        'CAST(EXTRACT(month FROM "day") AS integer)',
        [],
        'CAST(substr("day", 6, 2) AS INTEGER)',
        None,
    ),
    (
        lambda: func.week(Sample.moment),
        """CAST(EXTRACT(week FROM "moment" AT TIME ZONE 'UTC') AS integer)""",
        [],
        """((CAST(strftime('%j', substr("moment", 1, 10), '-3 days', 'weekday 4') AS INTEGER) + 6) / 7)""",
        None,
    ),
    (
        lambda: func.weekday(Sample.day),
        'CAST(EXTRACT(isodow FROM "day") AS integer)',
        [],
        """((CAST(strftime('%w', substr("day", 1, 10)) AS INTEGER) + 6) % 7 + 1)""",
        None,
    ),
    (
        lambda: func.day_of_year(Sample.moment),
        """CAST(EXTRACT(doy FROM "moment" AT TIME ZONE 'UTC') AS integer)""",
        [],
        """CAST(strftime('%j', substr("moment", 1, 10)) AS INTEGER)""",
        None,
    ),
    (
        lambda: func.day(Sample.day),
        'CAST(EXTRACT(day FROM "day") AS integer)',
        [],
        'CAST(substr("day", 9, 2) AS INTEGER)',
        None,
    ),
    (
        lambda: func.hour(Sample.moment),
        """CAST(EXTRACT(hour FROM "moment" AT TIME ZONE 'UTC') AS integer)""",
        [],
        'CAST(substr("moment", 12, 2) AS INTEGER)',
        None,
    ),
    (
        lambda: func.minute(Sample.hour),
        'CAST(EXTRACT(minute FROM "hour") AS integer)',
        [],
        'CAST(substr("hour", 4, 2) AS INTEGER)',
        None,
    ),
    (
        lambda: func.second(Sample.moment),
        """CAST(floor(EXTRACT(second FROM "moment" AT TIME ZONE 'UTC')) AS integer)""",
        [],
        'CAST(substr("moment", 18, 2) AS INTEGER)',
        None,
    ),
    (
        lambda: func.epoch(Sample.moment),
        'CAST(EXTRACT(epoch FROM "moment") AS double precision)',
        [],
        'cormorant_epoch("moment")',
        None,
    ),
    (
        lambda: func.epoch(Sample.span),
        'CAST(EXTRACT(epoch FROM "span") AS double precision)',
        [],
        '"span" / 1000000.0',
        None,
    ),
    (
        lambda: func.trunc("month", Sample.moment),
        """date_trunc('month', "moment", 'UTC')""",
        [],
        """substr("moment", 1, 7) || '-01T00:00:00.000000+00:00'""",
        None,
    ),
    (
        lambda: func.trunc("week", Sample.moment),
        """date_trunc('week', "moment", 'UTC')""",
        [],
        """date(substr("moment", 1, 10), 'weekday 0', '-6 days') || 'T00:00:00.000000+00:00'""",
        None,
    ),
    (
        lambda: func.trunc("quarter", Sample.day),
        """CAST(date_trunc('quarter', CAST("day" AS timestamp)) AS date)""",
        [],
        (
            """substr("day", 1, 5) || substr('01040710', (CAST(substr("day", 6, 2) AS INTEGER) - 1) / 3 * 2 + 1,"""
            " 2) || '-01'"
        ),
        None,
    ),
    (
        lambda: func.trunc("hour", Sample.moment),
        """date_trunc('hour', "moment", 'UTC')""",
        [],
        """substr("moment", 1, 13) || ':00:00.000000+00:00'""",
        None,
    ),
]

TEXTS: list[Case] = [
    (lambda: Sample.text + Sample.note, '"text" || "note"', [], '"text" || "note"', None),
    (lambda: "x" + Sample.text, '$1::text || "text"', ["x"], '?1 || "text"', None),
    (lambda: func.lower(Sample.text), 'lower("text")', [], 'cormorant_lower("text")', None),
    (
        lambda: func.concat(Sample.text, ", ", Sample.note),
        'concat("text", $1::text, "note")',
        [", "],
        """("text" || ?1 || coalesce("note", ''))""",
        None,
    ),
    (lambda: func.length(Sample.text), 'length("text")', [], 'length("text")', None),
    (lambda: func.trim(Sample.text), 'btrim("text", $1::text)', [" "], 'trim("text", ?1)', None),
    (lambda: func.ltrim(Sample.text, "ab"), 'ltrim("text", $1::text)', ["ab"], 'ltrim("text", ?1)', None),
    (lambda: func.substr(Sample.text, 2), 'substr("text", $1::integer)', [2], 'cormorant_substr("text", ?1)', None),
    (
        lambda: func.substr(Sample.text, 2, 3),
        'substr("text", $1::integer, $2::integer)',
        [2, 3],
        'cormorant_substr("text", ?1, ?2)',
        None,
    ),
    (
        lambda: func.substr(Sample.text, Sample.small, Sample.big),
        'substr("text", CAST("small" AS integer), CAST("big" AS integer))',
        [],
        'cormorant_substr("text", "small", "big")',
        None,
    ),
    (
        lambda: func.replace(Sample.text, "a", "b"),
        'replace("text", $1::text, $2::text)',
        ["a", "b"],
        'replace("text", ?1, ?2)',
        None,
    ),
    (lambda: func.left(Sample.text, 3), 'left("text", $1::integer)', [3], 'substr("text", 1, ?1)', None),
    (lambda: func.right(Sample.text, 3), 'right("text", $1::integer)', [3], 'cormorant_right("text", ?1)', None),
    (
        lambda: func.lpad(Sample.text, 5, "0"),
        'lpad("text", $1::integer, $2::text)',
        [5, "0"],
        'cormorant_lpad("text", ?1, ?2)',
        None,
    ),
    (
        lambda: func.rpad(Sample.text, 5),
        'rpad("text", $1::integer, $2::text)',
        [5, " "],
        'cormorant_rpad("text", ?1, ?2)',
        None,
    ),
    (lambda: func.strpos(Sample.text, "b"), 'strpos("text", $1::text)', ["b"], 'instr("text", ?1)', None),
    (lambda: func.reverse(Sample.text), 'reverse("text")', [], 'cormorant_reverse("text")', None),
    (lambda: Sample.text.like("a%"), '"text" LIKE $1::text', ["a%"], 'cormorant_like("text", ?1)', None),
    (lambda: Sample.text.ilike("a%"), '"text" ILIKE $1::text', ["a%"], 'cormorant_ilike("text", ?1)', None),
    (lambda: Sample.text.matches("^a"), '"text" ~ $1::text', ["^a"], 'cormorant_matches("text", ?1)', None),
    (lambda: Sample.text.imatches("^a"), '"text" ~* $1::text', ["^a"], 'cormorant_imatches("text", ?1)', None),
    (
        lambda: ~Sample.text.like(Sample.note),
        'NOT ("text" LIKE "note")',
        [],
        'NOT (cormorant_like("text", "note"))',
        None,
    ),
    (
        lambda: Sample.text.like("a%") & Sample.flag,
        '"text" LIKE $1::text AND "flag"',
        ["a%"],
        'cormorant_like("text", ?1) AND "flag"',
        None,
    ),
]

CASTS: list[Case] = [
    (lambda: Sample.small.cast(str), 'CAST("small" AS text)', [], 'CAST("small" AS TEXT)', None),
    (lambda: Sample.small.cast(float), 'CAST("small" AS double precision)', [], 'CAST("small" AS REAL)', None),
    (lambda: Sample.small.cast(Decimal), 'CAST("small" AS numeric)', [], 'CAST("small" AS TEXT)', None),
    (lambda: Sample.small.cast(bool), '"small" <> 0', [], '"small" <> 0', None),
    (lambda: Sample.number.cast(int), 'CAST(trunc("number") AS bigint)', [], 'cormorant_to_integer("number")', None),
    (lambda: Sample.number.cast(str), 'CAST("number" AS text)', [], 'cormorant_float_text("number")', None),
    (lambda: Sample.number.cast(Decimal), 'CAST("number" AS numeric)', [], 'cormorant_float_decimal("number")', None),
    (lambda: Sample.price.cast(int), 'CAST(trunc("price") AS bigint)', [], 'cormorant_to_integer("price")', None),
    (
        lambda: Sample.price.cast(str),
        r"""regexp_replace(CAST("price" AS text), '(\.[0-9]*[1-9])0+$|\.0+$', '\1')""",
        [],
        'CAST("price" AS TEXT)',
        None,
    ),
    (lambda: Sample.flag.cast(int), 'CAST("flag" AS integer)', [], 'CAST("flag" AS INTEGER)', None),
    (
        lambda: Sample.flag.cast(str),
        'CAST("flag" AS text)',
        [],
        """CASE "flag" WHEN 1 THEN 'true' WHEN 0 THEN 'false' END""",
        None,
    ),
    (lambda: Sample.text.cast(int), 'CAST("text" AS bigint)', [], 'cormorant_parse_integer("text")', None),
    (lambda: Sample.text.cast(date), 'CAST("text" AS date)', [], 'cormorant_parse_date("text")', None),
    (
        lambda: Sample.text.cast(datetime),
        (
            r"""CAST("text" || CASE WHEN "text" ~* ':.*(z|[-+][0-9]{2}(:?[0-9]{2})?)\s*$' THEN '' ELSE ' UTC' END"""
            " AS timestamptz)"
        ),
        [],
        'cormorant_parse_moment("text")',
        None,
    ),
    (lambda: Sample.day.cast(str), """to_char("day", 'YYYY-MM-DD')""", [], 'CAST("day" AS TEXT)', None),
    (
        lambda: Sample.day.cast(datetime),
        """CAST("day" AS timestamp) AT TIME ZONE 'UTC'""",
        [],
        """"day" || 'T00:00:00.000000+00:00'""",
        None,
    ),
    (
        lambda: Sample.moment.cast(str),
        """to_char("moment" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
        [],
        'CAST("moment" AS TEXT)',
        None,
    ),
    (
        lambda: Sample.moment.cast(date),
        """CAST("moment" AT TIME ZONE 'UTC' AS date)""",
        [],
        'substr("moment", 1, 10)',
        None,
    ),
    (lambda: Sample.uid.cast(str), 'CAST("uid" AS text)', [], 'CAST("uid" AS TEXT)', None),
    (lambda: Sample.color.cast(str), 'CAST("color" AS text)', [], 'CAST("color" AS TEXT)', None),
    (lambda: Sample.paint.cast(str), 'CAST("paint" AS text)', [], 'CAST("paint" AS TEXT)', None),
    (lambda: literal(3), "$1::bigint", [3], "?1", None),
    (lambda: literal("x"), "$1::text", ["x"], "?1", None),
    (lambda: literal(None), "NULL", [], "NULL", None),
    (lambda: literal(Decimal("1.50")), "$1::numeric", [Decimal("1.50")], "?1", ["1.5"]),
    (
        lambda: case((Sample.small > 5, "hot"), (Sample.flag, Sample.text), default="cold"),
        'CASE WHEN "small" > $1 THEN $2::text WHEN "flag" THEN "text" ELSE $3::text END',
        [5, "hot", "cold"],
        'CASE WHEN "small" > ?1 THEN ?2 WHEN "flag" THEN "text" ELSE ?3 END',
        None,
    ),
    (
        lambda: case((Sample.flag, Sample.small), default=0.5),
        'CASE WHEN "flag" THEN CAST("small" AS double precision) ELSE $1::double precision END',
        [0.5],
        'CASE WHEN "flag" THEN CAST("small" AS REAL) ELSE ?1 END',
        None,
    ),
    (
        lambda: case((Sample.flag, Sample.small), default=Sample.price),
        'CASE WHEN "flag" THEN CAST("small" AS numeric) ELSE "price" END',
        [],
        'CASE WHEN "flag" THEN CAST("small" AS TEXT) ELSE "price" END',
        None,
    ),
    (
        lambda: case((Sample.flag, Color.RED)),
        'CASE WHEN "flag" THEN $1::text END',
        ["red"],
        'CASE WHEN "flag" THEN ?1 END',
        None,
    ),
    (
        lambda: case((Sample.flag, None), default=1) + 1,
        'CASE WHEN "flag" THEN NULL ELSE $1::integer END + $2::bigint',
        [1, 1],
        'CASE WHEN "flag" THEN NULL ELSE ?1 END + ?2',
        None,
    ),
]

COMPARISONS: list[Case] = [
    (lambda: Sample.maybe.is_distinct_from(3), '"maybe" IS DISTINCT FROM $1', [3], '"maybe" IS NOT ?1', None),
    (
        lambda: Sample.maybe.is_not_distinct_from(Sample.small),
        '"maybe" IS NOT DISTINCT FROM "small"',
        [],
        '"maybe" IS "small"',
        None,
    ),
    (lambda: Sample.maybe.is_distinct_from(None), '"maybe" IS NOT NULL', [], '"maybe" IS NOT NULL', None),
    (
        lambda: Sample.price.is_distinct_from(Sample.small),
        '"price" IS DISTINCT FROM "small"',
        [],
        '"price" IS NOT CAST("small" AS TEXT)',
        None,
    ),
    (
        lambda: ~Sample.maybe.is_distinct_from(3),
        'NOT ("maybe" IS DISTINCT FROM $1)',
        [3],
        'NOT ("maybe" IS NOT ?1)',
        None,
    ),
    (
        lambda: Sample.small.not_in([1, 2]),
        'NOT ("small" = ANY($1::smallint[]))',
        [[1, 2]],
        'NOT ("small" IN (SELECT value FROM json_each(?1)))',
        ["[1, 2]"],
    ),
    (
        lambda: tuple_(Sample.small, Sample.text) == (1, "a"),
        '("small", "text") = ($1, $2)',
        [1, "a"],
        '("small", "text") = (?1, ?2)',
        None,
    ),
    (
        lambda: tuple_(Sample.price, Sample.small) > (Decimal("1.50"), 2),
        '("price", "small") > ($1, $2)',
        [Decimal("1.50"), 2],
        '("price" COLLATE cormorant_decimal, "small") > (?1, ?2)',
        ["1.5", 2],
    ),
    (
        lambda: tuple_(Sample.small, Sample.big) < tuple_(Sample.big, Sample.small),
        '("small", "big") < ("big", "small")',
        [],
        '("small", "big") < ("big", "small")',
        None,
    ),
    (
        lambda: tuple_(Sample.small, Sample.text).in_([(1, "a"), (2, "b")]),
        '("small", "text") IN (SELECT * FROM unnest($1::smallint[], $2::text[]))',
        [[1, 2], ["a", "b"]],
        (
            """("small", "text") IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM"""
            " json_each(cormorant_rows(?1, ?2)))"
        ),
        ["[1, 2]", '["a", "b"]'],
    ),
    (
        lambda: tuple_(Sample.small, Sample.data).not_in([(1, b"a")]),
        'NOT (("small", "data") IN (SELECT * FROM unnest($1::smallint[], $2::bytea[])))',
        [[1], [b"a"]],
        (
            """NOT (("small", "data") IN (SELECT json_extract(value, '$[0]'), cormorant_unhex(json_extract(value,"""
            " '$[1]')) FROM json_each(cormorant_rows(?1, ?2))))"
        ),
        ["[1]", '["61"]'],
    ),
    (
        lambda: tuple_(Sample.small, Sample.text).in_(query(Sample).values(Sample.small, Sample.text)),
        '("small", "text") IN (SELECT "sample_2"."small", "sample_2"."text" FROM "sample" AS "sample_2")',
        [],
        '("small", "text") IN (SELECT "sample_2"."small", "sample_2"."text" FROM "sample" AS "sample_2")',
        None,
    ),
    (lambda: literal(3) == literal(4), "$1::bigint = $2", [3, 4], "?1 = ?2", None),
    (
        lambda: Sample.small.op("%", 3, returns=int) == 1,
        '("small" % $1::integer) = $2',
        [3, 1],
        '("small" % ?1) = ?2',
        None,
    ),
    (lambda: Sample.text.op("is not", None, returns=bool), '"text" IS NOT NULL', [], '"text" IS NOT NULL', None),
    (
        lambda: (Sample.small + 1).op("*", Sample.big, returns=int),
        '("small" + $1::bigint) * "big"',
        [1],
        '("small" + ?1) * "big"',
        None,
    ),
]

AGGREGATES: list[Case] = [
    (
        lambda: func.count(filter=Sample.small > 3),
        'count(*) FILTER (WHERE "small" > $1)',
        [3],
        'count(*) FILTER (WHERE "small" > ?1)',
        None,
    ),
    (
        lambda: func.count(Sample.text, distinct=True, filter=Sample.flag),
        'count(DISTINCT "text") FILTER (WHERE "flag")',
        [],
        'count(DISTINCT "text") FILTER (WHERE "flag")',
        None,
    ),
    (
        lambda: func.sum(Sample.small, distinct=True, filter=Sample.flag),
        'sum(DISTINCT "small") FILTER (WHERE "flag")::bigint',
        [],
        'sum(DISTINCT "small") FILTER (WHERE "flag")',
        None,
    ),
    (
        lambda: func.sum(Sample.price, filter=Sample.flag),
        'sum("price") FILTER (WHERE "flag")',
        [],
        'cormorant_decimal_sum("price") FILTER (WHERE "flag")',
        None,
    ),
    (lambda: func.sum(Sample.span), 'sum("span")', [], 'sum("span")', None),
    (
        lambda: func.avg(Sample.small, filter=Sample.flag | Sample.flag),
        'avg("small") FILTER (WHERE "flag" OR "flag")::double precision',
        [],
        'avg("small") FILTER (WHERE "flag" OR "flag")',
        None,
    ),
    (lambda: func.max(Sample.flag), 'bool_or("flag")', [], 'max("flag")', None),
    (lambda: func.min(Sample.flag), 'bool_and("flag")', [], 'min("flag")', None),
    (lambda: func.max(Sample.uid), 'max(CAST("uid" AS text) COLLATE "C")::uuid', [], 'max("uid")', None),
    (
        lambda: func.min(Sample.data, filter=Sample.flag),
        """decode(min(encode("data", 'hex') COLLATE "C") FILTER (WHERE "flag"), 'hex')""",
        [],
        'min("data") FILTER (WHERE "flag")',
        None,
    ),
    (lambda: func.max(Sample.price, distinct=True), 'max("price")', [], 'max("price" COLLATE cormorant_decimal)', None),
    (
        lambda: func.stddev(Sample.small),
        'stddev_samp(CAST("small" AS double precision))',
        [],
        'cormorant_stddev("small")',
        None,
    ),
    (
        lambda: func.variance(Sample.price),
        'var_samp(CAST("price" AS double precision))',
        [],
        'cormorant_variance("price")',
        None,
    ),
    (lambda: func.bool_and(Sample.flag), 'bool_and("flag")', [], 'min("flag")', None),
    (lambda: func.bool_or(Sample.small > 3), 'bool_or("small" > $1)', [3], 'max("small" > ?1)', None),
    (
        lambda: func.string_agg(Sample.text, ", "),
        'string_agg("text", $1::text)',
        [", "],
        """cormorant_string_agg('all', "text", ?1)""",
        None,
    ),
    (
        lambda: func.string_agg(
            Sample.text, ", ", order_by=[Sample.price.desc(), Sample.maybe.asc().nulls_first()], filter=Sample.flag
        ),
        'string_agg("text", $1::text ORDER BY "price" DESC, "maybe" NULLS FIRST) FILTER (WHERE "flag")',
        [", "],
        """cormorant_string_agg('all dfn afv', "text", ?1, "price", "maybe") FILTER (WHERE "flag")""",
        None,
    ),
    (
        lambda: func.string_agg(Sample.text, ", ", distinct=True, order_by=[Sample.text]),
        'string_agg(DISTINCT "text", $1::text ORDER BY "text")',
        [", "],
        """cormorant_string_agg('distinct alv', "text", ?1, "text")""",
        None,
    ),
    (
        lambda: func.array_agg(Sample.text),
        """coalesce(array_agg("text"), '{}')""",
        [],
        """coalesce(cormorant_list('all', "text"), '[]')""",
        None,
    ),
    (
        lambda: func.array_agg(Sample.data, order_by=[Sample.small], filter=Sample.flag),
        """coalesce(array_agg("data" ORDER BY "small") FILTER (WHERE "flag"), '{}')""",
        [],
        """coalesce(cormorant_list('all alv', hex("data"), "small") FILTER (WHERE "flag"), '[]')""",
        None,
    ),
    (
        lambda: func.call("mode", Sample.small, returns=int, aggregate=True, distinct=True, filter=Sample.flag),
        'mode(DISTINCT "small") FILTER (WHERE "flag")',
        [],
        'mode(DISTINCT "small") FILTER (WHERE "flag")',
        None,
    ),
]

WINDOWS: list[Case] = [
    (lambda: func.row_number().over(), "row_number() OVER ()", [], "row_number() OVER ()", None),
    (
        lambda: func.row_number().over(partition_by=[Sample.flag], order_by=[Sample.small.desc(), Sample.maybe]),
        'row_number() OVER (PARTITION BY "flag" ORDER BY "small" DESC, "maybe")',
        [],
        'row_number() OVER (PARTITION BY "flag" ORDER BY "small" DESC, "maybe" NULLS LAST)',
        None,
    ),
    (
        lambda: func.rank().over(order_by=[Sample.price]),
        'rank() OVER (ORDER BY "price")',
        [],
        'rank() OVER (ORDER BY "price" COLLATE cormorant_decimal)',
        None,
    ),
    (
        lambda: func.ntile(4).over(order_by=[Sample.id]),
        'ntile($1::integer) OVER (ORDER BY "id")',
        [4],
        'ntile(?1) OVER (ORDER BY "id")',
        None,
    ),
    (
        lambda: func.lag(Sample.small).over(order_by=[Sample.id]),
        'lag("small", $1::integer) OVER (ORDER BY "id")',
        [1],
        'lag("small", ?1) OVER (ORDER BY "id")',
        None,
    ),
    (
        lambda: func.lead(Sample.price, 2, default=Decimal(0)).over(order_by=[Sample.id]),
        'lead("price", $1::integer, $2::numeric) OVER (ORDER BY "id")',
        [2, Decimal("0")],
        'lead("price", ?1, ?2) OVER (ORDER BY "id")',
        [2, "0"],
    ),
    (
        lambda: func.nth_value(Sample.text, 2).over(order_by=[Sample.id], rows=(None, None)),
        (
            'nth_value("text", $1::integer) OVER (ORDER BY "id" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED'
            " FOLLOWING)"
        ),
        [2],
        'nth_value("text", ?1) OVER (ORDER BY "id" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)',
        None,
    ),
    (
        lambda: func.sum(Sample.small).over(order_by=[Sample.id], rows=(-2, 0)),
        'sum("small") OVER (ORDER BY "id" ROWS BETWEEN $1::bigint PRECEDING AND CURRENT ROW)::bigint',
        [2],
        'sum("small") OVER (ORDER BY "id" ROWS BETWEEN ?1 PRECEDING AND CURRENT ROW)',
        None,
    ),
    (
        lambda: func.sum(Sample.price, filter=Sample.flag).over(order_by=[Sample.id], rows=(None, -1)),
        (
            'sum("price") FILTER (WHERE "flag") OVER (ORDER BY "id" ROWS BETWEEN UNBOUNDED PRECEDING AND'
            " $1::bigint PRECEDING)"
        ),
        [1],
        (
            'cormorant_decimal_sum("price") FILTER (WHERE "flag") OVER (ORDER BY "id" ROWS BETWEEN UNBOUNDED'
            " PRECEDING AND ?1 PRECEDING)"
        ),
        None,
    ),
    (
        lambda: func.count().over(order_by=[Sample.id], rows=(0, None)),
        'count(*) OVER (ORDER BY "id" ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)',
        [],
        'count(*) OVER (ORDER BY "id" ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)',
        None,
    ),
    (
        lambda: func.count().over(order_by=[Sample.small], range=(-3, 3)),
        'count(*) OVER (ORDER BY "small" RANGE BETWEEN $1::bigint PRECEDING AND $2::bigint FOLLOWING)',
        [3, 3],
        'count(*) OVER (ORDER BY "small" RANGE BETWEEN ?1 PRECEDING AND ?2 FOLLOWING)',
        None,
    ),
    (
        lambda: func.count().over(order_by=[Sample.number], range=(0, 3)),
        'count(*) OVER (ORDER BY "number" RANGE BETWEEN CURRENT ROW AND $1::double precision FOLLOWING)',
        [3.0],
        'count(*) OVER (ORDER BY "number" RANGE BETWEEN CURRENT ROW AND ?1 FOLLOWING)',
        None,
    ),
    (
        lambda: func.count().over(order_by=[Sample.moment.desc()], range=(timedelta(-7), timedelta(0))),
        (
            """count(*) OVER (ORDER BY "moment" AT TIME ZONE 'UTC' DESC RANGE BETWEEN $1::interval PRECEDING AND"""
            " CURRENT ROW)"
        ),
        [timedelta(days=7)],
        (
            """count(*) OVER (ORDER BY cormorant_moment_diff("moment", '1970-01-01') DESC RANGE BETWEEN ?1"""
            " PRECEDING AND CURRENT ROW)"
        ),
        [604800000000],
    ),
    (
        lambda: func.count().over(order_by=[Sample.day], range=(timedelta(-7), None)),
        (
            'count(*) OVER (ORDER BY CAST("day" AS timestamp) RANGE BETWEEN $1::interval PRECEDING AND UNBOUNDED'
            " FOLLOWING)"
        ),
        [timedelta(days=7)],
        (
            """count(*) OVER (ORDER BY cormorant_moment_diff("day", '1970-01-01') RANGE BETWEEN ?1 PRECEDING AND"""
            " UNBOUNDED FOLLOWING)"
        ),
        [604800000000],
    ),
    (
        lambda: func.count().over(order_by=[Sample.flag], groups=(-1, 1)),
        'count(*) OVER (ORDER BY "flag" GROUPS BETWEEN $1::bigint PRECEDING AND $2::bigint FOLLOWING)',
        [1, 1],
        'count(*) OVER (ORDER BY "flag" GROUPS BETWEEN ?1 PRECEDING AND ?2 FOLLOWING)',
        None,
    ),
    (
        lambda: func.array_agg(Sample.small).over(partition_by=[Sample.flag]),
        """coalesce(array_agg("small") OVER (PARTITION BY "flag"), '{}')""",
        [],
        """coalesce(cormorant_list('all', "small") OVER (PARTITION BY "flag"), '[]')""",
        None,
    ),
    (
        lambda: func.row_number().over(order_by=[Sample.id]) + 1,
        'row_number() OVER (ORDER BY "id") + $1::bigint',
        [1],
        'row_number() OVER (ORDER BY "id") + ?1',
        None,
    ),
    (
        lambda: func.call("row_number", returns=int).over(order_by=[Sample.id]),
        'row_number() OVER (ORDER BY "id")',
        [],
        'row_number() OVER (ORDER BY "id")',
        None,
    ),
]


ALL = [*NUMBERS, *MOMENTS, *TEXTS, *CASTS, *COMPARISONS, *AGGREGATES, *WINDOWS]


@pytest.mark.parametrize("case", ALL, ids=[case[1][:80] for case in ALL])
def test_an_expression_has_its_sql(case: Case) -> None:
    build, postgresql, values, sqlite, sqlite_values = case
    assert selected(build(), "postgresql") == (postgresql, values)
    assert selected(build(), "sqlite") == (sqlite, values if sqlite_values is None else sqlite_values)


def selected(expr: Expr[Any], database: str) -> tuple[str, list[Any]]:
    text, values = sql(query(Sample).scalars(expr), database)
    return text.removeprefix("SELECT ").removesuffix(' FROM "sample"').replace('"sample".', ""), values


def test_an_expression_keeps_its_shape_whatever_its_values_are() -> None:
    """Plans are found by shape: it must not depend on values, and must depend on all else."""

    def shape(expr: Expr[Any]) -> Any:
        return query(Sample).scalars(expr)._spec.cache_key

    assert shape(case((Sample.small > 5, "a"), default="b")) == shape(case((Sample.small > 6, "x"), default="y"))
    assert shape(func.substr(Sample.text, 1, 2)) == shape(func.substr(Sample.text, 3, 4))
    assert shape(tuple_(Sample.small, Sample.big).in_([(1, 2)])) == shape(
        tuple_(Sample.small, Sample.big).in_([(3, 4)] * 9)
    )
    windows = [
        func.count().over(order_by=[Sample.id], rows=rows) for rows in ((-1, 2), (-9, 1), (1, 2), (0, 2), (None, 2))
    ]
    assert len({shape(window) for window in windows}) == 4
    different = [
        func.count(),
        func.count(filter=Sample.flag),
        func.count().over(),
        func.count().over(partition_by=[Sample.flag]),
        func.count().over(order_by=[Sample.flag]),
        func.count().over(order_by=[Sample.flag.desc()]),
        func.count().over(order_by=[Sample.flag.desc().nulls_last()]),
        func.count().over(order_by=[Sample.flag], range=(None, 0)),
        func.count().over(order_by=[Sample.flag], groups=(None, 0)),
        func.count(Sample.text),
        func.count(Sample.text, distinct=True),
        func.array_agg(Sample.text),
        func.array_agg(Sample.text, order_by=[Sample.text]),
        func.array_agg(Sample.text, order_by=[Sample.text.desc()]),
        func.array_agg(Sample.text, order_by=[Sample.text], distinct=True),
        func.call("count", Sample.text, returns=int, aggregate=True),
        func.call("count", Sample.text, returns=int),
        Sample.small.op("+", 1, returns=int),
        Sample.small.op("-", 1, returns=int),
        Sample.small.op("+", 1, returns=str),
        Sample.small + 1,
        Sample.small.is_distinct_from(1),
        Sample.small.is_not_distinct_from(1),
        Sample.small.cast(str),
        Sample.small.cast(float),
        case((Sample.flag, 1)),
        case((Sample.flag, 1), default=1),
        case((Sample.flag, 1), (Sample.flag, 1)),
        tuple_(Sample.small, Sample.big) == (1, 2),
        tuple_(Sample.small, Sample.big) < (1, 2),
        literal(1),
        literal("x"),
        func.trunc("year", Sample.moment),
        func.trunc("month", Sample.moment),
    ]
    assert len({shape(expr) for expr in different}) == len(different)


def test_every_formula_is_known_to_both_databases() -> None:
    names = [{name.partition(" of ")[0] for name in table.FORMULAS} for table in (postgresql_formulas, sqlite_formulas)]
    assert names[0] == names[1]


def test_every_cast_there_may_be_is_known_to_both_databases() -> None:
    for table in (postgresql_formulas.FORMULAS, sqlite_formulas.FORMULAS):
        for kinds in POSSIBLE_CASTS.values():
            assert {f"cast to {kind}" for kind in kinds} <= set(table)


def test_sqlite_is_taught_what_its_formulas_call() -> None:
    rooms = (sqlite_numbers, sqlite_texts, sqlite_moments, sqlite_content, sqlite_folds)
    taught = {name for room in rooms for name, _, _ in room.FUNCTIONS}
    taught |= {name for name, _, _ in sqlite_folds.AGGREGATES} | {"cormorant_decimal"}
    called: set[str] = set()
    for build, *_ in ALL:
        called |= set(re.findall(r"cormorant_\w+", sql(query(Sample).scalars(build()), "sqlite")[0]))
    for template in sqlite_formulas.FORMULAS.values():
        called |= set(re.findall(r"cormorant_\w+", template)) if isinstance(template, str) else set()
    assert called <= taught


def test_nothing_an_expression_is_made_of_hides_what_it_can_do() -> None:
    """A part stored under the name of a method would be found in its place."""

    def classes(cls: type) -> list[type]:
        return [cls, *(inner for sub in cls.__subclasses__() for inner in classes(sub))]

    methods = {name for base in Expr.__mro__ for name in vars(base) if callable(getattr(Expr, name, None))}
    for cls in classes(Expr):
        slots = getattr(cls, "__slots__", ())
        assert methods.isdisjoint({slots} if isinstance(slots, str) else slots), cls


def declared(expr: Expr[Any], database: str) -> str:
    return DATABASES[database].dialect.expression(expr)


def test_declarations_have_literals_in_place_of_values() -> None:
    among = tuple_(Sample.small, Sample.text).in_([(1, "it's"), (-2, "b")])
    assert declared(among, "postgresql") == """("small", "text") IN (VALUES (1, 'it''s'::text), (-2, 'b'::text))"""
    assert declared(among, "sqlite") == """("small", "text") IN (VALUES (1, 'it''s'), (-2, 'b'))"""
    # two minus signs would be a comment
    assert declared(-literal(-5), "postgresql") == declared(-literal(-5), "sqlite") == "-(-5)"
    for text in ("'", '"', "'; --", "{0}", "%s"):
        quoted = text.replace("'", "''")
        assert declared(func.concat(Author.name, text), "sqlite") == f"""("name" || '{quoted}')"""
        assert declared(func.concat(Author.name, text), "postgresql") == f"""concat("name", '{quoted}'::text)"""
