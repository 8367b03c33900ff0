"""Single questions, each with the ratio to the same work by hand that must not be exceeded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from benchmarks.questions.cancelling import cancelled_transactions
from benchmarks.questions.imports import import_times
from benchmarks.questions.materialise import attribute_read, materialise
from benchmarks.questions.measure import Comparison
from benchmarks.questions.planning import planning
from benchmarks.questions.serialising import serialise
from benchmarks.questions.statements import get_by_key
from benchmarks.questions.sync import sync_gets
from benchmarks.questions.tracking import tracking
from cormorant import Database

ALONE: dict[str, Callable[[], list[Comparison]]] = {
    "imports": import_times,
    "attribute": lambda: [attribute_read()],
    "serialise": lambda: [serialise(response=False), serialise(response=True)],
}
"""Those that need no database."""

ASKED = {"materialise": materialise, "statement": get_by_key, "planning": planning, "tracking": tracking}
CANCELLED, SYNC = "cancelled", "sync"
NAMES = (*ALONE, *ASKED, CANCELLED, SYNC)


def answers(dsns: Iterable[str], only: Iterable[str] = ()) -> list[Comparison]:
    """Gives every comparison, on each database.

    Args:
        only: The names of questions; all of them if there is none.
    """
    chosen = set(only) or set(NAMES)
    found = [comparison for name, ask in ALONE.items() if name in chosen for comparison in ask()]
    for dsn in dsns:
        found += asyncio.run(on_database(dsn, chosen))
        if SYNC in chosen:
            found += sync_gets(dsn)
    return found


async def on_database(dsn: str, chosen: set[str]) -> list[Comparison]:
    """Gives the comparisons on one database."""
    async with Database(dsn) as database:
        found = [await ask(database) for name, ask in ASKED.items() if name in chosen]
        if CANCELLED in chosen and database.dialect.name == "postgresql":
            found.append(await cancelled_transactions(database))
        return found
