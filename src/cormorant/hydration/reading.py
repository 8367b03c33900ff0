"""What is said of values that the database gave and nothing can be made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from cormorant.errors import CormorantError, DataError


class Decoded(NamedTuple):
    """A column of rows whose values are not taken as the driver gives them.

    Args:
        what: What messages call it: "Article.created".
        type: The name of its type.
        decode: Makes Python's value.
    """

    what: str
    type: str
    decode: Callable[[Any], Any]


def refuse_unreadable(error: Exception, rows: Sequence[Sequence[Any]], decoded: Mapping[int, Decoded]) -> None:
    """Names the column of the value that made rows fail; does nothing if it was something else, or is told already.

    Raises:
        DataError: Without the value, which may be nobody's business.
    """
    if isinstance(error, CormorantError):
        return
    for row in rows:
        for index, column in decoded.items():
            if row[index] is not None and (why := _failure(column.decode, row[index])) is not None:
                raise DataError(
                    f"{column.what} cannot be read: the database gave what no {column.type} can be made of ({why})",
                    hint="change the rows that have it, or what is computed: Python's types are narrower than SQL's",
                ) from None


def _failure(decode: Callable[[Any], Any], value: Any) -> str | None:
    try:
        decode(value)
    except Exception as error:  # whoever wrote what reads it
        return type(error).__name__
    return None
