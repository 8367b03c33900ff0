"""Flushes that once failed, or wrote something else than the objects hold."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database
from tests.support import kept_tables
from tests.support.keyed import MODELS, Detail, Nation, Order, Part, Port


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


async def test_a_key_made_in_the_flush_was_missing_two_relations_away(database: Database) -> None:
    async with AsyncSession(database) as session:
        detail = Detail(part=Part(order=Order(), place=1))
        session.add(detail)
        await session.commit()
        assert detail.part_order_id == detail.part.order.id
        assert not session.dirty


async def test_a_new_object_got_another_key_after_it_was_pointed_to(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = Nation(code="A")
        port = Port(name="p", nation=nation)
        nation.code = "B"
        session.add(port)
        await session.commit()
        assert (port.nation, port.nation_id) == (nation, "B")  # type: ignore[attr-defined]
        assert not session.dirty


async def test_two_keys_moved_along_and_a_row_kept_the_text_of_its_own(database: Database) -> None:
    """The key it holds is given up by one object and taken by the other: it pointed to the wrong one."""
    async with AsyncSession(database) as session:
        one, two = await session.create(Nation, code="A"), await session.create(Nation, code="B")
        port = await session.create(Port, name="p", nation=two)
        await session.commit()
        port.nation = one
        two.code = "C"
        one.code = "B"
        await session.commit()
    async with AsyncSession(database) as session:
        assert await session.query(Port).values(Port.nation.code, Port.nation_id) == [("B", "B")]  # type: ignore[attr-defined]
        assert await session.query(Nation).order_by(Nation.code).scalars(Nation.version) == [2, 2]


async def test_a_refused_flush_failed_the_transaction_it_had_begun(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two = await session.create(Nation, code="A"), await session.create(Nation, code="B")
        one.code, two.code = "B", "A"
        with pytest.raises(Exception, match="exchange values"):
            await session.flush()
        one.code, two.code = "A", "B"
        assert await session.query(Nation).count() == 2
