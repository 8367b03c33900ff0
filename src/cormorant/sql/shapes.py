"""Shapes of statements whose sources are numbered, and of what is read several times in one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from cormorant._internal.narrowing import is_tuple

if TYPE_CHECKING:
    from cormorant.sql.expr import Bind, Binds, Key


MARK = "\x1e"
"""Stands before the number of a source in its key; no name of SQL has it."""

_NUMBER = re.compile(MARK + r"(\d+)")


class Shape:
    """A shape that is equal to itself alone: `Shape.of` gives equal contents the same one.

    Common table expressions read each other several times. Without this, comparing their shapes would walk the first
    one as often as there are ways to it, twice as often with each step.
    """

    __slots__ = ("__weakref__", "content")

    def __init__(self, content: Key) -> None:
        self.content: Key = content

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


def canonical(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Gives a statement's shape with its sources numbered from 1, in the order in which they stand there.

    Numbers tell sources apart that live at the same time, in whatever task. What two tasks ask in the same way is one
    shape, whichever numbers they got. A shape without numbers is given back as it is.
    """
    numbers: dict[str, str] = {}
    shapes: dict[int, int] = {}

    def renumbered(match: re.Match[str]) -> str:
        return MARK + numbers.setdefault(match[1], str(len(numbers) + 1))

    def part(given: Any) -> Any:
        if isinstance(given, str):
            return _NUMBER.sub(renumbered, given) if MARK in given else given
        if is_tuple(given):
            return tuple([part(item) for item in given])
        if not isinstance(given, Shape):
            return given
        if id(given) in shapes:
            return ("again", shapes[id(given)])
        place = shapes[id(given)] = len(shapes)
        return ("shape", place, part(given.content))

    try:
        found = part(key)
    except RecursionError:
        # what is nested so deeply cannot be compiled either: that says of which query it is
        return key
    return found if numbers else key
