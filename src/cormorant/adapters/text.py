"""What SQL text no driver can send."""

from __future__ import annotations

from cormorant.errors import StatementError


def check_sendable(sql: str) -> None:
    """Refuses SQL that cannot be encoded: asyncpg would lose the connection over it.

    Raises:
        StatementError: The text holds lone surrogates or null characters.
    """
    shown = sql.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if shown != sql:
        raise StatementError(
            "the SQL text holds lone surrogates or null characters", statement=shown, hint="pass values as parameters"
        )
