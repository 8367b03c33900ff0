"""Where migrations run: databases in memory, sandboxes, configurations with limits, programs that are interrupted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cormorant import (
    AsyncSession,
    ConnectionConfig,
    ConnectionLost,
    Database,
    MemoryCache,
    MigrationEngine,
    MigrationFailed,
    SchemaOutdated,
    Session,
    StatementError,
    WrongType,
)
from cormorant.migrations import HistoricalModels, History, Migration, MigrationFile, RunSession, RunSQL, Step
from cormorant.migrations.running.lock_file import LockFile
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.testing import Sandbox
from tests.support.essays import CREATE, ESSAY, ID, POSITIVE, STARS, chain, data_step, execute, reached, rows

ADD_STARS = (op.AddColumn("essay", STARS), op.AddConstraint("essay", POSITIVE))


async def test_in_memory() -> None:
    async with Database("sqlite://") as database:
        history = chain(("0001_initial", CREATE), ("0002_stars", ADD_STARS), ("0003_double", [data_step()]))
        engine = MigrationEngine(database, history)
        await engine.migrate("0001_initial")
        await execute(database, "INSERT INTO essay (title) VALUES ('Notes')")
        await engine.migrate()
        assert await rows(database, "SELECT title, stars FROM essay") == [("Notes", 6)]
        assert (await engine.prove()).holds
        await engine.rollback("zero")


@pytest.mark.direct("through a pooler the server sets its limits")
async def test_limits_of_statements_are_not_those_of_migrations(database_dsn: str) -> None:
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    slow = {"postgresql": "SELECT pg_sleep(0.1)", "sqlite": f"{counting} SELECT count(*) FROM n"}
    config = ConnectionConfig.from_dsn(database_dsn, statement_timeout=0.02)
    async with Database(config) as database:
        await MigrationEngine(database, chain(("0001_slow", [RunSQL(slow)]))).migrate()
        # and the limit is there again for others
        with pytest.raises(Exception, match=r"timeout|interrupted|longer"):
            await rows(database, slow[config.scheme])


async def test_sqlite_in_a_sandbox_rebuilds_nothing(tmp_path: Path) -> None:
    note = s.Table("note", (ID, s.Column("essay_id", "bigint")), s.PrimaryKey(("id",)))
    key = s.ForeignKey("note_essay", ("essay_id",), "essay", ("id",), on_delete="cascade")
    steps = (op.CreateTable(ESSAY), op.CreateTable(note), op.AddConstraint("note", key))
    async with Database(f"sqlite:///{tmp_path / 'test.db'}") as database:
        history = chain(("0001_initial", steps), ("0002_stars", ADD_STARS))
        await MigrationEngine(database, history).migrate("0001_initial")
        await execute(database, "INSERT INTO essay (title, mood) VALUES ('Notes', 'good')")
        await execute(database, "INSERT INTO note (essay_id) VALUES (1)")
        async with Sandbox(database):
            with pytest.raises(MigrationFailed, match="foreign keys cannot be switched off") as caught:
                await MigrationEngine(database, history).migrate()
            assert isinstance(caught.value.__cause__, StatementError)
        # what points to the table would have gone with it
        assert await rows(database, "SELECT essay_id FROM note") == [(1,)]
        await MigrationEngine(database, history).migrate()
        assert await rows(database, "SELECT essay_id FROM note") == [(1,)]


async def test_work_that_deletes_takes_along_what_points_to_it(database_dsn: str) -> None:
    async def tidy(session: AsyncSession, models: HistoricalModels) -> None:
        await session.query(models.Essay).delete()

    note = s.Table("note", (ID, s.Column("essay_id", "bigint")), s.PrimaryKey(("id",)))
    key = s.ForeignKey("note_essay", ("essay_id",), "essay", ("id",), on_delete="cascade")
    first = (*CREATE, op.CreateTable(note), op.AddConstraint("note", key))
    async with Database(database_dsn) as database:
        engine = MigrationEngine(database, chain(("0001_initial", first), ("0002_tidy", [RunSession(tidy)])))
        await engine.migrate("0001_initial")
        await execute(database, "INSERT INTO essay (title) VALUES ('Notes')", "INSERT INTO note (essay_id) VALUES (1)")
        await engine.migrate()
        assert await rows(database, "SELECT * FROM note") == []


async def test_who_is_interrupted_leaves_nothing(database_dsn: str) -> None:
    entered = asyncio.Event()

    async def waits(session: AsyncSession, models: HistoricalModels) -> None:
        entered.set()
        await asyncio.Event().wait()

    history = chain(("0001_initial", CREATE), ("0002_waits", [*ADD_STARS, RunSession(waits)]))
    async with Database(database_dsn) as database:
        running = asyncio.create_task(MigrationEngine(database, history).migrate())
        await reached(entered, running)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_stars", ADD_STARS)), wait=5)
        assert (await engine.status()).started == ()
        assert (await engine.migrate()).migrations == ("0002_stars",)


async def test_two_apps(database_dsn: str) -> None:
    def file(app: str, name: str, *steps: op.Operation, depends: tuple[str, ...] = ()) -> MigrationFile:
        return MigrationFile(app, name, None, name, Migration(steps, depends))

    note = s.Table("note", (ID,), s.PrimaryKey(("id",)))
    history = History(
        [
            file("", "0001_initial", *CREATE),
            file("notes", "0001_initial", op.CreateTable(note), depends=("/0001_initial",)),
            file("", "0002_stars", *ADD_STARS, depends=("0001_initial",)),
        ]
    )
    async with Database(database_dsn) as database:
        engine = MigrationEngine(database, history)
        assert (await engine.migrate("notes/0001_initial")).migrations == ("0001_initial", "notes/0001_initial")
        assert (await engine.migrate()).migrations == ("0002_stars",)
        assert (await engine.rollback("notes/zero")).migrations == ("notes/0001_initial",)
        assert [record.key for record in (await engine.status()).applied] == ["0001_initial", "0002_stars"]
        # of an app that it has no files of it knows nothing
        alone = MigrationEngine(database, History([each for each in history.files if not each.app]))
        await engine.migrate()
        assert (await alone.status()).is_current


def test_a_lock_file_is_one_holders(tmp_path: Path) -> None:
    one, other = LockFile(tmp_path / "lock"), LockFile(tmp_path / "lock")
    assert one.take("one")
    assert not other.take("other")
    assert other.holder() == "one"
    one.release()
    assert not (tmp_path / "lock").exists()
    assert other.take("other")
    assert one.holder() == "other"
    # what a killed holder has left is no lock
    other.release()
    (tmp_path / "lock").write_text("somebody")
    assert one.take("one")
    one.release()


async def test_what_a_session_has_prepared_before_the_table_was_changed(database_dsn: str) -> None:
    seen: list[str] = []

    async def look(session: AsyncSession, models: HistoricalModels) -> None:
        seen.extend([essay.title async for essay in session.query(models.Essay)])

    title = ESSAY.columns[1]
    wider = op.AlterColumn("essay", title, s.Column("title", "varchar(200)"))
    steps: list[Step] = [RunSession(look), wider, RunSession(look)]
    history = chain(("0001_initial", CREATE), ("0002_look", steps), ("0003_look", [RunSession(look)]))
    async with Database(database_dsn) as database:
        engine = MigrationEngine(database, history)
        await engine.migrate("0001_initial")
        await execute(database, "INSERT INTO essay (title) VALUES ('Notes')")
        await engine.migrate()
    assert set(seen) == {"Notes"}


@pytest.mark.direct("a session of the server is ended")
async def test_a_connection_that_is_lost(postgres_database: str) -> None:
    async def ends(session: AsyncSession, models: HistoricalModels) -> None:
        await session.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    add = op.AddColumn("essay", STARS)
    async with Database(postgres_database) as database:
        lost = chain(("0001_initial", CREATE), ("0002_stars", [add, RunSession(ends)]))
        with pytest.raises(MigrationFailed, match="0002_stars stopped at step 2 of 2") as caught:
            await MigrationEngine(database, lost).migrate()
        assert isinstance(caught.value.__cause__, ConnectionLost)
        assert "the connection was lost" in str(caught.value)
        history = chain(("0001_initial", CREATE), ("0002_stars", [add]))
        assert (await MigrationEngine(database, history).migrate()).migrations == ("0002_stars",)


@pytest.mark.parametrize("target", [0, -1, True, 1.5])
async def test_a_number_that_is_none(target: int) -> None:
    async with Database("sqlite://") as database:
        with pytest.raises(WrongType, match="a number of migrations"):
            await MigrationEngine(database, chain(("0001_initial", CREATE))).rollback(target)


@pytest.mark.direct("a pooler gives nobody notifications")
async def test_a_database_that_refuses_may_be_migrated(database_dsn: str, tmp_path: Path) -> None:
    source = "from cormorant.migrations import Migration, RunSQL\n\nmigration = Migration([RunSQL('SELECT 1', '')])\n"
    (tmp_path / "0001_one.py").write_text(source)
    cache = MemoryCache()
    async with Database(database_dsn, on_outdated="refuse", migrations=tmp_path, cache_backend=cache) as database:
        engine = MigrationEngine(database, tmp_path)
        with pytest.raises(SchemaOutdated):
            await rows(database, "SELECT 1")
        assert (await engine.migrate()).migrations == ("0001_one",)
        assert (await engine.rollback()).migrations == ("0001_one",)
        with pytest.raises(SchemaOutdated):
            await rows(database, "SELECT 1")
        await engine.migrate()
        assert await rows(database, "SELECT 1") == [(1,)]


def test_a_sync_program_asks_too(database_dsn: str, tmp_path: Path) -> None:
    source = "from cormorant.migrations import Migration, RunSQL\n\nmigration = Migration([RunSQL('SELECT 1', '')])\n"
    (tmp_path / "0001_one.py").write_text(source)
    refusing = Database(database_dsn, on_outdated="refuse", migrations=tmp_path)
    with pytest.raises(SchemaOutdated), Session(refusing) as session:
        session.execute("SELECT 1")
    migrating = Database(database_dsn, on_outdated="migrate", migrations=tmp_path)
    with Session(migrating) as session:
        assert session.execute("SELECT name FROM cormorant_migrations").scalar() == "0001_one"
    with Session(refusing) as session:
        session.execute("SELECT 1")


async def test_a_rebuilt_table_keeps_what_was_made_by_hand(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'test.db'}") as database:
        engine = MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_stars", ADD_STARS)))
        await engine.migrate("0001_initial")
        await execute(
            database,
            "ALTER TABLE essay ADD COLUMN by_hand TEXT DEFAULT 'kept'",
            "CREATE INDEX hand_made ON essay (by_hand)",
            "CREATE TABLE log (title TEXT)",
            "CREATE TRIGGER logs AFTER INSERT ON essay BEGIN INSERT INTO log VALUES (new.title); END",
            "INSERT INTO essay (title) VALUES ('Notes')",
            "INSERT INTO essay (title) VALUES ('gone')",
            "DELETE FROM essay WHERE title = 'gone'",
        )
        await engine.migrate()
        await execute(database, "INSERT INTO essay (title, stars) VALUES ('More', 1)")
        # and no number is given twice
        assert await rows(database, "SELECT id, title, stars, by_hand FROM essay ORDER BY id") == [
            (1, "Notes", 3, "kept"),
            (3, "More", 1, "kept"),
        ]
        assert await rows(database, "SELECT title FROM log") == [("Notes",), ("gone",), ("More",)]
        made = await rows(database, "SELECT name FROM sqlite_master WHERE name IN ('hand_made', 'logs') ORDER BY name")
        assert made == [("hand_made",), ("logs",)]
