"""What isolation levels promise, kept through a session: nothing is added to it, and nothing taken away.

`CORMORANT_ISOLATION_FULL=1` runs the full sizes: 64 tasks that count to 50 each, and 2,000 random transactions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import asyncpg
import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated, ref
from cormorant.dialects.base import IsolationLevel
from cormorant.errors import StaleObjectError
from cormorant.persistence.retry import pause
from tests.support import kept_tables, pgbouncer
from tests.support.anomalies import LEVELS, PREVENTED, Deed, Stage, Verbs, faults, happened, list_append

FULL = bool(os.environ.get("CORMORANT_ISOLATION_FULL"))
TASKS, TIMES = (64, 50) if FULL else (16, 10)
WORKERS, ROUNDS = (10, 200) if FULL else (6, 15)


class Account(Model, app="isolation"):
    id: Mapped[int] = field(primary_key=True)
    value: Mapped[int]


class Chain(Model, app="isolation"):
    """A list of numbers, as text."""

    id: Mapped[int] = field(primary_key=True)
    links: Mapped[str] = field(default="")


class Counter(Model, app="isolation"):
    id: Mapped[int] = field(primary_key=True)
    value: Mapped[int] = field(default=0)


class VersionedCounter(Model, app="isolation"):
    id: Mapped[int] = field(primary_key=True)
    value: Mapped[int] = field(default=0)
    version: Mapped[int] = generated(version=True)


MODELS: list[type[Model]] = [Account, Chain, Counter, VersionedCounter]


class SessionVerbs:
    """Transactions of an AsyncSession, by its objects."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    @classmethod
    async def open(cls, database: Database) -> SessionVerbs:
        return cls(await AsyncSession(database).__aenter__())

    async def begin(self, level: IsolationLevel) -> None:
        await self.session.begin(isolation=level)

    async def get(self, number: int) -> int | None:
        found = await self.session.query(Account).filter(Account.id == number).one_or_none()
        return None if found is None else found.value

    async def where(self, value: int) -> list[int]:
        return [account.id for account in await self.session.query(Account).filter(Account.value == value)]

    async def set(self, number: int, value: int) -> None:
        account = self.session.identity_map.get(Account.__info__, number)
        if account is None:
            # what was not read is written without being read
            self.session.add(account := ref(Account, number))
        account.value = value
        await self.session.flush()

    async def add(self, number: int, value: int) -> None:
        self.session.add(Account(id=number, value=value))
        await self.session.flush()

    async def read_list(self, number: int) -> list[int]:
        chain = await self.session.query(Chain).filter(Chain.id == number).one()
        return [int(link) for link in chain.links.split(",") if link]

    async def append(self, number: int, value: int) -> None:
        chain = await self.session.query(Chain).filter(Chain.id == number).one()
        chain.links = f"{chain.links},{value}"
        await self.session.flush()

    async def commit(self) -> None:
        await self.session.commit()

    async def rollback(self) -> None:
        await self.session.rollback()

    async def close(self) -> None:
        await self.session.close()


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(postgres_database) as database:
        await database.create_all(*MODELS)
        yield database


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


def opener(database: Database) -> Callable[[], Awaitable[Verbs]]:
    async def open_session() -> Verbs:
        return await SessionVerbs.open(database)

    return open_session


# ---- the ten anomalies


@pytest.fixture
async def stage(postgres: Database, postgres_database: str) -> AsyncIterator[Stage]:
    monitor = await asyncpg.connect(pgbouncer.server_of(postgres_database))

    async def waiting() -> int:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        found: int = await monitor.fetchval(sql)
        return found

    async def reset() -> None:
        async with AsyncSession(postgres) as session:
            await session.query(Account).delete()
            session.add(Account(id=1, value=10), Account(id=2, value=20))

    yield Stage(opener(postgres), reset, waiting)
    await monitor.close()


async def test_a_session_prevents_at_each_level_what_postgresql_prevents_and_nothing_more(stage: Stage) -> None:
    found = {(name, level): await happened(stage, name, level) for name in PREVENTED for level in LEVELS}
    assert len(found) == 30
    assert found == {(name, level): level not in PREVENTED[name] for name in PREVENTED for level in LEVELS}


# ---- random transactions


async def test_serializable_sessions_that_append_to_lists_leave_a_history_without_fault(postgres: Database) -> None:
    async with AsyncSession(postgres) as session:
        session.add(*(Chain(id=number) for number in range(5)))
    history = await list_append(opener(postgres), "serializable", workers=WORKERS, rounds=ROUNDS)
    committed = sum(deed.ok is True for deed in history)
    assert committed > ROUNDS
    assert len(history) == WORKERS * ROUNDS + 1
    assert faults(history) == {}
    async with AsyncSession(postgres) as session:
        idle = await session.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in %'"
        )
        assert [tuple(row) for row in idle] == [(0,)]


def deed(*steps: tuple[str, int, object], ok: bool = True, final: bool = False) -> Deed:
    return Deed(ok, list(steps), final=final)


@pytest.mark.parametrize(
    ("history", "fault"),
    [
        ([deed(("a", 0, 1), ok=False), deed(("r", 0, [1]))], "G1a: an aborted append read"),
        ([deed(("a", 0, 1), ("a", 0, 2)), deed(("r", 0, [1])), deed(("r", 0, [1, 2]))], "G1b: an interm"),
        ([deed(("a", 0, 1)), deed(("a", 0, 2)), deed(("r", 0, [2]), final=True)], "a committed append lost"),
        ([deed(("a", 0, 1)), deed(("a", 0, 2)), deed(("r", 0, [1, 2])), deed(("r", 0, [2]))], "two orders"),
        ([deed(("a", 0, 1)), deed(("r", 0, [1, 1]))], "a number twice"),
        ([deed(("r", 0, [7]))], "read from nowhere"),
        ([deed(("a", 0, 1), ("r", 0, [])), deed(("r", 0, [1]), final=True)], "own appends not read"),
        (
            # each writes what the other has not seen
            [
                deed(("r", 0, []), ("a", 1, 1)),
                deed(("r", 1, []), ("a", 0, 2)),
                deed(("r", 0, [2]), ("r", 1, [1]), final=True),
            ],
            "G2: a cycle",
        ),
        (
            # one has read the other's second append and not its first
            [deed(("a", 0, 1), ("a", 1, 2)), deed(("r", 0, []), ("r", 1, [2])), deed(("r", 0, [1]), final=True)],
            "G-single",
        ),
        (
            [
                deed(("a", 0, 1), ("a", 1, 2)),
                deed(("a", 0, 3), ("a", 1, 4)),
                deed(("r", 0, [1, 3]), ("r", 1, [4, 2]), final=True),
            ],
            "G0: a cycle of writes",
        ),
    ],
)
def test_the_search_finds_what_it_looks_for(history: list[Deed], fault: str) -> None:
    assert any(name.startswith(fault) for name in faults(history))


def test_the_search_finds_nothing_in_a_history_that_is_well() -> None:
    history = [
        deed(("a", 0, 1), ("r", 0, [1])),
        deed(("r", 0, [1]), ("a", 0, 2)),
        deed(("a", 0, 9), ok=False),
        deed(("r", 0, [1, 2]), final=True),
    ]
    assert faults(history) == {}


# ---- counting together


async def by_version(database: Database) -> None:
    for attempt in count(0):
        try:
            async with AsyncSession(database) as session:
                (await session.get_one(VersionedCounter, 1)).value += 1
            return
        except StaleObjectError:
            # who tries again at once meets the others again
            await asyncio.sleep(pause(attempt))


async def by_lock(database: Database) -> None:
    async with AsyncSession(database) as session:
        (await session.get_one(Counter, 1, for_update=True)).value += 1


async def by_expression(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Counter).filter(Counter.id == 1).update(Counter.value.set(Counter.value + 1))


async def by_retries(database: Database) -> None:
    async def work(session: AsyncSession) -> None:
        (await session.get_one(Counter, 1)).value += 1

    await database.retrying(retries=10_000, isolation="serializable").run(work)


@pytest.mark.parametrize("way", [by_version, by_lock, by_expression, by_retries])
async def test_tasks_that_count_together_lose_nothing(
    database: Database, way: Callable[[Database], Awaitable[None]]
) -> None:
    async with AsyncSession(database) as session:
        session.add(Counter(id=1), VersionedCounter(id=1))

    async def repeat() -> None:
        for _ in range(TIMES):
            await way(database)

    await asyncio.gather(*(repeat() for _ in range(TASKS)))
    async with AsyncSession(database) as session:
        model: type[VersionedCounter | Counter] = VersionedCounter if way is by_version else Counter
        assert (await session.get_one(model, 1)).value == TASKS * TIMES
    assert database.adapter.stats.in_use == 0
