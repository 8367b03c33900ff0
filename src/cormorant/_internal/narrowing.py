"""`isinstance` for generic classes, in a form from which checkers learn what the items are."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from typing_extensions import TypeIs

T = TypeVar("T")


def narrower(cls: type[T]) -> Callable[[object], TypeIs[T]]:
    """Gives `lambda value: isinstance(value, cls)`.

    After `isinstance(value, list)` the items have an unknown type; after `is_list(value)` they are Any, as declared.
    """
    # the built-in method behind isinstance: a call of it is no Python call
    return cast("Callable[[object], TypeIs[T]]", cls.__instancecheck__)


def is_iterable(value: object) -> TypeIs[Iterable[Any]]:
    """Whether a value can be iterated over."""
    return isinstance(value, Iterable)


def is_async_iterable(value: object) -> TypeIs[AsyncIterable[Any]]:
    """Whether a value can be iterated over by `async for`."""
    return isinstance(value, AsyncIterable)


def is_mapping(value: object) -> TypeIs[Mapping[Any, Any]]:
    """Whether a value has values by key."""
    return isinstance(value, Mapping)


is_list: Callable[[object], TypeIs[list[Any]]] = narrower(list)
is_tuple: Callable[[object], TypeIs[tuple[Any, ...]]] = narrower(tuple)
is_classmethod: Callable[[object], TypeIs[classmethod[Any, ..., Any]]] = narrower(classmethod)
is_dict: Callable[[object], TypeIs[dict[Any, Any]]] = narrower(dict)
