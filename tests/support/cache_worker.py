"""One of several processes with a cache each, whose tasks read and write the same rows at random.

Of each row the value grows by 1 with each commit, so a value that is too old shows. What may be read is written down
before each read: in the process that commits from the moment on at which the commit is acknowledged; in others from
the arrival of a notification that was sent after it, or, with a shared cache, at the same moment as well.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import random
import struct
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from cormorant import (
    AsyncSession,
    Database,
    DeadlockError,
    Many,
    Mapped,
    MemoryCache,
    Model,
    One,
    RedisCache,
    StaleObjectError,
    field,
    foreign_key,
    func,
    generated,
    reverse,
)

ROWS = 12
POISON = 10**6
"""From here on values are rolled back, and nobody else ever sees one."""

WITNESS = "cormorant_test_witness"


class Gauge(Model, table="promise_gauge"):
    id: Mapped[int] = field(primary_key=True)
    value: Mapped[int] = field(default=0)
    version: Mapped[int] = generated(version=True)
    pins: Many[Pin] = reverse("gauge")


class Pin(Model, table="promise_pin"):
    id: Mapped[int] = field(primary_key=True)
    gauge: One[Gauge] = foreign_key()


class Floor:
    """What reads that begin now must reach, by row; in a file, where it is known to all processes at once."""

    def __init__(self, file: Path | None) -> None:
        size = 8 * ROWS
        if file is None:
            self._memory = mmap.mmap(-1, size)
        else:
            with file.open("r+b") as opened:
                self._memory = mmap.mmap(opened.fileno(), size)

    def __getitem__(self, row: int) -> int:
        return int(struct.unpack_from("q", self._memory, 8 * row)[0])

    def reach(self, row: int, value: int) -> None:
        if value > self[row]:
            struct.pack_into("q", self._memory, 8 * row, value)


class Worker:
    def __init__(self, db: Database, floor: Floor, seed: int) -> None:
        self.db = db
        self.floor = floor
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []

    def check(self, row: int, floor: int, value: int | None, how: str) -> None:
        self.counts["reads"] += 1
        if value is None or value < floor or value >= POISON:
            self.violations.append(f"{how} of row {row} gave {value}, and {floor} was committed")

    # ---- reads

    async def by_get(self, row: int) -> None:
        floor = self.floor[row]
        async with AsyncSession(self.db) as session:
            self.check(row, floor, (await session.get_one(Gauge, row)).value, "get")

    async def by_many(self, _: int) -> None:
        floors = [self.floor[row] for row in range(ROWS)]
        async with AsyncSession(self.db) as session:
            for gauge in await session.get_many(Gauge, range(ROWS)):
                self.check(gauge.id, floors[gauge.id], gauge.value, "get_many")

    async def by_reference(self, row: int) -> None:
        floor = self.floor[row]
        async with AsyncSession(self.db) as session:
            self.check(row, floor, (await (await session.get_one(Pin, row)).gauge).value, "reference")

    async def by_result(self, row: int) -> None:
        floor = self.floor[row]
        async with AsyncSession(self.db) as session:
            query = session.query(Gauge).filter(Gauge.id == row).cached()
            self.check(row, floor, await query.scalars(Gauge.value).one(), "cached query")

    async def by_join(self, row: int) -> None:
        floor = self.floor[row]
        async with AsyncSession(self.db) as session:
            pins = session.query(Pin).filter(Pin.id == row).select_related(Pin.gauge).cached()
            self.check(row, floor, (await pins.one()).gauge.value, "cached join")

    async def by_sum(self, _: int) -> None:
        floor = sum(self.floor[row] for row in range(ROWS))
        async with AsyncSession(self.db) as session:
            total = await session.query(Gauge).cached().aggregate(func.sum(Gauge.value))
            self.check(-1, floor, total, "cached sum")

    # ---- writes

    async def committed(self, row: int, value: int) -> None:
        self.floor.reach(row, value)
        self.counts["writes"] += 1
        # told later than the commit itself, on the same way
        async with AsyncSession(self.db, autocommit=True) as session:
            await session.execute("select pg_notify('cormorant_test_witness', :told)", {"told": f"{row} {value}"})

    async def by_flush(self, row: int) -> None:
        while True:
            try:
                async with AsyncSession(self.db) as session:
                    gauge = await session.get_one(Gauge, row)
                    gauge.value += 1
                    value = gauge.value
                break
            except StaleObjectError:
                self.counts["stale"] += 1
        await self.committed(row, value)

    async def by_query(self, row: int) -> None:
        async with AsyncSession(self.db) as session:
            own = session.query(Gauge).filter(Gauge.id == row)
            await own.update(Gauge.value.set(Gauge.value + 1))
            value = await own.scalars(Gauge.value).one()
        await self.committed(row, value)

    async def by_sql(self, row: int) -> None:
        async with AsyncSession(self.db) as session:
            sql = "update promise_gauge set value = value + 1, version = version + 1 where id = :row returning value"
            value = (await session.execute(sql, {"row": row})).scalar()
        await self.committed(row, value)

    async def rolled_back(self, row: int) -> None:
        async with AsyncSession(self.db) as session:
            own = session.query(Gauge).filter(Gauge.id == row)
            await own.update(Gauge.value.set(Gauge.value + POISON))
            gauge = await session.get_one(Gauge, row)
            assert gauge.value >= POISON
            assert await own.cached().scalars(Gauge.value).one() >= POISON
            await session.rollback()
        self.counts["rollbacks"] += 1

    # ---- all of it

    async def task(self, operations: int) -> None:
        reads = [self.by_get] * 6 + [self.by_many, self.by_reference, self.by_reference, self.by_result]
        reads += [self.by_join, self.by_sum]
        writes = [self.by_flush, self.by_query, self.by_sql, self.rolled_back]
        for _ in range(operations):
            work = self.random.choice(writes if self.random.random() < 0.15 else reads)
            try:
                await work(self.random.randrange(ROWS))
            except DeadlockError:
                self.counts["deadlocks"] += 1

    async def watch(self) -> None:
        async with self.db.listen(WITNESS, buffer=1_000_000) as notes:
            self.counts["listens"] += 1
            async for note in notes:
                row, value = map(int, note.payload.split())
                self.floor.reach(row, value)


def prefix_of(dsn: str) -> str:
    """What the keys of a run in Redis begin with."""
    return "promise-" + dsn.rpartition("/")[2]


async def main(dsn: str, cache: str, floor: str, tasks: int, operations: int, seed: int) -> None:
    shared = cache != "memory"
    backend = RedisCache(cache, prefix=prefix_of(dsn), timeout=10) if shared else MemoryCache()
    async with Database(dsn, cache_backend=backend) as db:
        await db.ping()
        await db.caches.ready()
        worker = Worker(db, Floor(Path(floor) if shared else None), seed)
        watching = asyncio.create_task(worker.watch())
        while not worker.counts["listens"]:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(worker.task(operations // tasks) for _ in range(tasks)))
        watching.cancel()
        stats: dict[str, Any] = db.stats().as_dict()
        told = {**worker.counts, "hits": stats["cache_hits"], "violations": worker.violations[:10]}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(given[0], given[1], given[2], *map(int, given[3:])))
