"""Tests of the classes of errors, and of what they tell."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import pytest

from cormorant import errors
from cormorant.adapters.base import Connection
from cormorant.testing.conformance.base import SECRET, VIOLATIONS, AdapterTests


class Refusals(AdapterTests):
    """Tests of the classes of errors, and of what they tell."""

    @pytest.mark.parametrize(("sql", "cls", "table", "columns"), VIOLATIONS)
    async def test_violations_name_table_and_columns(
        self,
        connection: Connection,
        sql: str,
        cls: type[errors.IntegrityError],
        table: str,
        columns: tuple[str, ...],
    ) -> None:
        error: Any = await self.refused(connection, sql, cls)
        assert (error.table, error.columns) == (table, columns)
        assert isinstance(error.__cause__, Exception)

    async def test_a_check_is_named(self, connection: Connection) -> None:
        error: Any = await self.refused(connection, "INSERT INTO book VALUES (2, 1, 1, -1)", errors.CheckViolation)
        assert error.constraint == "positive"

    @pytest.mark.parametrize("sql", ["INSERT INTO book VALUES (2, 99, 1, 2)", "DELETE FROM author WHERE id = 1"])
    async def test_a_broken_reference(self, connection: Connection, sql: str) -> None:
        await self.refused(connection, sql, errors.ForeignKeyViolation)

    @pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT nickname FROM author"])
    async def test_a_missing_name_hints_at_create_all(self, connection: Connection, sql: str) -> None:
        error = await self.refused(connection, sql, errors.StatementError)
        assert error.hint is not None
        assert "create_all" in error.hint

    @pytest.mark.parametrize("sql", ["SELEC 1", "SELECT 'x", "SELECT no_such_function(1)"])
    async def test_bad_sql(self, connection: Connection, sql: str) -> None:
        await self.refused(connection, sql, errors.StatementError)

    @pytest.mark.parametrize("sql", ["SELECT '\ud800'", "SELECT '\0'"])
    async def test_sql_that_cannot_be_encoded(self, connection: Connection, sql: str) -> None:
        error = await self.refused(connection, sql, errors.StatementError)
        str(error).encode()

    async def test_a_value_in_sql_that_does_not_fit(self, connection: Connection) -> None:
        await self.refused(connection, self.data_error, errors.DataError)

    @pytest.mark.parametrize("value", [object(), "\ud800", 2**70, [SECRET]], ids=["object", "text", "number", "list"])
    async def test_a_value_that_cannot_be_sent(self, connection: Connection, value: Any) -> None:
        sql = self.p(
            "SELECT * FROM author WHERE name = $1" if isinstance(value, str) else "SELECT * FROM author WHERE id = $1"
        )
        for method in (connection.fetch, connection.execute, connection.query):
            await self.refused(connection, sql, errors.DataError, partial(method, sql, [value]))
        await self.refused(connection, sql, errors.DataError, lambda: connection.fetch_each(sql, [[1], [value]]))

    async def test_no_error_shows_a_value(self, connection: Connection) -> None:
        sql = self.p("INSERT INTO author VALUES ($1, $2, $3)")
        await connection.execute(sql, [10, SECRET, SECRET])
        await self.refused(connection, sql, errors.UniqueViolation, lambda: connection.fetch(sql, [11, SECRET, SECRET]))
        await self.refused(
            connection, sql, errors.NotNullViolation, lambda: connection.fetch(sql, [11, SECRET + "2", None])
        )

    @pytest.mark.parametrize("args", [[], [1, 2]])
    async def test_a_wrong_number_of_arguments(self, connection: Connection, args: list[int]) -> None:
        sql = self.p("SELECT * FROM author WHERE id = $1")
        await self.refused(connection, sql, errors.StatementError, lambda: connection.fetch(sql, args))

    async def test_one_statement_at_a_time(self, connection: Connection) -> None:
        sql = "DELETE FROM book; DELETE FROM author"
        for method in (connection.fetch, connection.execute, connection.query):
            await self.refused(connection, sql, errors.StatementError, partial(method, sql))
        assert await self.ids(connection) == [1, 2]

    async def test_a_semicolon_at_the_end_is_allowed(self, connection: Connection) -> None:
        assert await connection.execute("DELETE FROM author WHERE id = 2;") == 1

    async def test_an_error_survives_pickling(self, connection: Connection) -> None:
        sql = "INSERT INTO author VALUES (1, NULL, 'x')"
        error: Any = await self.refused(connection, sql, errors.UniqueViolation)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.columns) == (type(error), str(error), error.columns)
