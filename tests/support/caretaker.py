"""Keeps a connection to each database that is emptied between tests: to make one takes longer than the emptying."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import cache
from threading import Thread
from typing import Any, TypeAlias, TypeVar

import asyncpg

T = TypeVar("T")
Connection: TypeAlias = "asyncpg.Connection[Any]"

BROKEN = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, OSError)


class Caretaker:
    """Works in an event loop and a thread of its own, since each test has another loop."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._loop = asyncio.new_event_loop()
        # its loop stays open until the process ends
        Thread(target=self._loop.run_forever, name="caretaker", daemon=True).start()

    def do(self, dsn: str, work: Callable[[Connection], Awaitable[T]]) -> Future[T]:
        """Has something done on the connection to a database; it may be done twice, if the connection was broken."""
        return asyncio.run_coroutine_threadsafe(self._do(dsn, work), self._loop)

    def let_go(self, dsn: str) -> Future[None]:
        """Closes the connection to a database."""
        return asyncio.run_coroutine_threadsafe(self._let_go(dsn), self._loop)

    async def _do(self, dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
        kept = self._connections.get(dsn)
        if kept is not None and not kept.is_closed():
            try:
                return await work(kept)
            except BROKEN:
                # a test may have ended it, or its server
                kept.terminate()
        self._connections[dsn] = made = await asyncpg.connect(dsn)
        return await work(made)

    async def _let_go(self, dsn: str) -> None:
        kept = self._connections.pop(dsn, None)
        if kept is not None:
            await kept.close()


@cache
def caretaker() -> Caretaker:
    """Gives the one of this process."""
    return Caretaker()
