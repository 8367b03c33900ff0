"""An object that was given to another owner, and deleted before that was written, stayed in its collection."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, foreign_key, generated, reverse


class Pocket(Model, app="moved_and_deleted"):
    id: Mapped[int] = generated(primary_key=True)
    coins: Many[Coin] = reverse("pocket")


class Coin(Model, app="moved_and_deleted"):
    id: Mapped[int] = generated(primary_key=True)
    pocket: One[Pocket] = foreign_key()


async def test_what_moved_and_was_deleted_is_nowhere(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Pocket, Coin)
        async with AsyncSession(database) as session:
            left, right = Pocket(), Pocket()
            coin = Coin(pocket=left)
            session.add(coin, right)
            await session.commit()
            await session.load([left, right], Pocket.coins)
            coin.pocket = right
            assert coin in right.coins
            session.delete(coin)
            await session.flush()
            assert (len(left.coins), len(right.coins)) == (0, 0)
            await session.rollback()
            assert (list(left.coins), list(right.coins)) == ([coin], [])
            assert coin.pocket is left


class Shelf(Model, app="moved_to_nothing"):
    id: Mapped[int] = generated(primary_key=True)
    boxes: Many[Box] = reverse("shelf")


class Box(Model, app="moved_to_nothing"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()


async def test_what_goes_may_lead_to_what_was_new_and_is_given_up(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Shelf, Box)
        async with AsyncSession(database) as session:
            box = Box(shelf=Shelf())
            session.add(box)
            await session.commit()
            new = Shelf()
            session.add(new)
            box.shelf = new
            session.delete(box)
            session.delete(new)
            await session.commit()
            assert (await session.query(Box).count(), await session.query(Shelf).count()) == (0, 1)
