"""A Redis that ends, hangs, comes back with older data, or holds what somebody else has put there."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import redis.asyncio

from cormorant import AsyncSession, ConfigurationError, Database, Mapped, Model, RedisCache, generated
from cormorant.cache.backends import Address, Fill
from tests.support import redis_server
from tests.support.redis_server import OwnRedis


class Lamp(Model, table="cached_lamp"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


def cache_at(server: OwnRedis, **options: Any) -> RedisCache:
    return RedisCache(server.url, **{"prefix": "lamps", "timeout": 2.0, **options})


@pytest.fixture
async def db(tmp_path: Path, own_redis: OwnRedis) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path}/test.db", cache_backend=cache_at(own_redis)) as database:
        await database.create_all(Lamp)
        yield database


async def saved(db: Database, name: str) -> int:
    async with AsyncSession(db) as session:
        session.add(lamp := Lamp(name=name))
        await session.flush()
        return lamp.id


async def name_of(db: Database, key: int) -> tuple[str | None, int]:
    async with AsyncSession(db) as session:
        found = await session.get(Lamp, key)
        return found and found.name, sum(stats.count for stats in session.query_stats())


async def rename(db: Database, key: int, name: str) -> None:
    async with AsyncSession(db) as session:
        (await session.get_one(Lamp, key)).name = name


async def eventually(db: Database, key: int, expected: tuple[str, int]) -> None:
    """Waits until Redis is used again."""
    async with asyncio.timeout(30):
        while await name_of(db, key) != expected:
            await asyncio.sleep(0.05)


async def test_a_redis_that_ends_is_missed_by_nobody(
    db: Database, own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    key = await saved(db, "a")
    await name_of(db, key)
    assert await name_of(db, key) == ("a", 0)
    own_redis.kill()
    with caplog.at_level(logging.INFO, "cormorant.cache"):
        for name in ("b", "c"):
            for _ in range(3):
                await name_of(db, key)
            await rename(db, key, name)
            assert await name_of(db, key) == (name, 1)
        told = [record for record in caplog.records if record.name == "cormorant.cache"]
        warned = [record for record in told if record.levelno >= logging.WARNING]
        assert len(warned) == 1
        assert "cannot be used" in warned[0].message
        own_redis.start()
        await eventually(db, key, ("c", 0))
    told = [record for record in caplog.records if record.name == "cormorant.cache"]
    assert told[-1].message.endswith("answers again")


async def test_what_could_not_be_dropped_is_dropped_before_anything_is_read(
    db: Database, own_redis: OwnRedis, tmp_path: Path
) -> None:
    """The server is only out of reach, keeps what it has, and others may go on reading it: not for long."""
    key, others = await saved(db, "old"), cache_at(own_redis)
    async with Database(f"sqlite:///{tmp_path}/test.db", cache_backend=others) as other:
        for database in (db, other):
            await name_of(database, key)
            assert await name_of(database, key) == ("old", 0)
        with own_redis.frozen():
            await rename(db, key, "new")
            # who has committed reads nothing older, though nobody could be told
            assert await name_of(db, key) == ("new", 1)
        # and tells them without being asked again
        async with asyncio.timeout(30):
            while (await name_of(other, key))[0] != "new":
                await asyncio.sleep(0.05)
        await eventually(db, key, ("new", 0))


async def test_more_than_can_be_remembered_is_dropped_as_a_whole(
    db: Database, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cast(RedisCache, db.caches.backends[0])._owed, "_most", 3)
    keys = [await saved(db, name) for name in "abcd"]
    for key in keys:
        await name_of(db, key)
    with own_redis.frozen():
        async with AsyncSession(db) as session:
            for lamp in await session.query(Lamp):
                lamp.name += "!"
    for key, name in zip(keys, "abcd", strict=True):
        assert (await name_of(db, key))[0] == f"{name}!"
    await eventually(db, keys[0], ("a!", 0))


async def test_a_server_that_comes_back_with_older_data_is_not_believed(db: Database, own_redis: OwnRedis) -> None:
    key = await saved(db, "old")
    await name_of(db, key)
    assert await name_of(db, key) == ("old", 0)
    admin = redis.asyncio.Redis.from_url(own_redis.url)
    await admin.save()
    kept = await admin.keys("lamps:*")
    await rename(db, key, "new")
    assert (await name_of(db, key))[0] == "new"
    # a crash: what was dropped since is there again
    await admin.aclose()
    own_redis.kill()
    own_redis.start()
    admin = redis.asyncio.Redis.from_url(own_redis.url)
    assert set(await admin.keys("lamps:*")) == set(kept)
    await admin.aclose()
    fresh = cache_at(own_redis)
    async with Database(db.config, cache_backend=fresh) as other:
        assert await name_of(other, key) == ("new", 1)
        assert await name_of(other, key) == ("new", 0)
    assert (await name_of(db, key))[0] == "new"


async def test_a_server_that_hangs_is_asked_once(
    db: Database, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, asked = await saved(db, "a"), 0
    backend = cache_at(own_redis, timeout=0.2)
    client = backend._client

    async def counted() -> Any:
        nonlocal asked
        asked += 1
        return await client()

    monkeypatch.setattr(backend, "_client", counted)
    async with Database(db.config, cache_backend=backend) as other:
        await name_of(other, key)
        with own_redis.frozen(), monkeypatch.context() as moment:
            # however slow the machine is
            moment.setattr("cormorant.cache.redis.monotonic", lambda: 10**9)
            asked = 0
            for _ in range(5):
                assert (await name_of(other, key))[0] == "a"
            assert asked == 1
        backend._next_try = 0.0
        await eventually(other, key, ("a", 0))


async def test_what_somebody_has_put_there_is_neither_run_nor_believed(
    db: Database, own_redis: OwnRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (print, ("executed",))

    key = await saved(db, "a")
    admin = redis.asyncio.Redis.from_url(own_redis.url)
    for value in (pickle.dumps(Bomb()), b"", b"\n", b"[[1]]", b'[["x","y"]]', b'[[2,"b"]]', b"[" * 99_999):
        await name_of(db, key)
        assert await name_of(db, key) == ("a", 0)
        (row,) = await admin.keys("lamps:*:row:*")
        for name, kept in (await admin.hgetall(row)).items():
            if name:
                head = kept.partition(b"\n")[0]
                await admin.hset(row, name, head + b"\n" + value)
        assert await name_of(db, key) == ("a", 1)
    for spoil in (lambda: admin.set(row, "x"), lambda: admin.lpush(row, "x"), lambda: admin.delete(row)):
        await admin.delete(row)
        await spoil()
        assert await name_of(db, key) == ("a", 1)
        assert await name_of(db, key) == ("a", 0)
    for tag in await admin.keys("lamps:tag:*"):
        await admin.delete(tag)
        await admin.lpush(tag, "x")
    assert await name_of(db, key) == ("a", 1)
    assert await name_of(db, key) == ("a", 0)
    await admin.aclose()
    assert capsys.readouterr().out == ""


async def test_keys_that_redis_gives_up_are_read_again(redis_url: str, tmp_path: Path) -> None:
    backend = RedisCache(redis_url, prefix=f"test-{uuid4().hex}", timeout=5)
    async with Database(f"sqlite:///{tmp_path}/test.db", cache_backend=backend) as db:
        await db.create_all(Lamp)
        key = await saved(db, "a")
        admin = redis.asyncio.Redis.from_url(redis_url)
        for pattern in ("tag:*", "*:row:*", "*"):
            await name_of(db, key)
            assert await name_of(db, key) == ("a", 0)
            await admin.delete(*await admin.keys(f"{backend.prefix}:{pattern}"))
            assert await name_of(db, key) == ("a", 1)
        assert all([0 < await admin.pttl(row) <= 300_000 for row in await admin.keys(f"{backend.prefix}:*:row:*")])
        await backend.clear()
        assert await name_of(db, key) == ("a", 1)
        await admin.aclose()
    redis_server.forget(redis_url, backend.prefix)


async def test_who_read_before_a_drop_keeps_nothing(redis_url: str) -> None:
    cache = RedisCache(redis_url, prefix=f"test-{uuid4().hex}", timeout=5)
    address = Address("row", "form", ("tag",))
    for groups, tags in ((["row"], []), ([], ["tag"])):
        (before,) = await cache.read([address])
        await cache.invalidate(groups, tags)
        (after,) = await cache.read([address])
        assert before.stamp is not None
        assert after.stamp is not None
        assert before.stamp != after.stamp
        await cache.write([Fill(address, before.stamp, b"old")])
        assert (await cache.read([address]))[0].value is None
        await cache.write([Fill(address, after.stamp, b"new")])
        assert (await cache.read([address]))[0].value == b"new"
    await cache.close()
    redis_server.forget(redis_url, cache.prefix)


async def test_a_cancelled_caller_leaves_nothing_undone(db: Database, own_redis: OwnRedis) -> None:
    key = await saved(db, "old")
    await name_of(db, key)
    read, frozen = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with AsyncSession(db) as session:
            lamp = await session.get_one(Lamp, key)
            read.set()
            await frozen.wait()
            lamp.name = "new"

    task = asyncio.create_task(change())
    await read.wait()
    async with Database(db.config) as plain, asyncio.timeout(30):
        with own_redis.frozen():
            frozen.set()
            # it is committed, and Redis cannot be told
            while (await name_of(plain, key))[0] != "new":
                pass
            assert not task.done()
            task.cancel()
            await asyncio.wait([task])
    assert (await name_of(db, key))[0] == "new"


def test_its_password_is_shown_nowhere() -> None:
    cache = RedisCache("redis://user:hunter2@localhost:6379/0")
    assert "hunter2" not in repr(cache)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/@host/0",
        "redis://app:hunter2#x@host/0",
        "redis://host/0?db=hunter2",
        "redis://:hunter2@[::1",
        5,
    ],
)
def test_its_password_is_shown_by_no_refusal(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="address") as caught:
        RedisCache(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


async def fill(backend: RedisCache, ttl: float) -> None:
    address = Address("result:1", "rows", ("reads:lamp",), ttl)
    (answer,) = await backend.read([address])
    assert answer.value is None
    await backend.write([Fill(address, answer.stamp, b"[]")])
    assert (await backend.read([address]))[0].value == b"[]"


async def test_a_value_lives_no_longer_than_it_says_where_one_was_that_lived_longer(own_redis: OwnRedis) -> None:
    backend, admin = cache_at(own_redis, prefix="lives"), redis.asyncio.Redis.from_url(own_redis.url)
    for ttl in (1000, 50, 1000):
        await fill(backend, ttl)
        await backend.invalidate([], ["reads:lamp"])
    # it is not made longer again: what else is kept with it may be older
    assert 0 < await admin.pttl("lives:result:1") <= 50_000
    await backend.close()
    await admin.aclose()


async def test_what_is_to_be_kept_for_ever_is_kept_as_long_as_anything(own_redis: OwnRedis) -> None:
    backend, admin = cache_at(own_redis, prefix="ever"), redis.asyncio.Redis.from_url(own_redis.url)
    await fill(backend, 1e30)
    assert 0 < await admin.pttl("ever:result:1") <= 7 * 24 * 3600 * 1000
    await backend.close()
    await admin.aclose()
