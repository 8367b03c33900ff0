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

    __slots__ = ("make", "name")

    def __init__(self, make: Callable[[Any], object]) -> None:
        self.make: Callable[[Any], object] = make
        self.name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        made = self.make(instance)
        # not by its __dict__, which would be one object more to every instance that has none yet
        setattr(instance, self.name, made)
        return made


class KnownOnce(MadeOnce):
    """An attribute that is asked for anew as long as it is None."""

    __slots__ = ()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        known = self.make(instance)
        if known is not None:
            setattr(instance, self.name, known)
        return known
