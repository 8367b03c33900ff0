"""What other processes have written, as PostgreSQL tells it: caches in memory live by it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from cormorant.adapters.notifying import Notification
from cormorant.database.invalidation import Invalidation, heard
from cormorant.database.mailbox import Mailbox
from cormorant.database.switchboard import Switchboard
from cormorant.errors import CormorantError, PoolClosed

CHANNEL = "cormorant_cache"
"""Where transactions tell what they have written."""

REMEMBERED = 10_000
"""So many of its own commits a process knows again when it is told of them."""

PAUSE = 1.0
"""Seconds after which listening is tried anew where it was refused."""

_log = logging.getLogger("cormorant.cache")


class News:
    """The commits of this process that were applied before anybody told of them."""

    def __init__(self) -> None:
        self._applied: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def applied(self, number: str) -> None:
        """Notes a commit that has nothing new any more."""
        with self._lock:
            self._applied[number] = None
            if len(self._applied) > REMEMBERED:
                self._applied.popitem(last=False)

    def is_known(self, number: str) -> bool:
        """Whether a commit has nothing new."""
        return number in self._applied


class CacheNews:
    """Listens for one event loop; as long as it does, what is in memory can be believed.

    Args:
        switchboard: The connection that listens.
        news: What needs not be told.
        apply: Drops what was written.
    """

    def __init__(self, switchboard: Switchboard, news: News, apply: Callable[[Invalidation], None]) -> None:
        self._switchboard = switchboard
        self._news = news
        self._apply = apply
        self._mailbox: _CacheMailbox | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._next_try = 0.0

    def listens(self) -> bool:
        """Whether it is told of everything; if not, it begins to listen, and nobody waits for it."""
        mailbox, is_here = self._mailbox, self._loop is asyncio.get_running_loop() and self._pid == os.getpid()
        if is_here and mailbox is not None and not mailbox.ended:
            return mailbox.listens
        if mailbox is not None:
            mailbox.end()
        if not is_here or monotonic() >= self._next_try:
            self._begin()
        return False

    async def ready(self) -> None:
        """Waits until it is told of everything.

        Raises:
            PoolClosed: The database is closed.
        """
        while not self.listens():
            if self._mailbox is None:
                await asyncio.sleep(PAUSE)
            else:
                await self._mailbox.wait_begun()

    def _begin(self) -> None:
        self._next_try = monotonic() + PAUSE
        self._pid, self._loop = os.getpid(), asyncio.get_running_loop()
        self._mailbox = _CacheMailbox(self._hear, self._forget)
        try:
            self._switchboard.follow(self._mailbox)
        except PoolClosed:
            self._mailbox.end()
        except CormorantError as error:
            self._mailbox = None
            _log.warning("nothing is cached here, for nobody tells what other processes write: %s", error)

    def _hear(self, payload: str) -> None:
        what = heard(payload)
        if not self._news.is_known(what.number):
            self._apply(what)

    def _forget(self) -> None:
        """Begins with nothing: what was written before was not told."""
        everything = Invalidation()
        everything.everything = True
        self._apply(everything)


class _CacheMailbox(Mailbox):
    """Has notifications applied the moment they come, instead of keeping them."""

    def __init__(self, hear: Callable[[str], None], forget: Callable[[], None]) -> None:
        super().__init__((CHANNEL,), 1, resume=True)
        self._hear = hear
        self._forget = forget

    def begin(self) -> None:
        self._forget()
        self.listens = self._begun = True
        self._changed.set()

    def put(self, note: Notification) -> None:
        if self.listens and note.channel in self.channels:
            self._hear(note.payload)

    def lose(self, error: CormorantError, *, opened: bool) -> None:
        # and listens again as soon as it can
        self.listens = self._begun = False
