"""What is wrong with a value, with the value kept apart from the words."""

from __future__ import annotations

from typing import Self


class Refusal(str):
    """What is wrong with a value, in words that may name it; `reason` is for those who must not see it.

    Args:
        text: The words.
        reason: The same without the value; left out where the words have none.
    """

    __slots__ = ("reason",)

    reason: str

    def __new__(cls, text: str, reason: str | None = None) -> Self:
        """Makes a text that knows how to say the same without the value."""
        made = super().__new__(cls, text)
        made.reason = text if reason is None else reason
        return made

    @classmethod
    def of(cls, shown: str, reason: str) -> Self:
        """Gives the words that begin with the value."""
        return cls(f"{shown} {reason}", reason)


UNSAID = "is refused"
"""What is said of a value where no words are known to be without it."""


def reason_of(message: str) -> str:
    """Gives what is wrong with a value without the value."""
    return message.reason if isinstance(message, Refusal) else UNSAID
