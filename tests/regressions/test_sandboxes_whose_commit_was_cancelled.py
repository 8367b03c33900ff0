"""A COMMIT in a sandbox that was done when its caller was cancelled was undone by name: the real transaction failed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.testing.savepoints import Inner, Shared
from cormorant.testing.turns import Holder, Turns


class Real:
    """A connection that notes what it is sent, and answers a RELEASE when told."""

    in_transaction = True

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        self.sent.append(sql.split()[0])
        if sql.startswith("RELEASE"):
            self.asked.set()
            await self.gate.wait()
        return 0

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> list[Any]:
        return []


async def test_what_is_committed_is_not_rolled_back_by_the_end() -> None:
    real: Any = Real()
    turns, holder = Turns(10), Holder("somebody")
    await turns.enter(holder)
    inner = Inner(Shared(real, SQLiteDialect(), turns), holder, reads_only=False)
    async with asyncio.timeout(10):
        await inner.run("BEGIN", lambda _: asyncio.sleep(0), None)
        commit = asyncio.create_task(inner.run("COMMIT", lambda _: asyncio.sleep(0), None))
        await real.asked.wait()
        commit.cancel()
        real.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await commit
        assert not inner.is_open
        await inner.end()
    assert real.sent == ["SAVEPOINT", "RELEASE"]
