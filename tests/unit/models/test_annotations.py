"""Annotations as column types: what each Python type is kept as, however the annotation is written."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Optional, Union

import pydantic
import pytest
import typing_extensions

from cormorant import Mapped, Model, ModelError, UnresolvedReference, WrongType, field, generated, types

if TYPE_CHECKING:
    from fractions import Fraction


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Status(enum.StrEnum):
    OPEN = "open"


class Point(pydantic.BaseModel):
    x: int


@dataclasses.dataclass
class Spot:
    y: int


class Card(typing_extensions.TypedDict):
    z: int


UserId = NewType("UserId", int)
Name = Annotated[str, "anything", types.Text(40)]
Short = Annotated[str, pydantic.StringConstraints(max_length=7)]
Alias = typing_extensions.TypeAliasType("Alias", "dict[str, int]")


def type_of(annotation: Any, **options: Any) -> types.SqlType:
    """Gives the column type of `value: Mapped[annotation]`."""
    body = {
        "__module__": __name__,
        "__qualname__": "Sample",
        "__annotations__": {"id": Mapped[int], "value": annotation},
        "id": generated(primary_key=True),
        "value": field(**options),
    }
    model = type(Model)("Sample", (Model,), body, table="annotations_sample")
    return model.__info__.column_info("value").type


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("int", types.Integer()),
        ("bool", types.BOOLEAN),
        ("float", types.FLOAT),
        ("str", types.TEXT),
        ("bytes", types.BINARY),
        ("Decimal", types.NUMERIC),
        ("dt.date", types.DATE),
        ("dt.time", types.TIME),
        ("dt.datetime", types.DATETIME),
        ("dt.timedelta", types.INTERVAL),
        ("uuid.UUID", types.UUID),
        ("UserId", types.Integer()),
        ("Name", types.Text(40)),
        ("Short", types.Text(7)),
        ("Annotated[int, types.BIG_INTEGER] | None", types.BIG_INTEGER),
        ("list[int]", types.Array(types.Integer())),
        ("list[str]", types.Array(types.TEXT)),
        ("list[Color]", types.Array(types.Enumeration(Color))),
        ("Color", types.Enumeration(Color)),
        ("Size", types.Enumeration(Size, integers=True)),
        ("Status", types.Enumeration(Status)),
        ("Literal['a', 'b']", types.Literals(("a", "b"))),
        ("Literal[1, 2]", types.Literals((1, 2))),
    ],
)
def test_a_python_type_has_a_column_type(annotation: str, expected: types.SqlType) -> None:
    assert type_of(f"Mapped[{annotation}]") == expected
    assert type_of(eval(f"Mapped[{annotation}]")) == expected
    assert type_of(Mapped[annotation]) == expected
    assert type_of(f"'Mapped[{annotation}]'".replace("'a', 'b'", '"a", "b"')) == expected


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        ("dict[str, Any]", "dict[str, typing.Any]"),
        ("dict", "dict"),
        ("list", "list"),
        ("Point", "Point"),
        ("Spot", "Spot"),
        ("Card", "Card"),
        ("list[Point]", f"list[{__name__}.Point]"),
        ("dict[str, Spot]", f"dict[str, {__name__}.Spot]"),
        ("list[list[int]]", "list[list[int]]"),
        ("list[int | None]", "list[int | None]"),
        ("Alias", "dict[str, int]"),
    ],
)
def test_documents_are_json(annotation: str, name: str) -> None:
    type_ = type_of(f"Mapped[{annotation}]")
    assert isinstance(type_, types.Json)
    assert type_.type_name == name


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("dict[str, Any]", {"a": [1, None, {"ü": "é"}]}),
        ("Point", Point(x=3)),
        ("Spot", Spot(y=3)),
        ("Card", {"z": 3}),
        ("list[Point]", [Point(x=1), Point(x=2)]),
        ("dict[str, Spot]", {"a": Spot(y=1)}),
        ("dict[int, str]", {1: "a"}),
        ("dict[str, float]", {"a": 1e16}),
        ("dict[str, dt.date]", {"a": dt.date(2024, 1, 2)}),
        ("list[list[int]]", [[1], []]),
        ("list[int | None]", [1, None]),
        ("list[uuid.UUID | None]", [uuid.UUID(int=1), None]),
    ],
)
def test_documents_come_back_as_they_went(annotation: str, value: Any) -> None:
    type_: Any = type_of(f"Mapped[{annotation}]")
    type_.check(value)
    loaded = type_.load(type_.dump(value))
    assert loaded == value
    assert repr(loaded) == repr(value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("dict[str, Any]", {"a": object()}),
        ("dict[str, Any]", {"a": float("nan")}),
        ("dict[str, Any]", {"a": dt.date(2024, 1, 2)}),
        ("dict[str, Any]", []),
        ("dict[str, int]", {"a": object()}),
        ("Any", {1, 2}),
        ("Point", {"x": 1}),
        ("list[Point]", "x"),
    ],
)
def test_what_is_no_such_document_is_refused_before_it_is_sent(annotation: str, value: Any) -> None:
    with pytest.raises(WrongType):
        type_of(f"Mapped[{annotation}]").check(value)


@pytest.mark.parametrize(
    "annotation", ["int | None", "None | int", "Optional[int]", "Union[int, None]", "Optional['int']"]
)
def test_none_makes_a_column_nullable(annotation: str) -> None:
    class Sample(Model, table="annotations_nullable"):
        id: Mapped[int] = generated(primary_key=True)
        value: Mapped[int]

    Sample.__info__.fields["value"] = dataclasses.replace(
        Sample.__info__.fields["value"], annotation=f"Mapped[{annotation}]"
    )
    assert Sample.__info__.column_info("value").nullable
    assert Sample.__info__.column_info("value").type == types.Integer()
    assert Optional is not Union


@pytest.mark.parametrize(
    ("annotation", "options", "expected"),
    [
        ("int", {"size": "small"}, types.Integer("small")),
        ("int", {"size": "big"}, types.Integer("big")),
        ("str", {"max_length": 9}, types.Text(9)),
        ("Decimal", {"precision": 10, "decimal_places": 2}, types.Numeric(10, 2)),
        ("Decimal", {"precision": 10}, types.Numeric(10, 0)),
        ("Color", {"native": True}, types.Enumeration(Color, "color")),
        ("Color", {"native": "paint"}, types.Enumeration(Color, "paint")),
        ("Size", {"native": True}, types.Enumeration(Size, "size")),
        ("list[Color]", {"native": True}, types.Array(types.Enumeration(Color, "color"))),
        ("list[int]", {"size": "small"}, types.Array(types.Integer("small"))),
        ("Decimal", {"type": types.TEXT}, types.TEXT),
    ],
)
def test_options_narrow_a_type(annotation: str, options: dict[str, Any], expected: types.SqlType) -> None:
    assert type_of(f"Mapped[{annotation}]", **options) == expected


def test_a_generated_key_is_big_and_others_are_what_they_are_declared() -> None:
    class Sample(Model, table="annotations_keys"):
        id: Mapped[int] = generated(primary_key=True)
        other: Mapped[int]

    assert [column.type for column in Sample.__info__.columns] == [types.BIG_INTEGER, types.INTEGER]


# ------------------------------------------------------------------ bad annotations


@pytest.mark.parametrize(
    ("annotation", "options", "message"),
    [
        ("Mapped[int | str]", {}, r"Sample\.value has several types: int \| str\nHint: one type, perhaps \| None"),
        ("Mapped[None]", {}, r"Sample\.value has the type NoneType, which no column type stands for\nHint: "),
        ("Mapped", {}, r"Sample\.value is annotated 'Mapped' without a type\nHint: write Mapped\[int\]"),
        ("Mapped[complex]", {}, r"Sample\.value has the type complex, which no column type .*\nHint: .*types\.Custom"),
        ("Mapped[set[str]]", {}, r"Sample\.value has the type set\[str\], which no column type"),
        ("Mapped[Literal['a', 1]]", {}, r"Sample\.value mixes .* in Literal\nHint: only str, or only int"),
        (
            "Mapped[Other]",
            {},
            r"Sample\.value has the type Other, which is a model\nHint: .*One\[Other\] = foreign_key\(\)",
        ),
        (
            "Mapped[int]",
            {"max_length": 3},
            r"Sample\.value has max_length=3, which says nothing of a integer column",
        ),
        ("Mapped[str]", {"size": "big"}, r"Sample\.value has size='big', which says nothing of a text column"),
        ("Mapped[str]", {"precision": 3}, r"Sample\.value has precision=3, which"),
        ("Mapped[int]", {"native": True}, r"Sample\.value has native=True, which"),
        ("Mapped[int]", {"pattern": "x"}, r"Sample\.value has pattern='x', which"),
        (
            "Mapped[Decimal]",
            {"decimal_places": 2},
            r"Sample\.value has decimal_places without precision\nHint: give both",
        ),
        ("Mapped[int[]]", {}, r"Sample\.value is annotated 'Mapped\[int\[\]\]', which cannot be evaluated"),
    ],
)
def test_an_annotation_that_cannot_be_a_column_says_why(annotation: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        type_of(annotation, **options)


class Other(Model, table="annotations_other"):
    id: Mapped[int] = generated(primary_key=True)


def test_a_name_that_was_never_imported_is_named_with_its_module() -> None:
    with pytest.raises(UnresolvedReference) as caught:
        type_of("Mapped[Fraction]")
    assert str(caught.value) == (
        f"Sample.value in module {__name__!r} is annotated 'Mapped[Fraction]',"
        " and the name 'Fraction' was never found\n"
        "Hint: import the module that defines it before the first query; names imported under TYPE_CHECKING can only be"
        " models"
    )


def test_a_name_is_looked_for_when_it_is_first_needed() -> None:
    class Early(Model, table="annotations_early"):
        id: Mapped[int] = generated(primary_key=True)
        other: Mapped[LaterType]

    with pytest.raises(UnresolvedReference):
        Early.__info__.column_info("other")
    globals()["LaterType"] = int
    try:
        assert Early.__info__.column_info("other").type == types.INTEGER
    finally:
        del globals()["LaterType"]


if TYPE_CHECKING:
    LaterType = int
    _ = (Fraction, dt, Decimal, uuid, Literal)
