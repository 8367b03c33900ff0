"""A TypedDict without a required key was saved and could not be read again; one key too many was left out silently."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NotRequired

import pytest
from typing_extensions import TypedDict

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    ValidationError,
    ValueOutOfRange,
    WrongType,
    field,
    generated,
)
from tests.support import kept_tables


class Address(TypedDict):
    street: str
    floor: NotRequired[int]


class Branch(TypedDict):
    name: str
    below: list[Branch]


class Contact(Model, table="keys_of_typed_documents"):
    id: Mapped[int] = generated(primary_key=True)
    home: Mapped[Address | None] = field(default=None)
    others: Mapped[dict[str, list[Address]]] = field(default_factory=dict)
    tree: Mapped[Branch | None] = field(default=None)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Contact)
        yield database


RIGHT: list[dict[str, Any]] = [
    {"home": {"street": "High Street"}},
    {"home": {"street": "High Street", "floor": 3}},
    {"others": {"work": [{"street": "A"}, {"street": "B", "floor": 1}], "none": []}},
    {"tree": {"name": "a", "below": [{"name": "b", "below": []}]}},
]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"home": {}}, "it lacks 'street'"),
    ({"home": {"floor": 3}}, "it lacks 'street'"),
    ({"home": {"street": "A", "flor": 3}}, "it has 'flor', which would be left out"),
    ({"others": {"work": [{"street": "A"}, {"floor": 1}]}}, r"\['work'\]\[1\] lacks 'street'"),
    ({"tree": {"name": "a", "below": [{"name": "b"}]}}, r"\['below'\]\[0\] lacks 'below'"),
]


@pytest.mark.parametrize("values", RIGHT)
async def test_what_is_saved_is_read_again(database: Database, values: dict[str, Any]) -> None:
    async with AsyncSession(database) as session:
        session.add(contact := Contact(**values))
    async with AsyncSession(database) as session:
        found = await session.get_one(Contact, contact.id)
        assert {name: getattr(found, name) for name in values} == values


@pytest.mark.parametrize(("values", "said"), WRONG)
async def test_what_could_not_be_read_again_is_refused(database: Database, values: dict[str, Any], said: str) -> None:
    async with AsyncSession(database) as session:
        session.add(Contact(**values))
        with pytest.raises(ValidationError, match=said):
            await session.flush()
        session.clear()
        for rows in ([Contact(**values)], [values]):
            with pytest.raises(ValidationError, match=said):
                await session.query(Contact).bulk_create(rows)
        ((name, value),) = values.items()
        with pytest.raises((WrongType, ValueOutOfRange), match=said):
            await session.query(Contact).update(getattr(Contact, name).set(value))
        await session.rollback()
        session.add(contact := Contact())
        await session.flush()
        setattr(contact, name, value)
        with pytest.raises(ValidationError, match=said):
            await session.flush()
        await session.rollback()
