"""The script `cormorant`."""

from __future__ import annotations

import sys
from collections.abc import Callable

run: Callable[..., object] | None
try:
    from cormorant.cli.commands import application as run
except ModuleNotFoundError as _missing:
    if _missing.name not in ("typer", "rich"):
        raise
    run = None


def app() -> None:
    """Runs the command line, or says how to install what it needs."""
    if run is None:
        sys.stderr.write("error: the command line needs typer and rich\nhint: pip install 'cormorant[cli]'\n")
        raise SystemExit(2)
    run(prog_name="cormorant")
