"""Copies of lists and documents, and whether they are equal: by `marshal`, which does in C what `deepcopy` does."""

from __future__ import annotations

import copy
import marshal
from typing import Any

FORMAT = 2
"""The last one that says nothing of how often an object is referred to: the bytes of equal values are equal."""


def packed(value: Any) -> bytes | None:
    """Gives a value of plain Python types as bytes; None where something in it is of another type.

    Equal bytes are values equal to the types of everything inside. Dictionaries of another order have other bytes.
    """
    try:
        return marshal.dumps(value, FORMAT)
    except ValueError:
        return None


def own_copy(value: Any) -> Any:
    """Gives a copy of a list or document that nobody else can change."""
    text = packed(value)
    return copy.deepcopy(value) if text is None else marshal.loads(text)


class Snapshot:
    """A value as it was when this was made, whatever is done to it later.

    Attributes:
        packed: It as bytes; None where something in it is of a type of its own.
    """

    __slots__ = ("_value", "packed")

    def __init__(self, value: Any) -> None:
        self.packed: bytes | None = packed(value)
        self._value: Any = copy.deepcopy(value) if self.packed is None else None

    def copy(self) -> Any:
        """Gives the value, in an object of its own."""
        return copy.deepcopy(self._value) if self.packed is None else marshal.loads(self.packed)

    def is_surely(self, value: Any) -> bool:
        """Whether a value is just the same; where it is not, it may still be equal."""
        return self.packed is not None and self.packed == packed(value)
