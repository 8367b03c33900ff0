"""The end of a database: everything it has open is closed at the same time, within one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def all_ended(*work: Awaitable[None]) -> None:
    """Waits for all of it, also when some of it fails, and raises the first error then."""
    for error in await asyncio.gather(*work, return_exceptions=True):
        if error is not None:
            raise error
