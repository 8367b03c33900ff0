"""What only a collection led to when a transaction began lost its owner when that was deleted and rolled back."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, foreign_key, generated, reverse


class Inn(Model, app="waiting_members"):
    id: Mapped[int] = generated(primary_key=True)
    guests: Many[Guest] = reverse("inn")


class Guest(Model, app="waiting_members"):
    id: Mapped[int] = generated(primary_key=True)
    inn: One[Inn | None] = foreign_key(default=None, on_delete="set_null")


async def test_a_new_member_keeps_its_owner_through_a_rollback(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Inn, Guest)
        async with AsyncSession(database) as session:
            inn = await session.create(Inn)
            await session.commit()
            guest = Guest()
            inn.guests.add(guest)
            try:
                async with session.transaction():
                    await session.flush()
                    session.delete(inn)
                    await session.flush()
                    assert guest.inn is None
                    raise KeyError
            except KeyError:
                assert guest.inn is inn
        async with AsyncSession(database) as session:
            assert await session.query(Guest).values(Guest.id, Guest.inn.id) == [(guest.id, inn.id)]
