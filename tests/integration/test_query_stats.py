"""Statements are counted and timed by their shape, and by the lines of the program that asked for them."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Session, StatementError, SyncDatabase
from cormorant.observability.budgets import TRANSACTION_WORDS
from tests.support.newsroom import Label, Story, Writer


def here() -> int:
    """The line that calls."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


async def fill(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Story(title=f"story {n}", writer=Writer(name=f"writer {n}")) for n in range(3)))


async def test_a_session_knows_what_its_statements_cost(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database) as session:
        for _ in range(3):
            await session.query(Writer).filter(Writer.age >= 0)
        await session.execute("SELECT 1")
        stats = {item.sql: item for item in session.query_stats()}
    queries = next(item for sql, item in stats.items() if "writer" in sql)
    assert (queries.count, queries.rows, queries.errors) == (3, 9, 0)
    assert 0 < queries.mean_ms <= queries.max_ms <= queries.total_ms
    assert 0 < queries.p95_ms <= queries.max_ms
    # after its block too
    assert session.query_stats() == list(stats.values())


async def test_call_sites_are_lines_of_the_program(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database) as session:
        for _ in range(2):
            stories, first = await session.query(Story), here()
        await stories[0].writer
        second = here() - 1
        await session.execute("SELECT 1")
        third = here() - 1
        await session.execute("UPDATE stories SET views = 1", write=True)
        fourth = here() - 1
        found = [
            (Path(site.file), site.line, site.count) for stats in session.query_stats() for site in stats.call_sites
        ]
    file = Path(__file__)
    assert sorted(found) == [(file, first, 2), (file, second, 1), (file, third, 1), (file, fourth, 1)]
    sites = {site.line: site.count for stats in database.query_stats() for site in stats.call_sites}
    assert {line: sites[line] for line in (first, second, third)} == {first: 2, second: 1, third: 1}


async def flushed(session: AsyncSession) -> None:
    session.add(Story(title="new", writer=Writer(name="new")))
    await session.flush()  # here


async def committed(session: AsyncSession) -> None:
    session.add(Writer(name="lone"))
    await session.commit()  # here


async def flushed_for_a_query(session: AsyncSession) -> None:
    session.add(Writer(name="new"))
    await session.query(Writer).count()  # here


async def written_by_a_block(session: AsyncSession) -> None:
    async with session.transaction():  # here
        session.add(Writer(name="new"))


async def changed_by_query(session: AsyncSession) -> None:
    await session.query(Writer).filter(Writer.age < 0).update(Writer.age.set(1))  # here


async def deleted_by_query(session: AsyncSession) -> None:
    await session.query(Writer).filter(Writer.age < 0).delete()  # here


async def written_in_bulk(session: AsyncSession) -> None:
    for count in (1, 2, 1500):
        await session.query(Writer).bulk_create([{"name": f"in bulk {n}"} for n in range(count)])  # here


async def upserted(session: AsyncSession) -> None:
    await session.query(Label).upsert([{"name": "news"}], on=[Label.name], set=[])  # here


async def inserted_from_a_query(session: AsyncSession) -> None:
    names = session.query(Writer).values(Writer.name)
    await session.query(Label).insert_from([Label.name], names)  # here


async def found_or_made(session: AsyncSession) -> None:
    await session.query(Label).get_or_create(name="found or made")  # here


async def locked(session: AsyncSession) -> None:
    await session.query(Writer).for_update().first()  # here


async def linked(session: AsyncSession) -> None:
    story = await session.query(Story).order_by(Story.id).first()  # here
    assert story is not None
    await session.add_m2m(story, Story.labels, Label(name="new"))  # here
    await session.clear_m2m(story, Story.labels)  # here


async def streamed(session: AsyncSession) -> None:
    async for _ in session.query(Story).stream(chunk=2):  # here
        pass


async def streamed_in_a_transaction(session: AsyncSession) -> None:
    async with session.transaction():
        async for _ in session.query(Story).order_by(Story.title).stream(chunk=2):  # here
            pass


async def streamed_raw(session: AsyncSession) -> None:
    async for _ in session.stream("SELECT title FROM stories"):  # here
        pass


WORKS = [
    flushed,
    committed,
    flushed_for_a_query,
    written_by_a_block,
    changed_by_query,
    deleted_by_query,
    written_in_bulk,
    upserted,
    inserted_from_a_query,
    found_or_made,
    locked,
    linked,
    streamed,
    streamed_in_a_transaction,
    streamed_raw,
]


@pytest.mark.parametrize("work", WORKS)
async def test_every_statement_is_of_a_line(database: Database, work: Callable[[AsyncSession], Any]) -> None:
    """Only the words of transactions are nobody's."""
    await fill(database)
    async with AsyncSession(database) as session:
        await work(session)
        found = [stats for stats in session.query_stats() if not stats.sql.startswith(TRANSACTION_WORDS)]
    lines, first = inspect.getsourcelines(work)
    wanted = {first + place for place, line in enumerate(lines) if line.endswith("# here\n")}
    assert {site.line for stats in found for site in stats.call_sites} == wanted
    assert {site.file for stats in found for site in stats.call_sites} == {__file__}
    assert all(stats.count == sum(site.count for site in stats.call_sites) for stats in found)


async def test_what_leaving_a_session_writes_is_of_its_block(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="at the end"))
        line = here() - 2
    assert [(site.line, site.file) for stats in session.query_stats() for site in stats.call_sites] == [
        (line, __file__)
    ]


async def test_a_statement_that_failed_has_a_call_site(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError):
            await session.execute("SELECT nothing FROM nowhere")
        line = here() - 1
        assert [site.line for stats in session.query_stats() for site in stats.call_sites] == [line]


async def test_tasks_of_one_session_have_their_own_call_sites(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database) as session:

        async def one() -> None:
            await session.query(Writer).filter(Writer.age > 1)

        async def two() -> None:
            await session.query(Writer).filter(Writer.age > 2)

        await asyncio.gather(one(), two(), one())
        (stats,) = session.query_stats()
    first = one.__code__.co_firstlineno + 1
    assert {site.line: site.count for site in stats.call_sites} == {first: 2, first + 3: 1}


def test_call_sites_of_sync_sessions_are_in_their_thread(tmp_path: Path) -> None:
    SyncDatabase(source := f"sqlite:///{tmp_path / 'stats.db'}").create_all(Writer)
    with Session(source) as session:
        session.add(Writer(name="at the end"))
        session.commit()
        lines = [here() - 1]
        list(session.stream("SELECT name FROM newsroom_writer"))
        lines.append(here() - 1)
        found = [site.line for stats in session.query_stats() for site in stats.call_sites]
        assert sorted(found) == lines
        session.reset_query_stats()
        session.execute("SELECT 1")
        line = here() - 1
        found = [str(site) for stats in session.query_stats() for site in stats.call_sites]
        exported = session.export_query_stats(reset=True)
        assert session.query_stats() == []
    assert found == [f"{__file__}:{line}"]
    assert exported[0]["call_sites"] == [{"file": __file__, "line": line, "count": 1}]


async def test_statements_that_fail_are_counted(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError):
            await session.execute("SELECT nothing FROM nowhere")
        (stats,) = session.query_stats()
    assert (stats.count, stats.rows, stats.errors) == (1, 0, 1)
    assert any(stats.errors == 1 for stats in database.query_stats())


async def test_an_export_is_json_and_may_begin_anew(database: Database) -> None:
    await fill(database)
    exported = json.loads(json.dumps(database.export_query_stats(reset=True)))
    assert any("stories" in item["sql"] and item["count"] for item in exported)
    assert database.query_stats() == []
    await fill(database)
    database.reset_query_stats()
    assert database.export_query_stats() == []


async def test_samples_are_kept_where_they_are_asked_for(database_dsn: str) -> None:
    async with Database(database_dsn, sample_parameters=True) as database:
        async with AsyncSession(database) as session:
            await session.execute("SELECT 1 WHERE 3 = :n", {"n": 3})
            (found,) = session.export_query_stats(include_samples=True)
        assert found.get("sample") == ["3"]


async def test_a_database_may_count_nothing(database_dsn: str) -> None:
    async with Database(database_dsn, track_queries=False) as database:
        async with AsyncSession(database) as session:
            await session.execute("SELECT 1")
            assert session.query_stats() == []
        assert database.query_stats() == []
