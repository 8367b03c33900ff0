"""`db.listen()`: notifications of PostgreSQL, from channels of any name, as long as somebody takes them."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    ConnectionConfig,
    ConnectionLost,
    Database,
    Listener,
    ListenerOverflow,
    Notification,
    PoolClosed,
    text,
)
from cormorant.database import switchboard
from tests.support.faults import FaultProxy

pytestmark = pytest.mark.direct("a pooler gives nobody notifications")

HOSTILE = ['a"b; DROP TABLE x; --', "Orders", "with space", "ünï", "per%cent", "$1", "x" * 63, "'quoted'"]
OURS = "from pg_stat_activity where datname = current_database() and application_name = 'listening'"


@pytest.fixture
async def db(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(ConnectionConfig.from_dsn(postgres_database, application_name="listening")) as database:
        yield database


@pytest.fixture
async def sender(postgres_database: str) -> AsyncIterator[AsyncSession]:
    """A session of somebody else."""
    async with Database(postgres_database) as database, AsyncSession(database) as session:
        yield session


async def send(session: AsyncSession, channel: str, payload: str = "") -> None:
    """Sends a notification at once."""
    await session.execute("select pg_notify(:channel, :payload)", {"channel": channel, "payload": payload})


async def backends(session: AsyncSession) -> list[int]:
    """The server's processes for connections of the database under test."""
    asked = f"select pid {OURS} order by pid"
    return [row[0] for row in await session.execute(text(asked))]


async def gone(session: AsyncSession) -> None:
    """Waits until none is left: the server takes a moment to see a goodbye."""
    async with asyncio.timeout(10):
        while await backends(session):
            await asyncio.sleep(0)


async def next_of(listener: Listener) -> Notification:
    async with asyncio.timeout(10):
        return await anext(listener)


# ---- what is told


async def test_what_is_sent_after_the_block_has_begun_is_told_in_order(db: Database, sender: AsyncSession) -> None:
    async with db.listen("orders", "returns") as notes:
        for number in range(5):
            await send(sender, "orders" if number % 2 else "returns", str(number))
        told = [await next_of(notes) for _ in range(5)]
    assert [(note.channel, note.payload) for note in told] == [
        ("returns", "0"),
        ("orders", "1"),
        ("returns", "2"),
        ("orders", "3"),
        ("returns", "4"),
    ]
    pid = (await sender.execute("select pg_backend_pid()")).scalar()
    assert {note.pid for note in told} == {pid}
    assert not any(note.gap for note in told)


async def test_a_loop_without_a_block(db: Database, sender: AsyncSession) -> None:
    told: list[str] = []

    async def follow() -> None:
        async for note in db.listen("orders"):
            told.append(note.payload)
            if note.payload == "last":
                break

    task = asyncio.create_task(follow())
    async with db.listen("orders") as other:
        # of the same channel: it is told once both of them are
        while not told:
            await send(sender, "orders", "first")
            await next_of(other)
        await send(sender, "orders", "last")
        await task
    assert told[-1] == "last"


@pytest.mark.parametrize("name", HOSTILE)
async def test_the_name_of_a_channel_is_taken_as_it_is(db: Database, sender: AsyncSession, name: str) -> None:
    async with db.listen(name) as notes:
        await send(sender, name, "x")
        assert await next_of(notes) == Notification(name, "x", (await next_pid(sender)))


async def next_pid(session: AsyncSession) -> int:
    return int((await session.execute("select pg_backend_pid()")).scalar())


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 64, "ü" * 32])
def test_what_is_no_name_is_refused(postgres_dsn: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="channel's name"):
        Database(postgres_dsn).listen("orders", name)


@pytest.mark.parametrize("buffer", [0, -1, True, 1.5, "many"])
def test_a_buffer_that_is_none_is_refused(postgres_dsn: str, buffer: object) -> None:
    with pytest.raises(ConfigurationError, match="buffer is"):
        Database(postgres_dsn).listen("orders", buffer=buffer)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_sqlite_sends_no_notifications() -> None:
    with pytest.raises(ConfigurationError, match="sends no notifications"):
        Database("sqlite://").listen("orders")


async def test_a_notification_of_a_transaction_comes_with_its_commit(db: Database, sender: AsyncSession) -> None:
    async with db.listen("orders") as notes:
        for end in ("rollback", "commit"):
            await sender.execute("select pg_notify('orders', :end)", {"end": end}, write=True)
            await (sender.rollback() if end == "rollback" else sender.commit())
        assert (await next_of(notes)).payload == "commit"


# ---- connections


async def test_listeners_share_one_connection_beside_the_pool(postgres_database: str, sender: AsyncSession) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, application_name="listening", pool_size=1)
    async with Database(config) as db:
        held = await db.adapter.acquire()
        async with db.listen("a") as first, db.listen("a", "b") as second, db.listen("c") as third:
            assert len(await backends(sender)) == 2
            for channel in "abc":
                await send(sender, channel)
            assert [(await next_of(each)).channel for each in (first, second, second, third)] == ["a", "a", "b", "c"]
        db.adapter.release(held)


async def test_the_server_is_asked_for_no_more_than_somebody_hears(db: Database, sender: AsyncSession) -> None:
    async with db.listen("a") as first:
        async with db.listen("a", "b"):
            pass
        await send(sender, "b")
        await send(sender, "a", "still")
        assert (await next_of(first)).payload == "still"
    await gone(sender)


async def test_leaving_by_break_closes_the_connection(db: Database, sender: AsyncSession) -> None:
    async def follow() -> None:
        async for _ in db.listen("orders"):
            break

    task = asyncio.create_task(follow())
    while not task.done():
        await send(sender, "orders")
    gc.collect()
    await gone(sender)


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_a_listener_that_is_cancelled_leaves_nothing(db: Database, sender: AsyncSession, turns: int) -> None:
    async def follow() -> None:
        async with db.listen("orders") as notes:
            async for _ in notes:
                pass

    task = asyncio.create_task(follow())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await gone(sender)
    async with db.listen("orders") as notes:
        await send(sender, "orders", "works")
        assert (await next_of(notes)).payload == "works"


async def test_waiting_for_a_note_may_be_given_up(db: Database, sender: AsyncSession) -> None:
    async with db.listen("orders") as notes:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(notes)
        await send(sender, "orders", "kept")
        assert (await next_of(notes)).payload == "kept"


async def test_a_listener_may_be_used_again(db: Database, sender: AsyncSession) -> None:
    listener = db.listen("orders")
    for number in ("1", "2"):
        async with listener as notes:
            await send(sender, "orders", number)
            assert (await next_of(notes)).payload == number
        with pytest.raises(StopAsyncIteration):
            await anext(listener)
    await gone(sender)


async def test_the_connection_belongs_to_no_session(db: Database) -> None:
    """A connection that was opened inside of a session would keep all that the session has loaded."""
    seen: list[object] = []

    class Marker:
        def __del__(self) -> None:
            seen.append(None)

    async def begin(notes: Listener) -> None:
        async with AsyncSession(db) as session:
            session.info = Marker()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
            await notes.__aenter__()

    notes = db.listen("orders")
    await asyncio.create_task(begin(notes))
    gc.collect()
    assert seen == [None]
    await notes.aclose()


# ---- slow listeners


async def test_a_listener_that_takes_nothing_is_ended_after_what_waits(db: Database, sender: AsyncSession) -> None:
    async with db.listen("orders", buffer=3) as slow, db.listen("orders") as quick:
        for number in range(5):
            await send(sender, "orders", str(number))
        assert [(await next_of(quick)).payload for _ in range(5)] == list("01234")
        assert [(await next_of(slow)).payload for _ in range(3)] == list("012")
        with pytest.raises(ListenerOverflow, match="3 notifications wait"):
            await next_of(slow)
        with pytest.raises(StopAsyncIteration):
            await anext(slow)


async def test_one_that_resumes_is_told_of_the_gap_and_of_its_channel(db: Database, sender: AsyncSession) -> None:
    async with db.listen("a", "b", buffer=2, resume=True) as slow, db.listen("a", "b") as quick:
        for number, channel in enumerate("aabaa"):
            await send(sender, channel, str(number))
            await next_of(quick)
        told = [await next_of(slow) for _ in range(4)]
        assert told[2:] == [Notification("b", gap=True), Notification("a", gap=True)]
        assert [note.payload for note in told[:2]] == ["0", "1"]
        await send(sender, "a", "after")
        assert (await next_of(slow)).payload == "after"


# ---- connections that are lost


async def end_all(session: AsyncSession) -> None:
    asked = f"select pg_terminate_backend(pid, 5000) {OURS}"
    assert [tuple(row) for row in await session.execute(text(asked))] == [(True,)]


async def test_a_lost_connection_ends_the_listener_after_what_waits(db: Database, sender: AsyncSession) -> None:
    async with db.listen("orders") as notes, db.listen("orders") as other:
        await send(sender, "orders", "before")
        assert (await next_of(other)).payload == "before"
        await end_all(sender)
        assert (await next_of(notes)).payload == "before"
        for each in (notes, other):
            with pytest.raises(ConnectionLost, match="may have been missed"):
                await next_of(each)
            with pytest.raises(StopAsyncIteration):
                await anext(each)
    async with db.listen("orders") as notes:
        await send(sender, "orders", "again")
        assert (await next_of(notes)).payload == "again"


async def test_one_that_resumes_listens_again_and_is_told_of_the_gap(
    db: Database, sender: AsyncSession, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "cormorant.listen"):
        async with db.listen("b", "a", resume=True) as notes:
            await end_all(sender)
            assert [await next_of(notes) for _ in range(2)] == [
                Notification("a", gap=True),
                Notification("b", gap=True),
            ]
            await send(sender, "a", "again")
            assert (await next_of(notes)).payload == "again"
    assert "listening again" in caplog.text


async def test_it_tries_until_the_server_is_back(postgres_database: str, sender: AsyncSession) -> None:
    async with FaultProxy(postgres_database) as proxy:
        port = proxy.port
        db = Database(proxy.dsn)
        notes = await db.listen("orders", resume=True).__aenter__()
    waiting = asyncio.create_task(next_of(notes))
    with pytest.raises(ConnectionLost):
        # a new one is refused at once
        await db.listen("orders", resume=True).__aenter__()
    assert not waiting.done()
    again = FaultProxy(postgres_database)
    again.port = port
    async with again:
        assert await waiting == Notification("orders", gap=True)
        await send(sender, "orders", "back")
        assert (await next_of(notes)).payload == "back"
        await db.close()


async def test_a_server_that_says_nothing_any_more_is_noticed(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "HEARTBEAT", 0.05)
    monkeypatch.setattr(switchboard, "GOODBYE", 0.05)
    async with (
        FaultProxy(postgres_database) as proxy,
        Database(ConnectionConfig.from_dsn(proxy.dsn, connect_timeout=0.3)) as db,
        db.listen("orders") as notes,
    ):
        proxy.break_all("blackhole")
        with pytest.raises(ConnectionLost, match=r"did not answer a connection that listens within 0\.3 s"):
            await next_of(notes)


async def test_a_server_that_cannot_be_reached_is_named(postgres_database: str) -> None:
    async with FaultProxy(postgres_database) as proxy:
        dsn = proxy.dsn
    async with Database(dsn) as db:
        for resume in (False, True):
            with pytest.raises(ConnectionLost, match="cannot connect"):
                async with db.listen("orders", resume=resume):
                    raise AssertionError


# ---- the end


async def test_closing_the_database_ends_the_loop_after_what_waits(db: Database, sender: AsyncSession) -> None:
    told: list[str] = []
    begun = asyncio.Event()

    async def follow() -> None:
        async with db.listen("orders") as notes:
            begun.set()
            async for note in notes:
                told.append(note.payload)  # noqa: PERF401 - it is looked at meanwhile

    async with db.listen("orders") as waiting:
        task = asyncio.create_task(follow())
        await begun.wait()
        await send(sender, "orders", "x")
        assert (await next_of(waiting)).payload == "x"
        await send(sender, "orders", "y")
        while told != ["x", "y"]:
            await asyncio.sleep(0)
        await db.close()
        await task
        assert [note.payload async for note in waiting] == ["y"]
    assert told == ["x", "y"]
    with pytest.raises(PoolClosed):
        await db.listen("orders").__aenter__()
    await gone(sender)


async def test_the_database_may_be_closed_while_a_listener_begins(db: Database) -> None:
    beginning = asyncio.create_task(db.listen("orders").__aenter__())
    await asyncio.sleep(0)
    await db.close()
    with pytest.raises(PoolClosed):
        await beginning


def test_one_event_loop_after_another(postgres_database: str) -> None:
    db = Database(postgres_database)

    async def hear(*, close: bool) -> str:
        notes = await db.listen("orders").__aenter__()
        async with AsyncSession(db) as session:
            await send(session, "orders", "mine")
        note = await next_of(notes)
        if close:
            await db.close()
        return note.payload

    assert asyncio.run(hear(close=False)) == "mine"
    assert asyncio.run(hear(close=True)) == "mine"


async def test_another_event_loop_that_is_open_is_named(db: Database) -> None:
    async with db.listen("orders"):
        with pytest.raises(ConfigurationError, match="another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(db.listen("orders").__aenter__()))


async def test_a_direct_address_is_used_by_listeners_alone(postgres_database: str, sender: AsyncSession) -> None:
    async with FaultProxy(postgres_database) as proxy:
        config = ConnectionConfig.from_dsn(postgres_database, listen_dsn=proxy.dsn)
        async with Database(config) as db:
            await db.ping()
            assert proxy.accepted == 0
            async with db.listen("orders") as notes:
                await send(sender, "orders", "x")
                assert (await next_of(notes)).payload == "x"
            assert proxy.accepted == 1


def test_the_password_of_a_direct_address_is_not_shown() -> None:
    config = ConnectionConfig.from_dsn("postgresql://localhost/x", listen_dsn="postgresql://u:hunter2@localhost/x")
    assert "hunter2" not in f"{config!r} {config}"
    with pytest.raises(ConfigurationError):
        ConnectionConfig.from_dsn("postgresql://localhost/x", listen_dsn="mysql://localhost/x")


async def test_behind_a_pooler_the_server_itself_must_be_known() -> None:
    async with Database("postgresql://localhost/x?pooler=transaction") as database:
        with pytest.raises(ConfigurationError, match="behind a pooler in transaction mode nobody can listen"):
            database.listen("news")
