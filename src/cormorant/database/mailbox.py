"""What a listener has been told of and has not taken yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from cormorant.adapters.notifying import Notification
from cormorant.errors import CormorantError, ListenerOverflow, PoolClosed


class Mailbox:
    """The notifications that wait for one listener.

    Args:
        channels: Whose notifications it takes.
        limit: How many may wait, and one word of a gap for each channel.
        resume: Whether it goes on after notifications were missed, with a note for each channel concerned.
    """

    def __init__(self, channels: tuple[str, ...], limit: int, *, resume: bool) -> None:
        self.channels: frozenset[str] = frozenset(channels)
        self.limit: int = limit
        self.resume: bool = resume
        self.listens: bool = False
        self._begun = False
        self._tried = False
        self._ended = False
        self._error: CormorantError | None = None
        self._notes: deque[Notification] = deque()
        # channels whose gap is told in a note that waits: what comes until it is taken belongs to the gap
        self._gaps: set[str] = set()
        self._changed = asyncio.Event()

    # ---- the server's side

    def begin(self) -> None:
        """Notes that the server tells of every channel from now on."""
        if self._begun:
            for channel in sorted(self.channels):
                self._put_gap(channel)
        self.listens = self._begun = True
        self._changed.set()

    def put(self, note: Notification) -> None:
        """Takes a notification in."""
        if not self.listens or note.channel not in self.channels or note.channel in self._gaps:
            return
        if len(self._notes) < self.limit:
            self._notes.append(note)
            self._changed.set()
        elif self.resume:
            self._put_gap(note.channel)
        else:
            self.end(self._overflow(note.channel))

    def lose(self, error: CormorantError, *, opened: bool) -> None:
        """Notes that the connection is gone, or could not be opened."""
        self.listens = False
        if self._begun and self.resume:
            return
        if opened and not self._begun and not self._tried:
            # it came when the connection was as good as gone
            self._tried = True
            return
        self.end(error)

    @property
    def ended(self) -> bool:
        """Whether nothing more is put in."""
        return self._ended

    def end(self, error: CormorantError | None = None) -> None:
        """Has the listener end once it has taken what waits, by an error if one is given."""
        if not self._ended:
            self.listens, self._ended, self._error = False, True, error
            self._changed.set()

    def _put_gap(self, channel: str) -> None:
        if channel not in self._gaps:
            self._gaps.add(channel)
            self._notes.append(Notification(channel, gap=True))
            self._changed.set()

    def _overflow(self, channel: str) -> ListenerOverflow:
        return ListenerOverflow(
            f"{self.limit} notifications wait for a listener that does not take them, and one more came to {channel!r}",
            hint="take them faster, and do long work in other tasks; raise buffer=; or go on after gaps by resume=True",
        )

    # ---- the listener's side

    async def wait_begun(self) -> None:
        """Waits until the server tells of every channel.

        Raises:
            ConnectionLost: The server cannot be reached.
            PoolClosed: The database was closed meanwhile.
        """
        await self._wait(lambda: self._begun)
        if not self._begun:
            raise self._error or PoolClosed("the database is closed", hint="make a new Database")

    async def take(self) -> Notification:
        """Gives the next notification.

        Raises:
            StopAsyncIteration: There will be none.
        """
        await self._wait(lambda: bool(self._notes))
        if not self._notes:
            error, self._error = self._error, None
            raise error or StopAsyncIteration
        note = self._notes.popleft()
        if note.gap:
            self._gaps.discard(note.channel)
        return note

    def empty(self) -> None:
        """Drops what waits."""
        self._notes.clear()

    async def _wait(self, arrived: Callable[[], bool]) -> None:
        while not arrived() and not self._ended:
            self._changed.clear()
            await self._changed.wait()
