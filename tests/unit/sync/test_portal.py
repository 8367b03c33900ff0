"""The event loop behind sync sessions: what is run on it, interrupted, ended and begun again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import Context, ContextVar

import pytest

from cormorant.errors import SessionClosedError
from cormorant.sync.loop import SharedLoop
from cormorant.sync.portal import Portal
from cormorant.sync.portal import portal as current_portal

word: ContextVar[str] = ContextVar("word", default="none")


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal()
    yield made
    made.stop()


async def give(value: object) -> object:
    await asyncio.sleep(0)
    return value


def test_a_coroutine_runs_on_the_loops_thread(portal: Portal) -> None:
    async def where() -> bool:
        return portal.is_here

    assert portal.run(where, Context()) is True
    assert not portal.is_here
    assert portal.is_alive


def test_an_error_arrives_with_its_type(portal: Portal) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("x")

    with pytest.raises(ZeroDivisionError, match="x"):
        portal.run(fail, Context())


def test_a_coroutine_sees_the_context_it_is_given(portal: Portal) -> None:
    async def read() -> str:
        return word.get()

    context = Context()
    context.run(word.set, "ada")
    assert portal.run(read, context) == "ada"
    assert portal.run(read, Context()) == "none"


def test_the_task_has_the_name_of_the_thread_that_waits(portal: Portal) -> None:
    async def name() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    assert portal.run(name, Context()) == threading.current_thread().name


def test_many_threads_are_answered_each(portal: Portal) -> None:
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        answers[number] = portal.run(lambda: give(number), Context())

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: n for n in range(20)}


def test_a_coroutine_cancelled_by_others_is_an_error_of_ours(portal: Portal) -> None:
    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(SessionClosedError):
        portal.run(cancel_itself, Context())
    assert portal.run(lambda: give(3), Context()) == 3


def test_after_its_end_it_refuses_and_another_one_begins(portal: Portal) -> None:
    portal.stop()
    portal.stop()
    assert not portal.is_alive
    with pytest.raises(SessionClosedError, match="end of the program"):
        portal.run(lambda: give(1), Context())
    # nobody waits for these
    portal.post(lambda: None)
    asyncio.run(portal.forward(lambda: _never()))
    again = Portal()
    assert again.run(lambda: give(2), Context()) == 2
    again.stop()


async def _never() -> None:
    raise AssertionError("the loop has ended")


def test_an_asyncio_that_calls_its_socket_otherwise_reads_it_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = SharedLoop()
    other = loop.__dict__.pop("_ssock")
    read: list[bytes] = []
    monkeypatch.setattr(asyncio.SelectorEventLoop, "_read_from_self", lambda _: read.append(other.recv(4096)))
    complaints: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, told: complaints.append(told))
    loop.call_soon_threadsafe(loop.stop)
    loop.run_forever()
    loop._ssock = other
    loop.close()
    assert (read, complaints) == ([b"\0"], [])


def test_a_process_has_one() -> None:
    assert current_portal() is current_portal()


async def test_other_loops_wait_for_it(portal: Portal) -> None:
    seen: list[bool] = []

    async def note() -> None:
        seen.append(portal.is_here)

    await portal.forward(note)
    assert seen == [True]

    async def from_the_loop_itself() -> None:
        await portal.forward(note)

    await asyncio.to_thread(portal.run, from_the_loop_itself, Context())
    assert seen == [True, True]


def test_tasks_that_are_left_are_cancelled_at_the_end() -> None:
    portal = Portal()
    ended: list[str] = []
    tasks: set[asyncio.Task[None]] = set()

    async def leave_behind() -> None:
        async def linger() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        tasks.add(asyncio.create_task(linger()))
        await asyncio.sleep(0)

    portal.run(leave_behind, Context())
    portal.stop()
    assert ended == ["cancelled"]
