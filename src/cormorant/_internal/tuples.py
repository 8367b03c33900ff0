"""Makes named tuples where there is one for each row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T", bound="tuple[Any, ...]")


def maker(cls: type[T]) -> Callable[[tuple[Any, ...]], T]:
    """Gives what makes a named tuple of the tuple of all its values, by C: its class is called by way of Python."""
    new: Any = vars(tuple)["__new__"]
    return partial(new, cls)
