"""A proxy that counts what goes over the wire between a driver and PostgreSQL, by the messages of its protocol.

    async with WireTap(dsn) as tap:
        database = Database(tap.dsn)
        ...
        tap.reset()
        ...
        assert tap.statements == ["BEGIN", "INSERT ...", "COMMIT"]
        assert tap.round_trips == 3

A round trip is a message that the server answers at once (Sync, a simple Query, Flush) with its answer
(ReadyForQuery; for Flush, whatever comes). Connections are counted from their first message after authentication.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

# frontend messages that name a statement, ask for an answer, or do neither
PARSE, BIND, EXECUTE, SYNC, QUERY, FLUSH = b"P", b"B", b"E", b"S", b"Q", b"H"
NAMES = {
    PARSE: "Parse",
    BIND: "Bind",
    EXECUTE: "Execute",
    SYNC: "Sync",
    QUERY: "Query",
    FLUSH: "Flush",
    b"D": "Describe",
    b"C": "Close",
    b"X": "Terminate",
    b"d": "CopyData",
    b"c": "CopyDone",
    b"f": "CopyFail",
    b"p": "Password",
}
READY = b"Z"


class Messages:
    """Cuts a stream into messages: a byte that tells the kind, four of length, the content.

    Args:
        untyped: The first message has no kind: what a client begins with.
    """

    def __init__(self, *, untyped: bool) -> None:
        self._untyped = untyped
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Gives the kind and the content of each message that is whole."""
        self._rest += data
        while True:
            head = 0 if self._untyped else 1
            if len(self._rest) < head + 4:
                return
            end = head + int.from_bytes(self._rest[head : head + 4], "big")
            if len(self._rest) < end:
                return
            kind, content = self._rest[:head], self._rest[head + 4 : end]
            self._rest, self._untyped = self._rest[end:], False
            yield kind, content


class Conversation:
    """One connection: counts what the client sends, and which statement each name stands for."""

    def __init__(self, tap: WireTap) -> None:
        self._tap = tap
        self._prepared: dict[bytes, str] = {}
        self._bound: dict[bytes, str] = {}
        self.ready: bool = False

    def sent(self, kind: bytes, content: bytes) -> None:
        """Takes a message of the client."""
        if not self.ready:
            # a start-up, a password
            return
        tap = self._tap
        tap.messages[NAMES[kind]] += 1
        if kind == PARSE:
            name, sql, *_ = content.split(b"\0")
            self._prepared[name] = sql.decode()
        elif kind == BIND:
            portal, name, *_ = content.split(b"\0")
            self._bound[portal] = self._prepared[name]
        elif kind == EXECUTE:
            tap.statements.append(self._bound[content.split(b"\0")[0]])
        elif kind == QUERY:
            tap.statements.append(content.rstrip(b"\0").decode())
        if kind in (SYNC, QUERY, FLUSH):
            tap.asked += 1

    def answered(self, kind: bytes) -> None:
        """Takes a message of the server."""
        if kind == READY:
            self._tap.answers += self.ready
            self.ready = True


class WireTap:
    """Stands between a driver and the server of a DSN, on a port of its own.

    Args:
        dsn: Where the server is.
    """

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.reset()

    @property
    def dsn(self) -> str:
        """The DSN that leads through here; unencrypted, or nothing could be read."""
        user = self._parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        query = "&".join(filter(None, (self._parts.query, "sslmode=disable")))
        return urlunsplit(self._parts._replace(netloc=netloc, query=query))

    def reset(self) -> None:
        """Counts from here."""
        self.messages: Counter[str] = Counter()
        self.statements: list[str] = []
        self.asked = 0
        self.answers = 0

    @property
    def round_trips(self) -> int:
        """How often the client has asked and waited."""
        assert self.asked == self.answers + self.messages["Flush"]
        return self.asked

    @property
    def words(self) -> list[str]:
        """The first word of each statement that was run, in order."""
        return [sql.split()[0].upper() for sql in self.statements]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            away = await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)
            talk = Conversation(self)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_upwards(reader, away[1], talk))
                    group.create_task(_downwards(away[0], writer, talk))
            finally:
                away[1].close()
        except asyncio.CancelledError:
            # the tap is closed; the stream server would report a cancelled task as an error
            pass
        finally:
            writer.close()
            self._tasks.discard(task)


async def _upwards(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Conversation) -> None:
    messages = Messages(untyped=True)
    while data := await reader.read(65536):
        for kind, content in messages.feed(data):
            talk.sent(kind, content)
        writer.write(data)
    _hang_up(writer)


async def _downwards(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Conversation) -> None:
    messages = Messages(untyped=False)
    while data := await reader.read(65536):
        for kind, _ in messages.feed(data):
            talk.answered(kind)
        writer.write(data)
    _hang_up(writer)


def _hang_up(writer: asyncio.StreamWriter) -> None:
    # the other end may be gone already
    with contextlib.suppress(OSError):
        writer.write_eof()
