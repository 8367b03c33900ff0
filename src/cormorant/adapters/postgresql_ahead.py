"""BEGIN and savepoints in one message to the server with the statement that comes after them, and in one answer of it.

The extended protocol takes several statements before one Sync: PostgreSQL's documentation calls it pipelining. What the
driver sends of a prepared statement ends with a Sync, and in what comes back it passes over the further statements.
Npgsql begins its transactions so.
"""

from __future__ import annotations

from functools import lru_cache
from types import TracebackType
from typing import Any

_LENGTH = 4


class Ahead:
    """Statements that wait for the next prepared one, and are put before it where the driver sends that.

    Args:
        transport: What the driver sends by.
    """

    __slots__ = ("_transport", "_write", "is_possible", "waiting")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        # asyncio's transports let an object of theirs send by something else; those of other loops do not
        self.is_possible: bool = hasattr(transport, "__dict__")
        self._write = transport.write
        self.waiting: tuple[str, ...] = ()

    # while the driver runs a statement: it sends nothing of one that it refuses, and what waits goes on waiting

    def __enter__(self) -> None:
        self._transport.write = self._send

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.__dict__.pop("write", None)

    def _send(self, data: bytes | bytearray | memoryview) -> None:
        del self._transport.write
        waiting, self.waiting = self.waiting, ()
        self._write(b"".join((*map(_messages, waiting), data)))


@lru_cache(maxsize=200)
def _messages(sql: str) -> bytes:
    """Gives what runs a statement without values or rows, up to the Sync: Parse, Bind and Execute, without names."""
    return _message(b"P", b"\0%b\0\0\0" % sql.encode()) + _message(b"B", bytes(8)) + _message(b"E", bytes(5))


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + _LENGTH).to_bytes(4, "big") + body
