"""Takes the rows of a bulk write as they come, in batches that fit a statement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant._internal.narrowing import is_async_iterable, is_iterable, is_mapping
from cormorant.errors import WrongType
from cormorant.models.model import Model
from cormorant.models.state import value_or_missing
from cormorant.query.bulk import BulkWrite
from cormorant.sql import types as t

ROWS = 5_000
"""Rows in one batch, unless told otherwise."""

BYTES = 8 << 20
"""Characters and bytes of long texts in one batch; the row that reaches it is the batch's last."""

LONG = 1_000
"""A text column of so many characters at most is not measured."""


class Feed:
    """Gives the rows of one call in batches, when they are asked for.

    Args:
        rows: An iterable or an async iterable.
        write: What is done with them.

    Raises:
        WrongType: There are no rows to be had from it.
    """

    def __init__(self, rows: object, write: BulkWrite) -> None:
        self._limit = write.batch or ROWS
        long = [column.attribute for column in write.info.columns if _may_be_long(column.type)]
        self._measure: Callable[[Any], int] | None = _measure_of(tuple(long))
        self._later: AsyncIterator[Any] | None = None
        self._now: Iterator[Any] = iter(())
        if isinstance(rows, (str, bytes, Model)) or is_mapping(rows):
            raise WrongType(f"{write.verb} takes many rows, not one {type(rows).__name__}", hint="put it in a list")
        if is_iterable(rows):
            self._now = iter(rows)
        elif is_async_iterable(rows):
            self._later = aiter(rows)
        else:
            raise WrongType(f"{write.verb} takes rows, not {rows!r:.60} ({type(rows).__name__})", hint="pass a list")

    async def take(self) -> list[Any]:
        """Gives the next rows; none at the end."""
        return self.take_now() if self._later is None else await self._take_later(self._later)

    def take_now(self) -> list[Any]:
        """Gives the next rows of a plain iterable; none at the end.

        Raises:
            WrongType: They have to be waited for.
        """
        if self._later is not None:
            raise WrongType("an async iterable is given to a sync session", hint="pass a list, or a plain generator")
        return self.portion(self._now)

    def portion(self, rows: Iterator[Any]) -> list[Any]:
        """Takes as many rows as one batch holds."""
        taken: list[Any] = []
        size, measure = 0, self._measure
        for row in rows:
            taken.append(row)
            if measure is not None:
                size += measure(row)
            if len(taken) >= self._limit or size >= BYTES:
                break
        return taken

    async def _take_later(self, rows: AsyncIterator[Any]) -> list[Any]:
        taken: list[Any] = []
        size, measure = 0, self._measure
        async for row in rows:
            taken.append(row)
            if measure is not None:
                size += measure(row)
            if len(taken) >= self._limit or size >= BYTES:
                break
        return taken


@lru_cache(maxsize=1000)
def _measure_of(names: tuple[str, ...]) -> Callable[[Any], int] | None:
    """Gives what tells how many characters and bytes there are in columns of a row; None if there are no such columns.

    What most rows are is tried first: objects that have a value in all of them, and dictionaries.
    """
    if not names:
        return None
    of_object = " + ".join(f"len(row.{name} or '')" for name in names)
    of_mapping = " + ".join(f"len(row.get({name!r}) or '')" for name in names)
    lines = ["def measure(row):", "    try:", f"        return {of_mapping} if row.__class__ is dict else {of_object}"]
    lines += ["    except Exception:", "        return measured(row, names)"]
    return compile_function("measure", "\n".join(lines), {"measured": _measured, "names": names})


def _measured(row: Any, names: tuple[str, ...]) -> int:
    if isinstance(row, Model):
        values = [value_or_missing(row, name) for name in names]
    else:
        values = [row.get(name) for name in names] if is_mapping(row) else []
    return sum(len(value) for value in values if isinstance(value, (str, bytes)))


def _may_be_long(type_: t.SqlType) -> bool:
    base = t.base_of(type_)
    if isinstance(base, t.Text):
        return base.length is None or base.length > LONG
    return isinstance(base, t.Binary)
