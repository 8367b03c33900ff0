"""Runs contestants in turns, each in a process of its own on a database of its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contestants import CONTESTANTS, DECIMALS, ONLY_ON, PACKAGES
from benchmarks.results import Figure, Results
from benchmarks.schema import Sizes
from benchmarks.targets import fresh
from benchmarks.workloads import WORKLOADS, Workload, growing

Say = Callable[[str], None]
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Args:
        dbs: "sqlite", "postgresql" or DSNs of PostgreSQL servers.
        contestants: The names of those who take part.
        only: The names of workloads; all of them if there is none.
        tasks: At how many tasks, as far as a workload has that many.
        rounds: How often each contestant's turn comes.
        seconds: How long a turn is.
        sizes: How many rows there are.
        largest: The greatest number of rows in what grows.
        pythons: Other interpreters for contestants whose requirements clash.
        pin: Keep contestants to one processor, which leaves the others to the database.
        uvloop: Run all of them on uvloop.
    """

    dbs: tuple[str, ...]
    contestants: tuple[str, ...]
    only: tuple[str, ...] = ()
    tasks: tuple[int, ...] = (1, 10)
    rounds: int = 7
    seconds: float = 0.3
    sizes: Sizes = field(default_factory=Sizes)
    largest: int = 100_000
    pythons: tuple[tuple[str, str], ...] = ()
    pin: bool = False
    uvloop: bool = False

    def wanted(self, workloads: list[Workload]) -> list[Workload]:
        return [workload for workload in workloads if not self.only or workload.name in self.only]


class Failed(Exception):
    """A contestant's process has ended."""


class Process:
    """A contestant at work."""

    def __init__(self, name: str, dsn: str, settings: Settings) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command(name, dsn, settings),
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if settings.pin and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {0})
        self._line()

    def ask(self, **what: Any) -> dict[str, Any]:
        """Has something done, and gives the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.name} has ended") from None
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} has ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def command(name: str, dsn: str, settings: Settings) -> list[str]:
    """Gives the command of a contestant's process."""
    python = dict(settings.pythons).get(name, sys.executable)
    return [python, "-m", "benchmarks.worker", name, dsn, json.dumps(settings.sizes.to_dict())]


def environment(settings: Settings) -> dict[str, str]:
    """Gives the environment of contestants' processes."""
    return {**os.environ, **({"BENCH_UVLOOP": "1"} if settings.uvloop else {})}


def once(name: str, dsn: str, settings: Settings, cache: str = "", **what: Any) -> dict[str, Any]:
    """Has one thing done by a process that ends then.

    Args:
        cache: A folder for compiled modules, where what is compiled once counts as it does in use.
    """
    variables = environment(settings)
    if cache:
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        variables["PYTHONPYCACHEPREFIX"] = cache
    done = subprocess.run(
        [*command(name, dsn, settings), json.dumps(what)], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def databases(db: str, settings: Settings) -> Iterator[dict[str, str]]:
    """Makes a database for each contestant."""
    there = [name for name in settings.contestants if ONLY_ON.get(name, label(db)) == label(db)]
    with fresh(db, {name: DECIMALS.get(name, "DECIMAL(12, 2)") for name in there}, settings.sizes) as dsns:
        yield dsns


@contextmanager
def processes(dsns: dict[str, str], settings: Settings, say: Say) -> Iterator[list[Process]]:
    """Starts every contestant that can be imported."""
    with ExitStack() as stack:
        started = []
        for name, dsn in dsns.items():
            try:
                process = Process(name, dsn, settings)
            except Failed as error:
                say(f"{error}: left out")
                continue
            stack.callback(process.close)
            started.append(process)
        yield started


def label(db: str) -> str:
    """Gives the kind of a database."""
    return "sqlite" if db.startswith("sqlite") else "postgresql"


def in_turns(
    started: list[Process], figures: dict[str, Figure], rounds: int, ask: Callable[[Process], dict[str, Any]], say: Say
) -> list[Figure]:
    """Has contestants do the same, round by round, each beginning a round once."""
    for round_ in range(rounds):
        at = round_ % len(started)
        for process in (*started[at:], *started[:at]):
            figure = figures[process.name]
            if figure.problem:
                continue
            answer = ask(process)
            if "wall" in answer:
                figure.wall.append(answer["wall"])
                figure.cpu.append(answer["cpu"])
            else:
                figure.problem = "-" if answer.get("missing") else answer.get("error", "no answer")
                if figure.problem != "-":
                    say(f"{figure.contestant}, {figure.workload}: {figure.problem}")
    return list(figures.values())


# ---- the parts of a run


def run_workloads(settings: Settings, results: Results, say: Say) -> None:
    """Measures everything that is asked, after a look at what everybody makes of it."""
    chosen = settings.wanted(WORKLOADS)
    results.titles |= {workload.name: workload.title for workload in chosen}
    for db in settings.dbs:
        with databases(db, settings) as dsns, processes(dsns, settings, say) as started:
            problems = {process.name: checked(process, chosen, say) for process in started}
            for workload in chosen:
                for tasks in (tasks for tasks in workload.tasks if tasks in settings.tasks):
                    say(f"{label(db)}: {workload.title}, {tasks} tasks")
                    figures = {
                        p.name: Figure(
                            "workloads",
                            label(db),
                            workload.name,
                            p.name,
                            tasks,
                            problem=problems[p.name][workload.name],
                        )
                        for p in started
                    }
                    what = {"do": "run", "workload": workload.name, "tasks": tasks, "seconds": settings.seconds}
                    results.figures += in_turns(started, figures, settings.rounds, lambda p, w=what: p.ask(**w), say)


def checked(process: Process, workloads: list[Workload], say: Say) -> dict[str, str]:
    """Gives what is wrong with a contestant's results, by workload.

    "-" stands for what it does not offer, and "" for what is as it should be.
    """
    answer = process.ask(do="check", workloads=[workload.name for workload in workloads])
    problems: dict[str, str] = answer.get("checked") or {workload.name: answer["error"] for workload in workloads}
    for name, problem in problems.items():
        if problem not in ("", "-"):
            say(f"{process.name}, {name}: {problem}")
    return problems


def sizes_up_to(largest: int) -> list[int]:
    """Gives 10, 100, and so on."""
    return [10**power for power in range(1, 10) if 10**power <= largest]


def run_growth(settings: Settings, results: Results, say: Say) -> None:
    """Measures the same of more and more rows."""
    grown = replace(settings, sizes=replace(settings.sizes, narrow=settings.largest))
    for db in settings.dbs:
        with databases(db, grown) as dsns, processes(dsns, grown, say) as started:
            for size in sizes_up_to(settings.largest):
                for workload in settings.wanted(growing(size)):
                    results.titles[workload.name] = workload.title
                    say(f"{label(db)}: {workload.title}, n = {size:,}")
                    figures = {p.name: Figure("growth", label(db), workload.name, p.name, size=size) for p in started}
                    what = {
                        "do": "run",
                        "workload": workload.name,
                        "size": size,
                        "tasks": 1,
                        "seconds": settings.seconds / 3,
                    }
                    rounds = (settings.rounds + 1) // 2
                    results.figures += in_turns(started, figures, rounds, lambda p, w=what: p.ask(**w), say)


def run_concurrency(settings: Settings, results: Results, say: Say) -> None:
    """Measures a web handler's read in many tasks, which share ten connections."""
    workload = next(workload for workload in WORKLOADS if workload.name == "web_read")
    results.titles[workload.name] = workload.title
    for db in settings.dbs:
        with databases(db, settings) as dsns, processes(dsns, settings, say) as started:
            for tasks in (1, 10, 100, 1_000):
                say(f"{label(db)}: {tasks:,} tasks on ten connections")
                figures = {p.name: Figure("concurrency", label(db), "web_read", p.name, tasks) for p in started}
                what = {"do": "run", "workload": "web_read", "tasks": tasks, "seconds": settings.seconds}
                results.figures += in_turns(started, figures, settings.rounds, lambda p, w=what: p.ask(**w), say)


def run_memory(settings: Settings, results: Results, say: Say) -> None:
    """Measures the memory of many loaded objects, with whatever keeps them."""
    size = 100_000 if settings.sizes == Sizes() else settings.sizes.narrow_rows
    grown = replace(settings, sizes=replace(settings.sizes, narrow=size))
    for db in settings.dbs:
        with databases(db, grown) as dsns:
            for name, dsn in dsns.items():
                say(f"{label(db)}: memory of {size:,} objects, {name}")
                answer = once(name, dsn, grown, do="memory", workload="load", size=size)
                figure = Figure("memory", label(db), "memory", name, size=size, problem=answer.get("error", ""))
                if "bytes" in answer:
                    figure.wall.append(answer["bytes"])
                results.figures.append(figure)


def run_startup(settings: Settings, results: Results, say: Say) -> None:
    """Measures how long it takes until models are there, and until the first object is."""
    for db in settings.dbs:
        with databases(db, settings) as dsns, TemporaryDirectory() as cache:
            imports = {name: Figure("startup", label(db), "import", name) for name in dsns}
            firsts = {name: Figure("startup", label(db), "first query", name) for name in dsns}
            for round_ in range(settings.rounds + 1):
                say(f"{label(db)}: start-up")
                for name, dsn in dsns.items():
                    answer = once(name, dsn, settings, cache, do="first", workload="get")
                    imports[name].problem = firsts[name].problem = answer.get("error", "")
                    # the first one compiles its modules
                    if "first" in answer and round_:
                        imports[name].wall.append(answer["imported"])
                        firsts[name].wall.append(answer["first"])
            results.figures += [*imports.values(), *firsts.values()]


PARTS: dict[str, Callable[[Settings, Results, Say], None]] = {
    "workloads": run_workloads,
    "growth": run_growth,
    "concurrency": run_concurrency,
    "memory": run_memory,
    "startup": run_startup,
}


# ---- where it was measured


def about(settings: Settings) -> dict[str, Any]:
    """Tells what figures depend on."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0,
        "processors": os.cpu_count() or 1,
        "rounds": settings.rounds,
        "seconds": settings.seconds,
        "loop": "uvloop" if settings.uvloop else "asyncio",
        "versions": versions(settings.contestants),
    }


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Gives the versions of those who take part, and of the drivers."""
    packages = {CONTESTANTS[name][0]: PACKAGES[name] for name in names if name in PACKAGES}
    found = {}
    for title, package in {"asyncpg": "asyncpg", "aiosqlite": "aiosqlite", **packages}.items():
        try:
            found[title] = version(package)
        except PackageNotFoundError:
            continue
    return found
