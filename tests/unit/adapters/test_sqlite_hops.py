"""What a thread does for a task, and how the task learns of it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Generator
from functools import partial
from typing import Any, NamedTuple

import pytest

from cormorant import AsyncSession, Database
from cormorant.adapters.sqlite_hops import Hop, Line, TurnedAway, have_put, nobody


class Sent(NamedTuple):
    """A hop, and the line in which it is the only one."""

    hop: Hop[Any]
    line: Line

    def __await__(self) -> Generator[Any, None, Any]:
        return self.hop.__await__()


def hop_of(function: Any, *args: Any) -> Sent:
    loop = asyncio.get_running_loop()
    line = Line(loop, lambda _: None)
    return Sent(line.send(loop, function, args), line)


def in_a_thread(sent: Sent) -> None:
    thread = threading.Thread(target=sent.line)
    thread.start()
    thread.join()


async def awaited(hop: Sent) -> Any:
    return await hop


async def test_the_answer_comes_whether_it_is_waited_for_before_or_not() -> None:
    hop = hop_of(divmod, 7, 2)
    in_a_thread(hop)
    assert await hop == (3, 1)
    hop = hop_of(divmod, 9, 2)
    task = asyncio.create_task(awaited(hop))
    await asyncio.sleep(0)
    in_a_thread(hop)
    assert await task == (4, 1)


async def test_an_error_is_raised_where_the_answer_is_awaited() -> None:
    hop = hop_of(divmod, 1, 0)
    in_a_thread(hop)
    with pytest.raises(ZeroDivisionError):
        await hop


async def test_a_task_that_is_cancelled_does_not_wait_for_the_answer() -> None:
    hop = hop_of(divmod, 7, 2)
    task = asyncio.create_task(awaited(hop))
    await asyncio.sleep(0)
    assert task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    # what comes afterwards wakes nobody
    in_a_thread(hop)
    await asyncio.sleep(0)


async def test_a_task_that_is_cancelled_in_the_moment_of_the_answer_is_cancelled() -> None:
    hop = hop_of(divmod, 7, 2)
    task = asyncio.create_task(awaited(hop))
    await asyncio.sleep(0)
    in_a_thread(hop)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Big:
    pass


async def test_nothing_is_kept_of_what_was_taken_and_given() -> None:
    given, taken = Big(), Big()
    watched = [weakref.ref(given), weakref.ref(taken)]
    made = [given]

    def give(_: object) -> Big:
        return made.pop()

    hop = hop_of(give, taken)
    del given, taken
    in_a_thread(hop)
    await hop
    gc.collect()
    assert [each() for each in watched] == [None, None]


def test_the_driver_may_log_it_without_values() -> None:
    async def shown() -> str:
        return repr(hop_of(divmod, "secret", 2).line)

    assert asyncio.run(shown()) == "<hops>"


def test_a_loop_that_is_closed_gets_no_answer() -> None:
    async def sent() -> Sent:
        return hop_of(divmod, 7, 2)

    in_a_thread(asyncio.run(sent()))


async def test_a_driver_of_other_insides_works_in_its_own_way() -> None:
    async with Database("sqlite://") as database, AsyncSession(database) as session:
        connection: Any = await database.adapter.acquire()
        connection._route._put = partial(have_put, weakref.ref(connection._route._driver))
        connection._route.line = None
        database.adapter.release(connection)
        assert list(await session.execute("SELECT 1")) == [(1,)]


# ---- several answers


async def test_a_loop_is_woken_once_for_all_answers_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, woken = asyncio.get_running_loop(), list[Any]()
    wake = loop.call_soon_threadsafe

    def counted(*args: Any, **keywords: Any) -> asyncio.Handle:
        woken.append(args)
        return wake(*args, **keywords)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    hops = [hop_of(divmod, number, 2) for number in range(3)]
    tasks = [asyncio.create_task(awaited(hop)) for hop in hops]
    await asyncio.sleep(0)
    for hop in hops:
        in_a_thread(hop)
    assert await asyncio.gather(*tasks) == [(0, 0), (0, 1), (1, 0)]
    assert len(woken) == 1
    # and again for what comes later
    in_a_thread(later := hop_of(divmod, 7, 2))
    assert await later == (3, 1)
    assert len(woken) == 2


def test_answers_outlive_a_task_that_stops_the_loop() -> None:
    async def stopping(hop: Sent) -> None:
        await hop
        raise KeyboardInterrupt

    tasks: list[asyncio.Task[Any]] = []

    async def begin() -> None:
        first, second = hop_of(divmod, 1, 2), hop_of(divmod, 7, 2)
        tasks.extend((asyncio.create_task(stopping(first)), asyncio.create_task(awaited(second))))
        await asyncio.sleep(0)
        in_a_thread(first)
        in_a_thread(second)
        await asyncio.wait(tasks)

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(begin())
        assert loop.run_until_complete(tasks[1]) == (3, 1)
        with pytest.raises(KeyboardInterrupt):
            tasks[0].result()
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop)))
    finally:
        loop.close()


# ---- several hops of one thread


class Thread:
    """What stands for a connection's thread: it does a number of hops when it is told to."""

    def __init__(self, may_leave: Any = nobody) -> None:
        self.loop = asyncio.get_running_loop()
        self.line = Line(self.loop, lambda _: None, may_leave)

    def send(self, function: Any, *args: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(self.await_(self.line.send(self.loop, function, args)))

    async def await_(self, hop: Hop[Any]) -> Any:
        try:
            return await hop
        except TurnedAway:
            return "elsewhere"

    def do(self, count: int) -> None:
        def work() -> None:
            for _ in range(count):
                self.line()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


async def test_a_loop_is_woken_by_the_last_answer_of_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, woken = Thread(), list[Any]()
    wake = thread.loop.call_soon_threadsafe

    def counted(*args: Any, **keywords: Any) -> asyncio.Handle:
        woken.append(args)
        return wake(*args, **keywords)

    monkeypatch.setattr(thread.loop, "call_soon_threadsafe", counted)
    tasks = [thread.send(divmod, number, 2) for number in range(3)]
    thread.do(2)
    assert not woken
    thread.do(1)
    assert len(woken) == 1
    assert await asyncio.gather(*tasks) == [(0, 0), (0, 1), (1, 0)]


async def test_an_answer_does_not_wait_for_a_slow_one_behind_it() -> None:
    thread = Thread()
    first, second = thread.send(divmod, 7, 2), thread.send(divmod, 9, 2)
    thread.do(1)
    # nobody has woken the loop
    assert await first == (3, 1)
    assert not second.done()
    thread.do(1)
    assert await second == (4, 1)


async def test_who_leaves_has_the_answer_of_the_one_before_looked_for() -> None:
    thread = Thread()
    first = thread.send(divmod, 7, 2)
    left = thread.line.send(thread.loop, divmod, (9, 2))
    thread.do(1)
    assert thread.line.leave(left)
    assert not thread.line.leave(left)
    await turns()
    assert first.done()
    assert await first == (3, 1)
    # the thread is called once for each that was sent
    thread.do(1)
    last = thread.send(divmod, 1, 1)
    await asyncio.to_thread(thread.line)
    assert await last == (1, 0)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_waits_behind_a_slow_one_is_turned_away_once_somebody_is_free() -> None:
    free = False
    asked = asyncio.Event()

    def may_leave() -> bool:
        asked.set()
        return free

    thread = Thread(lambda: may_leave)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(30)
        return "here"

    tasks = [thread.send(function) for function in (slow, int, int)]
    doing = asyncio.create_task(asyncio.to_thread(thread.line))
    await asyncio.to_thread(begun.wait)
    await asked.wait()
    assert not any(task.done() for task in tasks)
    free = True
    assert await asyncio.gather(*tasks[1:]) == ["elsewhere", "elsewhere"]
    assert not tasks[0].done()
    go_on.set()
    assert await tasks[0] == "here"
    await doing


async def test_a_thread_that_gets_on_turns_nobody_away() -> None:
    def refused() -> bool:
        raise AssertionError

    thread = Thread(lambda: refused)
    tasks = [thread.send(int) for _ in range(20)]
    for task in tasks[:-1]:
        thread.do(1)
        await task
    thread.do(1)
    assert await tasks[-1] == 0
