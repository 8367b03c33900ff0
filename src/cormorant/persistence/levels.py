"""What a transaction consists of: its options, its levels, and the statements that are still read in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cormorant.dialects.base import IsolationLevel
from cormorant.errors import CormorantError


@dataclass(slots=True, eq=False)
class Level:
    """A transaction, or a savepoint inside it.

    Args:
        savepoint: The savepoint's name; None for the transaction itself.
        cause: What made it fail.
        implicit: A statement opened it, rather than the user.
        uses: How often its connection was used; counted for the transaction itself.
        has_leftover: A savepoint inside of it was gone back to, and is still there.
    """

    savepoint: str | None
    cause: BaseException | None = None
    implicit: bool = False
    uses: int = 0
    has_leftover: bool = False


def savepoint_name(levels: Sequence[Level]) -> str:
    """Gives the name of a savepoint inside of those that are open."""
    # by its depth: a new name each time would be a new statement each time
    return f"cormorant_{len(levels)}"


def summary(cause: BaseException) -> str:
    """Gives one line for what made a level fail."""
    text = cause.message if isinstance(cause, CormorantError) else str(cause)
    first = text.splitlines()[0] if text else ""
    return f"{type(cause).__name__}: {first}" if first else type(cause).__name__


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
