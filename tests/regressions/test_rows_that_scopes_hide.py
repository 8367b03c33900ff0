"""A row that a default scope hid was said to be deleted, which sent its readers the wrong way."""

from __future__ import annotations

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    NotFoundError,
    One,
    Scope,
    StaleObjectError,
    field,
    foreign_key,
    generated,
)


class Person(Model, app="regressions_hidden"):
    id: Mapped[int] = generated(primary_key=True)
    org: Mapped[int] = field(default=1)
    boss: One[Person | None] = foreign_key(default=None)


def tenant(org: int) -> Scope[Person]:
    return Scope(Person, lambda person: person.org == org, name="tenant")


async def test_the_hint_names_the_scope_where_there_is_one(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Person)
        async with AsyncSession(database) as session:
            session.add(Person(org=1, boss=Person(org=2)))
        async with AsyncSession(database, scopes=[tenant(1)]) as session:
            person = await session.query(Person).one()
            assert person.boss is not None
            with pytest.raises(NotFoundError) as missing:
                await person.boss
            assert missing.value.hint == "it was deleted meanwhile, or a default scope hides it from this session"
            (hidden,) = await session.query(Person).unscoped().filter(Person.org == 2)
            with pytest.raises(StaleObjectError) as stale:
                await session.refresh(hidden)
            assert "a default scope hides it" in (stale.value.hint or "")


async def test_without_a_scope_it_was_deleted(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Person)
        async with AsyncSession(database) as session:
            person = await session.create(Person)
            await session.execute("delete from regressions_hidden_person")
            with pytest.raises(StaleObjectError) as stale:
                await session.refresh(person)
            assert stale.value.hint == "expunge() the object"


async def test_an_upsert_of_a_hidden_row_names_the_scope(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Person)
        async with AsyncSession(database) as session:
            session.add(hidden := Person(org=2))
        async with AsyncSession(database, scopes=[tenant(1)]) as session:
            people = session.query(Person)
            assert await people.upsert([{"id": hidden.id, "org": 1}], on=[Person.id]) == 0
            with pytest.raises(StaleObjectError) as stale:
                await people.upsert([Person(id=hidden.id)], on=[Person.id])
            assert "a default scope hides it" in (stale.value.hint or "")
            assert await people.unscoped().scalars(Person.org) == [2]
