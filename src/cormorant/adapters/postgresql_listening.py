"""LISTEN on a connection of asyncpg."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cormorant.adapters.notifying import Notification
from cormorant.adapters.postgresql_errors import translate
from cormorant.errors import ConfigurationError

NAME_BYTES = 63
"""Bytes of a name that the server keeps."""


class PostgresListening:
    """One asyncpg connection that listens.

    Args:
        driver: The open driver connection.
        told: Called for each notification.
        lost: Called when the connection is gone.
    """

    __slots__ = ("_driver", "_lost", "_told")

    def __init__(self, driver: Any, told: Callable[[Notification], None], lost: Callable[[], None]) -> None:
        self._driver = driver
        self._told = told
        self._lost = lost
        driver.add_termination_listener(self._end)

    @property
    def is_closed(self) -> bool:
        return bool(self._driver.is_closed())

    async def listen(self, channel: str) -> None:
        await self._ask("LISTEN", self._driver.add_listener(channel, self._hear))

    async def unlisten(self, channel: str) -> None:
        await self._ask("UNLISTEN", self._driver.remove_listener(channel, self._hear))

    async def check(self) -> None:
        await self._ask("SELECT 1", self._driver.execute("SELECT 1"))

    async def close(self) -> None:
        """Closes the connection politely."""
        await self._driver.close()

    def terminate(self) -> None:
        """Closes the connection at once."""
        if not self.is_closed:
            self._driver.terminate()

    def _hear(self, _: Any, pid: int, channel: str, payload: str) -> None:
        self._told(Notification(channel, payload, pid))

    def _end(self, _: Any) -> None:
        self._lost()

    async def _ask(self, sql: str, work: Awaitable[Any]) -> None:
        try:
            await work
        except Exception as error:
            raise translate(error, sql, closed=self.is_closed) from error


def check_channel(channel: str) -> None:
    """Refuses a name that no notification can have.

    Raises:
        ConfigurationError: It is empty, too long, or no text that can be sent.
    """
    shown = channel.encode("utf-8", "backslashreplace")
    if not channel or "\0" in channel or shown.decode() != channel:
        raise ConfigurationError(f"{channel!r} is no channel's name", hint="give a text without null characters")
    if len(shown) > NAME_BYTES:
        # the server would cut it off for LISTEN, and refuse it for pg_notify()
        raise ConfigurationError(
            f"the channel's name {channel!r} has {len(shown)} bytes", hint=f"give a name of at most {NAME_BYTES}"
        )
