"""`RedisCache`: values in a Redis that processes share; the extra `redis`."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from cormorant._internal.narrowing import is_tuple
from cormorant.cache.backends import NOTHING, TTL, Address, Answer, Fill, Kept, check_count, check_seconds
from cormorant.cache.debts import EVERYTHING, Debts
from cormorant.cache.scripts import READ, WRITE
from cormorant.errors import ConfigurationError, DriverNotInstalled

T = TypeVar("T")
Client: TypeAlias = Any
"""A `redis.asyncio.Redis`, whose commands are typed for both of its faces at once."""

_log = logging.getLogger("cormorant.cache")

TOGETHER = 500
"""The most groups that one call asks for, or drops: Redis does nothing else meanwhile."""

MOST_OWED = 10_000
"""The most that is remembered to be dropped while Redis cannot be reached; of more, everything is."""

LONGEST = 604_800_000
"""The most milliseconds that a value is kept: a week, when its tags end too. Redis refuses much larger numbers."""

_LONGEST_PAUSE = 10.0


class RedisCache:
    """A second-level cache in Redis, or Valkey, for all processes that use it.

    Rows are kept one to a key, with everything that they rest on checked by Redis itself; only JSON is stored. A Redis
    that cannot be reached costs `timeout` once, then nothing is asked of it for a moment; one warning is logged.

    Args:
        url: Its address, "redis://:password@host:6379/0", "rediss://..." or "unix://...".
        prefix: What its keys begin with. Programs that write to one database need the same one.
        ttl: Seconds that a value is kept at most, unless its model or query says otherwise.
        timeout: Seconds that Redis has for an answer, with the connecting.
        max_connections: Connections of one event loop at most.

    Raises:
        DriverNotInstalled: The package redis is missing: pip install "cormorant[redis]".

    Example:
        >>> db = Database("postgresql://app@localhost/app", cache_backend=RedisCache("redis://localhost:6379/0"))
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        prefix: str = "cormorant",
        ttl: float = TTL,
        timeout: float = 1.0,
        max_connections: int = 20,
    ) -> None:
        self._shown: str = _shown(url)
        self._open: Callable[..., Client] = _opener(url)
        self.prefix: str = prefix
        self.ttl: float = check_seconds("ttl", ttl)
        self.timeout: float = check_seconds("timeout", timeout)
        self._max_connections = check_count("max_connections", max_connections)
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
        # which run of which server answers: what was there before it is believed no more
        self._run = ""
        self._failures = 0
        self._next_try = 0.0
        self._owed = Debts(MOST_OWED)
        self._payer: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<RedisCache {self._shown} {self.prefix!r}>"

    # ---- what caches ask for

    async def read(self, addresses: Sequence[Address], /) -> list[Answer]:
        """Gives what is kept; nothing while Redis cannot be reached, or was not yet told what to drop."""
        found: list[Answer] = []
        for start in range(0, len(addresses), TOGETHER):
            part = addresses[start : start + TOGETHER]
            found += await self._reached(partial(self._read, part)) or [NOTHING] * len(part)
        return found

    async def write(self, fills: Sequence[Fill], /) -> None:
        """Keeps what was not dropped meanwhile."""
        for start in range(0, len(fills), TOGETHER):
            part = fills[start : start + TOGETHER]
            await self._reached(partial(self._write, part))

    async def invalidate(self, groups: Collection[str], tags: Collection[str], /) -> None:
        """Drops groups and tags; what could not be dropped is, before anything else is asked of Redis."""
        await self._drop([*map(self._group, groups), *map(self._tag, tags)])

    async def clear(self) -> None:
        """Drops everything under its prefix, for all processes."""
        await self._drop([EVERYTHING])

    async def _drop(self, keys: Collection[str]) -> None:
        self._owed.add(keys)
        try:
            await self._reached(self._nothing)
        finally:
            if self._owed and (self._payer is None or self._payer.done()):
                # others may be reading what should have been dropped, though nobody asks here any more
                self._payer = asyncio.get_running_loop().create_task(self._pay_later(), context=Context())

    async def close(self) -> None:
        """Closes the connections of the running event loop."""
        payer, self._payer = self._payer, None
        if payer is not None and payer.get_loop() is asyncio.get_running_loop():
            payer.cancel()
            await asyncio.wait({payer})
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def kept(self) -> Kept:
        """Gives that this process holds nothing."""
        return Kept()

    # ---- keys

    def _group(self, group: str) -> str:
        return f"{self.prefix}:{group}"

    def _tag(self, tag: str) -> str:
        return f"{self.prefix}:tag:{tag}"

    def _tags_of(self, address: Address) -> list[str]:
        # a server that was started again, or another one in its place, may not know what was dropped last
        return [self._tag(f"run:{self._run}"), self._tag("all"), *map(self._tag, address.tags)]

    # ---- one trip each

    async def _read(self, addresses: Sequence[Address]) -> list[Answer]:
        client = await self._client()
        run = self._run
        tags = list(dict.fromkeys(tag for address in addresses for tag in self._tags_of(address)))
        keys = [*tags, *(self._group(address.group) for address in addresses)]
        args: list[str | int] = [len(tags), uuid.uuid4().hex]
        for address in addresses:
            args += [address.name, _life(address.ttl or self.ttl)]
        found: list[Any] = await client.register_script(READ)(keys=keys, args=args)
        if run != self._run:
            return [NOTHING] * len(addresses)
        tokens = dict(zip(tags, found[: len(tags)], strict=True))
        rest = found[len(tags) :]
        answers: list[Answer] = []
        for place, address in enumerate(addresses):
            lease, kept = rest[2 * place], rest[2 * place + 1]
            stamp = (lease, b",".join(tokens[tag] for tag in self._tags_of(address)))
            answers.append(Answer(_value(kept, stamp[1]), stamp))
        return answers

    async def _write(self, fills: Sequence[Fill]) -> None:
        client = await self._client()
        args: list[Any] = []
        for fill in fills:
            lease, tokens = _parts(fill.stamp)
            args += [lease, fill.address.name, tokens + b"\n" + fill.value, _life(fill.address.ttl or self.ttl)]
        await client.register_script(WRITE)(keys=[self._group(f.address.group) for f in fills], args=args)

    async def _nothing(self) -> bool:
        return True

    async def _pay(self) -> None:
        """Drops what is owed."""
        client = await self._client()
        while self._owed:
            owed, run = self._owed.some(TOGETHER), self._run
            await client.unlink(*[self._tag("all") if key == EVERYTHING else key for key in owed])
            if run == self._run:
                self._owed.paid(owed)

    # ---- a Redis that is not there

    async def _reached(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Gives what work gives; None where Redis cannot be reached, or has just shown that it cannot."""
        if self._failures and monotonic() < self._next_try:
            return None
        try:
            async with asyncio.timeout(self.timeout):
                if self._owed:
                    await self._pay()
                result = await work()
        except Exception as error:
            self._failed(error)
            return None
        if self._failures:
            self._failures = 0
            _log.info("%r answers again", self)
        return result

    def _failed(self, error: Exception) -> None:
        if not self._failures:
            _log.warning(
                "%r cannot be used, and all is read from the database meanwhile: %s: %s",
                self,
                type(error).__name__,
                str(error) or f"no answer within {self.timeout:g} s",
            )
        self._failures += 1
        self._next_try = monotonic() + self._pause()

    def _pause(self) -> float:
        return min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(self._failures - 1, 10))

    async def _pay_later(self) -> None:
        while self._owed:
            await asyncio.sleep(max(0.01, self._next_try - monotonic()))
            await self._reached(self._nothing)

    # ---- connections

    async def _client(self) -> Client:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._open(
                max_connections=self._max_connections, redis_connect_func=self._connected
            )
        if not self._run:
            # says which run of the server it is
            await client.ping()
        return client

    async def _connected(self, connection: Any) -> None:
        """Is called for each new connection, before anything is asked by it."""
        await connection.on_connect()
        from redis.exceptions import ResponseError

        try:
            await connection.send_command("INFO", "server")
            told = _text(await connection.read_response())
        except ResponseError:
            told = ""
        # a server that does not tell counts as another one each time
        self._run = next((line[7:] for line in told.splitlines() if line.startswith("run_id:")), uuid.uuid4().hex)


def _shown(url: str) -> str:
    """Gives the host and the port of an address, or its path."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 6379
    except (ValueError, TypeError, AttributeError):
        raise _unreadable() from None
    if not isinstance(url, str) or parts.scheme not in ("redis", "rediss", "unix"):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("the address of a Redis begins with redis://, rediss:// or unix://")
    return f"{host}:{port}" if host else parts.path


def _unreadable() -> ConfigurationError:
    # what the parser says goes not along: it quotes the password where that is taken for a port
    return ConfigurationError(
        "the address of the Redis cannot be read",
        hint="write redis://:password@host:6379/0, with / # and ? of a password as %2F %23 and %3F",
    )


def _opener(url: str) -> Callable[..., Client]:
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ModuleNotFoundError as error:
        raise DriverNotInstalled(
            "the package 'redis' is not installed", hint='pip install "cormorant[redis]"'
        ) from error
    make_pool: Callable[..., Any] = getattr(BlockingConnectionPool, "from_url")  # noqa: B009
    try:
        make_pool(url)
    except (ValueError, TypeError):
        raise _unreadable() from None

    def make(**options: Any) -> Client:
        # what fails is tried again by who counts the failures
        return Redis.from_pool(make_pool(url, timeout=None, retry=Retry(NoBackoff(), 0), **options))

    return make


def _life(seconds: float) -> int:
    return int(min(seconds * 1000, LONGEST)) or 1


def _value(kept: Any, tokens: bytes) -> bytes | None:
    if not isinstance(kept, bytes):
        return None
    head, found, value = kept.partition(b"\n")
    return value if found and head == tokens else None


def _parts(stamp: object) -> tuple[bytes, bytes]:
    if not is_tuple(stamp):
        raise TypeError(f"{stamp!r} is no stamp that this backend has given")
    lease, tokens = stamp
    return lease, tokens


def _text(answer: object) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
