"""Rows let go of unique values that nobody had read: the rows that take these were written first, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, One, field, foreign_key, generated, reverse
from cormorant.persistence import row_order
from cormorant.persistence.row_order import Need
from cormorant.persistence.unique_values import UniqueSet


class Locker(Model, app="unread_values"):
    id: Mapped[int] = generated(primary_key=True)
    label: Mapped[str] = field(unique=True)
    size: Mapped[int] = field(default=1)
    key: One[LockerKey | None] = reverse("locker")


class LockerKey(Model, app="unread_values"):
    id: Mapped[int] = generated(primary_key=True)
    locker: One[Locker] = foreign_key(unique=True, on_delete="cascade")


async def test_who_is_deleted_unread_lets_go_of_its_values(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Locker, LockerKey)
        async with AsyncSession(database) as session:
            session.add(*[Locker(label=f"{n}") for n in range(3)])
        async with AsyncSession(database) as session:
            for unread in await session.query(Locker).only(Locker.size):
                session.delete(unread)
            session.add(*[Locker(label=f"{n}", size=2) for n in range(3)])
        async with AsyncSession(database) as session:
            assert sorted(await session.query(Locker).values(Locker.label, Locker.size)) == [
                ("0", 2),
                ("1", 2),
                ("2", 2),
            ]


async def test_who_is_changed_unread_lets_go_of_its_values(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Locker, LockerKey)
        async with AsyncSession(database) as session:
            session.add(Locker(label="a"), Locker(label="b"))
        async with AsyncSession(database) as session:
            first, second = await session.query(Locker).order_by(Locker.label).only(Locker.size)
            first.label = "c"
            second.label = "d"
            session.add(Locker(label="a", size=5), Locker(label="b", size=5))
        async with AsyncSession(database) as session:
            found = await session.query(Locker).order_by(Locker.label).values(Locker.label, Locker.size)
            assert list(found) == [("a", 5), ("b", 5), ("c", 1), ("d", 1)]


async def test_what_was_read_in_a_part_that_is_undone_lets_go_of_its_values(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Locker, LockerKey)
        async with AsyncSession(database) as session:
            locker = Locker(label="a")
            session.add(locker, Locker(label="b"), key := LockerKey(locker=locker))
            await session.commit()
            session.delete(await session.query(Locker).filter(Locker.label == "b").one())
            await session.query(LockerKey)
            await session.rollback()
            session.delete(key)
            session.add(LockerKey(locker=locker))
            await session.commit()
            assert await session.query(LockerKey).count() == 1


async def test_the_needs_stay_linear_in_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs: list[Need] = []

    def noted(row: int, why: UniqueSet, way: Literal["drop"]) -> Need:
        needs.append(made := Need(row, why, way))
        return made

    async with Database(f"sqlite:///{tmp_path}/lockers.db") as database:
        await database.create_all(Locker, LockerKey)
        async with AsyncSession(database) as session:
            session.add(*[Locker(label=f"{n}") for n in range(100)])
        async with AsyncSession(database) as session:
            for unread in await session.query(Locker).only(Locker.size):
                session.delete(unread)
            session.add(*[Locker(label=f"{n}") for n in range(100)])
            monkeypatch.setattr(row_order, "Need", noted)
    assert len(needs) == 200
