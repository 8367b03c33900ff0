"""Documents and lists that change in place are found in every flush, however often they were looked at before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated
from tests.support import kept_tables


class Folder(Model, app="folders"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    data: Mapped[dict[str, Any]] = field(default_factory=dict)
    words: Mapped[list[str]] = field(default_factory=list)
    days: Mapped[list[date] | None] = field(default=None)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Folder)
        async with AsyncSession(database) as session:
            session.add(*(Folder(name=f"{n}", data={"n": n, "in": [n]}, days=[date(2024, 1, 1)]) for n in range(3)))
        yield database


def updates(session: AsyncSession) -> int:
    return sum(stats.count for stats in session.query_stats() if stats.sql.startswith("UPDATE"))


async def test_changes_are_found_in_each_flush_and_nothing_else_is_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        first, second, third = await session.query(Folder).order_by(Folder.id)
        new = Folder(name="new", data={"n": 9})
        session.add(new)
        for step in range(1, 4):
            await session.commit()
            written = updates(session)
            await session.commit()
            assert updates(session) == written
            first.data["in"].append(step)
            second.days = [*(second.days or ()), date(2024, 1, step + 1)]
            assert third.days is not None
            third.days.append(date(2025, 1, step))
            new.data["n"] = step
            new.words.append(f"{step}")
    async with AsyncSession(database) as session:
        first, second, third, new = await session.query(Folder).order_by(Folder.id)
        assert first.data == {"n": 0, "in": [0, 1, 2, 3]}
        assert second.days == [date(2024, 1, day) for day in (1, 2, 3, 4)]
        assert third.days == [date(2024, 1, 1), *(date(2025, 1, day) for day in (1, 2, 3))]
        assert (new.data, new.words) == ({"n": 3}, ["1", "2", "3"])


async def test_equal_values_of_other_types_are_changes_and_other_orders_are_none(database: Database) -> None:
    async with AsyncSession(database) as session:
        folder = await session.get_one(Folder, 2)
        await session.commit()
        folder.data["n"] = True
        assert session.changes(folder).keys() == {"data"}
        await session.commit()
        written = updates(session)
        folder.data["n"] = folder.data.pop("n")
        folder.data = {"n": True, "in": [1]}
        await session.commit()
        assert updates(session) == written
    async with AsyncSession(database) as session:
        assert (await session.get_one(Folder, 2)).data["n"] is True


async def test_what_is_written_is_what_was_there_when_it_was_collected(database: Database) -> None:
    async with AsyncSession(database) as session:
        inner: dict[str, Any] = {"a": 1}
        folder = Folder(name="held", data=inner)
        session.add(folder)
        await session.commit()
        inner["a"] = 2
        assert session.changes(folder)["data"].old == {"a": 1}
        await session.rollback()
        assert folder.data == {"a": 1}
