"""Streams on both databases: every row once, memory that stays flat, and nothing left open however they end."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConnectionLost,
    Database,
    ForeignInstanceError,
    NotLoadedError,
    QueryError,
    SessionClosedError,
    SessionTaskError,
    StatementError,
    TransactionError,
    WrongType,
    func,
    text,
)
from tests.support.newsroom import MODELS, Label, Memo, Story, Writer, rolled_back, sent, sql_of, words

STORIES = 25


@pytest.fixture
async def full(database: Database) -> AsyncIterator[Database]:
    """The newsroom with 25 stories of 3 writers."""
    async with AsyncSession(database) as session:
        writers = [Writer(name=name) for name in ("Ada", "Bob", "Cy")]
        session.add(*(Story(title=f"t{n}", views=n % 4, writer=writers[n % 3]) for n in range(STORIES)))
    yield database
    # whatever a test left behind: no connection is in use, none in a transaction
    await settle(database)


async def settle(database: Database) -> None:
    """Waits until generators that were left are closed: the event loop does that in a task of its own."""
    gc.collect()
    async with asyncio.timeout(30):
        # the loop first hears of a generator, then makes the task, which may leave another generator
        for _ in range(3):
            await asyncio.sleep(0)
            await asyncio.gather(*filter(is_closing, asyncio.all_tasks()))
        while database.adapter.stats.in_use:
            await asyncio.sleep(0)


def is_closing(task: asyncio.Task[Any]) -> bool:
    """Whether a task closes a generator that nobody holds any more."""
    return type(task.get_coro()).__name__ == "async_generator_athrow"


async def rest(stream: AsyncIterator[Any]) -> int:
    """Reads a stream to its end, and gives how many rows there were."""
    return len([row async for row in stream])


@pytest.fixture
async def session(full: Database) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(full) as session:
        yield session


# ------------------------------------------------------------------ the rows


@dataclass
class Line:
    title: str
    views: int


def queries(session: AsyncSession) -> list[Any]:
    stories = session.query(Story)
    return [
        stories,
        stories.order_by(Story.views.desc(), Story.id),
        stories.order_by(Story.writer.name, Story.views, Story.id),
        stories.filter(Story.views > 1).order_by(Story.title, Story.id),
        stories.limit(7),
        stories.limit(0),
        stories.order_by(Story.views, Story.id).limit(12).offset(3),
        stories.filter(Story.id < 0),
        stories.values(Story.title, Story.writer.name).order_by(Story.views, Story.id),
        stories.values(Story.title, Story.views).into(Line),
        stories.scalars(Story.title).order_by(Story.views.desc(), Story.id.desc()),
        stories.scalars(Story.editor.id),
        stories.as_dicts(Story.id, Story.title),
        stories.annotate(func.upper(Story.title)).order_by(Story.writer.name.desc(), Story.id),
        stories.values(Story.views, func.count()).group_by(Story.views).order_by(Story.views),
        stories.scalars(Story.views).distinct().order_by(Story.views),
        stories.filter(Story.views > 2).union(stories.filter(Story.views < 2)).order_by(Story.id),
        stories.scalars(func.max(Story.views)),
    ]


QUERIES = range(18)


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize("held", [False, True], ids=["outside", "inside"])
async def test_streams_give_what_queries_give(full: Database, chunk: int, held: bool) -> None:
    for number in QUERIES:
        async with rolled_back(AsyncSession(full)) as session:
            query = queries(session)[number]
            expected = await (query if query._spec.order_by else ordered(query))
            if held:
                await session.begin()
            assert [row async for row in query.stream(chunk)] == expected
            assert session.in_transaction is held


@pytest.mark.parametrize("held", [False, True], ids=["outside", "inside"])
async def test_an_order_by_chance_is_one_order(full: Database, held: bool) -> None:
    async with rolled_back(AsyncSession(full)) as session:
        if held:
            await session.begin()
        expected = await session.query(Story).scalars(Story.id).order_by(Story.id)
        for order in (func.random(), func.random().desc()):
            keys: list[int] = []
            async for story in session.query(Story).order_by(order).stream(3):
                # a new order for each chunk may have no end
                assert story.id not in keys
                keys.append(story.id)
            assert sorted(keys) == expected
        assert session.in_transaction is held


def ordered(query: Any) -> Any:
    """Gives the query in the order in which it streams."""
    plain = query._spec.columns is None or not isinstance(query._spec.columns[0], type(func.count()))
    return query.order_by(Story.id) if plain else query


@pytest.mark.parametrize("chunk", [0, -1, True, 1.5, "10", None])
async def test_a_chunk_is_a_number_of_rows(session: AsyncSession, chunk: Any) -> None:
    with pytest.raises(WrongType, match="a number of rows is an int of 1 or more"):
        session.query(Story).stream(chunk)


async def test_an_error_of_the_query_is_raised_by_the_loop(session: AsyncSession) -> None:
    query = session.query(Story).values(Story.title, func.count())
    with pytest.raises(QueryError, match="read from groups"):
        await rest(query.stream())
    assert not session.in_transaction


# ------------------------------------------------------------------ outside of a transaction


async def test_outside_each_chunk_is_a_statement_and_no_connection_is_held(full: Database) -> None:
    async with AsyncSession(full) as session:
        async for _ in session.query(Story).stream(10):
            assert full.adapter.stats.in_use == 0
            assert not session.in_transaction
        assert words(session) == {"SELECT": 3}
        assert [sql for sql in sql_of(session, "SELECT") if "OFFSET" in sql] == []


async def test_a_commit_for_each_row_is_possible(full: Database) -> None:
    async with AsyncSession(full) as session:
        async for story in session.query(Story).stream(10):
            async with session.transaction():
                story.views += 100
        assert words(session)["COMMIT"] == STORIES
        assert len(session.identity_map) == 0
    async with AsyncSession(full) as session:
        assert await session.query(Story).filter(Story.views >= 100).count() == STORIES


async def test_changes_are_written_and_go_then(full: Database) -> None:
    async with AsyncSession(full) as session:
        held = 0
        async for story in session.query(Story).stream(5):
            story.title += "!"
            if story.id % 5 == 0:
                await session.commit()
            held = max(held, len(session.identity_map))
        assert held <= 10
        assert len(session.identity_map) == 0
        assert await session.query(Story).filter(Story.title.endswith("!")).count() == STORIES


async def test_changes_of_several_chunks_go_with_their_commit(full: Database) -> None:
    async with AsyncSession(full) as session:
        async for story in session.query(Story).stream(5):
            story.title += "!"
            if story.id % 10 == 0:
                await session.commit()
        # those of the last chunk wait for theirs
        assert {story.id for story in session.identity_map if isinstance(story, Story)} == {21, 22, 23, 24, 25}


async def test_rows_deleted_in_the_loop(full: Database) -> None:
    async with AsyncSession(full) as session:
        async for story in session.query(Story).stream(4):
            session.delete(story)
        await session.commit()
        assert await session.query(Story).count() == 0
        assert len(session.identity_map) == 0


# ------------------------------------------------------------------ inside of one


async def test_inside_one_statement_is_read_in_chunks(full: Database) -> None:
    async with AsyncSession(full) as session, session.transaction():
        seen = 0
        async for _ in session.query(Story).order_by(Story.views, Story.id).stream(10):
            seen += 1
            assert full.adapter.stats.in_use == 1
            if seen % 7 == 0:
                assert await session.query(Writer).count() == 3
        assert seen == STORIES
        assert len(sql_of(session, 'SELECT "stories"')) == 1


async def test_inside_it_sees_what_the_transaction_wrote(full: Database) -> None:
    async with rolled_back(AsyncSession(full)) as session:
        session.add(Story(title="new", writer=await session.get_one(Writer, 1)))
        await session.flush()
        assert session.in_transaction
        assert [story.title async for story in session.query(Story).stream(3)][-1] == "new"


async def test_pending_changes_are_written_first(full: Database) -> None:
    async with rolled_back(AsyncSession(full)) as session:
        (await session.get_one(Story, 1)).title = "changed"
        grouped = session.query(Story).filter(Story.title == "changed").values(Story.title).distinct()
        assert [row async for row in grouped.stream()] == [("changed",)]
        assert session.in_transaction


async def test_writes_between_chunks(full: Database) -> None:
    async with AsyncSession(full) as session, session.transaction():
        async for story in session.query(Story).stream(10):
            story.title = f"{story.id}"
            if story.id % 6 == 0:
                await session.flush()
    async with AsyncSession(full) as session:
        assert all(story.title == str(story.id) for story in await session.query(Story))


async def test_two_streams_at_once(full: Database) -> None:
    async with AsyncSession(full) as session, session.transaction():
        first, second = (session.query(Story).stream(4) for _ in range(2))
        pairs = [(story.id, (await anext(second)).id) async for story in first]
        assert pairs == [(n, n) for n in range(1, STORIES + 1)]
        await second.aclose()


async def test_a_session_of_snapshots_reads_one_moment(full: Database) -> None:
    async with AsyncSession(full, isolation="repeatable read") as session:
        assert len([story async for story in session.query(Story).stream(10)]) == STORIES
        # the first read has opened the transaction, as every read does there
        assert session.in_transaction
        assert len(sql_of(session, "SELECT")) == 1


# ------------------------------------------------------------------ a transaction of its own


async def test_a_transaction_that_the_stream_began_ends_with_it(full: Database) -> None:
    async with AsyncSession(full) as session:
        groups = session.query(Story).values(Story.views, func.count()).group_by(Story.views)
        async for _ in groups.stream(2):
            assert session.in_transaction
        assert not session.in_transaction
        assert full.adapter.stats.in_use == 0
        assert words(session)["COMMIT"] == 1


async def test_what_was_written_meanwhile_waits_for_the_session(full: Database) -> None:
    async with rolled_back(AsyncSession(full)) as session:
        async for views in session.query(Story).scalars(Story.views).distinct().stream(2):
            session.add(Label(name=f"views {views}"))
            await session.flush()
        assert session.in_transaction
    async with AsyncSession(full) as session:
        assert await session.query(Label).count() == 0


async def test_in_autocommit_what_was_written_meanwhile_is_committed(full: Database) -> None:
    async with AsyncSession(full, autocommit=True) as session:
        async for views in session.query(Story).scalars(Story.views).distinct().stream(2):
            session.add(Label(name=f"views {views}"))
            await session.flush()
        assert not session.in_transaction
    async with AsyncSession(full) as session:
        assert await session.query(Label).count() == 4


async def test_a_failed_stream_ends_the_transaction_it_began(full: Database) -> None:
    async with AsyncSession(full) as session:
        broken = session.query(Story).scalars(func.call("no_such_function", Story.id, returns=int)).distinct()
        with pytest.raises(StatementError):
            await rest(broken.stream())
        assert not session.in_transaction
        assert await session.query(Story).count() == STORIES


# ------------------------------------------------------------------ what the session keeps


@pytest.mark.parametrize("held", [False, True], ids=["outside", "inside"])
async def test_objects_are_forgotten_chunk_by_chunk(full: Database, held: bool) -> None:
    async with AsyncSession(full) as session:
        if held:
            await session.begin()
        most = 0
        async for story in session.query(Story).stream(5):
            assert story in session.identity_map
            most = max(most, len(session.identity_map))
        assert most == 5
        assert len(session.identity_map) == 0


async def test_what_comes_along_goes_too(full: Database) -> None:
    async with AsyncSession(full) as session:
        async for story in session.query(Story).select_related(Story.writer).stream(5):
            assert story.writer.name in ("Ada", "Bob", "Cy")
        assert len(session.identity_map) == 0
        async for story in session.query(Story).stream(5):
            await story.writer
            await story.labels
            await story.writer.stories
        assert len(session.identity_map) == 0
        async for writer in session.query(Writer).prefetch_related(Writer.stories).stream(2):
            assert len(writer.stories) in (8, 9)
        assert len(session.identity_map) == 0
        async for writer, stories in session.query(Writer).annotate(Writer.stories).stream(2):
            assert len(stories) in (8, 9)
            assert writer in session.identity_map
        assert len(session.identity_map) == 0


async def test_relations_are_loaded_for_a_whole_chunk(full: Database) -> None:
    async with AsyncSession(full) as session:
        async for story in session.query(Story).stream(10):
            await story.writer
        assert sent(session) == 6


async def test_what_was_known_stays(full: Database) -> None:
    async with AsyncSession(full) as session:
        known = [await session.get_one(Story, 3), await session.get_one(Writer, 1)]
        rows = [story async for story in session.query(Story).select_related(Story.writer).stream(5)]
        assert rows[2] is known[0]
        assert rows[0].writer is known[1]
        assert set(session.identity_map) == set(known)


async def test_what_others_load_meanwhile_stays(full: Database) -> None:
    async with AsyncSession(full) as session:
        loaded: list[Any] = []
        async for story in session.query(Story).stream(5):
            if story.id == 7:
                loaded += await session.query(Writer)
                loaded.append(await session.get_one(Story, 20))
        assert set(session.identity_map) == set(loaded)
        assert (await session.get_one(Story, 20)) is loaded[-1]


async def test_what_was_changed_stays_and_is_written(full: Database) -> None:
    async with AsyncSession(full) as session:
        changed: list[Story] = []
        title = (await session.get_one(Story, 2)).title
        session.clear()
        async for story in session.query(Story).stream(5):
            if story.id in (2, 9):
                story.title = "changed"
                changed.append(story)
        assert set(session.identity_map) == set(changed)
        await session.rollback()
        assert changed[0].title == title
    async with AsyncSession(full) as session:
        async for story in session.query(Story).stream(5):
            if story.id == 2:
                story.title = "changed"
    async with AsyncSession(full) as session:
        assert (await session.get_one(Story, 2)).title == "changed"


async def test_changes_inside_documents_are_found(full: Database) -> None:
    async with AsyncSession(full) as session:
        session.add(*(Memo(body={"n": n}, words=["a"]) for n in range(6)))
    async with AsyncSession(full) as session:
        async for memo in session.query(Memo).stream(2):
            if memo.body["n"] == 1:
                memo.body["n"] = 100
            if memo.body["n"] == 2:
                memo.words.append("b")
    async with AsyncSession(full) as session:
        rows = await session.query(Memo).order_by(Memo.id)
        assert [memo.body["n"] for memo in rows] == [0, 100, 2, 3, 4, 5]
        assert [len(memo.words) for memo in rows] == [1, 1, 2, 1, 1, 1]


async def test_pending_links_stay(full: Database) -> None:
    async with AsyncSession(full) as session:
        label = Label(name="long")
        session.add(label)
        async for story in session.query(Story).stream(5):
            if story.id % 10 == 0:
                story.labels.add(label)
    async with AsyncSession(full) as session:
        label = await session.query(Label).prefetch_related(Label.stories).one()
        assert sorted(story.id for story in label.stories) == [10, 20]


# ------------------------------------------------------------------ objects that were let go


async def let_go(session: AsyncSession) -> list[Story]:
    """Gives streamed stories, which the session has forgotten."""
    stories = [story async for story in session.query(Story).stream(5)]
    assert len(session.identity_map) == 0
    return stories


async def test_a_change_brings_an_object_back(full: Database) -> None:
    async with AsyncSession(full) as session:
        stories = await let_go(session)
        stories[3].title = "changed"
        assert list(session.identity_map) == [stories[3]]
        assert await session.get_one(Story, 4) is stories[3]
        session.delete(stories[4])
    async with AsyncSession(full) as session:
        assert (await session.get_one(Story, 4)).title == "changed"
        assert await session.get(Story, 5) is None


async def test_relations_of_an_object_that_was_let_go(full: Database) -> None:
    async with AsyncSession(full) as session:
        stories = await let_go(session)
        writer = await stories[0].writer
        assert writer.name == "Ada"
        assert list(await stories[1].labels) == []
        stories[1].labels.add(Label(name="late"))
        await session.flush()
        await session.refresh(stories[2])
        assert stories[2] in session.identity_map
        assert await stories[1].labels.count() == 1


async def test_a_reference_that_was_let_go_can_be_loaded(full: Database) -> None:
    async with AsyncSession(full) as session:
        writers = [story.writer async for story in session.query(Story).stream(5)]
        assert len(session.identity_map) == 0
        assert (await writers[0]).name == "Ada"


async def test_two_objects_for_one_row_are_refused(full: Database) -> None:
    async with AsyncSession(full) as session:
        stories = await let_go(session)
        again = await session.get_one(Story, 1)
        assert again is not stories[0]
        for use in (
            lambda: setattr(stories[0], "title", "x"),
            lambda: session.delete(stories[0]),
            lambda: session.add(stories[0]),
            lambda: stories[0].labels.add(Label(name="x")),
        ):
            with pytest.raises(ForeignInstanceError, match="has read its row into another object since") as caught:
                use()
            assert caught.value.hint == "use that one: await session.get(Story, 1)"
        with pytest.raises(ForeignInstanceError):
            await session.refresh(stories[0])
        assert stories[0].title == "t0"
        assert not stories[0].__orm_changes__
        assert not session.dirty


# ------------------------------------------------------------------ ends


@pytest.mark.parametrize("grouped", [False, True], ids=["by key", "at once"])
async def test_leaving_the_loop_early(full: Database, grouped: bool) -> None:
    async with AsyncSession(full) as session:
        query = session.query(Story).distinct() if grouped else session.query(Story)
        async for _ in query.stream(5):
            break
        await settle(full)
        assert not session.in_transaction
        assert full.adapter.stats.in_use == 0
        assert len(session.identity_map) == 0
        with suppress(ZeroDivisionError):
            async for story in query.stream(5):
                story.id / 0
        await settle(full)
        assert not session.in_transaction
        assert full.adapter.stats.in_use == 0


async def test_leaving_the_loop_inside_of_a_transaction(full: Database) -> None:
    async with AsyncSession(full) as session:
        async with session.transaction():
            async for _ in session.query(Story).stream(5):
                break
            # at once, before the generator was closed: the commit ends the statement
        async with session.transaction():
            stream = session.query(Story).stream(5)
            await anext(stream)
            await stream.aclose()
            assert await session.query(Story).count() == STORIES
        assert full.adapter.stats.in_use == 0


async def test_leaving_the_session_in_the_loop(full: Database) -> None:
    session = await AsyncSession(full).__aenter__()
    stream = session.query(Story).distinct().stream(5)
    await anext(stream)
    await session.__aexit__(None, None, None)
    assert full.adapter.stats.in_use == 0
    with pytest.raises((SessionClosedError, TransactionError)):
        await rest(stream)
    await stream.aclose()
    by_key = AsyncSession(full)
    async with by_key:
        stream = by_key.query(Story).stream(5)
        await anext(stream)
    with pytest.raises(SessionClosedError):
        await rest(stream)


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_the_transaction_ends_in_the_loop(full: Database, end: str) -> None:
    async with AsyncSession(full) as session:
        await session.begin()
        stream = session.query(Story).stream(5)
        await anext(stream)
        await getattr(session, end)()
        with pytest.raises(TransactionError, match="the transaction in which the stream is read has ended"):
            await rest(stream)
        assert not session.in_transaction
        assert full.adapter.stats.in_use == 0


async def test_a_savepoint_ends_in_the_loop(full: Database) -> None:
    async with AsyncSession(full) as session, session.transaction():
        async with rolled_back(session.transaction()):
            stream = session.query(Story).stream(5)
            await anext(stream)
        with pytest.raises(TransactionError, match="has ended"):
            await rest(stream)
        async with session.transaction():
            stream = session.query(Story).stream(5)
            await anext(stream)
        # released, its block is a part of the one around it
        assert len([story async for story in stream]) == STORIES - 1
        async with rolled_back(session.transaction()):
            assert await rest(session.query(Story).stream(5)) == STORIES


@pytest.mark.parametrize("grouped", [False, True], ids=["by key", "at once"])
async def test_cancellation(full: Database, grouped: bool) -> None:
    """Cancelled at the n-th wait, for every n."""
    for turns in range(0, 60, 3):
        async with AsyncSession(full) as session:
            query = session.query(Story).distinct() if grouped else session.query(Story)

            async def read() -> int:
                return len([story async for story in query.stream(5)])  # noqa: B023

            task = asyncio.ensure_future(read())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await settle(full)
            assert not session.in_transaction
            assert await session.query(Story).count() == STORIES


async def test_a_stream_may_be_read_by_another_task(full: Database) -> None:
    async with AsyncSession(full) as session, session.transaction():
        stream = session.query(Story).stream(5)

        async def read(count: int) -> list[int]:
            return [(await anext(stream)).id for _ in range(count)]

        found = [await asyncio.create_task(read(5)) for _ in range(5)]
        assert [n for part in found for n in part] == list(range(1, STORIES + 1))
        await stream.aclose()


async def test_another_task_cannot_end_the_transaction_of_a_stream(full: Database) -> None:
    async with AsyncSession(full) as session:
        await session.begin()
        async for story in session.query(Story).stream(5):
            if story.id == 7:
                with pytest.raises(SessionTaskError, match=r"commit\(\) by .* uses the session"):
                    await asyncio.create_task(session.commit())
        await asyncio.create_task(session.commit())
        assert not session.in_transaction


async def test_what_is_not_loaded_names_the_stream(full: Database) -> None:
    async with AsyncSession(full) as session:
        for held in (False, True):
            if held:
                await session.begin()
            async for story in session.query(Story).stream(5):
                with pytest.raises(NotLoadedError, match=r"test_streams\.py"):
                    print(story.writer.name)
                break


async def test_queries_beside_a_stream(full: Database) -> None:
    async with AsyncSession(full) as session:
        await session.begin()

        async def count() -> int:
            return await session.query(Story).count()

        async for story in session.query(Story).stream(5):
            if story.id % 5 == 1:
                assert await asyncio.gather(count(), count()) == [STORIES] * 2


# ------------------------------------------------------------------ memory

MANY = 24_000


async def fill(session: AsyncSession, rows: int) -> None:
    """Makes many stories, in the database."""
    numbers = (
        "generate_series(1, :rows) AS n"
        if session.database.dialect.name == "postgresql"
        else "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :rows) SELECT n FROM s) AS s"
    )
    await session.execute("INSERT INTO newsroom_writer (id, name, age) VALUES (1, 'Ada', 0)")
    await session.execute(
        "INSERT INTO stories (title, views, version, writer_id) "
        f"SELECT 'a title of some length', n % 100, 1, 1 FROM {numbers}",
        {"rows": rows},
    )
    await session.commit()


@pytest.mark.parametrize("held", [False, True], ids=["outside", "inside"])
async def test_memory_stays_flat(database: Database, held: bool) -> None:
    async with AsyncSession(database) as session:
        await fill(session, MANY)
        if held:
            await session.begin()
        seen, start = 0, 0
        tracemalloc.start()
        try:
            async for _ in session.query(Story).stream():
                seen += 1
                if seen == 5_000:
                    start, _ = tracemalloc.get_traced_memory()
                    tracemalloc.reset_peak()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert seen == MANY
        # all of them at once take 14 MB
        assert peak - start < 1_400_000


# ------------------------------------------------------------------ raw SQL


async def test_raw_sql_streams(full: Database) -> None:
    async with AsyncSession(full) as session:
        session.add(Writer(name="Dee"))
        rows = [
            row async for row in session.stream("select id, name from newsroom_writer where id > :n", {"n": 1}, chunk=2)
        ]
        assert sorted(rows) == [(2, "Bob"), (3, "Cy"), (4, "Dee")]
        assert session.in_transaction
        await session.commit()
        with_words = "with w as (select id from stories where views = :v) select count(*) from w -- all;"
        assert [row async for row in session.stream(with_words, {"v": 3})] == [(6,)]
        assert not session.in_transaction
        async for _ in session.stream(text("select * from stories;"), chunk=3):
            break
        await settle(full)
        assert not session.in_transaction
        async with session.transaction():
            assert len([row async for row in session.stream("select 1 union select 2")]) == 2


@pytest.mark.parametrize("sql", ["delete from stories", "select 1; select 2", "", "select * from stories for update"])
async def test_only_a_select_streams(session: AsyncSession, sql: Any) -> None:
    with pytest.raises(QueryError, match=r"stream\(\) takes"):
        session.stream(sql)


async def test_bad_raw_streams(session: AsyncSession) -> None:
    bad: Any = object()
    with pytest.raises(WrongType, match="is no SQL"):
        session.stream(bad)
    with pytest.raises(QueryError, match="parameters are given by name"):
        session.stream("select :n", bad)
    with pytest.raises(QueryError, match="the parameter :n"):
        session.stream("select :n")
    with pytest.raises(WrongType, match="a number of rows"):
        session.stream("select 1", chunk=0)
    with pytest.raises(StatementError):
        await rest(session.stream("select * from nowhere"))
    assert not session.in_transaction


async def test_a_lost_connection(postgres_database: str) -> None:
    async with Database(postgres_database) as database, AsyncSession(database) as other:
        await database.create_all(*MODELS)
        async with rolled_back(AsyncSession(database)) as session:
            session.add(*(Writer(name=f"w{n}") for n in range(10)))
            await session.flush()
            stream = session.query(Writer).stream(3)
            await anext(stream)
            (pid,) = (await session.execute("select pg_backend_pid()"))[0]
            await other.execute("select pg_terminate_backend(:pid)", {"pid": pid})
            with pytest.raises(ConnectionLost):
                await rest(stream)
        assert await other.query(Writer).count() == 0
        assert database.adapter.stats.in_use == 0
