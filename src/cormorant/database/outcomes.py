"""What became of a transaction whose COMMIT was not answered."""

from __future__ import annotations

from typing import Literal, TypeAlias

from cormorant.adapters.asking import ask
from cormorant.adapters.base import Adapter
from cormorant.errors import CommitOutcomeUnknown, ConfigurationError

Outcome: TypeAlias = Literal["committed", "aborted", "in progress"]
"""What became of a transaction."""


async def ask_outcome(adapter: Adapter, of: CommitOutcomeUnknown | int, timeout: float | None) -> Outcome | None:
    """Asks the server what became of a transaction, by its number.

    Args:
        adapter: Where it ran.
        of: The error that told of it, or its number alone.
        timeout: Seconds that the answer may take; None for 10.

    Raises:
        ConfigurationError: The database gives transactions no numbers, or was not asked for this one.
        ConnectionLost: There was no answer.
    """
    sql = adapter.dialect.transaction_outcome
    if sql is None:
        raise ConfigurationError(
            f"transactions of {adapter.config.redacted} have no numbers to ask for",
            hint="an SQLite COMMIT has ended when it raises; look in the database whether its changes are there",
        )
    xid, begun = (of, None) if isinstance(of, int) else (of.xid, of.begun)
    if xid is None:
        raise ConfigurationError("the transaction has no number", hint="Database(track_commits=True) asks for it")
    found: Outcome | None = (await ask(adapter, sql, [xid, begun], timeout)).rows[0][0]
    return found
