"""Bad input and misuse: a named error that says what to do, nothing half-written, and a session that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from cormorant import AsyncSession, Database
from cormorant.errors import (
    CormorantError,
    ForeignInstanceError,
    KeyConflictError,
    SessionClosedError,
    SessionTaskError,
    StaleObjectError,
)
from tests.support.newsroom import Grade, Label, Story, Writer

Misuse: TypeAlias = "Callable[[Database, AsyncSession, Story], Awaitable[None]]"


async def anothers_object(database: Database, session: AsyncSession, story: Story) -> None:
    async with AsyncSession(database) as other:
        theirs = await other.create(Writer, name="Eve")
        try:
            session.add(theirs)
        finally:
            await other.rollback()


async def anothers_object_by_relation(database: Database, session: AsyncSession, story: Story) -> None:
    async with AsyncSession(database) as other:
        (theirs,) = await other.query(Writer)
        session.add(Story(title="mixed", writer=theirs))
        await session.flush()


async def an_object_of_a_closed_session(database: Database, session: AsyncSession, story: Story) -> None:
    async with AsyncSession(database) as other:
        (theirs,) = await other.query(Writer)
    session.delete(theirs)


async def a_changed_row(database: Database, session: AsyncSession, story: Story) -> None:
    await behind_its_back(database, lambda theirs, _: setattr(theirs, "views", 7))
    story.title = "mine"
    await session.flush()


async def a_vanished_row(database: Database, session: AsyncSession, story: Story) -> None:
    await behind_its_back(database, lambda theirs, other: other.delete(theirs))
    story.title = "mine"
    await session.flush()


async def behind_its_back(database: Database, change: Callable[[Story, AsyncSession], object]) -> None:
    async with AsyncSession(database) as other:
        (theirs,) = await other.query(Story)
        change(theirs, other)


async def two_objects_of_one_key(database: Database, session: AsyncSession, story: Story) -> None:
    session.add(Grade(pupil=1, course="x"), Grade(pupil=1, course="x"))
    await session.flush()


async def a_commit_in_the_wrong_task(database: Database, session: AsyncSession, story: Story) -> None:
    async with session.transaction():
        story.title = "mine"
        await session.flush()
        await asyncio.create_task(committing(session))


async def committing(session: AsyncSession) -> None:
    # a block of its own is open in this task's parent, which waits
    async with session.transaction():
        await asyncio.create_task(session.commit())


async def after_close(database: Database, session: AsyncSession, story: Story) -> None:
    async with AsyncSession(database) as other:
        (theirs,) = await other.query(Story)
    await theirs.writer


CASES: list[tuple[Misuse, type[CormorantError], str]] = [
    (anothers_object, ForeignInstanceError, "belongs to another session"),
    (anothers_object_by_relation, ForeignInstanceError, "belongs to another session"),
    (an_object_of_a_closed_session, ForeignInstanceError, "another session, which is closed"),
    (a_changed_row, StaleObjectError, "changed or deleted by someone else"),
    (a_vanished_row, StaleObjectError, "changed or deleted by someone else"),
    (two_objects_of_one_key, KeyConflictError, "another Grade of this session"),
    (a_commit_in_the_wrong_task, CormorantError, "commit() inside the transaction opened by"),
    (after_close, SessionClosedError, "the session is closed"),
]


@pytest.mark.parametrize(("misuse", "error", "text"), CASES, ids=lambda value: getattr(value, "__name__", ""))
async def test_misuse_is_named_and_harms_nothing(
    database: Database, misuse: Misuse, error: type[CormorantError], text: str
) -> None:
    async with AsyncSession(database) as session:
        session.add(Story(title="Notes", writer=Writer(name="Ada")))
    async with AsyncSession(database) as session:
        (story,) = await session.query(Story)
        with pytest.raises(error) as caught:
            await misuse(database, session, story)
        assert text in str(caught.value)
        assert caught.value.hint
        await session.rollback()
        assert [*session.new, *session.dirty, *session.deleted] == []
        assert await session.query(Grade).count() == 0
        session.add(Label(name="goes on"))
    async with AsyncSession(database) as session:
        assert await session.query(Label).scalars(Label.name) == ["goes on"]
        titles = await session.query(Story).scalars(Story.title)
        assert titles == ([] if misuse is a_vanished_row else ["Notes"])
    assert database.adapter.stats.in_use == 0


async def test_a_verb_in_the_wrong_task_changes_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        opened, refused = asyncio.Event(), asyncio.Event()

        async def other() -> None:
            await opened.wait()
            for verb in (session.commit, session.rollback, session.begin):
                with pytest.raises(SessionTaskError) as caught:
                    await verb()
                assert "async with AsyncSession()" in str(caught.value.hint)
            refused.set()

        task = asyncio.create_task(other())
        async with session.transaction():
            session.add(Label(name="one"))
            await session.flush()
            opened.set()
            await refused.wait()
            session.add(Label(name="two"))
        await task
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 2
