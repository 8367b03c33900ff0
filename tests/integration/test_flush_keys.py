"""S6: keys of several columns, keys made in the same flush, and keys that change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DependencyCycleError,
    ForeignKeyViolation,
    ModelError,
    foreign_key,
)
from tests.support import kept_tables
from tests.support.keyed import MODELS, Bill, City, Detail, Line, Nation, Order, Pact, Part, Port, Remark
from tests.support.newsroom import rolled_back, sql_of, words


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


async def rows(database: Database, model: Any, *columns: Any) -> list[Any]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(model).values(*columns))


# ---- made in the same flush


async def test_a_key_that_holds_one_that_is_made_in_the_same_flush(database: Database) -> None:
    async with AsyncSession(database) as session:
        orders = [Order() for _ in range(3)]
        parts = [Part(order=order, place=place) for order in orders for place in range(4)]
        details = [Detail(part=part) for part in parts for _ in range(2)]
        session.add(*details)
        await session.commit()
        assert not session.dirty
        assert await session.get(Part, (orders[1].id, 2)) is parts[6]
        assert (details[13].part_order_id, details[13].part_place) == (orders[1].id, 2)
    wanted = sorted((part.order.id, part.place) for part in parts for _ in range(2))
    assert await rows(database, Detail, Detail.part_order_id, Detail.part_place) == wanted


# ---- keys that change


async def test_a_key_changes_and_the_object_keeps_its_identity(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = await session.create(Nation, code="A", name="a")
        nation.code = "B"
        await session.flush()
        assert sql_of(session, "UPDATE")[0].replace("?", "$").replace("RETURNING +", "RETURNING ") == (
            'UPDATE "keyed_nation" SET "code" = $3, "version" = "version" + 1'
            ' WHERE "code" = $1 AND "version" = $2 RETURNING "version"'
        )
        assert await session.get(Nation, "B") is nation
        assert await session.get(Nation, "A") is None
        nation.name = "b"
    assert await rows(database, Nation, Nation.code, Nation.name, Nation.version) == [("B", "b", 3)]


async def test_what_points_to_a_changed_key_follows(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = Nation(code="A")
        cities = [City(name=f"{n}", nation=nation) for n in range(3)]
        session.add(*cities)
    async with AsyncSession(database) as session:
        nation = await session.get_one(Nation, "A")
        loaded = await nation.cities
        loaded[0].name = "changed"
        nation.code = "B"
        new = City(name="new", nation=nation)
        early = City(name="early", nation=nation)
        session.add(new, early)
        await session.commit()
        assert not session.dirty
        assert {city.nation_id for city in nation.cities} == {"B"}  # type: ignore[attr-defined]
        assert set(nation.cities) == {*loaded, new, early}
    assert await rows(database, City, City.name, City.nation.code) == [
        ("1", "B"),
        ("2", "B"),
        ("changed", "B"),
        ("early", "B"),
        ("new", "B"),
    ]


async def test_a_new_object_that_was_related_before_the_key_changed(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = await session.create(Nation, code="A")
        city = City(name="new", nation=nation)
        port = Port(name="new", nation=nation)
        nation.code = "B"
        session.add(city, port)
        await session.commit()
        assert (city.nation, city.nation_id, port.nation_id) == (nation, "B", "B")  # type: ignore[attr-defined]
        assert not session.dirty
    assert await rows(database, City, City.nation.code) == [("B",)]


async def test_a_changed_key_is_taken_by_a_new_object(database: Database) -> None:
    async with AsyncSession(database) as session:
        old = await session.create(Nation, code="A", name="old")
        city = await session.create(City, name="c", nation=old)
        await session.commit()
        old.code = "B"
        new = Nation(code="A", name="new")
        session.add(new, City(name="d", nation=new))
        await session.commit()
        assert (await session.get(Nation, "A"), await session.get(Nation, "B")) == (new, old)
        assert city.nation_id == "B"  # type: ignore[attr-defined]
    assert await rows(database, City, City.name, City.nation.name) == [("c", "old"), ("d", "new")]


async def test_keys_move_along_a_chain_and_are_not_exchanged(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, three = [await session.create(Nation, code=code, name=code) for code in "ABC"]
        one.code, two.code, three.code = "B", "C", "D"
        await session.flush()
        assert [await session.get(Nation, code) for code in "BCD"] == [one, two, three]
        one.code, two.code = "C", "B"
        with pytest.raises(DependencyCycleError, match=r"exchange values of Nation\.code"):
            await session.flush()
        one.code, two.code = "X", "Y"
        await session.flush()
        one.code, two.code = "Y", "X"
        with pytest.raises(DependencyCycleError):
            await session.flush()
        one.code, two.code = "X", "Y"
    assert await rows(database, Nation, Nation.code, Nation.name) == [("D", "C"), ("X", "A"), ("Y", "B")]


async def test_keys_that_hold_a_changed_key_follow_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        bill = Bill(number=1)
        session.add(*(Remark(line=Line(bill=bill, place=place)) for place in range(3)))
    async with AsyncSession(database) as session:
        remarks = await session.query(Remark).order_by(Remark.id).select_related(Remark.line.bill)
        bill, lines = remarks[0].line.bill, [remark.line for remark in remarks]
        bill.number = 9
        lines[1].text = "changed"
        async with rolled_back(session.transaction()):
            await session.flush()
            assert await session.get(Line, (9, 1)) is lines[1]
        assert (await session.get(Line, (1, 1)), lines[1].bill_id) == (lines[1], 1)  # type: ignore[attr-defined]
        await session.commit()
        assert await session.get(Line, (9, 1)) is lines[1]
        assert [(remark.line_number, remark.line_place) for remark in remarks] == [(9, 0), (9, 1), (9, 2)]
        assert not session.dirty
        lines[2].text = "again"
    assert await rows(database, Line, Line.bill.number, Line.place, Line.text) == [
        (9, 0, ""),
        (9, 1, "changed"),
        (9, 2, "again"),
    ]


async def test_what_does_not_follow_is_refused_by_the_database_or_led_along(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = await session.create(Nation, code="A")
        port = await session.create(Port, name="p", nation=nation)
        await session.commit()
        nation.code = "B"
        with pytest.raises(ForeignKeyViolation):
            await session.flush()
        await session.rollback()
        nation.code = "B"
        port.nation = nation
        await session.commit()
        # NULL first, then the key, then the relation
        assert words(session)["UPDATE"] >= 3
    assert await rows(database, Port, Port.nation.code) == [("B",)]


async def test_links_follow_a_changed_key(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = await session.create(Nation, code="A")
        pacts = [Pact(), Pact(), Pact()]
        await nation.allies
        nation.allies.add(*pacts[:2])
        await session.commit()
        nation.code = "B"
        nation.allies.remove(pacts[0])
        nation.allies.add(pacts[2])
        await session.commit()
    async with AsyncSession(database) as session:
        found = await session.get_one(Nation, "B")
        assert sorted(pact.id for pact in await found.allies) == [pacts[1].id, pacts[2].id]


def test_how_it_is_declared(database_dsn: str) -> None:
    with pytest.raises(ModelError, match="on_update='never' does not exist"):
        foreign_key(on_update="never")  # type: ignore[call-overload]
    (sql,) = Database(database_dsn).create_sql(City)[:1]
    assert sql.replace("NO ACTION", "RESTRICT").endswith(
        'REFERENCES "keyed_nation" ("code") ON DELETE RESTRICT ON UPDATE CASCADE\n)'
    )
