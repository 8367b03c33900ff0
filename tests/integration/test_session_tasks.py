"""S2: one session and many tasks: what is shared, who owns the transaction, and who is refused."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cormorant import AsyncSession, Database, configure
from cormorant.errors import (
    AmbiguousSession,
    SessionClosedError,
    SessionNotEntered,
    SessionTaskError,
    TransactionError,
)
from tests.support.newsroom import Label, Story, Writer, make_story, make_writer, rolled_back, sent, words

HERE = r"test_session_tasks\.py:\d+"


# ---- reading and adding together


async def test_gathered_reads_run_side_by_side_outside_of_a_transaction(database: Database) -> None:
    await make_story(database)
    async with AsyncSession(database) as session:
        writers, stories, labels = await asyncio.gather(
            session.query(Writer), session.query(Story), session.query(Label).count()
        )
        assert (len(writers), len(stories), labels) == (1, 1, 0)
        assert stories[0].writer is writers[0]
        assert not session.in_transaction
    assert words(session) == {"SELECT": 3}


async def test_gathered_reads_inside_a_transaction_see_its_writes(database: Database) -> None:
    async with AsyncSession(database) as session:
        async with session.transaction():
            session.add(Story(title="s", writer=Writer(name="Ada")))
            await session.flush()
            writers, stories = await asyncio.gather(session.query(Writer), session.query(Story))
            assert stories[0].writer is writers[0]
        assert database.adapter.stats.in_use == 0


async def test_gathered_gets_of_one_row_give_one_instance(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        found = await asyncio.gather(*(session.get(Writer, key) for _ in range(5)))
        assert all(one is found[0] for one in found)


async def test_gathered_awaits_of_references_all_end_loaded(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Story(title=f"{n}", writer=Writer(name=f"w{n}")) for n in range(5)))
    async with AsyncSession(database) as session:
        stories = await session.query(Story)
        writers = await asyncio.gather(*(load_writer(story) for story in stories))
        assert {writer.name for writer in writers} == {f"w{n}" for n in range(5)}


async def load_writer(story: Story) -> Writer:
    return await story.writer


async def test_children_of_a_task_group_add_to_the_one_session(database: Database) -> None:
    async with AsyncSession(database) as session:

        async def child(number: int) -> None:
            session.add(Story(title=f"{number}", writer=Writer(name=f"{number}")))
            await session.query(Label).count()

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(child(number))
        assert len(session.new) == 20
    assert words(session)["INSERT"] == 2
    async with AsyncSession(database) as session:
        assert await session.query(Story).count() == 10


async def test_flushes_of_several_tasks_write_each_object_once(database: Database) -> None:
    async with AsyncSession(database) as session:

        async def child(number: int) -> None:
            session.add(Label(name=f"{number}"))
            await session.flush()
            assert await session.query(Label).filter(Label.name == f"{number}").count() == 1

        await asyncio.gather(*(child(number) for number in range(10)))
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 10


async def test_a_query_waits_for_the_flush_that_another_task_runs(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
        _, count = await asyncio.gather(session.flush(), session.query(Label).count())
        assert count == 1


# ---- one handle, many tasks


async def test_one_handle_can_be_entered_by_many_tasks(database: Database) -> None:
    session = AsyncSession(database)
    entered = asyncio.Barrier(5)

    async def task(number: int) -> int:
        async with session:
            label = Label(name=f"{number}")
            session.add(label)
            await entered.wait()
            assert list(session.new) == [label]
            assert AsyncSession.current() is session
        return label.id

    keys = await asyncio.gather(*(task(number) for number in range(5)))
    assert len(set(keys)) == 5
    with pytest.raises(SessionClosedError):
        await session.query(Label).count()


async def test_a_handle_with_several_blocks_is_ambiguous_from_outside(database: Database) -> None:
    session = AsyncSession(database)
    entered, done = asyncio.Barrier(3), asyncio.Event()

    async def task() -> None:
        async with session:
            await entered.wait()
            await done.wait()

    tasks = [asyncio.create_task(task()) for _ in range(2)]
    await entered.wait()
    with pytest.raises(AmbiguousSession, match=rf"2 blocks .*{HERE}.*{HERE}"):
        await session.query(Label).count()
    done.set()
    await asyncio.gather(*tasks)


async def test_a_task_without_the_context_finds_the_only_open_block(database: Database) -> None:
    async with AsyncSession(database) as session:
        task = asyncio.create_task(session.query(Label).all(), context=contextvars.Context())
        assert await task == []


async def test_nested_sessions_are_told_apart(database: Database) -> None:
    async with AsyncSession(database) as outer:
        async with AsyncSession(database) as inner:
            assert AsyncSession.current() is inner
            inner.add(Label(name="inner"))
            outer.add(Label(name="outer"))
            assert [label.name for label in outer.new if isinstance(label, Label)] == ["outer"]
        assert AsyncSession.current() is outer
        assert await outer.query(Label).count() == 2


async def test_a_session_entered_twice_by_one_task_has_two_states(database: Database) -> None:
    session = AsyncSession(database)
    async with session:
        session.add(Label(name="outer"))
        async with session:
            assert not session.new
            session.add(Label(name="inner"))
        assert len(session.new) == 1
    async with session:
        assert await session.query(Label).count() == 2


# ---- the manager and the current session


async def test_objects_is_a_query_on_the_current_session(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await Writer.objects.get(Writer.id == key)
        assert await session.get(Writer, key) is ada
        assert await Writer.objects.filter(name="Ada").count() == 1
        assert await Writer.objects.filter(Writer.id == key).update(Writer.age.set(3)) == 1
    with pytest.raises(SessionNotEntered, match="no session is open here"):
        await Writer.objects.count()


async def test_the_configured_database_is_the_default(database: Database) -> None:
    configure(database)
    try:
        async with AsyncSession() as session:
            assert session.database is database
            assert await session.query(Writer).count() == 0
    finally:
        configure(None)


# ---- who owns the transaction


async def test_a_child_cannot_begin_while_its_parents_block_is_open(database: Database) -> None:
    async with AsyncSession(database) as session:
        opened, refused = asyncio.Event(), asyncio.Event()

        async def child() -> None:
            await opened.wait()
            for begin in (session.begin, session.commit, session.rollback, session.transaction().__aenter__):
                with pytest.raises(SessionTaskError) as caught:
                    await begin()
                text = str(caught.value)
                assert "by child at" in text
                assert "the transaction opened by parent at" in text
                assert text.count("test_session_tasks.py:") == 3
            refused.set()

        asyncio.current_task().set_name("parent")  # type: ignore[union-attr]
        task = asyncio.create_task(child(), name="child")
        async with session.transaction():
            opened.set()
            await refused.wait()
        await task


async def test_children_of_a_block_cannot_both_open_an_inner_one(database: Database) -> None:
    async with AsyncSession(database) as session:
        opened, go_on = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with session.transaction():
                session.add(Label(name="first"))
                opened.set()
                await go_on.wait()

        async def second() -> None:
            await opened.wait()
            with pytest.raises(SessionTaskError, match=rf"second.*{HERE}, while the transaction opened by first"):
                await session.transaction().__aenter__()
            go_on.set()

        async with session.transaction():
            await asyncio.gather(
                asyncio.create_task(first(), name="first"), asyncio.create_task(second(), name="second")
            )
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 1


async def test_two_tasks_that_open_a_block_at_the_same_moment_do_not_mix(database: Database) -> None:
    async with AsyncSession(database) as session:
        # entering the first one takes a while, because it writes before
        session.add(Label(name="one"))
        await session.flush()
        session.add(Label(name="two"))

        async def block() -> str:
            try:
                async with session.transaction():
                    await session.query(Label).count()
                    return "entered"
            except SessionTaskError:
                return "refused"

        assert sorted(await asyncio.gather(block(), block())) == ["entered", "refused"]


async def test_a_child_of_a_block_may_open_one_inside(database: Database) -> None:
    async with AsyncSession(database) as session:

        async def child() -> None:
            async with rolled_back(session.transaction()):
                session.add(Label(name="undone"))
            async with session.transaction():
                session.add(Label(name="kept"))

        async with session.transaction():
            await asyncio.create_task(child())
    async with AsyncSession(database) as session:
        assert [label.name for label in await session.query(Label)] == ["kept"]


async def test_a_verb_is_refused_while_another_task_waits_for_a_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        reading = asyncio.create_task(session.query(Label).all(), name="reader")
        await asyncio.sleep(0)
        with pytest.raises(SessionTaskError, match=r"commit\(\) by .*, while reader .*uses the session"):
            await session.commit()
        assert await reading == []
        await session.commit()


async def test_leaving_waits_for_the_statements_of_other_tasks(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
        await session.flush()
        reading = asyncio.create_task(session.query(Label).count())
        await asyncio.sleep(0)
    assert await reading == 1
    assert database.adapter.stats.in_use == 0


async def test_leaving_by_an_exception_cancels_the_statements_of_other_tasks(database: Database) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Label(name="one"))
        await session.flush()
        reading = asyncio.create_task(session.query(Label).count())
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reading
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 0
    assert database.adapter.stats.in_use == 0


async def test_a_child_that_outlives_the_session_is_told_where_it_was_opened_and_ended(database: Database) -> None:
    closed = asyncio.Event()

    async def child(session: AsyncSession, story: Story) -> list[str]:
        await closed.wait()
        messages: list[str] = []
        for use in (session.query(Label).all, lambda: load_writer(story), session.flush):
            with pytest.raises(SessionClosedError) as caught:
                await use()
            messages.append(str(caught.value))
        return messages

    key = await make_story(database)
    async with AsyncSession(database) as session:
        task = asyncio.create_task(child(session, await session.get_one(Story, key)))
    closed.set()
    for message in await task:
        assert message.count("test_session_tasks.py:") == 3
        assert "async with AsyncSession()" in message


async def test_who_waited_in_line_while_the_session_ended_is_refused(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
        await session.flush()
        # three in a row on the one connection; leaving waits for them all
        tasks = [asyncio.create_task(session.query(Label).count()) for _ in range(3)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert database.adapter.stats.in_use == 0


# ---- fixtures and generators: entered, used and left by different tasks


async def test_enter_use_and_exit_may_be_three_tasks(database: Database) -> None:
    session = AsyncSession(database)
    await asyncio.create_task(session.__aenter__())

    async def use() -> None:
        session.add(Label(name="one"))
        async with session.transaction():
            session.add(Label(name="two"))
        session.add(Label(name="three"))

    await asyncio.create_task(use())
    await asyncio.create_task(session.__aexit__(None, None, None))
    async with AsyncSession(database) as other:
        assert await other.query(Label).count() == 3


@pytest.mark.parametrize("fails", [False, True])
async def test_a_session_in_an_async_generator(database: Database, fails: bool) -> None:
    async def fixture() -> AsyncGenerator[AsyncSession, None]:
        async with AsyncSession(database) as session, session.transaction():
            yield session

    generator = fixture()
    session = await asyncio.create_task(anext(generator))
    session.add(Label(name="one"))
    await session.flush()
    if fails:
        with pytest.raises(ZeroDivisionError):
            await asyncio.create_task(generator.athrow(ZeroDivisionError()))
    else:
        with pytest.raises(StopAsyncIteration):
            await asyncio.create_task(anext(generator))
    async with AsyncSession(database) as other:
        assert await other.query(Label).count() == (0 if fails else 1)


async def test_wait_for_may_wrap_everything(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"))
        await asyncio.wait_for(session.flush(), 30)
        async with session.transaction():
            assert await asyncio.wait_for(session.query(Label).count(), 30) == 1
        await asyncio.wait_for(session.commit(), 30)
    assert words(session)["COMMIT"] == 1


async def test_a_block_left_before_the_one_inside_it_is_rolled_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        outer, inner = session.transaction(), session.transaction()
        await outer.__aenter__()
        session.add(Label(name="one"))
        await inner.__aenter__()
        with pytest.raises(SessionTaskError, match="ended while the transaction opened by"):
            await outer.__aexit__(None, None, None)
        with pytest.raises(TransactionError):
            await inner.__aexit__(None, None, None)
        assert not session.in_transaction
        async with session.transaction():
            session.add(Label(name="two"))
    async with AsyncSession(database) as session:
        assert await session.query(Label).scalars(Label.name) == ["two"]


async def test_the_context_is_clean_after_a_session_that_others_ended(database: Database) -> None:
    session = AsyncSession(database)
    await session.__aenter__()
    assert AsyncSession.current() is session
    await asyncio.create_task(session.__aexit__(None, None, None))
    with pytest.raises(SessionClosedError, match="no session is open here"):
        AsyncSession.current()


# ---- other loops and threads


async def test_another_event_loop_is_refused_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        context = contextvars.copy_context()
        caught: list[BaseException] = []

        def thread() -> None:
            try:
                context.run(asyncio.run, session.get(Writer, 1))
            except SessionTaskError as error:
                caught.append(error)

        worker = threading.Thread(target=thread)
        worker.start()
        await asyncio.to_thread(worker.join)
        assert "belongs to another event loop" in str(caught[0])


@asynccontextmanager
async def paused(cls: Any, name: str, starts: str) -> AsyncGenerator[tuple[asyncio.Event, asyncio.Event], None]:
    """Stops the first call of a connection's method whose SQL starts so, before it is sent."""
    reached, go_on, real = asyncio.Event(), asyncio.Event(), getattr(cls, name)

    async def pause(self: Any, sql: str, args: Any = ()) -> Any:
        if sql.startswith(starts) and not reached.is_set():
            reached.set()
            await go_on.wait()
        return await real(self, sql, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cls, name, pause)
        yield reached, go_on


async def test_a_statement_that_starts_while_the_commit_is_sent_gets_a_transaction_of_its_own(
    database: Database,
) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="one"), Writer(name="Ada"))
        connection = await database.adapter.acquire()
        database.adapter.release(connection)
        async with paused(type(connection), "execute", "COMMIT") as (reached, go_on):
            committing = asyncio.create_task(session.commit())
            await reached.wait()
            session.add(Label(name="two"))
            flushing = asyncio.create_task(session.flush())
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.gather(committing, flushing)
        assert session.in_transaction
        await session.rollback()
    async with AsyncSession(database) as session:
        assert await session.query(Label).scalars(Label.name) == ["one"]
    assert sent(session) == 1


@pytest.mark.parametrize("verb", ["commit", "rollback"])
async def test_two_tasks_end_the_transaction_while_others_wait_for_it(database: Database, verb: str) -> None:
    async with AsyncSession(database) as session:
        connection = await database.adapter.acquire()
        database.adapter.release(connection)
        session.add(Label(name="one"))
        await session.flush()
        async with paused(type(connection), "execute", "COMMIT") as (reached, go_on):
            committing = asyncio.create_task(session.commit())
            await reached.wait()
            reading = asyncio.create_task(session.query(Label).scalars(Label.name).all())
            await asyncio.sleep(0)
            ending = asyncio.create_task(getattr(session, verb)())
            for _ in range(5):
                await asyncio.sleep(0)
            go_on.set()
            # neither is left waiting for the end that the other one brings about
            async with asyncio.timeout(30):
                await asyncio.gather(committing, ending)
                assert await reading == ["one"]
        assert not session.in_transaction
