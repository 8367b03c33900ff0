"""A question to the database outside of every session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cormorant.adapters.base import Adapter, Row
from cormorant.errors import ConnectionLost

ANSWER_TIMEOUT = 10.0
"""Seconds that an answer may take, unless told otherwise."""


async def ask(adapter: Adapter, sql: str, args: Sequence[Any], seconds: float | None) -> Sequence[Row]:
    """Runs a read on a connection of its own and gives its rows.

    Args:
        adapter: Whose connection.
        sql: The read.
        args: Its values.
        seconds: How long is waited for a connection and the answer; None for ANSWER_TIMEOUT.

    Raises:
        ConnectionLost: There was none in time.
    """
    seconds = ANSWER_TIMEOUT if seconds is None else seconds
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            connection = await adapter.acquire()
            try:
                return await connection.fetch(sql, args)
            finally:
                adapter.release(connection)
    except TimeoutError as late:
        hint = "check that the server can be reached, or wait longer"
        raise ConnectionLost(f"{adapter.config.redacted} did not answer within {seconds:g} s", hint=hint) from late
