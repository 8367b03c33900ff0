"""PostgreSQL's errors named columns as they are quoted there: with each quotation mark twice."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, UniqueViolation, field, generated

NAMES = ['we"ird', '"quoted"', "two words"]


class Quoted(Model, table="quoted_names"):
    id: Mapped[int] = generated(primary_key=True)
    inside: Mapped[int | None] = field(default=None, unique=True, column=NAMES[0])
    around: Mapped[int | None] = field(default=None, unique=True, column=NAMES[1])
    spaced: Mapped[int | None] = field(default=None, unique=True, column=NAMES[2])


async def test_errors_name_the_columns_as_they_are(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Quoted)
        for attribute, name in zip(("inside", "around", "spaced"), NAMES, strict=True):
            async with AsyncSession(database) as session:
                session.add(Quoted(**{attribute: 1}), Quoted(**{attribute: 1}))
                with pytest.raises(UniqueViolation) as caught:
                    await session.flush()
                assert caught.value.columns == (name,)
                await session.rollback()
