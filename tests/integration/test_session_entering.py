"""S2: which of a handle's blocks a caller is in, and which one is left, whatever task or context that happens in."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from cormorant import AsyncSession, Database
from cormorant.errors import (
    AmbiguousSession,
    SessionClosedError,
    SessionNotEntered,
    SessionTaskError,
    TransactionError,
)
from tests.support.newsroom import Label

HERE = r"test_session_entering\.py:\d+"


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Label).scalars(Label.name))


async def opened(session: AsyncSession, name: str) -> AsyncGenerator[AsyncSession, None]:
    """A block that adds a label, entered and left by whoever runs the generator."""
    async with session:
        session.add(Label(name=name))
        yield session


def in_own_context(work: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(work, context=contextvars.Context())


# ---- leaving one of several blocks


@pytest.mark.parametrize("order", ["first", "last"])
async def test_each_block_of_one_handle_is_left_by_the_function_that_entered_it(database: Database, order: str) -> None:
    session = AsyncSession(database)
    one, two = opened(session, "one"), opened(session, "two")
    await in_own_context(anext(one))
    await in_own_context(anext(two))
    if order == "last":
        one, two = two, one
    # left by an exception: only this one is undone
    with pytest.raises(ZeroDivisionError):
        await in_own_context(one.athrow(ZeroDivisionError()))
    with pytest.raises(StopAsyncIteration):
        await in_own_context(anext(two))
    assert await names(database) == (["two"] if order == "first" else ["one"])


async def test_the_outer_block_may_be_left_from_inside_the_inner_one(database: Database) -> None:
    session = AsyncSession(database)
    outer = opened(session, "outer")
    # a context of its own: this one never hears of the outer block
    await in_own_context(anext(outer))
    async with session:
        session.add(Label(name="inner"))
        with pytest.raises(StopAsyncIteration):
            await anext(outer)
        assert len(session.new) == 1
    assert await names(database) == ["inner", "outer"]


async def test_blocks_that_nothing_tells_apart_are_refused_with_their_places(database: Database) -> None:
    session = AsyncSession(database)
    stacks = [AsyncExitStack(), AsyncExitStack()]

    async def enter(stack: AsyncExitStack) -> None:
        await stack.enter_async_context(session)

    for stack in stacks:
        await in_own_context(enter(stack))
    asyncio.current_task().set_name("lost")  # type: ignore[union-attr]
    with pytest.raises(AmbiguousSession, match=rf"2 blocks .* lost at .*{HERE} is in none of them: .*{HERE}.*{HERE}"):
        await stacks[0].aclose()


async def test_closing_ends_the_callers_block_only(database: Database) -> None:
    session = AsyncSession(database)
    entered, closed = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        async with session:
            session.add(Label(name="kept"))
            entered.set()
            await closed.wait()

    task = asyncio.create_task(other())
    async with session:
        session.add(Label(name="undone"))
        await session.flush()
        await entered.wait()
        await session.close()
        await session.close()
        with pytest.raises(SessionClosedError):
            await session.query(Label).count()
    closed.set()
    await task
    assert await names(database) == ["kept"]


async def test_close_from_outside_of_several_blocks_is_refused(database: Database) -> None:
    session = AsyncSession(database)
    one, two = opened(session, "one"), opened(session, "two")
    await in_own_context(anext(one))
    await in_own_context(anext(two))
    with pytest.raises(AmbiguousSession):
        await session.close()
    await in_own_context(one.aclose())
    await session.close()
    await in_own_context(two.aclose())
    assert await names(database) == []


# ---- a child that outlives its block


async def test_a_child_that_outlives_its_block_does_not_join_anothers(database: Database) -> None:
    session = AsyncSession(database)
    go_on = asyncio.Event()

    async def child() -> str:
        await go_on.wait()
        with pytest.raises(SessionClosedError) as caught:
            session.add(Label(name="lost"))
        return str(caught.value)

    async with session:
        task = asyncio.create_task(child(), name="child")
    async with session:
        go_on.set()
        message = await task
        assert not session.new
    assert f"opened by {asyncio.current_task().get_name()} at" in message  # type: ignore[union-attr]
    assert "it is used by child at" in message
    assert message.count("test_session_entering.py:") == 3


async def test_current_skips_blocks_that_have_ended(database: Database) -> None:
    go_on = asyncio.Event()

    async def child() -> AsyncSession:
        await go_on.wait()
        return AsyncSession.current()

    async with AsyncSession(database) as outer:
        async with AsyncSession(database), outer.transaction():
            task = asyncio.create_task(child())
        go_on.set()
        assert await task is outer
    with pytest.raises(SessionNotEntered):
        AsyncSession.current()


# ---- generators that others close


async def test_a_generator_closed_by_another_task_rolls_back_there(database: Database) -> None:
    session = AsyncSession(database)
    generator = opened(session, "one")
    await anext(generator)
    await session.flush()
    await asyncio.create_task(generator.aclose())
    assert database.adapter.stats.in_use == 0
    with pytest.raises(SessionClosedError):
        await session.flush()
    assert await names(database) == []


async def test_a_generator_that_is_forgotten_is_closed_by_the_event_loop(database: Database) -> None:
    session = AsyncSession(database)
    before = asyncio.all_tasks()

    async def forget() -> None:
        async for _ in opened(session, "one"):
            await session.flush()
            break

    await forget()
    gc.collect()
    # the loop's hook closes it in a task of its own
    while (closing := asyncio.all_tasks() - before) or database.adapter.stats.in_use:
        await asyncio.gather(*closing)
        await asyncio.sleep(0)
    with pytest.raises(SessionClosedError):
        await session.flush()
    assert await names(database) == []


async def test_the_event_loops_end_closes_generators(database_dsn: str) -> None:
    kept: list[Any] = []

    async def main() -> None:
        async with Database(database_dsn) as database:
            await database.drop_all(Label)
            await database.create_all(Label)
            # asyncio.run() closes what is left when main() is over; the pool is open so long
            kept.append(opened(AsyncSession(database), "one"))
            session = await anext(kept[0])
            await session.flush()
            await asyncio.get_running_loop().shutdown_asyncgens()
            assert database.adapter.stats.in_use == 0
            assert await names(database) == []

    await asyncio.to_thread(asyncio.run, main())


# ---- dependencies of web frameworks


async def test_a_thread_with_a_copied_context_knows_the_session_and_may_not_use_it(database: Database) -> None:
    # what a framework does with `def` functions: they run in a pool of threads
    async with AsyncSession(database) as session:
        label = await session.create(Label, name="one")
        assert await asyncio.to_thread(AsyncSession.current) is session
        uses = (lambda: session.add(Label(name="two")), lambda: session.delete(label), session.clear)
        for use in uses:
            with pytest.raises(SessionTaskError, match=r"belongs to the thread of its event loop.*(?s:.*)use Session"):
                await asyncio.to_thread(use)
        assert list(session.identity_map) == [label]
    assert await names(database) == ["one"]


@pytest.mark.parametrize("fails", [False, True])
async def test_an_exit_stack_left_in_another_context(database: Database, fails: bool) -> None:
    @asynccontextmanager
    async def dependency() -> AsyncGenerator[AsyncSession, None]:
        async with AsyncSession(database) as session, session.transaction():
            yield session

    stack = AsyncExitStack()
    session = await in_own_context(stack.enter_async_context(dependency()))
    session.add(Label(name="one"))
    leave: Callable[..., Any] = stack.__aexit__
    # False: the exception, if there is one, goes on
    assert not await in_own_context(
        leave(ZeroDivisionError, ZeroDivisionError(), None) if fails else leave(*[None] * 3)
    )
    assert await names(database) == ([] if fails else ["one"])


# ---- blocks that were opened for others


async def test_a_block_whose_opener_has_ended_is_gone_on_in_by_others(database: Database) -> None:
    """A fixture opens it, in a task and a context of its own; the test works inside of it."""
    session = AsyncSession(database)
    block = session.transaction()
    await in_own_context(session.__aenter__())
    await in_own_context(block.__aenter__())

    async def use() -> None:
        async with session.transaction():
            session.add(Label(name="kept"))
        with pytest.raises(TransactionError, match=r"commit\(\) inside the transaction"):
            await session.commit()

    await in_own_context(use())
    await in_own_context(block.__aexit__(None, None, None))
    await in_own_context(session.__aexit__(None, None, None))
    assert await names(database) == ["kept"]


async def test_a_block_entered_by_a_child_that_has_ended_is_its_parents(database: Database) -> None:
    async with AsyncSession(database) as session:
        block = session.transaction()
        # a task of its own, before Python 3.12
        await asyncio.create_task(block.__aenter__())
        async with session.transaction():
            session.add(Label(name="kept"))
        await asyncio.create_task(block.__aexit__(None, None, None))
        await session.commit()
    assert await names(database) == ["kept"]


async def test_a_block_whose_opener_goes_on_is_nobody_elses(database: Database) -> None:
    async with AsyncSession(database) as session:
        opened_, go_on = asyncio.Event(), asyncio.Event()

        async def opener() -> None:
            async with session.transaction():
                opened_.set()
                await go_on.wait()

        task = asyncio.create_task(opener(), name="opener")
        await opened_.wait()
        for context in (contextvars.copy_context(), contextvars.Context()):
            with pytest.raises(
                SessionTaskError, match=r"inside of the session opened by .* while .* by opener at"
            ) as e:
                await asyncio.create_task(session.transaction().__aenter__(), context=context)
            assert str(e.value).count("test_session_entering.py:") == 2
        go_on.set()
        await task
