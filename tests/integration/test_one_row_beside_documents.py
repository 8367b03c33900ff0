"""One row is written by the short way also where documents are loaded, which may change without anybody telling."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, generated


class Crate(Model, table="crate"):
    id: Mapped[int] = generated(primary_key=True)
    label: Mapped[str]
    content: Mapped[dict[str, Any]]
    marks: Mapped[list[int]]


@pytest.fixture
async def crates(database: Database) -> Database:
    await database.create_all(Crate)
    async with AsyncSession(database) as session:
        session.add(*(Crate(label=f"c{n}", content={"n": n}, marks=[n]) for n in range(5)))
    return database


async def held(database: Database) -> list[tuple[str, dict[str, Any], list[int]]]:
    async with AsyncSession(database) as session:
        return [(c.label, c.content, c.marks) for c in await session.query(Crate).order_by(Crate.id)]


def writes(session: AsyncSession) -> int:
    return sum(stat.count for stat in session.query_stats() if not stat.sql.startswith("SELECT"))


async def test_a_change_of_a_column_is_one_statement(crates: Database) -> None:
    async with AsyncSession(crates) as session:
        found = await session.query(Crate).order_by(Crate.id)
        found[0].label = "new"
        await session.commit()
        assert writes(session) == 1
    assert [label for label, _, _ in await held(crates)] == ["new", "c1", "c2", "c3", "c4"]


@pytest.mark.parametrize("place", [0, 1])
async def test_what_changed_inside_is_written_with_it(crates: Database, place: int) -> None:
    async with AsyncSession(crates) as session:
        found = await session.query(Crate).order_by(Crate.id)
        found[0].label = "new"
        found[place].content["n"] = "other"
        found[place].marks.append(7)
        await session.commit()
        assert (await held(crates))[place][1:] == ({"n": "other"}, [place, 7])
        found[place].marks.append(8)
        found[0].label = "newer"
        await session.commit()
    rows = await held(crates)
    assert rows[0][0] == "newer"
    assert rows[place][1:] == ({"n": "other"}, [place, 7, 8])
    assert rows[2:] == [(f"c{n}", {"n": n}, [n]) for n in range(2, 5)]


async def test_what_changed_inside_alone(crates: Database) -> None:
    async with AsyncSession(crates) as session:
        found = await session.query(Crate).order_by(Crate.id)
        found[1].content["n"] = "other"
        await session.commit()
        assert writes(session) == 1
        await session.commit()
        assert writes(session) == 1
    assert (await held(crates))[1] == ("c1", {"n": "other"}, [1])


async def test_a_new_row_and_a_deletion_beside_it(crates: Database) -> None:
    async with AsyncSession(crates) as session:
        found = await session.query(Crate).order_by(Crate.id)
        session.add(Crate(label="c5", content={}, marks=[]))
        found[0].content["n"] = "first"
        await session.commit()
        assert (await held(crates))[0][1] == {"n": "first"}
        session.delete(found[4])
        found[1].marks.clear()
        await session.commit()
        assert (await held(crates))[1][2] == []
    rows = await held(crates)
    assert [row[0] for row in rows] == ["c0", "c1", "c2", "c3", "c5"]
    assert (rows[0][1], rows[1][2]) == ({"n": "first"}, [])


async def test_a_change_that_is_taken_back_keeps_what_was_inside(crates: Database) -> None:
    async with AsyncSession(crates) as session:
        found = await session.query(Crate).order_by(Crate.id)
        found[0].label = "new"
        found[1].content["n"] = "other"
        await session.flush()
        await session.rollback()
        assert (found[0].label, found[1].content) == ("c0", {"n": 1})
        found[1].content["n"] = "again"
        await session.commit()
    assert (await held(crates))[1][1] == {"n": "again"}
