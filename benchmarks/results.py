"""What was measured, as values that can be saved, read again and compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any, Self

RAW, BY_HAND, OURS, IN_THREADS = "raw", "objects", "cormorant", "cormorant_in_threads"


@dataclass
class Figure:
    """What one contestant needs for one thing.

    Args:
        part: "workloads", "growth", "concurrency", "memory" or "startup".
        size: The rows, in what grows.
        wall: Seconds of the clock for a call, of each round; for memory bytes, for start-up seconds.
        cpu: Seconds of CPU time of the client for a call, of each round.
        problem: Why there is nothing: "-" for what a library does not offer.
    """

    part: str
    db: str
    workload: str
    contestant: str
    tasks: int = 1
    size: int = 0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, int, int]:
        """What it is a figure of."""
        return (self.part, self.db, self.workload, self.contestant, self.tasks, self.size)


Key = tuple[str, int, int]


@dataclass
class Results:
    """A run.

    Args:
        about: The machine, versions and settings.
        titles: What workloads are called.
    """

    about: dict[str, Any] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        data = json.loads(path.read_text())
        return cls(data["about"], data["titles"], [Figure(**figure) for figure in data["figures"]])

    def put_over(self, older: Results) -> Results:
        """Gives these figures, and those of an older run that were not measured again."""
        again = {figure.key for figure in self.figures}
        kept = [figure for figure in older.figures if figure.key not in again]
        versions = older.about.get("versions", {}) | self.about.get("versions", {})
        # in the order of the older run: tables are in the order of figures
        places = {figure.key: place for place, figure in enumerate([*older.figures, *self.figures][::-1])}
        figures = sorted([*kept, *self.figures], key=lambda figure: -places[figure.key])
        return Results(older.about | self.about | {"versions": versions}, older.titles | self.titles, figures)

    def databases(self, part: str) -> list[str]:
        return list(dict.fromkeys(figure.db for figure in self.figures if figure.part == part))

    def contestants(self, part: str, db: str) -> list[str]:
        return list(dict.fromkeys(f.contestant for f in self.figures if (f.part, f.db) == (part, db)))

    def table(self, part: str, db: str) -> dict[Key, dict[str, Figure]]:
        """Gives the figures by workload, tasks and size, and then by contestant."""
        found: dict[Key, dict[str, Figure]] = {}
        for figure in self.figures:
            if (figure.part, figure.db) == (part, db):
                found.setdefault((figure.workload, figure.tasks, figure.size), {})[figure.contestant] = figure
        return found

    def title(self, key: Key) -> str:
        workload, tasks, _ = key
        title = self.titles.get(workload, workload)
        return title if tasks == 1 else f"{title}, {tasks} tasks"


def ratio(figure: Figure, baseline: Figure | None, clock: str = "wall") -> float | None:
    """Gives how fast something is in relation to a baseline: the median of the rounds, each with its own baseline."""
    if baseline is None:
        return None
    mine, theirs = getattr(figure, clock), getattr(baseline, clock)
    pairs = [base / own for base, own in zip(theirs, mine, strict=False) if own > 0]
    return median(pairs) if pairs else None


def mean(values: Iterable[float | None]) -> float | None:
    """Gives the geometric mean of what is there."""
    there = [value for value in values if value]
    return exp(sum(map(log, there)) / len(there)) if there else None


def best_peer(row: dict[str, Figure], clock: str = "wall", name: str = OURS) -> tuple[str, float] | None:
    """Gives the fastest library beside ours, and how much faster ours is than that, in one of its ways."""
    ours = row.get(name)
    if ours is None:
        return None
    found = [
        (name, 1 / other)
        for name, figure in row.items()
        if name not in (RAW, BY_HAND, OURS, IN_THREADS) and (other := ratio(figure, ours, clock)) is not None
    ]
    return min(found, key=lambda item: item[1], default=None)
