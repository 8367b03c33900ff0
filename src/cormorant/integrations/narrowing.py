"""`include=` and `exclude=` of pydantic, which it does not apply by itself to what a function gives."""

from __future__ import annotations

from typing import Any

from cormorant._internal.narrowing import is_list, is_mapping

ALL = "__all__"
_NOT_NAMED = object()


def narrowed(value: Any, include: Any, exclude: Any) -> Any:
    """Gives a dictionary or list without what is excluded, and with nothing that an `include` does not name.

    Args:
        value: What is shown.
        include: Names, or a mapping of names to what is included inside; None for everything.
        exclude: Names, or a mapping of names to what is excluded inside; None for nothing.
    """
    if is_mapping(value):
        return dict(_parts(value.items(), include, exclude))
    if is_list(value):
        return [part for _, part in _parts(enumerate(value), include, exclude)]
    return value


def _parts(items: Any, include: Any, exclude: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key, value in items:
        wanted, unwanted = _inside(include, key), _inside(exclude, key)
        if unwanted is None or (include is not None and wanted is _NOT_NAMED):
            continue
        nested = (None if part is _NOT_NAMED else part for part in (wanted, unwanted))
        found.append((key, narrowed(value, *nested)))
    return found


def _inside(given: Any, key: Any) -> Any:
    """Gives what is said of the inside of a part: None where the part as a whole is named."""
    if is_mapping(given):
        part = given.get(key, given.get(ALL, _NOT_NAMED))
        return None if part is True or part is ... else part
    return None if given is not None and (key in given or ALL in given) else _NOT_NAMED
