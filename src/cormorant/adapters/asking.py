"""A question to the database outside of every session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from cormorant.adapters.base import Adapter, Connection, Row, Separate
from cormorant.adapters.config import check_timeout
from cormorant.errors import ConnectionLost, PoolTimeout

ANSWER_TIMEOUT = 10.0
"""Seconds that an answer may take, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the database said.

    Args:
        rows: The rows.
        milliseconds: How long it took, without the waiting for a connection.
    """

    rows: Sequence[Row]
    milliseconds: float


async def ask(adapter: Adapter, sql: str, args: Sequence[Any], seconds: float | None) -> Answer:
    """Runs a read on a connection of its own and gives its rows.

    Args:
        adapter: Whose connection.
        sql: The read.
        args: Its values.
        seconds: How long is waited for a connection and the answer; None for ANSWER_TIMEOUT.

    Raises:
        ConnectionLost: There was no answer in time.
        PoolTimeout: All connections were in use.
    """
    seconds = check_timeout("timeout", seconds) or ANSWER_TIMEOUT
    connection: Connection | None = None
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            connection = await adapter.acquire()
            start = perf_counter()
            rows = await connection.fetch(sql, args)
            return Answer(rows, (perf_counter() - start) * 1000)
    except TimeoutError as late:
        if not limit.expired():
            raise
        raise _late(adapter, connection, seconds) from late
    finally:
        if connection is not None:
            adapter.release(connection)


def _late(adapter: Adapter, connection: Connection | None, seconds: float) -> ConnectionLost | PoolTimeout:
    where = adapter.config.redacted
    if connection is not None:
        return ConnectionLost(
            f"{where} did not answer within {seconds:g} s", hint="check the server and the network, or raise timeout"
        )
    stats = adapter.stats
    size = adapter.capacity(write=False)[1] if isinstance(adapter, Separate) else stats.size
    if stats.opened - stats.idle < size:
        return ConnectionLost(
            f"no connection to {where} could be opened within {seconds:g} s",
            hint="check that the server can be reached, or raise timeout",
        )
    return PoolTimeout(
        f"no connection to {where} became free within {seconds:g} s: all {size} are in use",
        hint="the server may be well: end sessions and transactions sooner, or raise pool_size or timeout",
    )
