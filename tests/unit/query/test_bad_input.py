"""Queries that cannot be built: each says what is wrong and what to write instead."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from cormorant import ExpressionUsedAsBool, Q, QueryError, UnknownName, UnsavedError, WrongType, func, ref
from tests.support.sql import query, sql
from tests.unit.query.models import Article, Author, Color, Sample, Tag

# ------------------------------------------------------------------ what is no condition


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: query(Author).filter(True), r"True is a Python bool, not a condition\nHint: write the column first"),
        (lambda: query(Author).filter("name" == "x"), r"False is a Python bool"),
        (lambda: query(Author).filter(Author == Author(name="x")), r"False is a Python bool"),
        (lambda: query(Author).exclude(False), r"False is a Python bool"),
        (lambda: query(Author).having(True), r"True is a Python bool"),
        (lambda: query(Author).filter(None), r"None \(NoneType\) is not a condition\nHint: use Model\.column == value"),
        (lambda: query(Author).filter("name = 'x'"), r"\"name = 'x'\" \(str\) is not a condition\nHint: "),
        (lambda: query(Author).filter(Author), r"Author'> \(AuthorMeta\) is not a condition"),
        (lambda: query(Author).filter(Author.country), r"Author\.country \(Path\) is not a condition"),
        (lambda: query(Author).filter(Author.name), r"Author\.name is text, not a condition\nHint: compare it"),
        (lambda: query(Author).filter(Author.age + 1), r"is integer, not a condition\nHint: compare it"),
        (lambda: query(Author).filter((Author.age > 1) & True), r"True is a Python bool"),
        (lambda: query(Author).filter((Author.age > 1) | Author.name), r"Author\.name is text, not a condition"),
        (lambda: Author.articles.any(True), r"True is a Python bool"),
        (lambda: Author.articles.every("x"), r"'x' \(str\) is not a condition"),
    ],
)
def test_a_condition_is_an_expression(build: Any, message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


@pytest.mark.parametrize("empty", [Q(), Q() | Q(), ~Q()])
def test_an_empty_q_alone_says_nothing(empty: Q) -> None:
    with pytest.raises(QueryError, match=r"an empty Q says nothing\nHint: give it a condition"):
        query(Author).filter(empty)


# ------------------------------------------------------------------ expressions as truth values


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(Author.age > 3),
        lambda: not (Author.age > 3),
        lambda: (Author.age > 3) and (Author.age < 5),
        lambda: (Author.age > 3) or (Author.age < 5),
        lambda: 1 < Author.age < 5,
        lambda: 1 if Author.age else 2,
        lambda: Author.name in ["a", "b"],
        lambda: bool(Author.articles),
        lambda: sorted([Author.age, Author.id]),
        lambda: any([Author.age > 3]),
    ],
)
def test_an_expression_has_no_truth_value(use: Any) -> None:
    with pytest.raises(
        ExpressionUsedAsBool, match=r"has no truth value in Python\nHint: use & \| ~ instead of and, or"
    ):
        use()


def test_a_relation_has_no_truth_value() -> None:
    with pytest.raises(
        ExpressionUsedAsBool, match=r"Article\.author is part of a query .*\nHint: use \.is_not_null\(\)"
    ):
        bool(Article.author)


def test_a_q_has_no_truth_value() -> None:
    with pytest.raises(WrongType, match=r"a Q has no truth value\nHint: join conditions with & and \|"):
        Q(age=1) and Q(age=2)


def test_a_relation_in_a_query_makes_no_objects() -> None:
    with pytest.raises(WrongType, match=r"Article\.author is a relation, not a class\nHint: use Author\(\.\.\.\)"):
        Article.author(name="x")


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: Author.nmae, r"Author has no column or relation 'nmae'\nHint: did you mean 'name'\? it has: age, art"),
        (lambda: Article.author.nmae, r"Author has no column or relation 'nmae'\nHint: did you mean 'name'"),
        (lambda: Article.editor.country.cod, r"Country has no column or relation 'cod'\nHint: did you mean 'code'"),
        (lambda: Article.tags.each.nme, r"Tag has no column or relation 'nme'\nHint: did you mean 'name'"),
    ],
)
def test_an_unknown_name(read: Any, message: str) -> None:
    with pytest.raises(UnknownName, match=message) as caught:
        read()
    assert isinstance(caught.value, AttributeError)


# ------------------------------------------------------------------ types

NAIVE = datetime(2024, 1, 2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sample.big == "3", r"Sample\.big: '3' \(str\) is not an int"),
        (lambda: Sample.small == 1.5, r"Sample\.small: 1\.5 \(float\) is not an int"),
        (lambda: Sample.small == True, r"Sample\.small: True \(bool\) is not an int"),  # noqa: E712
        (
            lambda: Sample.small == 1 << 15,
            r"Sample\.small: 32768 does not fit 16 bits\nHint: declare the column with field\(size=",
        ),
        (lambda: Sample.big == 1 << 63, r"Sample\.big: 9223372036854775808 does not fit 64 bits"),
        (lambda: Sample.flag == 1, r"Sample\.flag: 1 \(int\) is not a bool"),
        (lambda: Sample.text == 3, r"Sample\.text: 3 \(int\) is not a str"),
        (lambda: Sample.text == b"x", r"Sample\.text: b'x' \(bytes\) is not a str"),
        (lambda: Sample.data == "x", r"Sample\.data: 'x' \(str\) is not a bytes"),
        (lambda: Sample.number == "x", r"Sample\.number: 'x' \(str\) is not a float"),
        (lambda: Sample.number == float("nan"), r"Sample\.number: NaN is refused"),
        (lambda: Sample.price == 1.5, r"Sample\.price: 1\.5 \(float\) is not a Decimal"),
        (lambda: Sample.price == Decimal("NaN"), r"Sample\.price: NaN is refused"),
        (lambda: Sample.price == Decimal("Infinity"), r"Sample\.price: Infinity is refused"),
        (lambda: Sample.day == NAIVE, r"Sample\.day: .* is not a date"),
        (lambda: Sample.moment == NAIVE, r"Sample\.moment: .* has no time zone.*\nHint: use cormorant\.utcnow\(\)"),
        (lambda: Sample.moment == date(2024, 1, 2), r"Sample\.moment: .* is not a datetime"),
        (
            lambda: Sample.moment == datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
            r"Sample\.moment: .* is outside of the years 1 to 9999 in UTC",
        ),
        (
            lambda: Sample.hour == time(1, 2, tzinfo=UTC),
            r"Sample\.hour: .* has a zone.*\nHint: use \.replace\(tzinfo=None",
        ),
        (lambda: Sample.span == 3, r"Sample\.span: 3 \(int\) is not a timedelta"),
        (lambda: Sample.span == timedelta.max, r"Sample\.span: .* does not fit 64 bits of microseconds\nHint: "),
        (lambda: Sample.uid == "x", r"Sample\.uid: 'x' \(str\) is not an UUID"),
        (lambda: Sample.color == "red", r"Sample\.color: 'red' \(str\) is not a Color\nHint: use Color\.RED"),
        (lambda: Sample.words == "x", r"Sample\.words: 'x' \(str\) is not a list"),
        (lambda: Sample.words == [3], r"Sample\.words: 3 \(int\) is not a str"),
        (lambda: Sample.extra == [], r"Sample\.extra: \[\] \(list\) is not a dict"),
        (lambda: Sample.small > None, r"Sample\.small is compared with None\nHint: use \.is_null\(\)"),
        (lambda: Sample.small.between(None, 3), r"Sample\.small is compared with None"),
        (lambda: Sample.text.contains(3), r"Sample\.text: 3 \(int\) is not a str"),
        (
            lambda: Sample.small.contains("x"),
            r"Sample\.small is integer, and text can only be searched in text columns",
        ),
        (lambda: Sample.color.contains("x"), r"Sample\.color is enum, and text can only be searched in text columns"),
        (
            lambda: Sample.text.in_("abc"),
            r"Sample\.text\.in_\('abc'\) would test its characters\nHint: put the value in",
        ),
        (
            lambda: Sample.small.in_([1, None]),
            r"Sample\.small\.in_\(\) got None, which IN never matches\nHint: add \| ",
        ),
        (lambda: Sample.small.in_([1, "x"]), r"Sample\.small: 'x' \(str\) is not an int"),
        (lambda: Sample.small.in_(Sample.big), r"Sample\.big is no collection of values\nHint: use == to compare"),
        (
            lambda: Sample.small == Sample.text,
            r"Sample\.small is integer and is compared with Sample\.text, which is text",
        ),
        (lambda: Sample.paint == Sample.color, r"Sample\.paint is enum and is compared with Sample\.color"),
        (lambda: Sample.words == Sample.text, r"Sample\.words is array and is compared with Sample\.text"),
        (
            lambda: Article.author == Tag(id=1, name="x"),
            r"Article\.author is a Author and is compared with .*\nHint: comp",
        ),
        (
            lambda: Article.author == 3,
            r"Article\.author is a Author and is compared with 3 \(int\)\nHint: .*ref\(Author",
        ),
        (lambda: Article.editor.in_([ref(Author, 1), None]), r"editor\.in_\(\) got None.*\nHint: add \| .*is_null"),
        (lambda: Article.editor.not_in([None]), r"editor\.not_in\(\) got None.*\nHint: add & .*is_not_null"),
        (lambda: Article.author.not_in(query(Author)), r"\.not_in\(\) takes objects\nHint: .*id\.not_in\(query"),
        (lambda: Article.author.in_([3]), r"Article\.author is a Author and is compared with 3 \(int\)"),
    ],
)
def test_a_value_of_the_wrong_type(build: Any, message: str) -> None:
    with pytest.raises(WrongType, match=message):
        query(Sample).filter(build())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sample.text - "x", r"Sample\.text is text and .*: there is no - for them\nHint: compute it in Python"),
        (lambda: Sample.text + 3, r"Sample\.text: 3 \(int\) is not a str"),
        (lambda: Sample.flag + True, r"there is no \+ for them"),
        (lambda: Sample.color + Color.RED, r"there is no \+ for them"),
        (
            lambda: Sample.day + timedelta(hours=1),
            r"Sample\.day is a date and moves by whole days, not by 1:00:00\nHint",
        ),
        (lambda: Sample.day + Sample.day, r"there is no \+ for them"),
        (lambda: Sample.moment + Sample.moment, r"there is no \+ for them"),
        (lambda: Sample.span * Sample.span, r"there is no \* for them"),
        (lambda: Sample.small + Sample.text, r"Sample\.small is integer and Sample\.text is text: there is no \+"),
        (
            lambda: Sample.number * Sample.price,
            r"Sample\.number and Sample\.price: a float and a Decimal have no common",
        ),
        (lambda: Sample.price * 1.5, r"Sample\.price: 1\.5 \(float\) is not a Decimal"),
        (lambda: Sample.price + 1.5, r"Sample\.price: 1\.5 \(float\) is not a Decimal"),
        (lambda: Sample.extra + {"a": 1}, r"there is no \+ for them"),
    ],
)
def test_arithmetic_of_the_wrong_types(build: Any, message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


@pytest.mark.parametrize("use", [lambda: Sample.text / 2, lambda: -Sample.text, lambda: list(Sample.text)])
def test_what_python_itself_refuses(use: Any) -> None:
    with pytest.raises(TypeError):
        use()


def test_an_unsaved_object_has_no_key_to_compare() -> None:
    with pytest.raises(
        UnsavedError, match=r"<Author name='x'.*> has no key yet, so Article\.author cannot be.*\nHint: fl"
    ):
        query(Article).filter(Article.author == Author(name="x"))


# ------------------------------------------------------------------ builders


@pytest.mark.parametrize("count", [-1, 1.0, "3", True, None])
@pytest.mark.parametrize("builder", ["limit", "offset"])
def test_a_number_of_rows(builder: str, count: Any) -> None:
    with pytest.raises(WrongType, match=rf"{builder}\(.*\): a number of rows is an int of 0 or more"):
        getattr(query(Author), builder)(count)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: query(Author).values(), r"nothing is selected\nHint: name columns"),
        (lambda: query(Author).values("name"), r"'name' cannot be selected\nHint: select columns, expressions"),
        (lambda: query(Author).values(int), r"<class 'int'> cannot be selected"),
        (
            lambda: query(Author).order_by("name"),
            r"order_by\(\) takes columns and expressions, not 'name' \(str\)\nHint: ",
        ),
        (lambda: query(Author).order_by("-name"), r"order_by\(\) takes columns and expressions, not '-name'"),
        (lambda: query(Author).group_by("name"), r"group_by\(\) takes columns and expressions, not 'name'"),
        (lambda: query(Article).as_dicts(Article.title, Article.author), r"Article\.author is a whole object"),
        (lambda: query(Author).as_dicts(Author.age + 1), r"has no name\nHint: give it one: \.label\(\"name\"\)"),
        (
            lambda: query(Article).as_dicts(Article.author.name, Article.editor.name),
            r"Author\.name has the name 'name', which another one has too\nHint: give it one",
        ),
    ],
)
def test_what_a_builder_cannot_take(build: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        build()


@pytest.mark.parametrize("name", ["", "a\x00", "a\nb", "\ud800"])
def test_a_label_that_cannot_be_sql(name: str) -> None:
    with pytest.raises(QueryError, match="cannot be a name in SQL\nHint: use printable characters"):
        sql(query(Author).values(Author.age.label(name)))


@pytest.mark.parametrize("name", ['a"b', "a'b", "a; drop table x", "a b", "%s", "$1", "?", "ä" * 31])
def test_any_other_label_is_quoted(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    for database in ("postgresql", "sqlite"):
        text, _ = sql(query(Author).as_dicts(Author.age.label(name)), database)
        assert text == f'SELECT "author"."age" AS {quoted} FROM "author"'


def test_a_label_longer_than_the_database_keeps_it() -> None:
    built = query(Author).values(Author.age.label("ä" * 32))
    assert sql(built, "sqlite")
    with pytest.raises(QueryError, match=r"is longer than 63 bytes\nHint: choose a shorter name"):
        sql(built, "postgresql")


def test_a_column_of_a_table_that_is_not_read() -> None:
    with pytest.raises(QueryError, match=r"the column 'name' belongs to a table that the query does not read\nHint: "):
        sql(query(Article).filter(Author.name == "x"))


def test_a_query_never_changes() -> None:
    built = query(Author)
    assert built.filter(Author.age > 3) is not built
    assert sql(built) == sql(query(Author))
    with pytest.raises(AttributeError, match="a query never changes, its methods give new ones"):
        built._spec.where = ()


# ------------------------------------------------------------------ shapes


@dataclasses.dataclass
class Short:
    name: str
    age: int = 0


Pair = namedtuple("Pair", "name age")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: query(Author).values(Author.age).into(Short), r"into\(Short\) lacks name\nHint: select them"),
        (
            lambda: query(Author).values(Author.name, Author.id).into(Short),
            r"Short has no field 'id'\nHint: .*it has: age",
        ),
        (
            lambda: query(Author).values(Author.age + 1).into(Short),
            r"column 1 of into\(Short\) has no name\nHint: give it",
        ),
        (lambda: query(Author).values(Author.name).into(Pair), r"into\(Pair\) lacks age"),
    ],
)
def test_a_shape_that_does_not_fit(build: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        build()


def test_a_shape_that_fits() -> None:
    assert query(Author).values(Author.name).into(Short) is not None
    assert query(Author).values(Author.name, func.max(Author.age).label("age")).into(Pair) is not None
    assert query(Author).values(func.count()).into(str) is not None
