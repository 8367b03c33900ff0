"""One at a time: who migrates a database holds a lock, and the others wait for it.

On PostgreSQL it is an advisory lock of the session that migrates, which goes with that session. It is asked for again
and again: a statement that waits would hold a snapshot, for which the holder's CREATE INDEX CONCURRENTLY would wait in
turn. Behind a pooler, where sessions do not last, each transaction takes the same lock for itself. On SQLite it is a
lock of the operating system on a file beside the database, which goes with its process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Protocol

from cormorant.adapters.base import Connection
from cormorant.adapters.config import ConnectionConfig
from cormorant.errors import MigrationLocked
from cormorant.migrations.running.lock_file import LockFile

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two attempts: the first pause, and the longest."""

_HOLDER = """
SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'a local socket'), a.usename
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = $1 AND l.objid::bigint = $2
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Lock(Protocol):
    """What the one who migrates holds."""

    @property
    def lasts(self) -> bool:
        """Whether it is held from one transaction to the next."""
        ...

    async def take(self) -> bool:
        """Takes it, if nobody else has it."""
        ...

    async def take_in_transaction(self) -> bool:
        """Takes it once more in the open transaction, where it does not last."""
        ...

    async def holder(self) -> str:
        """Gives the one who has it, in words."""
        ...

    async def release(self) -> None:
        """Gives it back."""
        ...


def who() -> str:
    """Gives this process, as others read of it."""
    return f"pid {os.getpid()} on {socket.gethostname()}"


class AdvisoryLock:
    """An advisory lock of PostgreSQL, one for each schema that tables are made in.

    Args:
        connection: The connection that migrates.
        pooled: A pooler gives each transaction another session of the server.
    """

    def __init__(self, connection: Connection, *, pooled: bool) -> None:
        self._connection = connection
        self._pooled = pooled
        self._key: int | None = None

    @property
    def lasts(self) -> bool:
        return not self._pooled

    async def key(self) -> int:
        """Gives its number."""
        if self._key is None:
            ((schema,),) = await self._connection.fetch("SELECT current_schema()::text")
            self._key = lock_key(schema)
        return self._key

    async def take(self) -> bool:
        if self._pooled:
            return True
        return bool((await self._connection.fetch("SELECT pg_try_advisory_lock($1)", [await self.key()]))[0][0])

    async def take_in_transaction(self) -> bool:
        if not self._pooled:
            return True
        return bool((await self._connection.fetch("SELECT pg_try_advisory_xact_lock($1)", [await self.key()]))[0][0])

    async def holder(self) -> str:
        key = await self.key() % 2**64
        rows = await self._connection.fetch(_HOLDER, [key >> 32, key % 2**32])
        if not rows:
            return "somebody who has ended meanwhile"
        pid, name, address, user = rows[0]
        return f"{name or user} from {address} (its session of the server: {pid})"

    async def release(self) -> None:
        # a session that is gone has given it back
        if not self._pooled and not self._connection.is_closed:
            await self._connection.fetch("SELECT pg_advisory_unlock($1)", [await self.key()])


def lock_key(schema: str | None) -> int:
    """Gives the number of a schema's lock: the same for every program, and nobody else's."""
    digest = hashlib.sha256(f"cormorant_migrations:{schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


class FileLock:
    """A lock of the operating system on a file beside an SQLite database.

    Args:
        path: The database's file; None for one in memory, which is this process's alone.
    """

    lasts: bool = True

    def __init__(self, path: str | None) -> None:
        self._file = None if path is None else LockFile(Path(path + "-migrating"))

    async def take(self) -> bool:
        return self._file is None or self._file.take(who())

    async def take_in_transaction(self) -> bool:
        return True

    async def holder(self) -> str:
        return "nobody" if self._file is None else self._file.holder()

    async def release(self) -> None:
        if self._file is not None:
            self._file.release()


def lock_of(connection: Connection, config: ConnectionConfig) -> Lock:
    """Gives the lock of a database.

    Args:
        connection: The connection that migrates.
        config: Where it leads.
    """
    if config.scheme == "sqlite":
        return FileLock(None if config.in_memory or config.path is None else os.path.abspath(config.path))
    return AdvisoryLock(connection, pooled=config.pooler is not None)


@asynccontextmanager
async def held(
    lock: Lock, where: str, wait: float | None, told: Callable[[str], None] = lambda holder: None
) -> AsyncGenerator[None]:
    """Holds a lock for a block.

    Args:
        lock: The lock.
        where: The database, for messages.
        wait: Seconds to wait for another one who has it; None waits without end.
        told: Called with the holder when there is one.

    Raises:
        MigrationLocked: Another one has kept it.
    """
    await taken(lock.take, lock, where, wait, told)
    try:
        yield
    finally:
        await lock.release()


async def taken(
    take: Callable[[], Awaitable[bool]],
    lock: Lock,
    where: str,
    wait: float | None,
    told: Callable[[str], None] = lambda holder: None,
) -> None:
    """Waits until a lock is taken.

    Raises:
        MigrationLocked: Another one has kept it.
    """
    end = None if wait is None else monotonic() + wait
    pause, said = FIRST_PAUSE, False
    while not await take():
        if end is not None and monotonic() >= end:
            raise locked_out(await lock.holder(), where, wait)
        if not said:
            said = True
            told(await lock.holder())
        # by chance, so that those who wait do not all ask at once
        await asyncio.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, LONGEST_PAUSE)


def locked_out(holder: str, where: str, wait: float | None) -> MigrationLocked:
    """Gives the error of one who has waited in vain."""
    return MigrationLocked(
        f"{where} is being migrated by {holder}, which has not ended within {wait or 0:g} s; nothing was changed",
        hint="wait for it and run this again, or give more time: wait=300; the lock goes with its holder, however "
        "that ends",
    )
