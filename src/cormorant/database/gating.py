"""Before the first connection is lent, a database is asked whether its tables are those that the program knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

from cormorant.adapters.base import Adapter, Connection, Reopenable, Separate, Sharing
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.stats import PoolStats
from cormorant.dialects.base import Dialect, IsolationLevel
from cormorant.errors import ConfigurationError

if TYPE_CHECKING:
    from cormorant.database.database import Database

OnOutdated: TypeAlias = Literal["refuse", "warn", "migrate"]
Places: TypeAlias = str | Path | Mapping[str, str | Path]
Check: TypeAlias = "Callable[[Database, OnOutdated, Places], Awaitable[None]]"

_asking: ContextVar[bool] = ContextVar("cormorant_asking", default=False)


class Gate(Adapter):
    """Lends connections of another adapter, once the database was asked.

    Args:
        real: The other adapter.
        check: Asks; what it raises, the one who wanted a connection gets, and the next one asks again.
    """

    # filled by the package: a database knows no migrations
    load: ClassVar[staticmethod[[], Check] | None] = None

    def __init__(self, real: Adapter, check: Callable[[Gate], Awaitable[None]]) -> None:
        self.real: Adapter = real
        self._check = check
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._passed = False

    @property
    def config(self) -> ConnectionConfig:
        return self.real.config

    @property
    def dialect(self) -> Dialect:
        return self.real.dialect

    @property
    def server_version(self) -> tuple[int, ...]:
        return self.real.server_version

    @property
    def default_isolation(self) -> IsolationLevel | None:
        return self.real.default_isolation

    @property
    def stats(self) -> PoolStats:
        """How the other one is used."""
        return self.real.stats

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives the kind of connection that a reader or a writer takes, and how many there are."""
        real = self.real
        return real.capacity(write=write) if isinstance(real, Separate) else ("any", real.stats.size)

    async def acquire(self, *, write: bool = False) -> Connection:
        if not self._passed and not _asking.get():
            await self._ask()
        return await self.real.acquire(write=write)

    async def acquire_shared(self, *, write: bool = True) -> Connection:
        """Lends a connection to several at a time, where the other one does so."""
        real = self.real
        if not self._passed or not isinstance(real, Sharing):
            return await self.acquire(write=write)
        return await real.acquire_shared(write=write)

    async def _ask(self) -> None:
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._passed:
                return
            with unasked():
                await self._check(self)
            self._passed = True

    def release(self, connection: Connection) -> None:
        self.real.release(connection)

    def schema_changed(self) -> None:
        self.real.schema_changed()

    async def close(self, timeout: float | None = None) -> None:
        """Closes the connections of the other one."""
        await self.real.close(timeout)

    def another(self) -> Adapter | None:
        """Gives an adapter to the same database for another event loop, where the same is asked."""
        made = self.real.another() if isinstance(self.real, Reopenable) else None
        if made is None or self._passed:
            return made
        return Gate(made, self._check)


def ungated(adapter: Adapter) -> Adapter:
    """Gives the adapter behind a gate, for those who change what is asked for."""
    return adapter.real if isinstance(adapter, Gate) else adapter


@contextmanager
def unasked() -> Generator[None]:
    """Lets through whatever is done inside."""
    token = _asking.set(True)
    try:
        yield
    finally:
        _asking.reset(token)


def gate(database: Database, what: OnOutdated | None, places: Places) -> None:
    """Has a database asked at its first use whether it has all migrations.

    Raises:
        ConfigurationError: It is not known what to do then.
    """
    if what is None:
        return
    if what not in get_args(OnOutdated):
        raise ConfigurationError(f"on_outdated={what!r}", hint='use "refuse", "warn" or "migrate", or leave it out')
    if Gate.load is None:
        raise ConfigurationError("no migrations are known", hint="import cormorant, not one of its modules alone")
    check, real = Gate.load(), database.adapter

    async def ask(gate: Gate) -> None:
        # on the loop of those who wait: that of a sync session is another one
        here = copy(database)
        here.adapter = gate.real
        await check(here, what, places)
        if database.adapter is gate:
            # who has got through once is not looked at any more
            database.adapter = real

    database.adapter = Gate(real, ask)
