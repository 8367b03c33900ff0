"""S16: SQL of one's own, with the same placeholders on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import AsyncSession, Database, text
from cormorant.errors import QueryError, StatementError
from tests.support.newsroom import Label, Writer, make_writer, sent, words

LABELS = "INSERT INTO newsroom_label (name) VALUES (:a), (:b), (:c)"


@pytest.fixture
async def labels(database: Database) -> Database:
    """Three labels, one of which looks like a parameter."""
    async with AsyncSession(database) as session:
        await session.execute(LABELS, {"a": "one", "b": "it's :two", "c": "three"})
    return database


async def test_rows_come_as_tuples_with_column_names(labels: Database) -> None:
    async with AsyncSession(labels) as session:
        result = await session.execute(
            "SELECT name, 1 AS n FROM newsroom_label WHERE name <> :x ORDER BY id", {"x": "one"}
        )
        assert list(result) == [("it's :two", 1), ("three", 1)]
        assert result[0] == ("it's :two", 1)
        assert result[:1] == [("it's :two", 1)]
        assert result.columns == ("name", "n")
        assert result.rowcount == len(result) == 2
        assert result.dicts()[1] == {"name": "three", "n": 1}
        assert result.scalar() == "it's :two"


async def test_a_write_counts_its_rows(labels: Database) -> None:
    async with AsyncSession(labels) as session:
        result = await session.execute("UPDATE newsroom_label SET name = name WHERE name <> :x", {"x": "one"})
        assert (result.rowcount, len(result), result.columns) == (2, 0, ())
        assert result.scalar() is None


@pytest.mark.parametrize(
    ("sql", "params", "found"),
    [
        ("SELECT name FROM newsroom_label WHERE name = 'it''s :two'", {}, "it's :two"),
        ('SELECT name AS "a:b" FROM newsroom_label WHERE name = :n', {"n": "one"}, "one"),
        ("SELECT name FROM newsroom_label WHERE name = :n -- :not one\n", {"n": "one"}, "one"),
        ("SELECT name FROM newsroom_label /* :not one */ WHERE name = :n", {"n": "one"}, "one"),
        ("SELECT name FROM newsroom_label WHERE name = :n OR name = :n", {"n": "three"}, "three"),
        ("SELECT name FROM newsroom_label WHERE name = :b AND name <> :a", {"a": "x", "b": "one"}, "one"),
        ("  -- a comment first\n  SELECT :n", {"n": "x"}, "x"),
        ("WITH found AS (SELECT :n AS n) SELECT n FROM found", {"n": "y"}, "y"),
    ],
)
async def test_parameters_are_told_from_text(labels: Database, sql: Any, params: dict[str, Any], found: str) -> None:
    async with AsyncSession(labels) as session:
        sql = sql.replace(":n", "CAST(:n AS text)") if sql.startswith(("  --", "WITH")) else sql
        assert (await session.execute(sql, params)).scalar() == found


async def test_a_cast_is_no_parameter(labels: Database) -> None:
    async with AsyncSession(labels) as session:
        if labels.dialect.name == "postgresql":
            assert (await session.execute("SELECT :n::int + 1", {"n": 1})).scalar() == 2
            assert (await session.execute("SELECT '{1,2,3}'::int[]")).scalar() == [1, 2, 3]
            assert (await session.execute("SELECT $$:n$$ || $tag$ :n $tag$ || 'x'")).scalar() == ":n :n x"
        assert (await session.execute(r"SELECT '\:' || CAST(:n AS text)", {"n": "x"})).scalar() == r"\:x"


async def test_a_missing_parameter_is_named_before_anything_is_sent(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(QueryError, match=r"parameter :name, and no value.*\n.*did you mean 'nme'"):
            await session.execute("SELECT :name", {"nme": 1})
        with pytest.raises(QueryError, match="parameter :name"):
            await session.execute("SELECT :name")
        with pytest.raises(QueryError, match=r"has no parameter :nme.*\n.*did you mean 'name'"):
            await session.execute("SELECT :name", {"name": 1, "nme": 1})
        with pytest.raises(QueryError, match="given by name, not as list"):
            await session.execute("SELECT :name", [1])  # type: ignore[arg-type]
    assert sent(session) == 0


async def test_values_travel_as_they_do_in_columns(database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    values: dict[str, Any] = {
        "text": "x",
        "number": 7,
        "flag": True,
        "moment": moment,
        "day": moment.date(),
        "span": timedelta(days=1, microseconds=1),
        "uid": UUID(int=7),
        "price": Decimal("1.50"),
        "data": b"\0\xff",
        "missing": None,
    }
    types = {
        "sqlite": {},
        "postgresql": {
            "text": "text",
            "number": "bigint",
            "flag": "boolean",
            "moment": "timestamptz",
            "day": "date",
            "span": "interval",
            "uid": "uuid",
            "price": "numeric",
            "data": "bytea",
            "missing": "text",
        },
    }[database.dialect.name]
    columns = ", ".join(f"CAST(:{n} AS {types[n]}) AS {n}" if n in types else f":{n} AS {n}" for n in values)
    async with AsyncSession(database) as session:
        (row,) = (await session.execute(text(f"SELECT {columns}"), values)).dicts()
    if database.dialect.name == "postgresql":
        assert row == values
    else:
        # raw SQL has no columns whose types could be read back
        assert row == values | {
            "flag": 1,
            "moment": "2026-01-02T03:04:05.000006+00:00",
            "day": "2026-01-02",
            "span": 86_400_000_001,
            "uid": str(UUID(int=7)),
            "price": "1.5",
        }


@pytest.mark.parametrize(
    ("sql", "begins"),
    [
        ("SELECT 1", False),
        ("  select 1", False),
        ("/* hint */ SELECT 1", False),
        ("VALUES (1)", False),
        ("EXPLAIN SELECT 1", False),
        ("WITH x AS (SELECT 1 AS n) SELECT n FROM x", True),
        ("UPDATE newsroom_label SET name = name", True),
        ("DELETE FROM newsroom_label", True),
    ],
)
async def test_what_may_write_begins_a_transaction(database: Database, sql: Any, begins: bool) -> None:
    async with AsyncSession(database) as session:
        await session.execute(sql)
        assert session.in_transaction is begins
        assert ("BEGIN" in words(session)) is begins
        await session.rollback()


async def test_the_caller_may_know_better_what_writes(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.execute("WITH x AS (SELECT 1 AS n) SELECT n FROM x", write=False)
        assert not session.in_transaction
        await session.execute("SELECT 1", write=True)
        assert session.in_transaction


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[Database]:
    """SQLite has neither locks of rows nor EXPLAIN ANALYZE."""
    async with Database(postgres_database) as database:
        await database.create_all(Label)
        yield database


async def test_locks_and_explain_analyze_are_no_reads(postgres: Database) -> None:
    for sql in (
        "SELECT id FROM newsroom_label FOR UPDATE",
        "select id from newsroom_label for no key update",
        "SELECT id FROM newsroom_label FOR SHARE",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN (ANALYZE) SELECT 1",
    ):
        async with AsyncSession(postgres) as session:
            await session.execute(sql)  # type: ignore[arg-type]
            assert session.in_transaction, sql
    async with AsyncSession(postgres) as session:
        await session.execute("SHOW server_version")
        assert not session.in_transaction


async def test_a_raw_write_is_committed_with_the_rest(labels: Database) -> None:
    async with AsyncSession(labels) as session:
        session.add(Label(name="four"))
        await session.execute("DELETE FROM newsroom_label WHERE name = :n", {"n": "one"})
        assert await session.query(Label).count() == 3
    async with AsyncSession(labels) as session:
        assert await session.query(Label).count() == 3


async def test_pending_changes_are_written_before_raw_sql(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        (await session.get_one(Writer, key)).name = "Eve"
        assert (await session.execute("SELECT name FROM newsroom_writer")).scalar() == "Eve"


async def test_a_mistake_in_the_sql_names_the_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError, match=r"(?s)no_such_table.*Statement: SELECT \* FROM no_such_table"):
            await session.execute("SELECT * FROM no_such_table")


async def test_raw_sql_is_counted_like_everything_else(labels: Database) -> None:
    async with AsyncSession(labels) as session:
        for _ in range(3):
            await session.execute("SELECT name FROM newsroom_label WHERE name <> :n", {"n": "one"})
        (stats,) = session.query_stats()
        assert (stats.count, stats.rows) == (3, 6)
        session.reset_query_stats()
        assert session.query_stats() == []
