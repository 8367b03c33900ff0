"""Checks whole columns of values at once: one generated test that right values pass, and words for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant._internal.narrowing import is_list
from cormorant.errors import WrongType
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.plain import names_of, plainly_right
from cormorant.models.state import MISSING
from cormorant.models.validation import LIMITS, problem_of
from cormorant.sql import types as t

Doubtful = Callable[[Sequence[Any]], list[int]]


def problems_in(info: ModelInfo, column: ColumnInfo, values: Sequence[Any]) -> Iterable[tuple[int, str]]:
    """Gives (position, what is wrong) for each value of a column that cannot be saved."""
    for place in _doubtful(info, column.attribute)(values):
        value = values[place]
        text = problem_of(column, value) or _unsendable(column.type, value)
        if text is not None:
            yield place, text


def is_text_alone(column: ColumnInfo) -> bool:
    """Whether a column holds documents of which nothing is asked but that they can be written as JSON."""
    return type(column.type) is t.Json and column.constrained is None and LIMITS.isdisjoint(column.spec.options)


def texts_in(column: ColumnInfo, values: Sequence[Any]) -> tuple[list[str | None], list[tuple[int, str]]]:
    """Gives the JSON texts of a column of documents, and (position, what is wrong) for each that cannot be saved."""
    type_ = column.type
    assert isinstance(type_, t.Json)
    write = type_.text
    if column.nullable or None not in values:
        # what is refused is looked at one by one, to say which
        with suppress(WrongType):
            return [None if value is None else write(value) for value in values], []
    texts: list[str | None] = []
    problems: list[tuple[int, str]] = []
    for place, value in enumerate(values):
        problem = problem_of(column, value)
        if problem is not None:
            problems.append((place, problem))
        texts.append(None if value is None or problem is not None else write(value))
    return texts, problems


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
