"""What a thread does for a task, and how the task learns of it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from cormorant import AsyncSession, Database
from cormorant.adapters.sqlite import Hop


def hop_of(function: Any, *args: Any) -> Hop[Any]:
    return Hop(asyncio.get_running_loop(), function, args)


def in_a_thread(hop: Hop[Any]) -> None:
    thread = threading.Thread(target=hop)
    thread.start()
    thread.join()


async def awaited(hop: Hop[Any]) -> Any:
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
        return repr(hop_of(divmod, "secret", 2))

    assert asyncio.run(shown()) == "<a hop of divmod>"


def test_a_loop_that_is_closed_gets_no_answer() -> None:
    async def sent() -> Hop[Any]:
        return hop_of(divmod, 7, 2)

    in_a_thread(asyncio.run(sent()))


async def test_a_driver_of_other_insides_works_in_its_own_way() -> None:
    async with Database("sqlite://") as database, AsyncSession(database) as session:
        connection: Any = await database.adapter.acquire()
        connection._put = None
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
    async def stopping(hop: Hop[Any]) -> None:
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
