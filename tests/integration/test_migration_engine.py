"""Migrations are run, looked at, taken back, and stop in a way that one can go on from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cormorant import (
    AsyncSession,
    ChangedMigration,
    ConnectionLost,
    Database,
    IrreversibleMigration,
    MigrationEngine,
    MigrationFailed,
    MigrationLocked,
    MissingMigration,
    SchemaBuilder,
)
from cormorant.migrations import HistoricalModels, History, RunSession, RunSQL
from cormorant.migrations.running.outcomes import Progress
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from tests.support.essays import (
    CREATE,
    POSITIVE,
    STARS,
    chain,
    data_step,
    execute,
    file,
    reached,
    rows,
)

ADD_STARS = (op.AddColumn("essay", STARS), op.AddConstraint("essay", POSITIVE))
WHOLE = chain(("0001_initial", CREATE), ("0002_stars", ADD_STARS), ("0003_double", [data_step()]))


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


def essays(database: Database, *titles: str) -> list[str]:
    return [f"INSERT INTO essay (title) VALUES ('{title}')" for title in titles]


async def tables(database: Database) -> set[str]:
    return {table.key for table in (await SchemaBuilder(database).live()).tables}


# ---- up and down


async def test_up_and_down(database: Database) -> None:
    engine = MigrationEngine(database, WHOLE)
    assert [each.key for each in (await engine.status()).pending] == ["0001_initial", "0002_stars", "0003_double"]
    assert (await engine.migrate("0001_initial")).migrations == ("0001_initial",)
    await execute(database, *essays(database, "Notes", "More"))
    report = await engine.migrate()
    assert report.migrations == ("0002_stars", "0003_double")
    assert await rows(database, "SELECT title, stars FROM essay ORDER BY id") == [("Notes", 6), ("More", 6)]
    status = await engine.status()
    assert status.is_current
    assert [record.key for record in status.applied] == ["0001_initial", "0002_stars", "0003_double"]
    assert all(record.seconds > 0 and record.applied_at.tzinfo for record in status.applied)
    assert (await engine.migrate()).migrations == ()

    assert (await engine.rollback()).migrations == ("0003_double",)
    assert (await engine.rollback("0001_initial")).migrations == ("0002_stars",)
    assert await rows(database, "SELECT * FROM essay ORDER BY id") == [(1, "Notes", "good"), (2, "More", "good")]
    assert (await engine.rollback("zero")).migrations == ("0001_initial",)
    assert await tables(database) == set()
    assert (await engine.migrate()).migrations == ("0001_initial", "0002_stars", "0003_double")
    history = engine.history.state()
    builder = SchemaBuilder(database)
    assert (await builder.normalised(history)).only({"essay"}) == (await builder.live()).only({"essay"})


async def test_what_would_be_done(database: Database) -> None:
    engine = MigrationEngine(database, WHOLE)
    await engine.migrate("0001_initial")
    plan = await engine.plan()
    assert [each.migration for each in plan.migrations] == ["0002_stars", "0003_double"]
    assert plan.migrations[1].steps[0].by_program
    assert plan.migrations[1].steps[0].words == "run double(): Doubles the stars."
    if database.dialect.name == "postgresql":
        assert plan.sql[-1] == 'ALTER TABLE "essay" ADD CONSTRAINT "essay_stars_check" CHECK (stars >= 0)'
    else:
        assert [step.words for step in plan.migrations[0].steps] == ["rebuild table essay"]
    assert [each.key for each in (await engine.status()).pending] == ["0002_stars", "0003_double"]
    back = await engine.plan(down=1)
    assert back.migrations[0].down
    assert back.sql[-1] == 'DROP TABLE "essay"' if database.dialect.name == "sqlite" else 'DROP TYPE "mood"'


async def test_progress(database: Database) -> None:
    told: list[Progress] = []
    await MigrationEngine(database, WHOLE).migrate("0001_initial", progress=told.append)
    assert next((each.phase, each.migration, each.step) for each in told) == ("started", "0001_initial", 0)
    assert told[0].words == "About 0001_initial."
    assert [each.phase for each in told][-1] == "done"
    assert {each.step for each in told if each.phase == "step"} >= {1}


async def test_the_scripts_make_the_same_database(database: Database) -> None:
    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_stars", ADD_STARS)))
    await _send_all(database, engine.sql())
    assert (await engine.status()).is_current
    assert (await engine.migrate()).migrations == ()
    assert await rows(database, "SELECT stars FROM essay") == []
    assert not [sql for sql in engine.sql(from_="0001_initial") if "CREATE TABLE IF NOT" in sql]


async def _send_all(database: Database, statements: list[str]) -> None:
    connection = await database.adapter.acquire(write=True)
    try:
        for sql in statements:
            if not sql.startswith("--"):
                await connection.execute(sql)
    finally:
        database.adapter.release(connection)


async def test_only_written_down(database: Database) -> None:
    engine = MigrationEngine(database, WHOLE)
    assert (await engine.migrate("0002_stars", fake=True)).migrations == ("0001_initial", "0002_stars")
    assert await tables(database) == set()
    assert [each.key for each in (await engine.status()).pending] == ["0003_double"]
    assert (await engine.rollback("zero", fake=True)).migrations == ("0002_stars", "0001_initial")
    assert (await engine.status()).applied == ()


# ---- what does not fit


async def test_changed_and_missing_files(database: Database) -> None:
    await MigrationEngine(database, WHOLE).migrate()
    initial, stars, double = WHOLE.ordered
    edited = MigrationEngine(database, History([initial, replace(stars, checksum="another"), double]))
    assert (await edited.status()).changed == ("0002_stars",)
    with pytest.raises(ChangedMigration, match="0002_stars is applied, and changed since"):
        await edited.migrate()
    assert (await edited.migrate(fake=True)).migrations == ("0002_stars",)
    assert (await edited.status()).is_current

    shorter = MigrationEngine(database, History([initial]))
    assert (await shorter.status()).missing == ("0002_stars", "0003_double")
    # an older release that has nothing to do may start
    assert (await shorter.migrate()).migrations == ()
    with pytest.raises(MissingMigration, match="0002_stars, 0003_double"):
        await shorter.rollback()
    with pytest.raises(MissingMigration, match="no migration '0009_nine'"):
        await shorter.migrate("0009_nine")


async def test_no_way_back_is_said_before_anything_is_done(database: Database) -> None:
    engine = MigrationEngine(
        database, chain(("0001_initial", CREATE), ("0002_sql", [RunSQL("SELECT 1")]), ("0003_stars", ADD_STARS))
    )
    await engine.migrate()
    with pytest.raises(IrreversibleMigration, match="SELECT 1"):
        await engine.rollback("zero")
    assert (await engine.status()).is_current


async def test_squashed_migrations(database: Database) -> None:
    initial, stars, _ = WHOLE.ordered
    await MigrationEngine(database, History([initial, stars])).migrate("0001_initial")
    squashed = file("0001_squashed", *CREATE, *ADD_STARS, replaces=["0001_initial", "0002_stars"])
    after = file("0003_double", data_step(), depends=["0001_squashed"])
    engine = MigrationEngine(database, History([squashed, after]))
    with pytest.raises(MissingMigration, match="there is no file of 0002_stars"):
        await engine.migrate()
    await MigrationEngine(database, History([initial, stars])).migrate()
    assert (await engine.rollback()).migrations == ("0001_squashed",)
    assert (await engine.status()).applied == ()
    await MigrationEngine(database, History([initial, stars])).migrate()
    assert (await engine.migrate()).migrations == ("0003_double",)
    assert (await engine.status()).is_current
    assert (await engine.rollback("zero", fake=True)).migrations == ("0003_double", "0001_squashed")
    assert (await engine.status()).applied == ()


# ---- failures


async def test_a_failure_leaves_nothing_half_done(database: Database) -> None:
    engine = MigrationEngine(
        database,
        chain(
            ("0001_initial", CREATE),
            ("0002_stars", [op.AddColumn("essay", STARS), data_step(), RunSQL("INSERT INTO nowhere VALUES (1)")]),
        ),
    )
    await engine.migrate("0001_initial")
    await execute(database, *essays(database, "Notes"))
    with pytest.raises(MigrationFailed, match=r"0002_stars stopped at step 3 of 3, run INSERT INTO nowhere") as caught:
        await engine.migrate()
    assert (caught.value.migration, caught.value.step) == ("0002_stars", 3)
    assert caught.value.statement == "INSERT INTO nowhere VALUES (1)"
    assert "nothing of this migration is in the database" in str(caught.value)
    assert await rows(database, "SELECT * FROM essay") == [(1, "Notes", "good")]
    assert [record.key for record in (await engine.status()).applied] == ["0001_initial"]


async def test_what_a_session_wrote_goes_with_its_migration(database: Database) -> None:
    async def fails(session: AsyncSession, models: HistoricalModels) -> None:
        await session.query(models.Essay).update(models.Essay.title.set("gone"))
        await session.commit()
        raise ValueError("not today")

    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_fails", [RunSession(fails)])))
    await engine.migrate("0001_initial")
    await execute(database, *essays(database, "Notes"))
    with pytest.raises(MigrationFailed, match="ValueError: not today") as caught:
        await engine.migrate()
    assert isinstance(caught.value.__cause__, ValueError)
    assert await rows(database, "SELECT title FROM essay") == [("Notes",)]


async def test_a_session_may_go_on_after_an_error_that_it_has_caught(database: Database) -> None:
    async def catches(session: AsyncSession, models: HistoricalModels) -> None:
        await session.query(models.Essay).update(models.Essay.title.set("kept"))
        await session.commit()
        try:
            await session.execute("INSERT INTO nowhere VALUES (1)")
        except Exception:
            await session.rollback()
        await asyncio.gather(*(session.get(models.Essay, 1) for _ in range(3)))
        session.add(models.Essay(title="new"))

    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_catches", [RunSession(catches)])))
    await engine.migrate("0001_initial")
    await execute(database, *essays(database, "Notes"))
    await engine.migrate()
    assert await rows(database, "SELECT title, mood FROM essay ORDER BY id") == [("kept", "good"), ("new", "good")]


async def test_an_unreachable_database_is_named() -> None:
    async with Database("postgresql://app:secret@127.0.0.1:1/nowhere") as database:
        with pytest.raises(ConnectionLost, match=r"app:\*\*\*@127.0.0.1:1/nowhere") as caught:
            await MigrationEngine(database, WHOLE).migrate()
    assert "secret" not in str(caught.value)


# ---- one at a time


async def test_the_second_one_waits(database_dsn: str) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def waits(session: AsyncSession, models: HistoricalModels) -> None:
        entered.set()
        await go_on.wait()

    history = chain(("0001_initial", CREATE), ("0002_waits", [RunSession(waits)]))
    told: list[Progress] = []

    def note(progress: Progress) -> None:
        told.append(progress)
        if progress.phase == "waiting":
            go_on.set()

    async with Database(database_dsn) as one, Database(database_dsn) as other:
        first = asyncio.create_task(MigrationEngine(one, history).migrate())
        await reached(entered, first)
        with pytest.raises(MigrationLocked, match=r"is being migrated by .*pid \d+ on .* not ended within 0 s"):
            await MigrationEngine(other, history, wait=0).migrate()
        second = await MigrationEngine(other, history).migrate(progress=note)
        assert (await first).migrations == ("0001_initial", "0002_waits")
        assert second.migrations == ()
        assert "pid" in next(each.words for each in told if each.phase == "waiting")
        assert (await MigrationEngine(one, history, wait=0).migrate()).migrations == ()


ONCE = s.Unique("uq_essay_title", ("title",))
FOUND = 'SELECT "title", count(*) FROM "essay" WHERE "title" IS NOT NULL GROUP BY "title" HAVING count(*) > 1'


@pytest.mark.parametrize(
    "step",
    [
        op.AddConstraint("essay", ONCE),
        op.CreateIndex("essay", s.Index("uq_essay_title", (s.IndexItem("title"),), unique=True)),
        op.AddConstraint("essay", ONCE, concurrently=True),
    ],
    ids=["constraint", "index", "concurrently"],
)
async def test_rows_that_are_the_same_are_found(database: Database, step: op.Operation) -> None:
    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_once", [step])))
    await engine.migrate("0001_initial")
    for _ in range(2):
        await execute(database, "INSERT INTO essay (title) VALUES ('a')")
    with pytest.raises(MigrationFailed) as caught:
        await engine.migrate()
    hint = str(caught.value.hint)
    assert f"rows of essay have the same title; this finds them: {FOUND}" in hint
    assert "merge" not in hint
    assert len(await rows(database, FOUND)) == 1


async def test_rows_that_are_the_same_are_found_under_the_former_name(database: Database) -> None:
    renamed = op.RenameColumn("essay", "title", "name"), op.AddConstraint("essay", s.Unique("uq", ("name",)))
    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_once", renamed)))
    await engine.migrate("0001_initial")
    for _ in range(2):
        await execute(database, "INSERT INTO essay (title) VALUES ('a')")
    with pytest.raises(MigrationFailed) as caught:
        await engine.migrate()
    assert FOUND in str(caught.value.hint)


async def test_a_new_column_with_the_same_value_everywhere_is_not_unique(database: Database) -> None:
    column = s.Column("place", "integer", fill="0")
    steps = op.AddColumn("essay", column), op.AddConstraint("essay", s.Unique("uq", ("place",)))
    engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_once", steps)))
    await engine.migrate("0001_initial")
    for _ in range(2):
        await execute(database, "INSERT INTO essay (title) VALUES ('a')")
    with pytest.raises(MigrationFailed) as caught:
        await engine.migrate()
    assert "every row would get the same value in essay.place" in str(caught.value.hint)
