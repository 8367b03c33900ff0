"""A dataclass whose fields have limits was saved with any values, and could not be read again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from dataclasses import field as member
from typing import Annotated, Any

import pytest
from annotated_types import Ge, Len
from pydantic import AfterValidator, BaseModel, Field

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, field, generated
from tests.support import kept_tables


def known(color: str) -> str:
    if color not in ("red", "blue"):
        raise ValueError("is no color")
    return color


@dataclass
class Paint:
    litres: Annotated[int, Ge(0)] = 1
    color: Annotated[str, AfterValidator(known)] = "red"


class Order(BaseModel):
    amount: int = Field(default=1, ge=1)
    paints: Annotated[list[str], Len(0, 2)] = []


@dataclass
class Plain:
    names: list[str] = member(default_factory=list)


class Wall(Model, table="limits_of_typed_documents"):
    id: Mapped[int] = generated(primary_key=True)
    paint: Mapped[Paint | None] = field(default=None)
    paints: Mapped[list[Paint]] = field(default_factory=list)
    order: Mapped[Order | None] = field(default=None)
    plain: Mapped[Plain | None] = field(default=None)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Wall)
        yield database


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"paint": Paint(-1)}, "greater than or equal to 0"),
    ({"paint": Paint(1, "grey")}, "is no color"),
    ({"paints": [Paint(), Paint(-1)]}, "greater than or equal to 0"),
    ({"order": Order.model_construct(amount=0)}, "greater than or equal to 1"),
    ({"order": Order.model_construct(paints=["a", "b", "c"])}, "at most 2 items"),
]


@pytest.mark.parametrize(("values", "said"), WRONG)
async def test_what_could_not_be_read_again_is_refused(database: Database, values: dict[str, Any], said: str) -> None:
    async with AsyncSession(database) as session:
        session.add(Wall(**values))
        with pytest.raises(ValidationError, match=said):
            await session.flush()
        session.clear()
        with pytest.raises(ValidationError, match=said):
            await session.query(Wall).bulk_create([values])
        await session.rollback()


async def test_a_change_inside_is_held_to_them(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(wall := Wall(paint=Paint(3), paints=[Paint()], order=Order(amount=2), plain=Plain(["a"])))
    async with AsyncSession(database) as session:
        wall = await session.get_one(Wall, wall.id)
        assert wall.paint == Paint(3)
        wall.paint.litres = -1
        with pytest.raises(ValidationError, match="greater than or equal to 0"):
            await session.flush()
        wall.paint.litres = 4
    async with AsyncSession(database) as session:
        assert (await session.get_one(Wall, wall.id)).paint == Paint(4)
