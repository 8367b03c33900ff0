"""Rows of a bulk write on their way to a statement: read, checked, grouped, and the SQL they are sent with."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest

from cormorant import (
    Mapped,
    Model,
    One,
    QueryError,
    QuerySet,
    UnknownName,
    ValidationError,
    WrongType,
    excluded,
    field,
    foreign_key,
    func,
    generated,
    index,
    ref,
    types,
    unique,
)
from cormorant.models.state import DETACHED, set_attribute
from cormorant.persistence.bulk_feed import BYTES, Feed
from cormorant.persistence.bulk_rows import Group, RowReader, key_values
from cormorant.persistence.bulk_send import upsert_statement
from cormorant.query.bulk import BulkWrite, NoRows, bulk_write, conflict_of
from cormorant.query.spec import QuerySpec
from tests.support.sql import DATABASES, query


class Paint(enum.Enum):
    RED = "red"


class Country(Model, app="bulk", table="country"):
    code: Mapped[str] = field(primary_key=True, max_length=2)
    gdp: Mapped[Decimal]
    score: Mapped[float] = field(default=0.0)
    parent: One[Country | None] = foreign_key(default=None)


class Item(Model, app="bulk", table="item"):
    id: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    name: Mapped[str] = field(unique=True)
    paint: Mapped[Paint] = field(native="paint", default=Paint.RED)
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    words: Mapped[list[str]] = field(default_factory=list)
    upper: Mapped[str] = generated(computed=lambda m: func.upper(m.name))
    version: Mapped[int] = generated(version=True)
    country: One[Country] = foreign_key()
    secret: Mapped[str | None] = field(default=None, sensitive=True)

    @classmethod
    def __table_args__(cls) -> Any:
        yield unique(cls.country, cls.name)
        yield index(cls.secret, unique=True, where=cls.name != "x")


def upsert(model: type[Model], **options: Any) -> BulkWrite:
    spec = QuerySpec(model.__info__)
    chosen = {name: options.pop(name, None) for name in ("on", "set", "where")}
    conflict = conflict_of(spec, chosen["on"], chosen["set"], chosen["where"])
    return bulk_write(spec, conflict, **{"returning": None, "batch": None, "on_batch": None, **options})


def create(model: type[Model], **options: Any) -> BulkWrite:
    return bulk_write(
        QuerySpec(model.__info__), None, **{"returning": None, "batch": None, "on_batch": None, **options}
    )


def groups(write: BulkWrite, *rows: Any) -> list[Group]:
    reader = RowReader(write, object())
    return reader.groups(reader.batch(rows, 1))


def sql(write: BulkWrite, row: Any, database: str = "postgresql") -> tuple[str, list[Any]]:
    (group,) = groups(write, row)
    assert write.conflict is not None
    statement = upsert_statement(write.info, group, write.conflict, ())
    prepared = DATABASES[database].prepare_write(statement)
    return prepared.sql, prepared.first(statement)


ROW = {"code": "DE", "gdp": Decimal(1)}
HEAD = (
    'INSERT INTO "country" ("code", "gdp", "score", "parent_id") SELECT d."code", d."gdp", d."score", d."parent_id"'
    " FROM unnest($1::text::text[], $2::text::numeric[], $3::text::double precision[], $4::text::text[])"
    ' WITH ORDINALITY AS d("code", "gdp", "score", "parent_id", ord) ORDER BY d.ord ON CONFLICT ("code") DO '
)


# ------------------------------------------------------------------ upserts as SQL


def test_all_given_columns_are_set_unless_told_otherwise() -> None:
    assert sql(upsert(Country, on=[Country.code]), ROW) == (HEAD + 'UPDATE SET "gdp" = "excluded"."gdp"', [])
    assert sql(upsert(Country, on=[Country.code]), ROW, "sqlite") == (
        'INSERT INTO "country" ("code", "gdp", "score", "parent_id") VALUES (?1, ?2, ?3, ?4)'
        ' ON CONFLICT ("code") DO UPDATE SET "gdp" = "excluded"."gdp"',
        [],
    )


def test_columns_and_expressions_are_set() -> None:
    write = upsert(
        Country,
        on=[Country.code],
        set=[Country.score, Country.gdp.set(Country.gdp + excluded(Country.gdp) * 2)],
        where=Country.gdp < excluded(Country.gdp),
    )
    text, values = sql(write, {**ROW, "score": 1.0})
    assert text.endswith(
        'ORDER BY d.ord ON CONFLICT ("code") DO UPDATE SET "score" = "excluded"."score",'
        ' "gdp" = "country"."gdp" + ("excluded"."gdp" * $1::numeric) WHERE "country"."gdp" < "excluded"."gdp"'
    )
    # the statement's own values come first, then an array for each column
    assert "unnest($2::text::text[], $3::text::numeric[]" in text
    assert values == [2]


def test_a_value_that_stands_twice_is_sent_once() -> None:
    limit = excluded(Country.gdp) > 5
    write = upsert(Country, on=[Country.code], set=[Country.gdp], where=limit | (limit & (Country.score > 0.5)))
    assert sql(write, ROW)[1] == [5, 0.5]
    assert sql(write, ROW, "sqlite")[1] == ["5", 0.5]


def test_nothing_may_be_set() -> None:
    assert sql(upsert(Country, on=[Country.code], set=[]), ROW)[0] == HEAD + "NOTHING"
    assert sql(upsert(Country, on=[Country.code]), {"code": "DE", "gdp": 1, "parent_id": None})[0] != HEAD + "NOTHING"


def test_keys_versions_and_defaults_are_not_set() -> None:
    row = {"name": "a", "country_id": "DE", "version": 7, "words": ["x"]}
    text, _ = sql(upsert(Item, on=[Item.name]), row)
    assert text.partition(" ON CONFLICT ")[2] == (
        '("name") DO UPDATE SET "words" = "excluded"."words", "country_id" = "excluded"."country_id",'
        ' "version" = "item"."version" + 1'
    )


def test_arrays_documents_and_native_enums_travel_as_text() -> None:
    text, _ = sql(upsert(Item, on=[Item.name]), {"name": "a", "country_id": "DE"})
    assert 'd."paint"::"paint", d."extra"::jsonb, d."words"::text[]' in text


def test_a_unique_index_over_some_rows_is_named_with_its_condition() -> None:
    text, _ = sql(upsert(Item, on=[Item.secret]), {"name": "a", "country_id": "DE", "secret": "s"})
    assert ' ON CONFLICT ("secret") WHERE "name" <> \'x\'' in text.replace("::text", "")


def test_relations_stand_for_their_key() -> None:
    text, _ = sql(
        upsert(Item, on=[Item.country, Item.name], set=[]),
        {"name": "a", "country_id": "DE"},
    )
    assert text.endswith(' ON CONFLICT ("country_id", "name") DO NOTHING')


# ------------------------------------------------------------------ what is asked


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"on": ["code"]}, WrongType, r"on= takes columns, not 'code' \(str\)"),
        ({"on": "code"}, WrongType, r"upsert\(on=\.\.\.\) takes a list, not 'code'\nHint: on=\[Country\.code\]"),
        ({"on": Country.code}, WrongType, r"upsert\(on=\.\.\.\) takes a list, not Country\.code"),
        ({"on": []}, QueryError, r"upsert\(on=\[\]\) names no column"),
        ({"on": [Item.name]}, QueryError, r"on=Item\.name is not a column of Country"),
        ({"on": [Country.code], "set": ["gdp"]}, WrongType, r"set= takes columns, not 'gdp' \(str\)"),
        ({"on": [Country.code], "set": "gdp"}, WrongType, r"upsert\(set=\.\.\.\) takes a list, not 'gdp'"),
        ({"on": [Country.code], "set": [Item.name]}, QueryError, r"set=Item\.name is not a column of Country"),
        (
            {"on": [Country.code], "set": [Country.code]},
            QueryError,
            r"cannot change Country\.code: the row is known by it",
        ),
        ({"on": [Country.code], "set": [Country.gdp, Country.gdp]}, QueryError, r"Country\.gdp is set twice"),
        (
            {"on": [Country.code], "set": [Country.gdp.set(Country.parent.gdp)]},
            QueryError,
            r"upsert\(\) of Country reads Country\.gdp, a column of another table\nHint: .*excluded",
        ),
        ({"on": [Country.code], "where": True}, WrongType, r"True is a Python bool, not a condition"),
        ({"on": [Country.code], "where": Item.name == "x"}, QueryError, r"reads Item\.name, a column of another table"),
        ({"on": [Country.code], "batch": 0}, WrongType, r"upsert\(\): batch=0 is no number of rows"),
        ({"on": [Country.code], "batch": "9"}, WrongType, r"batch='9' is no number of rows"),
        ({"on": [Country.code], "batch": True}, WrongType, r"batch=True is no number of rows"),
        ({"on": [Country.code], "dedupe": "any"}, WrongType, r"dedupe='any'\nHint: use \"first\", \"last\" or None"),
        ({"on": [Country.code], "on_batch": 3}, WrongType, r"on_batch=3 cannot be called"),
        ({"on": [Country.code], "returning": Item}, WrongType, r"returning= takes columns, not <class"),
        ({"on": [Country.code], "returning": (Country.gdp, "x")}, WrongType, r"returning= takes columns, not 'x'"),
        ({"on": [Country.code], "returning": ()}, QueryError, r"returning=\(\) names nothing"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        upsert(Country, **options)


def test_what_the_database_makes_is_not_set() -> None:
    with pytest.raises(QueryError, match=r"cannot set Item\.upper: the database computes it"):
        upsert(Item, on=[Item.name], set=[Item.upper])
    with pytest.raises(QueryError, match=r"cannot set Item\.version: every write counts it up"):
        upsert(Item, on=[Item.name], set=[Item.version])
    with pytest.raises(WrongType, match=r"Item\.extra is a document, which tells no rows apart"):
        upsert(Item, on=[Item.extra])


@pytest.mark.parametrize(
    "built",
    [
        query(Country).filter(Country.code == "x"),
        query(Country).limit(3),
        query(Country).order_by(Country.code),
        query(Country).distinct(),
    ],
)
async def test_queries_that_insert_have_no_conditions(built: QuerySet[Country]) -> None:
    with pytest.raises(QueryError, match=r"bulk_create\(\) of (a query with conditions|Country has )"):
        await built.bulk_create([ROW])
    with pytest.raises(QueryError, match=r"upsert\(\) of (a query with conditions|Country has )"):
        await built.upsert([ROW], on=[Country.code])


# ------------------------------------------------------------------ rows


def test_rows_of_the_same_columns_go_together_whatever_their_order() -> None:
    found = groups(create(Country), ROW, {"gdp": 2, "code": "FR"}, {**ROW, "score": 3.0}, MappingProxyType(ROW))
    assert [(group.shape.given, group.batch.numbers) for group in found] == [
        (("code", "gdp"), [1, 2, 4]),
        (("code", "gdp", "score"), [3]),
    ]
    assert found[0].columns == [["DE", "FR", "DE"], [1, 2, 1], [0.0] * 3, [None] * 3]
    assert found[1].columns == [["DE"], [1], [3.0], [None]]


def test_mappings_get_defaults_each_its_own() -> None:
    (group,) = groups(create(Item), {"name": "a", "country_id": "DE"}, {"name": "b", "country_id": "DE"})
    columns = dict(zip([column.attribute for column in group.shape.columns], group.columns, strict=True))
    assert len(set(columns["id"])) == 2
    assert columns["extra"][0] is not columns["extra"][1]
    assert columns["paint"] == [Paint.RED] * 2
    assert columns["version"] == [1, 1]
    assert columns["secret"] == [None, None]
    assert "upper" not in columns


def test_objects_are_read_as_they_are() -> None:
    rows = [Country(code="DE", gdp=Decimal(1)), Country(code="FR", gdp=Decimal(2), score=1.0)]
    (group,) = groups(create(Country), *rows)
    assert group.shape.given == ("code", "gdp", "score", "parent_id")
    assert group.columns == [["DE", "FR"], [1, 2], [0.0, 1.0], [None, None]]
    assert group.batch.instances == rows


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        ({"code": "DE"}, ["row 2: Country.gdp: has no value"]),
        (
            {"code": None, "gdp": None},
            ["row 2: Country.code: is None, and the column takes no None", "row 2: Country.gdp: is None"],
        ),
        ({"code": "DEU", "gdp": 1}, ["row 2: Country.code: has 3 characters, and at most 2 fit"]),
        ({"code": "DE", "gdp": 1.5}, ["row 2: Country.gdp: 1.5 (float) is not a Decimal"]),
        (
            {"code": 3, "gdp": "x"},
            ["row 2: Country.code: 3 (int) is not a str", "row 2: Country.gdp: 'x' (str) is not a"],
        ),
        ({"code": "\0", "gdp": 1}, ["row 2: Country.code: a text with the character NUL cannot be kept"]),
        ({"code": "a\ud800", "gdp": 1}, ["row 2: Country.code: has a lone surrogate at position 1"]),
        ({"code": "DE", "gdp": 1, "score": float("nan")}, ["row 2: Country.score: NaN is refused"]),
    ],
)
def test_values_that_cannot_be_saved_are_named(row: Mapping[str, Any], lines: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        groups(create(Country), ROW, row)
    assert len(caught.value.problems) == len(lines)
    for line in lines:
        assert line in str(caught.value)
    assert "nothing of the call was kept" in str(caught.value)


def test_texts_inside_of_lists_and_own_types_are_looked_at() -> None:
    row = {"name": "a", "country_id": "DE"}
    with pytest.raises(ValidationError, match=r"row 1: Item\.words: has a lone surrogate at position 0"):
        groups(create(Item), {**row, "words": ["x", "\udfff"]})


def test_sensitive_values_stay_out_of_messages() -> None:
    with pytest.raises(ValidationError, match=r"row 1: Item\.secret: does not fit its column"):
        groups(create(Item), {"name": "a", "country_id": "DE", "secret": 4711})


def test_the_first_problems_are_listed_in_the_order_of_the_rows() -> None:
    rows = [
        {"code": "DE", "gdp": "x"} if number % 2 else {"gdp": "x", "score": 1.0, "code": "DE"} for number in range(100)
    ]
    with pytest.raises(ValidationError) as caught:
        groups(create(Country), *rows)
    assert [place for place, _ in caught.value.problems] == [f"row {n}: Country.gdp" for n in range(1, 21)]
    assert "80 more are not listed" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({**ROW, "gpd": 1}, UnknownName, r"row 1: Country has no column or relation 'gpd'\nHint: did you mean 'gdp'"),
        ({**ROW, 3: 1}, UnknownName, r"row 1: Country has no column or relation '3'"),
        ({**ROW, "parent": None}, UnknownName, r"row 1 has the relation 'parent'\nHint: give the key: 'parent_id'"),
        ("DE", WrongType, r"bulk_create\(\): row 1 is 'DE' \(str\)\nHint: put a single row in a list"),
        (3, WrongType, r"row 1 is 3 \(int\)\nHint: rows are all Country objects or all mappings"),
        (None, WrongType, r"row 1 is None \(NoneType\)"),
        (("DE", 1), WrongType, r"row 1 is \('DE', 1\) \(tuple\)"),
        (Item(name="a", country=ref(Country, "DE")), WrongType, r"row 1 is <Item .* \(Item\)"),
    ],
)
def test_rows_are_mappings_or_objects_of_the_model(row: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        groups(create(Country), row)


def test_computed_columns_are_not_given() -> None:
    with pytest.raises(
        UnknownName, match=r"row 1 has Item\.upper, which the database computes\nHint: leave 'upper' out"
    ):
        groups(create(Item), {"name": "a", "country_id": "DE", "upper": "A"})


def test_mappings_and_objects_are_not_mixed() -> None:
    with pytest.raises(WrongType, match=r"row 2 is <Country .* \(Country\)\nHint: rows are all"):
        groups(create(Country), ROW, Country(code="FR", gdp=Decimal(1)))
    with pytest.raises(WrongType, match=r"row 2 is \{'code': 'DE'"):
        groups(create(Country), Country(code="FR", gdp=Decimal(1)), ROW)


def test_an_object_is_given_once() -> None:
    country = Country(code="FR", gdp=Decimal(1))
    with pytest.raises(WrongType, match=r"row 3 is the object of row 1, <Country"):
        groups(create(Country), country, Country(code="DE", gdp=Decimal(1)), country)


def test_objects_of_other_sessions_are_refused() -> None:
    country = Country(code="FR", gdp=Decimal(1))
    set_attribute(country, "__orm_origin__", DETACHED)
    with pytest.raises(Exception, match=r"row 1, <Country .*>, was saved before"):
        groups(create(Country), country)
    with pytest.raises(Exception, match=r"row 1, <Country .*>, belongs to another session, or to none"):
        groups(upsert(Country, on=[Country.code]), country)


def test_what_set_takes_has_to_be_given() -> None:
    with pytest.raises(ValidationError, match=r"row 1: Country\.score: has no value, and set= takes it"):
        groups(upsert(Country, on=[Country.code], set=[Country.score]), ROW)


# ------------------------------------------------------------------ keys


def keys(write: BulkWrite, *rows: Any) -> list[Any]:
    reader = RowReader(write, object())
    return reader.keys(reader.batch(rows, 1))


def test_keys_are_the_values_of_on() -> None:
    assert keys(upsert(Country, on=[Country.code]), ROW, {"code": "FR"}) == ["DE", "FR"]
    rows = [{"country_id": "DE", "name": "a"}, {"name": "b", "country_id": None}]
    with pytest.raises(ValidationError, match=r"row 2: Item\.country_id: is None"):
        keys(upsert(Item, on=[Item.country, Item.name]), *rows)
    assert keys(upsert(Item, on=[Item.country, Item.name]), rows[0]) == [("DE", "a")]
    assert keys(upsert(Item, on=[Item.secret]), {"secret": None}, {"secret": "x"}) == [None, "x"]


def test_a_row_without_its_key_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"row 2: Country\.code: has no value, and on= tells rows apart by it"):
        keys(upsert(Country, on=[Country.code]), ROW, {"gdp": 1})
    # one that is made for each row would be a new one each time
    with pytest.raises(ValidationError, match=r"row 1: Item\.id: has no value, and on="):
        keys(upsert(Item, on=[Item.id]), {"name": "a", "country_id": "DE"})


def test_keys_are_equal_where_the_database_finds_them_equal() -> None:
    money = types.Custom(list, types.NUMERIC, lambda v: Decimal(v[0]), lambda d: [d])
    assert key_values([money], [[[1], [2]]]) == [Decimal(1), Decimal(2)]
    assert key_values([types.Array(types.TEXT)], [[["a"], None]]) == [("a",), None]
    assert key_values([types.BINARY], [[b"a", bytearray(b"a")]]) == [b"a", b"a"]
    assert key_values([types.Enumeration(Paint), types.INTEGER], [[Paint.RED, None], [1, 2]]) == [("red", 1), None]


# ------------------------------------------------------------------ batches


def sizes(feed: Feed) -> list[int]:
    found = []
    while taken := feed.take_now():
        found.append(len(taken))
    return found


def test_batches_are_as_long_as_asked() -> None:
    assert sizes(Feed(({"code": "DE"} for _ in range(25)), create(Country, batch=10))) == [10, 10, 5]
    assert sizes(Feed([], create(Country))) == []


def test_long_texts_make_batches_shorter() -> None:
    rows = [{"name": "x" * (BYTES // 2), "country_id": "DE"}] * 5
    assert sizes(Feed(rows, create(Item))) == [2, 2, 1]
    objects = [Item(name="x" * BYTES, country=ref(Country, "DE")) for _ in range(2)]
    assert sizes(Feed(objects, create(Item))) == [1, 1]


def test_rows_are_taken_when_they_are_needed() -> None:
    taken: list[int] = []

    def rows() -> Any:
        for number in range(10):
            taken.append(number)
            yield {"code": "DE"}

    feed = Feed(rows(), create(Country, batch=3))
    assert taken == []
    feed.take_now()
    assert taken == [0, 1, 2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROW, r"bulk_create\(\) takes many rows, not one dict\nHint: put it in a list"),
        (Country(code="DE", gdp=Decimal(1)), r"takes many rows, not one Country"),
        ("rows", r"takes many rows, not one str"),
        (3, r"bulk_create\(\) takes rows, not 3 \(int\)"),
        (None, r"takes rows, not None \(NoneType\)"),
    ],
)
def test_one_row_is_not_many(rows: Any, message: str) -> None:
    with pytest.raises(WrongType, match=message):
        Feed(rows, create(Country))


def test_no_rows_are_none_and_nought() -> None:
    nothing: Any = NoRows()
    assert nothing == 0
    assert nothing == []
    assert list(nothing) == []
    assert len(nothing) == 0
    assert not nothing
    assert 3 + nothing == 3
    assert [1, *nothing] == [1]
    assert f"{nothing:d}" == "0"
    with pytest.raises(IndexError):
        nothing[0]
