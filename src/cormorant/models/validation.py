"""Checks values before anything is sent: type, null, length, bounds, choices, and the models' own conditions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cormorant._internal.narrowing import is_dict, is_iterable, is_list, is_tuple
from cormorant._internal.refusals import UNSAID, Refusal, reason_of
from cormorant.errors import DataError, HookError, ValidationError, WrongType
from cormorant.models.describing import shown_value
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.state import MISSING, value_or_missing

if TYPE_CHECKING:
    from cormorant.models.model import Model

Problem = tuple[str, str]


def problems_of(info: ModelInfo, values: Mapping[str, Any]) -> Iterable[Problem]:
    """Gives (place, what is wrong) for each value that cannot be saved."""
    for name, value in values.items():
        text = problem_of(info.by_attribute[name], value)
        if text is not None:
            yield (f"{info.name}.{name}", text)


def problem_of(column: ColumnInfo, value: Any) -> Refusal | None:
    """Gives what is wrong with one value, or None."""
    if value is None:
        return None if column.nullable else Refusal("is None, and the column takes no None")
    type_ = column.type
    try:
        type_.check_stored(value)
    except WrongType as error:
        return _masked(column, error.message)
    options = column.spec.options
    broken = _broken_option(column, value, options) if options else None
    if broken is None and column.constrained is not None:
        text = column.constrained.problem(value)
        broken = None if text is None else _masked(column, _unmet(value, text))
    return broken


def _unmet(value: Any, text: str) -> Refusal:
    # a validator of the user's own may name the value in its words
    reason = UNSAID if _is_named(value, text) else f"{UNSAID}: {text}"
    return Refusal(f"{shown_value(value, sensitive=False)} {UNSAID}: {text}", reason)


_OPTIONS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (lambda value, limit: value >= limit, "must be at least {}"),
    "gt": (lambda value, limit: value > limit, "must be more than {}"),
    "le": (lambda value, limit: value <= limit, "must be at most {}"),
    "lt": (lambda value, limit: value < limit, "must be less than {}"),
    "min_length": (lambda value, limit: len(value) >= limit, "must have at least {} characters"),
    "pattern": (lambda value, pattern: re.search(pattern, value) is not None, "must match {!r}"),
    "choices": (lambda value, choices: value in choices, "must be one of {}"),
}
LIMITS: frozenset[str] = frozenset(_OPTIONS)
"""The options of `field()` that say something of values, and nothing of the column's type."""


def _broken_option(column: ColumnInfo, value: Any, options: Mapping[str, Any]) -> Refusal | None:
    for name, (holds, text) in _OPTIONS.items():
        limit = options.get(name)
        if limit is not None and not holds(value, limit):
            return _masked(column, Refusal.of(shown_value(value, sensitive=False), text.format(limit)))
    return None


def _masked(column: ColumnInfo, message: str) -> Refusal:
    if column.spec.sensitive:
        return Refusal("does not fit its column")
    return message if isinstance(message, Refusal) else Refusal(message, reason_of(message))


@lru_cache(maxsize=2000)
def stamped_columns(info: ModelInfo) -> tuple[ColumnInfo, ...]:
    """Gives the columns that get a new value with every change of the row."""
    return tuple(column for column in info.columns if column.spec.on_update is not None)


# ------------------------------------------------------------------ validate()


def check_validate(name: str, namespace: Mapping[str, Any]) -> None:
    """Refuses a `validate` in a class body that cannot be called with the object alone, or would have to be awaited.

    Raises:
        HookError: Naming the model.
    """
    method = namespace.get("validate")
    if method is None:
        return
    hint = "write def validate(self): it raises ValueError, or yields (field, what is wrong); or rename it"
    if not inspect.isfunction(method):
        raise HookError(f"{name}.validate is no method", hint=hint)
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        raise HookError(f"{name}.validate is async", hint="ask the database in before_validate; validate() only checks")
    needed = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
    plain = [p for p in needed if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(plain) != 1:
        raise HookError(f"{name}.validate wants {', '.join(map(str, needed[1:])) or 'no object'}", hint=hint)


@lru_cache(maxsize=2000)
def check_of(info: ModelInfo) -> Callable[[Any], object] | None:
    """Gives a model's own `validate()`, if it has one."""
    mro: tuple[type, ...] = info.cls.__mro__
    found: object = next((vars(base)["validate"] for base in mro if "validate" in vars(base)), None)
    return found if inspect.isfunction(found) else None


def own_problems(info: ModelInfo, instance: Model) -> list[Problem]:
    """Gives what a model's own `validate()` has to say of an object whose columns are right one by one."""
    check = check_of(info)
    if check is None:
        return []
    try:
        found = check(instance)
        problems = [] if found is None else [_problem(info, item) for item in _listed(info, found)]
    except ValidationError as error:
        problems = list(error.problems)
    except ValueError as error:
        problems = [(info.name, str(error) or "is refused by validate()")]
    return [(place, _kept_apart(info, instance, place, text)) for place, text in problems]


def _kept_apart(info: ModelInfo, instance: Model, place: str, text: str) -> Refusal:
    """Gives the words of a `validate()` with the value of the field kept apart, while the object still has it."""
    name = place.partition(".")[2]
    try:
        value = value_or_missing(instance, name) if name in info.fields else MISSING
    except DataError:
        # a document that cannot be read cannot be found in them either
        return Refusal(text, UNSAID)
    return Refusal(text, text if value is MISSING else _without(text, value))


def _without(text: str, value: Any) -> str:
    """Gives a text without the value that it begins with; what still has the value in it is not given at all."""
    spelled = (shown_value(value, sensitive=False), repr(value), f"{repr(value)[:57]}...", str(value))
    found = next((each for each in spelled if each and text.startswith(each)), "")
    rest = text[len(found) :].strip()
    return UNSAID if _is_named(value, rest) else rest


def _is_named(value: Any, text: str) -> bool:
    """Whether a text has a value in it, or a part of one; short ones are in any text, and say nothing."""
    if is_list(value):
        return any(_is_named(item, text) for item in value)
    if is_dict(value):
        return any(_is_named(part, text) for item in value.items() for part in item)
    spelled = (str(value), repr(value), repr(value)[:57], repr(value)[:77])
    # the first letter of a sentence may have become a small one
    return any(len(each) > 3 and each.casefold() in text.casefold() for each in spelled)


def _listed(info: ModelInfo, found: object) -> Iterable[Any]:
    if isinstance(found, str) or not is_iterable(found):
        raise WrongType(f"{info.name}.validate() gave {found!r}", hint="give (field, what is wrong) pairs, or None")
    return found


def _problem(info: ModelInfo, item: object) -> Problem:
    if not is_tuple(item) or len(item) != 2 or not all(isinstance(part, str) for part in item):
        raise WrongType(f"{info.name}.validate() gave {item!r}", hint='give pairs: ("ends", "is before the beginning")')
    name, text = item
    if name not in info.fields and name not in info.relation_specs:
        raise info.unknown(name)
    return (f"{info.name}.{name}", text)
