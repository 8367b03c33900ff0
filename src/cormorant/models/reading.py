"""Reads and checks the columns of a new object in one generated function for each model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.state import MISSING, set_class
from cormorant.models.validation import LIMITS, Problem, own_copy, problem_of
from cormorant.sql import types as t

Reader = Callable[[Any, list[Problem]], dict[str, Any]]


@lru_cache(maxsize=2000)
def reader_of(info: ModelInfo) -> Reader:
    """Gives the function that reads a new object's columns as far as they are set, by attribute.

    It adds (place, what is wrong) for each value that cannot be saved. What is unset is left out: who asked knows
    whether the database makes it. Lists and documents are copied, because the object may change them meanwhile.
    """
    names: dict[str, Any] = {"set_class": set_class, "twin": info.twin, "problem_of": problem_of, "own_copy": own_copy}
    names["MISSING"] = MISSING
    lines = ["def read(o, problems):", "    values = {}", "    cls = o.__class__", "    set_class(o, twin)", "    try:"]
    for number, column in enumerate(info.columns):
        if column.spec.computed is None:
            names[f"c{number}"] = column
            names[f"place{number}"] = f"{info.name}.{column.attribute}"
            lines += [f"        {line}" for line in _column(column, number)]
    lines += ["        pass", "    finally:", "        set_class(o, cls)", "    return values"]
    return compile_function("read", "\n".join(lines), names)


def _column(column: ColumnInfo, number: int) -> list[str]:
    name = column.attribute
    value = "own_copy(v)" if column.type.mutable else "v"
    lines = ["try:", f"    v = o.{name}", "except AttributeError:", "    pass", "else:"]
    if column.server_made:
        # mostly unset, and an exception costs more than the test
        lines = [f"v = getattr(o, {name!r}, MISSING)", "if v is not MISSING:"]
    fast = plainly_right(column)
    check = [
        f"problem = problem_of(c{number}, v)",
        "if problem is not None:",
        f"    problems.append((place{number}, problem))",
    ]
    if fast is not None:
        check = [f"if not ({fast}):", *(f"    {line}" for line in check)]
    return [*lines, *(f"    {line}" for line in check), f"    values[{name!r}] = {value}"]


@lru_cache(maxsize=2000)
def tests_of(info: ModelInfo) -> dict[str, Callable[[Any], bool]]:
    """Gives for each column the test that most values pass, and only right ones can; None passes none."""
    return {column.attribute: _test(plainly_right(column) or "False") for column in info.columns}


def _test(right: str) -> Callable[[Any], bool]:
    return compile_function("right", f"def right(v):\n    return {right}", {})


@lru_cache(maxsize=2000)
def columns_of(info: ModelInfo) -> Callable[[Any], tuple[Any, ...]]:
    """Gives what reads every column of an object in the model's order; it raises AttributeError where one is unset."""
    names = tuple(info.fields)
    if len(names) > 1:
        return attrgetter(*names)
    read = attrgetter(*names)
    return lambda instance: (read(instance),)


def plainly_right(column: ColumnInfo) -> str | None:
    """Gives the source of a test that most values pass and only right ones can; None where each must be looked at."""
    type_ = column.type
    if column.constrained is not None or not LIMITS.isdisjoint(column.spec.options):
        return None
    if isinstance(type_, t.Integer):
        low, high = type_.bounds
        return f"type(v) is int and {low} <= v <= {high}"
    if isinstance(type_, t.Text):
        short = "" if type_.length is None else f" and len(v) <= {type_.length}"
        # nothing that is ASCII is a lone surrogate
        return f"type(v) is str{short} and '\\0' not in v and v.isascii()"
    if isinstance(type_, t.Float):
        # NaN is not equal to itself
        return "type(v) is float and v == v"
    simple = _SIMPLE.get(type(type_))
    return None if simple is None else f"type(v) is {simple}"


_SIMPLE: dict[type[t.SqlType], str] = {t.Boolean: "bool", t.Binary: "bytes"}
