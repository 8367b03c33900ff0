"""What work costs without looking at a clock: calls of the package's functions, and memory.

Calls are counted in the package and in the code that it generates, in the loop's thread. Where many rows are read or
written, what one more row costs is what counts: the same work is done with twice as many.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import cormorant
from cormorant import AsyncSession, Database, Many, Mapped, Model, One, Session, field, foreign_key, generated, reverse
from cormorant.adapters import sqlite_short

HOUSE = str(Path(cormorant.__file__).parent)
GENERATED = "<cormorant"
ROWS = 60


class Herd(Model, app="costs"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    sheep: Many[Sheep] = reverse("herd")


class Sheep(Model, app="costs"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    age: Mapped[int] = field(default=0)
    weight: Mapped[float] = field(default=0.5)
    herd: One[Herd | None] = foreign_key(default=None)


class Fleece(Model, app="costs"):
    id: Mapped[int] = generated(primary_key=True)
    data: Mapped[dict[str, Any]]


class Note(Model, app="costs"):
    id: Mapped[int] = generated(primary_key=True)
    body: Mapped[dict[str, int]]


Work = Callable[[AsyncSession], Awaitable[object]]


@contextmanager
def counting() -> Iterator[list[int]]:
    """Counts the calls that are made in this thread meanwhile."""
    counted = [0]

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith((HOUSE, GENERATED)):
            counted[0] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield counted
    finally:
        sys.setprofile(before)


async def calls(work: Callable[[], Awaitable[object]]) -> int:
    """Counts the calls that work makes."""
    with counting() as counted:
        await work()
    return counted[0]


@pytest.fixture(params=["", "?on_loop=false"], ids=["on the loop", "in threads"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    # whether a statement is short must not depend on what else the machine does
    monkeypatch.setattr(sqlite_short, "SHORT", 10.0)
    monkeypatch.setattr(sqlite_short, "LONG", 10.0)
    # nor on how many there were before
    monkeypatch.setattr(sqlite_short, "IN_A_ROW", 1_000_000)
    async with Database(f"sqlite:///{tmp_path / 'costs.db'}{request.param}") as database:
        await database.create_all(Herd, Sheep, Fleece, Note)
        async with AsyncSession(database) as session:
            session.add(*(Note(body={"n": n}) for n in range(3 * ROWS)))
            for herd in (Herd(name=f"herd {n}") for n in range(3)):
                session.add(*(Sheep(name=f"sheep {n}", age=n, herd=herd) for n in range(ROWS)))
        yield database


async def warm_calls(database: Database, work: Work) -> int:
    """Counts the calls of work in a session of its own, after it has been done before."""

    async def whole() -> None:
        async with AsyncSession(database) as session:
            await work(session)

    # by then its statements have proved to be short
    for _ in range(4):
        await whole()
    # on a busy machine, the pool looks at a connection that was not used for a while
    return min(await calls(whole), await calls(whole))


# ---- one small piece of work, with its session


async def get(session: AsyncSession) -> None:
    assert await session.get(Sheep, 1) is not None


async def page(session: AsyncSession) -> None:
    query = session.query(Sheep).filter(Sheep.age > 3, Sheep.weight < 1)
    assert len(await query.order_by(Sheep.id).limit(20).offset(20)) == 20


async def joined(session: AsyncSession) -> None:
    await session.query(Sheep).filter(Sheep.id == 1).select_related(Sheep.herd).one()


async def insert(session: AsyncSession) -> None:
    session.add(Sheep(name="new"))
    await session.commit()


async def change(session: AsyncSession) -> None:
    (await session.get_one(Sheep, 2)).age += 1
    await session.commit()


async def remove(session: AsyncSession) -> None:
    found = await session.query(Sheep).order_by(Sheep.id.desc()).limit(1).one()
    session.delete(found)
    await session.commit()


# with the session's own beginning and end
SMALL: dict[Work, int] = {get: 90, page: 140, joined: 110, insert: 175, change: 225, remove: 250}


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.__name__)
async def test_small_work_makes_few_calls(database: Database, work: Work) -> None:
    assert await warm_calls(database, work) <= SMALL[work]


async def test_a_sync_get_makes_few_calls(database: Database) -> None:
    def counts() -> Iterator[int]:
        with Session(database) as session:
            for _ in range(20):
                session.clear()
                with counting() as counted:
                    session.get(Sheep, 1)
                yield counted[0]

    # the most: what another thread does for the first ones is not counted
    assert 60 <= max((await asyncio.to_thread(lambda: list(counts())))[10:]) <= 110


# ---- what one more row costs


def load(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        assert len(await session.query(Sheep).limit(rows)) == rows

    return work


def dicts(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        assert len(await session.query(Sheep).limit(rows).as_dicts()) == rows

    return work


def tuples(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        assert len(await session.query(Sheep).values(Sheep.id, Sheep.name).limit(rows)) == rows

    return work


def with_parents(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        assert len(await session.query(Sheep).select_related(Sheep.herd).limit(rows)) == rows

    return work


def prefetched(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        herds = await session.query(Herd).filter(Herd.id <= rows // ROWS).prefetch_related(Herd.sheep)
        assert sum(len(herd.sheep) for herd in herds) == rows

    return work


def hits(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        held = await session.query(Sheep).limit(2 * ROWS)
        for sheep in held[:rows]:
            assert await session.get(Sheep, sheep.id) is sheep

    return work


def made(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        session.add(*(Sheep(name=f"new {n}") for n in range(rows)))
        await session.commit()

    return work


def bulk(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        await session.query(Sheep).bulk_create({"name": f"new {n}"} for n in range(rows))

    return work


def changed(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        for sheep in await session.query(Sheep).order_by(Sheep.id).limit(rows):
            sheep.age += 1
        await session.commit()

    return work


def families(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        herd = Herd(name="new")
        session.add(*(Sheep(name=f"new {n}", herd=herd) for n in range(rows)))
        await session.commit()

    return work


def objects(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        await session.query(Sheep).bulk_create([Sheep(name=f"new {n}") for n in range(rows)])

    return work


def documents(rows: int) -> Work:
    async def work(session: AsyncSession) -> None:
        await session.query(Fleece).bulk_create([{"data": {"n": n, "tags": ["a"]}} for n in range(rows)])

    return work


# of `prefetched` the second parent is counted too
READING = {load: 0, dicts: 0, tuples: 0, with_parents: 0, prefetched: 0.2, hits: 11}
WRITING = {made: 7, bulk: 1, objects: 9, documents: 4, changed: 9, families: 11}
ROWWISE: dict[Callable[[int], Work], float] = READING | WRITING


@pytest.mark.parametrize("work", ROWWISE, ids=lambda work: work.__name__)
async def test_one_more_row_costs_few_calls(database: Database, work: Callable[[int], Work]) -> None:
    few = await warm_calls(database, work(ROWS))
    many = await warm_calls(database, work(2 * ROWS))
    assert (many - few) / ROWS <= ROWWISE[work]


async def test_a_flush_costs_what_changed(database: Database) -> None:
    async def flush(loaded: int) -> int:
        async with AsyncSession(database) as session:
            held = await session.query(Sheep).order_by(Sheep.id).limit(loaded)

            async def work() -> None:
                for sheep in held[:5]:
                    sheep.age += 1
                await session.commit()

            await work()
            return await calls(work)

    assert await flush(5) == await flush(3 * ROWS)


async def test_a_get_costs_the_same_however_many_documents_are_loaded(database: Database) -> None:
    async def get(loaded: int) -> tuple[int, int]:
        async with AsyncSession(database) as session:
            held = await session.query(Note).order_by(Note.id).limit(loaded)
            await session.get(Note, loaded + 1)

            async def fewest(keys: range) -> int:
                # a connection that was not used for a while is looked at first, which a busy machine brings about
                return min([await calls(partial(session.get, Note, loaded + key)) for key in keys])

            few = await fewest(range(2, 4))
            # nor does what was changed inside of them make it write first
            held[0].body["n"] = -1
            return few, await fewest(range(4, 6))

    # by then its statements have proved to be short
    await get(5)
    (few, changed), (many, _) = await get(5), await get(2 * ROWS)
    assert few == many == changed


# ---- memory

LOADED = 2_000


@dataclass(slots=True)
class Plain:
    """What a sheep would be by hand."""

    id: int
    name: str
    age: int
    weight: float
    herd_id: int


async def kept(database: Database, work: Callable[[], Awaitable[object]]) -> tuple[float, float, float]:
    """Gives what is kept for a row as long as a result is held: bytes, blocks, and bytes at the highest point."""
    await work()
    await database.ping()  # a connection's thread keeps the rows of its last statement
    gc.collect()
    before = sys.getallocatedblocks()
    held = await work()
    await database.ping()
    gc.collect()
    blocks = sys.getallocatedblocks() - before
    del held
    tracemalloc.start()
    try:
        held = await work()
        await database.ping()
        gc.collect()
        found, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del held
    return found / LOADED, blocks / LOADED, peak / LOADED


@pytest.fixture
async def many(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'many.db'}") as database:
        await database.create_all(Herd, Sheep)
        async with AsyncSession(database) as session:
            await session.query(Herd).bulk_create([{"name": "first"}])
            rows = ({"name": f"sheep {n}", "age": n, "weight": n * 0.5, "herd_id": 1} for n in range(LOADED))
            await session.query(Sheep).bulk_create(rows)
        yield database


async def test_loaded_objects_take_little_more_memory_than_plain_ones(many: Database) -> None:
    async def by_hand() -> object:
        async with AsyncSession(many) as session:
            rows = await session.execute("SELECT id, name, age, weight, herd_id FROM costs_sheep")
            return [Plain(*row) for row in rows]

    async def loaded() -> object:
        async with AsyncSession(many) as session:
            # the session is held with them: its identity map counts
            return session, await session.query(Sheep)

    plain, plain_blocks, _ = await kept(many, by_hand)
    ours, blocks, peak = await kept(many, loaded)
    assert ours <= 1.35 * plain
    assert blocks <= plain_blocks + 0.5
    assert peak <= 1.6 * ours
