"""What statements answer: rows, counts, names of columns."""

from __future__ import annotations

import pytest

from cormorant.adapters.base import Connection
from cormorant.errors import UniqueViolation
from cormorant.testing.conformance.base import AdapterTests


class Answers(AdapterTests):
    """Tests of `fetch`, `execute`, `fetch_each` and `query`."""

    async def test_fetch_gives_all_rows(self, connection: Connection) -> None:
        rows = await connection.fetch("SELECT id, email FROM author ORDER BY id")
        assert [tuple(row) for row in rows] == [(1, "ada@example.org"), (2, None)]

    async def test_fetch_takes_arguments(self, connection: Connection) -> None:
        rows = await connection.fetch(
            self.p("SELECT name FROM author WHERE id = $1 AND email = $2"), [1, "ada@example.org"]
        )
        assert [tuple(row) for row in rows] == [("Ada",)]

    async def test_an_argument_may_be_used_twice(self, connection: Connection) -> None:
        rows = await connection.fetch(self.p("SELECT id FROM author WHERE id = $1 OR id = $1 + 1 ORDER BY id"), (1,))
        assert [row[0] for row in rows] == [1, 2]

    @pytest.mark.parametrize(
        ("sql", "count"),
        [
            ("INSERT INTO author VALUES (3, NULL, 'x'), (4, NULL, 'y')", 2),
            ("INSERT INTO author VALUES (3, NULL, 'x') RETURNING id", 1),
            ("UPDATE author SET name = 'x'", 2),
            ("UPDATE author SET name = 'x' WHERE id = 99", 0),
            ("DELETE FROM author WHERE id = 2", 1),
            ("WITH q AS (SELECT 2 AS id) UPDATE author SET name = 'x' WHERE id IN (SELECT id FROM q)", 1),
            ("WITH q AS (SELECT 2 AS id) DELETE FROM author WHERE id IN (SELECT id FROM q) RETURNING id", 1),
            ("SELECT * FROM author", 0),
            ("CREATE TABLE copy AS SELECT * FROM author", 0),
            ("DROP TABLE book", 0),
            ("", 0),
        ],
    )
    async def test_execute_counts_written_rows(self, connection: Connection, sql: str, count: int) -> None:
        assert await connection.execute(sql) == count
        assert (await connection.query("SELECT 1")).affected == 1

    async def test_execute_takes_arguments(self, connection: Connection) -> None:
        assert await connection.execute(self.p("UPDATE author SET name = $1 WHERE id > $2"), ["x", 1]) == 1

    async def test_fetch_each_gives_the_rows_of_each_run_in_order(self, connection: Connection) -> None:
        sql = self.p("INSERT INTO author VALUES ($1, NULL, $2) RETURNING id, name")
        answers = await connection.fetch_each(sql, [(9, "i"), (7, "g"), (8, "h")])
        assert [[tuple(row) for row in rows] for rows in answers] == [[(9, "i")], [(7, "g")], [(8, "h")]]

    async def test_fetch_each_keeps_empty_answers(self, connection: Connection) -> None:
        answers = await connection.fetch_each(self.p("SELECT id FROM author WHERE id = $1"), [(99,), (1,)])
        assert [[tuple(row) for row in rows] for rows in answers] == [[], [(1,)]]
        assert await connection.fetch_each("SELECT 1", []) == []

    async def test_fetch_each_stops_at_an_error(self, connection: Connection) -> None:
        with pytest.raises(UniqueViolation):
            await connection.fetch_each(self.p("INSERT INTO author VALUES ($1, NULL, 'x')"), [(3,), (1,), (4,)])
        assert await self.ids(connection) == [1, 2, 3]

    async def test_query_names_its_columns(self, connection: Connection) -> None:
        answer = await connection.query("SELECT id, name AS called, id FROM author ORDER BY id")
        assert answer.columns == ("id", "called", "id")
        assert [tuple(row) for row in answer.rows] == [(1, "Ada", 1), (2, "Bob", 2)]
        assert answer.affected == 2

    async def test_query_names_its_columns_without_rows(self, connection: Connection) -> None:
        answer = await connection.query(self.p("SELECT id, name FROM author WHERE id = $1"), [99])
        assert (answer.columns, list(answer.rows), answer.affected) == (("id", "name"), [], 0)

    async def test_query_of_a_write(self, connection: Connection) -> None:
        answer = await connection.query("UPDATE author SET name = 'x'")
        assert (answer.columns, list(answer.rows), answer.affected) == ((), [], 2)
        answer = await connection.query("DELETE FROM author WHERE id = 2 RETURNING id")
        assert (answer.columns, [tuple(row) for row in answer.rows], answer.affected) == (("id",), [(2,)], 1)
