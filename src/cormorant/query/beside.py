"""The values that were read beside rows and are no part of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cormorant.errors import CormorantError, DataError

Pick: TypeAlias = "tuple[int, Callable[[Any], Any] | None]"
"""A column's place, and what decodes it."""


class Beside:
    """The values beside each row of a result; decoded when they are asked for, which is for few rows of many.

    Args:
        rows: The rows as the driver gave them.
        picks: The columns.
    """

    __slots__ = ("_picks", "rows")

    def __init__(self, rows: Sequence[Sequence[Any]], picks: tuple[Pick, ...]) -> None:
        self.rows: Sequence[Sequence[Any]] = rows
        self._picks = picks

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        row = self.rows[index]
        values = ((row[place], decode) for place, decode in self._picks)
        try:
            return tuple(value if decode is None or value is None else decode(value) for value, decode in values)
        except CormorantError:
            raise
        except Exception as error:
            raise DataError(
                f"a value of the order cannot be read: Python has none like it ({type(error).__name__})",
                hint="order by values that Python can hold",
            ) from None
