"""How large tables are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

SMALL_ROWS = 100_000
SMALL_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TableSize:
    """The size of a table.

    Args:
        rows: About how many rows it has.
        bytes: What it takes on disk with its indexes; 0 where the database does not tell.
    """

    rows: int
    bytes: int = 0

    @property
    def is_small(self) -> bool:
        """Whether all of it is read, or written, in less time than others notice."""
        return self.rows <= SMALL_ROWS and self.bytes <= SMALL_BYTES


Sizes: TypeAlias = Mapping[str, TableSize]
"""Sizes by the keys of tables; a table that is not among them counts as large."""
