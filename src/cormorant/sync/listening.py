"""`SyncListener`: notifications for a program without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, Self, TypeVar

from cormorant.adapters.notifying import Notification
from cormorant.database import Listener

T = TypeVar("T")


class Waits(Protocol):
    """Has a coroutine run on the loop of sync sessions, and waits for its result."""

    def __call__(self, function: Callable[[], Coroutine[Any, Any, T]], /) -> T:
        """Waits."""
        ...


class SyncListener:
    """The notifications of channels, one after another; made by `SyncDatabase.listen()`.

    It listens from its first step on, or from the entering of its block. The thread waits until one comes, or Ctrl-C.

    Its `channels` are the names it was made with.

    Example:
        >>> with db.listen("orders") as notes:    # LISTEN "orders"
        ...     for note in notes:
        ...         print(note.payload)
    """

    def __init__(self, listener: Listener, wait: Waits) -> None:
        self.channels: tuple[str, ...] = listener.channels
        self._listener = listener
        self._wait = wait

    def __repr__(self) -> str:
        return f"<SyncListener {', '.join(map(repr, self.channels))}>"

    def __enter__(self) -> Self:
        self._wait(self._listener.__aenter__)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Notification:
        found = self._wait(partial(_next, self._listener))
        if found is None:
            raise StopIteration
        return found

    def close(self) -> None:
        """Ends the listening, and waits until the server knows; what nobody has taken is dropped."""
        self._wait(self._listener.aclose)


async def _next(listener: Listener) -> Notification | None:
    return await anext(listener, None)
