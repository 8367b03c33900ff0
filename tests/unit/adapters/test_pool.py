"""The pool, with connections that only pretend."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from cormorant.adapters.pool import Pool
from cormorant.errors import ConfigurationError, ConnectionLost, PoolClosed, PoolTimeout


class Fake:
    """A connection that notes what is done to it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_closed = False
        self.looks_lost = False
        self.needs_reset = False
        self.altered = False
        self.done: list[str] = []
        self.reset_waits: asyncio.Event | None = None
        self.reset_fails = False
        self.close_fails = False

    def __repr__(self) -> str:
        return f"Fake({self.number})"

    async def reset(self) -> None:
        self.done.append("reset")
        if self.reset_waits is not None:
            await self.reset_waits.wait()
        if self.reset_fails:
            raise OSError("broken")
        self.needs_reset = self.altered = False

    async def close(self) -> None:
        self.done.append("close")
        if self.close_fails:
            raise OSError("broken")
        self.is_closed = True

    def terminate(self) -> None:
        if not self.is_closed:
            self.done.append("terminate")
            self.is_closed = True


class Server:
    """Opens fakes, at once or when told."""

    def __init__(self) -> None:
        self.opened: list[Fake] = []
        self.gate: asyncio.Event | None = None
        self.failures: list[Exception] = []
        self.attempts = 0

    async def connect(self) -> Fake:
        self.attempts += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.opened.append(Fake(len(self.opened) + 1))
        return self.opened[-1]


@pytest.fixture
def server() -> Server:
    return Server()


async def turns(count: int = 5) -> None:
    """Lets everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


def numbers(pool: Pool[Fake]) -> tuple[int, int, int, int]:
    stats = pool.stats
    return stats.opened, stats.idle, stats.in_use, stats.waiting


async def test_nothing_is_opened_before_the_first_use(server: Server) -> None:
    pool = Pool(server.connect, size=2)
    assert server.attempts == 0
    await pool.acquire()
    assert server.attempts == 1


async def test_an_idle_connection_is_used_again_the_last_one_first(server: Server) -> None:
    pool = Pool(server.connect, size=3)
    first, second = await pool.acquire(), await pool.acquire()
    pool.release(first)
    pool.release(second)
    assert await pool.acquire() is second
    assert await pool.acquire() is first
    assert len(server.opened) == 2


async def test_the_minimum_is_opened_at_first_use(server: Server) -> None:
    pool = Pool(server.connect, size=5, min_size=3)
    await pool.acquire()
    await turns()
    assert numbers(pool) == (3, 2, 1, 0)


async def test_callers_are_served_in_order(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    order: list[int] = []

    async def use(number: int) -> None:
        connection = await pool.acquire()
        order.append(number)
        pool.release(connection)

    tasks = [asyncio.create_task(use(number)) for number in range(4)]
    await turns()
    assert numbers(pool) == (1, 0, 1, 4)
    pool.release(held)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]
    assert numbers(pool) == (1, 1, 0, 0)


async def test_a_newcomer_does_not_overtake(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await turns()
    pool.release(held)
    late = asyncio.create_task(pool.acquire())
    assert await waiting is held
    await turns()
    assert not late.done()
    pool.release(held)
    assert await late is held


async def test_the_size_is_never_exceeded(server: Server) -> None:
    pool = Pool(server.connect, size=3)
    server.gate = asyncio.Event()
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(10)]
    await turns()
    assert server.attempts == 3
    server.gate.set()
    await turns()
    assert [task.done() for task in tasks] == [True] * 3 + [False] * 7
    for task in tasks:
        pool.release(await task)
    assert len(server.opened) == 3
    assert numbers(pool) == (3, 3, 0, 0)


# ---- waiting


async def test_a_timeout_tells_what_to_do(server: Server) -> None:
    pool = Pool(server.connect, size=1, acquire_timeout=0)
    server.gate = asyncio.Event()
    with pytest.raises(ConnectionLost, match="could be opened within 0 s"):
        await pool.acquire()
    server.gate.set()
    await turns()
    held = await asyncio.create_task(pool.acquire(), name="the-holder")
    with pytest.raises(PoolTimeout, match=r"1 are in use \(by the-holder\); 1 callers wait\n.*pool_size"):
        await pool.acquire()
    assert numbers(pool) == (1, 0, 1, 0)
    pool.release(held)
    assert numbers(pool) == (1, 1, 0, 0)


async def test_only_some_holders_are_named(server: Server) -> None:
    pool = Pool(server.connect, size=7, acquire_timeout=0.01)
    for _ in range(7):
        await pool.acquire()
    with pytest.raises(PoolTimeout, match="and 2 more"):
        await pool.acquire()


async def test_in_debug_mode_the_lines_of_the_holders_are_named(server: Server) -> None:
    asyncio.get_running_loop().set_debug(True)
    pool = Pool(server.connect, size=1, acquire_timeout=0.01)

    async def take() -> Fake:
        return await pool.acquire()

    held = await asyncio.create_task(take(), name="first")
    with pytest.raises(PoolTimeout, match=r"by first at .+:\d+ for \d+\.\d s\)"):
        await pool.acquire()

    async def wait() -> Fake:
        return await pool.acquire()

    waiting = asyncio.create_task(wait(), name="second")
    await turns()
    pool.release(held)
    await waiting
    line = wait.__code__.co_firstlineno + 1
    with pytest.raises(PoolTimeout, match=rf"by second at .*test_pool\.py:{line} for "):
        await pool.acquire()


async def test_more_callers_than_may_wait_are_refused_at_once(server: Server) -> None:
    pool = Pool(server.connect, size=1, max_waiting=2)
    held = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    await turns()
    with pytest.raises(PoolTimeout, match=r"no more callers may wait.*2 callers wait"):
        await pool.acquire()
    pool.release(held)
    for task in waiting:
        pool.release(await task)
    pool.release(await pool.acquire())


async def test_two_hundred_callers_are_served_in_order(server: Server) -> None:
    pool = Pool(server.connect, size=5)
    order: list[int] = []

    async def use(number: int) -> None:
        connection = await pool.acquire()
        order.append(number)
        await asyncio.sleep(0)
        pool.release(connection)

    await asyncio.gather(*[use(number) for number in range(200)])
    assert order == list(range(200))
    assert len(server.opened) == 5


async def test_an_idle_connection_that_looks_lost_is_replaced(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    first = await pool.acquire()
    pool.release(first)
    first.looks_lost = True
    second = await pool.acquire()
    assert second is not first
    assert first.done == ["close"]


async def test_a_cancelled_waiter_leaves_the_queue(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    first, second = asyncio.create_task(pool.acquire()), asyncio.create_task(pool.acquire())
    await turns()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert numbers(pool) == (1, 0, 1, 1)
    pool.release(held)
    assert await second is held


async def test_a_connection_lent_in_the_tick_of_a_cancellation_goes_on(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    first, second = asyncio.create_task(pool.acquire()), asyncio.create_task(pool.acquire())
    await turns()
    pool.release(held)
    first.cancel()
    assert await second is held
    assert first.cancelled()
    pool.release(held)
    assert numbers(pool) == (1, 1, 0, 0)


async def test_a_failure_met_in_the_tick_of_a_cancellation_is_dropped(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    server.gate = asyncio.Event()
    server.failures = [ConnectionLost("no")]
    task = asyncio.create_task(pool.acquire())
    await turns()
    server.gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert numbers(pool) == (0, 0, 0, 0)
    assert (await pool.acquire()).number == 1


async def test_a_connection_opened_for_a_cancelled_caller_stays(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    server.gate = asyncio.Event()
    task = asyncio.create_task(pool.acquire())
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.gate.set()
    await turns()
    assert numbers(pool) == (1, 1, 0, 0)


async def test_cancelling_at_every_moment_loses_nothing(server: Server) -> None:
    pool = Pool(server.connect, size=2)

    async def use() -> None:
        connection = await pool.acquire()
        try:
            await asyncio.sleep(0)
        finally:
            connection.needs_reset = True
            pool.release(connection)

    for moment in range(12):
        tasks = [asyncio.create_task(use()) for _ in range(5)]
        for turn in range(moment):
            await asyncio.sleep(0)
            tasks[turn % 5].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns(8)
        opened, idle, in_use, waiting = numbers(pool)
        assert (opened, in_use, waiting) == (idle, 0, 0)
        assert opened <= 2


# ---- opening


async def test_a_failure_frees_the_slot_and_serves_the_next(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    server.failures = [ConnectionLost("no")]
    first, second = asyncio.create_task(pool.acquire()), asyncio.create_task(pool.acquire())
    with pytest.raises(ConnectionLost):
        await first
    assert (await second).number == 1


async def test_every_caller_gets_an_answer_when_nothing_opens(server: Server) -> None:
    pool = Pool(server.connect, size=2)
    server.failures = [ConnectionLost("no") for _ in range(5)]
    answers = await asyncio.gather(*(pool.acquire() for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionLost] * 5
    assert numbers(pool) == (0, 0, 0, 0)


async def test_a_released_connection_may_come_before_the_opened_one(server: Server) -> None:
    pool = Pool(server.connect, size=2)
    held = await pool.acquire()
    server.gate = asyncio.Event()
    task = asyncio.create_task(pool.acquire())
    await turns()
    pool.release(held)
    assert await task is held
    server.gate.set()
    await turns()
    assert numbers(pool) == (2, 1, 1, 0)


async def test_connections_open_in_an_empty_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")
    seen: list[str] = []

    async def connect() -> Fake:
        seen.append(variable.get())
        return Fake(1)

    variable.set("the session")
    await Pool(connect, size=1).acquire()
    assert seen == ["empty"]


# ---- coming back


@pytest.mark.parametrize("left", ["needs_reset", "altered"])
async def test_what_is_left_behind_is_dropped_off_the_caller(server: Server, left: str) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    setattr(held, left, True)
    held.reset_waits = asyncio.Event()
    pool.release(held)
    waiting = asyncio.create_task(pool.acquire())
    await turns()
    assert (held.done, waiting.done(), numbers(pool)) == (["reset"], False, (1, 0, 0, 1))
    held.reset_waits.set()
    assert await waiting is held
    assert not held.is_closed


async def test_a_failed_rollback_ends_the_connection(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    held.needs_reset = held.reset_fails = True
    pool.release(held)
    assert (await pool.acquire()).number == 2
    assert held.done == ["reset", "terminate"]


async def test_a_rollback_has_a_time_limit(server: Server) -> None:
    pool = Pool(server.connect, size=1, reset_timeout=0)
    held = await pool.acquire()
    held.needs_reset = True
    held.reset_waits = asyncio.Event()
    pool.release(held)
    assert (await pool.acquire()).number == 2
    assert held.done == ["reset", "terminate"]


async def test_a_rollback_that_changes_nothing_ends_the_connection(server: Server) -> None:
    class Stubborn(Fake):
        async def reset(self) -> None:
            self.done.append("reset")

    async def connect() -> Fake:
        server.opened.append(Stubborn(len(server.opened) + 1))
        return server.opened[-1]

    pool = Pool(connect, size=1)
    held = await pool.acquire()
    held.needs_reset = True
    pool.release(held)
    assert (await pool.acquire()).number == 2
    assert held.done == ["reset", "close"]


async def test_a_connection_that_broke_while_in_use_is_dropped(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    held.is_closed = True
    pool.release(held)
    assert numbers(pool) == (0, 0, 0, 0)
    assert (await pool.acquire()).number == 2


async def test_a_connection_that_broke_while_idle_is_replaced(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    pool.release(held)
    held.is_closed = True
    assert (await pool.acquire()).number == 2
    assert numbers(pool) == (1, 0, 1, 0)


async def test_releasing_twice_does_nothing(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    pool.release(held)
    pool.release(held)
    assert numbers(pool) == (1, 1, 0, 0)


@pytest.mark.parametrize("when", ["idle", "in use"])
async def test_an_old_connection_is_replaced(server: Server, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    pool = Pool(server.connect, size=1, max_age=60)
    held = await pool.acquire()
    if when == "idle":
        pool.release(held)
    now = asyncio.get_running_loop().time()
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "time", lambda: now + 61)
        if when == "in use":
            pool.release(held)
        fresh = await pool.acquire()
    assert fresh.number == 2
    assert held.done == ["close"]


async def test_a_goodbye_may_fail(server: Server) -> None:
    pool = Pool(server.connect, size=1, max_age=0)
    held = await pool.acquire()
    held.close_fails = True
    pool.release(held)
    assert (await pool.acquire()).number == 2
    assert held.done == ["close", "terminate"]


# ---- closing


async def test_close_refuses_newcomers_and_waits(server: Server) -> None:
    pool = Pool(server.connect, size=2)
    held, idle = await pool.acquire(), await pool.acquire()
    pool.release(idle)
    closing = asyncio.create_task(pool.close())
    await turns()
    assert idle.done == ["close"]
    with pytest.raises(PoolClosed, match="closed"):
        await pool.acquire()
    assert not closing.done()
    pool.release(held)
    await closing
    assert (held.done, numbers(pool)) == (["close"], (0, 0, 0, 0))
    await pool.close()


async def test_close_sends_waiters_away(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await turns()
    closing = asyncio.create_task(pool.close())
    with pytest.raises(PoolClosed, match="closed"):
        await waiting
    pool.release(held)
    await closing


async def test_close_before_the_first_use(server: Server) -> None:
    pool = Pool(server.connect, size=1, min_size=1)
    await pool.close()
    with pytest.raises(PoolClosed):
        await pool.acquire()
    assert server.attempts == 0


async def test_close_ends_what_does_not_come_back_in_time(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    await pool.close(timeout=0)
    assert held.done == ["terminate"]
    pool.release(held)
    assert numbers(pool) == (0, 0, 0, 0)


async def test_close_while_a_connection_opens(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    server.gate = asyncio.Event()
    waiting = asyncio.create_task(pool.acquire())
    await turns()
    closing = asyncio.create_task(pool.close())
    await asyncio.gather(waiting, return_exceptions=True)
    server.gate.set()
    await closing
    assert server.opened[0].done == ["close"]


async def test_close_while_a_connection_is_rolled_back(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    held.needs_reset = True
    held.reset_waits = asyncio.Event()
    pool.release(held)
    closing = asyncio.create_task(pool.close())
    await turns()
    held.reset_waits.set()
    await closing
    assert held.done == ["reset", "close"]


async def test_a_cancelled_close_can_be_repeated(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    held = await pool.acquire()
    closing = asyncio.create_task(pool.close())
    await turns()
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    pool.release(held)
    await pool.close()
    assert held.done == ["close"]


async def test_close_gives_up_what_the_server_does_not_answer(server: Server) -> None:
    pool = Pool(server.connect, size=2)
    held = await pool.acquire()
    held.needs_reset, held.reset_waits = True, asyncio.Event()
    pool.release(held)
    server.gate = asyncio.Event()
    waiting = asyncio.create_task(pool.acquire())
    await turns()
    await pool.close(timeout=0)
    assert held.done == ["reset", "terminate"]
    with pytest.raises(PoolClosed):
        await waiting
    # nothing is left that could still open one
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert numbers(pool) == (0, 0, 0, 0)


# ---- figures


async def test_what_was_lent_opened_ended_and_refused_is_counted(server: Server) -> None:
    pool = Pool(server.connect, size=2, max_waiting=0)
    held = [await pool.acquire() for _ in range(2)]
    with pytest.raises(PoolTimeout):
        await pool.acquire()
    held[0].is_closed = True
    for connection in held:
        pool.release(connection)
    await pool.acquire()
    stats = pool.stats
    assert (stats.acquired, stats.timeouts, stats.connected, stats.closed) == (3, 1, 2, 1)
    both = stats + stats
    assert (both.size, both.acquired, both.closed) == (4, 6, 2)


# ---- event loops


def in_loops(*works: Callable[[], Any]) -> list[Any]:
    return [asyncio.run(work()) for work in works]


def test_the_next_loop_starts_afresh(server: Server) -> None:
    pool = Pool(server.connect, size=2)

    async def idle_and_lent() -> Fake:
        pool.release(await pool.acquire())
        return await pool.acquire()

    async def again() -> tuple[int, tuple[int, int, int, int]]:
        return (await pool.acquire()).number, numbers(pool)

    lent, answer = in_loops(idle_and_lent, again)
    assert lent.done == ["terminate"]
    assert answer == (2, (1, 0, 1, 0))
    pool.release(lent)


def test_idle_connections_may_outlive_a_loop(server: Server) -> None:
    pool = Pool(server.connect, size=2, outlives_loops=True)

    async def idle_and_lent() -> tuple[Fake, Fake]:
        idle, lent = await pool.acquire(), await pool.acquire()
        pool.release(idle)
        return idle, lent

    (idle, lent), found = in_loops(idle_and_lent, pool.acquire)
    assert found is idle
    assert (idle.done, lent.done) == ([], ["terminate"])


def test_waiters_of_a_dead_loop_are_forgotten(server: Server) -> None:
    pool = Pool(server.connect, size=1)

    async def leave_a_waiter() -> None:
        await pool.acquire()
        asyncio.create_task(pool.acquire())  # noqa: RUF006
        await turns()

    async def use() -> tuple[int, int, int, int]:
        pool.release(await pool.acquire())
        return numbers(pool)

    assert in_loops(leave_a_waiter, use) == [None, (1, 1, 0, 0)]


def test_a_connection_that_returns_after_its_loop(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    [lent] = in_loops(pool.acquire)
    pool.release(lent)
    assert lent.done == ["terminate"]


def test_a_rollback_at_the_end_of_the_loop_ends_the_connection(server: Server) -> None:
    pool = Pool(server.connect, size=1)

    async def work() -> Fake:
        held = await pool.acquire()
        held.needs_reset = True
        held.reset_waits = asyncio.Event()
        pool.release(held)
        await turns()
        return held

    [held] = in_loops(work)
    assert held.done == ["reset", "terminate"]


def test_an_opening_at_the_end_of_the_loop_is_given_up(server: Server) -> None:
    pool = Pool(server.connect, size=1)

    async def work() -> None:
        server.gate = asyncio.Event()
        asyncio.create_task(pool.acquire())  # noqa: RUF006
        await turns()

    async def again() -> int:
        server.gate = None
        return (await pool.acquire()).number

    assert in_loops(work, again) == [None, 1]


def test_two_open_loops_are_refused(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        held = first.run(pool.acquire())
        for attempt in (pool.acquire, pool.close):
            with pytest.raises(ConfigurationError, match="another event loop"):
                second.run(attempt())
        pool.release(held)
        first.run(pool.close())


def test_closing_in_the_next_loop(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    lent, _ = in_loops(pool.acquire, pool.close)
    assert lent.done == ["terminate"]


# ---- one connection for several at a time


async def acquired(pool: Pool[Fake], *, shares: bool) -> asyncio.Task[Fake]:
    """Gives a task that asks for a connection, after all that can happen has happened."""
    task = asyncio.create_task(pool.acquire(shares=shares))
    await turns()
    return task


async def test_several_share_a_connection(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    users = await asyncio.gather(*[pool.acquire(shares=True) for _ in range(5)])
    assert set(users) == set(server.opened)
    assert (pool.stats.in_use, pool.stats.acquired) == (1, 5)
    for user in users:
        assert pool.stats.in_use == 1
        pool.release(user)
    assert (pool.stats.in_use, pool.stats.idle) == (0, 1)


async def test_who_wants_a_connection_alone_has_his_turn_among_those_who_share(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    first = await pool.acquire(shares=True)
    alone = await acquired(pool, shares=False)
    later = [await acquired(pool, shares=True) for _ in range(3)]
    last = await acquired(pool, shares=False)
    assert not any(task.done() for task in (alone, *later))
    pool.release(first)
    await turns()
    assert alone.done()
    assert not any(task.done() for task in later)
    pool.release(alone.result())
    await turns()
    assert all(task.done() for task in later)
    for task in later:
        assert not last.done()
        pool.release(task.result())
    await turns()
    pool.release(last.result())
    assert (len(server.opened), pool.stats.in_use, pool.stats.waiting) == (1, 0, 0)


async def test_who_shares_and_is_cancelled_gives_his_part_back(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    alone = await pool.acquire()
    waiting = [await acquired(pool, shares=True) for _ in range(3)]
    pool.release(alone)
    # they have it, and do not know yet
    waiting[0].cancel()
    waiting[2].cancel()
    await turns()
    assert [task.cancelled() for task in waiting] == [True, False, True]
    assert pool.stats.in_use == 1
    pool.release(waiting[1].result())
    assert (pool.stats.in_use, pool.stats.idle) == (0, 1)


async def test_a_connection_that_is_shared_and_lost_is_not_shared_further(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    first, second = [await pool.acquire(shares=True) for _ in range(2)]
    first.terminate()
    third = await acquired(pool, shares=True)
    pool.release(first)
    await turns()
    assert not third.done()
    pool.release(second)
    assert await third is server.opened[1]


async def test_a_connection_comes_back_however_many_share_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cormorant.adapters.pool._SHARED_BY", 2)
    pool = Pool(server.connect, size=1)
    first, second = [await pool.acquire(shares=True) for _ in range(2)]
    third = await acquired(pool, shares=True)
    assert not third.done()
    pool.renew()
    pool.release(first)
    pool.release(second)
    assert await third is server.opened[1]


async def test_a_pool_that_closes_waits_for_all_who_share(server: Server) -> None:
    pool = Pool(server.connect, size=1)
    first, second = [await pool.acquire(shares=True) for _ in range(2)]
    closing = asyncio.create_task(pool.close())
    await turns()
    with pytest.raises(PoolClosed):
        await pool.acquire(shares=True)
    pool.release(first)
    await turns()
    assert not closing.done()
    pool.release(second)
    await closing
    assert server.opened[0].done == ["close"]
