"""Steps that must not be in a transaction: indexes that are made while others write, enum values, work of a program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from cormorant import (
    AsyncSession,
    ChangedMigration,
    ConnectionConfig,
    Database,
    LockTimeout,
    MigrationEngine,
    MigrationError,
    MigrationFailed,
    SchemaBuilder,
    UniqueViolation,
)
from cormorant.migrations import HistoricalModels, RunSession, RunSQL, Step, nothing
from cormorant.migrations.running.outcomes import Progress
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from tests.support.essays import CREATE, MOOD, ODD, STARS, TITLES, chain, execute, reached, rows

UNIQUE = replace(TITLES, unique=True)
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(postgres_database) as database:
        yield database


async def begun(database: Database, *steps: Step, titles: Sequence[str] = ("Notes", "Notes")) -> MigrationEngine:
    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_second", steps)))
    await engine.migrate("0001_initial")
    await execute(database, *(f"INSERT INTO essay (title) VALUES ('{title}')" for title in titles))
    return engine


async def indexes(database: Database) -> set[str]:
    table = (await SchemaBuilder(database).live()).table("essay")
    assert table is not None
    return {index.name for index in table.indexes}


@pytest.mark.direct("a step outside of transactions needs the server itself")
async def test_an_index_that_cannot_be_made(postgres: Database) -> None:
    engine = await begun(postgres, op.AddColumn("essay", STARS), op.CreateIndex("essay", UNIQUE, concurrently=True))
    with pytest.raises(MigrationFailed, match="stopped at step 2 of 2, create unique index essay_titles") as caught:
        await engine.migrate()
    assert isinstance(caught.value.__cause__, UniqueViolation)
    assert "steps 1 to 1 of 2 are in the database" in str(caught.value)
    # no half index is left, which every write would keep up to date
    assert await rows(postgres, INVALID) == []
    status = await engine.status()
    assert [(record.key, record.step) for record in status.started] == [("0002_second", 1)]
    assert [file.key for file in status.pending] == ["0002_second"]
    plan = await engine.plan()
    assert [step.number for step in plan.migrations[0].steps] == [2]

    await execute(postgres, "UPDATE essay SET title = 'More' WHERE id = 2")
    report = await engine.migrate()
    assert [(ran.migration, ran.steps, ran.resumed) for ran in report.ran] == [("0002_second", 1, True)]
    assert await indexes(postgres) == {"essay_titles"}
    assert await rows(postgres, "SELECT title, stars FROM essay ORDER BY id") == [("Notes", 3), ("More", 3)]


@pytest.mark.direct("a step outside of transactions needs the server itself")
async def test_what_was_begun_is_rolled_back(postgres: Database) -> None:
    engine = await begun(postgres, op.AddColumn("essay", STARS), op.CreateIndex("essay", UNIQUE, concurrently=True))
    with pytest.raises(MigrationFailed):
        await engine.migrate()
    assert (await engine.rollback()).migrations == ("0002_second",)
    assert await rows(postgres, "SELECT * FROM essay ORDER BY id") == [(1, "Notes", "good"), (2, "Notes", "good")]
    assert (await engine.status()).started == ()


@pytest.mark.direct("a step outside of transactions needs the server itself")
async def test_half_an_index_is_dropped_and_made_again(postgres: Database) -> None:
    engine = await begun(postgres, op.CreateIndex("essay", UNIQUE, concurrently=True), titles=["Notes", "Notes"])
    with pytest.raises(MigrationFailed):
        await engine.migrate()
    # as a server leaves it that ends meanwhile
    with pytest.raises(UniqueViolation):
        await execute(postgres, "CREATE UNIQUE INDEX CONCURRENTLY essay_titles ON essay (title)")
    assert await rows(postgres, INVALID) == [("essay_titles",)]
    await execute(postgres, "UPDATE essay SET title = 'More' WHERE id = 2")
    await engine.migrate()
    assert await rows(postgres, INVALID) == []
    assert await indexes(postgres) == {"essay_titles"}


@pytest.mark.direct("a step outside of transactions needs the server itself")
async def test_enum_values_that_are_there_already(postgres: Database) -> None:
    more = s.Enum("mood", ("good", "odd", "bad", "worst"))
    fails = RunSQL("INSERT INTO nowhere VALUES (1)", "")
    engine = await begun(postgres, op.AlterEnum(MOOD, more), fails)
    with pytest.raises(MigrationFailed, match="step 2 of 2"):
        await engine.migrate()
    # as one leaves it who is killed between the two values
    await execute(postgres, "UPDATE cormorant_migrations SET step = 0, done = '' WHERE name = '0002_second'")
    await execute(postgres, "CREATE TABLE nowhere (id int)")
    await engine.migrate()
    labels = await rows(postgres, "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder")
    assert labels == [("good",), ("odd",), ("bad",), ("worst",)]


@pytest.mark.direct("a step outside of transactions needs the server itself")
async def test_steps_that_are_not_done_yet_may_be_corrected(database_dsn: str) -> None:
    async def fails(session: AsyncSession, models: HistoricalModels) -> None:
        raise ValueError("not yet")

    add = op.AddColumn("essay", STARS)
    async with Database(database_dsn) as database:
        engine = await begun(database, add, RunSession(fails, nothing, outside=True))
        with pytest.raises(MigrationFailed, match="not yet"):
            await engine.migrate()
        other = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_second", [RunSQL("SELECT 1"), add])))
        with pytest.raises(ChangedMigration, match="its first 1 steps, which are in the database, are others now"):
            await other.migrate()
        steps: list[Step] = [add, RunSQL("UPDATE essay SET stars = 5", "")]
        corrected = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_second", steps)))
        await corrected.migrate()
        assert await rows(database, "SELECT stars FROM essay") == [(5,), (5,)]
        assert (await corrected.status()).is_current


# ---- locks that are not granted


@pytest.mark.direct("another session's lock is looked at")
async def test_a_lock_that_is_granted_late(postgres: Database) -> None:
    engine = await begun(postgres, op.AddColumn("essay", STARS))
    engine = MigrationEngine(postgres, engine.history, lock_timeout=0.05)
    told: list[Progress] = []
    retried = asyncio.Event()

    def note(progress: Progress) -> None:
        told.append(progress)
        if progress.phase == "retrying":
            retried.set()

    async with Database(postgres.config) as other, AsyncSession(other) as session:
        await session.execute("LOCK TABLE essay IN ACCESS SHARE MODE", write=True)
        running = asyncio.create_task(engine.migrate(progress=note))
        await reached(retried, running)
        await session.rollback()
        assert (await running).migrations == ("0002_second",)
    assert "attempt 1 of 21" in next(each.words for each in told if each.phase == "retrying")


@pytest.mark.direct("another session's lock is looked at")
async def test_a_lock_that_is_never_granted(postgres: Database) -> None:
    engine = await begun(postgres, op.AddColumn("essay", STARS))
    engine = MigrationEngine(postgres, engine.history, lock_timeout=0.05, retries=1)
    async with Database(postgres.config) as other, AsyncSession(other) as session:
        await session.execute("LOCK TABLE essay IN ACCESS SHARE MODE", write=True)
        with pytest.raises(
            MigrationFailed, match=r"it waits for .* \(session \d+ of the server, idle in trans"
        ) as caught:
            await engine.migrate()
    assert isinstance(caught.value.__cause__, LockTimeout)
    assert (await engine.status()).started == ()
    assert (await engine.migrate()).migrations == ("0002_second",)


# ---- behind a pooler


async def test_behind_a_pooler(postgres_database: str) -> None:
    pooled = ConnectionConfig.from_dsn(postgres_database, pooler="transaction")
    async with Database(pooled) as database:
        engine = await begun(database, op.AddColumn("essay", STARS), op.AlterEnum(MOOD, ODD))
        with pytest.raises(
            MigrationError, match=r"behind a pooler .* alter enum mood: \+odd; nothing was done"
        ) as caught:
            await engine.migrate()
        assert "listen_dsn" in str(caught.value)
        assert (await engine.status()).started == ()
        again = MigrationEngine(
            database, chain(("0001_initial", CREATE), ("0002_stars", [op.AddColumn("essay", STARS)]))
        )
        assert (await again.migrate()).migrations == ("0002_stars",)
        assert (await again.rollback()).migrations == ("0002_stars",)


@pytest.mark.direct("the server itself is named")
async def test_past_a_pooler(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, pooler="transaction", listen_dsn=postgres_database)
    async with Database(config) as database:
        engine = await begun(database, op.AlterEnum(MOOD, ODD))
        assert (await engine.migrate()).migrations == ("0002_second",)


async def test_two_behind_a_pooler(postgres_database: str) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def waits(session: AsyncSession, models: HistoricalModels) -> None:
        entered.set()
        await go_on.wait()

    history = chain(("0001_initial", CREATE), ("0002_waits", [RunSession(waits)]))
    pooled = ConnectionConfig.from_dsn(postgres_database, pooler="transaction")
    async with Database(pooled) as one, Database(pooled) as other:
        first = asyncio.create_task(MigrationEngine(one, history).migrate())
        await reached(entered, first)
        second = asyncio.create_task(MigrationEngine(other, history).migrate())
        go_on.set()
        assert (await first).migrations == ("0001_initial", "0002_waits")
        assert (await second).migrations == ()
