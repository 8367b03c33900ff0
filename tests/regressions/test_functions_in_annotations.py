"""A function that was written in an annotation found neither its module's names nor Python's own when it was called."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AfterValidator

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, field, generated

LEAST = 3


def _refused(value: str) -> str:
    raise ValueError(f"{value} is too short")


class Reef(Model, table="annotated_reef"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[Annotated[str, AfterValidator(lambda value: value if len(value) >= LEAST else _refused(value))]]
    depth: Mapped[Annotated[int, AfterValidator(lambda value: [LEAST for _ in range(value)])]] = field(default=1)


async def test_they_find_the_modules_names_and_pythons(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Reef)
        async with AsyncSession(database) as session:
            await session.create(Reef, name="deep")
            with pytest.raises(ValidationError, match="'up' is refused: up is too short"):
                await session.create(Reef, name="up")
            session.clear()


async def test_they_find_the_names_around_their_class(database_dsn: str) -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value

    class Shoal(Model, table="annotated_shoal"):
        id: Mapped[int] = generated(primary_key=True)
        size: Mapped[Annotated[int, AfterValidator(lambda value: even(value))]]

    async with Database(database_dsn) as database:
        await database.create_all(Shoal)
        async with AsyncSession(database) as session:
            await session.create(Shoal, size=2)
            with pytest.raises(ValidationError, match="must be even"):
                await session.create(Shoal, size=3)
            session.clear()
