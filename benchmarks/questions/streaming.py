"""A million rows through a stream: `python -m benchmarks.questions.streaming [DSN]`; memory and rows a second."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from time import perf_counter

from cormorant import AsyncSession, Database, Mapped, Model, field, generated

ROWS = 1_000_000
LIMIT_MB = 60


class Streamed(Model, table="bench_streamed"):
    """A row as it is in many tables."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    age: Mapped[int] = field(default=0)
    note: Mapped[str | None] = field(default=None)


def resident_mb() -> float:
    """Gives the memory that the process has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def fill(database: Database) -> None:
    """Makes the rows in the database itself."""
    source = {
        "postgresql": "generate_series(1, :rows) AS s(n)",
        "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :rows) SELECT n FROM s)",
    }[database.dialect.name]
    await database.drop_all(Streamed)
    await database.create_all(Streamed)
    async with AsyncSession(database) as session:
        text = f"INSERT INTO bench_streamed (name, age, note) SELECT 'name ' || n, n % 90, 'a note' FROM {source}"
        await session.execute(text, {"rows": ROWS})


async def stream(database: Database, *, held: bool) -> tuple[float, float]:
    """Gives the megabytes above the start at the highest point, and the seconds."""
    async with AsyncSession(database) as session:
        if held:
            await session.begin()
        begin, start, highest, seen = resident_mb(), perf_counter(), 0.0, 0
        async for _ in session.query(Streamed).stream():
            seen += 1
            if seen % 10_000 == 0:
                highest = max(highest, resident_mb() - begin)
        assert seen == ROWS
        return highest, perf_counter() - start


async def run(dsn: str) -> bool:
    """Measures one database; tells whether memory stayed flat."""
    flat = True
    async with Database(dsn) as database:
        await fill(database)
        for held in (False, True):
            memory, seconds = await stream(database, held=held)
            where = "inside of a transaction" if held else "page by page"
            print(f"{database.dialect.name}, {where}: {memory:.1f} MB above the start, {ROWS / seconds:,.0f} rows/s")
            flat = flat and memory < LIMIT_MB
        await database.drop_all(Streamed)
    return flat


def main() -> int:
    """Runs on SQLite, or on the databases given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn", nargs="*")
    chosen = parser.parse_args().dsn
    with tempfile.TemporaryDirectory() as folder:
        dsns = chosen or [f"sqlite:///{Path(folder) / 'bench.db'}"]
        flat = [asyncio.run(run(dsn)) for dsn in dsns]
        return 0 if all(flat) else 1


if __name__ == "__main__":
    raise SystemExit(main())
