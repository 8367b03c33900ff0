"""S9: a transaction in which nothing is sent for long is logged; who waits for its connection is told who has it."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Iterator

import pytest

from cormorant import AsyncSession, ConnectionConfig, Database, Session
from cormorant.errors import ConfigurationError, PoolTimeout

HERE = __file__
PATIENCE = 60


class Records(logging.Handler):
    """What was logged, to be waited for from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: queue.Queue[str] = queue.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.waiting.put(record.getMessage())


@pytest.fixture
def records() -> Iterator[Records]:
    handler, logger = Records(), logging.getLogger("cormorant.transactions")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


async def test_it_is_logged_once_with_task_and_lines(database_dsn: str, records: Records) -> None:
    async def work() -> None:
        async with AsyncSession(database) as session:
            await session.begin()
            await session.execute("select 1")
            told = await asyncio.to_thread(records.waiting.get, timeout=PATIENCE)
            # a savepoint, and what is sent in it, are of the same transaction
            async with session.transaction():
                await session.execute("select 2")
            assert not database.lending._watch.look(database.lending.holders.values())
        line = work.__code__.co_firstlineno + 1
        assert f"begun by worker at {HERE}:{line + 2}, " in told
        assert f"in the session opened by worker at {HERE}:{line};" in told

    async with Database(database_dsn, idle_transaction_warning=0.01) as database:
        await asyncio.create_task(work(), name="worker")
    assert records.waiting.empty()


def test_it_is_logged_on_the_loop_of_sync_sessions(database_dsn: str, records: Records) -> None:
    database = Database(database_dsn, idle_transaction_warning=0.01)
    with Session(database) as session, session.transaction():
        session.execute("select 1")
        told = records.waiting.get(timeout=PATIENCE)
    line = test_it_is_logged_on_the_loop_of_sync_sessions.__code__.co_firstlineno + 2
    assert f"begun by MainThread at {HERE}:{line + 1}, " in told
    assert f"in the session opened by MainThread at {HERE}:{line};" in told
    asyncio.run(database.close())


def test_the_time_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="idle_transaction_warning is 0"):
        Database("sqlite:///:memory:", idle_transaction_warning=0)


async def test_who_waits_in_vain_is_told_who_has_the_connections(database_dsn: str) -> None:
    """In debug mode with the user's lines, not ours: of transactions, lone reads and lone writes."""
    asyncio.get_running_loop().set_debug(True)
    config = ConnectionConfig.from_dsn(database_dsn, pool_size=1, max_waiting=0)
    async with Database(config) as database:
        held, go_on = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with AsyncSession(database) as session, session.transaction():
                await session.execute("select 1", write=True)
                held.set()
                await go_on.wait()

        holder = asyncio.create_task(hold(), name="holder")
        await asyncio.wait_for(held.wait(), PATIENCE)
        line = hold.__code__.co_firstlineno + 2
        with pytest.raises(PoolTimeout, match=rf"1 are in use \(by holder at {HERE}:{line} for \d+\.\d s\)"):
            async with AsyncSession(database) as session:
                await session.execute("select 1", write=True)
        go_on.set()
        await holder
