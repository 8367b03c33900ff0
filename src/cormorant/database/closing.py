"""The end of a database: everything it has open is closed at the same time, within one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from cormorant.errors import ConfigurationError


def check_close_timeout(seconds: object) -> None:
    """Refuses what is no time to wait: 0 is one, and terminates at once.

    Raises:
        ConfigurationError: It is neither None nor a number of seconds, 0 or more.
    """
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"timeout is {seconds!r}", hint="give seconds, 0 or more, or None to wait without end")


async def all_ended(*work: Awaitable[None]) -> None:
    """Waits for all of it, also when some of it fails, and raises the first error then."""
    for error in await asyncio.gather(*work, return_exceptions=True):
        if error is not None:
            raise error
