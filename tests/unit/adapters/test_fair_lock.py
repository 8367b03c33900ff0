"""The lock of units of work: one task at a time, in the order they came, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cormorant.adapters.fair_lock import FairLock


async def turn_of_the_loop() -> None:
    await asyncio.sleep(0)


class Hall:
    """Tasks that want one lock, and what they have done."""

    def __init__(self) -> None:
        self.lock = FairLock()
        self.inside: list[int] = []
        self.served: list[int] = []
        self.leave: dict[int, asyncio.Event] = {}

    async def visit(self, number: int) -> None:
        self.leave[number] = asyncio.Event()
        async with self.lock:
            assert not self.inside, "two have it"
            self.inside.append(number)
            self.served.append(number)
            try:
                await self.leave[number].wait()
            finally:
                self.inside.remove(number)


async def test_who_comes_first_is_served_first() -> None:
    hall = Hall()
    tasks = [asyncio.create_task(hall.visit(number)) for number in range(4)]
    await turn_of_the_loop()
    assert hall.lock.locked()
    assert hall.lock.waiting == 3
    for number in range(4):
        hall.leave[number].set()
    await asyncio.gather(*tasks)
    assert hall.served == [0, 1, 2, 3]
    assert not hall.lock.locked()
    assert hall.lock.waiting == 0


async def test_nobody_takes_it_before_who_was_told() -> None:
    lock = FairLock()
    assert lock.take()
    waiter = asyncio.create_task(lock.acquire())
    await turn_of_the_loop()
    lock.release()
    # the waiter has not run yet
    assert not lock.take()
    await waiter
    lock.release()
    assert lock.take()


async def test_who_is_cancelled_while_he_waits_is_passed_over() -> None:
    lock = FairLock()
    assert lock.take()
    first, second = asyncio.create_task(lock.acquire()), asyncio.create_task(lock.acquire())
    await turn_of_the_loop()
    first.cancel()
    # he is still in line, and not told
    lock.release()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert lock.locked()
    lock.release()
    assert not lock.locked()


@pytest.mark.parametrize("others", [0, 1])
async def test_who_is_cancelled_when_it_is_his_turn_hands_it_on(others: int) -> None:
    lock = FairLock()
    assert lock.take()
    waiters = [asyncio.create_task(lock.acquire()) for _ in range(1 + others)]
    await turn_of_the_loop()
    lock.release()
    waiters[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiters[0]
    for waiter in waiters[1:]:
        await waiter
    assert lock.locked() == bool(others)


@given(st.lists(st.tuples(st.sampled_from(["come", "go", "cancel", "turn"]), st.integers(0, 5)), max_size=40))
def test_whatever_happens_all_who_stay_are_served_in_order(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        hall, tasks = Hall(), dict[int, asyncio.Task[None]]()
        for verb, at in steps:
            if verb == "come":
                tasks[len(tasks)] = asyncio.create_task(hall.visit(len(tasks)))
            elif verb == "turn":
                await turn_of_the_loop()
            elif at in tasks and verb == "cancel":
                tasks[at].cancel()
            elif at in hall.inside:
                hall.leave[at].set()
        while pending := [task for task in tasks.values() if not task.done()]:
            for event in hall.leave.values():
                event.set()
            await asyncio.wait(pending, timeout=0)
        assert hall.served == sorted(hall.served)
        assert set(hall.served) >= {number for number, task in tasks.items() if not task.cancelled()}
        assert not hall.lock.locked()

    asyncio.run(play())
