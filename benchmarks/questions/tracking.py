"""What the statistics of statements cost: the same small gets with them and without, in turns."""

from __future__ import annotations

from statistics import quantiles
from time import process_time

from benchmarks.questions.materialise import Narrow
from benchmarks.questions.measure import Comparison
from cormorant import AsyncSession, Database

COUNT = 50
ROUNDS = 200
LIMIT = 1.03


async def tracking(database: Database) -> Comparison:
    """Compares gets by key that are counted, timed and attributed to lines of code with gets that are not."""
    await database.drop_all(Narrow)
    await database.create_all(Narrow)
    async with AsyncSession(database) as session:
        session.add(*(Narrow(name=f"name {i}", age=i) for i in range(COUNT)))
    times: tuple[list[float], list[float]] = ([], [])
    async with Database(database.adapter, track_queries=False) as untracked, Database(database.adapter) as tracked:
        pair = (untracked, tracked)
        for round_ in range(ROUNDS):
            # whoever comes first in a pair may have it harder
            for place in (0, 1) if round_ % 2 else (1, 0):
                times[place].append(await _gets(pair[place]))
        off, on = (quantiles(found, n=4)[0] for found in times)
        await database.drop_all(Narrow)
    # the quiet moments: others on the machine only ever add to a time
    return Comparison(f"statistics of gets, {database.dialect.name}", "us each", off, on, LIMIT)


async def _gets(database: Database) -> float:
    """Gives the microseconds of the processor, all threads together, for one get in a session of its own."""
    # waiting for the server would hide what is measured
    start = process_time()
    for key in range(1, COUNT + 1):
        async with AsyncSession(database) as session:
            await session.get(Narrow, key)
    return (process_time() - start) * 1e6 / COUNT
