"""Loads the standards inside pycountry into a database, asks and changes them, and reports.

Run it with `python -m examples.atlas`: it makes atlas.db in the current folder, or uses the database of CORMORANT_DSN.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import Progress

from cormorant import AsyncSession, Database
from examples.atlas.changes import change
from examples.atlas.load import load
from examples.atlas.models import MODELS
from examples.atlas.queries import ask, row_counts
from examples.atlas.report import Report, Stage, describe, print_report


async def run(database: Database, console: Console) -> Report:
    """Does the whole job, anew each time."""
    await database.drop_all(*MODELS)
    await database.create_all(*MODELS)
    stages: list[Stage] = []
    with Progress(console=console, disable=not console.is_terminal) as progress:
        async with stage("load", database, stages) as session:
            await load(session, progress)
    async with stage("ask", database, stages) as session:
        answers = await ask(session)
    async with stage("change", database, stages) as session:
        answers += await change(session)
    async with stage("count", database, stages) as session:
        answers.append(await row_counts(session, "Rows, after the changes"))
    return Report(answers, stages, describe(database))


@asynccontextmanager
async def stage(name: str, database: Database, stages: list[Stage]) -> AsyncGenerator[AsyncSession, None]:
    """Opens a session, and keeps what its statements cost."""
    start = perf_counter()
    async with AsyncSession(database) as session:
        yield session
        await session.commit()
        stages.append(Stage(name, perf_counter() - start, session.query_stats()))


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.atlas", description=__doc__)
    parser.add_argument("--plain", action="store_true", help="no colours and no progress bar")
    plain = parser.parse_args().plain
    console = Console(width=120, color_system=None, force_terminal=False) if plain else Console()
    async with Database(os.environ.get("CORMORANT_DSN", "sqlite:///atlas.db")) as database:
        print_report(await run(database, console), console)


if __name__ == "__main__":
    asyncio.run(main())
