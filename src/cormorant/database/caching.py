"""The second-level caches of a database: who is asked, who loads, and who is told what was written."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from getpass import getuser
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from cormorant._internal.narrowing import is_iterable
from cormorant.adapters.asking import ask
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.dsn import MEMORY
from cormorant.adapters.notifying import Notifying
from cormorant.cache.backends import NOTHING, Address, Answer, CacheBackend, Fill, LocalBackend, NoOpCache
from cormorant.cache.codec import NotKept, Row, decode, encode
from cormorant.database.cache_news import CHANNEL, CacheNews, News
from cormorant.database.invalidation import Invalidation, digest
from cormorant.database.stats import CacheStats
from cormorant.errors import ConfigurationError, WrongType
from cormorant.models.keys import checked_key
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model

if TYPE_CHECKING:
    from cormorant.database.database import Database

_log = logging.getLogger("cormorant.cache")

MOST_BACKENDS = 10
"""Backends that one database is used with at most: more are made in vain."""

Rows: TypeAlias = list[Row]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What somebody has read from the database.

    Args:
        found: Rows by the place of the address they belong to; none where there is no row.
        is_kept: It was read outside of a transaction: what it says is committed.
    """

    found: Mapping[int, Rows]
    is_kept: bool


@dataclass(slots=True)
class Counts:
    """How often something was asked, found, kept and dropped."""

    hits: int = 0
    misses: int = 0
    fills: int = 0
    invalidations: int = 0


Load: TypeAlias = Callable[[list[int]], Awaitable[Loaded]]
Accept: TypeAlias = Callable[[int, Rows], bool]
Note: TypeAlias = Callable[[int, int], None]


class Cache:
    """One backend, as the connections of one event loop use it: of several who miss the same thing one loads it.

    Args:
        backend: Where values are kept.
        space: What is dropped together.
        counts: Where it counts.
        is_on: Whether what is kept can be believed.
        identity: Whose values they are: two databases may share a backend.
    """

    def __init__(
        self, backend: CacheBackend, space: str, counts: Counts, is_on: Callable[[], bool], identity: str
    ) -> None:
        self.backend = backend
        self.space = space
        self.counts = counts
        self.is_on = is_on
        self.identity = identity
        self._flights: dict[Hashable, asyncio.Future[Mapping[Address, Rows]]] = {}

    async def ask(
        self, addresses: Sequence[Address], load: Load, accept: Accept, note: Note, timeout: float | None = None
    ) -> dict[int, Rows]:
        """Gives rows by the places of their addresses, but for those that the caller has loaded himself.

        Args:
            addresses: What is wanted.
            load: Reads from the database what is at these places.
            accept: Whether what was kept can be what is at a place.
            note: Is told how many were found, and how many were not.
            timeout: Seconds that the caller waits for somebody else who loads.
        """
        given: dict[int, Rows] = {}
        left = list(range(len(addresses)))
        while left:
            answers = await self._read([addresses[place] for place in left])
            missing: dict[int, Hashable | None] = {}
            for place, answer in zip(left, answers, strict=True):
                rows = None if answer.value is None else decode(answer.value)
                if rows is not None and accept(place, rows):
                    given[place] = rows
                else:
                    missing[place] = answer.stamp
            self.counts.hits += len(left) - len(missing)
            self.counts.misses += len(missing)
            note(len(left) - len(missing), len(missing))
            left = await self._missed(addresses, missing, load, given, timeout)
        return given

    async def _read(self, addresses: Sequence[Address]) -> list[Answer]:
        if self.is_on():
            try:
                answers = await self.backend.read(addresses)
            except Exception:
                _log.exception("%r failed, and the database is read instead", self.backend)
            else:
                # it may be off by now, and know less than it should
                if self.is_on() and len(answers) == len(addresses):
                    return answers
        return [NOTHING] * len(addresses)

    async def _missed(
        self,
        addresses: Sequence[Address],
        missing: Mapping[int, Hashable | None],
        load: Load,
        given: dict[int, Rows],
        timeout: float | None,
    ) -> list[int]:
        """Loads what nobody loads, and waits for the rest; gives the places of which there is still no answer."""
        loop = asyncio.get_running_loop()
        awaited: dict[int, asyncio.Future[Mapping[Address, Rows]]] = {}
        mine: dict[int, Hashable | None] = {}
        for place, stamp in missing.items():
            # with an equal stamp: nothing was dropped since the other one has begun to read
            flight = None if stamp is None else self._flights.get(_flight(addresses[place], stamp))
            if flight is None or flight.get_loop() is not loop:
                mine[place] = stamp
            else:
                awaited[place] = flight
        if mine:
            await self._load(addresses, mine, load)
        if awaited:
            await asyncio.wait(set(awaited.values()), timeout=timeout)
        left: list[int] = []
        for place, flight in awaited.items():
            if not flight.done() or flight.cancelled():
                # who loads is slow, was cancelled, or has failed, which is his own affair
                left.append(place)
            elif addresses[place] in flight.result():
                given[place] = flight.result()[addresses[place]]
        late = [place for place in left if not awaited[place].done()]
        if late:
            await load(late)
        return [place for place in left if awaited[place].done()]

    async def _load(self, addresses: Sequence[Address], mine: Mapping[int, Hashable | None], load: Load) -> None:
        done: asyncio.Future[Mapping[Address, Rows]] = asyncio.get_running_loop().create_future()
        flights = [_flight(addresses[place], stamp) for place, stamp in mine.items() if stamp is not None]
        self._flights.update(dict.fromkeys(flights, done))
        try:
            loaded = await load(list(mine))
            if loaded.is_kept:
                done.set_result({addresses[place]: rows for place, rows in loaded.found.items()})
                await self._keep(addresses, mine, loaded)
        finally:
            # does nothing unless the loading failed, was cancelled, or has read what may be rolled back
            done.cancel()
            for flight in flights:
                if self._flights.get(flight) is done:
                    del self._flights[flight]

    async def _keep(self, addresses: Sequence[Address], stamps: Mapping[int, Hashable | None], loaded: Loaded) -> None:
        fills: list[Fill] = []
        for place, rows in loaded.found.items():
            stamp = stamps[place]
            if stamp is not None:
                try:
                    fills.append(Fill(addresses[place], stamp, encode(rows)))
                except NotKept as error:
                    _log.debug("a value of type %s is not kept in caches", error)
        if fills:
            self.counts.fills += len(fills)
            try:
                await self.backend.write(fills)
            except Exception:
                _log.exception("%r failed to keep what was read", self.backend)


def _flight(address: Address, stamp: Hashable) -> Hashable:
    return address, stamp


# ------------------------------------------------------------------ all of a database


@dataclass(slots=True)
class Shared:
    """What the connections of one database have in common, whichever event loop they are of.

    Args:
        space: What is dropped together.
        default: The backend of sessions that bring none.
        backends: Every backend that was ever used with the database, in this process.
        told: Those in memory, which other processes tell what they have written.
    """

    space: str
    default: CacheBackend | None
    backends: list[CacheBackend] = field(default_factory=list[CacheBackend])
    told: list[LocalBackend] = field(default_factory=list[LocalBackend])
    counts: Counts = field(default_factory=Counts)
    news: News = field(default_factory=News)
    own: str = field(default_factory=lambda: uuid4().hex)


class Caches:
    """Every cache that is used with one database: whichever session writes, all of them are tidied.

    Args:
        database: The database.
        shared: What it has in common with the same database on other event loops.
    """

    def __init__(self, database: Database, shared: Shared) -> None:
        self._database = database
        self._shared = shared
        # asked before anything is done for caches
        self.backends: list[CacheBackend] = shared.backends
        self._caches: dict[int, Cache] = {}
        self._news: CacheNews | None = None

    # ---- asking

    def of_session(self, backend: CacheBackend | None) -> Cache | None:
        """Gives the cache of a session: of the backend that it brings, else of the database's; None without one."""
        chosen = self._shared.default if backend is None else _checked(backend)
        if chosen is None or isinstance(chosen, NoOpCache) or self._database.is_borrowed:
            return None
        return self.of(chosen)

    def of(self, backend: CacheBackend) -> Cache:
        """Gives the cache of a backend, which is tidied from now on by all who write."""
        found = self._caches.get(id(backend))
        if found is None:
            local = backend if isinstance(backend, LocalBackend) else None
            told = local if local is not None and local.listens and self._database.dialect.notify is not None else None
            if not any(one is backend for one in self.backends):
                if told is not None:
                    self._check_listening(backend)
                    self._shared.told.append(told)
                if len(self.backends) == MOST_BACKENDS:
                    raise ConfigurationError(
                        f"{MOST_BACKENDS} backends are used with {self._database!r}, and each is told of all writes",
                        hint="make a backend once for the program, not for each session",
                    )
                self.backends.append(backend)
            identity = _identity_of(self._database.config, self._shared, local=local is not None)
            is_on = _always if told is None else self._listens
            found = self._caches[id(backend)] = Cache(backend, self._shared.space, self._shared.counts, is_on, identity)
        return found

    def _check_listening(self, backend: CacheBackend) -> None:
        adapter = self._database.adapter
        if not isinstance(adapter, Notifying):
            raise ConfigurationError(
                f"{backend!r} cannot be told what other processes write: {adapter!r} does not listen",
                hint="MemoryCache(listens=False) is for programs of one process; RedisCache is shared",
            )
        adapter.check_channels((CHANNEL,))

    @property
    def notifies(self) -> bool:
        """Whether transactions that write have to tell other processes of it."""
        return bool(self._shared.told)

    def _listens(self) -> bool:
        switchboard = self._database.switchboard
        if self._news is None and switchboard is not None:
            self._news = CacheNews(switchboard, self._shared.news, self._apply)
        return self._news is not None and self._news.listens()

    async def ready(self) -> None:
        """Waits until what is kept in memory can be believed; at once, unless others have to tell what they write."""
        if self._shared.told and not self._listens() and self._news is not None:
            await self._news.ready()

    # ---- telling

    async def invalidate(self, what: Invalidation, *, told: bool = False) -> None:
        """Drops what was written, in every backend; on return this process reads nothing older any more.

        Args:
            what: What was written.
            told: It is committed, and the notification about it has nothing new for this process.
        """
        shared = self._shared
        shared.counts.invalidations += 1
        groups, tags = what.groups(shared.space), what.tags(shared.space)
        for backend in list(self.backends):
            try:
                await backend.invalidate(groups, tags)
            except Exception:
                _log.exception("%r failed to drop what was written, and may give it until it expires", backend)
        if told and what.number:
            shared.news.applied(what.number)

    def _apply(self, what: Invalidation) -> None:
        """Drops what another process has written."""
        shared = self._shared
        shared.counts.invalidations += 1
        groups, tags = what.groups(shared.space), what.tags(shared.space)
        for backend in list(shared.told):
            backend.drop(groups, tags)

    # ---- life

    def stats(self) -> CacheStats:
        """Gives how they are used."""
        counts, kept = self._shared.counts, [backend.kept() for backend in self.backends]
        entries, size = sum(one.entries for one in kept), sum(one.bytes for one in kept)
        return CacheStats(counts.hits, counts.misses, counts.fills, counts.invalidations, entries, size)

    def beside(self, database: Database) -> Caches:
        """Gives the caches for the same database with connections of another event loop."""
        return Caches(database, self._shared)

    async def close(self) -> None:
        """Closes what backends have open on the running event loop."""
        for backend in self.backends:
            try:
                await backend.close()
            except Exception:
                _log.exception("%r failed to close", backend)


def _always() -> bool:
    return True


def caches_of(database: Database, backend: CacheBackend | None) -> Caches:
    """Gives the caches of a new database: none yet, if it has no backend."""
    made = Caches(database, Shared(_space_of(database.config), None if backend is None else _checked(backend)))
    made.of_session(backend)
    return made


async def forget(database: Database, models: Sequence[type[Model]], keys: Iterable[Any] | None = None) -> None:
    """Drops what is cached of models, here and in other processes.

    Raises:
        WrongType: What is given is no model, or no key of it.
    """
    what = _named(models, keys)
    caches = database.caches
    await caches.invalidate(what)
    if caches.notifies and database.dialect.notify is not None:
        await ask(database.adapter, database.dialect.notify, (CHANNEL, what.payload()), database.timeout)


def _named(models: Sequence[type[Model]], keys: Iterable[Any] | None) -> Invalidation:
    what = Invalidation()
    for model in models:
        info = getattr(model, "__info__", None) if isinstance(model, type) else None  # pyright: ignore[reportUnnecessaryIsInstance]
        if not isinstance(info, ModelInfo):
            raise WrongType(f"{model!r} is no model with a table", hint="await db.invalidate(Author)")
        if keys is None:
            what.add_tables((info.table,))
    if keys is None:
        what.everything = not models
        return what
    if len(models) != 1 or isinstance(keys, (str, bytes)) or not is_iterable(keys):
        raise WrongType(
            "invalidate() takes a list of keys, of one model", hint="await db.invalidate(Author, keys=[1, 2])"
        )
    for key in keys:
        what.add_key(models[0].__info__.table, checked_key(models[0].__info__, key))
    return what


def _checked(backend: Any) -> CacheBackend:
    names = ("read", "write", "invalidate", "clear", "close", "kept")
    if isinstance(backend, type) or not all(hasattr(backend, name) for name in names):
        raise ConfigurationError(
            f"cache_backend={backend!r} is no cache backend", hint="give MemoryCache(), RedisCache(url) or NoOpCache()"
        )
    return backend  # type: ignore[no-any-return]


def _space_of(config: ConnectionConfig) -> str:
    """Gives what is dropped together; coarse, because one database may be reached by several addresses and users."""
    name = _named_by(config) if config.path is None else os.path.realpath(config.path)
    return digest(f"{config.scheme} {name}")[:12]


def _named_by(config: ConnectionConfig) -> str:
    """Gives the database's name, as the server takes it where none is given: that of the user."""
    environ = os.environ
    given = config.database or environ.get("PGDATABASE") or config.user or environ.get("PGUSER")
    try:
        return given or getuser()
    except (KeyError, ImportError, OSError):
        # nor would the driver know it
        return ""


def _identity_of(config: ConnectionConfig, shared: Shared, *, local: bool) -> str:
    """Gives whose values they are: another address, user or search path may see other rows."""
    place = (config.scheme, config.addresses, config.database, config.path and os.path.realpath(config.path))
    # a file may be another one tomorrow, and what is in memory is nobody else's
    alone = shared.own if config.path == MEMORY or (local and config.scheme == "sqlite") else ""
    return repr((place, config.user, sorted(config.server_settings.items()), alone))
