"""Caches in the memory of several processes: PostgreSQL tells each what the others have committed.

Two Databases with a cache each stand for two processes here; tests/integration/test_cache_promise.py has real ones.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from time import perf_counter

import pytest

from cormorant import AsyncSession, Database, Mapped, MemoryCache, Model, One, Session, field, foreign_key, generated
from cormorant.database.cache_news import CHANNEL

pytestmark = pytest.mark.direct("a listener's connection is ended at the server")


class Shelf(Model, table="cached_shelf"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    code: Mapped[str] = field(default="")


class Board(Model, table="cached_board"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    shelf: One[Shelf] = foreign_key()


@pytest.fixture
async def processes(postgres_database: str) -> AsyncIterator[tuple[Database, Database]]:
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(Database(postgres_database, cache_backend=MemoryCache())) for _ in "12"
        ]
        await one.create_all(Shelf, Board)
        for database in (one, two):
            # before its first connection a database does not know at which isolation level it reads
            await database.ping()
            await database.caches.ready()
        yield one, two


async def saved(db: Database, *names: str) -> list[int]:
    async with AsyncSession(db) as session:
        session.add(*(shelves := [Shelf(name=name) for name in names]))
        await session.flush()
        return [shelf.id for shelf in shelves]


async def name_of(db: Database, key: int) -> tuple[str | None, int]:
    async with AsyncSession(db) as session:
        found = await session.get(Shelf, key)
        return found and found.name, sum(stats.count for stats in session.query_stats())


async def rename(db: Database, key: int, name: str) -> None:
    async with AsyncSession(db) as session:
        (await session.get_one(Shelf, key)).name = name


class Arrivals:
    """Waits until a database was told of so many commits: its listeners are told in the order in which they came."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.notes = database.listen(CHANNEL)

    async def __aenter__(self) -> Arrivals:
        await self.notes.__aenter__()
        # what was committed before may still be on its way
        async with Database(self.database.config) as other, AsyncSession(other) as session:
            await session.execute("select pg_notify('cormorant_cache', :told)", {"told": '{"n": "mark"}'})
        while "mark" not in await self.next():
            pass
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.notes.aclose()

    async def next(self) -> str:
        async with asyncio.timeout(30):
            return (await anext(self.notes)).payload


async def test_others_read_what_is_new_once_they_are_told(processes: tuple[Database, Database]) -> None:
    one, two = processes
    (key,) = await saved(one, "old")
    async with Arrivals(two) as arrivals:
        for name in ("a", "b", "c"):
            before = await name_of(two, key)
            assert await name_of(two, key) == (before[0], 0)
            await rename(one, key, name)
            # who has committed reads nothing older from then on
            assert await name_of(one, key) == (name, 1)
            await arrivals.next()
            assert await name_of(two, key) == (name, 1)


async def test_what_is_rolled_back_is_not_told(processes: tuple[Database, Database]) -> None:
    one, two = processes
    (key,) = await saved(one, "old")
    async with Arrivals(two) as arrivals:
        await name_of(two, key)
        with suppress(ZeroDivisionError):
            async with AsyncSession(one) as session:
                (await session.get_one(Shelf, key)).name = "undone"
                await session.flush()
                raise ZeroDivisionError
        await saved(one, "next")
        assert json.loads(await arrivals.next())["w"] == ["cached_shelf"]
        assert await name_of(two, key) == ("old", 0)


async def test_many_rows_are_told_as_their_table(processes: tuple[Database, Database]) -> None:
    one, two = processes
    keys = await saved(one, *(f"{number}" for number in range(3_000)))
    async with Arrivals(two) as arrivals:
        await name_of(two, keys[5])
        async with AsyncSession(one) as session:
            for shelf in await session.query(Shelf):
                shelf.name += "!"
        assert json.loads(await arrivals.next())["t"] == ["cached_shelf"]
        assert await name_of(two, keys[5]) == ("5!", 1)


async def test_one_who_cannot_be_told_believes_nothing(processes: tuple[Database, Database]) -> None:
    one, two = processes
    (key,) = await saved(one, "old")
    await name_of(two, key)
    assert await name_of(two, key) == ("old", 0)
    async with Database(one.config) as other, AsyncSession(other) as session:
        listening = "query = 'LISTEN \"cormorant_cache\"' or query like 'LISTEN%'"
        ended = await session.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "  # type: ignore[arg-type]
            f"where datname = current_database() and ({listening})",
            write=True,
        )
        assert ended.scalar() == 2
    # nobody tells it of this
    async with Database(one.config) as other, AsyncSession(other) as session:
        await session.execute("update cached_shelf set name = 'new'")
    await two.caches.ready()
    # it begins anew with nothing
    assert await name_of(two, key) == ("new", 1)
    assert await name_of(two, key) == ("new", 0)


@pytest.mark.parametrize("payload", ["", "nonsense", "{}", '{"n": 1, "r": 7}', '{"n": 1, "t": "x"}', "[" * 5000])
async def test_news_that_nobody_understands_drop_everything(processes: tuple[Database, Database], payload: str) -> None:
    _, two = processes
    (key,) = await saved(two, "old")
    await name_of(two, key)
    async with Arrivals(two) as arrivals, Database(two.config) as other, AsyncSession(other) as session:
        await session.execute("update cached_shelf set name = 'new'")
        await session.commit()
        assert await name_of(two, key) == ("old", 0)
        await session.execute("select pg_notify('cormorant_cache', :told)", {"told": payload})
        await arrivals.next()
        assert await name_of(two, key) == ("new", 1)


async def test_invalidate_tells_others(processes: tuple[Database, Database]) -> None:
    one, two = processes
    first, second = await saved(one, "a", "b")
    for key in (first, second):
        await name_of(two, key)
    async with Arrivals(two) as arrivals:
        await one.invalidate(Shelf, keys=[first])
        await arrivals.next()
        assert await name_of(two, first) == ("a", 1)
        assert await name_of(two, second) == ("b", 0)
        await one.invalidate()
        await arrivals.next()
        assert await name_of(two, second) == ("b", 1)


async def test_a_commit_is_told_once_and_costs_one_statement(processes: tuple[Database, Database]) -> None:
    one, _ = processes
    (key,) = await saved(one, "old")
    async with AsyncSession(one, max_queries=3) as session:
        found = await session.get_one(Shelf, key)
        found.name = "new"
        await session.commit()
        sent = Counter(verb for s in session.query_stats() for verb in [s.sql.split()[0]] * s.count)
    assert sent == {"SELECT": 2, "BEGIN": 1, "UPDATE": 1, "COMMIT": 1}
    # it knows its own commit: what it has read since is still there
    async with Arrivals(one) as arrivals:
        await rename(one, key, "again")
        await name_of(one, key)
        await arrivals.next()
        assert await name_of(one, key) == ("again", 0)


async def test_what_the_telling_takes_is_no_more_than_it_takes(processes: tuple[Database, Database]) -> None:
    one, _ = processes
    start = perf_counter()
    async with AsyncSession(one) as session:
        session.add(Shelf(name="a"))
    took = (perf_counter() - start) * 1000
    (told,) = [stats for stats in session.query_stats() if "pg_notify" in stats.sql]
    assert told.total_ms < took
    assert max(run.end for run in session.report().runs) < took


async def test_truncating_along_drops_what_follows(processes: tuple[Database, Database]) -> None:
    one, _ = processes
    async with AsyncSession(one) as session:
        session.add(Board(shelf=(shelf := Shelf(name="a")), name="b"))
    for _ in "12":
        async with AsyncSession(one) as session:
            await session.get_one(Board, 1)
    async with AsyncSession(one) as session:
        await session.execute("truncate cached_shelf cascade")
    async with AsyncSession(one) as session:
        assert await session.get(Board, 1) is None
        assert await session.get(Shelf, shelf.id) is None


async def test_who_writes_a_table_without_a_model_drops_everything(processes: tuple[Database, Database]) -> None:
    one, _ = processes
    (key,) = await saved(one, "old")
    async with AsyncSession(one) as session:
        await session.execute("create view cached_shelf_view as select * from cached_shelf", write=True)
    await name_of(one, key)
    async with AsyncSession(one) as session:
        # the model that it names is only read
        await session.execute("update cached_shelf_view set name = 'new' where not exists (select from cached_board)")
    assert await name_of(one, key) == ("new", 1)
    async with AsyncSession(one) as session:
        await session.execute("drop view cached_shelf_view", write=True)


async def test_a_database_that_is_not_named_is_that_of_its_name(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = MemoryCache(listens=False)
    named = Database(postgres_database, cache_backend=backend)
    assert named.config.database is not None
    monkeypatch.setenv("PGDATABASE", named.config.database)
    other = Database(replace(named.config, database=None), cache_backend=backend)
    async with named, other:
        await named.create_all(Shelf)
        await named.ping()
        (key,) = await saved(named, "old")
        await name_of(named, key)
        assert await name_of(named, key) == ("old", 0)
        await rename(other, key, "new")
        assert await name_of(named, key) == ("new", 1)


async def test_loops_one_after_another(postgres_database: str) -> None:
    """A Database may be used by one event loop after another; each listens anew, and believes nothing before."""

    def work() -> list[tuple[str | None, int]]:
        db = Database(postgres_database, cache_backend=MemoryCache())

        async def first() -> int:
            await db.create_all(Shelf)
            await db.caches.ready()
            (key,) = await saved(db, "old")
            await name_of(db, key)
            assert await name_of(db, key) == ("old", 0)
            return key

        async def second(key: int) -> list[tuple[str | None, int]]:
            await db.caches.ready()
            found = [await name_of(db, key), await name_of(db, key)]
            await db.close()
            return found

        key = asyncio.run(first())

        async def behind() -> None:
            async with Database(postgres_database) as other, AsyncSession(other) as session:
                await session.execute("update cached_shelf set name = 'new'")

        asyncio.run(behind())
        return asyncio.run(second(key))

    assert await asyncio.to_thread(work) == [("new", 1), ("new", 0)]


async def test_threads_and_loops_share_one_cache(processes: tuple[Database, Database]) -> None:
    """Sync sessions have connections, and a listener, of their own loop; what is kept is kept for all."""
    one, _ = processes
    (key,) = await saved(one, "old")

    def renamed(name: str) -> None:
        with Session(one) as session:
            session.get_one(Shelf, key).name = name

    for number in range(3):
        await name_of(one, key)
        await asyncio.to_thread(renamed, f"{number}")
        assert (await name_of(one, key))[0] == f"{number}"
