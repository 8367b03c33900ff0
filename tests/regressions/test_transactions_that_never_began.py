"""No connection was free, or the file was locked: a transaction that had never begun counted as one that had failed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated, hooks
from cormorant.errors import LockTimeout, PoolTimeout, TransactionFailedError, WouldDeadlock


class Boat(Model, app="never_began"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    seats: Mapped[int] = field(default=0)


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """A database of one connection, so that a session inside of a transaction gets none."""
    async with Database(database_dsn, pool_size=1) as database:
        await database.create_all(Boat)
        async with AsyncSession(database) as session:
            session.add(Boat(name="old"))
        yield database


async def seats(database: Database) -> dict[str, int]:
    async with AsyncSession(database) as session:
        return {boat.name: boat.seats for boat in await session.query(Boat)}


async def change(session: AsyncSession) -> tuple[Boat, Boat]:
    old, new = await session.query(Boat).one(), Boat(name="new", seats=3)
    old.seats = 2
    session.add(new)
    return old, new


async def refused(session: AsyncSession, verb: str, error: type[Exception]) -> None:
    """Tries twice what cannot begin, and leaves everything as it is."""
    new, dirty = list(session.new), list(session.dirty)
    for _ in range(2):
        with pytest.raises(error):
            await getattr(session, verb)()
        assert not session.in_transaction
        assert (list(session.new), list(session.dirty)) == (new, dirty)


@pytest.mark.parametrize("verb", ["commit", "flush"])
@pytest.mark.parametrize("autocommit", [False, True])
async def test_what_was_not_begun_can_be_tried_again(database: Database, verb: str, autocommit: bool) -> None:
    async with AsyncSession(database, autocommit=autocommit) as inner:
        await change(inner)
        async with AsyncSession(database) as outer:
            await outer.execute("UPDATE never_began_boat SET seats = 1", write=True)
            await refused(inner, verb, WouldDeadlock)
            await outer.commit()
        await getattr(inner, verb)()
    assert await seats(database) == {"old": 2, "new": 3}


async def test_a_query_whose_flush_could_not_begin_can_be_run_again(database: Database) -> None:
    async with AsyncSession(database) as inner:
        old, new = await change(inner)
        async with AsyncSession(database) as outer:
            await outer.execute("UPDATE never_began_boat SET seats = 1", write=True)
            with pytest.raises(WouldDeadlock):
                await inner.query(Boat).order_by(Boat.id)
            await outer.commit()
        assert await inner.query(Boat).order_by(Boat.id) == [old, new]


async def test_a_commit_can_be_tried_again_when_the_pool_had_no_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncSession(database) as session:
        await change(session)
        with monkeypatch.context() as patch:

            async def acquire(*_: object, **__: object) -> object:
                raise PoolTimeout("no connection became free")

            patch.setattr(type(database.adapter), "acquire", acquire)
            await refused(session, "commit", PoolTimeout)
        await session.commit()
    assert await seats(database) == {"old": 2, "new": 3}


async def test_a_commit_can_be_tried_again_when_the_file_was_locked(tmp_path: Path) -> None:
    path = tmp_path / "boats.db"
    async with Database(f"sqlite:///{path}?busy_timeout=0") as database:
        await database.create_all(Boat)
        other = sqlite3.connect(path, isolation_level=None)
        async with AsyncSession(database) as session:
            session.add(Boat(name="new", seats=3), Boat(name="newer"))
            other.execute("BEGIN IMMEDIATE")
            await refused(session, "commit", LockTimeout)
            other.execute("ROLLBACK")
            await session.commit()
        other.close()
        assert await seats(database) == {"new": 3, "newer": 0}


async def test_hooks_are_told_of_the_commit_alone(database: Database) -> None:
    told: list[str] = []
    kept = [
        hooks.after_commit(Boat)(lambda boat: told.append(f"committed {boat.name}")),
        hooks.after_rollback(Boat)(lambda boat: told.append(f"undone {boat.name}")),
    ]
    try:
        async with AsyncSession(database) as inner:
            await change(inner)
            async with AsyncSession(database) as outer:
                await outer.execute("UPDATE never_began_boat SET seats = 1", write=True)
                await refused(inner, "commit", WouldDeadlock)
                await outer.commit()
    finally:
        for hook in kept:
            hooks.remove(hook)
    assert sorted(told) == ["committed new", "committed old"]


async def test_a_block_that_could_not_begin_has_failed(database: Database) -> None:
    async with AsyncSession(database) as inner:
        old, new = await change(inner)
        async with AsyncSession(database) as outer:
            await outer.execute("UPDATE never_began_boat SET seats = 1", write=True)
            block = inner.transaction()
            await block.__aenter__()
            old.seats = 4
            with pytest.raises(WouldDeadlock):
                await inner.flush()
            with pytest.raises(TransactionFailedError):
                await inner.flush()
            with pytest.raises(TransactionFailedError):
                await block.__aexit__(None, None, None)
            await outer.commit()
        # it has taken back its own change alone
        assert (list(inner.new), old.seats) == ([new], 2)
    assert await seats(database) == {"old": 2, "new": 3}
