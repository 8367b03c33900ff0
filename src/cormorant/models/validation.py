"""Checks values before anything is sent: type, null, length, bounds, choices."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cormorant.errors import WrongType
from cormorant.models.metadata import ColumnInfo, ModelInfo

Problem = tuple[str, str]


def problems_of(info: ModelInfo, values: Mapping[str, Any]) -> Iterable[Problem]:
    """Gives (place, what is wrong) for each value that cannot be saved."""
    for name, value in values.items():
        text = problem_of(info.by_attribute[name], value)
        if text is not None:
            yield (f"{info.name}.{name}", text)


def problem_of(column: ColumnInfo, value: Any) -> str | None:
    """Gives what is wrong with one value, or None."""
    if value is None:
        return None if column.nullable else "is None, and the column takes no None"
    type_ = column.type
    try:
        type_.check_stored(value)
    except WrongType as error:
        return _masked(column, error.message)
    options = column.spec.options
    return _broken_option(column, value, options) if options else None


_OPTIONS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (lambda value, limit: value >= limit, "must be at least {}"),
    "le": (lambda value, limit: value <= limit, "must be at most {}"),
    "pattern": (lambda value, pattern: re.search(pattern, value) is not None, "must match {!r}"),
    "choices": (lambda value, choices: value in choices, "must be one of {}"),
}


def _broken_option(column: ColumnInfo, value: Any, options: Mapping[str, Any]) -> str | None:
    for name, (holds, text) in _OPTIONS.items():
        limit = options.get(name)
        if limit is not None and not holds(value, limit):
            return _masked(column, f"{value!r} {text.format(limit)}")
    return None


def _masked(column: ColumnInfo, message: str) -> str:
    return "does not fit its column" if column.spec.options.get("sensitive") else message


def own_copy(value: Any) -> Any:
    """Gives a copy of a list or document that nobody else can change."""
    return copy.deepcopy(value)
