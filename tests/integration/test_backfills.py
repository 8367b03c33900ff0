"""Rows from before get their values batch by batch; whoever is stopped goes on where they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from cormorant import CheckViolation, ConnectionLost, Database, InvalidMigration, StatementError
from cormorant.adapters.base import Connection
from cormorant.migrations import Backfill
from cormorant.migrations.safety.backfilling import BackfillProgress, run_backfill
from cormorant.migrations.safety.batches import POSITIONS
from cormorant.schema import snapshot as s
from cormorant.schema.operations import CreateTable

BOOK = s.Table(
    "book",
    (s.Column("id", "bigint"), s.Column("title", "text"), s.Column("views", "integer", nullable=True)),
    s.PrimaryKey(("id",)),
)
FILL = Backfill("book", (("views", "id * 2"),), batch=10)
COUNT = Backfill("book", (("views", "coalesce(views, 0) + 1"),), where="id <> 7", batch=10)


class Shelf:
    """A database, with one connection for the backfill and others for everybody else."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.database = database
        self.connection = connection
        self.told: list[BackfillProgress] = []

    async def make(self, table: s.Table = BOOK, rows: int = 25) -> None:
        for sql in CreateTable(table).statements(self.database.dialect):
            await self.connection.execute(sql)
        for row in range(1, rows + 1):
            await self.connection.execute(f"INSERT INTO book (id, title) VALUES ({row * 3}, 'no. {row}')")

    async def run(self, backfill: Backfill, table: s.Table = BOOK, **options: Any) -> int:
        options = {"name": "0002/1", "progress": self.told.append, **options}
        return await run_backfill(self.connection, self.database.dialect, backfill, table, **options)

    async def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.connection.fetch(sql)]

    async def has_positions(self) -> bool:
        try:
            await self.connection.fetch(f"SELECT 1 FROM {POSITIONS}")
        except StatementError:
            return False
        return True


@pytest.fixture
async def shelf(database_dsn: str) -> AsyncIterator[Shelf]:
    async with Database(database_dsn) as database:
        connection = await database.adapter.acquire(write=True)
        yield Shelf(database, connection)
        database.adapter.release(connection)


async def test_all_rows_in_batches(shelf: Shelf) -> None:
    await shelf.make()
    assert await shelf.run(FILL) == 25
    assert await shelf.fetch("SELECT count(*) FROM book WHERE views = id * 2") == [(25,)]
    assert [(told.rows, told.batches) for told in shelf.told] == [(10, 1), (20, 2), (25, 3)]
    assert {told.table for told in shelf.told} == {"book"}
    assert not await shelf.has_positions()
    # nothing is left to be done
    assert await shelf.run(FILL) == 0


async def test_rows_that_are_expected(shelf: Shelf) -> None:
    await shelf.make()
    if shelf.database.dialect.supports_add_constraint:
        await shelf.connection.execute("ANALYZE book")
    await shelf.run(FILL)
    assert {told.expected for told in shelf.told} == {25}


class Stopped(Exception):
    """What stops a backfill."""


async def test_it_goes_on_where_it_was_stopped(shelf: Shelf) -> None:
    await shelf.make()

    def stop(told: BackfillProgress) -> None:
        if told.batches == 2:
            raise Stopped

    with pytest.raises(Stopped):
        await shelf.run(COUNT, progress=stop)
    assert await shelf.has_positions()
    assert await shelf.fetch("SELECT count(*) FROM book WHERE views = 1") == [(20,)]
    assert await shelf.run(COUNT, resume=True) == 25
    assert [(told.rows, told.batches) for told in shelf.told] == [(25, 1)]
    assert await shelf.fetch("SELECT views, count(*) FROM book GROUP BY views ORDER BY 1") == [(1, 25)]
    assert not await shelf.has_positions()


async def test_who_does_not_go_on_begins_anew(shelf: Shelf) -> None:
    await shelf.make()

    def stop(told: BackfillProgress) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await shelf.run(COUNT, progress=stop)
    assert await shelf.run(COUNT) == 25
    assert await shelf.fetch("SELECT views, count(*) FROM book GROUP BY views ORDER BY 1") == [(1, 15), (2, 10)]


async def test_what_is_done_is_written_down_with_the_last_batch(shelf: Shelf) -> None:
    await shelf.make()
    await shelf.connection.execute("CREATE TABLE record (what text)")

    async def fail() -> None:
        await shelf.connection.execute("INSERT INTO record VALUES ('failed')")
        raise Stopped

    async def write() -> None:
        await shelf.connection.execute("INSERT INTO record VALUES ('done')")

    with pytest.raises(Stopped):
        await shelf.run(COUNT, done=fail)
    assert await shelf.fetch("SELECT count(*) FROM book WHERE views = 1") == [(20,)]
    assert await shelf.run(COUNT, resume=True, done=write) == 25
    assert await shelf.fetch("SELECT views, count(*) FROM book GROUP BY views") == [(1, 25)]
    assert await shelf.fetch("SELECT what FROM record") == [("done",)]


async def test_a_batch_that_fails_leaves_those_before_it(shelf: Shelf) -> None:
    await shelf.make(replace(BOOK, checks=(s.Check("few", "views < 100"),)))
    with pytest.raises(CheckViolation, match="few"):
        await shelf.run(FILL)
    assert await shelf.fetch("SELECT count(*) FROM book WHERE views IS NOT NULL") == [(10,)]
    await shelf.connection.execute("DELETE FROM book WHERE id * 2 >= 100")
    assert await shelf.run(FILL, resume=True) == 16


KEYS: dict[str, tuple[str, str, str]] = {
    # by type: what makes the key of a number, on each database
    "text": ("'it''s \"' || n || '%'", "'it''s \"' || n || '%'", "text"),
    "uuid": ("lpad(n::text, 32, '0')::uuid", "printf('%032d', n)", "uuid"),
    "timestamptz": (
        "timestamptz '2024-01-01 00:00:00.123456+00' + n * interval '1 microsecond'",
        "printf('2024-01-01T00:00:00.%06d+00:00', n)",
        "timestamptz",
    ),
    "numeric": ("n / 3.0", "printf('%08.3f', n / 3.0)", "numeric(20, 10)"),
    "double precision": ("n / 3.0::float8", "n / 3.0", "double precision"),
    "bytea": ("decode(lpad(to_hex(n), 8, '0'), 'hex')", "CAST(printf('%08x', n) AS BLOB)", "bytea"),
    "date": ("date '2024-01-01' + n", "date('2024-01-01', n || ' days')", "date"),
}


@pytest.mark.parametrize("kind", KEYS)
async def test_keys_of_every_type(shelf: Shelf, kind: str) -> None:
    on_postgresql, on_sqlite, type_ = KEYS[kind]
    table = s.Table("book", (s.Column("k", type_), s.Column("views", "integer", nullable=True)), s.PrimaryKey(("k",)))
    await shelf.make(table, rows=0)
    if shelf.database.dialect.supports_add_constraint:
        rows, made = "generate_series(1, 25) n", on_postgresql
    else:
        rows, made = (
            "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 25) SELECT n FROM c)",
            on_sqlite,
        )
    await shelf.connection.execute(f"INSERT INTO book (k) SELECT {made} FROM {rows}")
    backfill = Backfill("book", (("views", "coalesce(views, 0) + 1"),), where="1 = 1", batch=4)
    assert await shelf.run(backfill, table) == 25
    assert [told.rows for told in shelf.told] == [4, 8, 12, 16, 20, 24, 25]
    assert await shelf.fetch("SELECT views, count(*) FROM book GROUP BY views") == [(1, 25)]


async def test_keys_of_several_columns(shelf: Shelf) -> None:
    table = s.Table(
        "book",
        (s.Column("shelf", "text"), s.Column("place", "integer"), s.Column("views", "integer", nullable=True)),
        s.PrimaryKey(("shelf", "place")),
    )
    await shelf.make(table, rows=0)
    for place in range(12):
        await shelf.connection.execute(f"INSERT INTO book VALUES ('{'abc'[place % 3]}', {place}, NULL)")
    backfill = Backfill("book", (("views", "coalesce(views, 0) + 1"),), where="1 = 1", batch=5)
    assert await shelf.run(backfill, table) == 12
    assert await shelf.fetch("SELECT views, count(*) FROM book GROUP BY views") == [(1, 12)]


async def test_tables_whose_rows_nothing_tells_apart(shelf: Shelf) -> None:
    table = s.Table("book", (*BOOK.columns[:2], BOOK.columns[2]))
    await shelf.make(table)
    with pytest.raises(InvalidMigration, match="cannot go through book in batches: it has no primary key") as caught:
        await shelf.run(FILL, table)
    assert "key=" in str(caught.value)
    by_key = Backfill("book", FILL.values, batch=10, key=("id",))
    assert await shelf.run(by_key, table) == 25
    with pytest.raises(InvalidMigration, match="the backfill writes it"):
        await shelf.run(Backfill("book", (("id", "id + 1"),)))


async def test_the_way_back_leaves_the_values(shelf: Shelf) -> None:
    await shelf.make()
    await shelf.run(FILL)
    assert await shelf.run(FILL.reverse()) == 0
    assert await shelf.fetch("SELECT count(*) FROM book WHERE views IS NULL") == [(0,)]


async def test_others_are_waited_for(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        connection, other, third = [await database.adapter.acquire(write=True) for _ in range(3)]
        shelf = Shelf(database, connection)
        await shelf.make()
        await connection.execute("SET lock_timeout = '1ms'")
        await other.execute("BEGIN")
        await other.execute("UPDATE book SET title = title WHERE id = 45")
        running = asyncio.ensure_future(shelf.run(FILL))
        while not (shelf.told or running.done()):
            await asyncio.sleep(0)
        # the first batch is there for all to see, and the second one waits
        assert [tuple(row) for row in await third.fetch("SELECT count(*) FROM book WHERE views > 0")] == [(10,)]
        await other.execute("COMMIT")
        assert await running == 25
        await connection.execute("RESET lock_timeout")
        for each in (connection, other, third):
            database.adapter.release(each)


async def test_a_connection_that_is_lost_loses_no_batch(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        connection, other = [await database.adapter.acquire(write=True) for _ in range(2)]
        shelf = Shelf(database, connection)
        await shelf.make()
        ((pid,),) = await connection.fetch("SELECT pg_backend_pid()")
        killing: list[asyncio.Task[int]] = []

        def kill(told: BackfillProgress) -> None:
            if told.batches == 1:
                killing.append(asyncio.ensure_future(_kill(other, pid)))

        with pytest.raises(ConnectionLost):
            await shelf.run(Backfill("book", COUNT.values, COUNT.where, batch=1, pause=0.001), progress=kill)
        await asyncio.gather(*killing)
        shelf.connection = other
        await shelf.run(COUNT, resume=True)
        assert await shelf.fetch("SELECT views, count(*) FROM book GROUP BY views") == [(1, 25)]
        for each in (connection, other):
            database.adapter.release(each)


async def _kill(connection: Connection, pid: int) -> int:
    return await connection.execute(f"SELECT pg_terminate_backend({pid})")
