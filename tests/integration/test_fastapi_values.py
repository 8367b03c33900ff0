"""Values that a client may send and no row can have: refused with their place, and never told again."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Annotated, Any

import pytest
from annotated_types import Predicate
from fastapi import FastAPI, Request
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    ValidationError,
    WrongType,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)
from cormorant.integrations.fastapi import Create, ReadSessionDep, SessionDep, add_exception_handlers, get_database
from tests.support import kept_tables
from tests.support.asgi import Answer, ask

HUGE = 1099511627776
LOUD = "LOUD LOUD"


def _is_quiet(value: str) -> bool:
    if value.isupper():
        raise ValueError(f"{value} is too loud")
    return True


class Parcel(Model, table="value_parcel"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int] = field(default=0)
    tags: Mapped[list[int]] = field(default_factory=list)
    code: Mapped[str] = field(default="", pattern="^[a-z ]*$")
    mood: Mapped[Annotated[str, Predicate(_is_quiet)]] = field(default="")
    note: Mapped[dict[str, Any]] = field(default_factory=dict)
    weight: Mapped[int] = field(default=0)
    share: Mapped[float] = field(default=0.0)

    def validate(self) -> Iterable[tuple[str, str]]:
        if self.weight > 1000:
            yield "weight", f"{self.weight} is more than a parcel has"


class Crew(Model, table="value_crew"):
    id: Mapped[int] = generated(primary_key=True)
    crew_name: Mapped[str] = field(default="")
    pass_word: Mapped[str] = field(default="", sensitive=True)
    members: Many[Member] = reverse("crew")


class Skill(Model, table="value_skill"):
    id: Mapped[int] = generated(primary_key=True)


class Member(Model, table="value_member"):
    id: Mapped[int] = generated(primary_key=True)
    full_name: Mapped[str]
    age: Mapped[int | None] = field(default=None)
    scores: Mapped[list[int]] = field(default_factory=list)
    crew: One[Crew | None] = foreign_key(default=None)
    skills: Many[Skill] = many_to_many()
    harbours: Many[Harbour] = many_to_many()
    shares: Many[Share] = many_to_many()


class Harbour(Model, table="value_harbour"):
    code: Mapped[str] = field(primary_key=True, max_length=3)


class Share(Model, table="value_share"):
    part: Mapped[Decimal] = field(primary_key=True, precision=4, decimal_places=2)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Parcel, Crew, Member, Skill, Harbour, Share)
        async with AsyncSession(database) as session:
            session.add(Parcel())
        yield database


@pytest.fixture
def app(database: Database) -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app)
    app.dependency_overrides[get_database] = lambda: database
    return app


# ---- values are not told again

REFUSED: list[tuple[str, Any, str, str]] = [
    ("number", HUGE, "does not fit 32 bits", f"{HUGE} does not fit 32 bits"),
    ("tags", [1, HUGE], "does not fit 32 bits", f"{HUGE} does not fit 32 bits"),
    ("tags", [LOUD], "is not an int", f"'{LOUD}' (str) is not an int"),
    ("code", LOUD, "must match '^[a-z ]*$'", f"'{LOUD}' must match '^[a-z ]*$'"),
    ("code", "a\0LOUD", "a text with the character NUL cannot be kept", "a text with the character NUL cannot be kept"),
    ("mood", LOUD, "is refused", f"'{LOUD}' is refused: l{LOUD[1:]} is too loud"),
    ("weight", 1234567, "is more than a parcel has", "1234567 is more than a parcel has"),
    (
        "note",
        {"a": "LOUD\0"},
        "a document with NUL or a lone surrogate in its texts cannot be kept",
        "a document with NUL or a lone surrogate in its texts cannot be kept",
    ),
]


@pytest.mark.parametrize("new", [True, False], ids=["new", "changed"])
@pytest.mark.parametrize(("name", "value", "answered", "raised"), REFUSED)
async def test_the_answer_has_no_value_and_the_error_has_it(
    app: FastAPI, new: bool, name: str, value: Any, answered: str, raised: str
) -> None:
    errors: list[ValidationError] = []

    @app.post("/")
    async def post(session: SessionDep) -> str:
        parcel = Parcel(number=1) if new else await session.query(Parcel).one()
        session.add(parcel)
        setattr(parcel, name, value)
        try:
            await session.commit()
        except ValidationError as error:
            errors.append(error)
            raise
        return "done"

    answer = await ask(app, "POST", "/")
    assert (answer.status, answer.raised) == (422, None)
    assert answer.json == {"detail": [{"type": "value_error", "loc": ["body", name], "msg": answered}]}
    assert [each.message for each in errors[0].fields] == [raised]
    assert f"Parcel.{name}: {raised}" in str(errors[0])
    assert [each.message for each in pickle.loads(pickle.dumps(errors[0])).fields] == [raised]


# ---- values of the address

NO_ROW_HAS_IT = [
    "code=a%00",
    "code__icontains=a%00",
    "code__startswith=%00",
    "note=a%00",
    "weight__gt=9223372036854775808",
    "share=nan",
    "limit=-1",
    "limit=9223372036854775808",
    "offset=-1",
    "offset=9223372036854775808",
    "page=0",
    "page=-1",
    "page=9223372036854775808",
]
_PYTHON: dict[str, type[int] | type[float]] = {
    "weight__gt": int,
    "share": float,
    "limit": int,
    "offset": int,
    "page": int,
}


@pytest.fixture
def asked(app: FastAPI) -> FastAPI:
    @app.get("/")
    async def get(request: Request, session: ReadSessionDep) -> int:
        ((name, text),) = request.query_params.items()
        value: Any = _PYTHON.get(name, str)(text)
        query = session.query(Parcel).order_by(Parcel.id)
        if name == "page":
            return len(await query.page(value))
        if name in ("limit", "offset"):
            return len(await getattr(query, name)(value))
        if name == "note":
            return len(await query.filter(Parcel.note.path("a", returns=str) == value))
        return len(await query.filter(**{name: value}))

    return app


@pytest.mark.parametrize("query", NO_ROW_HAS_IT)
async def test_what_no_row_can_have_is_no_fault_of_the_server(asked: FastAPI, query: str) -> None:
    answer = await ask(asked, "GET", f"/?{query}")
    assert (answer.status, answer.raised) == (422, None), answer
    assert answer.json == {"detail": [{"type": "value_error", "loc": [], "msg": "is out of range"}]}


@pytest.mark.parametrize("query", ["weight=1", "weight__lt=x"])
async def test_a_value_of_the_wrong_class_is_a_mistake_of_the_program(asked: FastAPI, query: str) -> None:
    answer = await ask(asked, "GET", f"/?{query}")
    assert (answer.status, type(answer.raised)) == (500, WrongType)


async def test_numbers_of_rows_that_are_none_are_mistakes_of_the_program(database: Database) -> None:
    async with AsyncSession(database) as session:
        query: Any = session.query(Parcel)
        for wrong in ("1", 1.0, True, None):
            for method in (query.limit, query.offset):
                with pytest.raises(WrongType) as caught:
                    method(wrong)
                assert type(caught.value) is WrongType


# ---- the place of what was sent

Nested: Any = Crew.schema("create", relations=[Crew.members])
Keyed: Any = Member.schema("create", keys=[Member.skills])
ByTexts: Any = Member.schema("create", keys=[Member.harbours, Member.shares])


class Camel(Create[Crew]):
    model_config = ConfigDict(alias_generator=to_camel)


PLACES: list[tuple[Any, dict[str, Any], list[str | int], str]] = [
    (Camel, {"crewName": "C\0"}, ["crewName"], "a text with the character NUL cannot be kept"),
    (
        Nested,
        {"members": [{"full_name": "a"}, {"full_name": "a\0"}]},
        ["members", 1, "full_name"],
        "a text with the character NUL cannot be kept",
    ),
    (Nested, {"members": [{"full_name": "a", "age": HUGE}]}, ["members", 0, "age"], "does not fit 32 bits"),
    (
        Nested,
        {"members": [{"full_name": "a", "scores": [1, HUGE]}]},
        ["members", 0, "scores", 1],
        "does not fit 32 bits",
    ),
]


@pytest.mark.parametrize(("schema", "sent", "place", "message"), PLACES)
async def test_what_no_column_holds_is_refused_where_it_stands(
    app: FastAPI, schema: Any, sent: dict[str, Any], place: list[str | int], message: str
) -> None:
    answer = await _sent(app, schema, sent)
    (problem,) = answer.json["detail"]
    assert (answer.status, answer.raised, problem["type"]) == (422, None, "value_error")
    assert (problem["loc"], problem["msg"]) == (["body", *place], message)


async def test_a_secret_that_no_column_holds_is_not_told_again(app: FastAPI) -> None:
    answer = await _sent(app, Create[Crew], {"pass_word": "LOUD\0"})
    assert answer.json["detail"] == [
        {"type": "value_error", "loc": ["body", "pass_word"], "msg": "does not fit its column"}
    ]


async def test_a_key_of_nothing_is_refused_by_its_relation(app: FastAPI, database: Database) -> None:
    answer = await _sent(app, Keyed, {"full_name": "a", "skills": [99]})
    # SQLite does not say which reference it was
    place = ["body", "skills"] if database.dialect.name == "postgresql" else ["body"]
    assert (answer.status, answer.raised) == (422, None)
    assert answer.json["detail"] == [{"type": "foreign_key", "loc": place, "msg": "points to what does not exist"}]


@pytest.mark.parametrize(
    ("name", "keys", "kind"),
    [
        ("harbours", ["ABC", "ABCD"], "string_too_long"),
        ("shares", ["1.25", "1.255"], "decimal_max_places"),
        ("shares", ["1.25", "123.5"], "decimal_whole_digits"),
    ],
)
async def test_a_key_that_no_link_holds_is_refused_where_it_stands(
    app: FastAPI, name: str, keys: list[str], kind: str
) -> None:
    # PostgreSQL refused it without its place, and SQLite took it for the key of nothing
    answer = await _sent(app, ByTexts, {"full_name": "a", name: keys})
    (problem,) = answer.json["detail"]
    assert (answer.status, answer.raised) == (422, None)
    assert (problem["type"], problem["loc"]) == (kind, ["body", name, 1])
    assert ByTexts.model_json_schema()["properties"]["harbours"]["items"] == {"type": "string", "maxLength": 3}


async def _sent(app: FastAPI, schema: Any, sent: dict[str, Any]) -> Answer:
    async def post(data: Any, session: SessionDep) -> str:
        session.add(data.build())
        return "done"

    post.__annotations__["data"] = schema
    app.post("/sent")(post)
    return await ask(app, "POST", "/sent", sent)
