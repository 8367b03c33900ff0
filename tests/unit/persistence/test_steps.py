"""Work that is not broken off, and needs no task until its caller is cancelled."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from cormorant.adapters.sqlite_hops import Line
from cormorant.errors import CommitOutcomeUnknown, ConnectionLost
from cormorant.persistence.shielding import Steps, shielded

TASKS = pytest.mark.parametrize("resumable", [True, False], ids=["steps", "task"])


class Told:
    last_commit = xid = begun = None


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Work:
    """Waits for three futures, one after another, and a turn of the loop."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.parts: list[asyncio.Future[int]] = [loop.create_future() for _ in range(3)]
        self.done: list[int] = []
        self.tasks: list[asyncio.Task[object] | None] = []

    async def run(self) -> list[int]:
        for part in self.parts:
            self.tasks.append(asyncio.current_task())
            self.done.append(await part)
            await asyncio.sleep(0)
        return self.done


async def test_work_is_done_in_the_task_of_the_caller() -> None:
    work = Work()
    for number, part in enumerate(work.parts):
        asyncio.get_running_loop().call_later(0, part.set_result, number)
    assert await shielded(work.run(), resumable=True) == [0, 1, 2]
    assert set(work.tasks) == {asyncio.current_task()}


@TASKS
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_cancelled_caller_waits_for_the_end(at: int, resumable: bool) -> None:
    work = Work()
    caller = asyncio.create_task(shielded(work.run(), resumable=resumable))
    for number in range(at):
        work.parts[number].set_result(number)
        await turns()
    await turns()
    caller.cancel()
    await turns()
    assert not caller.done()
    for number in range(at, 3):
        # once more, which changes nothing
        caller.cancel()
        work.parts[number].set_result(number)
        await turns()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.done == [0, 1, 2]


@TASKS
async def test_a_cancellation_in_the_turn_of_the_answer_loses_nothing(resumable: bool) -> None:
    work = Work()
    caller = asyncio.create_task(shielded(work.run(), resumable=resumable))
    await turns()
    work.parts[0].set_result(0)
    caller.cancel()
    await turns()
    work.parts[1].set_result(1)
    await turns()
    work.parts[2].set_result(2)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.done == [0, 1, 2]


@TASKS
async def test_a_caller_that_was_cancelled_before_does_the_work_all_the_same(resumable: bool) -> None:
    work = Work()

    async def cancelled() -> list[int]:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return await shielded(work.run(), resumable=resumable)

    caller = asyncio.create_task(cancelled())
    await turns()
    for number, part in enumerate(work.parts):
        part.set_result(number)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.done == [0, 1, 2]


@TASKS
async def test_an_error_reaches_the_work_and_the_caller(resumable: bool) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen: list[BaseException] = []

    async def work() -> None:
        try:
            await future
        except ValueError as error:
            seen.append(error)
            raise KeyError("another one") from error

    caller = asyncio.create_task(shielded(work(), resumable=resumable))
    await turns()
    future.set_exception(ValueError("no"))
    with pytest.raises(KeyError) as raised:
        await caller
    assert [raised.value.__cause__] == seen


@TASKS
async def test_what_the_work_waits_for_may_itself_be_cancelled(resumable: bool) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await future
        except asyncio.CancelledError:
            return "went on"
        return "waited"

    caller = asyncio.create_task(shielded(work(), resumable=resumable))
    await turns()
    future.cancel()
    assert await caller == "went on"


@TASKS
async def test_a_cancelled_caller_whose_work_fails_does_not_go_on(resumable: bool) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await future

    caller = asyncio.create_task(shielded(work(), resumable=resumable))
    await turns()
    caller.cancel()
    await turns()
    future.set_exception(ValueError("no"))
    with pytest.raises(asyncio.CancelledError) as raised:
        await caller
    assert isinstance(raised.value.__cause__, ValueError)


@TASKS
async def test_work_that_does_not_end_in_time_is_cancelled(resumable: bool) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cancelled")

    caller = asyncio.create_task(shielded(work(), 0, resumable=resumable))
    await turns()
    caller.cancel()
    with pytest.raises(CommitOutcomeUnknown, match="did not answer within 0 s"):
        await caller
    assert ended == ["cancelled"]


@TASKS
@pytest.mark.parametrize("cut", [False, True])
async def test_a_commit_whose_connection_breaks_is_unknown(cut: bool, resumable: bool) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told = Told()

    async def work() -> None:
        await future

    caller = asyncio.create_task(shielded(work(), told=told, resumable=resumable))
    await turns()
    if cut:
        caller.cancel()
        await turns()
    future.set_exception(ConnectionLost("gone", sent=True))
    with pytest.raises(CommitOutcomeUnknown, match="gone"):
        await caller
    assert told.last_commit is None


@TASKS
@pytest.mark.parametrize("cut", [False, True])
async def test_who_commits_is_told_also_after_a_cancellation(cut: bool, resumable: bool) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told = Told()

    async def work() -> None:
        await future

    caller = asyncio.create_task(shielded(work(), told=told, resumable=resumable))
    await turns()
    if cut:
        caller.cancel()
        await turns()
    future.set_result(None)
    await asyncio.wait([caller])
    assert caller.cancelled() is cut
    assert told.last_commit is not None


async def test_steps_inside_of_steps() -> None:
    work = Work()

    async def outer() -> list[int]:
        return [*await Steps(work.run(), asyncio.get_running_loop()), 3]

    caller = asyncio.create_task(shielded(outer(), resumable=True))
    await turns()
    work.parts[0].set_result(0)
    await turns()
    caller.cancel()
    await turns()
    work.parts[1].set_result(1)
    await turns()
    work.parts[2].set_result(2)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.done == [0, 1, 2]


@pytest.mark.parametrize("early", [False, True], ids=["answer after the cancellation", "answer with the cancellation"])
async def test_a_hop_keeps_its_answer_for_who_goes_on(early: bool) -> None:
    loop = asyncio.get_running_loop()
    found: list[int] = []
    line = Line(loop, lambda _: None)
    hop = line.send(loop, lambda: 7, ())

    async def work() -> None:
        found.append(await hop)

    caller = asyncio.create_task(shielded(work(), resumable=True))
    await turns()
    caller.cancel()
    if not early:
        await turns()
    await loop.run_in_executor(None, line)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert found == [7]


@TASKS
async def test_an_error_holds_nothing_of_the_work_once_it_is_dropped(resumable: bool) -> None:
    class Held:
        pass

    async def work(held: Held) -> None:
        await asyncio.sleep(0)
        raise ValueError

    gc.disable()
    try:
        held = Held()
        alive = weakref.ref(held)
        try:
            await shielded(work(held), resumable=resumable)
        except ValueError:
            del held
        await turns()
        assert alive() is None
    finally:
        gc.enable()
