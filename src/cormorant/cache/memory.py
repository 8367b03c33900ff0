"""`MemoryCache`: values in the memory of the process, the least recently used given up first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias

from cormorant.cache.backends import TTL, Address, Answer, Fill, Kept, check_count, check_seconds

REMEMBERED = 100_000
"""Dropped groups that are remembered for those who read their rows before; the oldest are assumed dropped anew."""

OVERHEAD = 250
"""Bytes that an entry takes beside its value, about."""

_Tags: TypeAlias = tuple[int, ...]
Stamp: TypeAlias = tuple[int, _Tags]
"""When the group was dropped last, and when each of the tags was."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    tags: _Tags
    expires: float


class MemoryCache:
    """A second-level cache in the memory of the process; threads and event loops may share it.

    On PostgreSQL the processes of a program tell each other what they have written, by NOTIFY in the transaction that
    writes. On SQLite they cannot: there it is for programs of one process.

    Args:
        max_entries: Rows and results that it keeps at most; the least recently used are given up.
        max_bytes: Bytes that they take at most, about.
        ttl: Seconds that one is kept at most, unless its model or query says otherwise.
        listens: Whether it is told what other processes have written. False is for programs of one process.

    Example:
        >>> db = Database("postgresql://app@localhost/app", cache_backend=MemoryCache(max_bytes=256 * 2**20))
    """

    def __init__(
        self, *, max_entries: int = 10_000, max_bytes: int = 64 * 2**20, ttl: float = TTL, listens: bool = True
    ) -> None:
        self.max_entries: int = check_count("max_entries", max_entries)
        self.max_bytes: int = check_count("max_bytes", max_bytes)
        self.ttl: float = check_seconds("ttl", ttl)
        self.listens: bool = listens
        self._lock = threading.Lock()
        self._groups: OrderedDict[str, dict[str, _Entry]] = OrderedDict()
        self._entries = 0
        self._bytes = 0
        # drops are numbered
        self._number = 0
        self._tags: dict[str, int] = {}
        self._dropped: OrderedDict[str, int] = OrderedDict()
        # groups that are not remembered count as dropped then
        self._floor = 0
        # so do tags, after everything was dropped
        self._cleared = 0

    def __repr__(self) -> str:
        return f"<MemoryCache: {self._entries} entries, {self._bytes} bytes>"

    async def read(self, addresses: Sequence[Address], /) -> list[Answer]:
        """Gives what is kept."""
        now = monotonic()
        with self._lock:
            return [self._answer(address, now) for address in addresses]

    def _answer(self, address: Address, now: float) -> Answer:
        tags = self._tags_now(address)
        stamp = (self._dropped.get(address.group, self._floor), tags)
        group = self._groups.get(address.group)
        entry = None if group is None else group.get(address.name)
        if group is None or entry is None:
            return Answer(None, stamp)
        if entry.expires <= now or entry.tags != tags:
            self._forget(address.group, group, address.name)
            return Answer(None, stamp)
        self._groups.move_to_end(address.group)
        return Answer(entry.value, stamp)

    def _tags_now(self, address: Address) -> _Tags:
        return tuple([self._tags.get(tag, self._cleared) for tag in address.tags])

    def _forget(self, name: str, group: dict[str, _Entry], entry: str) -> None:
        self._count(name, entry, group.pop(entry), -1)
        if not group:
            del self._groups[name]

    async def write(self, fills: Sequence[Fill], /) -> None:
        """Keeps what was not dropped meanwhile."""
        now = monotonic()
        with self._lock:
            for fill in fills:
                self._write(fill, now)
            while self._entries > self.max_entries or self._bytes > self.max_bytes:
                name, group = self._groups.popitem(last=False)
                self._uncount(name, group)

    def _write(self, fill: Fill, now: float) -> None:
        address, tags = fill.address, self._tags_now(fill.address)
        if fill.stamp != (self._dropped.get(address.group, self._floor), tags):
            return
        if len(fill.value) + OVERHEAD > self.max_bytes:
            # it would only drive out all the others
            return
        group = self._groups.setdefault(address.group, {})
        before = group.pop(address.name, None)
        if before is not None:
            self._count(address.group, address.name, before, -1)
        ttl = self.ttl if address.ttl is None else address.ttl
        entry = group[address.name] = _Entry(fill.value, tags, now + ttl)
        self._count(address.group, address.name, entry, 1)
        self._groups.move_to_end(address.group)

    def _count(self, group: str, name: str, entry: _Entry, sign: int) -> None:
        self._entries += sign
        self._bytes += sign * (len(entry.value) + len(group) + len(name) + OVERHEAD)

    def _uncount(self, name: str, group: dict[str, _Entry]) -> None:
        for entry_name, entry in group.items():
            self._count(name, entry_name, entry, -1)

    async def invalidate(self, groups: Collection[str], tags: Collection[str], /) -> None:
        """Drops groups and tags."""
        self.drop(groups, tags)

    def drop(self, groups: Collection[str], tags: Collection[str], /) -> None:
        """Drops groups and tags, from any thread."""
        with self._lock:
            self._number += 1
            for tag in tags:
                self._tags[tag] = self._number
            for name in groups:
                self._dropped[name] = self._number
                self._dropped.move_to_end(name)
                group = self._groups.pop(name, None)
                if group is not None:
                    self._uncount(name, group)
            while len(self._dropped) > REMEMBERED:
                _, self._floor = self._dropped.popitem(last=False)

    async def clear(self) -> None:
        """Drops everything."""
        with self._lock:
            self._number += 1
            self._cleared = self._floor = self._number
            self._tags.clear()
            self._dropped.clear()
            self._groups.clear()
            self._entries = self._bytes = 0

    async def close(self) -> None:
        """Has nothing to close; what is kept stays."""

    def kept(self) -> Kept:
        """Gives how much it holds."""
        return Kept(self._entries, self._bytes)
