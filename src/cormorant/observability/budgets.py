"""How many statements a session may send, and how many rows it may read."""

from __future__ import annotations

from cormorant.errors import ConfigurationError, QueryBudgetExceeded
from cormorant.observability.words import counted, number

TRANSACTION_WORDS = ("BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
"""What begins and ends transactions: not counted, for what was written must always be ended."""

_HINT = "read in fewer statements or in parts, or give the session more: AsyncSession(max_queries=..., max_rows=...)"


class Budget:
    """What one session may do, and how much of it is done.

    Args:
        max_queries: Statements at most; None sets no limit. Words of transactions are not counted.
        max_rows: Rows that it may read at most; None sets no limit.
    """

    __slots__ = ("max_queries", "max_rows", "queries", "rows")

    def __init__(self, max_queries: int | None, max_rows: int | None) -> None:
        self.max_queries: int | None = max_queries
        self.max_rows: int | None = max_rows
        self.queries: int = 0
        self.rows: int = 0

    def check(self) -> None:
        """Refuses one more statement.

        Raises:
            QueryBudgetExceeded: There were as many as there may be.
        """
        if self.max_queries is not None and self.queries >= self.max_queries:
            raise QueryBudgetExceeded(
                f"the session has sent {counted(self.queries, 'statement')}, and max_queries={self.max_queries}: "
                "one more was not sent",
                hint=_HINT,
            )

    def count(self, sql: str) -> None:
        """Counts a statement that is about to be sent."""
        if not sql.startswith(TRANSACTION_WORDS):
            self.check()
            self.queries += 1

    def take(self, rows: int) -> None:
        """Counts rows that were read.

        Raises:
            QueryBudgetExceeded: They are more than there may be.
        """
        self.rows += rows
        if self.max_rows is not None and self.rows > self.max_rows:
            raise QueryBudgetExceeded(
                f"the session has read {counted(self.rows, 'row')}, and max_rows={self.max_rows}: "
                f"{'the last one is' if rows == 1 else f'the last {number(rows)} are'} not given",
                hint=_HINT,
            )


def budget_of(max_queries: int | None, max_rows: int | None) -> Budget | None:
    """Gives a new budget, or None where there is no limit.

    Raises:
        ConfigurationError: A limit is no number.
    """
    for name, limit in (("max_queries", max_queries), ("max_rows", max_rows)):
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ConfigurationError(f"{name}={limit!r}", hint="give a whole number, or None for no limit")
    return None if max_queries is None and max_rows is None else Budget(max_queries, max_rows)
