"""An array in the form of a text, which still knows its items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self


class ArrayText(str):
    """The text form of an array: what is sent; logs show the items."""

    __slots__ = ("items",)

    items: Sequence[Any]

    @classmethod
    def of(cls, text: str, items: Sequence[Any]) -> Self:
        """Gives the text with the items it was made of."""
        made = cls(text)
        made.items = items
        return made
