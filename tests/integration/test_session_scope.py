"""S1: what entering and leaving a session does."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import AsyncSession, Database, NotLoadedError, UnsavedError, ValidationError, ref
from cormorant.errors import SessionClosedError, SessionNotEntered
from tests.support.newsroom import Label, Memo, Story, Writer, make_story, make_writer, rolled_back, sent, words


async def test_entering_and_leaving_without_work_sends_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert not session.in_transaction
    assert sent(session) == 0


async def test_leaving_commits(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada"))
    async with AsyncSession(database) as session:
        assert (await session.query(Writer).one()).name == "Ada"


async def test_leaving_by_an_exception_rolls_back(database: Database) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Writer(name="Ada"))
        await session.flush()
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 0


async def test_leaving_by_a_cancellation_rolls_back(database: Database) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with AsyncSession(database) as session:
            session.add(Writer(name="Ada"))
            await session.flush()
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 0


async def test_an_exception_also_undoes_what_was_never_sent(database: Database) -> None:
    key = await make_writer(database)
    added = Writer(name="Bob")
    async with rolled_back(AsyncSession(database)) as session:
        ada = await session.get_one(Writer, key)
        ada.name = "Eve"
        session.add(added)
    assert ada.name == "Ada"
    async with AsyncSession(database) as session:
        session.add(added)
    assert added.id > key


async def test_a_failed_commit_at_the_end_rolls_back_and_is_raised(database: Database) -> None:
    bad = Writer(name="Ada", age=-1)

    async def work() -> None:
        async with AsyncSession(database) as session:
            session.add(Writer(name="Bob"))
            await session.flush()
            session.add(bad)

    with pytest.raises(ValidationError):
        await work()
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 0
        bad.age = 1
        session.add(bad)


async def test_nothing_expires_on_commit_or_close(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        story = Story(title="Notes", writer=ada)
        session.add(story)
        await session.commit()
        assert (story.title, story.version, story.writer.name) == ("Notes", 1, "Ada")
        before = sent(session)
        assert story.writer is ada
        assert sent(session) == before
    assert (story.id, story.title, story.version, story.writer.name) == (story.id, "Notes", 1, "Ada")


async def test_what_was_not_loaded_says_after_the_block_that_the_session_is_closed(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        with pytest.raises(NotLoadedError):
            story.writer.name  # noqa: B018
        with pytest.raises(NotLoadedError):
            len(story.labels)
    for read in (lambda: story.writer.name, lambda: len(story.labels), lambda: list(story.labels)):
        with pytest.raises(SessionClosedError, match="session is closed"):
            read()
    with pytest.raises(SessionClosedError, match=r"test_session_scope\.py:\d+"):
        await story.writer
    with pytest.raises(SessionClosedError):
        await story.labels
    assert story.writer.id == story.writer_id


async def test_loaded_collections_stay_readable(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="Notes", writer=Writer(name="Ada"))
        story.labels.add(Label(name="math"))
        session.add(story)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, story.id)
        await story.labels
    assert [label.name for label in story.labels] == ["math"]
    assert [label.name for label in await story.labels] == ["math"]


async def test_a_closed_session_refuses_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        pass
    for call in (
        lambda: session.query(Writer).all(),
        lambda: session.get(Writer, 1),
        lambda: session.commit(),
        lambda: session.flush(),
        lambda: session.execute("SELECT 1"),
    ):
        with pytest.raises(SessionClosedError, match=r"session is closed.*test_session_scope\.py:\d+"):
            await call()
    with pytest.raises(SessionClosedError):
        session.add(Writer(name="Ada"))


async def test_a_session_that_was_never_entered_refuses(database: Database) -> None:
    session = AsyncSession(database)
    with pytest.raises(SessionNotEntered, match="not entered"):
        await session.get(Writer, 1)
    with pytest.raises(SessionNotEntered):
        AsyncSession.current()


async def test_a_session_can_be_entered_again(database: Database) -> None:
    session = AsyncSession(database)
    async with session:
        session.add(Writer(name="Ada"))
    async with session:
        assert len(session.identity_map) == 0
        assert await session.query(Writer).count() == 1


async def test_close_rolls_back_and_may_be_called_twice(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada"))
        await session.flush()
        await session.close()
        await session.close()
        with pytest.raises(SessionClosedError):
            await session.query(Writer).count()
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 0


async def test_a_collection_of_a_closed_session_cannot_be_changed(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
    with pytest.raises(SessionClosedError, match="cannot be changed"):
        story.labels.add(Label(name="math"))


async def test_a_value_that_the_database_makes_is_missed_by_name_before_the_flush(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(ada)
        with pytest.raises(UnsavedError, match=r"(?s)Writer\.id of .* no value yet.*flush first"):
            ada.id  # noqa: B018
        await session.flush()
        assert isinstance(ada.id, int)


async def test_documents_and_references_are_readable_after_the_block(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = Memo(body={"a": [1]}, words=["x"])
        session.add(memo)
    assert (memo.body, memo.words) == ({"a": [1]}, ["x"])
    assert ref(Memo, memo.id).id == memo.id


async def test_statistics_stay_readable_after_the_block(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Writer).count()
    assert words(session) == {"SELECT": 1}
