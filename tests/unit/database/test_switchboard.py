"""What listens for all listeners of a database, with connections that only pretend."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable

import pytest

from cormorant.adapters.notifying import Notification
from cormorant.database import switchboard as switchboard_module
from cormorant.database.mailbox import Mailbox
from cormorant.database.switchboard import Switchboard
from cormorant.errors import ConnectionLost, ListenerOverflow, PoolClosed, StatementError

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="nobody's")


class Line:
    """A connection that notes what is done to it."""

    def __init__(self, server: Server, told: Callable[[Notification], None], lost: Callable[[], None]) -> None:
        self.server, self.told, self.lost = server, told, lost
        self.is_closed = False
        self.heard: set[str] = set()
        self.done: list[str] = []

    async def listen(self, channel: str) -> None:
        await self.server.pass_gate()
        self.done.append(f"+{channel}")
        self.heard.add(channel)

    async def unlisten(self, channel: str) -> None:
        await self.server.pass_gate()
        self.done.append(f"-{channel}")
        self.heard.discard(channel)

    async def check(self) -> None:
        self.done.append("check")
        await self.server.pass_gate()

    async def close(self) -> None:
        await self.server.pass_gate()
        self.done.append("close")
        self.is_closed = True

    def terminate(self) -> None:
        if not self.is_closed:
            self.done.append("terminate")
            self.is_closed = True

    def say(self, channel: str, payload: str = "") -> None:
        assert channel in self.heard
        self.told(Notification(channel, payload, 1))

    def break_down(self) -> None:
        self.is_closed = True
        self.lost()


class Server:
    """Opens lines, at once or when told."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.failures: list[Exception] = []
        self.contexts: list[str] = []
        self.gate: asyncio.Event | None = None

    async def pass_gate(self) -> None:
        if self.gate is not None:
            await self.gate.wait()

    def check_channels(self, channels: tuple[str, ...]) -> None:
        """Takes any name."""

    async def open_listening(self, told: Callable[[Notification], None], lost: Callable[[], None]) -> Line:
        self.contexts.append(VARIABLE.get())
        await self.pass_gate()
        if self.failures:
            raise self.failures.pop(0)
        self.lines.append(Line(self, told, lost))
        return self.lines[-1]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def board(server: Server) -> Switchboard:
    return Switchboard(server, patience=10)


def mailbox(*channels: str, limit: int = 10, resume: bool = False) -> Mailbox:
    return Mailbox(channels, limit, resume=resume)


async def turns(count: int = 10) -> None:
    """Lets everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_server_hears_of_a_channel_once(server: Server, board: Switchboard) -> None:
    first, second = mailbox("a", "b"), mailbox("b")
    await board.join(first)
    await board.join(second)
    (line,) = server.lines
    assert line.done == ["+a", "+b"]
    line.say("a", "1")
    line.say("b", "2")
    assert [(await first.take()).payload, (await first.take()).payload, (await second.take()).payload] == list("122")
    board.leave(first)
    await board.settle()
    assert line.done == ["+a", "+b", "-a"]
    board.leave(second)
    await board.settle()
    assert line.done == ["+a", "+b", "-a", "close"]
    await board.join(mailbox("c"))
    assert len(server.lines) == 2
    await board.close(None)


async def test_who_joins_while_the_last_one_leaves_is_served(server: Server, board: Switchboard) -> None:
    first = mailbox("a")
    await board.join(first)
    server.gate = asyncio.Event()
    board.leave(first)
    await turns()
    second = mailbox("a")
    joining = asyncio.create_task(board.join(second))
    await turns()
    server.gate.set()
    await joining
    server.lines[-1].say("a", "heard")
    assert (await second.take()).payload == "heard"
    await board.close(None)


async def test_a_channel_that_is_being_given_up_is_listened_to_again(server: Server, board: Switchboard) -> None:
    stays, leaves = mailbox("a"), mailbox("b")
    await board.join(stays)
    await board.join(leaves)
    server.gate = asyncio.Event()
    board.leave(leaves)
    await turns()
    again = mailbox("b")
    joining = asyncio.create_task(board.join(again))
    await turns()
    assert not joining.done()
    server.gate.set()
    await joining
    assert server.lines[0].done == ["+a", "+b", "-b", "+b"]
    server.lines[0].say("b", "x")
    assert (await again.take()).payload == "x"
    await board.close(None)


@pytest.mark.parametrize("count", range(12))
async def test_joining_may_be_cancelled_at_every_moment(server: Server, board: Switchboard, count: int) -> None:
    joining = asyncio.create_task(board.join(mailbox("a")))
    await turns(count)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    if not joining.cancelled():
        assert len(board) == 1
        await board.close(None)
    await turns()
    assert len(board) == 0
    assert all(line.done[-1:] == ["close"] for line in server.lines)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_connections_open_in_an_empty_context(server: Server, board: Switchboard) -> None:
    VARIABLE.set("somebody's")
    await board.join(mailbox("a"))
    assert server.contexts == ["nobody's"]
    await board.close(None)


# ---- connections that are lost


async def test_those_that_do_not_resume_are_ended_and_the_others_go_on(server: Server, board: Switchboard) -> None:
    ends, resumes = mailbox("a"), mailbox("a", "b", resume=True)
    await board.join(ends)
    await board.join(resumes)
    server.failures = [ConnectionLost("refused"), ConnectionLost("refused")]
    server.lines[0].break_down()
    with pytest.raises(ConnectionLost, match="was lost"):
        await ends.take()
    assert [await resumes.take(), await resumes.take()] == [
        Notification("a", gap=True),
        Notification("b", gap=True),
    ]
    assert server.failures == []
    assert server.lines[1].done == ["+a", "+b"]
    await board.close(None)


async def test_a_newcomer_is_refused_where_the_others_wait_for_the_server(server: Server, board: Switchboard) -> None:
    resumes = mailbox("a", resume=True)
    await board.join(resumes)
    server.failures = [ConnectionLost("refused")]
    server.lines[0].break_down()
    with pytest.raises(ConnectionLost, match="refused"):
        await board.join(mailbox("a", resume=True))
    assert (await resumes.take()).gap
    await board.close(None)


@pytest.mark.parametrize("when", ["while the line breaks", "while none is open"])
async def test_who_leaves_while_no_server_is_reached_does_not_wait_for_it(
    server: Server, board: Switchboard, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(switchboard_module, "GOODBYE", 1000.0)
    stays, leaves = mailbox("a", resume=True), mailbox("b", resume=True)
    await board.join(stays)
    await board.join(leaves)
    server.gate = asyncio.Event()
    server.lines[0].break_down()
    if when == "while the line breaks":
        board.leave(leaves)
        settling = asyncio.create_task(board.settle())
        await turns()
    else:
        await turns()
        board.leave(leaves)
        settling = asyncio.create_task(board.settle())
    async with asyncio.timeout(10):
        await settling
    server.gate.set()
    assert (await stays.take()).gap
    assert server.lines[-1].heard == {"a"}
    await board.close(None)


async def test_a_newcomer_does_not_suffer_from_a_connection_that_was_lost_before(
    server: Server, board: Switchboard
) -> None:
    await board.join(mailbox("a"))
    server.lines[0].break_down()
    listener = mailbox("a")
    await board.join(listener)
    server.lines[1].say("a", "heard")
    assert (await listener.take()).payload == "heard"
    await board.close(None)


async def test_nor_is_a_server_asked_for_ever_that_answers_no_listen(
    server: Server, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise ConnectionLost("hung up")

    monkeypatch.setattr(Line, "listen", refuse)
    with pytest.raises(ConnectionLost, match="hung up"):
        await board.join(mailbox("a", resume=True))
    assert len(server.lines) == 2


async def test_what_the_server_refuses_for_good_ends_them_all(server: Server, board: Switchboard) -> None:
    listeners = [mailbox("a", resume=True), mailbox("b")]
    for each in listeners:
        await board.join(each)
    server.failures = [StatementError("cannot execute LISTEN during recovery")]
    server.lines[0].break_down()
    with pytest.raises(ConnectionLost):
        await listeners[1].take()
    with pytest.raises(StatementError, match="recovery"):
        await listeners[0].take()
    assert len(board) == 0


async def test_each_listener_has_an_error_of_its_own(server: Server, board: Switchboard) -> None:
    listeners = [mailbox("a"), mailbox("a")]
    for each in listeners:
        await board.join(each)
    server.lines[0].break_down()
    caught = [(await asyncio.gather(each.take(), return_exceptions=True))[0] for each in listeners]
    assert caught[0] is not caught[1]
    assert str(caught[0]) == str(caught[1])


async def test_a_line_that_is_silent_is_asked(
    server: Server, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard_module, "HEARTBEAT", 0)
    await board.join(mailbox("a"))
    while "check" not in server.lines[0].done:
        await asyncio.sleep(0)
    await board.close(None)


# ---- the end


async def test_closing_ends_listeners_after_what_waits(server: Server, board: Switchboard) -> None:
    listener = mailbox("a")
    await board.join(listener)
    server.lines[0].say("a", "last")
    await board.close(None)
    assert (await listener.take()).payload == "last"
    with pytest.raises(StopAsyncIteration):
        await listener.take()
    with pytest.raises(PoolClosed):
        await board.join(mailbox("a"))
    assert server.lines[0].done == ["+a", "close"]
    await board.close(None)


@pytest.mark.parametrize("begun", [True, False])
async def test_closing_does_not_wait_for_a_server_that_is_silent(
    server: Server, board: Switchboard, begun: bool
) -> None:
    if begun:
        await board.join(mailbox("a"))
    server.gate = asyncio.Event()
    joining = asyncio.create_task(board.join(mailbox("a", "b")))
    await turns()
    await board.close(0)
    with pytest.raises(PoolClosed):
        await joining
    assert [line.is_closed for line in server.lines] == [True] * begun
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_cancels_every_task_ends_the_listeners(server: Server, board: Switchboard) -> None:
    listener = mailbox("a")
    await board.join(listener)
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    task.cancel()
    with pytest.raises(StopAsyncIteration):
        await listener.take()
    assert server.lines[0].is_closed


# ---- mailboxes


async def test_several_tasks_may_take_from_one_mailbox(server: Server, board: Switchboard) -> None:
    shared = mailbox("a")
    await board.join(shared)
    takers = [asyncio.create_task(shared.take()) for _ in range(3)]
    await turns()
    for number in "123":
        server.lines[0].say("a", number)
    assert sorted(note.payload for note in await asyncio.gather(*takers)) == list("123")
    waiting = asyncio.create_task(anext_of(shared))
    await turns()
    await board.close(None)
    assert await waiting == "ended"


async def anext_of(listener: Mailbox) -> str:
    try:
        return (await listener.take()).payload
    except StopAsyncIteration:
        return "ended"


async def test_a_gap_is_told_once_until_it_is_taken() -> None:
    slow = mailbox("a", "b", limit=1, resume=True)
    slow.begin()
    for channel in "aaab":
        slow.put(Notification(channel, "x", 1))
    told = [await slow.take() for _ in range(3)]
    assert told == [Notification("a", "x", 1), Notification("a", gap=True), Notification("b", gap=True)]
    slow.put(Notification("a", "y", 1))
    assert (await slow.take()).payload == "y"


async def test_an_overflow_ends_it_after_what_waits() -> None:
    slow = mailbox("a", limit=1)
    slow.begin()
    for number in "123":
        slow.put(Notification("a", number, 1))
    assert (await slow.take()).payload == "1"
    with pytest.raises(ListenerOverflow):
        await slow.take()
    with pytest.raises(StopAsyncIteration):
        await slow.take()
