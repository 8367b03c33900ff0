"""`assert_queries`: how many statements a block of code may send."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Protocol

from cormorant._internal.transaction_words import transaction_word
from cormorant.errors import ConfigurationError, SessionNotEntered
from cormorant.observability.shapes import StatementStats
from cormorant.persistence.session import AsyncSession


class Counting(Protocol):
    """Who counts statements: a session, sync or not, or a database."""

    def query_stats(self) -> list[StatementStats]:
        """Gives every statement shape that was sent."""
        ...


class assert_queries:
    """Fails a test whose block sends more statements than it may, and shows them.

    BEGIN, COMMIT and savepoints are not counted. A block that raises is left to its exception.

    Args:
        source: Whose statements are counted: a session, or a database for all of its sessions; the current AsyncSession
            if none is given.
        max: How many there may be at most.
        exact: How many there must be.

    Raises:
        AssertionError: There were others than that.

    Example:
        >>> async with assert_queries(session, max=2):
        ...     for article in await session.query(Article):
        ...         await article.author            # one statement for all of them
    """

    def __init__(self, source: Counting | None = None, *, max: int | None = None, exact: int | None = None) -> None:
        if (max is None) is (exact is None):
            raise ConfigurationError("assert_queries() takes one of max= and exact=", hint="assert_queries(max=3)")
        self._given = source
        self._source = source
        self._max = max
        self._exact = exact
        self._before: Counter[str] = Counter()

    def __enter__(self) -> assert_queries:
        # which is another one, where the same limit is used again
        self._source = _current() if self._given is None else self._given
        self._before = _counts(self._source)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None and not self._holds():
            raise AssertionError(self._complaint())

    async def __aenter__(self) -> assert_queries:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def statements(self) -> dict[str, int]:
        """How often each statement was sent since the block began, by its text."""
        if self._source is None:
            return {}
        return dict(_counts(self._source) - self._before)

    @property
    def count(self) -> int:
        """How many statements were sent since the block began."""
        return sum(self.statements.values())

    def _holds(self) -> bool:
        return self.count == self._exact if self._max is None else self.count <= self._max

    def _complaint(self) -> str:
        allowed = f"exactly {self._exact}" if self._max is None else f"at most {self._max}"
        lines = [f"{times:>5} x {sql}" for sql, times in self.statements.items()]
        return "\n".join([f"{self.count} statements were sent, and {allowed} expected:", *(lines or ["    none"])])


def _current() -> AsyncSession:
    try:
        return AsyncSession.current()
    except SessionNotEntered:
        raise SessionNotEntered(
            "no AsyncSession is open here whose statements could be counted",
            hint="say whose: assert_queries(session, max=3), of a session, sync or not, or of a database",
        ) from None


def _counts(source: Counting) -> Counter[str]:
    stats = source.query_stats()
    # those sent first come first, as far as that is known: a dict keeps the order of first use
    return Counter({each.sql: each.count for each in stats if transaction_word(each.sql) is None})
