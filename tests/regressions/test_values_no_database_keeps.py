"""Values that one database would change or lose are refused on both, naming the column."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, field, generated


class Kept(Model, table="kept_values"):
    id: Mapped[int] = generated(primary_key=True)
    ratio: Mapped[float | None] = field(default=None)
    exact: Mapped[Decimal | None] = field(default=None)
    price: Mapped[Decimal | None] = field(default=None, precision=8, decimal_places=2)
    moment: Mapped[datetime | None] = field(default=None)
    name: Mapped[str | None] = field(default=None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("ratio", math.nan),
        ("exact", Decimal("1E+200000")),
        ("exact", Decimal("1E-20000")),
        ("price", Decimal("1.555")),
        ("moment", datetime.max.replace(tzinfo=UTC)),
        ("moment", datetime.min.replace(tzinfo=UTC)),
        ("name", "a\0b"),
    ],
)
async def test_it_is_refused_by_name(database_dsn: str, column: str, value: Any) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Kept)
        async with AsyncSession(database) as session:
            session.add(Kept(**{column: value}))
            with pytest.raises(ValidationError, match=f"Kept.{column}"):
                await session.flush()
            await session.rollback()
        async with AsyncSession(database) as session:
            assert await session.query(Kept).count() == 0
