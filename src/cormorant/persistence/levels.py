"""What a transaction consists of: its options, its levels, and the statements that are still read in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from cormorant.dialects.base import IsolationLevel


@dataclass(slots=True, eq=False)
class Level:
    """A transaction, or a savepoint inside it.

    Args:
        savepoint: The savepoint's name; None for the transaction itself.
        cause: What made it fail.
        implicit: A statement opened it, rather than the user.
        uses: How often its connection was used; counted for the transaction itself.
    """

    savepoint: str | None
    cause: BaseException | None = None
    implicit: bool = False
    uses: int = 0


class OpenCursor(Protocol):
    """A statement that was not read to its end."""

    level: Level | None
    task: asyncio.Task[Any] | None

    async def abandon(self) -> None:
        """Ends it; for who holds the lock."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a transaction is begun."""

    isolation: IsolationLevel | None = None
    read_only: bool = False
    deferrable: bool = False

    def under(self, default: Options) -> Options:
        """Gives these options, and the session's where they say nothing."""
        if self is DEFAULTS or self is default:
            return default
        return Options(
            self.isolation or default.isolation,
            self.read_only or default.read_only,
            self.deferrable or default.deferrable,
        )


DEFAULTS: Options = Options()
"""What a block asks for that asks for nothing."""
