"""`session.clear()` inside of a block had it forget what to undo: what came afterwards survived a rollback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated, hooks
from cormorant.persistence.unit_of_work import UnitOfWork
from tests.support import kept_tables


class Coin(Model, app="cleared"):
    id: Mapped[int] = generated(primary_key=True)
    worth: Mapped[int] = field(default=0)


class ChangedMyMind(Exception):
    pass


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with one coin."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Coin)
        async with AsyncSession(database) as session:
            session.add(Coin(worth=1))
        yield database


def unit_of(session: AsyncSession) -> UnitOfWork:
    return session.state().unit


async def worths(database: Database) -> list[int]:
    async with AsyncSession(database) as session:
        return await session.query(Coin).order_by(Coin.id).scalars(Coin.worth)


async def clear_and_change(session: AsyncSession, *, flush: bool) -> list[Coin]:
    known, waits = await session.query(Coin).first(), Coin(worth=50)
    assert known is not None
    known.worth = 2
    await session.flush()
    known.worth = 3
    session.add(waits)
    session.clear()
    again, new = await session.query(Coin).one(), Coin(worth=100)
    assert again is not known
    assert again.worth == 2
    again.worth = 99
    session.add(new)
    if flush:
        await session.flush()
    return [known, waits, again, new]


@pytest.mark.parametrize("flush", [True, False])
async def test_a_block_that_fails_after_a_clear_leaves_nothing(database: Database, flush: bool) -> None:
    async with AsyncSession(database) as session:
        with suppress(ChangedMyMind):
            async with session.transaction():
                known, waits, again, new = await clear_and_change(session, flush=flush)
                raise ChangedMyMind
        assert unit_of(session).is_empty
        assert new not in session.identity_map
        assert new not in session.new
        # what was cleared was forgotten
        assert known not in session.identity_map
        assert waits not in session.new
        # and what was read after the write may show what is gone
        assert (await again).worth == 1
        session.add(new)
    assert await worths(database) == [1, 100]


@pytest.mark.parametrize("flush", [True, False])
async def test_a_savepoint_that_fails_after_a_clear_leaves_nothing(database: Database, flush: bool) -> None:
    async with AsyncSession(database) as session, session.transaction():
        outside = Coin(worth=7)
        session.add(outside)
        await session.flush()
        with suppress(ChangedMyMind):
            async with session.transaction():
                (found, kept) = await session.query(Coin).order_by(Coin.id)
                found.worth = 5
                session.clear()
                (again, kept) = await session.query(Coin).order_by(Coin.id)
                again.worth, kept.worth = 99, 98
                session.add(new := Coin(worth=100))
                if flush:
                    await session.flush()
                raise ChangedMyMind
        assert unit_of(session).is_empty
        assert new not in session.identity_map
        assert ((await again).worth, (await kept).worth) == (1, 7)
        again.worth = 4
    assert await worths(database) == [4, 7]


async def test_what_a_savepoint_did_after_a_clear_is_undone_with_the_block_around(database: Database) -> None:
    async with AsyncSession(database) as session:
        with suppress(ChangedMyMind):
            async with session.transaction():
                async with session.transaction():
                    session.clear()
                    coin = await session.query(Coin).one()
                    coin.worth = 99
                    session.add(new := Coin(worth=100))
                session.add(Coin(worth=101))
                raise ChangedMyMind
        assert unit_of(session).is_empty
        assert new not in session.identity_map
        assert coin.worth == 1
    assert await worths(database) == [1]


async def test_a_block_goes_on_after_a_clear(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction(), session.transaction():
        session.add(Coin(worth=2))
        await session.flush()
        session.add(Coin(worth=3))
        session.clear()
        session.add(Coin(worth=4))
    assert await worths(database) == [1, 2, 4]


async def test_hooks_hear_of_a_savepoint_that_failed_after_a_clear(database: Database) -> None:
    told: list[str] = []
    kept = hooks.after_commit(Coin)(lambda coin: told.append(f"committed {coin.worth}"))
    undone = hooks.after_rollback(Coin)(lambda coin: told.append(f"undone {coin.worth}"))
    try:
        async with AsyncSession(database) as session, session.transaction():
            with suppress(ChangedMyMind):
                async with session.transaction():
                    session.add(Coin(worth=5))
                    await session.flush()
                    session.after_commit(told.append, "sent before")
                    session.clear()
                    session.add(Coin(worth=6))
                    await session.flush()
                    session.after_commit(told.append, "sent")
                    session.after_rollback(told.append, "not sent")
                    raise ChangedMyMind
    finally:
        hooks.remove(kept)
        hooks.remove(undone)
    assert told == ["undone 5", "undone 6", "not sent"]
