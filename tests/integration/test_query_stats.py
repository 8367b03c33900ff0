"""Statements are counted and timed by their shape, and by the lines of the program that asked for them."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database, Session, StatementError
from tests.support.newsroom import Story, Writer


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


def test_call_sites_of_sync_sessions_are_in_their_thread(tmp_path: Path) -> None:
    with Session(f"sqlite:///{tmp_path / 'stats.db'}") as session:
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
