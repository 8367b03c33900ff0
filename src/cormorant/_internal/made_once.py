"""Attributes that are made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class MadeOnce:
    """An attribute that is made at its first use, and is one like all others from then on.

    It does what `functools.cached_property` does, without the lock that this takes in Python 3.11. A `__getattr__`
    would slow down the reading of every other attribute.

    Args:
        make: Makes the value for an object.
    """

    __slots__ = ("_make", "_name")

    def __init__(self, make: Callable[[Any], object]) -> None:
        self._make = make
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        made = self._make(instance)
        # not by its __dict__, which would be one object more to every instance that has none yet
        setattr(instance, self._name, made)
        return made
