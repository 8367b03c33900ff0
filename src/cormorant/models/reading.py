"""Reads and checks the columns of a new object in one generated function for each model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant._internal.copies import own_copy
from cormorant.models.late import is_unread
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.plain import names_of, plainly_right
from cormorant.models.state import MISSING, UNREAD, set_class, value_or_missing
from cormorant.models.validation import Problem, problem_of

Reader = Callable[[Any, list[Problem]], dict[str, Any]]


@lru_cache(maxsize=2000)
def reader_of(info: ModelInfo, unchecked: frozenset[str] = frozenset()) -> Reader:
    """Gives the function that reads a new object's columns as far as they are set, by attribute.

    It adds (place, what is wrong) for each value that cannot be saved. What is unset is left out: who asked knows
    whether the database makes it. Only the key of a related object is MISSING in its place, where it is unset. Lists
    and documents are copied, because the object may change them meanwhile.

    Args:
        info: The object's model.
        unchecked: Attributes whose values somebody else looks at.
    """
    columns = _read_columns(info)
    given = [(n, column) for n, column in columns if not column.server_made or column.attribute in info.holders]
    unusual = [number for number, column in columns if (number, column) not in given]
    lines = ["def read(o, problems):"]
    if info.read_late:
        # an object whose row was deleted: nobody may have read what it had
        lines += ["    if any(map(is_unread, getattr(o, '__orm_raw__', ()))):"]
        lines += ["        return read_each(info, o, problems)"]
    lines += ["    cls = o.__class__", "    set_class(o, twin)", "    try:"]
    lines += [f"        v{number} = {_read(info, column)}" for number, column in columns]
    lines += ["    except AttributeError:", "        set_class(o, cls)", "        return read_each(info, o, problems)"]
    lines += ["    set_class(o, cls)"]
    usual = [f"v{number} is MISSING" for number in unusual]
    usual += [test for number, column in given if (test := _whole_test(info, column, f"v{number}"))]
    if usual:
        lines += [f"    if not ({' and '.join(f'({test})' for test in usual)}):"]
        lines += ["        return read_each(info, o, problems)"]
    for number, column in given:
        if plainly_right(column) is None and column.attribute not in unchecked:
            unset = f"v{number} is not MISSING and " if column.attribute in info.holders else ""
            lines += [f"    if {unset}(problem := problem_of(c{number}, v{number})) is not None:"]
            lines += [f"        problems.append((place{number}, problem))"]
    pairs = [f"{c.attribute!r}: {f'own_copy(v{n})' if c.type.mutable else f'v{n}'}" for n, c in given]
    lines += [f"    return {{{', '.join(pairs)}}}"]
    names = _names(info) | {"info": info, "read_each": partial(_read_each, unchecked)}
    return compile_function("read", "\n".join(lines), names)


def _read_columns(info: ModelInfo) -> list[tuple[int, ColumnInfo]]:
    return [(number, column) for number, column in enumerate(info.columns) if column.spec.computed is None]


def _names(info: ModelInfo) -> dict[str, Any]:
    names: dict[str, Any] = {"set_class": set_class, "twin": info.twin, "problem_of": problem_of, "own_copy": own_copy}
    names |= {"MISSING": MISSING, "is_unread": is_unread}
    for number, column in _read_columns(info):
        names |= names_of(column)
        names[f"c{number}"] = column
        names[f"place{number}"] = f"{info.name}.{column.attribute}"
        if column.attribute in info.read_late:
            names[f"read{number}"] = partial(value_or_missing, name=column.attribute)
    return names


def _read(info: ModelInfo, column: ColumnInfo) -> str:
    # mostly unset, and an exception costs more than the test
    often_unset = column.server_made or column.attribute in info.holders
    return f"getattr(o, {column.attribute!r}, MISSING)" if often_unset else f"o.{column.attribute}"


def _whole_test(info: ModelInfo, column: ColumnInfo, value: str) -> str | None:
    """Gives the source of what must hold for a value, if that can be told quickly."""
    test = plainly_right(column, value)
    if test is None:
        return None
    ways = [f"{value} is None"] if column.nullable else []
    if column.attribute in info.holders:
        ways.append(f"{value} is MISSING")
    return " or ".join([*ways, test])


def _read_each(unchecked: frozenset[str], info: ModelInfo, instance: Any, problems: list[Problem]) -> dict[str, Any]:
    """Reads an object that is not as most are: it has values that others make, or lacks some, or has doubtful ones."""
    return _each_reader(info, unchecked)(instance, problems)


@lru_cache(maxsize=2000)
def _each_reader(info: ModelInfo, unchecked: frozenset[str]) -> Reader:
    lines = ["def read(o, problems):", "    values = {}"]
    late = [number for number, column in _read_columns(info) if column.attribute in info.read_late]
    lines += [f"    late{number} = read{number}(o)" for number in late]
    lines += ["    cls = o.__class__", "    set_class(o, twin)", "    try:"]
    for number, column in _read_columns(info):
        lines += [
            f"        {line}" for line in _column(info, column, number, checked=column.attribute not in unchecked)
        ]
    lines += ["        pass", "    finally:", "        set_class(o, cls)", "    return values"]
    return compile_function("read", "\n".join(lines), _names(info))


def _column(info: ModelInfo, column: ColumnInfo, number: int, *, checked: bool) -> list[str]:
    name = column.attribute
    value = "own_copy(v)" if column.type.mutable else "v"
    read = f"late{number}" if name in info.read_late else f"getattr(o, {name!r}, MISSING)"
    lines = [f"v = {read}", "if v is not MISSING:"]
    fast = plainly_right(column)
    check = [
        f"problem = problem_of(c{number}, v)",
        "if problem is not None:",
        f"    problems.append((place{number}, problem))",
    ]
    if not checked:
        check = []
    elif fast is not None:
        check = [f"if not ({fast}):", *(f"    {line}" for line in check)]
    lines += [*(f"    {line}" for line in check), f"    values[{name!r}] = {value}"]
    if name in info.holders:
        lines += ["else:", f"    values[{name!r}] = MISSING"]
    return lines


@lru_cache(maxsize=2000)
def tests_of(info: ModelInfo) -> dict[str, Callable[[Any], bool]]:
    """Gives for each column the test that most values pass, and only right ones can; None passes none."""
    names: dict[str, Any] = {}
    for column in info.columns:
        names |= names_of(column)
    # one module for all of them: of a wide model they are many
    functions = [f"{c.attribute!r}: lambda v: {plainly_right(c) or 'False'}" for c in info.columns]
    return compile_function("tests", f"def tests():\n    return {{{', '.join(functions)}}}", names)()  # type: ignore[no-any-return]


@lru_cache(maxsize=2000)
def columns_of(info: ModelInfo) -> Callable[[Any], tuple[Any, ...]]:
    """Gives what reads every column of an object in the model's order; it raises AttributeError where one is unset."""
    names = tuple(info.fields)
    if len(names) > 1:
        return attrgetter(*names)
    read = attrgetter(*names)
    return lambda instance: (read(instance),)


@lru_cache(maxsize=2000)
def columns_but(info: ModelInfo, unread: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Gives what reads every column as `columns_of` does, but for documents that nobody has looked at: UNREAD."""
    values = ["UNREAD" if name in unread else f"o.{name}" for name in info.fields]
    return compile_function("columns", f"def columns(o):\n    return ({', '.join(values)},)", {"UNREAD": UNREAD})
