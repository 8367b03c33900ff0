"""What every adapter must do. A test class for an adapter inherits from `AdapterSuite`."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, ClassVar, TypeAlias

import pytest

from cormorant import errors
from cormorant.adapters.base import Adapter, Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter
from cormorant.dialects.base import ISOLATION_LEVELS

MakeAdapter: TypeAlias = Callable[..., Adapter]

SECRET = "s3cr3t-value"

TABLES = (
    "CREATE TABLE author (id integer PRIMARY KEY, email text CONSTRAINT author_email UNIQUE, name text NOT NULL)",
    "CREATE TABLE book (id integer PRIMARY KEY, author integer REFERENCES author (id), shelf integer, place integer,"
    " CONSTRAINT positive CHECK (place > 0), CONSTRAINT one_place UNIQUE (shelf, place))",
    "INSERT INTO author VALUES (1, 'ada@example.org', 'Ada'), (2, NULL, 'Bob')",
    "INSERT INTO book VALUES (1, 1, 1, 1)",
)

VIOLATIONS = [
    ("INSERT INTO author VALUES (3, 'ada@example.org', 'x')", errors.UniqueViolation, "author", ("email",)),
    ("INSERT INTO author VALUES (1, NULL, 'x')", errors.UniqueViolation, "author", ("id",)),
    ("INSERT INTO book VALUES (2, 1, 1, 1)", errors.UniqueViolation, "book", ("shelf", "place")),
    ("INSERT INTO author VALUES (3, NULL, NULL)", errors.NotNullViolation, "author", ("name",)),
]


class AdapterSuite:
    """The tests; an inheriting class gives `config` and the words that differ."""

    placeholder: ClassVar[str]
    """What comes before a parameter's number."""
    data_error: ClassVar[str] = ""
    """A statement that fails because of a value."""

    @pytest.fixture
    def config(self) -> ConnectionConfig:
        """Where an empty database is."""
        raise NotImplementedError

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        """Starts a statement without end and returns once it runs."""
        raise NotImplementedError

    def p(self, sql: str) -> str:
        """Writes the placeholders $1, $2 in the adapter's way."""
        return sql.replace("$", self.placeholder)

    @pytest.fixture
    async def make(self, config: ConnectionConfig) -> AsyncIterator[MakeAdapter]:
        """Makes adapters that are closed after the test."""
        made: list[Any] = []

        def make(**changes: Any) -> Adapter:
            adapter = create_adapter(config.replace(**changes))
            made.append(adapter)
            return adapter

        yield make
        for adapter in made:
            await adapter.close(timeout=5)

    @pytest.fixture
    async def adapter(self, make: MakeAdapter) -> Adapter:
        return make()

    @pytest.fixture
    async def connection(self, adapter: Adapter) -> AsyncIterator[Connection]:
        """A connection that may write, in a database with two tables."""
        connection = await adapter.acquire(write=True)
        for sql in TABLES:
            await connection.execute(sql)
        yield connection
        adapter.release(connection)

    async def test_stats_follow_the_pool(self, make: MakeAdapter) -> None:
        adapter: Any = make(pool_size=2)
        assert (adapter.stats.opened, adapter.stats.in_use) == (0, 0)
        connection = await adapter.acquire()
        assert (adapter.stats.opened, adapter.stats.in_use, adapter.stats.idle) == (1, 1, 0)
        adapter.release(connection)
        assert (adapter.stats.in_use, adapter.stats.idle) == (0, 1)
        assert adapter.default_isolation in ISOLATION_LEVELS

    # ---- answers

    async def test_an_adapter_tells_what_it_is(self, adapter: Adapter, config: ConnectionConfig) -> None:
        assert isinstance(adapter, Adapter)
        assert adapter.config == config
        assert adapter.dialect.name == config.scheme
        adapter.release(await adapter.acquire())
        assert adapter.server_version > (3,)

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
        with pytest.raises(errors.UniqueViolation):
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

    # ---- errors

    @pytest.mark.parametrize(("sql", "cls", "table", "columns"), VIOLATIONS)
    async def test_violations_name_table_and_columns(
        self,
        connection: Connection,
        sql: str,
        cls: type[errors.IntegrityError],
        table: str,
        columns: tuple[str, ...],
    ) -> None:
        error = await self.refused(connection, sql, cls)
        assert (error.table, error.columns) == (table, columns)

    async def test_a_check_is_named(self, connection: Connection) -> None:
        error = await self.refused(connection, "INSERT INTO book VALUES (2, 1, 1, -1)", errors.CheckViolation)
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
        error = await self.refused(connection, "INSERT INTO author VALUES (1, NULL, 'x')", errors.UniqueViolation)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.columns) == (type(error), str(error), error.columns)

    # ---- cursors

    @pytest.fixture
    async def numbers(self, connection: Connection) -> AsyncIterator[Connection]:
        """A connection in a transaction, with a table of ten numbers."""
        await connection.execute("CREATE TABLE number (n integer)")
        await connection.execute("INSERT INTO number VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)")
        await connection.execute("BEGIN")
        yield connection
        if connection.in_transaction:
            await connection.execute("ROLLBACK")

    async def test_a_cursor_gives_chunks(self, numbers: Connection) -> None:
        cursor = numbers.cursor(self.p("SELECT n FROM number WHERE n > $1 ORDER BY n"), [2])
        assert [[row[0] for row in await cursor.fetch(3)] for _ in range(4)] == [[3, 4, 5], [6, 7, 8], [9, 10], []]
        await cursor.close()
        await cursor.close()

    async def test_a_chunk_may_end_with_the_last_row(self, numbers: Connection) -> None:
        cursor = numbers.cursor("SELECT n FROM number ORDER BY n")
        assert len(await cursor.fetch(10)) == 10
        assert list(await cursor.fetch(10)) == []
        await cursor.close()

    async def test_statements_run_between_chunks(self, numbers: Connection) -> None:
        first, second = (numbers.cursor("SELECT n FROM number ORDER BY n") for _ in range(2))
        assert [row[0] for row in await first.fetch(2)] == [1, 2]
        assert await numbers.execute("UPDATE number SET n = n WHERE n = 1") == 1
        assert [row[0] for row in await second.fetch(4)] == [1, 2, 3, 4]
        assert tuple((await numbers.fetch("SELECT max(n) FROM number"))[0]) == (10,)
        assert [row[0] for row in await first.fetch(2)] == [3, 4]
        await first.close()
        assert [row[0] for row in await second.fetch(2)] == [5, 6]
        await second.close()

    async def test_a_closed_cursor_gives_nothing(self, numbers: Connection) -> None:
        cursor = numbers.cursor("SELECT n FROM number")
        await cursor.fetch(1)
        await cursor.close()
        assert list(await cursor.fetch(1)) == []
        unread = numbers.cursor("SELECT n FROM number")
        await unread.close()
        assert list(await unread.fetch(1)) == []
        await numbers.execute("COMMIT")
        assert not numbers.needs_reset

    @pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
    async def test_a_cursor_may_be_closed_after_its_transaction(self, numbers: Connection, end: str) -> None:
        cursor = numbers.cursor("SELECT n FROM number")
        await cursor.fetch(1)
        await numbers.execute(end)
        await cursor.close()
        assert not numbers.needs_reset
        assert await self.ids(numbers) == [1, 2]

    async def test_an_error_of_a_cursor(self, numbers: Connection) -> None:
        with pytest.raises(errors.StatementError) as caught:
            await numbers.cursor("SELECT nickname FROM author").fetch(1)
        assert caught.value.statement == "SELECT nickname FROM author"
        await numbers.execute("ROLLBACK")
        assert await self.ids(numbers) == [1, 2]

    async def test_a_cursor_that_nobody_closed(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        cursor = connection.cursor("SELECT 1 UNION SELECT 2")
        await cursor.fetch(1)
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.needs_reset
        with pytest.raises(errors.StatementError):
            await cursor.fetch(1)
        assert tuple((await again.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(again)

    async def test_a_cancelled_statement_ends_the_cursors_beside_it(self, numbers: Connection) -> None:
        cursor = numbers.cursor("SELECT n FROM number ORDER BY n")
        await cursor.fetch(2)
        task = await self.start_slow(numbers)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(errors.StatementError):
            await cursor.fetch(2)
        await cursor.close()
        await numbers.execute("ROLLBACK")
        assert await self.ids(numbers) == [1, 2]

    async def test_a_cursor_of_a_closed_connection(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        cursor = connection.cursor("SELECT 1 UNION SELECT 2")
        await cursor.fetch(1)
        adapter.release(connection)
        await adapter.close()
        with pytest.raises(errors.ConnectionLost):
            await cursor.fetch(1)
        await cursor.close()

    # ---- transactions

    async def test_in_transaction_follows_the_server(self, connection: Connection) -> None:
        assert not connection.in_transaction
        await connection.execute("BEGIN")
        assert connection.in_transaction
        await connection.execute("SAVEPOINT a")
        await connection.execute("ROLLBACK TO SAVEPOINT a")
        assert connection.in_transaction
        await connection.execute("COMMIT")
        assert not connection.in_transaction

    async def test_a_released_transaction_is_rolled_back(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("CREATE TABLE t (id integer)")
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO t VALUES (1)")
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert again is connection
        assert not again.in_transaction
        assert list(await again.fetch("SELECT * FROM t")) == []
        adapter.release(again)

    async def test_a_released_failed_transaction_is_rolled_back(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        with pytest.raises(errors.StatementError):
            await connection.fetch("SELECT * FROM nowhere")
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert tuple((await again.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(again)

    # ---- cancellation

    async def test_a_cancelled_statement_leaves_the_connection_usable(self, connection: Connection) -> None:
        for _ in range(5):
            task = await self.start_slow(connection)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await self.ids(connection) == [1, 2]

    async def test_a_second_cancellation_changes_nothing(self, connection: Connection) -> None:
        task = await self.start_slow(connection)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await self.ids(connection) == [1, 2]

    async def test_a_client_deadline_is_a_cancellation(self, connection: Connection) -> None:
        task = await self.start_slow(connection)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await task
        assert await self.ids(connection) == [1, 2]

    async def test_a_connection_released_by_a_cancelled_task_serves_the_next(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        await connection.execute("BEGIN")
        task = await self.start_slow(connection)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.in_transaction
        assert tuple((await again.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(again)

    async def test_a_cancelled_begin_leaves_nothing_open(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        connection = await adapter.acquire(write=True)
        task = asyncio.ensure_future(connection.execute("BEGIN"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        adapter.release(connection)
        again = await adapter.acquire(write=True)
        assert not again.in_transaction
        adapter.release(again)

    async def test_every_moment_of_cancellation(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=2)

        async def use() -> None:
            connection = await adapter.acquire(write=True)
            try:
                await connection.execute("BEGIN")
                await connection.fetch("SELECT 1")
                await connection.execute("COMMIT")
            finally:
                adapter.release(connection)

        for turns in range(40):
            task = asyncio.ensure_future(use())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            connection = await adapter.acquire(write=True)
            assert not connection.in_transaction
            assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
            adapter.release(connection)

    @pytest.mark.direct("a pooler's connections take no settings")
    async def test_a_statement_timeout(self, make: MakeAdapter) -> None:
        adapter = make(statement_timeout=0.1)
        connection = await adapter.acquire()
        with pytest.raises(errors.QueryTimeout):
            await (await self.start_slow(connection))
        assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(connection)

    # ---- the pool

    async def test_the_pool_is_bounded_and_fair(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1)
        held = await adapter.acquire(write=True)
        order: list[int] = []

        async def use(number: int) -> None:
            connection = await adapter.acquire(write=True)
            order.append(number)
            await connection.fetch("SELECT 1")
            adapter.release(connection)

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(use(number))
            await asyncio.sleep(0)
            assert order == []
            adapter.release(held)
        assert order == [0, 1, 2, 3, 4]

    async def test_waiting_for_a_connection_ends(self, make: MakeAdapter) -> None:
        adapter = make(pool_size=1, acquire_timeout=0.01)
        held = None
        while held is None:
            # opening one may take longer than that
            with contextlib.suppress(errors.ConnectionLost):
                held = await adapter.acquire(write=True)
        with pytest.raises(errors.PoolTimeout, match="pool_size"):
            await adapter.acquire(write=True)
        adapter.release(held)

    async def test_a_foreign_connection_is_refused(self, adapter: Adapter) -> None:
        foreign: Any = object()
        with pytest.raises(errors.ConfigurationError):
            adapter.release(foreign)

    async def test_close_waits_for_the_connections_in_use(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire()
        closing = asyncio.ensure_future(adapter.close())
        await asyncio.sleep(0)
        with pytest.raises(errors.PoolClosed, match="closed"):
            await adapter.acquire()
        assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
        assert not closing.done()
        adapter.release(connection)
        await closing
        await adapter.close()
        assert connection.is_closed

    async def test_a_closed_connection_says_so(self, make: MakeAdapter) -> None:
        adapter = make()
        connection = await adapter.acquire()
        adapter.release(connection)
        await adapter.close()
        assert not connection.in_transaction
        with pytest.raises(errors.ConnectionLost):
            await connection.fetch("SELECT 1")

    def test_an_adapter_serves_one_event_loop_after_another(self, config: ConnectionConfig) -> None:
        adapter = create_adapter(config)

        async def use() -> list[tuple[Any, ...]]:
            held = await adapter.acquire()
            rows = await held.fetch("SELECT 1")
            adapter.release(held)
            return [tuple(row) for row in rows]

        async def forget() -> None:
            await adapter.acquire(write=True)

        assert asyncio.run(use()) == [(1,)]
        asyncio.run(forget())
        assert asyncio.run(use()) == [(1,)]
        asyncio.run(adapter.close())

    # ---- helpers

    async def ids(self, connection: Connection) -> list[int]:
        return [row[0] for row in await connection.fetch("SELECT id FROM author ORDER BY id")]

    async def refused(
        self,
        connection: Connection,
        sql: str,
        cls: type[errors.DatabaseError],
        run: Callable[[], Awaitable[Any]] | None = None,
    ) -> errors.DatabaseError:
        """Checks that a statement fails with exactly this class, keeps secrets, and harms nothing."""
        before = await self.ids(connection)
        with pytest.raises(cls) as caught:
            await (connection.fetch(sql) if run is None else run())
        error = caught.value
        assert type(error) is cls
        assert error.statement is not None
        assert SECRET not in f"{error} {error!r} {error.__dict__}"
        assert not connection.is_closed
        assert await self.ids(connection) == before
        return error
