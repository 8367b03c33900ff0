"""The PostgreSQL adapter."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cormorant import errors
from cormorant.adapters.base import Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.postgresql import PostgresAdapter, PostgresConnection, connect_arguments
from cormorant.testing.conformance import SECRET, AdapterConformance, MakeAdapter

pytestmark = pytest.mark.postgresql


async def start_sleeping(connection: Connection, observer_dsn: str) -> asyncio.Task[Any]:
    """Starts a statement that sleeps, and returns once the server runs it."""
    observer = PostgresAdapter(observer_dsn)
    watching = await observer.acquire()
    task: asyncio.Task[Any] = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(600)"))
    # not by its process: a pooler gives each statement another one
    running = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    while not await watching.fetch(running) and not task.done():
        await asyncio.sleep(0)
    observer.release(watching)
    await observer.close()
    return task


class TestPostgres(AdapterConformance):
    placeholder = "$"
    data_error = "SELECT CAST(name AS integer) FROM author"

    @pytest.fixture
    def config(self, postgres_database: str) -> ConnectionConfig:
        self.dsn = postgres_database
        return ConnectionConfig.from_dsn(postgres_database)

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        return await start_sleeping(connection, self.dsn)

    @pytest.mark.direct("a pooler's connections take no settings")
    async def test_a_statement_timeout(self, make: MakeAdapter) -> None:
        await super().test_a_statement_timeout(make)

    async def test_a_value_the_server_refuses(self, connection: Connection) -> None:
        with pytest.raises(errors.DataError) as caught:
            await connection.fetch("SELECT CAST($1::text AS integer)", [SECRET])
        assert SECRET not in str(caught.value)
        assert caught.value.code == "22P02"

    async def test_constraints_are_named(self, connection: Connection) -> None:
        error = await self.refused(connection, "INSERT INTO book VALUES (2, 1, 1, 1)", errors.UniqueViolation)
        assert (error.constraint, error.code) == ("one_place", "23505")
        error = await self.refused(connection, "INSERT INTO book VALUES (2, 9, 1, 2)", errors.ForeignKeyViolation)
        assert (error.table, error.constraint, error.columns) == ("book", "book_author_fkey", ("author",))

    @pytest.mark.direct("a pooler's connections take no settings")
    async def test_a_lock_timeout(self, connection: Connection, make: MakeAdapter) -> None:
        impatient = make(lock_timeout=0.01)
        await connection.execute("BEGIN")
        await connection.execute("UPDATE author SET name = 'x' WHERE id = 1")
        other = await impatient.acquire()
        with pytest.raises(errors.LockTimeout):
            await other.execute("UPDATE author SET name = 'y' WHERE id = 1")
        with pytest.raises(errors.LockTimeout):
            await other.fetch("SELECT 1 FROM author WHERE id = 1 FOR UPDATE NOWAIT")
        impatient.release(other)

    async def test_a_deadlock(self, connection: Connection, adapter: PostgresAdapter) -> None:
        other = await adapter.acquire()
        for taken, mine in ((connection, 1), (other, 2)):
            await taken.execute("BEGIN")
            await taken.execute("SET LOCAL deadlock_timeout = '10ms'")
            await taken.execute(f"UPDATE author SET name = 'x' WHERE id = {mine}")
        answers = await asyncio.gather(
            connection.execute("UPDATE author SET name = 'x' WHERE id = 2"),
            self.and_roll_back(other, "UPDATE author SET name = 'x' WHERE id = 1"),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [errors.DeadlockError]
        await connection.execute("ROLLBACK")
        adapter.release(other)

    async def and_roll_back(self, connection: Connection, sql: str) -> int:
        try:
            return await connection.execute(sql)
        finally:
            await connection.execute("ROLLBACK")

    async def test_a_serialization_failure(self, connection: Connection, adapter: PostgresAdapter) -> None:
        other = await adapter.acquire()
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await connection.fetch("SELECT * FROM author")
        await other.execute("UPDATE author SET name = 'x'")
        with pytest.raises(errors.SerializationError):
            await connection.execute("UPDATE author SET name = 'y'")
        await connection.execute("ROLLBACK")
        adapter.release(other)

    async def test_a_failed_transaction(self, connection: Connection) -> None:
        await connection.execute("BEGIN")
        with pytest.raises(errors.StatementError):
            await connection.fetch("SELECT * FROM nowhere")
        with pytest.raises(errors.StatementError, match="roll back"):
            await connection.fetch("SELECT 1")
        assert connection.in_transaction
        await connection.execute("ROLLBACK")

    @pytest.mark.direct("the pooler notices, not its client")
    async def test_a_connection_ended_by_the_server(self, make: MakeAdapter, adapter: PostgresAdapter) -> None:
        other = make(pool_size=1)
        lost = await other.acquire()
        pid = (await lost.fetch("SELECT pg_backend_pid()"))[0][0]
        killer = await adapter.acquire()
        await killer.fetch("SELECT pg_terminate_backend($1, 5000)", [pid])
        for _ in range(2):
            with pytest.raises(errors.ConnectionLost):
                await lost.fetch("SELECT 1")
        other.release(lost)
        fresh = await other.acquire()
        assert tuple((await fresh.fetch("SELECT 1"))[0]) == (1,)
        other.release(fresh)
        adapter.release(killer)

    @pytest.mark.direct("the pooler notices, not its client")
    async def test_an_idle_connection_ended_by_the_server_is_replaced(
        self, make: MakeAdapter, adapter: PostgresAdapter
    ) -> None:
        other = make(pool_size=1)
        lost = await other.acquire()
        pid = (await lost.fetch("SELECT pg_backend_pid()"))[0][0]
        other.release(lost)
        killer = await adapter.acquire()
        await killer.fetch("SELECT pg_terminate_backend($1, 5000)", [pid])
        while not lost.is_closed:
            await asyncio.sleep(0)
        fresh = await other.acquire()
        assert tuple((await fresh.fetch("SELECT 1"))[0]) == (1,)
        other.release(fresh)
        adapter.release(killer)

    async def test_a_value_python_cannot_hold(self, connection: Connection) -> None:
        await self.refused(connection, "SELECT '0044-03-15 BC'::date", errors.DataError)

    async def test_json_travels_as_text(self, connection: Connection) -> None:
        rows = await connection.fetch("SELECT $1::jsonb", ['{"a": 1}'])
        assert rows[0][0] == '{"a": 1}'

    @pytest.mark.direct("a pooler's connections take no settings")
    async def test_settings_are_the_servers(self, make: MakeAdapter) -> None:
        adapter = make(
            application_name="birds", statement_timeout=1.5, lock_timeout=0.25, server_settings={"work_mem": "1MB"}
        )
        connection = await adapter.acquire()
        names = ("application_name", "statement_timeout", "lock_timeout", "work_mem")
        shown = [(await connection.fetch(f"SHOW {name}"))[0][0] for name in names]
        assert shown == ["birds", "1500ms", "250ms", "1MB"]
        adapter.release(connection)

    @pytest.mark.direct("a pooler's connections take no settings")
    @pytest.mark.parametrize(("name", "value"), [("work_mem", "much"), ("no_such", "1"), ("max_connections", "5")])
    async def test_a_setting_that_the_server_refuses(self, make: MakeAdapter, name: str, value: str) -> None:
        # nobody tries again what is refused each time
        with pytest.raises(errors.ConfigurationError) as caught:
            await make(server_settings={name: value}).acquire()
        assert "server_settings" in (caught.value.hint or "")

    @pytest.mark.direct("a pooler's connections take no settings")
    async def test_the_servers_default_isolation_is_read(self, make: MakeAdapter) -> None:
        adapter: Any = make(server_settings={"default_transaction_isolation": "serializable"})
        assert adapter.default_isolation is None
        adapter.release(await adapter.acquire())
        assert adapter.default_isolation == "serializable"

    async def test_a_statement_outlives_a_change_of_its_table(self, connection: Connection) -> None:
        assert len((await connection.query("SELECT * FROM author")).columns) == 3
        await connection.execute("ALTER TABLE author ADD COLUMN born integer")
        assert len((await connection.query("SELECT * FROM author")).columns) == 4

    async def test_a_late_cancellation_never_hits_the_next_statement(self, connection: Connection) -> None:
        for turns in range(60):
            task = asyncio.ensure_future(connection.fetch("SELECT count(*) FROM generate_series(1, 2000)"))
            for _ in range(turns % 6):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await self.ids(connection) == [1, 2]

    @pytest.mark.direct("PgBouncer refuses in words of its own")
    @pytest.mark.parametrize(
        ("change", "hint"),
        [
            ({"database": "no_such_database"}, "database"),
            ({"user": "no_such_user"}, "user name"),
            ({"port": 1}, None),
            ({"host": "host.invalid"}, None),
            ({"ssl": "require"}, None),
        ],
    )
    async def test_a_server_that_refuses(self, make: MakeAdapter, change: dict[str, Any], hint: str | None) -> None:
        adapter = make(password=SECRET, **change)
        with pytest.raises(errors.ConnectionLost, match="cannot connect to postgresql://") as caught:
            await adapter.acquire()
        assert SECRET not in f"{caught.value} {caught.value!r} {adapter.config} {adapter.config!r}"
        assert hint is None or hint in str(caught.value.hint)

    async def test_certificates_that_are_missing(self, make: MakeAdapter, tmp_path: Path) -> None:
        adapter = make(ssl="verify-full", ssl_root_cert=str(tmp_path / "no.pem"))
        with pytest.raises(errors.ConfigurationError, match="cannot connect"):
            await adapter.acquire()

    async def test_a_server_that_does_not_answer(self) -> None:
        # the kernel completes the connection, and nobody ever speaks
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            adapter = PostgresAdapter(
                f"postgresql://u:{SECRET}@127.0.0.1:{port}/d?connect_timeout=0.05&sslmode=disable"
            )
            with pytest.raises(errors.ConnectionLost, match="did not answer") as caught:
                await adapter.acquire()
        assert SECRET not in str(caught.value)
        await adapter.close()

    async def test_the_first_host_that_answers_is_used(self, config: ConnectionConfig, make: MakeAdapter) -> None:
        adapter = make(hosts=(("127.0.0.1", 1), (config.host, config.port)))
        connection = await adapter.acquire()
        assert tuple((await connection.fetch("SELECT 1"))[0]) == (1,)
        adapter.release(connection)

    async def test_a_connection_does_not_keep_its_opener_alive(self, make: MakeAdapter) -> None:
        class Session: ...

        variable: contextvars.ContextVar[Session] = contextvars.ContextVar("variable")
        # the one connection, so that who takes it next waits for its rollback
        adapter = make(pool_size=1)

        async def use() -> weakref.ref[Session]:
            session = Session()
            variable.set(session)
            connection = await adapter.acquire()
            await connection.fetch("SELECT $1::integer", [1])
            await connection.execute("BEGIN")
            adapter.release(connection)
            return weakref.ref(session)

        seen = await asyncio.create_task(use())
        adapter.release(await adapter.acquire())
        await asyncio.sleep(0)  # the loop itself lets go of the ended task
        gc.collect()
        assert seen() is None


@pytest.fixture
async def plain(postgres_database: str) -> AsyncIterator[PostgresConnection]:
    adapter = PostgresAdapter(postgres_database)
    connection = await adapter.acquire()
    yield connection
    adapter.release(connection)
    await adapter.close()


async def test_arrays_travel_as_one_parameter(plain: PostgresConnection) -> None:
    rows = await plain.fetch("SELECT unnest($1::integer[])", [[3, 1, 2]])
    assert [row[0] for row in rows] == [3, 1, 2]


def test_what_the_driver_is_asked_for() -> None:
    config = ConnectionConfig.from_dsn(
        "postgresql://ann:pw@one:1,two/birds?sslmode=verify-ca&sslrootcert=/etc/ca.pem&statement_cache_size=0"
    )
    found = connect_arguments(config)
    assert (found["host"], found["port"], found["user"], found["password"]) == (["one", "two"], [1, 5432], "ann", "pw")
    assert found["dsn"] == "postgresql:///?sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem"
    assert (found["database"], found["statement_cache_size"]) == ("birds", 0)
    assert "server_settings" not in found


def test_unset_options_are_left_to_the_driver() -> None:
    found = connect_arguments(ConnectionConfig.from_dsn("postgresql://"))
    assert not {"dsn", "host", "port", "user", "password", "database"} & set(found)
