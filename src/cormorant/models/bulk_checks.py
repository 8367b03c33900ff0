"""Checks whole columns of values at once: one generated test that right values pass, and words for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant._internal.narrowing import is_list
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.plain import names_of, plainly_right
from cormorant.models.state import MISSING
from cormorant.models.validation import problem_of
from cormorant.sql import types as t

Doubtful = Callable[[Sequence[Any]], list[int]]


def problems_in(info: ModelInfo, column: ColumnInfo, values: Sequence[Any]) -> Iterable[tuple[int, str]]:
    """Gives (position, what is wrong) for each value of a column that cannot be saved."""
    for place in _doubtful(info, column.attribute)(values):
        value = values[place]
        text = problem_of(column, value) or _unsendable(column.type, value)
        if text is not None:
            yield place, text


@lru_cache(maxsize=2000)
def default_of(info: ModelInfo, name: str) -> Callable[[], Any] | None:
    """Gives what makes the value that a new object has without being told; None where nothing does."""
    spec = info.fields[name]
    if spec.default_factory is not None:
        return spec.default_factory
    default = spec.default
    if default is MISSING and spec.annotation is None and spec.relation is not None:
        # `foreign_key(default=None)` says it for the key it brings along
        default = info.relation_specs[spec.relation].default
    return None if default is MISSING else lambda: default


@lru_cache(maxsize=2000)
def _doubtful(info: ModelInfo, name: str) -> Doubtful:
    """Gives the function that finds the positions of the values that are not plainly right."""
    column = info.by_attribute[name]
    right = plainly_right(column)
    if right is None:
        return _all_places
    if column.nullable:
        right = f"v is None or ({right})"
    source = f"def doubtful(values):\n    return [i for i, v in enumerate(values) if not ({right})]"
    return compile_function("doubtful", source, names_of(column))


def _all_places(values: Sequence[Any]) -> list[int]:
    return list(range(len(values)))


def _unsendable(type_: t.SqlType, value: Any) -> str | None:
    """Gives what is wrong with text that cannot be encoded: no driver can send a lone surrogate."""
    if isinstance(type_, t.Custom) and value is not None:
        return _unsendable(type_.base, type_.encode(value))
    if is_list(value):
        return next(filter(None, (_unsendable(t.UNKNOWN, item) for item in value)), None)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"has a lone surrogate at position {error.start}, which is no character"
    return None
