"""The statistics of a session counted no rows for an INSERT that gives nothing back."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field


class Counted(Model):
    name: Mapped[str] = field(primary_key=True)


@pytest.mark.parametrize("rows", [1, 3])
async def test_inserts_count_the_rows_they_write(database_dsn: str, rows: int) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Counted)
        async with AsyncSession(database) as session:
            session.add(*(Counted(name=str(number)) for number in range(rows)))
            await session.flush()
            inserts = [stats for stats in session.query_stats() if stats.sql.startswith("INSERT")]
        assert [(stats.count, stats.rows) for stats in inserts] == [(1, rows)]
