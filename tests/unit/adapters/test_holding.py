"""S9: a transaction that is idle for long is logged once, with its task and lines; time is what the test says."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from cormorant.adapters.fair_lock import FairLock
from cormorant.adapters.holding import Held, IdleWatch, Lease


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def held(clock: Clock, task: str = "worker") -> Held:
    return Held("main", "app.py:10", task, "app.py:20", FairLock(), since=clock.now, used=clock.now)


def test_one_that_is_idle_for_long_is_told_of_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    watch, one = IdleWatch(30, clock), held(clock)
    clock.now += 5
    one.used = clock.now
    clock.now += 29
    assert watch.look([one]) == 1
    assert not caplog.records
    clock.now += 1.5
    assert watch.look([one]) is None
    assert [(record.name, record.levelno) for record in caplog.records] == [("cormorant.transactions", logging.WARNING)]
    assert caplog.messages == [
        "a transaction has been idle for 30.5 s: begun by worker at app.py:20, 35.5 s ago, in the session opened by "
        "main at app.py:10; it holds a connection, and what it has locked, until it ends"
    ]
    clock.now += 100
    assert watch.look([one]) is None
    assert len(caplog.records) == 1


async def test_a_statement_in_flight_is_no_idleness(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    watch, one = IdleWatch(30, clock), held(clock)
    async with one.lock:
        clock.now += 100
        assert watch.look([one]) == 30
    # its last statement ended just now
    one.used = clock.now
    clock.now += 10
    assert watch.look([one]) == 20
    assert not caplog.records


def test_the_next_look_is_due_when_the_first_of_the_others_may_be_idle(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    watch, first = IdleWatch(30, clock), held(clock, "first")
    clock.now += 12
    second = held(clock, "second")
    clock.now += 20
    third = held(clock, "third")
    assert watch.look([first, second, third]) == 10
    assert [message.split(" at ")[0] for message in caplog.messages] == [
        "a transaction has been idle for 32.0 s: begun by first"
    ]


class Timers(asyncio.SelectorEventLoop):
    """An event loop that notes what is to be called later, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_later(self, delay, callback, *args, context=None):  # type: ignore[no-untyped-def]
        timer = super().call_later(delay, callback, *args, context=context)
        self.timers.append(timer)
        return timer


def test_one_timer_while_there_are_transactions_and_none_without(clock: Clock) -> None:
    watch, some = IdleWatch(3600, clock), [held(clock), held(clock)]

    async def open_two(loop: Timers) -> None:
        watch.start(lambda: some)
        watch.start(lambda: some)
        assert len(loop.timers) == 1

    for _ in range(2):
        # the second loop does not wait for the first one's timer, which went with it
        loop = Timers()
        loop.run_until_complete(open_two(loop))
        loop.close()

    async def end(loop: Timers) -> None:
        watch.start(lambda: some)
        (first,) = loop.timers
        clock.now += 3600 - 60
        some[1].used = clock.now
        clock.now += 60
        # one of them is told of; the other is looked after in its turn
        first._run()
        assert len(loop.timers) == 2
        some.clear()
        loop.timers[1]._run()
        assert len(loop.timers) == 2
        watch.start(lambda: some)
        assert len(loop.timers) == 3

    loop = Timers()
    loop.run_until_complete(end(loop))
    loop.close()


async def test_nothing_is_watched_without_a_time() -> None:
    watch = IdleWatch(None)
    watch.start(pytest.fail)
    assert watch.look([held(Clock())]) is None


class ClosingLoop(asyncio.SelectorEventLoop):
    """Is closed by another thread just before it is called."""

    def call_soon_threadsafe(self, *args: Any, **keywords: Any) -> asyncio.Handle:
        self.close()
        return super().call_soon_threadsafe(*args, **keywords)


@pytest.mark.parametrize("kind", [asyncio.SelectorEventLoop, ClosingLoop])
def test_what_was_dropped_goes_back_also_when_its_loop_is_closed(
    clock: Clock, kind: type[asyncio.SelectorEventLoop]
) -> None:
    returned: list[str] = []

    async def lend() -> Lease:
        return Lease(held(clock), lambda: returned.append("back"))

    loop = asyncio.SelectorEventLoop()
    lease = loop.run_until_complete(lend())
    loop.close()
    lease._loop = kind()
    if kind is asyncio.SelectorEventLoop:
        lease._loop.close()
    with pytest.warns(ResourceWarning, match="was dropped without being closed"):
        del lease
    assert returned == ["back"]
