"""Documents of many rows are looked at once, and what is found wrong is told with everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, field, generated
from cormorant.models import documents


class Place(BaseModel):
    lat: float
    lon: float


class Parcel(Model, app="bulk_documents"):
    id: Mapped[int] = generated(primary_key=True)
    weight: Mapped[int]
    data: Mapped[dict[str, Any]]
    extra: Mapped[list[Any] | None] = field(default=None)
    place: Mapped[Place | None] = field(default=None)


@pytest.fixture
async def db(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as db:
        await db.create_all(Parcel)
        yield db


def rows(*, objects: bool, **changes: dict[str, Any]) -> list[Any]:
    """Gives four rows; `row_2` and the like say what is different in one."""
    found = [
        {"weight": n, "data": {"n": n, "b": 1, "a": [None, "é"]}, "extra": None if n % 2 else [n], "place": None}
        for n in range(1, 5)
    ]
    for name, values in changes.items():
        found[int(name.removeprefix("row_")) - 1] |= values
    return [Parcel(**row) for row in found] if objects else found


kinds = pytest.mark.parametrize("objects", [False, True])


@kinds
async def test_documents_come_back(db: Database, objects: bool) -> None:
    async with AsyncSession(db) as session:
        await session.query(Parcel).bulk_create(rows(objects=objects, row_3={"place": Place(lat=1, lon=2.5)}))
    async with AsyncSession(db) as session:
        found = await session.query(Parcel).order_by(Parcel.weight)
        assert [parcel.data for parcel in found] == [row["data"] for row in rows(objects=False)]
        assert [parcel.extra for parcel in found] == [None, [2], None, [4]]
        assert [parcel.place for parcel in found] == [None, None, Place(lat=1, lon=2.5), None]


@kinds
async def test_all_that_is_wrong_is_told_at_once(db: Database, objects: bool) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "row_1": {"data": None},
        "row_2": {"data": {"x": {1, 2}}},
        "row_3": {"weight": "heavy", "extra": [float("nan")]},
        "row_4": {"place": {"lat": 1}},
    }
    async with AsyncSession(db) as session:
        with pytest.raises(ValidationError) as caught:
            await session.query(Parcel).bulk_create(rows(objects=objects, **wrong))
    assert [place for place, _ in caught.value.problems] == [
        "row 1: Parcel.data",
        "row 2: Parcel.data",
        "row 3: Parcel.weight",
        "row 3: Parcel.extra",
        "row 4: Parcel.place",
    ]


@kinds
async def test_a_document_changed_meanwhile_is_written_as_it_was(db: Database, objects: bool) -> None:
    given = rows(objects=objects)

    def change(_: int) -> None:
        if not objects:
            given[3]["data"]["n"] = 99
        else:
            given[3].data["n"] = 99

    async with AsyncSession(db) as session:
        await session.query(Parcel).bulk_create(given, batch=4, on_batch=change)
        if objects:
            await session.commit()
    async with AsyncSession(db) as session:
        last = await session.query(Parcel).order_by(Parcel.weight.desc()).first()
        assert last is not None
        # an object's own change is a change like any other
        assert last.data["n"] == (99 if objects else 4)


@kinds
async def test_a_text_is_made_once(db: Database, objects: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    kept = documents._kept

    def count(text: str) -> str:
        made.append(text)
        return kept(text)

    monkeypatch.setattr(documents, "_kept", count)
    async with AsyncSession(db) as session:
        await session.query(Parcel).bulk_create(rows(objects=objects))
        assert len(made) == 6
