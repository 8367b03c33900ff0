"""How long imports take, in processes of their own: the package alone, and the whole house with asyncio."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.questions.measure import Comparison

CODE = "import time; start = time.perf_counter(); {}; print((time.perf_counter() - start) * 1000)"
STATEMENTS = ("import cormorant", "from cormorant import AsyncSession, Model")
LIMIT_MS = 150.0


def milliseconds(statement: str) -> float:
    """Gives the milliseconds an import takes in a fresh process."""
    done = subprocess.run([sys.executable, "-c", CODE.format(statement)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def import_times() -> list[Comparison]:
    """Gives the imports' times against their budget."""
    return [
        Comparison(statement, "ms of 150", LIMIT_MS, median(milliseconds(statement) for _ in range(9)), 1.0)
        for statement in STATEMENTS
    ]
