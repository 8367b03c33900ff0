"""The one connection of a database that listens, for as many listeners as there are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Coroutine
from contextvars import Context
from copy import copy
from typing import Any

from cormorant.adapters.notifying import ListeningConnection, Notification, Notifying
from cormorant.database.mailbox import Mailbox
from cormorant.errors import ConfigurationError, ConnectionLost, CormorantError, PoolClosed

HEARTBEAT = 30.0
"""Seconds without a notification after which the server is asked whether it is there."""

GOODBYE = 5.0
"""Seconds that the connection gets to say goodbye, and that a listener waits for it."""

_LONGEST_PAUSE = 10.0

_log = logging.getLogger("cormorant.listen")


class Switchboard:
    """Opens a connection for the first listener, has it hear what the listeners want, and closes it after the last.

    One task does all of this, in an empty context, so that a listener may be cancelled at any moment: what it leaves
    behind is put in order by the task.

    Args:
        adapter: What opens the connection.
        patience: Seconds that the server has for an answer.
    """

    def __init__(self, adapter: Notifying, patience: float) -> None:
        self._adapter = adapter
        self._patience = patience
        self._closed = False
        self._hurries = False
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        # a dictionary for its order
        self._mailboxes: dict[Mailbox, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._opened = False
        self._connected = False
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._mailboxes)

    # ---- listeners

    async def join(self, mailbox: Mailbox) -> None:
        """Has a mailbox told of its channels, and waits until the server does so.

        Raises:
            ConnectionLost: The server cannot be reached.
            PoolClosed: The database is closed.
            ConfigurationError: Another event loop, which is still open, has listeners.
        """
        self.follow(mailbox)
        try:
            await mailbox.wait_begun()
        except BaseException:
            self.leave(mailbox)
            raise

    def follow(self, mailbox: Mailbox) -> None:
        """Has a mailbox told of its channels as soon as the server does so, which nobody waits for.

        Raises:
            PoolClosed: The database is closed.
            ConfigurationError: Another event loop, which is still open, has listeners.
        """
        self._bind(asyncio.get_running_loop())
        if self._closed:
            raise PoolClosed("the database is closed", hint="make a new Database, or close this one later")
        self._mailboxes[mailbox] = None
        self._look()

    def leave(self, mailbox: Mailbox) -> None:
        """Tells a mailbox no more."""
        mailbox.end()
        if self._mailboxes.pop(mailbox, mailbox) is None:
            self._look()

    async def settle(self) -> None:
        """Waits until the server knows who has left; not for long if it does not answer, nor while none is reached."""
        if self._mailboxes and not self._connected:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._settled.wait()

    async def close(self, timeout: float | None) -> None:
        """Ends every listener, once it has taken what waits for it, and the connection.

        Args:
            timeout: Seconds that the connection gets to say goodbye.
        """
        self._closed = True
        if self._loop is not asyncio.get_running_loop():
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._end_all, context=Context())
            return
        self._end_all()
        if self._task is None:
            return
        if not (await asyncio.wait({self._task}, timeout=timeout))[0]:
            self._hurries = True
            self._task.cancel()
            await asyncio.wait({self._task})

    def _end_all(self, error: CormorantError | None = None) -> None:
        for mailbox in self._mailboxes:
            mailbox.end(error and _another(error))
        self._mailboxes.clear()
        self._wake.set()

    def _look(self) -> None:
        self._settled.clear()
        self._wake.set()
        if self._task is None and self._mailboxes:
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Moves to another loop once the last one is closed, or left behind in the parent of a fork."""
        if self._loop is loop:
            return
        is_open = self._loop is not None and not self._loop.is_closed() and self._pid == os.getpid()
        if is_open and self._task is not None:
            raise ConfigurationError(
                "the database has listeners in another event loop, which is still open",
                hint="make one Database for each event loop, or close the first loop before",
            )
        self._loop, self._pid = loop, os.getpid()
        self._mailboxes, self._task, self._failures, self._connected = {}, None, 0, False
        self._wake, self._settled = asyncio.Event(), asyncio.Event()

    # ---- the task

    async def _run(self) -> None:
        try:
            while self._mailboxes:
                try:
                    await self._serve()
                except ConnectionLost as error:
                    await self._pause(error)
        except CormorantError as error:
            self._end_all(error)
        except Exception as error:
            # nobody awaits this task: its listeners are those who have to know
            self._end_all(_unforeseen(error))
        finally:
            # somebody who cancels every task of the loop ends the listeners too
            self._end_all()
            self._task = None
            self._settled.set()

    async def _serve(self) -> None:
        self._opened = False
        connection = await self._adapter.open_listening(self._tell, self._wake.set)
        self._opened = self._connected = True
        heard: set[str] = set()
        try:
            while self._mailboxes:
                self._wake.clear()
                await self._follow(connection, heard)
                if not self._wake.is_set():
                    self._settled.set()
                if not await self._woken(HEARTBEAT):
                    await self._in_time(connection.check())
                if connection.is_closed:
                    raise ConnectionLost(
                        "the connection that listens was lost: notifications may have been missed",
                        hint="listen again and read what you follow anew, or have that told by resume=True",
                    )
        finally:
            self._connected = False
            if self._mailboxes:
                # what the server knew went with the connection
                self._settled.set()
            await self._part_with(connection)

    async def _follow(self, connection: ListeningConnection, heard: set[str]) -> None:
        """Has the server tell of what somebody wants to hear, and of nothing else."""
        wanted = {channel for mailbox in self._mailboxes for channel in mailbox.channels}
        for channel in sorted(wanted - heard):
            await self._in_time(connection.listen(channel))
            heard.add(channel)
        for channel in sorted(heard - wanted):
            await self._in_time(connection.unlisten(channel))
            heard.discard(channel)
        for mailbox in self._mailboxes:
            if not mailbox.listens and mailbox.channels <= heard:
                mailbox.begin()
        self._failures = 0

    def _tell(self, note: Notification) -> None:
        for mailbox in self._mailboxes:
            mailbox.put(note)

    async def _pause(self, error: ConnectionLost) -> None:
        """Ends the listeners that do not outlive the connection, and waits before the next one is opened."""
        for mailbox in list(self._mailboxes):
            mailbox.lose(_another(error), opened=self._opened)
            if mailbox.ended:
                del self._mailboxes[mailbox]
        if self._mailboxes:
            _log.warning("listening again after this: %s", error.message)
            self._wake.clear()
            pause = min(_LONGEST_PAUSE, 0.1 * 2**self._failures) if self._failures else 0.0
            self._failures += 1
            await self._woken(pause * random.uniform(0.5, 1))

    async def _woken(self, seconds: float) -> bool:
        """Waits until there is something to do, and tells whether there is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._wake.wait()
        return False

    async def _in_time(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await work
        except TimeoutError as error:
            raise ConnectionLost(
                f"the server did not answer a connection that listens within {self._patience:g} s",
                hint="check that the server can be reached, or raise connect_timeout",
            ) from error

    async def _part_with(self, connection: ListeningConnection) -> None:
        try:
            if not self._hurries:
                async with asyncio.timeout(GOODBYE):
                    await connection.close()
        except Exception as error:
            # the server may be gone already; the connection is given up in either case
            _log.debug("a connection that listened did not say goodbye: %s", error)
        finally:
            connection.terminate()


def _unforeseen(error: Exception) -> ConnectionLost:
    """Says that listening has failed in a way that no adapter tells of."""
    made = ConnectionLost(
        f"listening has failed by {type(error).__name__}: {error}",
        hint="listen again; if that fails too, it is a mistake of the driver or of its adapter",
    )
    made.__cause__ = error
    return made


def _another(error: CormorantError) -> CormorantError:
    """Gives each listener an error of its own: who raises it adds where."""
    made = copy(error)
    made.__cause__ = error.__cause__
    return made
