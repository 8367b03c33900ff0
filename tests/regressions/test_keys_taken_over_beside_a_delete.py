"""A new row lost its target in memory: the target had taken over the key of a row that the same flush deleted."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, One, field, foreign_key


class Knot(Model, app="taken_over"):
    code: Mapped[str] = field(primary_key=True)
    partner: One[Knot | None] = foreign_key(default=None, on_delete="set_null")


async def test_who_points_to_a_key_that_was_taken_over_keeps_it(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Knot)
        async with AsyncSession(database) as session:
            old = await session.create(Knot, code="a")
            await session.commit()
            session.delete(old)
            first, second = Knot(code="a"), Knot(code="b")
            first.partner, second.partner = second, first
            session.add(first, second)
            await session.flush()
            assert first.partner is second
            assert second.partner is first
        async with AsyncSession(database) as session:
            assert sorted(await session.query(Knot).values(Knot.code, Knot.partner.code)) == [("a", "b"), ("b", "a")]
