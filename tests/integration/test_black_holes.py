"""S10: a server that says nothing any more; whatever waits for it ends in its time, by the error that says so.

The only tests that compare with the clock: that a call returns in its time is what they are about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest

from cormorant import (
    AsyncSession,
    CommitOutcomeUnknown,
    ConnectionConfig,
    ConnectionLost,
    CormorantError,
    Database,
    Mapped,
    Model,
    PoolTimeout,
    QueryTimeout,
    generated,
)
from tests.support.faults import FaultProxy

SECONDS = 0.3
GRACE = 0.5
"""What a call may take beyond its time on a busy machine; a tenth of a longer one."""


class Note(Model, table="hole_note"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]


@pytest.fixture
async def proxy(postgres_database: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(postgres_database) as proxy:
        yield proxy


@asynccontextmanager
async def through(proxy: FaultProxy, **options: Any) -> AsyncGenerator[Database, None]:
    """A database behind the proxy with three notes and a connection that is open."""
    config = ConnectionConfig.from_dsn(proxy.dsn, **{"pool_size": 2, **options})
    database = Database(config, timeout=SECONDS, commit_timeout=SECONDS)
    try:
        await database.create_all(Note)
        async with AsyncSession(database, timeout=10) as session:
            session.add(Note(text="one"), Note(text="two"), Note(text="three"))
        yield database
    finally:
        await in_time(database.close(timeout=SECONDS))


async def in_time(work: Awaitable[Any], seconds: float = SECONDS) -> None:
    """Awaits what has so many seconds."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with asyncio.timeout(10):
            await work
    finally:
        assert loop.time() - start < max(seconds * 1.1, seconds + GRACE)


async def fill(database: Database) -> None:
    """Opens every connection that the pool may have."""
    held = [await database.adapter.acquire() for _ in range(database.adapter.stats.size)]
    for connection in held:
        database.adapter.release(connection)


async def goes_on(proxy: FaultProxy, database: Database, notes: int | None = 3) -> None:
    """Looks whether the database works once the server answers again."""
    proxy.pass_on()
    async with AsyncSession(database, timeout=10) as session:
        found = await session.query(Note).count()
    assert notes is None or found == notes


Call: TypeAlias = Callable[[AsyncSession], Awaitable[Any]]


async def add_and_flush(session: AsyncSession) -> None:
    session.add(Note(text="four"))
    await session.flush()


async def stream(session: AsyncSession) -> None:
    async for _ in session.query(Note).stream(chunk=1):
        pass


async def stream_sql(session: AsyncSession) -> None:
    async for _ in session.stream("SELECT id FROM hole_note", chunk=1):
        pass


async def in_a_block(session: AsyncSession) -> None:
    async with session.transaction():
        await session.query(Note).all()


CALLS: list[Call] = [
    lambda session: session.query(Note).all(),
    lambda session: session.query(Note).count(),
    lambda session: session.get(Note, 1),
    add_and_flush,
    lambda session: session.execute("SELECT 1"),
    lambda session: session.execute("UPDATE hole_note SET text = 'x'"),
    lambda session: session.query(Note).update(Note.text.set("x")),
    lambda session: session.query(Note).bulk_create([Note(text="five")]),
    stream,
    stream_sql,
    in_a_block,
]


async def test_every_call_outside_of_a_transaction(proxy: FaultProxy) -> None:
    async with through(proxy, pool_size=len(CALLS)) as database:
        await fill(database)
        proxy.swallow()

        async def run(call: Call) -> None:
            async with AsyncSession(database) as session:
                with pytest.raises(QueryTimeout, match="waited for the database's answer"):
                    await in_time(call(session))
                await in_time(session.rollback())

        await asyncio.gather(*map(run, CALLS))
        await goes_on(proxy, database)


async def test_every_call_inside_of_a_transaction(proxy: FaultProxy) -> None:
    async with through(proxy, pool_size=len(CALLS)) as database:
        await fill(database)
        begun = [asyncio.Event() for _ in CALLS]

        async def run(call: Call, ready: asyncio.Event) -> None:
            session = AsyncSession(database)
            await session.__aenter__()
            await session.begin()
            await session.execute("SELECT 1")
            ready.set()
            await swallowed.wait()
            with pytest.raises(QueryTimeout, match="waited for the database's answer") as caught:
                await in_time(call(session))
            # the end of its block
            await in_time(session.__aexit__(type(caught.value), caught.value, None))
            assert session.last_commit is None

        swallowed = asyncio.Event()
        # one that cannot begin ends the others, instead of being waited for
        async with asyncio.TaskGroup() as tasks:
            for call, ready in zip(CALLS, begun, strict=True):
                tasks.create_task(run(call, ready))
            await asyncio.gather(*[ready.wait() for ready in begun])
            proxy.swallow()
            swallowed.set()
        assert database.adapter.stats.in_use == 0
        await goes_on(proxy, database)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
async def test_a_stream_at_a_later_chunk(proxy: FaultProxy, inside: bool) -> None:
    async with through(proxy) as database, AsyncSession(database) as session:
        if inside:
            await session.begin()

        async def read() -> None:
            async for _ in session.stream("SELECT id FROM hole_note", chunk=1):
                proxy.swallow()

        with pytest.raises(QueryTimeout, match="waited for the database's answer"):
            # what its end asks of the server has as long once more, twice
            await in_time(read(), 3 * SECONDS)
        await in_time(session.rollback())
        assert database.adapter.stats.in_use == 0
        await goes_on(proxy, database)


async def test_a_savepoint(proxy: FaultProxy) -> None:
    async with through(proxy) as database, AsyncSession(database) as session:
        await session.begin()
        await session.execute("DELETE FROM hole_note")
        inner = session.transaction()
        await inner.__aenter__()
        await session.execute("SELECT 1")
        proxy.swallow()
        with pytest.raises(QueryTimeout):
            await in_time(session.execute("SELECT 2"))
        await in_time(inner.__aexit__(KeyError, KeyError(), None))
        await in_time(session.rollback())
        await goes_on(proxy, database)


@pytest.mark.parametrize("how", ["commit", "end"])
async def test_a_commit(proxy: FaultProxy, how: str) -> None:
    async with through(proxy) as database:
        session = AsyncSession(database)
        await session.__aenter__()
        session.add(Note(text="four"), Note(text="five"))
        await session.flush()
        proxy.swallow()
        with pytest.raises(CommitOutcomeUnknown, match="did not answer"):
            await in_time(session.commit() if how == "commit" else session.__aexit__(None, None, None))
        if how == "commit":
            await in_time(session.__aexit__(None, None, None))
        await goes_on(proxy, database)


async def test_a_rollback(proxy: FaultProxy) -> None:
    async with through(proxy) as database, AsyncSession(database) as session:
        session.add(Note(text="four"), Note(text="five"))
        await session.flush()
        proxy.swallow()
        await in_time(session.rollback())
        assert not session.in_transaction
        await goes_on(proxy, database)


async def test_a_lone_write(proxy: FaultProxy) -> None:
    async with through(proxy) as database:
        async with AsyncSession(database) as session:
            session.add(Note(text="prepared"))
        proxy.swallow()
        session = AsyncSession(database)
        await session.__aenter__()
        session.add(Note(text="lonely"))
        # its own time, and then commit_timeout for the answer to the request to stop it
        with pytest.raises(CommitOutcomeUnknown, match="nor to the request to stop"):
            await in_time(session.__aexit__(None, None, None), 2 * SECONDS)
        await goes_on(proxy, database, notes=4)


async def test_a_cancelled_call(proxy: FaultProxy) -> None:
    async with through(proxy) as database, AsyncSession(database, timeout=None) as session:
        await session.begin()
        await session.query(Note).all()
        proxy.swallow()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await session.query(Note).all()
        await in_time(session.rollback())
        await goes_on(proxy, database)


async def test_a_session_without_a_timeout_ends_in_time_too(proxy: FaultProxy) -> None:
    async with through(proxy) as database:
        database.timeout = None
        session = AsyncSession(database)
        await session.__aenter__()
        session.add(Note(text="four"), Note(text="five"))
        await session.flush()
        proxy.swallow()
        # nothing limits a statement; undoing has the time of a commit
        await in_time(session.__aexit__(KeyError, KeyError(), None))
        await goes_on(proxy, database)


async def ping(database: Database) -> None:
    database.timeout = None
    await database.ping(timeout=SECONDS)


async def outcome(database: Database) -> None:
    await database.outcome(3)


@pytest.mark.parametrize("call", [ping, outcome])
async def test_what_the_database_is_asked(proxy: FaultProxy, call: Callable[[Database], Awaitable[None]]) -> None:
    async with through(proxy) as database:
        proxy.swallow()
        with pytest.raises(ConnectionLost, match=r"did not answer within 0\.3 s"):
            await in_time(call(database))
        await goes_on(proxy, database)


async def test_a_connection_that_is_made(proxy: FaultProxy) -> None:
    async with through(proxy, connect_timeout=1, acquire_timeout=None) as database:
        proxy.swallow()
        # those there are would be lent, and serve nobody
        database.adapter.schema_changed()
        with pytest.raises(ConnectionLost, match="did not answer within 1 s"):
            await in_time(database.adapter.acquire(), 1)
        await goes_on(proxy, database)


async def test_a_connection_that_falls_silent_while_it_is_made(proxy: FaultProxy) -> None:
    config = ConnectionConfig.from_dsn(proxy.dsn, connect_timeout=1, acquire_timeout=None)
    database = Database(config)
    try:
        fault = proxy.arm(b"SHOW", when="before", action="blackhole")
        with pytest.raises(ConnectionLost, match="did not answer within 1 s"):
            await in_time(database.adapter.acquire(), 1)
        assert fault.fired
        await database.ping()
    finally:
        await in_time(database.close(timeout=SECONDS))


async def test_waiting_for_one_of_the_pool(proxy: FaultProxy) -> None:
    async with through(proxy, pool_size=1, acquire_timeout=1) as database, AsyncSession(database) as session:
        await session.begin()
        await session.execute("SELECT 1")
        proxy.swallow()
        with pytest.raises(PoolTimeout, match="within 1 s"):
            await in_time(database.adapter.acquire(), 1)
        await in_time(session.rollback())
        await goes_on(proxy, database)


@pytest.mark.parametrize("used", [False, True])
async def test_closing(proxy: FaultProxy, used: bool) -> None:
    async with through(proxy) as database:
        held = await database.adapter.acquire() if used else None
        proxy.swallow()
        task = asyncio.ensure_future(held.fetch("SELECT 1")) if held is not None else None
        await asyncio.sleep(0)
        await in_time(database.close(timeout=SECONDS))
        if task is not None:
            with pytest.raises(ConnectionLost):
                await task


async def test_every_idle_connection_is_silent(proxy: FaultProxy) -> None:
    async with through(proxy, pool_size=20, connect_timeout=1) as database:
        await fill(database)
        proxy.break_all("blackhole")

        async def visit() -> int | CormorantError:
            try:
                async with AsyncSession(database) as session:
                    return await session.query(Note).count()
            except QueryTimeout as error:
                return error

        found = asyncio.gather(*[visit() for _ in range(20)])
        await in_time(found)
        assert [type(each) for each in found.result()] == [QueryTimeout] * 20
        while database.adapter.stats.opened:
            await asyncio.sleep(0)
        # what was silent once is not lent again
        assert [await visit() for _ in range(20)] == [3] * 20
        proxy.pass_on()
