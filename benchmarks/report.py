"""Results as tables: in the terminal, and in Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.contestants import CONTESTANTS
from benchmarks.results import BY_HAND, IN_THREADS, OURS, RAW, Figure, Key, Results, best_peer, mean, ratio

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True)
class Table:
    """Rows of cells under a title."""

    title: str
    head: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def rich(self) -> RichTable:
        made = RichTable(title=self.title)
        for at, name in enumerate(self.head):
            made.add_column(name, justify="right" if at else "left")
        for row in self.rows:
            made.add_row(*(cell.replace("**", "") for cell in row))
        return made


def title_of(name: str) -> str:
    return CONTESTANTS[name][0]


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def ratios(results: Results, db: str, clock: str) -> Table:
    """Gives how fast everybody is, where the driver is 1."""
    names = results.contestants("workloads", db)
    shown = [name for name in names if name != RAW]
    rows = []
    columns: dict[str, list[float | None]] = {name: [] for name in shown}
    leads: list[float | None] = []
    for key, row in results.table("workloads", db).items():
        found = {name: ratio(row[name], row.get(RAW), clock) for name in shown}
        best = max((value for value in found.values() if value), default=None)
        for name, value in found.items():
            columns[name].append(value)
        peer = best_peer(row, clock)
        leads.append(peer and peer[1])
        cells = [ratio_cell(found[name], row[name], best) for name in shown]
        rows.append([results.title(key), *cells, f"{peer[1]:.1f} x {title_of(peer[0])}" if peer else ""])
    rows.append(["*geometric mean*", *(number(mean(columns[name])) for name in shown), number(mean(leads))])
    what = "the clock" if clock == "wall" else "the client's CPU time"
    head = ["", *map(title_of, shown), "lead"]
    return Table(f"{DATABASES[db]}: speed by {what}, where the driver is 1.00", head, rows)


def ratio_cell(value: float | None, figure: Figure, best: float | None) -> str:
    if value is None:
        return figure.problem if figure.problem in ("", "-") else "wrong"
    return f"**{value:.2f}**" if value == best else f"{value:.2f}"


def microseconds(results: Results, db: str) -> Table:
    """Gives how long a call takes, and how much CPU time."""
    names = results.contestants("workloads", db)
    rows = [
        [results.title(key), *(time_cell(row.get(name)) for name in names)]
        for key, row in results.table("workloads", db).items()
    ]
    title = f"{DATABASES[db]}: microseconds of the clock for a call, and of the client's CPU time"
    return Table(title, ["", *map(title_of, names)], rows)


def time_cell(figure: Figure | None) -> str:
    if figure is None or not figure.wall:
        return "" if figure is None else figure.problem[:1]
    return f"{median_low(figure.wall) * 1e6:,.0f} / {median_low(figure.cpu) * 1e6:,.0f}"


def growth(results: Results, db: str) -> list[Table]:
    """Gives what calls cost as there is more, workload by workload."""
    table = results.table("growth", db)
    names = results.contestants("growth", db)
    made = []
    for workload in dict.fromkeys(key[0] for key in table):
        keys = [key for key in table if key[0] == workload]
        used = [name for name in names if any(name in table[key] and table[key][name].wall for key in keys)]
        rows = [[f"{key[2]:,}", *(cost_cell(table[key].get(name)) for name in used)] for key in keys]
        title = f"{DATABASES[db]}: {results.titles.get(workload, workload)}, milliseconds"
        made.append(Table(title, ["n", *map(title_of, used)], rows))
    return made


def cost_cell(figure: Figure | None) -> str:
    return f"{median_low(figure.wall) * 1e3:,.3g}" if figure is not None and figure.wall else ""


def concurrency(results: Results, db: str) -> Table:
    """Gives how many calls there are in a second."""
    names = results.contestants("concurrency", db)
    rows = [
        [f"{key[1]:,}", *(rate_cell(row.get(name)) for name in names)]
        for key, row in results.table("concurrency", db).items()
    ]
    title = f"{DATABASES[db]}: an object and its parent, calls in a second, on ten connections"
    return Table(title, ["tasks", *map(title_of, names)], rows)


def rate_cell(figure: Figure | None) -> str:
    return f"{1 / median_low(figure.wall):,.0f}" if figure is not None and figure.wall else ""


def once(results: Results, part: str, db: str) -> Table:
    """Gives memory or start-up, one line for each contestant."""
    table = results.table(part, db)
    unit, factor = ("bytes for an object", 1.0) if part == "memory" else ("milliseconds", 1e3)
    rows = [
        [
            title_of(name),
            *(f"{median_low(row[name].wall) * factor:,.0f}" if row[name].wall else "" for row in table.values()),
        ]
        for name in results.contestants(part, db)
    ]
    what = {"memory": f"{next(iter(table))[2]:,} loaded objects" if table else "", "startup": "start-up"}[part]
    return Table(f"{DATABASES[db]}: {what}, {unit}", ["", *(heading(key) for key in table)], rows)


def heading(key: Key) -> str:
    return {"memory": "bytes each", "import": "import, models", "first query": "first result"}.get(key[0], key[0])


def standing(results: Results, db: str) -> list[str]:
    """Says in sentences how ours stands, in each of its ways."""
    there = results.contestants("workloads", db)
    return [
        f"{title_of(name)}: {line}" if IN_THREADS in there else line
        for name in (OURS, IN_THREADS)
        if name in there
        for line in standing_of(results, db, name)
    ]


def standing_of(results: Results, db: str, name: str) -> list[str]:
    """Says in sentences how a contestant stands."""
    table = results.table("workloads", db)
    to_raw = mean(ratio(row[name], row.get(RAW)) for row in table.values() if name in row)
    if to_raw is None:
        return []
    cpu = mean(ratio(row[name], row.get(RAW), "cpu") for row in table.values() if name in row)
    lines = [f"geometric mean of the speed of the driver: {number(to_raw)} by the clock, {number(cpu)} by CPU time"]
    get = table.get(("get", 1, 0), {})
    if name in get and RAW in get and get[name].cpu and get[RAW].cpu:
        more = (median_low(get[name].cpu) - median_low(get[RAW].cpu)) * 1e6
        lines.append(f"CPU time of a get by key {'above' if more > 0 else 'below'} the driver's: {abs(more):.0f} us")
    for clock, what in (("wall", "by the clock"), ("cpu", "by CPU time")):
        behind = [
            f"{results.title(key)} ({title_of(peer[0])}, {peer[1]:.2f} x)"
            for key, row in table.items()
            if (peer := best_peer(row, clock, name)) and peer[1] < 1
        ]
        lines.append(f"a peer is faster {what}: {', '.join(behind) or 'nowhere'}")
    below = [
        f"{results.title(key)} ({value:.2f})"
        for key, row in table.items()
        if name in row and BY_HAND in row and (value := ratio(row[name], row[BY_HAND])) is not None and value < 0.65
    ]
    lines.append(f"below 0.65 of objects by hand: {', '.join(below) or 'nowhere'}")
    return lines


def tables(results: Results) -> Iterable[Table]:
    """Gives every table that there are figures for."""
    for db in results.databases("workloads"):
        yield ratios(results, db, "wall")
        yield ratios(results, db, "cpu")
        yield microseconds(results, db)
    for db in results.databases("growth"):
        yield from growth(results, db)
    for db in results.databases("concurrency"):
        yield concurrency(results, db)
    for part in ("memory", "startup"):
        for db in results.databases(part):
            yield once(results, part, db)


def show(results: Results) -> None:
    """Prints everything."""
    console = Console(width=None if Console().is_terminal else 190)
    for table in tables(results):
        console.print(table.rich())
    for db in results.databases("workloads"):
        for line in standing(results, db):
            console.print(f"{DATABASES[db]}: {line}", highlight=False)
