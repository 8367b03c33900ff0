"""What became of a transaction whose COMMIT was not answered."""

from __future__ import annotations

from typing import Literal, TypeAlias

from cormorant.adapters.asking import ask
from cormorant.adapters.base import Adapter
from cormorant.errors import ConfigurationError

Outcome: TypeAlias = Literal["committed", "aborted", "in progress"]
"""What became of a transaction."""


async def ask_outcome(adapter: Adapter, xid: int, timeout: float | None) -> Outcome | None:
    """Asks the server what became of a transaction, by its number.

    Raises:
        ConfigurationError: The database gives transactions no numbers.
    """
    sql = adapter.dialect.transaction_outcome
    if sql is None:
        raise ConfigurationError(
            f"transactions of {adapter.config.redacted} have no numbers to ask for",
            hint="an SQLite COMMIT has ended when it raises; look in the database whether its changes are there",
        )
    found: Outcome | None = (await ask(adapter, sql, [xid], timeout))[0][0]
    return found
