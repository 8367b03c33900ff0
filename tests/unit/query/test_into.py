"""Rows as instances of the user's own shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, NotRequired, TypeVar

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from typing_extensions import TypedDict

from cormorant import QueryError
from cormorant.query.into import row_maker
from tests.support.sql import query
from tests.unit.query.models import Author, Tag

T = TypeVar("T")


@dataclass
class Data:
    name: str
    age: int = 7
    seen: list[int] = field(default_factory=list)
    length: int = field(init=False, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    age: int
    name: str


class Pair(NamedTuple):
    name: str
    age: int = 7


class Typed(TypedDict):
    name: str
    age: NotRequired[int]


Odd = TypedDict("Odd", {"name": str, "class": int})


class Struct(msgspec.Struct):
    name: str
    age: int = 7


class StrictStruct(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    first_name: str = "x"
    age: int


class Checked(BaseModel):
    name: str
    age: int = 7


class Aliased(BaseModel):
    name: str = Field(alias="Full-Name")
    age: int = Field(validation_alias="years", default=7)


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    name: str = Field(alias="fullName")
    age: int = 7


@checked_dataclass
class CheckedData:
    name: str
    age: int = 7


class Box(BaseModel, Generic[T]):
    name: T


SHAPES: list[tuple[Any, Any]] = [
    (Data, Data("Ada", 40)),
    (Frozen, Frozen(name="Ada", age=40)),
    (Pair, Pair("Ada", 40)),
    (Typed, {"name": "Ada", "age": 40}),
    (Struct, Struct("Ada", 40)),
    (Checked, Checked(name="Ada", age=40)),
    (Aliased, Aliased(**{"Full-Name": "Ada", "years": 40})),
    (ByName, ByName(name="Ada", age=40)),
    (CheckedData, CheckedData("Ada", 40)),
    (lambda name, age: (name, age), ("Ada", 40)),
    (dict[str, int] and (lambda *values: list(values)), ["Ada", 40]),
]


@pytest.mark.parametrize(("shape", "made"), SHAPES)
def test_a_tuple_becomes_an_instance(shape: Any, made: Any) -> None:
    found = row_maker(shape, ("name", "age"), "tuples")(("Ada", 40))
    assert found == made
    assert type(found) is type(made)


@pytest.mark.parametrize(("shape", "made"), SHAPES[:-2])
def test_columns_are_matched_by_name(shape: Any, made: Any) -> None:
    assert row_maker(shape, ("age", "name"), "tuples")((40, "Ada")) == made
    assert row_maker(shape, ("age", "name"), "dicts")({"age": 40, "name": "Ada"}) == made


@pytest.mark.parametrize(("shape", "made"), [(shape, made) for shape, made in SHAPES[:-2] if shape is not Frozen])
def test_defaults_may_be_left_out(shape: Any, made: Any) -> None:
    for form, row in (("tuples", ("Ada",)), ("scalars", "Ada"), ("dicts", {"name": "Ada"})):
        found: Any = row_maker(shape, ("name",), form)(row)  # type: ignore[arg-type]
        assert (found["name"] if isinstance(found, dict) else found.name) == "Ada"
        assert (found.get("age", 7) if isinstance(found, dict) else found.age) == 7


def test_names_that_are_no_identifiers() -> None:
    assert row_maker(Odd, ("name", "class"), "tuples")(("Ada", 1)) == {"name": "Ada", "class": 1}


def test_a_struct_of_keywords() -> None:
    made = row_maker(StrictStruct, ("age", "first_name"), "tuples")((40, "Ada"))
    assert made == StrictStruct(first_name="Ada", age=40)
    assert row_maker(StrictStruct, ("age",), "tuples")((40,)).first_name == "x"
    with pytest.raises(QueryError, match=r"into\(StrictStruct\) lacks age"):
        row_maker(StrictStruct, ("first_name",), "tuples")


def test_a_generic_shape() -> None:
    assert row_maker(Box[str], ("name",), "tuples")(("Ada",)) == Box[str](name="Ada")


def test_other_callables_take_values_in_order() -> None:
    assert row_maker(str, (None,), "scalars")(7) == "7"
    assert row_maker(complex, (None, None), "tuples")((1, 2)) == complex(1, 2)
    assert row_maker(complex, ("a", "b"), "dicts")({"a": 1, "b": 2}) == complex(1, 2)


def test_pydantic_checks_the_values() -> None:
    with pytest.raises(ValidationError):
        row_maker(Checked, ("name", "age"), "tuples")(("Ada", "many"))


NAMED = [Data, Pair, Typed, Struct, Checked, CheckedData]


@pytest.mark.parametrize("shape", NAMED)
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("age",), r"into\(\w+\) lacks name\nHint: select them, or give them defaults"),
        (("name", "ages"), r"\w+ has no field 'ages'\nHint: did you mean 'age'\? it has: age, name"),
        (("name", None), r"column 2 of into\(\w+\) has no name\nHint: give it one"),
        (("name", "name"), r"two columns of into\(\w+\) have the name 'name'\nHint: label one"),
        ((), r"into\(\w+\) lacks name"),
    ],
)
def test_names_that_do_not_fit(shape: Any, names: tuple[str | None, ...], message: str) -> None:
    message = message.replace("age, name", "age, name, seen") if shape is Data else message
    with pytest.raises(QueryError, match=message):
        row_maker(shape, names, "tuples")


def test_it_is_decided_once() -> None:
    one, other = (row_maker(Data, ("name", "age"), "tuples") for _ in range(2))
    assert one is other
    assert one is not row_maker(Data, ("age", "name"), "tuples")


def test_queries_tell_the_form_of_their_rows() -> None:
    tags = query(Tag)
    named = Pair("a", 7)
    assert tags.scalars(Tag.name).into(Pair)._spec.into("a") == named  # type: ignore[misc]
    assert tags.values(Tag.name).into(Pair)._spec.into(("a",)) == named  # type: ignore[misc]
    assert tags.as_dicts(Tag.name).into(Pair)._spec.into({"name": "a"}) == named  # type: ignore[misc]
    labelled = tags.values(Tag.name, (Tag.weight + 1).label("age")).into(Data)
    assert labelled._spec.into(("a", 3)) == Data("a", 3)  # type: ignore[misc]
    with pytest.raises(QueryError, match="column 1 of into"):
        query(Author).annotate(Author.articles.count()).into(Data)
