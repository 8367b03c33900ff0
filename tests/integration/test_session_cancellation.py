"""S4 and S10: a session that is cancelled at any of its awaits leaves all of its work or nothing, and nothing open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database
from cormorant.errors import TransactionFailedError
from tests.support import databases
from tests.support.cancelling import When, cancelled_at
from tests.support.newsroom import Label, Memo, Story, Writer

Rows = tuple[list[str], list[int], list[str], int, list[str]]

BEFORE: Rows = (["Ada"], [0], ["old"], 1, ["old"])
AFTER: Rows = (["Ada", "Bob"], [1], ["inner", "new", "old"], 0, ["inner", "new"])


@pytest.fixture(params=databases.ALL)
def database_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Also of SQLite in threads, where there is more to wait for."""
    return databases.dsn_of(request, tmp_path)


async def prepare(database: Database) -> None:
    async with AsyncSession(database) as session:
        for model in (Story, Label, Memo, Writer):
            for row in await session.query(model):
                session.delete(row)
    async with AsyncSession(database) as session:
        story = Story(title="Notes", writer=Writer(name="Ada"))
        story.labels.add(Label(name="old"))
        session.add(story, Memo(title="memo"))


async def rows(database: Database) -> Rows:
    async with AsyncSession(database) as session:
        (story,) = await session.query(Story)
        return (
            sorted(await session.query(Writer).scalars(Writer.name)),
            [story.views],
            sorted(await session.query(Label).scalars(Label.name)),
            await session.query(Memo).count(),
            sorted(label.name for label in await story.labels),
        )


async def work(session: AsyncSession) -> None:
    """An insert, an update, links, a delete, a savepoint: in one transaction."""
    (story,) = await session.query(Story)
    async with session.transaction():
        session.add(Writer(name="Bob"), new := Label(name="new"))
        story.views += 1
        await session.add_m2m(story, Story.labels, new)
        async with session.transaction():
            labels = await story.labels
            story.labels.add(Label(name="inner"))
            story.labels.remove(next(label for label in labels if label.name == "old"))
            await session.flush()
        session.delete(*await session.query(Memo))


async def everything_is_given_back(database: Database) -> None:
    """Waits until what was cut off is rolled back, and looks whether anything is left."""
    stats = database.adapter.stats
    assert (stats.in_use, stats.waiting) == (0, 0)
    while (stats := database.adapter.stats).idle < stats.opened:
        await asyncio.sleep(0)
    if database.dialect.name == "postgresql":
        left = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
        async with AsyncSession(database) as session:
            assert (await session.execute(left)).scalar() == 0


async def for_every_await(
    database: Database, when: When, unit: Callable[[], Awaitable[None]], check: Callable[[], Awaitable[None]]
) -> int:
    """Cancels a unit of work at its first await, at its second, and so on until it has no more; gives their number."""
    number = 0
    while True:
        await prepare(database)

        async def run() -> None:
            await unit()

        came = await cancelled_at(run(), number + 1, when)
        await check()
        await everything_is_given_back(database)
        if not came:
            return number
        number += 1


@pytest.mark.parametrize("when", ["waiting", "answered"])
async def test_a_session_cancelled_anywhere_has_done_all_or_nothing(database: Database, when: When) -> None:
    seen: set[str] = set()

    async def unit() -> None:
        handles.append(session := AsyncSession(database))
        async with session:
            await work(session)

    async def check() -> None:
        found, told = await rows(database), handles.pop().last_commit
        assert found in (BEFORE, AFTER)
        # who was cancelled learns what became of it
        assert (told is not None) == (found == AFTER)
        seen.add("before" if found == BEFORE else "after")

    handles: list[AsyncSession] = []
    assert await for_every_await(database, when, unit, check) > databases.fewest_waits(database)
    assert seen == {"before", "after"}


@pytest.mark.parametrize("when", ["waiting", "answered"])
async def test_a_session_whose_block_was_cancelled_goes_on_or_says_why_not(database: Database, when: When) -> None:
    async def unit() -> None:
        async with AsyncSession(database) as session:
            try:
                await work(session)
            except asyncio.CancelledError:
                committed = session.last_commit
                await usable(session, committed is not None)
                await session.rollback()
                raise

    async def usable(session: AsyncSession, done: bool) -> None:
        # the block has ended, so nothing is left of it
        assert not session.in_transaction
        writers = sorted(await session.query(Writer).scalars(Writer.name))
        assert writers == (AFTER if done else BEFORE)[0]
        (story,) = await session.query(Story)
        assert [story.views] == (AFTER if done else BEFORE)[1]
        assert sorted(label.name for label in await story.labels) == (AFTER if done else BEFORE)[4]
        held = sorted(writer.name for writer in session.identity_map if isinstance(writer, Writer))
        assert set(held) <= set(writers)

    async def check() -> None:
        assert await rows(database) in (BEFORE, AFTER)

    await for_every_await(database, when, unit, check)


@pytest.mark.parametrize("when", ["waiting", "answered"])
async def test_an_inner_block_cancelled_anywhere_is_undone_or_fails_the_outer_one(
    database: Database, when: When
) -> None:
    outcomes: set[str] = set()

    async def inside(session: AsyncSession) -> str:
        try:
            async with session.transaction():
                session.add(Label(name="inner"))
                await session.flush()
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        return "kept" if await session.query(Label).count() == 2 else "undone"

    number, came = 0, True
    while came:
        number += 1
        await prepare(database)
        try:
            async with AsyncSession(database) as session, session.transaction():
                session.add(Writer(name="Bob"))
                await session.flush()
                # the inner task is the one that is cancelled
                came = await cancelled_at(inside(session), number, when)
        except TransactionFailedError:
            # nobody knows whether the savepoint was set; on SQLite an interrupted write undoes the whole transaction
            assert await rows(database) == BEFORE
            outcomes.add("failed")
        else:
            names = (await rows(database))[2]
            assert names in (["inner", "old"], ["old"])
            outcomes.add("kept" if len(names) == 2 else "undone")
        await everything_is_given_back(database)
    # whether SQLite is cut off within a write, which undoes the whole transaction, is a matter of moments
    assert "kept" in outcomes
    assert outcomes & ({"undone", "failed"} if when == "waiting" else {"undone"})


@pytest.mark.parametrize("when", ["waiting", "answered"])
async def test_a_lone_write_cancelled_anywhere_is_told(database: Database, when: When) -> None:
    async def unit() -> None:
        handles.append(session := AsyncSession(database))
        async with session:
            session.add(Label(name="new"))

    async def check() -> None:
        names, session = (await rows(database))[2], handles.pop()
        assert (session.last_commit is not None) == (names == ["new", "old"])

    handles: list[AsyncSession] = []
    await for_every_await(database, when, unit, check)


@pytest.mark.parametrize("when", ["waiting", "answered"])
async def test_a_unit_of_work_that_is_run_and_cancelled_anywhere_is_not_run_again(
    database: Database, when: When
) -> None:
    seen: set[str] = set()

    async def once(session: AsyncSession) -> None:
        handles.append(session)
        await work(session)

    async def unit() -> None:
        await database.run(once)

    async def check() -> None:
        found = await rows(database)
        assert found in (BEFORE, AFTER)
        assert len(handles) <= 1
        told = handles.pop().last_commit if handles else None
        assert (told is not None) == (found == AFTER)
        seen.add("before" if found == BEFORE else "after")

    handles: list[AsyncSession] = []
    assert await for_every_await(database, when, unit, check) > databases.fewest_waits(database)
    assert seen == {"before", "after"}


@pytest.mark.parametrize("when", ["waiting", "answered"])
async def test_a_session_that_commits_by_itself_cancelled_anywhere_has_done_whole_steps(
    database: Database, when: When
) -> None:
    steps: list[Rows] = [
        BEFORE,
        (["Ada", "Bob"], [0], ["old"], 1, ["old"]),
        (["Ada", "Bob"], [1], ["new", "old"], 1, ["new", "old"]),
        (["Ada", "Bob"], [1], ["inner", "new", "old"], 0, ["inner", "new", "old"]),
        (["Ada", "Bob"], [2], ["inner", "new", "old"], 0, ["inner", "new", "old"]),
    ]
    seen: set[int] = set()

    async def unit() -> None:
        handles.append(session := AsyncSession(database, autocommit=True))
        async with session:
            (story,) = await session.query(Story)
            session.add(Writer(name="Bob"))
            await session.flush()
            story.views += 1
            story.labels.add(Label(name="new"))
            await session.flush()
            async with session.transaction():
                session.delete(*await session.query(Memo))
                async with session.transaction():
                    await session.add_m2m(story, Story.labels, Label(name="inner"))
            # written at the end
            story.views += 1

    async def check() -> None:
        found, told = await rows(database), handles.pop().last_commit
        assert found in steps
        assert (told is not None) == (found != BEFORE)
        seen.add(steps.index(found))

    handles: list[AsyncSession] = []
    assert await for_every_await(database, when, unit, check) > databases.fewest_waits(database)
    # where statements run on the loop, nobody can be cancelled between some of the steps
    assert seen == set(range(len(steps))) or (database.config.runs_on_loop and seen >= {0, len(steps) - 1})
