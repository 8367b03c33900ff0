"""Small statements: one object by its key, against the driver alone on a held connection."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from benchmarks.questions.materialise import Narrow
from benchmarks.questions.measure import Comparison
from cormorant import AsyncSession, Database

COUNT = 300
ROUNDS = 7


async def get_by_key(database: Database) -> Comparison:
    """Compares getting one object by key, each in a session of its own, with one fetch of the driver."""
    await database.drop_all(Narrow)
    await database.create_all(Narrow)
    async with AsyncSession(database) as session:
        session.add(*(Narrow(name=f"name {i}", age=i) for i in range(COUNT)))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, found in zip((_by_driver, _by_session), times, strict=True):
            start = perf_counter()
            await work(database)
            found.append((perf_counter() - start) * 1e6 / COUNT)
    await database.drop_all(Narrow)
    return Comparison(f"get by key, {database.dialect.name}", "us each", median(times[0]), median(times[1]), 3.0)


async def _by_driver(database: Database) -> None:
    names = '"id", "name", "age", "score"'
    sql = f'SELECT {names} FROM "bench_narrow" WHERE "id" = {database.dialect.placeholder(0)}'
    connection = await database.adapter.acquire()
    try:
        for key in range(1, COUNT + 1):
            await connection.fetch(sql, [key])
    finally:
        database.adapter.release(connection)


async def _by_session(database: Database) -> None:
    for key in range(1, COUNT + 1):
        async with AsyncSession(database) as session:
            await session.get(Narrow, key)
