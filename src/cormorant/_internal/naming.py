"""Names of tables, constraints and savepoints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# PostgreSQL cuts longer names silently, so that two could become one
LONGEST = 63


def snake_case(name: str) -> str:
    """Gives a class name as a table name: BlogPost becomes blog_post, HTTPLog http_log."""
    return _WORD_START.sub("_", name).lower()


def constraint_name(kind: str, table: str, columns: Iterable[str]) -> str:
    """Gives the name of a constraint or index, unique for its table and columns and never too long.

    Args:
        kind: The prefix: "fk", "uq", "ck", "ix".
        table: The table's name.
        columns: The columns' names, in order.
    """
    name = "_".join((kind, table, *columns))
    if len(name.encode()) <= LONGEST:
        return name
    digest = hashlib.blake2s(name.encode(), digest_size=4).hexdigest()
    kept = name.encode()[: LONGEST - 9].decode(errors="ignore")
    return f"{kept}_{digest}"
