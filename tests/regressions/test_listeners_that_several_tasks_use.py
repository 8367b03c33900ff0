"""A listener closed, or stepped by two tasks, while it began went on listening beside itself, and told things twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cormorant.adapters.notifying import Notification
from cormorant.database.listening import Listener
from cormorant.database.switchboard import Switchboard
from cormorant.errors import ConnectionLost, PoolClosed


class Line:
    """A connection that hears everything."""

    def __init__(self, told: Callable[[Notification], None]) -> None:
        self.told = told
        self.is_closed = False

    async def listen(self, channel: str) -> None: ...
    async def unlisten(self, channel: str) -> None: ...
    async def check(self) -> None: ...
    async def close(self) -> None:
        self.is_closed = True

    def terminate(self) -> None:
        self.is_closed = True


class Server:
    """Opens lines once its gate is open."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.failure: Exception | None = None
        self.lines: list[Line] = []

    def check_channels(self, channels: tuple[str, ...]) -> None: ...
    async def open_listening(self, told: Callable[[Notification], None], lost: Callable[[], None]) -> Line:
        self.asked.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.lines.append(Line(told))
        return self.lines[-1]


def listener_of(server: Server) -> tuple[Switchboard, Listener]:
    board = Switchboard(server, patience=10)
    return board, Listener(board, ("a",), buffer=10, resume=False)


async def payload(listener: Listener) -> str | None:
    note = await anext(listener, None)
    return None if note is None else note.payload


async def test_closing_one_that_begins_ends_its_loop() -> None:
    server = Server()
    board, listener = listener_of(server)
    async with asyncio.timeout(10):
        waiting = asyncio.create_task(payload(listener))
        await server.asked.wait()
        closing = asyncio.create_task(listener.aclose())
        await asyncio.sleep(0)
        server.gate.set()
        await closing
        assert await waiting is None
    assert len(board) == 0


async def test_two_tasks_that_begin_it_take_each_note_once() -> None:
    server = Server()
    board, listener = listener_of(server)
    async with asyncio.timeout(10):
        takers = [asyncio.create_task(payload(listener)) for _ in range(2)]
        await server.asked.wait()
        server.gate.set()
        async with listener:
            assert len(board) == 1
            server.lines[0].told(Notification("a", "1", 7))
            server.lines[0].told(Notification("a", "2", 7))
            assert sorted([str(await taker) for taker in takers]) == ["1", "2"]
        await board.close(None)


async def test_both_are_told_that_it_cannot_begin_and_it_may_be_tried_again() -> None:
    server = Server()
    board, listener = listener_of(server)
    server.failure = ConnectionLost("there is no server")
    server.gate.set()
    async with asyncio.timeout(10):
        failed = await asyncio.gather(payload(listener), payload(listener), return_exceptions=True)
        assert [type(each) for each in failed] == [ConnectionLost, ConnectionLost]
        server.failure = None
        async with listener:
            assert len(board) == 1
        await board.close(None)


async def test_what_nobody_has_foreseen_is_told_by_its_own_name() -> None:
    server = Server()
    board, listener = listener_of(server)
    server.failure = ZeroDivisionError("a mistake of the driver")
    server.gate.set()
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionLost, match="a mistake of the driver") as caught:
            await payload(listener)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert not isinstance(caught.value, PoolClosed)
    assert len(board) == 0
