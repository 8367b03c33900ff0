"""Who uses the one connection of a sandbox."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import PoolTimeout
from cormorant.testing.turns import Holder, Turns


async def ticks(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_holders_come_in_the_order_of_asking() -> None:
    turns, order = Turns(None), list[str]()
    first = Holder("first")
    await turns.enter(first)

    async def use(holder: Holder) -> None:
        await turns.enter(holder)
        order.append(holder.who)
        await asyncio.sleep(0)
        turns.leave(holder)

    tasks = [asyncio.create_task(use(Holder(str(number)))) for number in range(5)]
    await ticks()
    assert (order, turns.waiting) == ([], 5)
    tasks[1].cancel()
    await ticks()
    turns.leave(first)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (order, turns.waiting) == (["0", "2", "3", "4"], 0)


async def test_the_outer_one_waits_for_the_inner_ones() -> None:
    turns, order = Turns(None), list[str]()
    outer = Holder("outer")
    await turns.enter(outer)
    inner = [Holder(str(number), frozenset([outer])) for number in range(2)]
    await turns.enter(inner[0])
    assert turns.above(outer) == [inner[0]]

    async def second() -> None:
        await turns.enter(inner[1])
        order.append("second")
        turns.leave(inner[1])

    async def go_on() -> None:
        async with turns.turn(outer):
            order.append("outer")

    tasks = [asyncio.create_task(go_on()), asyncio.create_task(second())]
    await ticks()
    assert order == []
    turns.leave(inner[0])
    await asyncio.gather(*tasks)
    assert sorted(order) == ["outer", "second"]


async def test_one_that_is_cancelled_in_the_moment_of_its_turn_lets_others_go() -> None:
    turns = Turns(None)
    first, second, third = (Holder(name) for name in ("first", "second", "third"))
    await turns.enter(first)
    waiting = asyncio.create_task(turns.enter(second))
    behind = asyncio.create_task(turns.enter(third))
    await ticks()
    turns.leave(first)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await behind
    turns.leave(third)
    assert turns.waiting == 0


async def test_waiting_ends() -> None:
    turns = Turns(0.001)
    await turns.enter(Holder("one"))
    with pytest.raises(PoolTimeout, match=r"two waited 0.001 s .* used by one"):
        await turns.enter(Holder("two"))
