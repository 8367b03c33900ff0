"""`Author.schema(...)`: pydantic models derived from one declaration; nothing here needs a database."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from cormorant import (
    Many,
    Mapped,
    Model,
    One,
    Page,
    field,
    foreign_key,
    generated,
    many_to_many,
    ref,
    reverse,
    types,
    utcnow,
)
from cormorant.errors import ModelError, NotLoadedError, QueryError, UnknownName, UnsavedError, WrongType
from cormorant.integrations.pydantic import Create, Patch, Read
from cormorant.models.state import DETACHED, keep_related, new_ghost, set_class


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Settings(BaseModel):
    theme: str = "dark"


class Point:
    """A class that pydantic does not know."""

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None  # type: ignore[assignment]


POINT = types.Custom(Point, types.TEXT, lambda p: f"{p.x},{p.y}", lambda text: Point(*map(int, text.split(","))))


class Stamped(Model, abstract=True, app="schemas"):
    created: Mapped[datetime] = field(default_factory=utcnow, init=False)
    updated: Mapped[datetime] = field(default_factory=utcnow, on_update=utcnow)


class Owner(Model, app="schemas"):
    """Who has things."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(max_length=10, min_length=2)
    things: Many[Thing] = reverse("owner")


class Thing(Stamped):
    id: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    title: Mapped[Annotated[str, Field(description="What it is called", examples=["Lamp"])]] = field(max_length=20)
    code: Mapped[str] = field(default="aa", pattern="^(?!b)[a-c]+$")
    price: Mapped[Decimal] = field(default=Decimal("1.50"), precision=6, decimal_places=2, ge=0)
    count: Mapped[int] = field(default=0, ge=0, le=10, multiple_of=2)
    color: Mapped[Color] = field(default=Color.RED)
    size: Mapped[str] = field(default="s", choices=("s", "m"))
    kind: Mapped[Literal["a", "b"]] = field(default="a")
    until: Mapped[datetime | None] = field(default=None)
    every: Mapped[timedelta | None] = field(default=None)
    words: Mapped[list[str]] = field(default_factory=list)
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    settings: Mapped[Settings] = field(default_factory=Settings)
    raw: Mapped[bytes] = field(default=b"")
    at: Mapped[Point | None] = field(default=None, type=POINT)
    secret: Mapped[str] = field(default="", sensitive=True)
    total: Mapped[int] = generated(computed="count * 2")
    version: Mapped[int] = generated(version=True)
    owner: One[Owner] = foreign_key()
    lender: One[Owner | None] = foreign_key(default=None)
    tags: Many[Tag] = many_to_many()


class Tag(Model, app="schemas"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    things: Many[Thing] = reverse("tags")


class Awkward(Model, app="schemas"):
    """Columns called like what pydantic, and this library, have."""

    id: Mapped[int] = generated(primary_key=True)
    schema: Mapped[str] = field(default="s")
    copy: Mapped[int] = field(default=1)
    json: Mapped[int] = field(default=2)
    build: Mapped[int] = field(default=3)
    assign: Mapped[int] = field(default=4)
    model_config: Mapped[int] = field(default=5)
    model_x: Mapped[int] = field(default=6)


class Pair(Model, app="schemas"):
    left: One[Owner] = foreign_key(primary_key=True)
    right: One[Owner] = foreign_key(primary_key=True)
    weight: Mapped[int] = field(default=1)


class Part(Model, app="schemas"):
    id: Mapped[int] = generated(primary_key=True)
    whole_id: Mapped[int]
    whole: One[Whole] = foreign_key(init=False)


class Whole(Model, app="schemas"):
    id: Mapped[int] = generated(primary_key=True)
    parts: Many[Part] = reverse("whole")


def stored(cls: type[Any], **values: Any) -> Any:
    """Gives an object as if a query had given it."""
    made = new_ghost(cls.__info__, values, DETACHED)
    if values.keys() >= cls.__info__.fields.keys():
        set_class(made, cls)
    return made


def owner(**values: Any) -> Owner:
    return stored(Owner, **{"id": 1, "name": "Ada", **values})


def fields(schema: type[BaseModel]) -> set[str]:
    return set(schema.model_json_schema()["properties"])


def refusals(schema: type[BaseModel], **values: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        schema(**values)
    return {str(each["loc"][0]): each["type"] for each in caught.value.errors()}


def inner(schema: type[BaseModel], name: str) -> Any:
    return get_args(schema.model_fields[name].annotation)[0]


# ---- which columns


TAKEN = {"title", "code", "price", "count", "color", "size", "kind", "until", "every", "words", "extra", "settings"}
TAKEN |= {"raw", "at", "secret", "owner_id", "lender_id"}


def test_create_has_what_the_program_gives() -> None:
    """Without what the database makes, what changes by itself, what the constructor refuses, and made keys."""
    schema = Thing.schema("create")
    assert fields(schema) == TAKEN
    assert schema.model_json_schema()["required"] == ["title", "owner_id"]


def test_patch_has_the_same_and_needs_none() -> None:
    schema = Thing.schema("patch").model_json_schema()
    assert set(schema["properties"]) == TAKEN
    assert "required" not in schema
    assert all("default" not in each for each in schema["properties"].values())


def test_read_has_every_column_but_the_sensitive_ones() -> None:
    shown = {"id", "created", "updated", "total", "version"} | TAKEN - {"secret"}
    schema = Thing.schema("read")
    assert fields(schema) == shown
    assert set(schema.model_json_schema()["required"]) == shown
    assert fields(Thing.schema("read", sensitive=True)) == shown | {"secret"}


def test_columns_can_be_left_out() -> None:
    assert fields(Owner.schema("read", exclude=["name"])) == {"id"}
    assert Owner.schema(exclude=[Owner.name]) is Owner.schema("read", exclude=("name",))


def test_keys_that_are_given_belong_to_what_is_created_and_not_to_what_is_changed() -> None:
    assert fields(Create[Pair]) == {"left_id", "right_id", "weight"}
    assert fields(Patch[Pair]) == {"weight"}


# ---- names


def test_one_question_has_one_answer() -> None:
    assert Thing.schema("create") is Thing.schema("create") is Create[Thing]
    assert Patch[Thing] is Thing.schema("patch")
    assert Read[Thing] is Thing.schema()


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (Owner.schema("create"), "OwnerCreate"),
        (Owner.schema("patch"), "OwnerPatch"),
        (Owner.schema("read"), "OwnerRead"),
        (Thing.schema("read", relations=[Thing.owner, "tags"]), "ThingReadWithOwnerAndTags"),
        (Thing.schema("create", keys=[Thing.tags]), "ThingCreateWithTagsKeys"),
        (
            Owner.schema("create", relations=["things"]).model_fields["things"].annotation.__args__[0],
            "OwnerThingsCreate",
        ),
        (Owner.schema("create", name="NewOwner"), "NewOwner"),
    ],
)
def test_names_are_those_of_components(schema: type[BaseModel], name: str) -> None:
    assert schema.__name__ == schema.model_json_schema()["title"] == name
    assert schema.__module__ == __name__


def test_columns_may_be_called_like_anything_else() -> None:
    names = {"schema", "copy", "json", "build", "assign", "model_config", "model_x"}
    assert fields(Create[Awkward]) == names
    made = Create[Awkward].model_validate({"schema": "x", "copy": 9, "build": 8, "model_config": 7})
    built = made.build()
    assert (built.schema, built.copy, built.build, built.model_config, built.json) == ("x", 9, 8, 7, 2)
    row = stored(Awkward, **{"id": 1, **dict.fromkeys(names - {"schema"}, 0), "schema": "s"})
    assert set(json.loads(Read[Awkward].model_validate(row).model_dump_json())) == names | {"id"}
    assert set(json.loads(TypeAdapter(Awkward).dump_json(row))) == names | {"id"}
    changed = Patch[Awkward].model_validate({"assign": 1, "schema": "t"}).assign(built)
    assert (changed.assign, changed.schema) == (1, "t")
    assert repr(Awkward.schema) == "Awkward.schema", "a column of that name is found before the method"


def test_objects_have_no_schema() -> None:
    with pytest.raises(AttributeError):
        owner().schema  # type: ignore[attr-defined]  # noqa: B018


# ---- limits


def test_limits_are_those_of_the_declaration() -> None:
    bad = {"title": "x" * 21, "code": "bb", "price": "1.555", "count": 12, "color": "green", "size": "l", "kind": "c"}
    assert refusals(Thing.schema("create"), owner_id=1, **bad) == {
        "title": "string_too_long",
        "code": "string_pattern_mismatch",
        "price": "decimal_max_places",
        "count": "less_than_equal",
        "color": "enum",
        "size": "literal_error",
        "kind": "literal_error",
    }
    assert refusals(Owner.schema("patch"), name="x") == {"name": "string_too_short"}
    assert refusals(Thing.schema("patch"), count=3) == {"count": "multiple_of"}


def test_moments_have_a_zone() -> None:
    assert refusals(Thing.schema("patch"), until="2026-01-01T00:00:00") == {"until": "timezone_aware"}
    assert Thing.schema("patch")(until="2026-01-01T00:00:00Z").model_dump() == {
        "until": datetime(2026, 1, 1, tzinfo=UTC)
    }


def test_none_is_no_value_of_a_column_that_takes_none() -> None:
    assert refusals(Owner.schema("patch"), name=None) == {"name": "string_type"}
    assert Thing.schema("patch")(until=None).model_dump() == {"until": None}


def test_what_is_shown_is_not_refused() -> None:
    """The database may hold what was allowed before."""
    assert Read[Owner].model_validate(owner(name="x" * 99)).model_dump() == {"id": 1, "name": "x" * 99}


def test_the_schema_in_json_says_them_too() -> None:
    shown = Thing.schema("create").model_json_schema()["properties"]
    assert shown["title"] == {
        "title": "Title", "type": "string", "maxLength": 20, "description": "What it is called", "examples": ["Lamp"],
    }  # fmt: skip
    assert shown["size"]["enum"] == ["s", "m"]
    assert (shown["count"]["minimum"], shown["count"]["maximum"], shown["count"]["default"]) == (0, 10, 0)
    assert re.fullmatch(shown["code"]["pattern"], "abc")


# ---- objects


def test_build_gives_a_new_object_with_the_defaults_of_its_columns() -> None:
    data = Create[Thing].model_validate(
        {"title": "Lamp", "owner_id": 3, "color": "blue", "at": "1,2", "raw": "aGk=", "settings": {"theme": "x"}}
    )
    thing = data.build()
    assert (thing.owner_id, thing.lender_id, thing.color, thing.size) == (3, None, Color.BLUE, "s")
    assert (thing.at, thing.raw, thing.settings.theme, thing.version) == (Point(1, 2), b"hi", "x", 1)
    assert thing.extra is not Create[Thing].model_validate({"title": "Lamp", "owner_id": 3}).build().extra


def test_assign_sets_what_was_sent() -> None:
    thing = Create[Thing].model_validate({"title": "Lamp", "owner_id": 3, "code": "ab"}).build()
    data = Patch[Thing].model_validate({"title": "Chair", "lender_id": 4})
    assert data.assign(thing) is thing
    assert (thing.title, thing.code, thing.owner_id, thing.lender_id) == ("Chair", "ab", 3, 4)
    assert thing.lender is not None
    assert thing.lender.id == 4
    with pytest.raises(WrongType, match="a patch of Thing does not fit"):
        data.assign(Owner(name="Ada"))  # type: ignore[arg-type]


def test_a_key_of_two_columns_is_two_fields() -> None:
    pair = Create[Pair](left_id=1, right_id=2).build()  # type: ignore[call-arg]
    assert (pair.left.id, pair.right_id) == (1, 2)


# ---- relations


def test_nested_relations_are_made_together() -> None:
    schema = Owner.schema("create", relations=["things.tags"])
    made: Any = schema.model_validate({"name": "Ada", "things": [{"title": "Lamp", "tags": [{"name": "old"}]}]})
    ada: Owner = made.build()
    (lamp,) = ada.things
    assert lamp.owner is ada
    assert [tag.name for tag in lamp.tags] == ["old"]
    whole: Any = Thing.schema("create", relations=[Thing.owner])(title="Lamp", owner={"name": "Ada"})  # type: ignore[call-arg]
    assert whole.build().owner.name == "Ada"


def test_nested_relations_are_shown_if_they_are_loaded() -> None:
    schema = Owner.schema("read", relations=[Owner.things])
    with pytest.raises(NotLoadedError, match=r"Owner\.things of .* was not loaded"):
        schema.model_validate(owner())
    ada = owner()
    ada.things.fill([])
    assert schema.model_validate(ada).model_dump() == {"id": 1, "name": "Ada", "things": []}


def test_keys_of_many_are_shown_as_keys() -> None:
    schema = Tag.schema("read", keys=[Tag.things])
    tag = stored(Tag, id=1, name="old")
    key = uuid4()
    tag.things.fill([ref(Thing, key)])
    assert schema.model_validate(tag).model_dump() == {"id": 1, "name": "old", "things": [key]}


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: Owner.schema("update"), QueryError, "has: create, patch, read"),  # type: ignore[arg-type]
        (lambda: Owner.schema(exclude=["nam"]), UnknownName, "has no column or relation 'nam'"),
        (lambda: Owner.schema(relations=["thing"]), UnknownName, "has no column or relation 'thing'"),
        (lambda: Owner.schema(relations="things"), WrongType, "give a list"),
        (lambda: Owner.schema(relations=[Thing.owner]), WrongType, "is no relation of Owner"),
        (lambda: Owner.schema("patch", relations=["things"]), QueryError, "cannot be nested in a patch"),
        (lambda: Owner.schema("create", keys=["things"]), QueryError, "says itself where it belongs"),
        (lambda: Thing.schema(keys=["owner"]), QueryError, "is one object"),
        (lambda: Whole.schema("create", relations=["parts"]), QueryError, "init=False"),
        (lambda: Stamped.schema(), ModelError, "has no table"),
        (lambda: TypeAdapter(Stamped), ModelError, "has no table"),
    ],
)
def test_what_cannot_be_had_is_said(ask: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ask()


# ---- models themselves, to pydantic


def test_a_model_is_a_field_like_others() -> None:
    class Answer(BaseModel):
        owner: Owner
        others: list[Owner] = []

    ada = owner()
    answer = Answer(owner=ada)
    assert answer.owner is ada
    assert json.loads(answer.model_dump_json()) == {"owner": {"id": 1, "name": "Ada"}, "others": []}
    assert Answer.model_validate({"owner": {"name": "Bob"}}).owner.name == "Bob"
    assert set(Answer.model_json_schema(mode="serialization")["$defs"]) == {
        "Color",
        "Owner",
        "Settings",
        "Tag",
        "Thing",
    }
    assert set(Answer.model_json_schema()["$defs"]) == {"OwnerCreate"}


def test_new_and_changed_objects_are_not_shown() -> None:
    adapter = TypeAdapter(Owner)
    with pytest.raises(Exception, match=r"UnsavedError: .* it is new and not written yet, or deleted"):
        adapter.dump_python(Owner(name="Ada"))
    with pytest.raises(UnsavedError, match="is new"):
        Read[Owner].model_validate(Owner(name="Ada"))
    ada = owner()
    ada.name = "Bob"
    with pytest.raises(UnsavedError, match="has changes that are not written yet: name") as caught:
        Read[Owner].model_validate(ada)
    assert caught.value.hint == "before returning it: await session.commit()"
    ada.name = "Ada"
    assert adapter.dump_python(ada) == {"id": 1, "name": "Ada"}


def test_references_are_not_shown_where_an_object_is_asked_for() -> None:
    with pytest.raises(Exception, match=r"NotLoadedError: Owner\.name of .* was not loaded"):
        TypeAdapter(Owner).dump_python(ref(Owner, 1))
    with pytest.raises(NotLoadedError, match=r"Owner\.name of .* was not loaded"):
        Read[Owner].model_validate(ref(Owner, 1))


def test_rings_are_cut() -> None:
    ada = owner()
    tag = stored(Tag, id=5, name="old")
    values = dict(Create[Thing].model_validate({"title": "Lamp", "owner_id": 1}).build().to_dict())
    lamp = stored(Thing, **{**values, "id": uuid4(), "total": 0, "lender_id": 1})
    keep_related(lamp, "owner", ada)
    keep_related(lamp, "lender", ada)
    ada.things.fill([lamp])
    lamp.tags.fill([tag])
    tag.things.fill([lamp])
    shown = TypeAdapter(Owner).dump_python(ada)
    (thing,) = shown["things"]
    assert {"owner", "lender"}.isdisjoint(thing)
    assert thing["lender_id"] == 1
    assert thing["tags"] == [{"id": 5, "name": "old"}]


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": {0: {"name"}}},
        {"include": {0: {"name"}}},
        {"exclude": {"__all__": {"things"}}},
        {"exclude": {0: {"things": {0: {"title", "lender_id"}}}}},
        {"include": {"__all__": {"id": True, "things": {"__all__": {"title"}}}}},
        {"include": {0: {"things"}}, "exclude": {0: {"things": {"__all__": {"id"}}}}},
        {"exclude": {"__all__": {"things": {"__all__": True}}}},
        {"exclude_none": True},
    ],
)
def test_what_is_shown_can_be_narrowed_as_of_any_pydantic_model(options: Any) -> None:
    """A response_model_exclude that did nothing would tell secrets."""
    values = Create[Thing].model_validate({"title": "Lamp", "owner_id": 1}).build().to_dict()
    ada = owner()
    ada.things.fill([stored(Thing, **{**values, "id": uuid4(), "total": 0})])
    theirs = TypeAdapter(list[Owner.schema("read", relations=["things"])])  # type: ignore[misc]
    ours = TypeAdapter(list[Owner])
    wanted = theirs.dump_json(theirs.validate_python([ada]), **options)
    assert json.loads(ours.dump_json([ada], **options)) == json.loads(wanted)


def test_pages_are_shown_with_their_cursors() -> None:
    page = Page([owner()], next="n")
    for shown in (TypeAdapter(Page[Owner]), TypeAdapter(Page[Read[Owner]])):
        text = shown.dump_json(shown.validate_python(page))
        assert json.loads(text) == {"items": [{"id": 1, "name": "Ada"}], "next": "n", "previous": None}
    assert TypeAdapter(Page[Owner]).json_schema(mode="serialization")["title"] == "OwnerPage"
    with pytest.raises(ValidationError, match="is no Page"):
        TypeAdapter(Page[Owner]).validate_python([owner()])


def test_models_of_one_name_are_told_apart() -> None:
    class Owner(Model, app="elsewhere"):
        id: Mapped[int] = generated(primary_key=True)
        iban: Mapped[str]

    theirs = Owner

    class Answer(BaseModel):
        ours: Tag
        theirs: theirs  # type: ignore[valid-type]

    Answer.model_rebuild()
    shown = Answer.model_json_schema(mode="serialization")
    owners = [schema for name, schema in shown["$defs"].items() if name.endswith("Owner")]
    assert sorted("iban" in schema["properties"] for schema in owners) == [False, True]
