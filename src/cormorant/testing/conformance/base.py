"""What the tests of an adapter share: the database they work on, and how one of them is told of its adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, TypeAlias

import pytest

from cormorant.adapters.base import Adapter, Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter
from cormorant.errors import DatabaseError, IntegrityError, NotNullViolation, UniqueViolation

MakeAdapter: TypeAlias = Callable[..., Adapter]
"""Makes an adapter; its keywords are fields of the configuration that are to differ."""

SECRET = "s3cr3t-value"

TABLES = (
    "CREATE TABLE author (id integer PRIMARY KEY, email text CONSTRAINT author_email UNIQUE, name text NOT NULL)",
    "CREATE TABLE book (id integer PRIMARY KEY, author integer REFERENCES author (id), shelf integer, place integer,"
    " CONSTRAINT positive CHECK (place > 0), CONSTRAINT one_place UNIQUE (shelf, place))",
    "INSERT INTO author VALUES (1, 'ada@example.org', 'Ada'), (2, NULL, 'Bob')",
    "INSERT INTO book VALUES (1, 1, 1, 1)",
)

VIOLATIONS: list[tuple[str, type[IntegrityError], str, tuple[str, ...]]] = [
    ("INSERT INTO author VALUES (3, 'ada@example.org', 'x')", UniqueViolation, "author", ("email",)),
    ("INSERT INTO author VALUES (1, NULL, 'x')", UniqueViolation, "author", ("id",)),
    ("INSERT INTO book VALUES (2, 1, 1, 1)", UniqueViolation, "book", ("shelf", "place")),
    ("INSERT INTO author VALUES (3, NULL, NULL)", NotNullViolation, "author", ("name",)),
]


class AdapterTests:
    """What an inheriting class says of its adapter, and the fixtures of the tests."""

    placeholder: ClassVar[str]
    """What comes before a parameter's number: "$" or "?"."""
    data_error: ClassVar[str] = ""
    """A statement on the table `author` that fails because of a value: a text that is cast to a number, say."""
    is_separate: ClassVar[bool] = True
    """Whether another connection sees nothing of an open transaction; not where there is but one connection."""
    shares_loops: ClassVar[bool] = False
    """Whether one adapter serves several event loops at a time."""

    @pytest.fixture
    def config(self) -> ConnectionConfig:
        """Gives where an empty database is."""
        raise NotImplementedError

    def make_adapter(self, config: ConnectionConfig) -> Adapter:
        """Makes the adapter for a configuration; the registered one of its scheme unless it is overridden."""
        return create_adapter(config)

    async def start_slow(self, connection: Connection) -> asyncio.Task[Any]:
        """Starts a task with `connection.fetch` of a statement without end, and returns once the database runs it."""
        raise NotImplementedError

    # ---- fixtures and helpers

    def p(self, sql: str) -> str:
        """Writes the placeholders $1, $2 in the adapter's way."""
        return sql.replace("$", self.placeholder)

    @pytest.fixture
    async def make(self, config: ConnectionConfig) -> AsyncIterator[MakeAdapter]:
        """Makes adapters that are closed after the test."""
        made: list[Adapter] = []

        def make(**changes: Any) -> Adapter:
            adapter = self.make_adapter(config.replace(**changes))
            made.append(adapter)
            return adapter

        yield make
        for adapter in made:
            await adapter.close(timeout=5)

    @pytest.fixture
    async def adapter(self, make: MakeAdapter) -> Adapter:
        """Gives an adapter with the configuration as it is."""
        return make()

    @pytest.fixture
    async def connection(self, adapter: Adapter) -> AsyncIterator[Connection]:
        """Gives a connection that may write, in a database with two tables."""
        connection = await adapter.acquire(write=True)
        for sql in TABLES:
            await connection.execute(sql)
        yield connection
        adapter.release(connection)

    async def ids(self, connection: Connection) -> list[int]:
        """Gives the keys of the authors."""
        return [row[0] for row in await connection.fetch("SELECT id FROM author ORDER BY id")]

    async def is_usable(self, connection: Connection) -> bool:
        """Tells whether a connection has no transaction open, and answers."""
        if connection.in_transaction or connection.needs_reset or connection.is_closed:
            return False
        return tuple((await connection.fetch("SELECT 1"))[0]) == (1,)

    async def refused(
        self,
        connection: Connection,
        sql: str,
        cls: type[DatabaseError],
        run: Callable[[], Awaitable[Any]] | None = None,
    ) -> DatabaseError:
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
