"""A proxy between a driver and a server that breaks connections at a given byte; loopback addresses only.

    async with FaultProxy(dsn) as proxy:
        database = Database(proxy.dsn)
        fault = proxy.arm(b"COMMIT", when="reply", action="reset")     # committed, and the client never hears of it
        ...
        assert fault.fired

UP is from the client to the server, DOWN from the server to the client. `when` a fault happens:

    before  nothing of the piece that holds the match is passed on
    mid     the piece is passed on up to the middle of the match
    after   the piece is passed on whole
    reply   the piece is passed on whole, and of the other side's next piece nothing

`action` is what happens then: "reset" (RST to both sides), "cut" (FIN to both sides), "blackhole" (both stay open, and
nothing flows any more).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

Way: TypeAlias = Literal["up", "down"]
When: TypeAlias = Literal["before", "mid", "after", "reply"]
Action: TypeAlias = Literal["reset", "cut", "blackhole"]

UP: Way = "up"
DOWN: Way = "down"

_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Fault:
    """What happens once, to the connection on which the match is seen first."""

    match: bytes
    when: When
    action: Action
    way: Way = UP
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def fired(self) -> bool:
        """Whether it has happened."""
        return self.done.is_set()


@dataclass(eq=False)
class _Pair:
    """One client's connection, and the one to the server behind it."""

    proxy: FaultProxy
    readers: dict[Way, asyncio.StreamReader]
    writers: dict[Way, asyncio.StreamWriter]
    tail: dict[Way, bytes] = field(default_factory=lambda: {UP: b"", DOWN: b""})
    pending: dict[Way, Fault] = field(default_factory=dict[Way, Fault])
    silent: bool = False
    dead: bool = False

    def reset(self) -> None:
        for writer in self.writers.values():
            connected: socket.socket | None = writer.get_extra_info("socket")
            if connected is not None:
                with contextlib.suppress(OSError):
                    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()
        self.dead = True

    def cut(self) -> None:
        for writer in self.writers.values():
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()
        self.dead = True

    def act(self, fault: Fault) -> None:
        if fault.action == "reset":
            self.reset()
        elif fault.action == "cut":
            self.cut()
        else:
            self.silent = True
        fault.done.set()

    async def pump(self, way: Way) -> None:
        """Passes on what comes, until the end or a fault."""
        writer = self.writers[way]
        try:
            while data := await self.readers[way].read(65536):
                if self.dead:
                    return
                await self._pass_on(way, data)
            # a black hole does not pass on the end either
            if not self.silent and not self.dead:
                writer.write_eof()
        except OSError:
            if not self.silent and not self.dead:
                self.reset()

    async def _pass_on(self, way: Way, data: bytes) -> None:
        if (fault := self.pending.pop(way, None)) is not None:
            self.act(fault)
            return
        found = self._find(way, data)
        self.tail[way] = (self.tail[way] + data)[-256:]
        if found is None:
            await self._send(way, data)
            return
        fault, middle = found
        self.proxy.armed.remove(fault)
        if fault.when == "reply":
            self.pending[DOWN if way == UP else UP] = fault
            await self._send(way, data)
            return
        await self._send(way, {"before": b"", "mid": data[:middle], "after": data}[fault.when])
        self.act(fault)

    def _find(self, way: Way, data: bytes) -> tuple[Fault, int] | None:
        """Gives the fault whose match is in this piece, also across its beginning, and the middle of the match."""
        for fault in self.proxy.armed:
            kept = self.tail[way][-(len(fault.match) - 1) :] if len(fault.match) > 1 else b""
            at = (kept + data).find(fault.match)
            if fault.way == way and at >= 0:
                return fault, max(0, at - len(kept) + max(1, len(fault.match) // 2))
        return None

    async def _send(self, way: Way, data: bytes) -> None:
        if data and not self.silent:
            self.writers[way].write(data)
            await self.writers[way].drain()


class FaultProxy:
    """Stands between a driver and the server of a DSN, on a port of its own.

    Args:
        dsn: Where the server is.
    """

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        host = self._parts.hostname or "127.0.0.1"
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError("this proxy breaks connections: loopback addresses only")
        self._host = host
        self.armed: list[Fault] = []
        self.pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.accepted = 0
        # of connections that are made from now on nothing is passed on
        self.swallows = False

    @property
    def dsn(self) -> str:
        """The DSN that leads through here; unencrypted, or no match could be seen."""
        user = self._parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        query = "&".join(filter(None, (self._parts.query, "sslmode=disable")))
        return urlunsplit(self._parts._replace(netloc=netloc, query=query))

    def arm(self, match: bytes, *, when: When, action: Action, way: Way = UP) -> Fault:
        """Has the first connection break on which the match is seen from now on."""
        fault = Fault(match, when, action, way)
        self.armed.append(fault)
        return fault

    def break_all(self, action: Action) -> int:
        """Breaks every open connection, and gives their number."""
        pairs = list(self.pairs)
        for pair in pairs:
            pair.act(Fault(b"", "after", action))
        return len(pairs)

    def swallow(self) -> None:
        """Makes a black hole of every connection, also of those that are made from now on."""
        self.break_all("blackhole")
        self.swallows = True

    def pass_on(self) -> None:
        """Ends the black hole: what it held is cut, and connections that are made from now on work."""
        self.swallows = False
        self.break_all("cut")

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for pair in list(self.pairs):
            pair.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        # transports say their last in the loop's next turn
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        pair: _Pair | None = None
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._parts.port or 5432)
            pair = _Pair(self, {UP: reader, DOWN: far_reader}, {UP: far_writer, DOWN: writer})
            pair.silent = self.swallows
            self.pairs.add(pair)
            await asyncio.gather(pair.pump(UP), pair.pump(DOWN))
            pair.cut()
        except OSError:
            # the server is gone: so are we
            writer.transport.abort()
        except asyncio.CancelledError:
            # the proxy is closed; the stream server would report a cancelled task as an error
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            if pair is not None:
                pair.cut()
                self.pairs.discard(pair)
