"""How long `import cormorant` takes, in processes of its own."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.measure import Comparison

CODE = "import time; start = time.perf_counter(); import {}; print((time.perf_counter() - start) * 1000)"
LIMIT_MS = 150.0


def milliseconds(module: str) -> float:
    """Gives the milliseconds an import takes in a fresh process."""
    done = subprocess.run([sys.executable, "-c", CODE.format(module)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def import_time() -> Comparison:
    """Gives the import's time against its budget."""
    times = [milliseconds("cormorant") for _ in range(9)]
    return Comparison("import cormorant", "ms of 150", LIMIT_MS, median(times), 1.0)
