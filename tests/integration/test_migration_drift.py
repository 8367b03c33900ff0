"""Models, migrations and databases are compared; databases from before are taken over; migrations are proved."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    Mapped,
    MigrationEngine,
    MigrationError,
    Model,
    One,
    SchemaBuilder,
    SchemaOutdated,
    TableArg,
    check,
    field,
    foreign_key,
    generated,
)
from cormorant.migrations import History, RunSQL, make
from cormorant.models.registry import registry
from cormorant.schema import steps as op
from tests.support.essays import CREATE, POSITIVE, STARS, chain, data_step, execute, rows

ADD_STARS = (op.AddColumn("essay", STARS), op.AddConstraint("essay", POSITIVE))
WHOLE = chain(("0001_initial", CREATE), ("0002_stars", ADD_STARS), ("0003_double", [data_step()]))


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


def models() -> tuple[type[Model], type[Model]]:
    class Writer(Model):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str] = field(unique=True)

    class Essay(Model):
        id: Mapped[int] = generated(primary_key=True)
        title: Mapped[str] = field(index=True)
        stars: Mapped[int] = field(default=3)
        writer: One[Writer] = foreign_key()

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield check(cls.stars >= 0)

    return Writer, Essay


# ---- drift


async def test_each_difference_is_told_where_it_is(database: Database, tmp_path: Path) -> None:
    Writer, Essay = models()
    draft = make(History(), SchemaBuilder.wanted(Writer))
    assert draft is not None
    draft.write(tmp_path)
    engine = MigrationEngine(database, tmp_path)
    await engine.migrate()
    assert not await engine.drift(Writer)

    found = await engine.drift(Writer, Essay)
    assert found
    assert found.describe() == ["in models and in no migration: create table essay (id, title, stars, writer_id)"]
    draft = make(engine.history, SchemaBuilder.wanted(Writer, Essay), name="essays")
    assert draft is not None
    draft.write(tmp_path)
    engine = MigrationEngine(database, tmp_path)
    assert (await engine.drift(Writer, Essay)).describe() == [
        "in a migration and not in the database: 0002_essays is not applied"
    ]
    await engine.migrate()
    assert not await engine.drift(Writer, Essay)

    await execute(database, "CREATE TABLE by_hand (id integer)", "CREATE INDEX also_by_hand ON essay (stars)")
    found = await engine.drift(Writer, Essay)
    assert found.unmanaged == ("by_hand",)
    assert found.describe() == [
        "in the database otherwise than in its migrations; to undo it: drop index also_by_hand of essay"
    ]
    await SchemaBuilder(database).apply(list(found.repairs))
    found = await engine.drift(Writer, Essay)
    assert not found
    # what is nobody's is told of, and is no difference
    assert found.unmanaged == ("by_hand",)


async def test_what_migrations_keep_is_no_part_of_the_schema(database: Database) -> None:
    Writer, _ = models()
    await MigrationEngine(database, chain(("0001_initial", CREATE))).migrate()
    builder = SchemaBuilder(database)
    found = [operation.describe() for operation in await builder.difference(Writer)]
    assert "drop table essay with its rows" in found
    assert not [words for words in found if "cormorant" in words]
    assert [table.key for table in (await builder.live()).tables] == ["essay"]


async def test_types_that_no_migration_knows(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        engine = MigrationEngine(database, WHOLE)
        await engine.migrate()
        await execute(database, "CREATE TYPE tone AS ENUM ('high', 'low')", "CREATE TABLE by_hand (tone tone)")
        found = await engine.drift()
        assert not found
        assert found.unmanaged == ("by_hand",)


async def test_drift_without_models(database: Database) -> None:
    engine = MigrationEngine(database, WHOLE)
    await engine.migrate("0002_stars")
    found = await engine.drift()
    assert (found.unmade, found.unapplied, found.repairs) == ((), ("0003_double",), ())


# ---- a database that was there before


@pytest.mark.direct("a database is made for the proof")
async def test_a_database_is_taken_over(database: Database, tmp_path: Path) -> None:
    Writer, Essay = models()
    await database.create_all(Writer, Essay)
    await execute(
        database,
        "INSERT INTO writer (name) VALUES ('Ada')",
        "INSERT INTO essay (title, stars, writer_id) VALUES ('Notes', 3, 1)",
        "CREATE TABLE old (id integer PRIMARY KEY, name varchar(10) CONSTRAINT old_names UNIQUE)",
        "CREATE VIEW titles AS SELECT title FROM essay",
    )
    engine = MigrationEngine(database, tmp_path / "migrations")
    adopted = await engine.adopt()
    assert adopted.path == tmp_path / "migrations" / "0001_initial.py"
    assert set(adopted.tables) == {"writer", "essay", "old"}
    assert adopted.left_out == ("view titles",)
    status = await engine.status()
    assert status.is_current
    assert [record.key for record in status.applied] == ["0001_initial"]
    assert (await engine.migrate()).migrations == ()
    assert not (await engine.drift()).repairs
    assert await rows(database, "SELECT title FROM essay") == [("Notes",)]
    with pytest.raises(MigrationError, match="there are migrations already: 0001_initial"):
        await engine.adopt()
    assert (await engine.prove()).holds


async def test_a_table_that_no_model_can_be_of_is_left_out(database: Database, tmp_path: Path) -> None:
    await execute(database, "CREATE TABLE old (id integer PRIMARY KEY)", "CREATE TABLE loose (id integer)")
    engine = MigrationEngine(database, tmp_path)
    adopted = await engine.adopt()
    assert (adopted.tables, adopted.left_out) == (("old",), ("table loose, which has no primary key",))
    found = await engine.drift()
    assert (found.repairs, found.unmanaged) == ((), ("loose",))


async def test_what_no_migration_makes_is_named(postgres_database: str, tmp_path: Path) -> None:
    async with Database(postgres_database) as database:
        await execute(
            database,
            "CREATE EXTENSION pg_trgm",
            "CREATE DOMAIN year AS integer",
            "CREATE SEQUENCE numbers",
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TABLE old (id serial, made year, PRIMARY KEY (id), EXCLUDE USING btree (made WITH =)) ",
            "CREATE TRIGGER quiet BEFORE UPDATE ON old FOR EACH ROW EXECUTE FUNCTION nothing()",
            "CREATE TABLE days (day date PRIMARY KEY) PARTITION BY LIST (day)",
            "CREATE TABLE days_rest PARTITION OF days DEFAULT",
        )
        adopted = await MigrationEngine(database, tmp_path).adopt()
        assert adopted.left_out == (
            "extension pg_trgm",
            "domain year",
            "function nothing",
            "sequence numbers",
            "trigger quiet of old",
            "exclusion constraint old_made_excl of old",
            "partition days_rest",
        )


async def test_some_tables_are_taken_over(database: Database, tmp_path: Path) -> None:
    await execute(database, "CREATE TABLE old (id integer PRIMARY KEY)", "CREATE TABLE other (id integer PRIMARY KEY)")
    engine = MigrationEngine(database, tmp_path)
    with pytest.raises(MigrationError, match="no table 'odl'"):
        await engine.adopt(tables=["odl"])
    assert (await engine.adopt(tables=["old"])).tables == ("old",)
    assert (await engine.drift()).unmanaged == ("other",)
    with pytest.raises(MigrationError, match="where migrations are kept"):
        await MigrationEngine(database, History()).adopt()


# ---- proofs


@pytest.mark.direct("a database is made for the proof")
async def test_migrations_are_proved(database: Database) -> None:
    before = await SchemaBuilder(database).live()
    proof = await MigrationEngine(database, WHOLE).prove()
    assert proof.holds
    assert proof.migrations == ("0001_initial", "0002_stars", "0003_double")
    assert await SchemaBuilder(database).live() == before


@pytest.mark.direct("a database is made for the proof")
async def test_what_does_not_hold(database: Database) -> None:
    secret = RunSQL("CREATE TABLE secret (id integer)", "")
    proof = await MigrationEngine(database, chain(("0001_initial", CREATE), ("0002_secret", [secret]))).prove()
    assert not proof.holds
    assert [operation.describe() for operation in proof.differences] == ["drop table secret with its rows"]
    assert [operation.describe() for operation in proof.left] == ["drop table secret with its rows"]
    one_way = chain(("0001_initial", CREATE), ("0002_sql", [RunSQL("SELECT 1")]))
    proof = await MigrationEngine(database, one_way).prove()
    assert (proof.holds, proof.differences) == (False, ())
    assert proof.irreversible == "there is no way back from: run SELECT 1"


# ---- at the first use


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Writer, _ = models()
    draft = make(History(), SchemaBuilder.wanted(Writer))
    assert draft is not None
    draft.write(tmp_path / "migrations")
    return tmp_path / "migrations"


async def test_an_outdated_database_is_refused(database: Database, folder: Path) -> None:
    async with Database(database.config, on_outdated="refuse", migrations=folder) as careful:
        for _ in range(2):
            with pytest.raises(SchemaOutdated, match="not applied: 0001_initial"):
                async with AsyncSession(careful) as session:
                    await session.execute("SELECT 1")
        await MigrationEngine(database, folder).migrate()
        async with AsyncSession(careful) as session:
            assert await rows(database, "SELECT count(*) FROM writer") == [(0,)]
            await session.execute("SELECT name FROM writer")
        # and nobody asks again
        await execute(database, "DELETE FROM cormorant_migrations")
        async with AsyncSession(careful) as session:
            await session.execute("SELECT name FROM writer")


async def test_an_outdated_database_is_migrated(database: Database, folder: Path) -> None:
    eager = Database(database.config, on_outdated="migrate", migrations=folder)
    async with eager, AsyncSession(eager) as session:
        await session.execute("SELECT name FROM writer")
    assert (await MigrationEngine(database, folder).status()).is_current


async def test_an_outdated_database_is_told_of(
    database: Database, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "cormorant.migrations"):
        patient = Database(database.config, on_outdated="warn", migrations=folder)
        async with patient, AsyncSession(patient) as session:
            await session.execute("SELECT 1")
            await session.execute("SELECT 1")
    assert [record.message.partition("; ")[2].partition("\n")[0] for record in caplog.records] == [
        "not applied: 0001_initial"
    ]


async def test_a_database_that_is_ahead_is_no_obstacle(
    database: Database, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await MigrationEngine(database, folder).migrate()
    await execute(
        database,
        "INSERT INTO cormorant_migrations (app, name, checksum, applied_at, seconds, state, step, done) "
        "SELECT app, '0002_later', checksum, applied_at, seconds, state, step, done FROM cormorant_migrations",
    )
    older = Database(database.config, on_outdated="refuse", migrations=folder)
    async with older, AsyncSession(older) as session:
        await session.execute("SELECT name FROM writer")
    assert "migrations that this program does not know: 0002_later" in caplog.text


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="on_outdated='ignore'"):
        Database("sqlite://", on_outdated="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
