"""Imports cities from a CSV file: `python -m examples.scripts [FILE] [--db DSN] [--batch ROWS]`.

Without a file it takes the cities.csv beside it; without a DSN CORMORANT_DSN's database, or places.db in the current
folder. What was interrupted goes on where it stopped, when it is started again.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cormorant import StatementError, SyncDatabase
from examples.scripts.importing import Outcome, import_file
from examples.scripts.models import MODELS, ImportedFile

SAMPLE = Path(__file__).with_name("cities.csv")


def main(arguments: list[str] | None = None) -> int:
    """Imports a file; gives 0 if all of it was taken, and 1 if lines were refused."""
    parser = argparse.ArgumentParser(prog="python -m examples.scripts", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--db", default=os.environ.get("CORMORANT_DSN", "sqlite:///places.db"), help="a DSN")
    parser.add_argument("--batch", type=int, default=500, help="rows of one transaction")
    options = parser.parse_args(arguments)
    with SyncDatabase(options.db) as db:
        make_tables(db)
        try:
            outcome = import_file(db, options.file, batch=options.batch, on_batch=show)
        except KeyboardInterrupt:
            print("stopped; start it again to go on")
            return 130
    print(f"{outcome.skipped} lines were done before, {outcome.read} now, {len(outcome.refused)} problems")
    for problem in outcome.refused:
        print(f"  {problem}")
    return 1 if outcome.refused else 0


def make_tables(db: SyncDatabase) -> None:
    """Creates the tables, unless an earlier run has."""
    try:
        with db.session() as session:
            session.query(ImportedFile).exists()
    except StatementError:
        db.create_all(*MODELS)


def show(outcome: Outcome) -> None:
    """Tells how far it has come, where somebody looks on."""
    if sys.stderr.isatty():
        print(f"\r{outcome.skipped + outcome.read} lines", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
