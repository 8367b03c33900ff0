"""What documents and lists are asked: the exact SQL on each database, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import Column, ExpressionUsedAsBool, QueryError, WrongType, func, types
from tests.support.sql import DATABASES, last_sql, query, sql, where
from tests.unit.query.models import Article, Author, Sample

EXTRA = '"sample"."extra"'
WORDS = '"sample"."words"'


def found(cast: str = "", number: int = 1) -> str:
    """What PostgreSQL reads a value with."""
    return f"jsonb_path_query_first({EXTRA}, ${number}::jsonpath, '{{}}', true){cast}"


def both(built: Any) -> tuple[tuple[str, list[Any]], tuple[str, list[Any]]]:
    return where(built, "postgresql"), where(built, "sqlite")


# ------------------------------------------------------------------ paths

TEXT = "#>> '{}'"
READINGS: list[tuple[Any, str, str, str]] = [
    (str, f"({found()} {TEXT})", ' ? (@.type() == "string")', "str"),
    (bool, found("::boolean"), ' ? (@.type() == "boolean")', "bool"),
    (
        int,
        found("::bigint"),
        " ? (@ >= -9223372036854775808 && @ <= 9223372036854775807 && @ == @.floor())",
        "int",
    ),
    (
        float,
        found("::double precision"),
        " ? (@ == 0 || @.abs() >= 4.9406564584124654e-324 && @.abs() <= 1.7976931348623157e308)",
        "float",
    ),
    (list, found(), ' ? (@.type() == "array")', "list"),
    (dict, found(), ' ? (@.type() == "object")', "dict"),
    (None, found(), ' ? (@.type() != "null")', "json"),
]


@pytest.mark.parametrize(("returns", "postgresql", "ending", "name"), READINGS, ids=[r[-1] for r in READINGS])
def test_a_path_is_one_value_with_what_is_looked_for(returns: Any, postgresql: str, ending: str, name: str) -> None:
    built = query(Sample).filter(Sample.extra.path("a", 0, "b", returns=returns).is_not_null())
    assert both(built) == (
        (f"{postgresql} IS NOT NULL", [f'strict $."a"[0]."b"{ending}']),
        (f"cormorant_json_{name}({EXTRA}, ?1) IS NOT NULL", ['["a", 0, "b"]']),
    )


@pytest.mark.parametrize(
    ("returns", "postgresql", "like"),
    [
        (Decimal, f"({found()} {TEXT})::numeric", "[+-]?"),
        (date, f"({found()} {TEXT})::date", "[0-9]{4}-"),
        (UUID, f"({found()} {TEXT})::uuid", "[0-9a-fA-F]{8}"),
        (
            datetime,
            f"regexp_replace({found()} {TEXT}, '^(.{{11}}[0-9:.]+)$', '\\1Z')::timestamptz",
            "[0-2][0-8]",
        ),
    ],
)
def test_texts_that_hold_something_else_are_read_by_pattern(returns: Any, postgresql: str, like: str) -> None:
    built = query(Sample).filter(Sample.extra.path("a", returns=returns).is_null())
    (text, [path]), (other, other_values) = both(built)
    assert text == f"{postgresql} IS NULL"
    assert path.startswith('strict $."a" ? (')
    assert '@ like_regex "^(?:' in path
    assert other == f"cormorant_json_{returns.__name__.lower()}({EXTRA}, ?1) IS NULL"
    assert other_values == ['["a"]']


STEPS: list[tuple[tuple[Any, ...], str]] = [
    ((), ""),
    (("",), '.""'),
    ((0, 12), "[0][12]"),
    ((-1, -3), "[last - 0][last - 2]"),
    (('a"b', "c\\d", "$", "e.f", "[0]", "'", "*"), '."a\\"b"."c\\\\d"."$"."e.f"."[0]"."\'"."*"'),
    (("é日\n\u2028",), '."é日\\n\u2028"'),
    (("0", 0), '."0"[0]'),
]


@pytest.mark.parametrize(("parts", "steps"), STEPS)
def test_keys_and_places_are_quoted_in_the_value(parts: tuple[Any, ...], steps: str) -> None:
    text, [path, _] = where(query(Sample).filter(Sample.extra.path(*parts) == 1))
    assert text == f"{found()} = $2"
    assert path == f'strict ${steps} ? (@.type() != "null")'


def test_paths_of_every_length_share_a_plan() -> None:
    one = query(Sample).filter(Sample.extra.path("a", returns=int) == 1)
    other = query(Sample).filter(Sample.extra.path("b", 3, "c", returns=int) == 2)
    assert one._spec.cache_key == other._spec.cache_key
    assert one._spec.cache_key != query(Sample).filter(Sample.extra.path("a", returns=float) == 1)._spec.cache_key


def test_a_path_goes_on_from_a_path() -> None:
    one = query(Sample).filter(Sample.extra.path("a").path(0).path("b", returns=int) == 1)
    assert sql(one) == sql(query(Sample).filter(Sample.extra.path("a", 0, "b", returns=int) == 1))


def test_values_are_compared_as_what_they_are() -> None:
    number = Sample.extra.path("n", returns=int)
    assert both(query(Sample).filter(number > 3)) == (
        (f"{found('::bigint')} > $2", ['strict $."n"' + READINGS[2][2], 3]),
        (f"cormorant_json_int({EXTRA}, ?1) > ?2", ['["n"]', 3]),
    )
    price = Sample.extra.path("p", returns=Decimal)
    assert where(query(Sample).filter(price < Decimal("1.50")), "sqlite") == (
        f"cormorant_json_decimal({EXTRA}, ?1) COLLATE cormorant_decimal < ?2",
        ['["p"]', "1.5"],
    )
    flag = Sample.extra.path("f", returns=bool)
    assert where(query(Sample).filter(flag & (number < Sample.small)), "sqlite")[0] == (
        f'cormorant_json_bool({EXTRA}, ?1) AND cormorant_json_int({EXTRA}, ?2) < "sample"."small"'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1.0, 2.50, True], "a": None}, '{"a":null,"b":[1,2.5,true]}'),
        ("é'", '"é\'"'),
        (1e3, "1000"),
        (-0.0, "0"),
        (1e-7, "0.0000001"),
        (False, "false"),
        ([], "[]"),
        (Decimal("1.10"), "1.1"),
    ],
)
def test_json_values_are_compared_in_their_one_text(value: Any, text: str) -> None:
    assert both(query(Sample).filter(Sample.extra.path("a") == value)) == (
        (f"{found()} = $2", ['strict $."a" ? (@.type() != "null")', text]),
        (f"cormorant_json_json({EXTRA}, ?1) = ?2", ['["a"]', text]),
    )


def test_json_values_are_compared_with_documents() -> None:
    assert both(query(Sample).filter(Sample.extra.path("a") != Sample.extra)) == (
        (f"{found()} <> {EXTRA}", ['strict $."a" ? (@.type() != "null")']),
        (f"cormorant_json_json({EXTRA}, ?1) <> cormorant_json({EXTRA})", ['["a"]']),
    )
    assert where(query(Sample).filter(Sample.extra == Sample.extra.path("a")), "sqlite")[0] == (
        f"cormorant_json({EXTRA}) = cormorant_json_json({EXTRA}, ?1)"
    )


def test_json_values_are_looked_for_among_others() -> None:
    assert both(query(Sample).filter(Sample.extra.path("a").in_([1.0, "x"]))) == (
        (f"{found()} = ANY($2::jsonb[])", ['strict $."a" ? (@.type() != "null")', ["1", '"x"']]),
        (
            f"cormorant_json_json({EXTRA}, ?1) IN (SELECT value FROM json_each(?2))",
            ['["a"]', '["1", "\\"x\\""]'],
        ),
    )


def test_groups_of_other_paths_are_other_groups() -> None:
    city, land = Sample.extra.path("city", returns=str), Sample.extra.path("land", returns=str)
    text, values = sql(query(Sample).values(city, func.count()).group_by(city).order_by(city), "sqlite")
    read = f"cormorant_json_str({EXTRA}, ?1)"
    assert text == f'SELECT {read}, count(*) FROM "sample" GROUP BY {read} ORDER BY {read} NULLS LAST'
    assert values == ['["city"]']
    with pytest.raises(QueryError, match=r"Sample\.extra\.path\('city'\) is read from groups"):
        sql(query(Sample).values(city, func.count()).group_by(land))
    with pytest.raises(QueryError, match="which they do not show"):
        sql(query(Sample).values(city).distinct().order_by(land))


def test_a_path_is_written_out_in_declarations() -> None:
    expr = Sample.extra.path("a'b", returns=int)
    assert DATABASES["postgresql"].dialect.expression(expr) == (
        """jsonb_path_query_first("extra", 'strict $."a''b" ? (@ >= -9223372036854775808 && """
        """@ <= 9223372036854775807 && @ == @.floor())'::jsonpath, '{}', true)::bigint"""
    )
    assert DATABASES["sqlite"].dialect.expression(expr) == """cormorant_json_int("extra", '["a''b"]')"""


# ------------------------------------------------------------------ documents

DOCUMENTS: list[tuple[Callable[[], Any], str, list[Any], str, list[Any]]] = [
    (
        lambda: Sample.extra.contains({"a": {"b": 1.0}}),
        f"{EXTRA} @> $1",
        ['{"a":{"b":1}}'],
        f"cormorant_json_contains({EXTRA}, ?1)",
        ['{"a":{"b":1}}'],
    ),
    (
        lambda: Sample.extra.contained_by({}),
        f"{EXTRA} <@ $1",
        ["{}"],
        f"cormorant_json_contains(?1, {EXTRA})",
        ["{}"],
    ),
    (
        lambda: Sample.extra.contains(Sample.extra.path("a", returns=dict)),
        f"{EXTRA} @> {found()}",
        ['strict $."a" ? (@.type() == "object")'],
        f"cormorant_json_contains({EXTRA}, cormorant_json_dict({EXTRA}, ?1))",
        ['["a"]'],
    ),
    (lambda: Sample.extra.has_key("a"), f"{EXTRA} ? $1", ["a"], f"cormorant_json_has({EXTRA}, ?1)", ["a"]),
    (
        lambda: Sample.extra.has_any_keys(iter(["a", "'"])),
        f"{EXTRA} ?| $1",
        [["a", "'"]],
        f"cormorant_json_has_any({EXTRA}, ?1)",
        ['["a", "\'"]'],
    ),
    (
        lambda: Sample.extra.has_all_keys([]),
        f"{EXTRA} ?& $1",
        [[]],
        f"cormorant_json_has_all({EXTRA}, ?1)",
        ["[]"],
    ),
    (
        lambda: Sample.extra.path("a").has_key("b").is_null(),
        f"({found()} ? $2) IS NULL",
        ['strict $."a" ? (@.type() != "null")', "b"],
        f"(cormorant_json_has(cormorant_json_json({EXTRA}, ?1), ?2)) IS NULL",
        ['["a"]', "b"],
    ),
    (
        lambda: Sample.extra.path("a").length() > 1,
        f"{found('::integer')} > $2",
        ['strict $."a".size()', 1],
        f"cormorant_json_size({EXTRA}, ?1) > ?2",
        ['["a"]', 1],
    ),
]


@pytest.mark.parametrize("case", DOCUMENTS, ids=[case[3] for case in DOCUMENTS])
def test_what_documents_are_asked(case: Any) -> None:
    build, postgresql, values, sqlite, sqlite_values = case
    assert both(query(Sample).filter(build())) == ((postgresql, values), (sqlite, sqlite_values))


async def test_documents_are_changed_in_place() -> None:
    samples = query(Sample)
    counted = Sample.extra.path("n", returns=int) + 1
    await samples.update(Sample.extra.set(Sample.extra.put("a", "b", value={"x": 1.0}).put("n", value=counted)))
    text, values = last_sql(samples)
    inner = (
        "(SELECT CASE WHEN jsonb_path_exists(v.d, $1::jsonpath, '{}', true) "
        f"THEN jsonb_set(v.d, $2::text[], $3::jsonb) ELSE v.d END FROM (SELECT {EXTRA} AS d OFFSET 0) AS v)"
    )
    assert text == (
        """UPDATE "sample" SET "extra" = (SELECT CASE WHEN jsonb_path_exists(v.d, $4::jsonpath, '{}', true) """
        f"THEN jsonb_set(v.d, $5::text[], coalesce(to_jsonb({found('::bigint', 6)} + $7::bigint), 'null'::jsonb)) "
        f"ELSE v.d END FROM (SELECT {inner} AS d OFFSET 0) AS v)"
    )
    is_object = ' ? (@.type() == "object")'
    assert values[:5] == [f'strict $."a"{is_object}', ["a", "b"], '{"x":1.0}', f"strict ${is_object}", ["n"]]
    text, values = last_sql(samples, "sqlite")
    assert text == (
        f"""UPDATE "sample" SET "extra" = cormorant_json_put(cormorant_json_put({EXTRA}, ?1, 'dict', ?2, ?3), """
        f"""?4, 'dict', ?5, cormorant_to_json(cormorant_json_int({EXTRA}, ?6) + ?7, 'integer'))"""
    )
    assert values == ['["a"]', '["a", "b"]', '{"x":1.0}', "[]", '["n"]', '["n"]', 1]


async def test_values_are_taken_out_of_documents() -> None:
    samples = query(Sample)
    await samples.update(Sample.extra.set(Sample.extra.without("a", -1)))
    assert last_sql(samples) == (
        """UPDATE "sample" SET "extra" = (SELECT CASE WHEN jsonb_path_exists(v.d, $1::jsonpath, '{}', true) """
        f"THEN v.d #- $2::text[] ELSE v.d END FROM (SELECT {EXTRA} AS d OFFSET 0) AS v)",
        ['strict $."a" ? (@.type() == "array")', ["a", "-1"]],
    )
    assert last_sql(samples, "sqlite") == (
        f"""UPDATE "sample" SET "extra" = cormorant_json_without({EXTRA}, ?1, 'list', ?2)""",
        ['["a"]', '["a", "-1"]'],
    )


# ------------------------------------------------------------------ lists

LISTS: list[tuple[Callable[[], Any], str, list[Any], str, list[Any]]] = [
    (
        lambda: Sample.words.contains("a"),
        f"{WORDS} @> $1",
        [["a"]],
        f"cormorant_array_contains({WORDS}, ?1)",
        ['["a"]'],
    ),
    (
        lambda: Sample.words.contains(["a", "b"]),
        f"{WORDS} @> $1",
        [["a", "b"]],
        f"cormorant_array_contains({WORDS}, ?1)",
        ['["a", "b"]'],
    ),
    (lambda: Sample.words.contains([]), f"{WORDS} @> $1", [[]], f"cormorant_array_contains({WORDS}, ?1)", ["[]"]),
    (
        lambda: Sample.words.contained_by(["a"]),
        f"{WORDS} <@ $1",
        [["a"]],
        f"cormorant_array_contains(?1, {WORDS})",
        ['["a"]'],
    ),
    (
        lambda: Sample.words.overlaps(["a"]),
        f"{WORDS} && $1",
        [["a"]],
        f"cormorant_array_overlaps({WORDS}, ?1)",
        ['["a"]'],
    ),
    (
        lambda: ~Sample.words.overlaps(Sample.words),
        f"NOT ({WORDS} && {WORDS})",
        [],
        f"NOT (cormorant_array_overlaps({WORDS}, {WORDS}))",
        [],
    ),
    (lambda: Sample.words.length() > 2, f"cardinality({WORDS}) > $1", [2], f"json_array_length({WORDS}) > ?1", [2]),
    (
        lambda: Sample.words[0] == "a",
        f"({WORDS})[$1::integer + 1] = $2",
        [0, "a"],
        f"cormorant_array_item({WORDS}, ?1) = ?2",
        [0, "a"],
    ),
    (
        lambda: Sample.words[-1].startswith("a"),
        f"({WORDS})[cardinality({WORDS}) + $1::integer + 1] LIKE $2",
        [-1, "a%"],
        f"substr(cormorant_array_item({WORDS}, ?1), 1, length(?2)) = ?2",
        [-1, "a"],
    ),
    (
        lambda: Sample.words.concat(["x"]).contains("y"),
        f"({WORDS} || $1::text[]) @> $2",
        [["x"], ["y"]],
        f"cormorant_array_contains(cormorant_array_concat({WORDS}, ?1), ?2)",
        ['["x"]', '["y"]'],
    ),
]


@pytest.mark.parametrize("case", LISTS, ids=[case[3] for case in LISTS])
def test_what_lists_are_asked(case: Any) -> None:
    build, postgresql, values, sqlite, sqlite_values = case
    assert both(query(Sample).filter(build())) == ((postgresql, values), (sqlite, sqlite_values))


def test_the_first_and_the_last_items_are_of_two_plans() -> None:
    one, other = (query(Sample).filter(Sample.words[place] == "a")._spec.cache_key for place in (0, 1))
    assert one == other
    assert one != query(Sample).filter(Sample.words[-1] == "a")._spec.cache_key


async def test_lists_grow_in_place() -> None:
    samples = query(Sample)
    await samples.update(Sample.words.set(Sample.words.concat(["x"])))
    assert last_sql(samples) == (f'UPDATE "sample" SET "words" = {WORDS} || $1::text[]', [["x"]])
    assert last_sql(samples, "sqlite") == (
        f'UPDATE "sample" SET "words" = cormorant_array_concat({WORDS}, ?1)',
        ['["x"]'],
    )


def test_lists_and_documents_are_looked_up_by_keyword() -> None:
    assert where(query(Sample).filter(words__contains="a")) == (f"{WORDS} @> $1", [["a"]])
    assert where(query(Sample).filter(extra__contains={"a": 1})) == (f"{EXTRA} @> $1", ['{"a":1}'])
    assert where(query(Sample).filter(extra__contained_by={})) == (f"{EXTRA} <@ $1", ["{}"])
    assert where(query(Sample).filter(words__overlaps=["a"])) == (f"{WORDS} && $1", [["a"]])
    assert where(query(Sample).filter(extra__has_key="a")) == (f"{EXTRA} ? $1", ["a"])
    assert where(query(Sample).filter(extra__has_any_keys=["a"])) == (f"{EXTRA} ?| $1", [["a"]])
    assert where(query(Sample).filter(extra__has_all_keys=["a"])) == (f"{EXTRA} ?& $1", [["a"]])


# ------------------------------------------------------------------ refused

NUL, SURROGATE = "a\0b", "a\ud800b"

REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: Sample.text.path("a"), r"Sample\.text is text, not a JSON document"),
    (lambda: Sample.words.path(0), r"Sample\.words is a list of its own, not a JSON document"),
    (lambda: Sample.extra.path("a", returns=str).path("b"), r"path\('a'\) is text, not a JSON document"),
    (lambda: Sample.extra.path(1.5), r"Sample\.extra\.path\(\) got 1\.5 \(float\)"),  # type: ignore[arg-type]
    (lambda: Sample.extra.path(["a", "b"]), r"got \['a', 'b'\] \(list\)"),  # type: ignore[arg-type]
    (lambda: Sample.extra.path(True), r"got True \(bool\)"),
    (lambda: Sample.extra.path(None), r"got None"),  # type: ignore[arg-type]
    (lambda: Sample.extra.path(NUL), "NUL or a lone surrogate"),
    (lambda: Sample.extra.path("a", SURROGATE), "NUL or a lone surrogate"),
    (lambda: Sample.extra.path("a", returns=bytes), "no value of a document is read as <class 'bytes'>"),  # type: ignore[type-var]
    (lambda: Sample.extra.path("a", returns=list[int]), r"read as list\[int\]"),
    (lambda: Sample.extra.path("a", returns="str"), "read as 'str'"),  # type: ignore[arg-type]
    (lambda: Sample.extra.path("a", returns=int) == "x", r"'x' \(str\) is not an int"),
    (lambda: Sample.extra.path("a", returns=str) > 3, r"3 \(int\) is not a str"),
    (lambda: Sample.extra.path("a", returns=int) == Sample.text, "is integer and is compared with"),
    (lambda: Sample.extra.path("a") == {1: 2}, r"1 \(int\) is no key of a document"),
    (lambda: Sample.extra.path("a") == {"b": date(2024, 1, 2)}, r"datetime\.date.* is no JSON"),
    (lambda: Sample.extra.path("a") == float("nan"), "NaN is no JSON number"),
    (lambda: Sample.extra.path("a") == [NUL], "NUL or a lone surrogate"),
    (lambda: Sample.extra.path("a") == {SURROGATE: 1}, "NUL or a lone surrogate"),
    (lambda: Sample.extra.path("a") < 3, "is a JSON document, which has no order"),
    (lambda: Sample.extra >= {}, "is a JSON document, which has no order"),
    (lambda: query(Sample).order_by(Sample.extra.path("a")), "is a JSON document, which has no order"),
    (lambda: query(Sample).order_by(Sample.extra.path("a").desc()), "is a JSON document, which has no order"),
    (lambda: query(Sample).order_by(Sample.words), "is a list, which has no order"),
    (lambda: Sample.words < ["a"], "is a list, which has no order"),
    (lambda: Sample.extra.has_key(1), "the key 1"),  # type: ignore[arg-type]
    (lambda: Sample.extra.has_key(NUL), "NUL or a lone surrogate"),
    (lambda: Sample.extra.has_any_keys("abc"), "the keys 'abc'"),
    (lambda: Sample.extra.has_all_keys(["a", None]), "the key None"),  # type: ignore[list-item]
    (lambda: Sample.extra.has_all_keys(3), "the keys 3"),  # type: ignore[arg-type]
    (lambda: Sample.text.has_key("a"), "is text, not a JSON document"),
    (lambda: Sample.extra.contains(None), "is compared with None"),  # type: ignore[call-overload]
    (lambda: Sample.extra.contains({"a": object()}), "is no JSON"),
    (lambda: Sample.extra.contains(Sample.text), "is text, not a JSON document"),  # type: ignore[call-overload]
    (lambda: Sample.extra.overlaps(["a"]), "is json, not a list"),  # type: ignore[misc]
    (lambda: Sample.extra[0], "is json, not a list"),  # type: ignore[misc]
    (lambda: Sample.text.contains(["a"]), "is not a str"),  # type: ignore[call-overload]
    (lambda: Sample.text.contained_by(["a"]), "is text, not a list"),  # type: ignore[call-overload]
    (lambda: Sample.text.length(), "is text, not a list"),
    (lambda: Sample.text[0], "is text, not a list"),  # type: ignore[misc]
    (lambda: Author.articles[0], "is unknown, not a list"),
    (lambda: Sample.words.contains(3), r"Sample\.words: 3 \(int\) is not a str"),  # type: ignore[call-overload]
    (lambda: Sample.words.contains(None), "is asked for None"),  # type: ignore[call-overload]
    (lambda: Sample.words.contains(["a", None]), "is asked for None"),  # type: ignore[list-item]
    (lambda: Sample.words.contains(("a",)), "is not a str"),  # type: ignore[call-overload]
    (lambda: Sample.words.contains(NUL), "NUL"),
    (lambda: Sample.words.contains(Sample.text), r"Sample\.text is text, not a list"),  # type: ignore[call-overload]
    (lambda: Sample.words.overlaps(Sample.text), r"Sample\.text is text, not a list"),  # type: ignore[arg-type]
    (lambda: Sample.words["a"], "the place of an item is an int"),  # type: ignore[index]
    (lambda: Sample.words[0:2], "the place of an item is an int"),  # type: ignore[index]
    (lambda: Sample.words[True], "the place of an item is an int"),
    (lambda: Sample.words[1 << 31], "does not fit 32 bits"),
    (lambda: Sample.words.concat("x"), r"concat\('x'\) \(str\)"),  # type: ignore[arg-type]
    (lambda: Sample.words.concat([1]), r"1 \(int\) is not a str"),  # type: ignore[list-item]
    (lambda: Sample.text.concat(["a"]), "is text, not a list"),  # type: ignore[misc]
    (lambda: Sample.words.concat(Sample.text), r"Sample\.text is text, not a list"),
    (lambda: Sample.extra.put(value=1), "no path says where"),
    (lambda: Sample.extra.without(), "no path says where"),
    (lambda: Sample.extra.put("a", value=object()), "is no JSON"),
    (lambda: Sample.extra.put("a", value=date(2024, 1, 2)), "is no JSON"),
    (lambda: Sample.extra.put("a", value=Sample.day), r"Sample\.day is date, which is no JSON value"),
    (lambda: Sample.extra.put("a", 1 << 40, value=1), "does not fit 32 bits"),
    (lambda: Sample.extra.put("a", NUL, value=1), "NUL or a lone surrogate"),
    (lambda: Sample.text.put("a", value="x"), "is text, not a JSON document"),
    (lambda: Sample.text.set(Sample.extra.put("a", value="x")), "is text and is compared with"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_what_fits_no_document_and_no_list(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


@pytest.mark.parametrize("use", [lambda: "a" in Sample.words, lambda: 1 in Article.views])
def test_membership_in_python_is_refused(use: Callable[[], Any]) -> None:
    with pytest.raises(ExpressionUsedAsBool, match=r"use \.contains\(item\)"):
        use()


@pytest.mark.parametrize("use", [list, tuple, sorted, lambda e: [*e], lambda e: dict(a=1, **e)])
def test_lists_are_not_iterated_over(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        use(Sample.words)


def test_a_document_that_never_ends_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(WrongType, match="nested too deeply"):
        Sample.extra.path("a") == endless  # noqa: B015


def test_types_of_your_own_over_documents_and_lists() -> None:
    def column(base: types.SqlType) -> Any:
        type_ = types.Custom(frozenset, base, sorted, frozenset)
        return Column(Sample.words.source, "own", type_, nullable=True, owner="Sample.own")

    tags = column(types.Array(types.TEXT))
    assert where(query(Sample).filter(tags.contains(frozenset({"b", "a"})))) == ('"sample"."own" @> $1', [["a", "b"]])
    assert where(query(Sample).filter(tags.contains("a"))) == ('"sample"."own" @> $1', [["a"]])
    assert where(query(Sample).filter(tags[0] == "a"))[0] == '("sample"."own")[$1::integer + 1] = $2'
    assert column(Sample.extra.type).path("a").type.name == "json"
