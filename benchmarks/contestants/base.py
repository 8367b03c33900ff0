"""What every contestant can be asked for.

A method is one of two things. A coroutine does its work once. An asynchronous generator does it many times, with what a
program would have at hand already: up to its first `yield` it prepares, up to the second it works, and gives the last
result. Only the work is measured. A method that is not there is something that the library does not offer.
"""

from __future__ import annotations

from typing import Any

from benchmarks.schema import NARROW, WIDE


class Contestant:
    """A library, with its models of the tables.

    `Narrow` and `Wide` are what its methods get as `model`.
    """

    Narrow: Any = None
    Wide: Any = None

    async def open(self, dsn: str, pool: int) -> None:
        """Connects, with no more connections than `pool`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Closes all connections."""
        raise NotImplementedError

    def columns(self, model: Any) -> tuple[str, ...]:
        """Gives the names of a model's columns."""
        return NARROW if model is self.Narrow else WIDE

    # ---- how results are read, to see that all are equal

    def each(self, result: Any) -> list[Any]:
        """Gives the objects of a result for many."""
        return list(result)

    def value(self, row: Any, name: str) -> Any:
        """Gives a column of an object."""
        return getattr(row, name)

    def children_of(self, parent: Any) -> list[Any]:
        """Gives the children that were loaded with their parent."""
        return list(parent.children)

    def parent_of(self, child: Any) -> Any:
        """Gives the parent that was loaded with its child."""
        return child.parent

    def tags_of(self, article: Any) -> list[Any]:
        """Gives the tags that were loaded with their article."""
        return list(article.tags)
