"""What the database gave and Python has no value for came out as a bare OverflowError or ValueError."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from cormorant import AsyncSession, Database, DataError, Mapped, Model, field, generated, types


class Spell(Model, app="regressions_unreadable"):
    id: Mapped[int] = generated(primary_key=True)
    span: Mapped[timedelta]
    factor: Mapped[int] = field(size="big")


async def test_an_interval_beyond_pythons_is_a_data_error(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Spell)
        async with AsyncSession(database) as session:
            session.add(Spell(span=timedelta(days=300), factor=2**40))
        product: Any = Spell.span * Spell.factor
        for query in (
            lambda spells: spells.scalars(product),
            lambda spells: spells.values(Spell, product),
            lambda spells: spells.as_dicts(product.label("p")),
            lambda spells: spells.order_by(product).page(1),
        ):
            async with AsyncSession(database) as session:
                with pytest.raises(DataError) as caught:
                    await query(session.query(Spell))
                assert "366" not in str(caught.value)
                assert "out of range" in caught.value.message or database.dialect.name == "postgresql"


class Loose(Model, app="regressions_unreadable"):
    id: Mapped[int] = generated(primary_key=True)
    day: Mapped[date]
    own: Mapped[Any] = field(
        type=types.Custom(int, base=types.TEXT, encode=str, decode=lambda text: int(text)), default=0
    )


@pytest.mark.parametrize(("column", "kind"), [("day", "ValueError"), ("own", "ValueError")])
async def test_the_column_is_named_and_the_value_is_not(column: str, kind: str) -> None:
    async with Database("sqlite://") as database:
        await database.create_all(Loose)
        async with AsyncSession(database) as session:
            await session.execute(
                "insert into regressions_unreadable_loose (id, day, own) values (1, '2024-01-01', '1')"
            )
            await session.execute(f"update regressions_unreadable_loose set {column} = 'secret'")
        async with AsyncSession(database) as session:
            with pytest.raises(DataError, match=rf"Loose\.{column} cannot be read: .*\({kind}\)") as caught:
                await session.query(Loose)
            assert "secret" not in str(caught.value)
            with pytest.raises(DataError, match=r"column 2 of the result cannot be read"):
                await session.query(Loose).values(Loose.id, getattr(Loose, column))
