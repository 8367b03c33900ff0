"""A rollback that was given up gave its connection back while another task still worked with it."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated
from cormorant.adapters.base import Connection
from cormorant.errors import TransactionError


class Thing(Model, table="ended_while_used"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")


@pytest.mark.parametrize("verb", ["rollback", "commit"])
async def test_nobody_gets_the_connection_before_it_is_free(database_dsn: str, verb: str) -> None:
    working, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: Connection) -> None:
        await connection.execute("INSERT INTO ended_while_used (name) VALUES ('first')")
        working.set()
        await go_on.wait()
        # on a connection that was lent again, this would be written for good
        await connection.execute("INSERT INTO ended_while_used (name) VALUES ('second')")

    async with Database(database_dsn, pool_size=1) as database:
        await database.create_all(Thing)
        async with AsyncSession(database) as session:
            transactions = session.state().transactions
            worker = asyncio.create_task(transactions.use(work))
            await working.wait()
            held = database.adapter.stats.in_use
            ending = asyncio.create_task(getattr(transactions, verb)())
            # it waits for its turn
            while not transactions.lock.waiting:
                await asyncio.sleep(0)
            ending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ending
            assert database.adapter.stats.in_use == held == 1
            go_on.set()
            with pytest.raises(TransactionError, match="ended by another task while a statement ran in it"):
                await worker
            # the pool undoes what was left
            assert await session.query(Thing).count() == 0
            session.add(Thing(name="afterwards"))
        async with AsyncSession(database) as session:
            assert [thing.name for thing in await session.query(Thing)] == ["afterwards"]
        assert not database.lending.holders
