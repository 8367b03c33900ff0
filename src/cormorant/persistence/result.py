"""What raw SQL gives: rows by position, with the names of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from cormorant.adapters.base import RawRows


class Result(Sequence[tuple[Any, ...]]):
    """The rows of a raw statement, as tuples.

    Args:
        raw: What the adapter gave.
    """

    __slots__ = ("_rows", "columns", "rowcount")

    def __init__(self, raw: RawRows) -> None:
        self.columns: tuple[str, ...] = raw.columns
        self.rowcount: int = raw.affected
        self._rows = [tuple(row) for row in raw.rows]

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Any, ...]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return self._rows == (other._rows if isinstance(other, Result) else other)

    def __repr__(self) -> str:
        return f"<Result {len(self)} rows, {self.rowcount} affected>"

    def dicts(self) -> list[dict[str, Any]]:
        """Gives the rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]

    def scalar(self) -> Any:
        """Gives the first column of the first row, or None where there is no row."""
        return self._rows[0][0] if self._rows else None
