"""Where tests have their files: in memory, if there is room; most of what a test waits for with SQLite is the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

VARIABLE = "PYTEST_DEBUG_TEMPROOT"
MEMORY = Path("/dev/shm")
ROOM = 512 << 20


def keep_in_memory() -> None:
    """Puts pytest's temporary folders into memory, unless they were given another place."""
    if VARIABLE not in os.environ and has_room(MEMORY):
        os.environ[VARIABLE] = str(MEMORY)


def has_room(folder: Path) -> bool:
    """Whether a folder can be written to, and has room for the files of all tests; containers often give 64 MB."""
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM


def keep_bytecode() -> Callable[[], None]:
    """Gives Python's programs a folder for their bytecode where they would keep none; gives what removes it.

    A hundred programs that tests start would compile the package anew.
    """
    if not os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        return lambda: None
    folder = TemporaryDirectory(prefix="cormorant-bytecode-", ignore_cleanup_errors=True)
    os.environ["PYTHONPYCACHEPREFIX"] = folder.name
    return folder.cleanup
