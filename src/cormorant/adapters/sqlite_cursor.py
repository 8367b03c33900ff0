"""A statement of SQLite that is read in chunks, one thread hop for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from cormorant.adapters.base import Cursor, Row

Call: TypeAlias = "Callable[..., Awaitable[Any]]"


class OpenCursors(set[sqlite3.Cursor]):
    """The statements of one connection that were not read to their end yet.

    An interrupt that comes while there are some lasts until they have all ended: `cut` tells of one.
    """

    cut: bool = False

    def end(self) -> None:
        """Ends them all; runs in the connection's thread."""
        self.cut = False
        while self:
            self.pop().close()


class SQLiteCursor(Cursor):
    """A statement that is read in chunks.

    Args:
        call: Runs a function in the connection's thread.
        unfinished: The connection's open cursors; one that has left them was ended.
        sql: The statement.
        args: Its values.
    """

    __slots__ = ("_args", "_call", "_cursor", "_done", "_sql", "_unfinished")

    def __init__(self, call: Call, unfinished: OpenCursors, sql: str, args: Sequence[Any]) -> None:
        self._call = call
        self._unfinished = unfinished
        self._sql = sql
        self._args = args
        self._cursor: sqlite3.Cursor | None = None
        self._done = False

    async def fetch(self, count: int) -> Sequence[Row]:
        return () if self._done else await self._call(self._sql, self._read, count)

    async def close(self) -> None:
        self._done = True
        if self._cursor in self._unfinished:
            await self._call(self._sql, self._end)

    # ---- in the thread

    def _read(self, raw: sqlite3.Connection, count: int) -> list[Row]:
        if self._cursor is None:
            self._cursor = raw.execute(self._sql, self._args)
            self._unfinished.add(self._cursor)
        elif self._cursor not in self._unfinished:
            raise sqlite3.ProgrammingError("the statement was ended before its last row")
        rows: list[Row] = []
        try:
            rows = self._cursor.fetchmany(count)
        finally:
            if len(rows) < count:
                self._done = True
                self._end(raw)
        return rows

    def _end(self, _: sqlite3.Connection) -> None:
        if self._cursor is not None:
            self._unfinished.discard(self._cursor)
            self._cursor.close()
