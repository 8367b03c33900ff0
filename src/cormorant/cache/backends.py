"""What a second-level cache is kept in: the contract of a backend, and the one that keeps nothing."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cormorant.errors import ConfigurationError

TTL = 300.0
"""Seconds that a value is kept at most, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value is kept, and what it rests on.

    Args:
        group: What is dropped together: all that is kept of one row, in whichever form.
        name: Which value of the group.
        tags: What else it rests on: it is of no use once one of them was dropped.
        ttl: Seconds that it is kept at most; None for the backend's own.
    """

    group: str
    name: str
    tags: tuple[str, ...]
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend has at an address.

    Args:
        value: The value; None if there is none.
        stamp: Tells what was dropped of the group and of the tags until now: equal stamps, nothing dropped in between.
            None where nothing can be written, because the backend cannot be reached.
    """

    value: bytes | None
    stamp: Hashable | None


NOTHING = Answer(None, None)
"""There is no value, and nothing can be written."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A value to be kept; `stamp` is that of the answer that was there before the value was read."""

    address: Address
    stamp: Hashable
    value: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """How much a backend holds in this process."""

    entries: int = 0
    bytes: int = 0


class CacheBackend(Protocol):
    """Keeps values until they are dropped, or too old.

    The one promise that matters: a value is never kept, nor given, if its group or one of its tags was dropped after
    its stamp was given. No method raises for want of a server: it has nothing then, and says so in a log.
    """

    async def read(self, addresses: Sequence[Address], /) -> list[Answer]:
        """Gives what is kept at addresses, in their order, with the stamps that values written later need."""
        ...

    async def write(self, fills: Sequence[Fill], /) -> None:
        """Keeps values, but for those whose group or tags were dropped since their stamps were given."""
        ...

    async def invalidate(self, groups: Collection[str], tags: Collection[str], /) -> None:
        """Drops groups, and all values that rest on tags; on return nobody is given them any more."""
        ...

    async def clear(self) -> None:
        """Drops everything."""
        ...

    async def close(self) -> None:
        """Lets go of connections of the running event loop; it may be used again."""
        ...

    def kept(self) -> Kept:
        """Gives how much it holds in this process."""
        ...


@runtime_checkable
class LocalBackend(Protocol):
    """A backend in the memory of one process: others have to be told what to drop.

    Args:
        listens: Whether it is to be told what other processes have written.
    """

    listens: bool

    def drop(self, groups: Collection[str], tags: Collection[str], /) -> None:
        """Drops at once, from any thread, like `invalidate`."""
        ...


class NoOpCache:
    """Keeps nothing: `AsyncSession(cache_backend=NoOpCache())` reads past the database's cache, and still tidies it."""

    async def read(self, addresses: Sequence[Address], /) -> list[Answer]:
        """Gives nothing."""
        return [NOTHING] * len(addresses)

    async def write(self, fills: Sequence[Fill], /) -> None:
        """Keeps nothing."""

    async def invalidate(self, groups: Collection[str], tags: Collection[str], /) -> None:
        """Has nothing to drop."""

    async def clear(self) -> None:
        """Has nothing to drop."""

    async def close(self) -> None:
        """Has nothing to close."""

    def kept(self) -> Kept:
        """Gives that it holds nothing."""
        return Kept()


def check_seconds(name: str, given: object) -> float:
    """Refuses what is no number of seconds.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given < float("inf"):
        raise ConfigurationError(f"{name}={given!r}", hint="give seconds, more than 0")
    return float(given)


def check_count(name: str, given: object) -> int:
    """Refuses what is no number from 1.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ConfigurationError(f"{name}={given!r}", hint="give a whole number, from 1")
    return given
