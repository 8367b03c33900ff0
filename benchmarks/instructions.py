"""Counts the machine instructions of a call, which do not depend on what else the machine does.

A process makes few calls under valgrind's callgrind, and another one many; the difference is what a call costs, without
start and warm-up. What the server of a database does is not counted; SQLite is.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contestants import CONTESTANTS
from benchmarks.runner import ROOT, Say, Settings, command, databases, environment, label
from benchmarks.workloads import WORKLOADS, Workload

FEW, MANY = 20, 60
COLLECTED = re.compile(r"Collected\s*:\s*(\d+)")

Counts = dict[tuple[str, str], dict[str, float]]


def count(settings: Settings, say: Say) -> Counts:
    """Gives the instructions of a call, in thousands, by database and workload, and then by contestant.

    Raises:
        FileNotFoundError: valgrind is not installed.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise FileNotFoundError("instructions are counted by valgrind, which is not on the PATH")
    found: Counts = {}
    for db in settings.dbs:
        with databases(db, settings) as dsns:
            for workload in settings.wanted(WORKLOADS):
                for name, dsn in dsns.items():
                    say(f"{label(db)}: instructions of {workload.title}, {CONTESTANTS[name][0]}")
                    few, many = (run(valgrind, name, dsn, workload, calls, settings) for calls in (FEW, MANY))
                    if few and many:
                        row = found.setdefault((label(db), workload.title), {})
                        row[name] = (many - few) / (MANY - FEW) / 1e3
    return found


def run(valgrind: str, name: str, dsn: str, workload: Workload, calls: int, settings: Settings) -> int:
    """Gives the instructions of a process that makes so many calls; 0 if it could not."""
    what = json.dumps({"do": "count", "workload": workload.name, "calls": calls})
    with TemporaryDirectory() as folder:
        out = f"--callgrind-out-file={Path(folder) / 'out'}"
        # the order of hashes changes how much is compared
        done = subprocess.run(
            [valgrind, "--tool=callgrind", out, *command(name, dsn, settings), what],
            cwd=ROOT,
            env=environment(settings) | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
        )
    collected = COLLECTED.search(done.stderr)
    return int(collected[1]) if collected and not done.returncode else 0
