"""S6: objects that need each other's keys are written with a key left NULL for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from cormorant import AsyncSession, Database, DependencyCycleError
from tests.support import kept_tables
from tests.support.newsroom import rolled_back, sql_of, words
from tests.support.rings import MODELS, Known, Paper, Person, Rock, Scissors, Step, Town, Twin


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


def updates(session: AsyncSession) -> list[str]:
    """Gives the UPDATE statements as PostgreSQL has them."""
    return [sql.replace("?", "$").replace("RETURNING +", "RETURNING ") for sql in sql_of(session, "UPDATE")]


async def test_a_ring_of_two_tables_is_closed_by_an_update(database: Database) -> None:
    town = Town(name="Arles")
    town.mayor = Person(name="Ada", town=town)
    async with AsyncSession(database) as session:
        session.add(town)
        await session.commit()
        assert words(session) == {"BEGIN": 1, "INSERT": 2, "UPDATE": 1, "COMMIT": 1}
        assert updates(session) == ['UPDATE "rings_town" SET "mayor_id" = $2 WHERE "id" = $1 RETURNING "id"']
        assert (town.mayor.id, town.version) == (town.mayor_id, 1)  # type: ignore[attr-defined]
        town.name = "Nîmes"
    async with AsyncSession(database) as session:
        found = await session.get_one(Town, town.id)
        assert (found.name, found.version, (await found.mayor).name) == ("Nîmes", 2, "Ada")  # type: ignore[misc, union-attr]


async def test_many_rings_are_closed_by_one_update(database: Database) -> None:
    towns = [Town(name=f"{n}") for n in range(20)]
    for town in towns:
        people = [Person(name=f"{town.name}.{n}", town=town) for n in range(3)]
        town.mayor = people[1]
    async with AsyncSession(database) as session:
        session.add(*towns)
        await session.commit()
        many = database.dialect.supports_array_binds
        counts = {"BEGIN": 1, "INSERT": 2, "UPDATE": 1, "COMMIT": 1}
        assert {("INSERT" if word == "MERGE" else word): n for word, n in words(session).items()} == counts
        if many:
            assert updates(session) == [
                'UPDATE "rings_town" AS t SET "mayor_id" = d."mayor_id"'
                " FROM unnest($1::text::bigint[], $2::text::bigint[])"
                ' WITH ORDINALITY AS d("key_id", "mayor_id", ord) WHERE t."id" = d."key_id" RETURNING d.ord'
            ]
    async with AsyncSession(database) as session:
        rows = await session.query(Town).values(Town.name, Town.mayor.name)
        assert sorted(rows) == sorted((f"{n}", f"{n}.1") for n in range(20))


async def test_an_object_may_point_to_itself(database: Database) -> None:
    town = Town(name="Arles")
    person = Person(name="Ada", town=town)
    person.friend = person
    async with AsyncSession(database) as session:
        session.add(person)
        await session.flush()
        assert person.friend_id == person.id  # type: ignore[attr-defined]
        assert not session.dirty
    async with AsyncSession(database) as session:
        found = await session.get_one(Person, person.id)
        assert found.friend is found


async def test_a_ring_through_three_tables(database: Database) -> None:
    scissors = Scissors()
    paper = Paper(scissors=scissors)
    scissors.rock = Rock(paper=paper)
    async with AsyncSession(database) as session:
        session.add(scissors)
        await session.commit()
        assert words(session) == {"BEGIN": 1, "INSERT": 3, "UPDATE": 1, "COMMIT": 1}
    async with AsyncSession(database) as session:
        row = await session.query(Scissors).values(Scissors.rock.paper.scissors.id)
        assert row == [(scissors.id,)]


async def test_a_list_linked_both_ways(database: Database) -> None:
    steps = [Step(name=f"{n}") for n in range(50)]
    for one, other in pairwise(steps):
        one.after, other.before = other, one
    async with AsyncSession(database) as session:
        session.add(*steps)
        await session.commit()
    async with AsyncSession(database) as session:
        rows = await session.query(Step).values(Step.name, Step.before.name, Step.after.name)
        wanted = [(f"{n}", f"{n - 1}" if n else None, f"{n + 1}" if n < 49 else None) for n in range(50)]
        assert sorted(rows) == sorted(wanted, key=lambda row: row[0])
        # and gone again, in one go
        session.delete(*await session.query(Step))
        await session.flush()
        assert await session.query(Step).count() == 0


async def test_keys_that_are_known_make_rings_too(database: Database) -> None:
    one, two, three = Known(name="1"), Known(name="2"), Known(name="3")
    one.other, two.other, three.other = two, one, three
    async with AsyncSession(database) as session:
        session.add(one, two, three)
        await session.commit()
        # who points to itself needs no UPDATE: the key is there
        assert words(session)["UPDATE"] == 1
    async with AsyncSession(database) as session:
        assert sorted(await session.query(Known).values(Known.name, Known.other.name)) == [
            ("1", "2"),
            ("2", "1"),
            ("3", "3"),
        ]


async def test_a_ring_that_cannot_be_opened_is_named_and_writes_nothing(database: Database) -> None:
    one, two = Twin(name="one"), Twin(name="two")
    one.other, two.other = two, one
    single = Twin(name="single")
    single.other = single
    town = Town(name="Arles")
    async with AsyncSession(database) as session:
        session.add(town, one)
        with pytest.raises(DependencyCycleError, match=r"Twin\.other.*<Twin name='(one|two)'>.* -> ") as caught:
            await session.flush()
        assert "other: One[Twin | None]" in (caught.value.hint or "")
        # nothing was sent, everything still waits, and the session goes on
        assert words(session) == {}
        assert set(session.new) == {town, one, two}
        session.expunge(one, two)
        session.add(single)
        with pytest.raises(DependencyCycleError, match=r"<Twin name='single'> points to itself by Twin\.other"):
            await session.commit()
        session.expunge(single)
        await session.commit()
        assert await session.query(Town).count() == 1


async def test_what_rolls_back_is_new_again(database: Database) -> None:
    town = Town(name="Arles")
    town.mayor = mayor = Person(name="Ada", town=town)
    async with AsyncSession(database) as session:
        async with rolled_back(session.transaction()):
            session.add(town)
            await session.flush()
        session.add(town)
        await session.commit()
        assert town.mayor is mayor
        assert await session.query(Town).filter(Town.mayor.name == "Ada").count() == 1


# ---- the other way round: rows that go


async def test_rows_that_point_to_each_other_across_tables_can_go(database: Database) -> None:
    town = Town(name="Arles")
    town.mayor = Person(name="Ada", town=town)
    async with AsyncSession(database) as session:
        session.add(town)
    async with AsyncSession(database) as session:
        found = await session.get_one(Town, town.id)
        session.delete(found, await session.get_one(Person, town.mayor.id))
        await session.commit()
        assert updates(session) == ['UPDATE "rings_town" SET "mayor_id" = $2 WHERE "id" = $1 RETURNING "id"']
        assert await session.query(Town).count() + await session.query(Person).count() == 0


async def test_rows_of_one_table_that_point_to_each_other_can_go(database: Database) -> None:
    one, two = Known(name="1"), Known(name="2")
    one.other, two.other = two, one
    async with AsyncSession(database) as session:
        session.add(one, two)
    async with AsyncSession(database) as session:
        session.delete(*await session.query(Known))
        await session.commit()
        # PostgreSQL looks at the end of the one statement
        assert words(session).get("UPDATE", 0) == (0 if database.dialect.supports_array_binds else 1)
        assert await session.query(Known).count() == 0


async def test_twins_that_always_need_each_other(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.execute("INSERT INTO rings_twin (id, name, other_id) VALUES (1, 'self', 1)")
        await session.execute("INSERT INTO rings_twin (id, name, other_id) VALUES (2, 'two', 1)")
        await session.execute("UPDATE rings_twin SET other_id = 2 WHERE id = 1")
        await session.commit()
        twins: list[Any] = await session.query(Twin)
        session.delete(*twins)
        if database.dialect.supports_array_binds:
            await session.commit()
            assert await session.query(Twin).count() == 0
        else:
            with pytest.raises(DependencyCycleError, match=r"rows to delete point to each other by Twin\.other"):
                await session.commit()
            assert set(session.deleted) == set(twins)
            await session.rollback()
