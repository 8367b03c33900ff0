"""Shapes of what is read several times in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from cormorant.sql.expr import Bind, Binds, Key


class Shape:
    """A shape that is equal to itself alone: `Shape.of` gives equal contents the same one.

    Common table expressions read each other several times. Without this, comparing their shapes would walk the first one
    as often as there are ways to it, twice as often with each step.
    """

    __slots__ = ("__weakref__", "content")

    def __init__(self, content: Key) -> None:
        self.content = content

    @staticmethod
    def of(content: Key) -> Shape:
        """Gives the shape of a content."""
        found = _shapes.get(content)
        return found if found is not None else _shapes.setdefault(content, Shape(content))


_shapes: WeakValueDictionary[Key, Shape] = WeakValueDictionary()


def repeated(binds: Binds) -> tuple[int, ...]:
    """Gives for each value which one it is, where one stands in several places; nothing where none does."""
    if len(set(binds)) == len(binds):
        return ()
    first: dict[Bind, int] = {}
    return tuple(first.setdefault(bind, len(first)) for bind in binds)
