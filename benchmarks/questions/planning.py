"""What a query costs before it is sent: built anew, its plan found among those that are kept."""

from __future__ import annotations

from time import perf_counter

from benchmarks.questions.materialise import Narrow
from benchmarks.questions.measure import Comparison
from cormorant import AsyncSession, Database

LIMIT_US = 15.0
COUNT = 500
ROUNDS = 15


async def planning(database: Database) -> Comparison:
    """Gives the time of a warm query with two filters and an order, in the best of rounds."""
    times = []
    async with AsyncSession(database) as session:
        for _ in range(ROUNDS):
            start = perf_counter()
            for age in range(COUNT):
                session.query(Narrow).filter(Narrow.age > age, Narrow.score < 3.5).order_by(Narrow.id).compile()
            times.append((perf_counter() - start) * 1e6 / COUNT)
    # others on the machine only ever add to a time
    return Comparison(f"build and plan a query, {database.dialect.name}", "us of 15", LIMIT_US, min(times), 1.0)
