"""Who runs the loop of sync sessions: the thread that waits, or the loop's own, and what signals do meanwhile."""

from __future__ import annotations

import _thread
import asyncio
import ctypes
import gc
import inspect
import os
import random
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import pytest

from cormorant.sync import loop, turns
from cormorant.sync.portal import Portal

T = TypeVar("T")

LONG = 10
"""Seconds that nothing here takes."""

HERE = threading.get_ident


@pytest.fixture(params=[0.0, LONG], ids=["by turns", "at once"])
def portal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """Gives one whose calls take a turn of the loop each, and one whose calls need none for a first step."""
    monkeypatch.setattr(loop, "TURN", request.param)
    made = Portal()
    yield made
    made.stop()


def run(portal: Portal, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return portal.run(function, Context())


async def where() -> int:
    return threading.get_ident()


async def forever() -> None:
    """Waits until it is cancelled; a test that does not come to that fails."""
    await asyncio.wait_for(asyncio.Event().wait(), LONG)


def own_thread(portal: Portal) -> int:
    ident = portal._turns.thread.ident
    assert ident is not None
    return ident


def lead(portal: Portal) -> None:
    """Calls until the caller runs the loop by itself."""
    until(lambda: run(portal, where) == threading.get_ident())


def until(is_so: Callable[[], bool]) -> None:
    end = monotonic() + LONG
    while not is_so():
        assert monotonic() < end


@contextmanager
def another_waits(portal: Portal) -> Iterator[Callable[[], None]]:
    """Has a thread wait for an event on the loop; gives what sets it."""
    begun, go_on, answers = threading.Event(), asyncio.Event(), []

    async def wait() -> str:
        begun.set()
        await go_on.wait()
        return "answered"

    thread = threading.Thread(target=lambda: answers.append(run(portal, wait)))
    thread.start()
    assert begun.wait(LONG)
    yield lambda: portal.post(go_on.set)
    thread.join(LONG)
    assert answers == ["answered"]


# ---- threads


def test_a_thread_that_calls_alone_runs_the_loop(portal: Portal) -> None:
    lead(portal)
    assert [run(portal, where) for _ in range(3)] == [threading.get_ident()] * 3
    assert not portal.is_here


def test_a_first_step_takes_no_turn_of_the_loop(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    lead(portal)
    turned: list[object] = []
    run_forever = asyncio.SelectorEventLoop.run_forever
    monkeypatch.setattr(asyncio.SelectorEventLoop, "run_forever", lambda self: turned.append(run_forever(self)))

    async def two_steps() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    answers = [run(portal, where), run(portal, where), run(portal, two_steps)]
    assert answers == [threading.get_ident()] * 3
    assert len(turned) == (3 if loop.TURN == 0 else 1)
    with pytest.raises(ZeroDivisionError):
        run(portal, fail)


async def fail() -> None:
    raise ZeroDivisionError


def test_timers_go_off_and_what_is_sent_is_done_while_one_thread_calls_on_and_on(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loop.TURN:
        monkeypatch.setattr(loop, "TURN", 0.01)
    lead(portal)
    done: list[str] = []
    portal.loop.call_soon_threadsafe(done.append, "sent")
    assert run(portal, where)
    assert done == ["sent"]

    async def set_timer() -> None:
        asyncio.get_running_loop().call_later(0.02, done.append, "timer")

    run(portal, set_timer)
    until(lambda: bool(run(portal, where)) and done == ["sent", "timer"])


def test_a_generator_that_is_left_behind_in_a_first_step_is_closed(portal: Portal) -> None:
    lead(portal)
    closed = threading.Event()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.set()

    async def first() -> int:
        async for number in numbers():
            return number
        return 0

    hooks = sys.get_asyncgen_hooks()
    assert run(portal, first) == 1
    assert sys.get_asyncgen_hooks() == hooks
    gc.collect()
    until(lambda: bool(run(portal, where)) and closed.is_set())


def test_any_thread_may(portal: Portal) -> None:
    found: list[BaseException | None] = []

    def other() -> None:
        lead(portal)
        found.append(None)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [None]
    lead(portal)


def test_who_runs_the_loop_serves_the_others(portal: Portal) -> None:
    with another_waits(portal) as let_it_go:
        assert run(portal, where) != threading.get_ident()
        let_it_go()
    lead(portal)


def test_the_loops_own_thread_goes_on_for_those_who_wait(portal: Portal) -> None:
    lead(portal)
    begun = threading.Event()

    async def until_another_waits() -> bool:
        return await asyncio.to_thread(begun.wait, LONG)

    go_on, answers = asyncio.Event(), []

    async def wait() -> int:
        begun.set()
        await go_on.wait()
        return threading.get_ident()

    thread = threading.Thread(target=lambda: answers.append(run(portal, wait)))
    starter = threading.Timer(0, thread.start)
    starter.start()
    assert run(portal, until_another_waits)
    starter.join()
    portal.post(go_on.set)
    thread.join(LONG)
    assert answers in ([own_thread(portal)], [thread.ident])


def test_what_nobody_waits_for_goes_on(portal: Portal) -> None:
    lead(portal)
    done, tasks = threading.Event(), set[asyncio.Task[None]]()

    async def later() -> None:
        await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        done.set()

    async def begin() -> None:
        tasks.add(asyncio.create_task(later()))

    run(portal, begin)
    assert done.wait(LONG)


def test_what_is_posted_is_done_although_nobody_calls(portal: Portal) -> None:
    lead(portal)
    done = threading.Event()
    portal.post(done.set)
    assert done.wait(LONG)


def test_tasks_that_go_on_keep_the_loop_in_its_own_thread(portal: Portal) -> None:
    stop, tasks = asyncio.Event(), set[asyncio.Task[Any]]()

    async def begin() -> None:
        tasks.add(asyncio.create_task(stop.wait()))

    run(portal, begin)
    until(lambda: run(portal, where) == own_thread(portal))
    assert {run(portal, where) for _ in range(20)} == {own_thread(portal)}
    portal.post(stop.set)
    lead(portal)


async def test_where_a_loop_runs_already_another_thread_runs_this_one(portal: Portal) -> None:
    assert {run(portal, where) for _ in range(5)} == {own_thread(portal)}


def test_many_threads_get_their_own_answers(portal: Portal) -> None:
    failed: list[object] = []

    def calls(seed: int) -> None:
        choice = random.Random(seed)

        async def work(kind: float, value: float) -> float:
            if kind < 0.3:
                await asyncio.sleep(0)
            elif kind < 0.5:
                await asyncio.sleep(choice.random() / 500)
            elif kind < 0.6:
                await asyncio.gather(*(asyncio.sleep(choice.random() / 1000) for _ in range(3)))
            elif kind < 0.65:
                await asyncio.to_thread(HERE)
            return value

        for _ in range(200):
            value = choice.random()
            if run(portal, partial(work, choice.random(), value)) != value:
                failed.append(seed)

    threads = [threading.Thread(target=calls, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert not portal._turns.waiting
    lead(portal)


def test_a_task_that_ends_the_program_does_not_end_the_loop(portal: Portal) -> None:
    lead(portal)

    async def leave() -> None:
        raise SystemExit(3)

    async def work() -> str:
        task = asyncio.create_task(leave())
        with pytest.raises(SystemExit):
            await task
        return "went on"

    assert run(portal, work) == "went on"


def test_the_end_takes_the_loop_from_a_daemon() -> None:
    portal = Portal()
    begun = threading.Event()

    async def linger() -> None:
        begun.set()
        await forever()

    threading.Thread(target=partial(run, portal, linger), daemon=True).start()
    assert begun.wait(LONG)
    portal.stop()
    assert portal.loop.is_closed()


# ---- signals


class Alarm(Exception):
    """What a handler raises."""


def ring(number: int, frame: object) -> None:
    raise Alarm


@pytest.fixture
def alarm() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, ring)
    yield
    signal.signal(signal.SIGTERM, before)


SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Alarm)]


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_handler_that_raises_cancels_the_call_and_is_raised_after_it(
    portal: Portal, number: signal.Signals, error: type[BaseException]
) -> None:
    lead(portal)
    seen: list[str] = []
    handlers = [signal.getsignal(each) for each, _ in SIGNALS]

    async def work() -> None:
        signal.raise_signal(number)
        seen.append("goes on until it waits")
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    with pytest.raises(error):
        run(portal, work)
    assert seen == ["goes on until it waits", "cleaned up"]
    assert [signal.getsignal(each) for each, _ in SIGNALS] == handlers
    assert portal._turns._signals.came == []
    lead(portal)


@pytest.mark.parametrize("how", ["session", "thread"])
def test_a_handler_may_call_and_may_wait_for_who_calls(portal: Portal, how: str) -> None:
    answers: list[int] = []

    def ask() -> None:
        answers.append(run(portal, where))

    def handler(number: int, frame: object) -> None:
        if how == "session":
            ask()
        else:
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join(LONG)

    before = signal.signal(signal.SIGTERM, handler)
    try:
        lead(portal)

        async def work() -> str:
            signal.raise_signal(signal.SIGTERM)
            while not answers:
                await asyncio.sleep(0)
            return "goes on"

        assert run(portal, work) == "goes on"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_interrupts_the_main_thread_without_waking_it_is_heard(portal: Portal) -> None:
    lead(portal)
    seen: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().call_later(0.01, threading.Thread(target=_thread.interrupt_main).start)
        try:
            await forever()
        finally:
            seen.append("cancelled")

    with pytest.raises(KeyboardInterrupt):
        run(portal, work)
    assert seen == ["cancelled"]


def test_an_error_that_is_set_on_a_thread_that_runs_the_loop_ends_its_call(portal: Portal) -> None:
    raised: list[type[BaseException]] = []
    leads, cancelled = threading.Event(), threading.Event()

    def call() -> None:
        lead(portal)

        async def work() -> None:
            asyncio.get_running_loop().call_later(0.01, leads.set)
            try:
                await forever()
            finally:
                cancelled.set()

        try:
            run(portal, work)
        except SystemExit as error:
            raised.append(type(error))

    thread = threading.Thread(target=call)
    thread.start()
    assert leads.wait(LONG)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
    thread.join(LONG)
    assert raised == [SystemExit]
    assert cancelled.is_set()
    lead(portal)


def test_who_has_little_of_the_stack_left_leaves_the_loop_to_its_own_thread(portal: Portal) -> None:
    lead(portal)

    def deep(steps: int) -> int:
        return deep(steps - 1) if steps else run(portal, where)

    assert deep(sys.getrecursionlimit() - len(inspect.stack()) - 150) == own_thread(portal)
    lead(portal)
    assert not portal._turns.waiting


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_fork_that_another_thread_makes_hears_its_signals(portal: Portal) -> None:
    lead(portal)
    children: list[int] = []

    def fork() -> None:
        child = os.fork()
        if child == 0:
            # here this thread is the main one
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(99)
        children.append(child)

    async def work() -> None:
        await asyncio.to_thread(fork)

    run(portal, work)
    _, status = os.waitpid(children[0], 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_what_the_call_failed_with_is_the_cause(portal: Portal) -> None:
    lead(portal)

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError

    with pytest.raises(KeyboardInterrupt) as raised:
        run(portal, work)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_second_one_does_not_disturb_what_ends(portal: Portal) -> None:
    lead(portal)
    seen: list[str] = []

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await forever()
        finally:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            seen.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        run(portal, work)
    assert seen == ["cleaned up"]


def test_when_the_end_takes_long_the_second_one_is_raised_at_once(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0)
    lead(portal)
    go_on, ended = asyncio.Event(), threading.Event()

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await forever()
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
            await go_on.wait()
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        run(portal, work)
    assert not ended.is_set()
    # nobody waits for it any more, but it goes on
    portal.post(go_on.set)
    assert ended.wait(LONG)
    lead(portal)
    assert not portal._turns.waiting


@pytest.mark.parametrize("patience", [LONG, 0])
async def test_where_another_thread_runs_the_loop_too(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", patience)
    go_on, ended = asyncio.Event(), threading.Event()

    def interrupt() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    async def work() -> None:
        interrupt()
        try:
            await forever()
        except asyncio.CancelledError:
            interrupt()
            if not patience:
                await go_on.wait()
        ended.set()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(portal, work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set() is bool(patience)
    portal.post(go_on.set)
    assert ended.wait(LONG)


def test_a_handler_that_raises_nothing_disturbs_nobody(portal: Portal) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        lead(portal)

        async def work() -> str:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)
            return "done"

        assert run(portal, work) == "done"
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]


def test_a_handler_that_gives_way_to_another_stays_away(portal: Portal) -> None:
    def once(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)

    before = signal.signal(signal.SIGTERM, once)
    try:
        lead(portal)

        async def work() -> None:
            signal.raise_signal(signal.SIGTERM)

        run(portal, work)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_before_the_call_is_sent_keeps_it_from_beginning(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(portal)
    begun: list[int] = []
    usual = turns.Turns._lead

    def interrupted(*args: Any) -> bool:
        signal.raise_signal(signal.SIGINT)
        return usual(*args)

    async def work() -> None:
        begun.append(1)

    monkeypatch.setattr(turns.Turns, "_lead", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(portal, work)
    monkeypatch.undo()
    lead(portal)
    assert begun == []
    assert not portal._turns.waiting


def test_a_handler_that_stayed_does_what_the_usual_one_does(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    lead(portal)
    asked = turns._signals.getsignal
    monkeypatch.setattr(turns, "_signals", _Clumsy())
    run(portal, where)
    monkeypatch.undo()
    try:
        assert asked(signal.SIGINT) is not signal.default_int_handler
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        lead(portal)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Clumsy:
    """Puts handlers in place, and takes none away."""

    def __init__(self) -> None:
        self.is_asked = 0

    def getsignal(self, number: int) -> object:
        self.is_asked += 1
        return signal.getsignal(number) if self.is_asked <= len(turns._SIGNALS) else None

    def signal(self, number: int, handler: Any) -> None:
        signal.signal(number, handler)


def test_an_interpreter_that_hears_no_signals_sets_no_handlers(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int, handler: object) -> None:
        raise ValueError("signal only works in main thread of the main interpreter")

    monkeypatch.setattr(_Clumsy, "signal", staticmethod(refuse))
    monkeypatch.setattr(turns, "_signals", _Clumsy())
    lead(portal)
