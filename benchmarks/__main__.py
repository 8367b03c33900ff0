"""Runs the benchmarks: `python -m benchmarks [--db DSN ...] [--only sync]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cancelling import cancelled_transactions
from benchmarks.imports import import_times
from benchmarks.materialise import attribute_read, materialise
from benchmarks.measure import Comparison
from benchmarks.serialising import serialise
from benchmarks.statements import get_by_key
from benchmarks.sync import sync_gets
from benchmarks.tracking import tracking
from cormorant import Database


async def run(dsns: list[str]) -> list[Comparison]:
    """Gives every comparison, on each database."""
    found = [*import_times(), attribute_read(), serialise(response=False), serialise(response=True)]
    for dsn in dsns:
        async with Database(dsn) as database:
            found.append(await materialise(database))
            found.append(await get_by_key(database))
            found.append(await tracking(database))
            if database.dialect.name == "postgresql":
                found.append(await cancelled_transactions(database))
    return found


def show(found: list[Comparison]) -> None:
    """Prints the figures."""
    table = Table(title="Cormorant against the same work by hand")
    for heading in ("question", "by hand", "Cormorant", "unit", "ratio", "limit", ""):
        table.add_column(heading, justify="left" if heading in ("question", "unit") else "right")
    for item in found:
        table.add_row(
            item.name,
            f"{item.baseline:.1f}",
            f"{item.ours:.1f}",
            item.unit,
            f"{item.ratio:.2f}",
            f"{item.limit:.2f}",
            "ok" if item.holds else "over",
        )
    Console(width=110).print(table)


def main() -> int:
    """Runs on SQLite, and on the PostgreSQL of CORMORANT_DSN if it is set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", action="append", default=[], help="a DSN; may be given several times")
    parser.add_argument("--only", choices=["sync"], help="a part of them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        default = [f"sqlite:///{Path(folder) / 'bench.db'}", *filter(None, [os.environ.get("CORMORANT_DSN")])]
        dsns = options.db or default
        found = [] if options.only else asyncio.run(run(dsns))
        found += [comparison for dsn in dsns for comparison in sync_gets(dsn)]
    show(found)
    return 0 if all(item.holds for item in found) else 1


if __name__ == "__main__":
    sys.exit(main())
