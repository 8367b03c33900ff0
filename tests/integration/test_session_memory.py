"""S2: a session that has ended lets go of its objects, whoever still knows of it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from cormorant import AsyncSession, Database, MemoryCache
from cormorant.errors import DatabaseError, SessionClosedError
from tests.support.newsroom import Label, Memo, Story, Writer, make_story

Watched = list[weakref.ref[Any]]


async def use(session: AsyncSession, key: int) -> Watched:
    """Reads, writes, relates and undoes; gives what must be freed."""
    story = await session.get_one(Story, key)
    writer, memo = await story.writer, Memo(body={"a": [1]})
    session.add(memo)
    await session.flush()
    memo.body["a"].append(2)
    async with session.transaction():
        label = Label(name="x")
        story.labels.add(label)
    stray = Label(name="never written")
    session.add(stray)
    session.expunge(stray)
    return [weakref.ref(each) for each in (story, writer, memo, label, stray)]


def freed(watched: Watched) -> bool:
    gc.collect()
    return [ref() for ref in watched] == [None] * len(watched)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Cycles are left alone meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("cache", [None, MemoryCache(listens=False)], ids=["uncached", "cached"])
async def test_a_session_that_has_ended_needs_no_garbage_collector(
    database: Database, fails: bool, cache: MemoryCache | None
) -> None:
    async with AsyncSession(database) as session:
        session.add(label := Label(name="warm"))
    watched: list[weakref.ref[Any]] = []
    with suppress(KeyError):
        async with AsyncSession(database, cache_backend=cache) as session:
            again = await session.get_one(Label, label.id)
            again.name = "changed"
            await session.flush()
            session.add(Label(name="new"))
            state = session.state()
            watched += [weakref.ref(each) for each in (state, state.unit, state.transactions, state.flusher)]
            if fails:
                raise KeyError
    del again, state
    assert [ref() for ref in watched] == [None] * len(watched)


async def test_contexts_that_tasks_and_callbacks_have_captured(database: Database) -> None:
    key = await make_story(database)
    loop, go_on = asyncio.get_running_loop(), asyncio.Event()
    captured: list[Any] = []

    async def child() -> None:
        await go_on.wait()

    async def unit() -> Watched:
        async with AsyncSession(database) as session:
            watched = await use(session, key)
            captured.append(asyncio.create_task(child()))
            captured.append(loop.call_later(3600, print))
            captured.append(contextvars.copy_context())
            async with session.transaction():
                captured.append(asyncio.create_task(child()))
                captured.append(contextvars.copy_context())
                await asyncio.wait_for(session.query(Label).count(), 60)
        return watched

    watched = await unit()
    assert freed(watched)
    go_on.set()
    await asyncio.gather(*(each for each in captured if isinstance(each, asyncio.Task)))
    for each in captured:
        if isinstance(each, asyncio.TimerHandle):
            each.cancel()


async def test_connections_that_the_session_opened(database: Database) -> None:
    key = await make_story(database)
    # every connection is opened by the session itself
    async with Database(database.config) as fresh:

        async def unit() -> Watched:
            async with AsyncSession(fresh, timeout=3600) as session:
                watched = await use(session, key)
                await asyncio.gather(*(session.query(Label).all() for _ in range(3)))
            return watched

        assert freed(await unit())
        assert fresh.adapter.stats.idle > 0


@pytest.mark.parametrize("late", [True, False])
async def test_an_exception_that_is_held_with_its_traceback(database: Database, late: bool) -> None:
    key = await make_story(database)
    watched: Watched = []

    async def fails(session: AsyncSession) -> None:
        watched.extend(await use(session, key))
        if late:
            # refused by the database when the session is left
            session.add(Label(name="y"), Label(name="y"))
        else:
            await session.execute("SELECT no_such_column FROM newsroom_label")

    async def unit() -> None:
        async with AsyncSession(database) as session:
            await fails(session)

    with pytest.raises(DatabaseError) as caught:
        await unit()
    held = caught.value
    assert held.__traceback__ is not None
    assert freed(watched)


async def test_a_handle_and_a_generator_that_are_held(database: Database) -> None:
    key = await make_story(database)
    handle = AsyncSession(database)
    queries: list[Any] = []

    async def unit() -> Watched:
        async with handle:
            watched = await use(handle, key)
            queries.append(handle.query(Story))
            queries.append(Story.objects)
        return watched

    assert freed(await unit())
    with pytest.raises(SessionClosedError):
        await queries[0]


@pytest.mark.parametrize("ends", ["cancelled", "failed"])
async def test_a_task_that_is_held(database: Database, ends: str) -> None:
    key = await make_story(database)
    watched: Watched = []
    inside = asyncio.Event()

    async def unit() -> None:
        async with AsyncSession(database) as session:
            watched.extend(await use(session, key))
            inside.set()
            if ends == "failed":
                raise ZeroDivisionError
            await asyncio.Event().wait()

    task = asyncio.create_task(unit())
    await inside.wait()
    task.cancel()
    await asyncio.wait((task,))
    assert freed(watched)
    assert task.done()


async def test_a_child_that_goes_on(database: Database) -> None:
    key = await make_story(database)
    go_on = asyncio.Event()

    async def child(call: Callable[[], Awaitable[object]]) -> None:
        await go_on.wait()
        with pytest.raises(SessionClosedError):
            await call()

    async def unit() -> tuple[Watched, asyncio.Task[None]]:
        async with AsyncSession(database) as session:
            watched = await use(session, key)
            return watched, asyncio.create_task(child(session.query(Writer).all))

    watched, task = await unit()
    assert freed(watched)
    go_on.set()
    await task
