"""Tables and types that somebody else changes, while pooled connections keep statements prepared for the old ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, DatabaseError, SchemaChangedError, StatementError
from cormorant.adapters.base import Connection, Pipelining

SETUP = (
    "CREATE TYPE mood AS ENUM ('calm', 'cross')",
    "CREATE TABLE bird (id int PRIMARY KEY, age int, mood mood)",
    "INSERT INTO bird VALUES (1, 5, 'calm')",
)
WIDER = ("ALTER TABLE bird ADD COLUMN wings int DEFAULT 2",)
BIGGER = ("ALTER TABLE bird ALTER age TYPE bigint",)
TEXTS = ("ALTER TABLE bird ALTER age TYPE text USING age::text",)
AGAIN = ("DROP TABLE bird", "DROP TYPE mood", *SETUP)

SELECT = "SELECT id, age, mood FROM bird WHERE id = $1"
OF_MOOD = "SELECT id FROM bird WHERE mood = $1"
OF_AGE = "SELECT id FROM bird WHERE age = $1"
UPDATE = "UPDATE bird SET age = $1 RETURNING age"
MOODS = "UPDATE bird SET mood = $1, age = age + 1 RETURNING age"


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    """A database with a table, and one connection."""
    async with Database(postgres_database, pool_size=1) as database:
        await run(postgres_database, SETUP)
        yield database


async def run(dsn: str, statements: tuple[str, ...]) -> None:
    """Changes tables, as a migration of somebody else does."""
    async with Database(dsn) as other:
        connection = await other.adapter.acquire(write=True)
        for sql in statements:
            await connection.execute(sql)
        other.adapter.release(connection)


# what is run, with which values before; what is changed; with which values after, and what comes
CASES = {
    "another column": (SELECT, [1], WIDER, [1], [(1, 5, "calm")]),
    "another column for the star": ("SELECT * FROM bird", [], WIDER, [], [(1, 5, "calm", 2)]),
    "another type of a result": (SELECT, [1], TEXTS, [1], [(1, "5", "calm")]),
    "a larger parameter": (UPDATE, [7], BIGGER, [2**40], [(2**40,)]),
    "another parameter": (UPDATE, [7], TEXTS, ["x"], [("x",)]),
    "another parameter of a comparison": (OF_AGE, [5], TEXTS, ["5"], [(1,)]),
    "a result of a new type": (SELECT, [1], AGAIN, [1], [(1, 5, "calm")]),
    "a parameter of a new type": (OF_MOOD, ["calm"], AGAIN, ["calm"], [(1,)]),
    "a write of a new type": (MOODS, ["calm"], AGAIN, ["cross"], [(6,)]),
    "another value of an enum": (MOODS, ["calm"], ("ALTER TYPE mood ADD VALUE 'glad'",), ["glad"], [(7,)]),
}


@pytest.mark.parametrize("name", CASES)
async def test_nobody_notices_outside_of_transactions(postgres_database: str, database: Database, name: str) -> None:
    sql, before, change, after, expected = CASES[name]
    connection = await database.adapter.acquire(write=True)
    await connection.fetch(sql, before)
    await run(postgres_database, change)
    assert [tuple(row) for row in await connection.fetch(sql, after)] == expected
    assert not connection.needs_reset
    database.adapter.release(connection)


async def test_a_composite_type_that_has_grown_is_learnt_anew(postgres_database: str, database: Database) -> None:
    await run(postgres_database, ("CREATE TYPE nest AS (eggs int)", "ALTER TABLE bird ADD COLUMN nest nest"))
    await run(postgres_database, ("UPDATE bird SET nest = ROW(3)::nest",))
    connection = await database.adapter.acquire(write=True)
    assert [tuple(row[0]) for row in await connection.fetch("SELECT nest FROM bird")] == [(3,)]
    await run(postgres_database, ("ALTER TYPE nest ADD ATTRIBUTE twigs int",))
    await run(postgres_database, ("UPDATE bird SET nest = ROW(3, 40)::nest",))
    # the statement was run already when the driver finds out: it cannot be run again, and the next one knows
    with pytest.raises(DatabaseError):
        await connection.fetch("SELECT nest FROM bird")
    assert [tuple(row[0]) for row in await connection.fetch("SELECT nest FROM bird")] == [(3, 40)]
    database.adapter.release(connection)


async def in_transaction(connection: Connection, sql: str, args: list[object]) -> list[tuple[object, ...]]:
    await connection.execute("BEGIN")
    try:
        rows = await connection.fetch(sql, args)
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    return [tuple(row) for row in rows]


# what the server refuses ends the transaction; what the driver refuses has not been sent
REFUSED = ("another type of a result", "a result of a new type", "a parameter of a new type", "a write of a new type")


@pytest.mark.parametrize("name", CASES)
async def test_a_transaction_fails_by_name_at_most_once(postgres_database: str, database: Database, name: str) -> None:
    sql, before, change, after, expected = CASES[name]
    connection = await database.adapter.acquire(write=True)
    await connection.fetch(sql, before)
    await run(postgres_database, change)
    if database.config.cached_statements and (name in REFUSED or name == "another column for the star"):
        with pytest.raises(SchemaChangedError, match="run the whole unit of work again") as caught:
            await in_transaction(connection, sql, after)
        assert caught.value.statement == sql
        database.adapter.release(connection)
        connection = await database.adapter.acquire(write=True)
    assert await in_transaction(connection, sql, after) == expected
    database.adapter.release(connection)


@pytest.mark.parametrize("name", ["a larger parameter", "another parameter"])
async def test_what_is_prepared_anew_is_part_of_its_transaction(
    postgres_database: str, database: Database, name: str
) -> None:
    sql, before, change, after, _ = CASES[name]
    connection = await database.adapter.acquire(write=True)
    await connection.fetch(sql, before)
    await run(postgres_database, change)
    assert isinstance(connection, Pipelining)
    if connection.pipelines:
        # which waits for the statement that the driver refuses at first
        connection.send_later("BEGIN")
    else:
        await connection.execute("BEGIN")
    await connection.fetch(sql, after)
    await connection.execute("ROLLBACK")
    ((age,),) = await connection.fetch("SELECT age::text FROM bird")
    assert age == "7"
    database.adapter.release(connection)


async def test_every_connection_prepares_anew_after_the_first_failure(postgres_database: str) -> None:
    await run(postgres_database, SETUP)
    async with Database(postgres_database, pool_size=3) as database:
        held = [await database.adapter.acquire(write=True) for _ in range(3)]
        for connection in held:
            for sql, args in ((OF_MOOD, ["calm"]), (SELECT, [1])):
                await connection.fetch(sql, args)
        await run(postgres_database, AGAIN)
        if database.config.cached_statements:
            with pytest.raises(SchemaChangedError):
                await in_transaction(held[0], OF_MOOD, ["calm"])
        for connection in held:
            database.adapter.release(connection)
        for _ in range(3):
            connection = await database.adapter.acquire(write=True)
            assert await in_transaction(connection, SELECT, [1]) == [(1, 5, "calm")]
            assert await in_transaction(connection, OF_MOOD, ["calm"]) == [(1,)]
            database.adapter.release(connection)


async def test_a_session_says_what_to_do(postgres_database: str, database: Database) -> None:
    sql = "SELECT * FROM bird WHERE id = :id"
    async with AsyncSession(database) as session:
        await session.execute(sql, {"id": 1})
        await run(postgres_database, WIDER)
        assert len(next(iter(await session.execute(sql, {"id": 1})))) == 4
        await run(postgres_database, TEXTS)
        if database.config.cached_statements:
            with pytest.raises(SchemaChangedError, match="it is prepared anew"):
                async with session.transaction():
                    await session.execute(sql, {"id": 1})
        async with session.transaction():
            assert next(iter(await session.execute(sql, {"id": 1})))[1] == "5"


async def test_what_stays_wrong_is_told_as_before(database: Database) -> None:
    connection = await database.adapter.acquire(write=True)
    await connection.fetch(UPDATE, [7])
    with pytest.raises(StatementError, match="nowhere"):
        await connection.fetch("SELECT * FROM nowhere")
    await connection.execute("CREATE FUNCTION broken() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM nowhere(); END'")
    for _ in range(2):
        with pytest.raises(StatementError, match="nowhere") as caught:
            await in_transaction(connection, "SELECT broken()", [])
        assert type(caught.value) is StatementError
    database.adapter.release(connection)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE nest (id int DEFAULT nobody())",
        "ALTER TABLE bird ALTER age TYPE boolean",
        "ALTER TABLE bird ADD CHECK (age > nobody())",
    ],
)
async def test_definitions_that_are_wrong_are_not_outdated(database: Database, sql: str) -> None:
    """Of those the server looks at the expressions when it runs them, as it does where nothing is prepared."""
    async with AsyncSession(database) as session:
        await session.execute("SELECT 1")
        with pytest.raises(StatementError) as caught:
            await session.execute(sql)
        await session.rollback()
    assert not isinstance(caught.value, SchemaChangedError)
    connection = await database.adapter.acquire(write=True)
    await connection.execute("BEGIN")
    for statement in (sql, "UPDATE bird SET age = nobody()"):
        await connection.execute("SAVEPOINT here")
        with pytest.raises(StatementError) as caught:
            await connection.execute(statement)
        assert not isinstance(caught.value, SchemaChangedError)
        await connection.execute("ROLLBACK TO here")
    await connection.execute("ROLLBACK")
    database.adapter.release(connection)
