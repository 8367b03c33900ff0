"""The second-level cache: what it may give, and what it must never give, in memory and in Redis, on both databases."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from cormorant import (
    AsyncSession,
    CacheBackend,
    CacheUse,
    ConfigurationError,
    Database,
    Many,
    Mapped,
    MemoryCache,
    Model,
    ModelError,
    NoOpCache,
    One,
    QueryError,
    RedisCache,
    Scope,
    Session,
    StaleObjectError,
    SyncDatabase,
    WrongType,
    field,
    foreign_key,
    func,
    generated,
    many_to_many,
    ref,
    reverse,
    text,
)
from cormorant.testing.sandbox import Sandbox
from tests.support import kept_tables, redis_server
from tests.support.cancelling import When, cancelled_at


class Firm(Model, table="cached_firm"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    people: Many[Person] = reverse("firm")


class Person(Model, table="cached_person"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    org: Mapped[int] = field(default=1)
    firm: One[Firm | None] = foreign_key(on_delete="cascade", default=None)
    skills: Many[Skill] = many_to_many()


class Skill(Model, table="cached_skill"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


class Account(Model, table="cached_account"):
    id: Mapped[int] = generated(primary_key=True)
    amount: Mapped[int]
    version: Mapped[int] = generated(version=True)


class Secret(Model, table="cached_secret"):
    id: Mapped[int] = generated(primary_key=True)
    pin: Mapped[str] = field(sensitive=True)


class Told(Model, table="cached_told", cache=True):
    id: Mapped[int] = generated(primary_key=True)
    pin: Mapped[str] = field(sensitive=True)


class Never(Model, table="cached_never", cache=False):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


class Colour(enum.Enum):
    red = "r"
    blue = "b"


class Every(Model, table="cached_every"):
    number: Mapped[Decimal] = field(primary_key=True)
    tag: Mapped[UUID] = field(primary_key=True)
    flag: Mapped[bool | None] = field(default=None)
    ratio: Mapped[float | None] = field(default=None)
    big: Mapped[int | None] = field(default=None)
    moment: Mapped[datetime | None] = field(default=None)
    day: Mapped[date | None] = field(default=None)
    hour: Mapped[time | None] = field(default=None)
    span: Mapped[timedelta | None] = field(default=None)
    data: Mapped[bytes | None] = field(default=None)
    document: Mapped[dict[str, Any] | None] = field(default=None)
    labels: Mapped[list[str] | None] = field(default=None)
    colour: Mapped[Colour | None] = field(default=None)


MODELS = (Firm, Person, Skill, Account, Secret, Told, Never, Every)


@pytest.fixture(params=["sqlite memory", "postgresql memory", "postgresql redis"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, CacheBackend]]:
    """A database and what is kept of it."""
    database, backend = request.param.split()
    # asked for by name, so that a run on SQLite alone starts no server
    dsn = request.getfixturevalue("postgres_database") if database == "postgresql" else f"sqlite:///{tmp_path}/test.db"
    if backend == "memory":
        yield dsn, MemoryCache()
        return
    url, prefix = request.getfixturevalue("redis_url"), f"test-{uuid4().hex}"
    yield dsn, RedisCache(url, prefix=prefix, ttl=60, timeout=5)
    redis_server.forget(url, prefix)


@pytest.fixture
async def db(both: tuple[str, CacheBackend], keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(both[0], cache_backend=both[1]) as database:
        await kept_tables.prepare(database, both[0], *MODELS)
        await database.caches.ready()
        yield database


async def saved(db: Database, *objects: Any) -> None:
    async with AsyncSession(db) as session:
        session.add(*objects)


async def counted(db: Database, work: Callable[[AsyncSession], Awaitable[Any]], **options: Any) -> tuple[Any, int]:
    """Gives what work gives in a session of its own, and how many statements were sent for it."""
    async with AsyncSession(db, **options) as session:
        found = await work(session)
        return found, sum(stats.count for stats in session.query_stats())


async def name_of(db: Database, model: type[Any], key: Any, **options: Any) -> tuple[str | None, int]:
    """Gives an object's name, and the statements that it took."""
    found, statements = await counted(db, lambda session: session.get(model, key), **options)
    return found and found.name, statements


async def behind_its_back(db: Database, sql: str) -> None:
    """Writes as another program does that knows nothing of the cache."""
    async with Database(db.config) as other, AsyncSession(other) as session:
        await session.execute(text(sql))  # type: ignore[arg-type]


# ------------------------------------------------------------------ what is found


async def test_a_row_is_read_once(db: Database) -> None:
    await saved(db, firm := Firm(name="Ada & Co"))
    assert [await name_of(db, Firm, firm.id) for _ in range(3)] == [("Ada & Co", 1), ("Ada & Co", 0), ("Ada & Co", 0)]
    stats = db.stats()
    assert (stats.cache.hits, stats.cache.misses, stats.cache.fills) == (2, 1, 1)
    assert stats.as_dict()["cache_hits"] == 2


async def test_a_session_knows_what_it_found(db: Database) -> None:
    await saved(db, *(firms := [Firm(name=name) for name in "ab"]))
    await name_of(db, Firm, firms[0].id)
    session = AsyncSession(db)
    async with session:
        await session.get_many(Firm, [firm.id for firm in firms])
        # what it holds already is asked of nobody
        await session.get(Firm, firms[0].id)
    assert session.cache_stats() == CacheUse(hits=1, misses=1)
    told = dict(dict(session.report().figures)["cache"])
    assert (told["hits"], told["misses"]) == (1, 1)
    assert dict(dict(db.report().figures)["cache"])["misses"] == 2
    session.reset_query_stats()
    assert session.cache_stats() == CacheUse(hits=0, misses=0)


async def test_get_many_reads_what_is_missing(db: Database) -> None:
    await saved(db, *(firms := [Firm(name=name) for name in "abcd"]))
    keys = [firm.id for firm in firms]
    await counted(db, lambda session: session.get_many(Firm, keys[:2]))
    found, statements = await counted(db, lambda session: session.get_many(Firm, [*reversed(keys), 99_999]))
    assert [firm.name for firm in found] == ["d", "c", "b", "a"]
    assert statements == 1
    async with AsyncSession(db) as session:
        assert len(await session.get_many(Firm, keys)) == 4
        assert session.query_stats() == []
        # and what is there already is one object
        assert await session.get(Firm, keys[0]) is (await session.get_many(Firm, keys))[0]


async def test_references_are_found_with_those_beside_them(db: Database) -> None:
    firms = [Firm(name=name) for name in "abc"]
    await saved(db, *firms, *(Person(name=firm.name, firm=firm) for firm in firms))

    async def names(session: AsyncSession) -> list[str]:
        people = await session.query(Person).order_by(Person.id)
        return [firm.name for person in people if (firm := await person.firm) is not None]

    assert await counted(db, names) == (["a", "b", "c"], 2)
    assert await counted(db, names) == (["a", "b", "c"], 1)


async def test_references_of_cached_objects_are_loaded_together(db: Database) -> None:
    firms = [Firm(name=name) for name in "abc"]
    await saved(db, *firms, *(people := [Person(name=firm.name, firm=firm) for firm in firms]))
    keys = [person.id for person in people]
    await counted(db, lambda session: session.get_many(Person, keys))

    async def names(session: AsyncSession) -> list[str]:
        return [firm.name for person in await session.get_many(Person, keys) if (firm := await person.firm)]

    assert await counted(db, names) == (["a", "b", "c"], 1)


async def test_there_is_nothing_where_there_is_no_row(db: Database) -> None:
    assert await name_of(db, Firm, 4711) == (None, 1)
    await saved(db, Firm(id=4711, name="new"))
    assert await name_of(db, Firm, 4711) == ("new", 1)


async def test_sync_sessions_share_it(database_dsn: str) -> None:
    db = SyncDatabase(Database(database_dsn, cache_backend=MemoryCache(listens=False)))

    def work() -> None:
        with db:
            db.create_all(*MODELS)
            with Session(db) as session:
                session.add(firm := Firm(name="a"), Person(name="p", firm=firm))
            for statements in (1, 0):
                with Session(db) as session:
                    person = session.query(Person).cached().one()
                    assert person.firm is not None
                    assert person.firm.name == "a"
                    assert sum(stats.count for stats in session.query_stats()) == 2 * statements
            with Session(db) as session:
                session.get_one(Firm, firm.id).name = "b"
            with Session(db) as session:
                assert session.get_one(Firm, firm.id).name == "b"
            db.invalidate(Firm, keys=[firm.id])

    await asyncio.to_thread(work)


# ------------------------------------------------------------------ what is dropped


async def test_a_commit_is_seen_by_the_next_read(db: Database) -> None:
    await saved(db, firm := Firm(name="0"))
    for number in range(1, 4):
        assert (await name_of(db, Firm, firm.id))[0] == str(number - 1)
        async with AsyncSession(db) as session:
            (await session.get_one(Firm, firm.id)).name = str(number)
        assert await name_of(db, Firm, firm.id) == (str(number), 1)
    async with AsyncSession(db) as session:
        session.delete(await session.get_one(Firm, firm.id))
    assert await name_of(db, Firm, firm.id) == (None, 1)


async def updated(session: AsyncSession, key: int) -> None:
    await session.query(Firm).filter(Firm.id == key).update(Firm.name.set("new"))


async def upserted(session: AsyncSession, key: int) -> None:
    await session.query(Firm).upsert([{"id": key, "name": "new"}], on=[Firm.id])


async def by_sql(session: AsyncSession, key: int) -> None:
    await session.execute('update "cached_firm" set name = :name where id = :id', {"name": "new", "id": key})


async def by_sql_that_names_nothing(session: AsyncSession, key: int) -> None:
    await by_sql(session, key)
    await session.execute("select 1", write=True)


async def flushed(session: AsyncSession, key: int) -> None:
    (await session.get_one(Firm, key)).name = "new"


@pytest.mark.parametrize("autocommit", [False, True])
async def test_every_way_to_write_drops_what_it_changes(db: Database, autocommit: bool) -> None:
    for write in (updated, upserted, by_sql, by_sql_that_names_nothing, flushed):
        await saved(db, firm := Firm(name="old"), other := Firm(name="other"))
        await name_of(db, Firm, firm.id)
        await name_of(db, Firm, other.id)
        async with AsyncSession(db, autocommit=autocommit) as session:
            await write(session, firm.id)
        assert await name_of(db, Firm, firm.id) == ("new", 1), write
        # a flush knows which row it has changed
        assert await name_of(db, Firm, other.id) == ("other", 0 if write is flushed else 1), write


async def test_deleted_rows_take_along_what_is_kept_of_others(db: Database) -> None:
    await saved(db, firm := Firm(name="a"), person := Person(name="p", firm=firm), Firm(name="b"))
    await name_of(db, Person, person.id)
    async with AsyncSession(db) as session:
        session.delete(await session.get_one(Firm, firm.id))
    assert await name_of(db, Person, person.id) == (None, 1)
    await saved(db, firm := Firm(name="c"), person := Person(name="q", firm=firm))
    await name_of(db, Person, person.id)
    async with AsyncSession(db) as session:
        await session.query(Firm).filter(Firm.name == "c").delete()
    assert await name_of(db, Person, person.id) == (None, 1)


async def test_what_is_rolled_back_was_never_there(db: Database) -> None:
    await saved(db, firm := Firm(name="old"))
    await name_of(db, Firm, firm.id)
    async with AsyncSession(db) as session:
        (await session.get_one(Firm, firm.id)).name = "undone"
        await session.flush()
        session.clear()
        # its own transaction reads the database
        assert (await session.get_one(Firm, firm.id)).name == "undone"
        assert (await name_of(db, Firm, firm.id))[0] == "old"
        await session.rollback()
        assert (await session.get_one(Firm, firm.id)).name == "old"
    assert await name_of(db, Firm, firm.id) == ("old", 0)
    with suppress(ZeroDivisionError):
        async with AsyncSession(db) as session:
            session.add(new := Firm(name="new"))
            await session.flush()
            key = new.id
            session.clear()
            await session.get(Firm, key)
            await session.get_many(Firm, [key])
            raise ZeroDivisionError
    assert await name_of(db, Firm, key) == (None, 1)


async def test_a_savepoint_that_is_rolled_back_keeps_the_rest(db: Database) -> None:
    await saved(db, firm := Firm(name="old"))
    await name_of(db, Firm, firm.id)
    async with AsyncSession(db) as session, session.transaction():
        found = await session.get_one(Firm, firm.id)
        found.name = "outer"
        with suppress(ZeroDivisionError):
            async with session.transaction():
                found.name = "inner"
                await session.flush()
                raise ZeroDivisionError
    assert await name_of(db, Firm, firm.id) == ("outer", 1)


# ------------------------------------------------------------------ what reads past it


async def test_transactions_locks_and_refreshes_read_the_database(db: Database) -> None:
    await saved(db, account := Account(amount=1))
    await counted(db, lambda session: session.get(Account, account.id))
    await behind_its_back(db, 'update "cached_account" set amount = 2')

    async def in_transaction(session: AsyncSession) -> int:
        async with session.transaction():
            return (await session.get_one(Account, account.id)).amount

    async def locked(session: AsyncSession) -> int:
        return (await session.get_one(Account, account.id, for_update=True)).amount

    async def refreshed(session: AsyncSession) -> int:
        found = await session.get_one(Account, account.id)
        assert found.amount == 1
        await session.refresh(found)
        return found.amount

    async def at_one_moment(session: AsyncSession) -> int:
        return (await session.get_one(Account, account.id)).amount

    for work in (in_transaction, locked, refreshed):
        assert (await counted(db, work))[0] == 2
    assert (await counted(db, at_one_moment, isolation="serializable"))[0] == 2
    # none of them has changed what is kept
    assert await counted(db, at_one_moment) == (1, 0)
    await db.invalidate(Account, keys=[account.id])
    assert await counted(db, at_one_moment) == (2, 1)


async def test_unsaved_changes_are_written_before_as_ever(db: Database) -> None:
    async with AsyncSession(db) as session:
        session.add(Firm(id=77, name="pending"))
        found = await session.get(Firm, 77)
        assert found is not None
        assert found.name == "pending"
    assert await name_of(db, Firm, 77) == ("pending", 1)


async def test_rows_in_part_are_not_kept(db: Database) -> None:
    await saved(db, firm := Firm(name="a"))
    async with AsyncSession(db) as session:
        (partial,) = await session.query(Firm).only(Firm.id)
        # what it lacks is read, and what it has is not mixed with what was there before
        await partial
        assert partial.name == "a"
    assert db.stats().cache.fills <= 1
    assert (await name_of(db, Firm, firm.id))[0] == "a"


async def test_a_session_may_leave_it_out_and_still_tidies_it(db: Database) -> None:
    await saved(db, firm := Firm(name="old"))
    await name_of(db, Firm, firm.id)
    assert await name_of(db, Firm, firm.id, cache_backend=NoOpCache()) == ("old", 1)
    async with AsyncSession(db, cache_backend=NoOpCache()) as session:
        (await session.get_one(Firm, firm.id)).name = "new"
    assert await name_of(db, Firm, firm.id) == ("new", 1)


@pytest.mark.direct("a pooler gives nobody notifications")
async def test_a_session_may_bring_one_of_its_own(database_dsn: str) -> None:
    mine = MemoryCache()
    async with Database(database_dsn) as db:
        await db.create_all(*MODELS)
        await saved(db, firm := Firm(name="old"))
        await name_of(db, Firm, firm.id, cache_backend=mine)
        await db.caches.ready()
        await name_of(db, Firm, firm.id, cache_backend=mine)
        assert await name_of(db, Firm, firm.id, cache_backend=mine) == ("old", 0)
        assert await name_of(db, Firm, firm.id) == ("old", 1)
        # whoever writes
        async with AsyncSession(db) as session:
            (await session.get_one(Firm, firm.id)).name = "new"
        assert await name_of(db, Firm, firm.id, cache_backend=mine) == ("new", 1)


async def test_what_a_sandbox_undoes_is_not_kept(db: Database) -> None:
    await saved(db, firm := Firm(name="old"))
    async with Sandbox(db):
        async with AsyncSession(db) as session:
            (await session.get_one(Firm, firm.id)).name = "undone"
        assert (await name_of(db, Firm, firm.id))[0] == "undone"
    assert (await name_of(db, Firm, firm.id))[0] == "old"


async def test_models_say_whether_they_are_kept(db: Database) -> None:
    await saved(db, secret := Secret(pin="1"), told := Told(pin="2"), never := Never(name="n"))
    for model, key, again in ((Secret, secret.id, 1), (Told, told.id, 0), (Never, never.id, 1)):
        await counted(db, lambda session: session.get(model, key))  # noqa: B023
        assert (await counted(db, lambda session: session.get(model, key)))[1] == again  # noqa: B023


Asked = Callable[[AsyncSession], Awaitable[Any]]


@pytest.mark.parametrize(
    "asked",
    [
        lambda s: s.query(Secret).cached().all(),
        lambda s: s.query(Secret).cached().values(Secret.id, Secret.pin),
        lambda s: (
            s.query(Secret).cached().values(func.count(), func.lower(Secret.pin)).group_by(func.lower(Secret.pin))
        ),
        lambda s: s.query(Secret).cached().aggregate(func.max(Secret.pin)),
        lambda s: s.query(Secret).order_by(Secret.pin).cached().scalars(Secret.id).page(1),
        lambda s: s.query(Secret).scalars(Secret.pin).union(s.query(Told).scalars(Told.pin)).cached().all(),
    ],
)
async def test_a_result_that_shows_what_is_secret_is_not_kept(db: Database, asked: Asked) -> None:
    await saved(db, Secret(pin="1"), Secret(pin="2"), Told(pin="3"))
    assert [(await counted(db, asked))[1] for _ in range(2)] == [1, 1]
    assert db.stats().cache.fills == 0


@pytest.mark.parametrize(
    "asked",
    [
        lambda s: s.query(Secret).cached().only(Secret.id).all(),
        lambda s: s.query(Secret).filter(Secret.pin == "1").cached().count(),
        lambda s: s.query(Secret).order_by(Secret.pin).cached().scalars(Secret.id),
        # it says that its rows may be kept
        lambda s: s.query(Told).cached().all(),
    ],
)
async def test_one_that_shows_nothing_secret_is_kept(db: Database, asked: Asked) -> None:
    await saved(db, Secret(pin="1"), Told(pin="3"))
    assert [(await counted(db, asked))[1] for _ in range(2)] == [1, 0]


# ------------------------------------------------------------------ who loads


class Slow(MemoryCache):
    """Lets a test go on while somebody is about to ask, or to keep what he has read."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb: str | None = verb
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def _stop(self, verb: str) -> None:
        if self.verb == verb:
            # the first one alone
            self.verb = None
            self.reached.set()
            await self.go_on.wait()

    async def read(self, addresses: Any, /) -> Any:
        found = await super().read(addresses)
        await self._stop("read")
        return found

    async def write(self, fills: Any, /) -> None:
        await self._stop("write")
        await super().write(fills)


@pytest.mark.direct("a pooler gives nobody notifications")
@pytest.mark.parametrize("write", [updated, by_sql, flushed])
async def test_a_slow_reader_keeps_nothing_old(
    database_dsn: str, write: Callable[[AsyncSession, int], Awaitable[None]]
) -> None:
    slow = Slow("write")
    async with Database(database_dsn, cache_backend=slow) as db:
        await db.create_all(*MODELS)
        await db.caches.ready()
        await saved(db, firm := Firm(name="old"))
        reader = asyncio.create_task(name_of(db, Firm, firm.id))
        await slow.reached.wait()
        async with AsyncSession(db, cache_backend=NoOpCache()) as session:
            await write(session, firm.id)
        slow.go_on.set()
        assert await reader == ("old", 1)
        assert await name_of(db, Firm, firm.id) == ("new", 1)


@pytest.mark.direct("a pooler gives nobody notifications")
async def test_nobody_joins_one_who_began_before_a_commit(database_dsn: str) -> None:
    slow = Slow("write")
    async with Database(database_dsn, cache_backend=slow) as db:
        await db.create_all(*MODELS)
        await db.caches.ready()
        await saved(db, firm := Firm(name="old"))
        reader = asyncio.create_task(name_of(db, Firm, firm.id))
        await slow.reached.wait()
        async with AsyncSession(db, cache_backend=NoOpCache()) as session:
            await flushed(session, firm.id)
        assert await name_of(db, Firm, firm.id) == ("new", 1)
        slow.go_on.set()
        assert await reader == ("old", 1)


@pytest.mark.direct("a pooler gives nobody notifications")
async def test_what_a_task_reads_in_the_transaction_of_another_is_not_kept(database_dsn: str) -> None:
    slow = Slow("read")
    async with Database(database_dsn, cache_backend=slow) as db:
        await db.create_all(*MODELS)
        await db.caches.ready()
        await saved(db, firm := Firm(name="old"))
        async with AsyncSession(db) as session:
            reader = asyncio.create_task(session.get_one(Firm, firm.id))
            await slow.reached.wait()
            # the session's transaction begins while the reader waits for the cache
            await updated(session, firm.id)
            slow.go_on.set()
            assert (await reader).name == "new"
            await session.rollback()
        assert await name_of(db, Firm, firm.id) == ("old", 1)


@pytest.mark.direct("a pooler gives nobody notifications")
async def test_what_is_kept_is_not_given_to_a_transaction_of_another_task(database_dsn: str) -> None:
    slow = Slow("later")
    async with Database(database_dsn, cache_backend=slow) as db:
        await db.create_all(*MODELS)
        await db.caches.ready()
        await saved(db, firm := Firm(name="old"))
        await name_of(db, Firm, firm.id)
        slow.verb = "read"
        async with AsyncSession(db) as session:
            reader = asyncio.create_task(session.get_one(Firm, firm.id))
            await slow.reached.wait()
            await updated(session, firm.id)
            slow.go_on.set()
            assert (await reader).name == "new"


async def test_one_loads_for_all(db: Database) -> None:
    await saved(db, firm := Firm(name="a"))
    before = db.stats().statements.count
    found = await asyncio.gather(*(name_of(db, Firm, firm.id) for _ in range(20)))
    assert {name for name, _ in found} == {"a"}
    assert db.stats().statements.count - before == 1


async def test_one_who_is_cancelled_hangs_nobody(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await saved(db, firm := Firm(name="a"))
    reached, fetch = asyncio.Event(), Database.fetch

    async def stuck(*args: Any, **options: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        return await fetch(*args, **options)

    monkeypatch.setattr(Database, "fetch", stuck)
    leader = asyncio.create_task(name_of(db, Firm, firm.id))
    await reached.wait()
    others = [asyncio.create_task(name_of(db, Firm, firm.id)) for _ in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    leader.cancel()
    found = await asyncio.gather(*others)
    assert [name for name, _ in found] == ["a"] * 5
    assert leader.cancelled()


async def test_one_who_fails_fails_alone(db: Database) -> None:
    await saved(db, firm := Firm(name="a"))
    many = [name_of(db, Firm, firm.id, **({"max_queries": 0} if not number else {})) for number in range(5)]
    found = await asyncio.gather(*many, return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["QueryBudgetExceeded", *["tuple"] * 4]


class Broken(MemoryCache):
    """Fails in whatever it does."""

    async def read(self, addresses: Any, /) -> Any:
        raise OSError("read")

    async def invalidate(self, groups: Any, tags: Any, /) -> None:
        raise OSError("invalidate")


async def test_a_backend_that_fails_fails_nobody(database_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Database(database_dsn, cache_backend=Broken(listens=False)) as db:
        await db.create_all(*MODELS)
        await saved(db, firm := Firm(name="a"))
        assert await name_of(db, Firm, firm.id) == ("a", 1)
    assert "OSError: read" in caplog.text
    assert "OSError: invalidate" in caplog.text


# ------------------------------------------------------------------ versions


async def test_a_stale_object_is_no_lost_update(db: Database) -> None:
    await saved(db, account := Account(amount=1))
    await counted(db, lambda session: session.get(Account, account.id))
    await behind_its_back(db, 'update "cached_account" set amount = 10, version = version + 1')
    with pytest.raises(StaleObjectError):
        async with AsyncSession(db) as session:
            (await session.get_one(Account, account.id)).amount += 1
    # whoever tries again has what is there now
    async with AsyncSession(db) as session:
        (await session.get_one(Account, account.id)).amount += 1
    assert (await counted(db, lambda session: session.get_one(Account, account.id)))[0].amount == 11


# ------------------------------------------------------------------ scopes


def tenant(org: int) -> Scope[Person]:
    return Scope(Person, lambda person: person.org == org, name="tenant")


async def test_tenants_see_their_own(db: Database) -> None:
    await saved(db, one := Person(name="one", org=1), two := Person(name="two", org=2))
    for _ in range(2):
        for org in (1, 2):
            for person, visible in ((one, org == 1), (two, org == 2)):
                name, _ = await name_of(db, Person, person.id, scopes=[tenant(org)])
                assert name == (person.name if visible else None)
    assert await name_of(db, Person, one.id, scopes=[tenant(1)]) == ("one", 0)
    assert await name_of(db, Person, one.id) == ("one", 1)
    async with AsyncSession(db) as session:
        (await session.get_one(Person, one.id)).org = 2
    assert await name_of(db, Person, one.id, scopes=[tenant(1)]) == (None, 1)
    assert await name_of(db, Person, one.id, scopes=[tenant(2)]) == ("one", 1)


async def test_scopes_that_read_other_tables(db: Database) -> None:
    await saved(db, firm := Firm(name="open"), person := Person(name="p", firm=firm))
    scope = Scope(Firm, lambda firm: firm.people.any(Person.name == "p"), name="staffed")
    for expected in (("open", 1), ("open", 0)):
        assert await name_of(db, Firm, firm.id, scopes=[scope]) == expected
    count = lambda session: session.query(Firm).cached().count()  # noqa: E731
    for expected in ((1, 1), (1, 0)):
        assert await counted(db, count, scopes=[scope]) == expected
    async with AsyncSession(db) as session:
        (await session.get_one(Person, person.id)).name = "q"
    assert await name_of(db, Firm, firm.id, scopes=[scope]) == (None, 1)
    assert await counted(db, count, scopes=[scope]) == (0, 1)


# ------------------------------------------------------------------ values


async def test_every_type_comes_back_exactly(db: Database) -> None:
    key = (Decimal("12.3400"), UUID(int=7))
    whole = Every(
        number=key[0],
        tag=key[1],
        flag=True,
        ratio=0.1 + 0.2,
        big=2**31 - 1,
        moment=datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
        day=date(1999, 12, 31),
        hour=time(23, 59, 59, 999999),
        span=timedelta(days=-3, microseconds=1),
        data=b"\x00\xff",
        document={"a": [1, 2.5, None, {"t": "x"}], "n": "1"},
        labels=["", "x", 'quo"te'],
        colour=Colour.blue,
    )
    await saved(db, whole, Every(number=Decimal(1), tag=UUID(int=8)))
    for number, tag in (key, (Decimal("1.0"), UUID(int=8))):
        read, first = await counted(db, lambda session: session.get_one(Every, (number, tag)))  # noqa: B023
        kept, again = await counted(db, lambda session: session.get_one(Every, (number, tag)))  # noqa: B023
        assert (first, again) == (1, 0)
        for name in Every.__info__.fields:
            one, other = getattr(read, name), getattr(kept, name)
            assert (repr(one), type(one)) == (repr(other), type(other)), name
    async with AsyncSession(db) as session:
        found = await session.get_one(Every, key)
        assert found.document is not None
        assert not session.dirty
        found.document["a"] = []
    async with AsyncSession(db) as session:
        found = await session.get_one(Every, key)
        assert found.document == {"a": [], "n": "1"}


async def test_keys_that_a_database_finds_equal(db: Database) -> None:
    await saved(db, Every(number=Decimal(2), tag=UUID(int=9), big=1))
    for number in (Decimal("2"), Decimal("2.00"), Decimal("2.0000")):
        await counted(db, lambda session: session.get_one(Every, (number, UUID(int=9))))  # noqa: B023
    async with AsyncSession(db) as session:
        (await session.get_one(Every, (Decimal("2.0"), UUID(int=9)))).big = 2
    for number in (Decimal("2"), Decimal("2.00"), Decimal("2.0000")):
        found, _ = await counted(db, lambda session: session.get_one(Every, (number, UUID(int=9))))  # noqa: B023
        assert found.big == 2


class Word(Model, table="cached_word"):
    name: Mapped[str] = field(primary_key=True)
    count: Mapped[int] = field(default=0)


async def test_keys_of_a_column_without_case(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/words.db", cache_backend=MemoryCache()) as db:
        async with AsyncSession(db) as session:
            await session.execute(
                "create table cached_word (name text collate nocase primary key not null, count integer not null)"
            )
            session.add(Word(name="Owl"))
        for number in range(1, 3):
            for key in ("Owl", "OWL", "owl"):
                found, _ = await counted(db, lambda session: session.get_one(Word, key))  # noqa: B023
                assert (found.name, found.count) == ("Owl", number - 1)
            async with AsyncSession(db) as session:
                session.add(word := ref(Word, "oWL"))
                word.count = number


# ------------------------------------------------------------------ results of queries


async def test_results_are_kept_where_a_query_asks_for_it(db: Database) -> None:
    await saved(db, *(Firm(name=name) for name in "ba"))
    by_name = lambda session: session.query(Firm).order_by(Firm.name)  # noqa: E731
    for work, expected in (
        (lambda s: by_name(s).cached().scalars(Firm.name), ["a", "b"]),
        (lambda s: by_name(s).cached().values(Firm.name, Firm.name), [("a", "a"), ("b", "b")]),
        (lambda s: by_name(s).limit(9).values(Firm.name).cached(ttl=60), [("a",), ("b",)]),
        (lambda s: by_name(s).as_dicts(Firm.name.label("n")).cached(), [{"n": "a"}, {"n": "b"}]),
        (lambda s: s.query(Firm).cached().count(), 2),
        (lambda s: s.query(Firm).filter(Firm.name == "zz").cached().exists(), False),
        (lambda s: s.query(Firm).cached().aggregate(func.max(Firm.name)), "b"),
        (lambda s: s.query(Firm).filter(Firm.name == "zz").cached(), []),
    ):
        assert await counted(db, work) == (expected, 1)
        assert await counted(db, work) == (expected, 0)
        # the same without it
    assert await counted(db, lambda s: by_name(s).scalars(Firm.name)) == (["a", "b"], 1)
    for _ in range(2):
        firms, statements = await counted(db, lambda s: by_name(s).cached().page(1))
        assert [firm.name for firm in firms.items] == ["a"]
        rest, _ = await counted(db, lambda s: by_name(s).cached().page(1, after=firms.next))  # noqa: B023
        assert [firm.name for firm in rest.items] == ["b"]
    assert statements == 0


async def test_objects_of_kept_results_are_the_sessions(db: Database) -> None:
    await saved(db, firm := Firm(name="a"), Person(name="p", firm=firm), Person(name="q", firm=firm))

    async def work(session: AsyncSession) -> list[tuple[str, str]]:
        known = await session.get_one(Firm, firm.id)
        people = await session.query(Person).order_by(Person.name).select_related(Person.firm).cached()
        assert all(person.firm is known for person in people)
        assert (await session.query(Person).order_by(Person.name).cached())[0] is people[0]
        people[0].name += ""
        return [(person.name, known.name) for person in people]

    assert (await counted(db, work))[0] == [("p", "a"), ("q", "a")]
    assert await counted(db, work) == ([("p", "a"), ("q", "a")], 0)


async def test_what_comes_along_is_kept_too(db: Database) -> None:
    await saved(db, firm := Firm(name="a"), *(Person(name=name, firm=firm) for name in "qp"))

    async def work(session: AsyncSession) -> list[str]:
        (found,) = await session.query(Firm).prefetch_related(Firm.people.order_by(Person.name)).cached()
        return [person.name for person in found.people]

    assert await counted(db, work) == (["p", "q"], 2)
    assert await counted(db, work) == (["p", "q"], 0)
    await saved(db, Person(name="o", firm=ref(Firm, firm.id)))
    assert await counted(db, work) == (["o", "p", "q"], 1)


async def test_a_result_goes_with_any_table_that_it_reads(db: Database) -> None:
    firm, skill = Firm(name="a"), Skill(name="s")
    person = Person(name="p", firm=firm)
    person.skills.add(skill)
    await saved(db, person)
    queries: dict[str, Callable[[AsyncSession], Awaitable[Any]]] = {
        "join": lambda s: s.query(Person).values(Person.name, Person.firm.name).cached(),
        "subquery": lambda s: s.query(Firm).filter(Firm.people.any(Person.name == "p")).cached().count(),
        "links": lambda s: s.query(Person).filter(Person.skills.any(Skill.name == "s")).cached().count(),
        "text": lambda s: s.query(Skill).filter(text("exists (select 1 from cached_person)")).cached().count(),
        "sql": lambda s: s.query(Skill).from_sql("select * from cached_skill").cached(),
    }
    reads = {
        "join": {"firm", "person"},
        "subquery": {"firm", "person"},
        "links": {"person", "skill", "link"},
        "text": {"firm", "person", "skill", "link"},
        "sql": {"firm", "person", "skill", "link"},
    }

    async def renamed(model: type[Any], key: int) -> None:
        async with AsyncSession(db) as session:
            (await session.get_one(model, key)).name += "."

    async def relinked() -> None:
        async with AsyncSession(db) as session:
            found = await session.get_one(Person, person.id)
            await session.remove_m2m(found, Person.skills, await session.get_one(Skill, skill.id))

    writes: dict[str, Callable[[], Awaitable[None]]] = {
        "firm": lambda: renamed(Firm, firm.id),
        "person": lambda: renamed(Person, person.id),
        "skill": lambda: renamed(Skill, skill.id),
        "link": relinked,
    }
    for written, write in writes.items():
        for work in queries.values():
            await counted(db, work)
        await write()
        for name, work in queries.items():
            assert (await counted(db, work))[1] == (1 if written in reads[name] else 0), (written, name)


async def test_results_are_tenants_own(db: Database) -> None:
    await saved(db, Person(name="one", org=1), Person(name="two", org=2))
    names = lambda session: session.query(Person).cached().scalars(Person.name)  # noqa: E731
    for _ in range(2):
        assert (await counted(db, names, scopes=[tenant(1)]))[0] == ["one"]
        assert (await counted(db, names, scopes=[tenant(2)]))[0] == ["two"]
        assert len((await counted(db, names))[0]) == 2


async def test_results_of_transactions_are_their_own(db: Database) -> None:
    await saved(db, Firm(name="a"))
    count = lambda session: session.query(Firm).cached().count()  # noqa: E731
    assert await counted(db, count) == (1, 1)
    with suppress(ZeroDivisionError):
        async with AsyncSession(db) as session:
            session.add(Firm(name="undone"))
            # written before, in the transaction that it opens
            assert await count(session) == 2
            raise ZeroDivisionError
    assert await counted(db, count) == (1, 0)


async def test_a_cached_query_goes_on_like_any_other(db: Database) -> None:
    await saved(db, *(Firm(name=name) for name in "abc"))
    async with AsyncSession(db) as session:
        query = session.query(Firm).cached(ttl=5).order_by(Firm.name)
        assert (await query.filter(Firm.name > "a").first() or Firm(name="")).name == "b"
        assert [firm.name async for firm in query.stream(chunk=2)] == ["a", "b", "c"]
        assert await session.query(Firm).cached().filter(Firm.name == "a").update(Firm.name.set("z")) == 1
    with pytest.raises(QueryError, match="ttl"):
        AsyncSession(db).query(Firm).cached(ttl=-1)
    with pytest.raises(QueryError, match="ttl"):
        AsyncSession(db).query(Firm).cached(ttl="60")  # type: ignore[arg-type]


async def test_without_a_backend_it_is_just_a_query(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        await db.create_all(*MODELS)
        assert await counted(db, lambda session: session.query(Firm).cached().count()) == (0, 1)
        assert await counted(db, lambda session: session.query(Firm).cached().count()) == (0, 1)
        await db.invalidate(Firm)


# ------------------------------------------------------------------ what is refused


def test_what_is_no_cache_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no cache backend"):
        Database("sqlite://", cache_backend="memory")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no cache backend"):
        Database("sqlite://", cache_backend=MemoryCache)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="redis://"):
        RedisCache("localhost")
    with pytest.raises(ConfigurationError, match="listen_dsn"):
        Database("postgresql://app@pooler/app?pooler=transaction", cache_backend=MemoryCache())
    Database("postgresql://app@pooler/app?pooler=transaction", cache_backend=MemoryCache(listens=False))


async def test_a_backend_is_made_once(database_dsn: str) -> None:
    async with Database(database_dsn) as db:
        for _ in range(100):
            async with AsyncSession(db, cache_backend=NoOpCache()):
                pass
        for _ in range(10):
            async with AsyncSession(db, cache_backend=MemoryCache(listens=False)):
                pass
        one_more = AsyncSession(db, cache_backend=MemoryCache(listens=False))
        with pytest.raises(ConfigurationError, match="once for the program"):
            await one_more.__aenter__()


@pytest.mark.parametrize("cache", [0, -1, "60", float("inf")])
def test_a_model_says_seconds(cache: Any) -> None:
    with pytest.raises(ModelError, match="cache="):

        class Odd(Model, cache=cache):
            id: Mapped[int] = generated(primary_key=True)


async def test_keys_are_one_models(db: Database) -> None:
    with pytest.raises(WrongType, match="keys, of one model"):
        await db.invalidate(Firm, Person, keys=[1])
    with pytest.raises(WrongType, match="of one model"):
        await db.invalidate(keys=[])


async def test_keys_that_are_none_are_refused(db: Database) -> None:
    for keys in (["1"], [None], [(1,)], "1", 1):
        with pytest.raises(WrongType):
            await db.invalidate(Firm, keys=keys)  # type: ignore[arg-type]
    for model in (Firm(name=""), "Firm", int):
        with pytest.raises(WrongType, match="no model"):
            await db.invalidate(model)  # type: ignore[arg-type]


async def test_no_keys_are_no_rows(db: Database) -> None:
    await saved(db, firm := Firm(name="a"))
    await name_of(db, Firm, firm.id)
    await db.invalidate(Firm, keys=[])
    assert await name_of(db, Firm, firm.id) == ("a", 0)


# ------------------------------------------------------------------ cancellation


@pytest.mark.parametrize("when", get_args(When))
@pytest.mark.parametrize("is_kept", [True, False])
async def test_whoever_is_cancelled_at_whichever_await_leaves_nothing_old(
    db: Database, when: When, is_kept: bool
) -> None:
    await saved(db, firm := Firm(name="0"))

    async def read_and_rename(name: str) -> None:
        async with AsyncSession(db) as session:
            found = await session.get_one(Firm, firm.id)
            await session.query(Firm).cached().count()
            found.name = name

    at, came = 1, True
    while came:
        await (name_of(db, Firm, firm.id) if is_kept else db.invalidate())
        came = await cancelled_at(read_and_rename(str(at)), at, when)
        kept, _ = await name_of(db, Firm, firm.id)
        # and nobody is left who waits for one that is gone
        async with asyncio.timeout(30):
            assert await counted(db, lambda session: session.query(Firm).cached().scalars(Firm.name)) is not None
        assert kept == (await name_of(db, Firm, firm.id, cache_backend=NoOpCache()))[0]
        at += 1
    assert at > 3
