"""One statement of SQLite for many rows of arguments, in one thread hop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cormorant.adapters import sqlite_thread as in_thread
from cormorant.adapters.base import Row

R = TypeVar("R")


class ManyRuns:
    """What a connection does once for each row of arguments."""

    __slots__ = ()

    async def call(self, sql: str, work: Callable[..., R], *args: Any) -> R:
        """Runs `work(sqlite3_connection, *args)` in the connection's thread, in one hop."""
        raise NotImplementedError

    def check_stopped(self) -> None:
        """Raises an error, in the thread, where the rest of a hop is not to be done."""
        raise NotImplementedError

    async def fetch_each(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> list[Sequence[Row]]:
        return await self.call(sql, in_thread.fetch_each, self.check_stopped, sql, arg_rows)

    async def write_all(self, sql: str, arg_rows: Sequence[Sequence[Any]]) -> None:
        await self.call(sql, in_thread.write_all, self.check_stopped, sql, arg_rows)
