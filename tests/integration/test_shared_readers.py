"""Tasks that read by one statement each, on SQLite, share a reader and its thread, and a slow one holds up nobody."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, StatementError, generated
from cormorant.adapters.sqlite import SQLiteAdapter, SQLiteConnection
from cormorant.errors import ConnectionLost, PoolTimeout

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


class Seat(Model, table="seat"):
    id: Mapped[int] = generated(primary_key=True)
    row: Mapped[int]


@pytest.fixture
async def adapter(tmp_path: Path) -> AsyncIterator[SQLiteAdapter]:
    made = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}?pool_size=3")
    yield made
    await made.close()


async def read(adapter: SQLiteAdapter, sql: str, *args: Any) -> Any:
    """Gives the one value of a statement."""
    connection = await adapter.acquire_shared(write=False)
    try:
        return (await connection.fetch(sql, args))[0][0]
    finally:
        adapter.release(connection)


class Gate:
    """A function of SQL by which a statement waits in the thread, and tells that it does."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), threading.Event()
        self.calls = 0
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> int:
        self.calls += 1
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self.open.wait(30)
        return 7

    async def add_to(self, adapter: SQLiteAdapter) -> SQLiteConnection:
        """Makes it known to the reader that is lent next, and gives that."""
        connection = await adapter.acquire()
        await connection.call("", lambda raw: raw.create_function("gate", 0, self))
        adapter.release(connection)
        return connection


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


async def test_many_tasks_need_one_reader(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'seats.db'}") as db:
        await db.create_all(Seat)
        async with AsyncSession(db) as session:
            session.add(*(Seat(id=key, row=key * 2) for key in range(1, 51)))

        async def get(key: int) -> int:
            async with AsyncSession(db) as session:
                return (await session.get_one(Seat, key)).row

        assert await asyncio.gather(*map(get, range(1, 51))) == [key * 2 for key in range(1, 51)]
        stats = db.adapter.stats
        # and the writer
        assert (stats.opened, stats.in_use, stats.connected) == (2, 0, 2)


async def test_who_waits_behind_a_slow_statement_gets_another_reader(adapter: SQLiteAdapter, gate: Gate) -> None:
    await gate.add_to(adapter)
    slow = asyncio.create_task(read(adapter, "SELECT gate()"))
    await gate.reached.wait()
    found = await asyncio.gather(*(read(adapter, "SELECT ?", number) for number in range(20)))
    assert found == list(range(20))
    assert not slow.done()
    gate.open.set()
    assert await slow == 7
    assert adapter.stats.in_use == 0


async def test_what_is_slow_runs_side_by_side(adapter: SQLiteAdapter) -> None:
    gates = [Gate(), Gate(), Gate()]
    readers = [await adapter.acquire() for _ in gates]
    for connection, gate in zip(readers, gates, strict=True):
        await connection.call("", lambda raw, gate=gate: raw.create_function("gate", 0, gate))
    for connection in readers:
        adapter.release(connection)
    tasks = [asyncio.create_task(read(adapter, "SELECT gate()")) for _ in range(4)]
    for gate in gates:
        await gate.reached.wait()
    assert adapter.stats.in_use == 3
    for gate in gates:
        gate.open.set()
    assert await asyncio.gather(*tasks) == [7] * 4


async def test_where_no_reader_is_free_all_wait_for_one_as_they_always_do(tmp_path: Path, gate: Gate) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}?pool_size=1&max_waiting=3")
    await gate.add_to(adapter)
    slow = asyncio.create_task(read(adapter, "SELECT gate()"))
    await gate.reached.wait()
    others = [asyncio.create_task(read(adapter, "SELECT ?", number)) for number in range(5)]
    while adapter.stats.waiting < 3:
        await asyncio.sleep(0.001)
    gate.open.set()
    found = await asyncio.gather(slow, *others, return_exceptions=True)
    assert found[:4] == [7, 0, 1, 2]
    assert [type(error) for error in found[4:]] == [PoolTimeout, PoolTimeout]
    assert adapter.stats.in_use == 0
    await adapter.close()


async def test_who_waits_too_long_behind_a_slow_statement_is_told(tmp_path: Path, gate: Gate) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}?pool_size=1&acquire_timeout=0.05")
    await gate.add_to(adapter)
    slow = asyncio.create_task(read(adapter, "SELECT gate()"))
    await gate.reached.wait()
    with pytest.raises(PoolTimeout):
        await read(adapter, "SELECT 1")
    gate.open.set()
    assert await slow == 7
    await adapter.close()


async def test_a_reader_whose_slow_statement_has_ended_is_free_for_others(tmp_path: Path) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}?pool_size=2")
    gates = [Gate(), Gate()]
    readers = [await adapter.acquire() for _ in gates]
    for connection, gate in zip(readers, gates, strict=True):
        await connection.call("", lambda raw, gate=gate: raw.create_function("gate", 0, gate))
    for connection in readers:
        adapter.release(connection)
    tasks = [asyncio.create_task(read(adapter, "SELECT gate()")) for _ in gates]
    for gate in gates:
        await gate.reached.wait()
    # the second was sent on from the reader of the first
    gates[1].open.set()
    done, (late,) = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    assert await read(adapter, "SELECT 2") == 2
    alone = await adapter.acquire()
    adapter.release(alone)
    gates[0].open.set()
    assert await late == 7
    await adapter.close()


async def test_who_shares_does_not_wait_for_those_who_do_not(adapter: SQLiteAdapter) -> None:
    await read(adapter, "SELECT 1")
    alone = [asyncio.create_task(adapter.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    # the first has the only one, and another is being opened for the second
    assert await read(adapter, "SELECT 1") == 1
    for connection in await asyncio.gather(*alone):
        adapter.release(connection)


async def test_a_transaction_is_never_sent_on(adapter: SQLiteAdapter, gate: Gate) -> None:
    connection = await gate.add_to(adapter)
    assert await adapter.acquire() is connection
    slow = asyncio.create_task(connection.fetch("SELECT gate()"))
    await gate.reached.wait()
    late = asyncio.create_task(connection.fetch("SELECT 1"))
    done, _ = await asyncio.wait((late,), timeout=0.05)
    assert not done
    gate.open.set()
    assert [await slow, await late] == [[(7,)], [(1,)]]
    assert adapter.stats.opened == 1
    adapter.release(connection)


async def test_a_transaction_gets_a_reader_alone(adapter: SQLiteAdapter, gate: Gate) -> None:
    shared = await gate.add_to(adapter)
    slow = asyncio.create_task(read(adapter, "SELECT gate()"))
    await gate.reached.wait()
    alone = [await adapter.acquire(), await adapter.acquire()]
    assert shared not in alone
    waiting = asyncio.create_task(adapter.acquire())
    await asyncio.sleep(0)
    # he comes after him who waits, and does not join those who share
    late = asyncio.create_task(read(adapter, "SELECT 1"))
    gate.open.set()
    assert await waiting is shared
    assert not late.done()
    for connection in (*alone, shared):
        adapter.release(connection)
    assert [await slow, await late] == [7, 1]


# ------------------------------------------------------------------ ends


async def test_one_who_is_cancelled_stops_his_statement_and_no_other(adapter: SQLiteAdapter) -> None:
    endless = asyncio.create_task(read(adapter, ENDLESS))
    while adapter.stats.in_use == 0:
        await asyncio.sleep(0)
    others = [asyncio.create_task(read(adapter, "SELECT ?", number)) for number in range(5)]
    await asyncio.sleep(0)
    endless.cancel()
    assert await asyncio.gather(*others) == list(range(5))
    with pytest.raises(asyncio.CancelledError):
        await endless
    assert adapter.stats.in_use == 0


async def test_one_who_is_cancelled_before_his_turn_does_not_wait(adapter: SQLiteAdapter, gate: Gate) -> None:
    await gate.add_to(adapter)
    slow = asyncio.create_task(read(adapter, "SELECT gate()"))
    await gate.reached.wait()
    late = asyncio.create_task(read(adapter, "SELECT 1"))
    await asyncio.sleep(0)
    late.cancel()
    await asyncio.wait((late,))
    assert late.cancelled()
    assert not slow.done()
    gate.open.set()
    assert await slow == 7


async def test_an_interrupt_that_was_meant_for_the_statement_before_is_felt_by_nobody(
    adapter: SQLiteAdapter, gate: Gate
) -> None:
    connection = await gate.add_to(adapter)
    asked = asyncio.create_task(read(adapter, "SELECT gate() FROM (SELECT 1 UNION ALL SELECT 2)"))
    await gate.reached.wait()
    connection._raw.interrupt()
    gate.open.set()
    assert await asked == 7
    assert gate.calls > 2


async def test_an_error_is_its_own_tasks(adapter: SQLiteAdapter) -> None:
    asked = [read(adapter, "SELECT ?" if number % 2 else "SELECT nothing", number) for number in range(6)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found[1::2] == [1, 3, 5]
    assert [type(error) for error in found[::2]] == [StatementError] * 3


async def test_closing_waits_for_all_who_share(adapter: SQLiteAdapter, gate: Gate) -> None:
    await gate.add_to(adapter)
    tasks = [asyncio.create_task(read(adapter, sql)) for sql in ("SELECT gate()", "SELECT 2", "SELECT 3")]
    await gate.reached.wait()
    closing = asyncio.create_task(adapter.close())
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*tasks) == [7, 2, 3]
    await closing


async def test_closing_in_a_hurry_ends_all_who_share(adapter: SQLiteAdapter) -> None:
    tasks = [asyncio.create_task(read(adapter, sql)) for sql in (ENDLESS, "SELECT 2", "SELECT 3")]
    while adapter.stats.in_use == 0:
        await asyncio.sleep(0)
    await adapter.close(timeout=0)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], ConnectionLost)
    assert all(isinstance(end, ConnectionLost) or end in (2, 3) for end in found[1:])


async def test_a_statement_that_begins_when_its_connection_was_given_up_is_stopped(adapter: SQLiteAdapter) -> None:
    connection = await adapter.acquire()
    begun, go_on = threading.Event(), threading.Event()

    def late(raw: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return raw.execute(ENDLESS).fetchall()

    task = asyncio.create_task(connection.call("", late))
    await asyncio.to_thread(begun.wait)
    connection.terminate()
    go_on.set()
    with pytest.raises(ConnectionLost):
        await task
    adapter.release(connection)


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_is_not_cancelled_gets_what_he_asked_for(adapter: SQLiteAdapter, seed: int) -> None:
    chance = random.Random(seed)
    counted = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) SELECT count(*) FROM n"

    async def several(first: int) -> list[int]:
        return [await read(adapter, counted, first + at) for at in range(5)]

    tasks = [asyncio.create_task(several(chance.choice((1, 10, 30_000)))) for _ in range(40)]
    cancelled = chance.sample(tasks, 20)
    for task in cancelled:
        for _ in range(chance.randrange(30)):
            await asyncio.sleep(0)
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    for task, end in zip(tasks, ends, strict=True):
        if isinstance(end, list):
            assert end in [list(range(first, first + 5)) for first in (1, 10, 30_000)]
        else:
            assert isinstance(end, asyncio.CancelledError)
            assert task in cancelled
    assert adapter.stats.in_use == 0


def test_a_loop_that_was_closed_before_the_answer_came_is_forgotten(tmp_path: Path) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}")
    loop = asyncio.new_event_loop()

    async def begin() -> tuple[Gate, SQLiteConnection]:
        gate = Gate()
        connection = await gate.add_to(adapter)
        asking.append(asyncio.create_task(read(adapter, "SELECT gate()")))
        await gate.reached.wait()
        return gate, connection

    asking: list[asyncio.Task[Any]] = []
    gate, connection = loop.run_until_complete(begin())
    for task in asking:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    gate.open.set()
    line = connection._route.line
    assert line is not None
    connection.terminate()
    connection._driver._thread.join(30)
    assert not line._answers.come


def test_the_next_loop_goes_on_with_what_the_last_one_has_opened(tmp_path: Path) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'seats.db'}")

    async def several() -> list[int]:
        return list(await asyncio.gather(*(read(adapter, "SELECT ?", number) for number in range(10))))

    for _ in range(3):
        assert asyncio.run(several()) == list(range(10))
    assert adapter.stats.connected == 1
    asyncio.run(adapter.close())


async def test_who_has_left_a_reader_for_another_does_not_come_back_to_it(adapter: SQLiteAdapter, gate: Gate) -> None:
    shared = await gate.add_to(adapter)
    slow = asyncio.create_task(read(adapter, "SELECT gate()"))
    await gate.reached.wait()

    async def read_twice() -> list[Any]:
        connection = await adapter.acquire_shared(write=False)
        try:
            return [(await connection.fetch("SELECT ?", (number,)))[0][0] for number in (1, 2, 3)]
        finally:
            adapter.release(connection)

    # the first of each waits behind the slow one, and leaves; the others are not sent there
    found = await asyncio.gather(*(read_twice() for _ in range(4)))
    assert found == [[1, 2, 3]] * 4
    assert adapter.stats.in_use == 1
    assert not adapter._others.left
    gate.open.set()
    assert await slow == 7
    assert adapter.stats.in_use == 0
    # it is the pool's again, and alone its next user's
    connections = [await adapter.acquire() for _ in range(3)]
    assert shared in connections
    assert len(set(connections)) == 3
    for connection in connections:
        adapter.release(connection)
