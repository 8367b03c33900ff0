"""Serves one application written with each library under uvicorn, and asks each in turn for as much as it can give.

    CORMORANT_DSN=postgresql://... python -m benchmarks.web [--seconds 5] [--rounds 3] [--plain]

It needs PostgreSQL, wrk on the PATH, and the packages of `pip install -e '.[bench-web]'`: uvicorn with uvloop and
httptools, which `--plain` leaves out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.web.tables import fill

# Cormorant twice: with sessions by FastAPI's dependencies, and in blocks of the handlers
LIBRARIES = ("cormorant", "cormorant_blocks", "sqlalchemy", "tortoise")
POST = """
wrk.method = "POST"
wrk.body = '{"title": "New", "body": "words", "author_id": 1}'
wrk.headers["content-type"] = "application/json"
"""
PLAIN = ("--loop", "asyncio", "--http", "h11")
FAST = ("--loop", "uvloop", "--http", "httptools")
# what an application is asked for: six times one object, three times twenty, and one is made
MIXED = """
local new = wrk.format("POST", "/articles", {["content-type"] = "application/json"},
    '{"title": "New", "body": "words", "author_id": 1}')
local one, twenty = wrk.format("GET", "/authors/1"), wrk.format("GET", "/articles")
local turns = {one, twenty, one, one, twenty, one, new, one, twenty, one}
local turn = 0
request = function()
    turn = turn % #turns + 1
    return turns[turn]
end
"""
ROUTES = {
    "get by key": "/authors/1",
    "20 with their authors": "/articles",
    "create": "POST /articles",
    "the three, 6 to 3 to 1": "MIXED /",
}


@dataclass
class Figures:
    """What one library's application has done on one route: one figure for each round."""

    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    failed: int = 0


@contextmanager
def serving(library: str, dsn: str, *options: str) -> Iterator[tuple[str, int]]:
    """Starts an application, with options of uvicorn; gives its address and its process."""
    app = f"benchmarks.web.with_{library}:app"
    command = [sys.executable, "-m", "uvicorn", app, "--port", "0", "--no-access-log", *options]
    environment = {**os.environ, "BENCH_DSN": dsn}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            yield next(found[0] for line in lines if (found := re.findall(r"http://[\d.:]+", line))), server.pid
        finally:
            server.terminate()


def cpu_seconds(pid: int) -> float:
    """Gives the CPU time a process has used."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def load(address: str, pid: int, route: str, seconds: int, figures: Figures) -> None:
    """Asks as fast as the application answers."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        method, _, path = route.rpartition(" ")
        script.write({"POST": POST, "MIXED": MIXED}.get(method, ""))
        script.flush()
        url = address + path
        command = ["wrk", "-t1", "-c50", f"-d{seconds}s", "--timeout", "10s", "-s", script.name, url]
        before = cpu_seconds(pid)
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = cpu_seconds(pid) - before
    done = int(re.findall(r"(\d+) requests in", told)[0])
    figures.rate.append(float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0]))
    figures.cpu.append(1000 * used / max(done, 1))
    bad = re.findall(r"Non-2xx or 3xx responses: (\d+)", told) + re.findall(r"timeout (\d+)", told)
    figures.failed += sum(map(int, bad))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="asyncio's own loop, and an HTTP parser in Python")
    given = parser.parse_args()
    dsn = os.environ["CORMORANT_DSN"]
    options = PLAIN if given.plain else FAST
    found = {(library, name): Figures() for name in ROUTES for library in LIBRARIES}
    for _ in range(given.rounds):
        for library in LIBRARIES:
            asyncio.run(fill(dsn))
            with serving(library, dsn, *options) as (address, pid):
                for name, route in ROUTES.items():
                    load(address, pid, route, 1, Figures())
                    load(address, pid, route, given.seconds, found[library, name])
    show(found)


def show(found: dict[tuple[str, str], Figures]) -> None:
    """Prints the medians."""
    table = Table(title="One application, 50 connections, uvicorn, PostgreSQL")
    for heading in ("route", "library", "requests/s", "CPU ms each", "failed"):
        table.add_column(heading, justify="left" if heading in ("route", "library") else "right")
    for (library, name), figures in found.items():
        cells = (name, library, f"{median(figures.rate):.0f}", f"{median(figures.cpu):.2f}", str(figures.failed))
        table.add_row(*cells)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
