"""`RecordingAdapter`: what a program sends to its database, written down."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from cormorant._internal.transaction_words import transaction_word
from cormorant.adapters.base import (
    Adapter,
    Connection,
    CopyConnection,
    CountingConnection,
    Cursor,
    Interruptible,
    RawRows,
    Reopenable,
    Row,
    Separate,
)
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import adapter_of
from cormorant.adapters.stats import PoolStats
from cormorant.dialects.base import Dialect, IsolationLevel
from cormorant.errors import ConfigurationError
from cormorant.testing.canned import CannedAdapter, DialectName

Rows: TypeAlias = Sequence[Row] | Callable[[str, Sequence[Any]], Sequence[Row]]
"""Rows, or what gives them for a statement and its arguments."""


@dataclass(frozen=True, slots=True, repr=False)
class Recorded:
    """A statement that was sent.

    Args:
        sql: Its text.
        args: Its arguments, as the driver gets them; for several runs a tuple of each run's. The repr hides them.
        runs: How often it was sent: once for each row of arguments of `fetch_each` and the like.
    """

    sql: str
    args: tuple[Any, ...] = ()
    runs: int = 1

    def __repr__(self) -> str:
        count = f", <{len(self.args)} arguments>" if self.args else ""
        return f"Recorded({self.sql!r}{count}{f', runs={self.runs}' if self.runs != 1 else ''})"


@dataclass(frozen=True, slots=True)
class _Answer:
    part: str | re.Pattern[str]
    rows: Rows
    columns: tuple[str, ...]
    affected: int | None
    error: Exception | None

    def fits(self, sql: str) -> bool:
        return self.part in sql if isinstance(self.part, str) else self.part.search(sql) is not None

    def given(self, sql: str, args: Sequence[Any]) -> RawRows:
        if self.error is not None:
            raise self.error
        rows = self.rows(sql, args) if callable(self.rows) else self.rows
        return RawRows(self.columns, rows, len(rows) if self.affected is None else self.affected)


class _Book:
    """What was sent, and what is answered in the database's place."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.round_trips: int = 0
        self.answers: list[_Answer] = []

    def write(self, sql: str, args: Sequence[Any], runs: int = 1) -> _Answer | None:
        """Writes a statement down, and gives the answer that was prepared for it."""
        self.recorded.append(Recorded(sql, tuple(args), runs))
        self.round_trips += runs
        return next((answer for answer in self.answers if answer.fits(sql)), None)


class _RecordedCursor:
    """Writes a statement down when its first rows are asked for; each chunk is a round trip."""

    def __init__(self, book: _Book, inner: Cursor, sql: str, args: Sequence[Any]) -> None:
        self._book = book
        self._inner = inner
        self._statement = (sql, args)
        self._begun = False
        self._rows: list[Row] | None = None

    async def fetch(self, count: int) -> Sequence[Row]:
        if self._begun:
            self._book.round_trips += 1
        else:
            self._begun = True
            answer = self._book.write(*self._statement)
            self._rows = None if answer is None else list(answer.given(*self._statement).rows)
        if self._rows is None:
            return await self._inner.fetch(count)
        chunk, self._rows = self._rows[:count], self._rows[count:]
        return chunk

    async def close(self) -> None:
        self._rows = None if self._rows is None else []
        await self._inner.close()


class RecordedConnection:
    """A connection that writes down what is sent over it.

    Args:
        inner: The connection it is sent over.
        book: Where it is written down.
    """

    def __init__(self, inner: Connection, book: _Book) -> None:
        self.inner: Connection = inner
        self._book = book

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    @property
    def needs_reset(self) -> bool:
        return self.inner.needs_reset

    @property
    def is_closed(self) -> bool:
        return self.inner.is_closed

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> Sequence[Row]:
        answer = self._book.write(sql, args)
        return await self.inner.fetch(sql, args) if answer is None else answer.given(sql, args).rows

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        answer = self._book.write(sql, args)
        return await self.inner.execute(sql, args) if answer is None else answer.given(sql, args).affected

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        if not arg_rows:
            return []
        answer = self._book.write(sql, tuple(map(tuple, arg_rows)), len(arg_rows))
        if answer is None:
            return await self.inner.fetch_each(sql, arg_rows)
        return [answer.given(sql, args).rows for args in arg_rows]

    async def query(self, sql: str, args: Sequence[Any] = ()) -> RawRows:
        answer = self._book.write(sql, args)
        return await self.inner.query(sql, args) if answer is None else answer.given(sql, args)

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> Cursor:
        return _RecordedCursor(self._book, self.inner.cursor(sql, args), sql, args)


class _Copies(RecordedConnection):
    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Appends rows to a table."""
        assert isinstance(self.inner, CopyConnection)
        self._book.write(f"COPY {table} ({', '.join(columns)}) FROM STDIN", tuple(map(tuple, rows)))
        return await self.inner.copy_rows(table, columns, rows)


class _Interrupts(RecordedConnection):
    async def interrupt(self) -> None:
        """Stops the running statement."""
        assert isinstance(self.inner, Interruptible)
        await self.inner.interrupt()


class _Counts(RecordedConnection):
    async def write_all(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> None:
        """Runs a write of which nothing comes back."""
        assert isinstance(self.inner, CountingConnection)
        answer = self._write_each(sql, arg_rows)
        if answer is None:
            await self.inner.write_all(sql, arg_rows)
            return
        for args in arg_rows:
            answer.given(sql, args)

    async def write_each(self, silent: str, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[int]:
        """Gives the number of rows that each run wrote."""
        assert isinstance(self.inner, CountingConnection)
        answer = self._write_each(sql, arg_rows)
        if answer is None:
            return await self.inner.write_each(silent, sql, arg_rows)
        return [answer.given(sql, args).affected for args in arg_rows]

    async def insert_each(self, silent: str, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Row]:
        """Gives the key of each new row."""
        assert isinstance(self.inner, CountingConnection)
        answer = self._write_each(sql, arg_rows)
        if answer is None:
            return await self.inner.insert_each(silent, sql, arg_rows)
        return [row for args in arg_rows for row in answer.given(sql, args).rows or [()]]

    def _write_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> _Answer | None:
        return self._book.write(sql, tuple(map(tuple, arg_rows)), len(arg_rows)) if arg_rows else None


_OFFERS: tuple[tuple[type[Any], type[RecordedConnection]], ...] = (
    (CopyConnection, _Copies),
    (Interruptible, _Interrupts),
    (CountingConnection, _Counts),
)


def _face_of(connection: Connection) -> type[RecordedConnection]:
    """Gives the class that offers what a connection offers besides: a wrapper must not promise more."""
    return _class_of(tuple([face for offer, face in _OFFERS if isinstance(connection, offer)]))


@lru_cache(maxsize=20)
def _class_of(bases: tuple[type[RecordedConnection], ...]) -> type[RecordedConnection]:
    return type("RecordedConnection", bases or (RecordedConnection,), {})


class RecordingAdapter(Adapter):
    """Writes down every statement on its way to a database, or answers in the place of one.

    Args:
        source: The adapter that carries the statements, a DSN or a configuration; None for no database at all, where
            every statement that `answer` knows nothing of gives no rows.
        dialect: Whose SQL is sent where there is no database: "postgresql" or "sqlite".

    Example:
        >>> recording = RecordingAdapter()
        >>> recording.answer('FROM "author"', [(1, "Ada")])
        >>> async with AsyncSession(recording) as session:
        ...     await session.query(Author)
        >>> recording.statements
        ['SELECT "author"."id", "author"."name" FROM "author"']
    """

    def __init__(
        self, source: Adapter | ConnectionConfig | str | None = None, *, dialect: DialectName = "postgresql"
    ) -> None:
        self.inner: Adapter = CannedAdapter(dialect) if source is None else adapter_of(source)
        self._book = _Book()
        # a connection has one face for as long as it lives
        self._faces: dict[Connection, RecordedConnection] = {}

    # ---- what was sent

    @property
    def recorded(self) -> list[Recorded]:
        """Every statement in the order it was sent, with its arguments; BEGIN and the like too."""
        return list(self._book.recorded)

    @property
    def statements(self) -> list[str]:
        """The texts of the statements, without those that only begin, mark and end transactions."""
        return [each.sql for each in self._book.recorded if transaction_word(each.sql) is None]

    @property
    def round_trips(self) -> int:
        """How often something was sent and waited for: each run of a statement, and each chunk of a cursor."""
        return self._book.round_trips

    def clear(self) -> None:
        """Forgets what was sent; the answers stay."""
        self._book.recorded.clear()
        self._book.round_trips = 0

    def answer(
        self,
        part: str | re.Pattern[str],
        rows: Rows = (),
        *,
        columns: Sequence[str] = (),
        affected: int | None = None,
        error: Exception | None = None,
    ) -> None:
        """Has statements answered in the database's place; of several answers that fit, the newest is given.

        Args:
            part: A part of the statement's text, or a pattern found in it.
            rows: The rows, as the driver would give them, or a function that makes them of the statement and its
                arguments.
            columns: The columns' names, for raw SQL.
            affected: The rows written; as many as there are rows if not given.
            error: What is raised instead.
        """
        self._book.answers.insert(0, _Answer(part, rows, tuple(columns), affected, error))

    # ---- the adapter

    @property
    def config(self) -> ConnectionConfig:
        return self.inner.config

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return self.inner.server_version

    @property
    def default_isolation(self) -> IsolationLevel | None:
        return self.inner.default_isolation

    @property
    def stats(self) -> PoolStats:
        return self.inner.stats

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives a name for the connections that readers, or writers, take, and how many of them there are."""
        inner = self.inner
        return inner.capacity(write=write) if isinstance(inner, Separate) else ("any", inner.stats.size)

    def another(self) -> RecordingAdapter | None:
        """Gives one with other connections that writes into the same book."""
        inner = self.inner.another() if isinstance(self.inner, Reopenable) else None
        if inner is None:
            return None
        made = type(self)(inner)
        made._book = self._book
        return made

    async def acquire(self, *, write: bool = False) -> Connection:
        connection = await self.inner.acquire(write=write)
        face = self._faces.get(connection)
        if face is None:
            self._faces = {inner: face for inner, face in self._faces.items() if not inner.is_closed}
            face = self._faces[connection] = _face_of(connection)(connection, self._book)
        return face

    def release(self, connection: Connection) -> None:
        if not isinstance(connection, RecordedConnection) or self._faces.get(connection.inner) is not connection:
            raise ConfigurationError(f"{connection!r} is of another adapter", hint="release it where it was acquired")
        self.inner.release(connection.inner)
        if connection.is_closed or isinstance(self.inner, CannedAdapter):
            del self._faces[connection.inner]

    def schema_changed(self) -> None:
        self.inner.schema_changed()

    async def close(self, timeout: float | None = None) -> None:
        await self.inner.close(timeout)
