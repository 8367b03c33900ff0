"""The question whether the server is there."""

from __future__ import annotations

import asyncio
from time import perf_counter

from cormorant.adapters.base import Adapter, Connection, Separate
from cormorant.adapters.config import check_timeout
from cormorant.errors import ConnectionLost, PoolTimeout


async def ping(adapter: Adapter, timeout: float | None) -> float:
    """Asks the server for an answer, and gives the milliseconds it took.

    Raises:
        ConnectionLost: There is none, or none in time.
        PoolTimeout: All connections are in use.
    """
    connection: Connection | None = None
    scope = asyncio.timeout(check_timeout("timeout", timeout))
    try:
        async with scope:
            connection = await adapter.acquire()
            start = perf_counter()
            await connection.fetch("SELECT 1")
            return (perf_counter() - start) * 1000
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise _late(adapter, connection, timeout) from error
    finally:
        if connection is not None:
            adapter.release(connection)


def _late(adapter: Adapter, connection: Connection | None, timeout: float | None) -> ConnectionLost | PoolTimeout:
    where = adapter.config.redacted
    if connection is not None:
        return ConnectionLost(
            f"{where} did not answer within {timeout} s", hint="check the server and the network, or raise timeout"
        )
    stats = adapter.stats
    size = adapter.capacity(write=False)[1] if isinstance(adapter, Separate) else stats.size
    if stats.opened - stats.idle < size:
        return ConnectionLost(
            f"no connection to {where} could be opened within {timeout} s",
            hint="check that the server can be reached, or raise timeout",
        )
    return PoolTimeout(
        f"no connection to {where} became free within {timeout} s: all {size} are in use",
        hint="the server may be well: end sessions and transactions sooner, or raise pool_size or timeout",
    )
