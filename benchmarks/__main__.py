"""Measures Cormorant beside the drivers and other libraries: `python -m benchmarks`, `nox -s bench`.

python -m benchmarks --db sqlite --only get,filter
python -m benchmarks --quick
python -m benchmarks --docs          # everything, into docs/performance.md
python -m benchmarks --from FILE --docs
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks import page
from benchmarks.awake import kept_awake
from benchmarks.contestants import CONTESTANTS, MAIN
from benchmarks.instructions import count
from benchmarks.questions import answers
from benchmarks.questions.measure import Comparison
from benchmarks.report import Table, show, tables, title_of
from benchmarks.results import Results
from benchmarks.runner import PARTS, Settings, about
from benchmarks.schema import Sizes
from benchmarks.targets import fresh, reachable

QUESTIONS, INSTRUCTIONS = "questions", "instructions"
MODULES = {"raw": "asyncpg", "objects": "asyncpg", "cormorant_in_threads": "cormorant"}


def listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--db", type=listed, help="sqlite, postgresql, or DSNs of PostgreSQL servers")
    made.add_argument("--contestants", type=listed, help=f"of {', '.join(CONTESTANTS)}; those that are installed")
    made.add_argument("--parts", type=listed, help=f"of {', '.join((*PARTS, QUESTIONS, INSTRUCTIONS))}")
    made.add_argument("--only", type=listed, default=(), help="names of workloads, or of questions")
    made.add_argument("--tasks", type=listed, default=("1", "10"), help="how many at the same time, of 1 and 10")
    made.add_argument("--rounds", type=int, help="how often each one's turn comes (7)")
    made.add_argument("--seconds", type=float, help="how long a turn is (0.3)")
    made.add_argument("--largest", type=int, help="rows in what grows (100000); a million takes long")
    made.add_argument("--quick", action="store_true", help="three short rounds of the main contestants")
    made.add_argument("--tiny", action="store_true", help="one round of few rows, to see that everything works")
    made.add_argument("--python", action="append", default=[], help="NAME=PATH: a contestant's own interpreter")
    made.add_argument("--uvloop", action="store_true", help="run everybody on uvloop")
    made.add_argument("--pin", action="store_true", help="keep contestants to one processor")
    made.add_argument("--awake", action="store_true", help="keep processors from sleeping between round trips")
    made.add_argument("--save", type=Path, help="a file for the figures; what it has and was not measured again stays")
    made.add_argument("--from", type=Path, dest="saved", help="show saved figures, and measure nothing")
    made.add_argument("--markdown", type=Path, help="a file for the tables")
    made.add_argument("--docs", action="store_true", help="refresh docs/performance.md")
    return made


def installed() -> tuple[str, ...]:
    """Gives those contestants whose libraries are there."""
    return tuple(name for name in CONTESTANTS if find_spec(MODULES.get(name, name)) is not None)


def settings_of(options: argparse.Namespace) -> Settings:
    """Gives how much is measured."""
    rounds, seconds, largest = (
        (1, 0.01, 100) if options.tiny else (3, 0.1, 10_000) if options.quick else (7, 0.3, 100_000)
    )
    there = installed()
    chosen = options.contestants or (tuple(name for name in there if name in MAIN) if options.quick else there)
    return Settings(
        dbs=options.db or (("sqlite", "postgresql") if reachable() else ("sqlite",)),
        contestants=chosen,
        only=options.only,
        tasks=tuple(map(int, options.tasks)),
        rounds=options.rounds or rounds,
        seconds=options.seconds or seconds,
        sizes=Sizes.tiny() if options.tiny else Sizes(),
        largest=options.largest or largest,
        pythons=tuple((name, path) for name, _, path in (given.partition("=") for given in options.python)),
        pin=options.pin,
        uvloop=options.uvloop,
    )


def measured(options: argparse.Namespace, parts: tuple[str, ...]) -> Results:
    """Runs the parts that are asked for."""
    settings, console, start = settings_of(options), Console(stderr=True), monotonic()
    results = Results(about(settings))
    with ExitStack() as stack:
        if options.awake:
            stack.enter_context(kept_awake())
        status = stack.enter_context(console.status("benchmarks"))

        def say(words: str) -> None:
            status.update(f"{monotonic() - start:.0f} s  {words}")
            if not console.is_terminal:
                print(f"{monotonic() - start:.0f} s  {words}", file=sys.stderr)

        for part in parts:
            PARTS[part](settings, results, say)
    return results


def asked(options: argparse.Namespace) -> list[Comparison]:
    """Answers the single questions, on databases of their own."""
    settings = settings_of(options)
    with ExitStack() as stack:
        dsns = [
            next(iter(stack.enter_context(fresh(db, {"cormorant": "TEXT"}, Sizes.tiny())).values()))
            for db in settings.dbs
        ]
        return answers(dsns, options.only)


def show_answers(found: list[Comparison]) -> None:
    """Prints the answers to questions."""
    made = RichTable(title="Single questions: Cormorant against the same work by hand")
    for heading in ("question", "by hand", "Cormorant", "unit", "ratio", "limit", ""):
        made.add_column(heading, justify="left" if heading in ("question", "unit") else "right")
    for item in found:
        figures = (f"{item.baseline:.1f}", f"{item.ours:.1f}", item.unit, f"{item.ratio:.2f}", f"{item.limit:.2f}")
        made.add_row(item.name, *figures, "ok" if item.holds else "over")
    Console(width=110).print(made)


def show_instructions(options: argparse.Namespace) -> None:
    """Counts instructions, and prints them."""
    settings = settings_of(options)
    found = count(settings, lambda words: print(words, file=sys.stderr))
    rows = [
        [f"{db}: {title}", *(f"{row[name]:,.0f}" if name in row else "" for name in settings.contestants)]
        for (db, title), row in found.items()
    ]
    table = Table("Thousands of instructions for a call", ["", *map(title_of, settings.contestants)], rows)
    Console(width=150).print(table.rich())


def give(options: argparse.Namespace, results: Results) -> None:
    """Shows and saves what was measured."""
    if options.save and options.save.exists():
        results = results.put_over(Results.load(options.save))
    show(results)
    if options.save:
        results.save(options.save)
    if options.markdown:
        text = "\n\n".join(f"## {table.title}\n\n{table.markdown()}" for table in tables(results))
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.docs:
        page.write(results)


def main() -> int:
    """Runs; gives 1 if a question's limit is exceeded or a contestant's results are wrong."""
    # databases are removed also when a run is ended
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parser().parse_args()
    parts = options.parts or tuple(PARTS)
    known = [part for part in parts if part in PARTS]
    if unknown := set(parts) - {*PARTS, QUESTIONS, INSTRUCTIONS}:
        parser().error(f"there is no part {', '.join(sorted(unknown))}")
    status = 0
    if options.saved or known:
        results = Results.load(options.saved) if options.saved else measured(options, tuple(known))
        give(options, results)
        status |= any(figure.problem not in ("", "-") for figure in results.figures)
    if QUESTIONS in parts and not options.saved:
        found = asked(options)
        show_answers(found)
        status |= not all(item.holds for item in found)
    if INSTRUCTIONS in parts and not options.saved:
        show_instructions(options)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
