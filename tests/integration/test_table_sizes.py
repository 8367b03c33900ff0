"""How large tables are, as the database tells."""

from __future__ import annotations

import pytest

from cormorant import Database
from cormorant.migrations.safety.measuring import read_sizes
from cormorant.migrations.safety.sizes import SMALL_BYTES, SMALL_ROWS, TableSize


async def sizes_after(dsn: str, *statements: str) -> dict[str, TableSize]:
    async with Database(dsn) as database:
        connection = await database.adapter.acquire(write=True)
        for sql in statements:
            await connection.execute(sql)
        found = await read_sizes(connection, database.dialect)
        database.adapter.release(connection)
    return found


async def test_rows_are_about_counted(database_dsn: str) -> None:
    rows = "INSERT INTO book VALUES (1), (2), (3)"
    last = ["ANALYZE book"] if database_dsn.startswith("postgresql") else []
    found = await sizes_after(
        database_dsn, "CREATE TABLE book (id integer PRIMARY KEY)", "CREATE TABLE shelf (id integer)", rows, *last
    )
    assert {name: size.rows for name, size in found.items()} == {"book": 3, "shelf": 0}
    assert all(size.is_small for size in found.values())


async def test_schemas_and_partitions(postgres_database: str) -> None:
    found = await sizes_after(
        postgres_database,
        "CREATE SCHEMA audit",
        "CREATE TABLE audit.entry (id integer PRIMARY KEY)",
        "CREATE TABLE event (id integer, day date) PARTITION BY RANGE (day)",
        "CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        "INSERT INTO event SELECT n, date '2024-07-01' + n FROM generate_series(1, 365) n",
        "ANALYZE event_2024, event_2025",
    )
    assert set(found) == {"audit.entry", "event"}
    assert found["event"].rows == 365
    assert found["event"].bytes >= 2 * 8192


@pytest.mark.parametrize(
    ("size", "small"),
    [
        (TableSize(SMALL_ROWS, SMALL_BYTES), True),
        (TableSize(SMALL_ROWS + 1), False),
        (TableSize(10, SMALL_BYTES + 1), False),
    ],
)
def test_small_is_both_few_rows_and_few_bytes(size: TableSize, small: bool) -> None:
    assert size.is_small is small
