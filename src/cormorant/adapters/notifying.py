"""Notifications of the database, and what an adapter offers to those who wait for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cormorant.adapters.config import ConnectionConfig
from cormorant.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Notification:
    """What was sent to a channel by NOTIFY or pg_notify().

    Args:
        channel: The channel's name.
        payload: The text that was sent; "" if there was none.
        pid: The process of the server whose session sent it; None if `gap`.
        gap: Nobody sent it: notifications of this channel before it may have been missed. Only `resume=True` gives it.
    """

    channel: str
    payload: str = ""
    pid: int | None = None
    gap: bool = False


class ListeningConnection(Protocol):
    """A connection of its own that is told of notifications, used by one call at a time.

    Its methods raise the classes of `cormorant.errors`.
    """

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be gone, asked without I/O."""
        ...

    async def listen(self, channel: str) -> None:
        """Has the server tell of a channel's notifications from the moment on at which this returns."""
        ...

    async def unlisten(self, channel: str) -> None:
        """Has the server tell no more of them."""
        ...

    async def check(self) -> None:
        """Asks the server for an answer.

        Raises:
            ConnectionLost: There is none.
        """
        ...

    async def close(self) -> None:
        """Closes the connection politely."""
        ...

    def terminate(self) -> None:
        """Closes the connection at once; may be called twice."""
        ...


@runtime_checkable
class Notifying(Protocol):
    """What an adapter may offer besides: to listen to channels of the database, outside of the pool."""

    def check_channels(self, channels: tuple[str, ...]) -> None:
        """Refuses what cannot be listened to, without I/O.

        Raises:
            ConfigurationError: A name is no channel's, or the way to the database carries no notifications.
        """
        ...

    async def open_listening(
        self, told: Callable[[Notification], None], lost: Callable[[], None]
    ) -> ListeningConnection:
        """Opens a connection.

        Args:
            told: Called for each notification, in the order in which the server sends them.
            lost: Called when the connection is gone, by whichever cause.

        Raises:
            ConnectionLost: The server cannot be reached.
        """
        ...


def listening_config(config: ConnectionConfig) -> ConnectionConfig:
    """Gives where listeners connect to: past a pooler, which gives a server's session to others between statements.

    Raises:
        ConfigurationError: There is a pooler, and nothing else is known.
    """
    if config.listen_dsn is not None:
        return ConnectionConfig.from_dsn(config.listen_dsn)
    if config.pooler is not None:
        raise ConfigurationError(
            f"behind a pooler in {config.pooler} mode nobody can listen: {config.redacted}",
            hint='name the server itself beside it: listen_dsn="postgresql://app@server:5432/app"',
        )
    return config
