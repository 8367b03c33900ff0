"""A report tells of a session, or of a database, what it has done."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    NPlusOneError,
    Session,
    SessionNotEntered,
    SyncDatabase,
    configure,
    report,
)
from tests.support.newsroom import MODELS, Story, Writer


@pytest.fixture(autouse=True)
def unheard() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


async def fill(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Story(title=f"story {n}", writer=Writer(name=f"writer {n}")) for n in range(8)))


async def test_a_session_tells_what_it_has_done(database: Database) -> None:
    await fill(database)
    async with AsyncSession(database) as session:
        for writer in await session.query(Writer):
            await writer.stories.count()
        made = session.report()
        assert report(session).statements == made.statements
        await session.execute("SELECT 1")
    assert sum(statement.count for statement in made.statements) == 9
    assert sum(statement.share for statement in made.statements) == pytest.approx(1)
    (finding,) = made.findings
    assert (finding.what, finding.count) == ("Writer.stories is counted one by one", 8)
    assert finding.file == Path(__file__).name
    assert [(line.site.line, line.site.count) for line in made.lines if line.site.count == 8] == [(finding.line, 8)]
    assert len(made.runs) == 9
    assert {run.place for run in made.runs} == {str(line.site) for line in made.lines}
    assert all(run.statement is not None for run in made.runs)
    assert [run.start for run in made.runs] == sorted(run.start for run in made.runs)
    # after its block too, and what came later
    assert sum(statement.count for statement in session.report().statements) == 10


async def test_a_database_tells_of_all_sessions(database: Database) -> None:
    await fill(database)
    database.reset_query_stats()
    for _ in range(2):
        async with AsyncSession(database) as session:
            for writer in await session.query(Writer):
                await writer.stories.count()
    made = report(database)
    assert [(finding.count, finding.place) for finding in made.findings] == [
        (16, f"{Path(__file__).name}:{made.findings[0].line}")
    ]
    assert sum(statement.count for statement in made.statements) == 18
    figures = dict(made.figures)
    assert dict(figures["statements"])["count"] == 18
    assert dict(figures["pool"])["acquired"] >= 18
    assert made.title.startswith(f"Cormorant: {database.dialect.name}")
    database.reset_query_stats()
    assert (database.report().statements, database.report().findings, database.report().runs) == ((), (), ())


async def test_what_is_refused_as_n_plus_one_is_reported(database_dsn: str) -> None:
    async with Database(database_dsn, n_plus_one="raise") as database:
        await database.create_all(*MODELS)
        await fill(database)
        async with AsyncSession(database) as session:
            writers = await session.query(Writer)

            async def work() -> None:
                for writer in writers:
                    await writer.stories.count()

            with pytest.raises(NPlusOneError) as caught:
                await work()
        (finding,) = session.report().findings
        assert finding.what in str(caught.value)
        assert caught.value.hint == finding.fix


async def test_the_configured_database_is_reported_on(database: Database) -> None:
    with pytest.raises(ConfigurationError):
        report()
    configure(database)
    try:
        assert report().target == database.watch.target
    finally:
        configure(None)


async def test_a_session_that_was_never_entered_has_nothing_to_tell(database: Database) -> None:
    with pytest.raises(SessionNotEntered):
        AsyncSession(database).report()


async def test_statements_that_are_not_counted_are_not_reported(database_dsn: str) -> None:
    async with Database(database_dsn, track_queries=False) as database:
        async with AsyncSession(database) as session:
            await session.execute("SELECT 1")
        assert session.report().statements == database.report().statements == ()


def test_sync_sessions_and_databases_report_alike(tmp_path: Path) -> None:
    database = SyncDatabase(f"sqlite:///{tmp_path / 'reports.db'}")
    database.create_all(*MODELS)
    with database.session() as session:
        session.add(*(Story(title=f"story {n}", writer=Writer(name=f"writer {n}")) for n in range(8)))
        session.commit()
        for writer in session.query(Writer):
            session.query(writer.stories).count()
        made = session.report()
    assert [finding.place for finding in made.findings] == [f"{Path(__file__).name}:{made.findings[0].line}"]
    assert {line.site.file for line in made.lines} == {Path(__file__).name}
    # the connections are those of the sync sessions
    assert dict(dict(made.figures)["pool"])["acquired"] >= 10
    assert sum(item.count for item in report(database).statements) > sum(item.count for item in made.statements)
    assert report(session).statements == session.report().statements
    assert isinstance(session, Session)
    database.close()
