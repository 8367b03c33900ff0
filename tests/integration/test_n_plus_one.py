"""What one line loads one by one is told once, with the line and what to write instead; nothing else is told."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    NPlusOneError,
    NPlusOneWarning,
    Session,
    text,
)
from tests.support import kept_tables
from tests.support.newsroom import MODELS, Desk, Label, Story, Writer

MANY = 8
Work = Callable[[AsyncSession], Awaitable[object]]


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """Writers with a desk and two stories each, which have two labels each."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        async with AsyncSession(database) as session:
            for n in range(1, MANY + 1):
                writer = Writer(name=f"writer {n}")
                stories = [Story(title=f"story {n}.{part}", writer=writer) for part in (1, 2)]
                for story in stories:
                    story.labels.add(Label(name=f"{story.title} a"), Label(name=f"{story.title} b"))
                session.add(writer, Desk(writer=writer), *stories)
        yield database


@contextmanager
def told() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found


async def ids(session: AsyncSession, model: Any) -> list[int]:
    found: list[int] = await session.query(model).order_by(model.id).scalars(model.id)
    return found


async def alone(session: AsyncSession, model: Any) -> list[Any]:
    """Objects each of which came by a query of its own, as from a function that gives one."""
    return [await session.query(model).filter(model.id == key).one() for key in await ids(session, model)]


# ---- ten ways to load one by one, each with what is proposed


async def gets(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        await session.get(Writer, key)


async def gets_at_once(session: AsyncSession) -> None:
    await session.get_many(Writer, await ids(session, Writer))


async def gets_that_must_be(session: AsyncSession) -> None:
    names = [(await session.get_one(Writer, key)).name for key in await ids(session, Writer)]
    assert len(names) == MANY


async def gets_by_a_helper(session: AsyncSession) -> None:
    async def name_of(key: int) -> str:
        writer = await session.get(Writer, key)
        return "" if writer is None else writer.name

    for key in await ids(session, Writer):
        await name_of(key)


async def gets_by_tasks(session: AsyncSession) -> None:
    await asyncio.gather(*(session.get(Writer, key) for key in await ids(session, Writer)))


async def references(session: AsyncSession) -> None:
    for story in await alone(session, Story):
        await story.writer


async def references_joined(session: AsyncSession) -> None:
    for key in await ids(session, Story):
        story = await session.query(Story).filter(Story.id == key).select_related(Story.writer).one()
        await story.writer


async def collections(session: AsyncSession) -> None:
    for writer in await alone(session, Writer):
        await writer.stories


async def collections_fetched(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        writer = await session.query(Writer).filter(Writer.id == key).prefetch_related(Writer.stories).one()
        await writer.stories


async def links(session: AsyncSession) -> None:
    for story in await alone(session, Story):
        assert len([label async for label in story.labels]) == 2


async def links_fetched(session: AsyncSession) -> None:
    for story in await session.query(Story).prefetch_related(Story.labels):
        assert len([label async for label in story.labels]) == 2


async def loads(session: AsyncSession) -> None:
    for writer in await alone(session, Writer):
        await session.load(writer, Writer.desk)


async def loads_at_once(session: AsyncSession) -> None:
    for writer in await session.query(Writer).prefetch_related(Writer.desk):
        await session.load(writer, Writer.desk)


async def parts(session: AsyncSession) -> None:
    for writer in await session.query(Writer):
        assert len(await writer.stories.filter(Story.views >= 0)) == 2


async def parts_fetched(session: AsyncSession) -> None:
    for writer in await session.query(Writer).prefetch_related(Writer.stories.filter(Story.views >= 0)):
        assert len(writer.stories.known) == 2


async def counts(session: AsyncSession) -> None:
    for writer in await session.query(Writer):
        assert await writer.stories.count() == 2


async def counts_beside(session: AsyncSession) -> None:
    async for _, count in session.query(Writer).annotate(Writer.stories.count()):
        assert count == 2


async def existence(session: AsyncSession) -> None:
    for writer in await session.query(Writer):
        assert await writer.stories.exists()


async def existence_beside(session: AsyncSession) -> None:
    async for _, any_ in session.query(Writer).annotate(Writer.stories.any()):
        assert any_


async def columns(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        await (await session.query(Writer).filter(Writer.id == key).only(Writer.name).one())


async def columns_read(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        await (await session.query(Writer).filter(Writer.id == key).one())


GET = "session.get_many(Writer, keys)"
CASES: list[tuple[Work, str, str, Work]] = [
    (gets, "Writer objects are got", GET, gets_at_once),
    (gets_that_must_be, "Writer objects are got", GET, gets_at_once),
    (gets_by_a_helper, "Writer objects are got", GET, gets_at_once),
    (gets_by_tasks, "Writer objects are got", GET, gets_at_once),
    (references, "Story.writer is loaded", ".select_related(Story.writer)", references_joined),
    (collections, "Writer.stories is loaded", ".prefetch_related(Writer.stories)", collections_fetched),
    (links, "Story.labels is loaded", ".prefetch_related(Story.labels)", links_fetched),
    (loads, "Writer.desk is loaded", ".prefetch_related(Writer.desk)", loads_at_once),
    (parts, "Writer.stories is queried", ".prefetch_related(Writer.stories)", parts_fetched),
    (counts, "Writer.stories is counted", ".annotate(Writer.stories.count())", counts_beside),
    (existence, "Writer.stories is looked for", ".annotate(Writer.stories.any())", existence_beside),
    (columns, "the rest of Writer objects is loaded", "leave out its only() or defer()", columns_read),
]


@pytest.mark.parametrize(("work", "what", "fix", "mended"), CASES, ids=[case[0].__name__ for case in CASES])
async def test_what_is_loaded_one_by_one_is_told_once_and_the_fix_silences_it(
    database: Database, work: Work, what: str, fix: str, mended: Work
) -> None:
    with told() as found:
        for _ in range(2):
            async with AsyncSession(database) as session:
                await work(session)
    assert [warning.category for warning in found] == [NPlusOneWarning]
    message = str(found[0].message)
    assert message.startswith(f"N+1: {what} one by one, 6 times by ")
    assert fix in message.splitlines()[1]
    if work is not gets_by_tasks:
        # the line itself, rather than one of ours
        assert Path(found[0].filename) == Path(__file__)
        assert f"{found[0].filename}:{found[0].lineno}" in message
    strict = Database(database.adapter, n_plus_one="raise")
    with told() as found:
        async with AsyncSession(strict) as session:
            await mended(session)
    assert found == []


# ---- ten that are as they should be


async def siblings(session: AsyncSession) -> None:
    for story in await session.query(Story):
        await story.writer
        await story.labels


async def joined(session: AsyncSession) -> None:
    for story in await session.query(Story).select_related(Story.writer):
        await story.writer


async def fetched(session: AsyncSession) -> None:
    for writer in await session.query(Writer).prefetch_related(Writer.stories):
        assert len(writer.stories) == 2


async def known(session: AsyncSession) -> None:
    await session.query(Writer)
    for _ in range(3):
        for key in await ids(session, Writer):
            await session.get(Writer, key)


async def few(session: AsyncSession) -> None:
    for key in (await ids(session, Writer))[:5]:
        await session.get(Writer, key)


async def many_lines(session: AsyncSession) -> None:
    a, b, c, d, e, f, *_ = await ids(session, Writer)
    await session.get(Writer, a)
    await session.get(Writer, b)
    await session.get(Writer, c)
    await session.get(Writer, d)
    await session.get(Writer, e)
    await session.get(Writer, f)


async def own_queries(session: AsyncSession) -> None:
    for n in range(MANY):
        await session.query(Writer).filter(Writer.age == n)


async def many_sessions(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        async with AsyncSession(session.database) as own:
            writer = await own.get_one(Writer, key)
            await writer.stories


async def many_commits(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        writer = await session.get_one(Writer, key)
        writer.age += 1
        await session.commit()


async def locks(session: AsyncSession) -> None:
    for key in await ids(session, Writer):
        await session.get(Writer, key, for_update=True)


async def chunks(session: AsyncSession) -> None:
    async for story in session.query(Story).order_by(Story.id).stream(chunk=3):
        await story.writer


async def refreshes(session: AsyncSession) -> None:
    writer = await session.get_one(Writer, 1)
    for _ in range(MANY):
        await session.refresh(writer)


@pytest.mark.parametrize(
    "work",
    [
        siblings,
        joined,
        fetched,
        known,
        few,
        many_lines,
        own_queries,
        many_sessions,
        many_commits,
        locks,
        chunks,
        refreshes,
    ],
)
async def test_what_is_as_it_should_be_is_not_told(database: Database, work: Work) -> None:
    strict = Database(database.adapter, n_plus_one="raise")
    with told() as found:
        async with AsyncSession(strict) as session:
            await work(session)
    assert found == []


# ---- how it is told


async def test_strict_databases_refuse_before_anything_is_sent(database: Database) -> None:
    strict = Database(database.adapter, n_plus_one="raise")
    async with AsyncSession(strict) as session:
        keys = await ids(session, Writer)
        session.reset_query_stats()
        with pytest.raises(NPlusOneError) as caught:
            await gets(session)
        assert "6 times by" in caught.value.message
        assert caught.value.hint == "get them in one query: session.get_many(Writer, keys)"
        assert sum(stats.count for stats in session.query_stats() if '"age"' in stats.sql) == 5
        # the session goes on
        assert len(await session.get_many(Writer, keys)) == MANY


async def test_the_threshold_is_the_sessions_or_the_databases(database: Database) -> None:
    for threshold, own, expected in ((7, None, 1), (8, None, 0), (1, 8, 0), (100, 2, 1)):
        other = Database(database.adapter, performance_threshold=threshold)
        with told() as found:
            async with AsyncSession(other, performance_threshold=own) as session:
                await gets(session)
        assert len(found) == expected


async def test_it_may_be_ignored(database: Database) -> None:
    with told() as found:
        async with AsyncSession(Database(database.adapter, n_plus_one="ignore")) as session:
            await gets(session)
    assert found == []


def test_the_environment_chooses_where_the_program_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Database("sqlite://").n_plus_one == "warn"
    monkeypatch.setenv("CORMORANT_N_PLUS_ONE", "raise")
    assert Database("sqlite://").n_plus_one == "raise"
    assert Database("sqlite://", n_plus_one="ignore").n_plus_one == "ignore"
    monkeypatch.setenv("CORMORANT_N_PLUS_ONE", "shout")
    with pytest.raises(ConfigurationError, match="CORMORANT_N_PLUS_ONE='shout'"):
        Database("sqlite://")


@pytest.mark.parametrize("threshold", [0, -1, 2.5, True, "5"])
def test_a_threshold_is_a_number_of_times(threshold: Any) -> None:
    with pytest.raises(ConfigurationError, match="performance_threshold="):
        Database("sqlite://", performance_threshold=threshold)
    with pytest.raises(ConfigurationError, match="performance_threshold="):
        AsyncSession("sqlite://", performance_threshold=threshold)


def test_sync_sessions_are_told_their_own_line(tmp_path: Path) -> None:
    with Session(f"sqlite:///{tmp_path / 'sync.db'}") as session, told() as found:
        session.database.reported.clear()
        for statement in session.database.create_sql(*MODELS):
            session.execute(text(statement), write=True)
        session.add(*(Story(title=f"{n}", writer=Writer(name=f"{n}")) for n in range(MANY)))
        session.commit()
        session.clear()
        keys = session.query(Story).scalars(Story.id).all()
        names = [session.query(Story).filter(Story.id == key).one().writer.name for key in keys]
        assert len(set(names)) == MANY
        session.clear()
        for story in session.query(Story):
            assert story.writer.name
    assert [Path(warning.filename) for warning in found] == [Path(__file__)]
    assert ".select_related(Story.writer)" in str(found[0].message)
