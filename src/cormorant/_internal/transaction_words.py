"""What the first words of a statement say about the transaction."""

from __future__ import annotations

from typing import Literal

Word = Literal["begin", "commit", "rollback", "savepoint", "release", "rollback to"]
_WORDS: dict[str, Word] = {
    "BEGIN": "begin",
    "START": "begin",
    "COMMIT": "commit",
    "END": "commit",
    "ROLLBACK": "rollback",
    "SAVEPOINT": "savepoint",
    "RELEASE": "release",
}


def transaction_word(sql: str) -> Word | None:
    """Gives what a statement does to the transaction; None for every other statement."""
    words = sql[:60].upper().replace(";", " ").split(None, 3)
    word = _WORDS.get(words[0]) if words else None
    return "rollback to" if word == "rollback" and "TO" in words[1:3] else word


def changes_transaction(sql: str) -> bool | None:
    """Gives whether a transaction is open after a statement; None if it changes nothing."""
    return {"begin": True, "commit": False, "rollback": False}.get(transaction_word(sql) or "")
