"""A portal: the rows of one statement, read in chunks inside of a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from cormorant.adapters.base import Cursor, Row

Send: TypeAlias = "Callable[[Callable[..., Awaitable[Any]], str, Sequence[Any]], Awaitable[Any]]"


class PostgresCursor(Cursor):
    """A named portal; its first chunk comes in the round trip that opens it.

    The driver's own cursors take one more, and older ones know no transaction that the driver did not begin.

    Args:
        driver: The driver connection.
        send: Runs a driver method, and translates its errors.
        sql: The statement.
        args: Its values.
    """

    __slots__ = ("_args", "_count", "_done", "_driver", "_portal", "_send", "_sql", "_statement")

    def __init__(self, driver: Any, send: Send, sql: str, args: Sequence[Any]) -> None:
        self._driver = driver
        self._send = send
        self._sql = sql
        self._args = args
        self._portal: str = driver._get_unique_id("portal")
        self._statement: Any = None
        self._count = 0
        self._done = False

    async def fetch(self, count: int) -> Sequence[Row]:
        if self._done:
            return ()
        self._count = count
        work = self._open if self._statement is None else self._go_on
        rows, _, exhausted = await self._send(work, self._sql, ())
        self._done = bool(exhausted)
        return rows or ()

    async def _open(self, sql: str) -> Any:
        driver = self._driver

        def run(statement: Any, timeout: float | None) -> Any:
            return driver._protocol.bind_execute(statement, self._args, self._portal, self._count, True, timeout)

        driver._check_open()
        with driver._stmt_exclusive_section:
            answer, self._statement = await driver._do_execute(sql, run, None)
        # others may take its place in the driver's cache before the last chunk
        self._statement.attach()
        return answer

    async def _go_on(self, _: str) -> Any:
        driver = self._driver
        driver._check_open()
        with driver._stmt_exclusive_section:
            return await driver._protocol.execute(self._statement, self._portal, self._count, True, None)

    async def close(self) -> None:
        self._done = True
        statement, self._statement = self._statement, None
        if statement is None:
            return
        driver = self._driver
        statement.detach()
        driver._maybe_gc_stmt(statement)
        # the end of the transaction has closed the portal already
        if not driver.is_closed() and driver.is_in_transaction():
            await self._send(self._close_portal, self._sql, ())

    async def _close_portal(self, _: str) -> None:
        await self._driver._protocol.close_portal(self._portal, None)
