"""`async for note in db.listen("channel")`: notifications of the database as they come."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from contextvars import Context
from typing import Self

from cormorant.adapters.base import Adapter
from cormorant.adapters.notifying import Notification, Notifying
from cormorant.database.mailbox import Mailbox
from cormorant.database.switchboard import Switchboard
from cormorant.errors import ConfigurationError, PoolClosed

BUFFER = 1000
"""Notifications that may wait for a listener, unless told otherwise."""


class Listener:
    """The notifications of channels, one after another; made by `db.listen()`.

    It listens from its first step on, or from the entering of its block: what is sent after that is not missed. Leaving
    the block ends it, and so does forgetting the listener.

    Its `channels` are the names it was made with.

    Example:
        >>> async with db.listen("orders") as notes:    # LISTEN "orders"
        ...     async for note in notes:
        ...         print(note.payload)
    """

    def __init__(self, switchboard: Switchboard, channels: tuple[str, ...], *, buffer: int, resume: bool) -> None:
        self.channels: tuple[str, ...] = channels
        self._switchboard = switchboard
        self._buffer = buffer
        self._resume = resume
        self._mailbox: Mailbox | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Listener {', '.join(map(repr, self.channels))}>"

    async def __aenter__(self) -> Self:
        self._closed = False
        await self._begun()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        if self._closed:
            raise StopAsyncIteration
        try:
            mailbox = await self._begun()
        except PoolClosed:
            if self._closed:
                # by another task, while it began
                raise StopAsyncIteration from None
            raise
        return await mailbox.take()

    async def _begun(self) -> Mailbox:
        if self._mailbox is not None:
            # another task may have begun it a moment ago
            await self._mailbox.wait_begun()
            return self._mailbox
        mailbox = self._mailbox = Mailbox(self.channels, self._buffer, resume=self._resume)
        try:
            await self._switchboard.join(mailbox)
        except BaseException:
            if self._mailbox is mailbox:
                self._mailbox = None
            raise
        # nobody closes what a loop was left with by `break`
        forget = weakref.finalize(self, _forget, asyncio.get_running_loop(), self._switchboard, mailbox)
        forget.atexit = False
        return mailbox

    async def aclose(self) -> None:
        """Ends the listening, and waits until the server knows; what nobody has taken is dropped."""
        self._closed = True
        mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            mailbox.empty()
            self._switchboard.leave(mailbox)
            await self._switchboard.settle()


def _forget(loop: asyncio.AbstractEventLoop, switchboard: Switchboard, mailbox: Mailbox) -> None:
    # the collector may run in any thread; a closed loop has nobody left to tell
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(switchboard.leave, mailbox, context=Context())


def switchboard_of(adapter: Adapter) -> Switchboard | None:
    """Gives what listens to an adapter's database; None if that sends no notifications."""
    return Switchboard(adapter, adapter.config.connect_timeout) if isinstance(adapter, Notifying) else None


def listener_on(
    adapter: Adapter, switchboard: Switchboard | None, channels: tuple[str, ...], *, buffer: int, resume: bool
) -> Listener:
    """Gives a listener, which does not listen yet.

    Raises:
        ConfigurationError: The database sends no notifications, or what was given is no channel or no number.
    """
    if switchboard is None or not isinstance(adapter, Notifying):
        raise ConfigurationError(
            f"{adapter.config.redacted} sends no notifications",
            hint="LISTEN is PostgreSQL's; on SQLite, tell other tasks by asyncio.Queue or asyncio.Event",
        )
    for channel in channels:
        _check_text(channel)
    _check_buffer(buffer)
    adapter.check_channels(channels)
    return Listener(switchboard, tuple(dict.fromkeys(channels)), buffer=buffer, resume=resume)


def _check_text(channel: object) -> None:
    if not isinstance(channel, str):
        raise ConfigurationError(f"a channel has a name, not {channel!r}", hint='write db.listen("orders")')


def _check_buffer(count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(f"buffer is {count!r}", hint="give how many notifications may wait, 1 or more")
