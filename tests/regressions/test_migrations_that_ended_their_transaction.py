"""SQL of a migration that is about its transaction, work that is no coroutine, and steps about what is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, InvalidMigration, MigrationCycle, MigrationEngine, MigrationFailed
from cormorant.migrations import HistoricalModels, History, RunSession, RunSQL
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from tests.support.essays import CREATE, chain, execute, file, rows

INSERT = "INSERT INTO essay (title) VALUES ('Notes')"


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


@pytest.mark.parametrize("sql", [f"{INSERT}; COMMIT", f"{INSERT};\n-- done\nROLLBACK", f"BEGIN; {INSERT}; COMMIT"])
async def test_a_transaction_is_not_ended_from_within(database: Database, sql: str) -> None:
    """What was before it stayed, and the message said that nothing did."""
    history = chain(("0001_initial", CREATE), ("0002_notes", [RunSQL(INSERT), RunSQL(sql)]))
    engine = MigrationEngine(database, history)
    with pytest.raises(MigrationFailed, match="is not for a migration, which is one transaction") as caught:
        await engine.migrate()
    assert (caught.value.migration, caught.value.step) == ("0002_notes", 2)
    assert await rows(database, "SELECT * FROM essay") == []
    assert [record.key for record in (await engine.status()).applied] == ["0001_initial"]
    with pytest.raises(InvalidMigration, match="is not for a migration"):
        engine.sql()


async def test_outside_of_a_transaction_there_may_be_one(database: Database) -> None:
    begun = RunSQL(("BEGIN", INSERT, "COMMIT"), outside=True)
    undone = RunSQL(("SAVEPOINT here", INSERT, "ROLLBACK TO here", "RELEASE here"))
    await MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_notes", [begun, undone]))).migrate()
    assert await rows(database, "SELECT title FROM essay") == [("Notes",)]


async def test_work_that_is_no_coroutine_is_named(database: Database) -> None:
    def forward(session: AsyncSession, models: HistoricalModels) -> None:
        session.add(models.Essay(title="Notes"))

    work: Any = forward
    history = chain(("0001_initial", CREATE), ("0002_notes", [RunSession(work)]))
    with pytest.raises(MigrationFailed, match=r"step 1 of 1, run forward\(\): the function is no async one"):
        await MigrationEngine(database, history).migrate()
    assert await rows(database, "SELECT * FROM essay") == []


async def test_a_step_about_a_table_that_is_not_there_is_named(database: Database) -> None:
    await execute(database, "CREATE TABLE other (id int PRIMARY KEY)")
    column = s.Column("stars", "integer", nullable=True)
    steps = [op.AddColumn("other", column), op.AddColumn("nobody", column)]
    with pytest.raises(MigrationFailed, match=r"step 2 of 2, add column nobody\.stars") as caught:
        await MigrationEngine(database, chain(("0001_initial", steps))).migrate()
    assert caught.value.step == 2


def test_a_migration_that_depends_on_itself_is_refused() -> None:
    with pytest.raises(MigrationCycle, match="0001_initial depends on itself"):
        History([file("0001_initial", *CREATE, depends=["0001_initial"])])
