from __future__ import annotations

import threading

import pytest

from cormorant import ConfigurationError, MemoryCache
from cormorant.cache.backends import Address, Fill


def at(group: str, name: str = "", *tags: str, ttl: float | None = None) -> Address:
    return Address(group, name, tags, ttl)


async def put(cache: MemoryCache, address: Address, value: bytes) -> None:
    (answer,) = await cache.read([address])
    assert answer.stamp is not None
    await cache.write([Fill(address, answer.stamp, value)])


async def found(cache: MemoryCache, *addresses: Address) -> list[bytes | None]:
    return [answer.value for answer in await cache.read(addresses)]


async def test_what_is_kept_is_given_until_its_group_is_dropped() -> None:
    cache = MemoryCache()
    first, second, other = at("row", "a"), at("row", "b"), at("other")
    for address, value in ((first, b"1"), (second, b"2"), (other, b"3")):
        await put(cache, address, value)
    assert await found(cache, first, second, other) == [b"1", b"2", b"3"]
    await cache.invalidate(["row"], [])
    assert await found(cache, first, second, other) == [None, None, b"3"]
    assert cache.kept().entries == 1


async def test_what_rests_on_a_tag_is_dropped_with_it() -> None:
    cache = MemoryCache()
    rests, free = at("a", "", "tag", "more"), at("b", "", "more")
    await put(cache, rests, b"1")
    await put(cache, free, b"2")
    await cache.invalidate([], ["tag"])
    assert await found(cache, rests, free) == [None, b"2"]
    await put(cache, rests, b"3")
    assert await found(cache, rests) == [b"3"]


@pytest.mark.parametrize("dropped", [(["row"], []), ([], ["tag"]), None])
async def test_a_slow_reader_keeps_nothing_that_was_dropped_meanwhile(
    dropped: tuple[list[str], list[str]] | None,
) -> None:
    cache = MemoryCache()
    address = at("row", "", "tag")
    (answer,) = await cache.read([address])
    await (cache.clear() if dropped is None else cache.invalidate(*dropped))
    assert answer.stamp is not None
    await cache.write([Fill(address, answer.stamp, b"old")])
    assert await found(cache, address) == [None]
    assert cache.kept() == MemoryCache().kept()


async def test_a_slow_reader_keeps_nothing_after_more_drops_than_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cormorant.cache.memory.REMEMBERED", 3)
    cache, address = MemoryCache(), at("row")
    (answer,) = await cache.read([address])
    for number in range(10):
        await cache.invalidate([f"row{number}" if number else "row"], [])
    assert answer.stamp is not None
    await cache.write([Fill(address, answer.stamp, b"old")])
    assert await found(cache, address) == [None]


async def test_what_was_kept_outlives_the_drops_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cormorant.cache.memory.REMEMBERED", 3)
    cache, address = MemoryCache(), at("row")
    await put(cache, address, b"1")
    for number in range(10):
        await cache.invalidate([f"other{number}"], [])
    assert await found(cache, address) == [b"1"]


async def test_the_least_recently_used_are_given_up() -> None:
    cache = MemoryCache(max_entries=3)
    for name in "abc":
        await put(cache, at(name), name.encode())
    await found(cache, at("a"))
    await put(cache, at("d"), b"d")
    assert await found(cache, *map(at, "abcd")) == [b"a", None, b"c", b"d"]
    assert cache.kept().entries == 3


async def test_the_bytes_are_limited_too() -> None:
    cache = MemoryCache(max_bytes=10_000)
    for number in range(100):
        await put(cache, at(f"row{number}"), b"x" * 1_000)
        assert cache.kept().bytes <= 10_000
    assert 5 <= cache.kept().entries < 10
    await put(cache, at("large"), b"x" * 20_000)
    # what cannot be kept drives out nothing
    assert cache.kept().entries >= 5
    await cache.clear()
    assert cache.kept().bytes == 0


async def test_values_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("cormorant.cache.memory.monotonic", lambda: now)
    cache = MemoryCache(ttl=10)
    await put(cache, at("usual"), b"1")
    await put(cache, at("short", ttl=5), b"2")
    now += 6
    assert await found(cache, at("usual"), at("short")) == [b"1", None]
    now += 5
    assert await found(cache, at("usual")) == [None]
    assert cache.kept().entries == 0


def test_threads_may_share_it() -> None:
    cache = MemoryCache(max_entries=50)
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(2_000):
                address = at(f"row{(number * seed) % 70}", "", "tag")
                step = cache.read([address])
                with pytest.raises(StopIteration) as end:
                    step.send(None)
                (answer,) = end.value.value
                with pytest.raises(StopIteration):
                    cache.write([Fill(address, answer.stamp, b"x" * (number % 9))]).send(None)
                if number % 7 == 0:
                    cache.drop([address.group], ["tag"] if number % 70 == 0 else [])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert cache.kept().entries <= 50
    for number in range(70):
        cache.drop([f"row{number}"], [])
    assert cache.kept() == MemoryCache().kept()


@pytest.mark.parametrize("options", [{"max_entries": 0}, {"max_bytes": -1}, {"ttl": 0}, {"ttl": True}, {"ttl": None}])
def test_options_that_mean_nothing_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        MemoryCache(**options)
