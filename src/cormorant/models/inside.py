"""Changes inside JSON documents and arrays, which no assignment tells of: found by comparing with what was saved."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cormorant._internal.narrowing import is_dict, is_list
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, record_change, set_attribute, value_or_missing
from cormorant.sql.types import Array, SqlType

Decode = Callable[[Any], Any]


class Snapshot:
    """A copy of a value that was saved, as opposed to what a driver gave."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value: Any = value


def copier(type_: SqlType) -> Decode | None:
    """Gives what makes an object's own list of the driver's, which is kept to compare with; None for other types."""
    if not type_.mutable:
        return None
    return copy.deepcopy if isinstance(type_, Array) and type_.item.mutable else list


def readers(info: ModelInfo, decoder: Callable[[SqlType], Decode | None]) -> list[tuple[str, Decode]]:
    """Gives a model's mutable columns, each with what makes a value of the driver's: one that nobody else holds."""
    return [(column.attribute, decoder(column.type) or copier(column.type) or list) for column in info.mutable_columns]


def saved_value_of(saved: Any, decode: Decode) -> Any:
    """Gives a value as the database has it, in an object of its own."""
    if isinstance(saved, Snapshot):
        return copy.deepcopy(saved.value)
    return None if saved is None else decode(saved)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a database: to Python, 1, 1.0 and True are equal, also inside a document."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if is_dict(one):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if is_list(one):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def find_changes_inside(instance: Model, columns: Sequence[tuple[str, Decode]]) -> bool:
    """Notes columns as changed whose values are no longer what was loaded or saved.

    Returns:
        Whether there are any that were not noted yet.
    """
    raw = value_or_missing(instance, "__orm_raw__")
    if raw is MISSING:
        return False
    found = False
    for saved, (name, decode) in zip(raw, columns, strict=True):
        current = value_or_missing(instance, name)
        if saved is None or current is MISSING:
            continue
        original = saved_value_of(saved, decode)
        changes = instance.__orm_changes__
        if changes and name in changes:
            # the value that an assignment replaced may have been changed in place before
            changes[name] = original
        elif not same(original, current):
            found = True
            _note(instance, name, original)
    return found


def _note(instance: Model, name: str, original: Any) -> None:
    record_change(instance, name)
    if instance.__orm_changes__ is not None:
        instance.__orm_changes__[name] = original


def remember_raw(instance: Model, info: ModelInfo, values: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Keeps what mutable columns hold in the database now, to see later changes inside of them.

    `values` are copies of what the program wrote; `made` is what the database made, the very objects the instance has.
    """
    if not info.mutable_columns:
        return
    known = value_or_missing(instance, "__orm_raw__")
    kept: list[Any] = [None] * len(info.mutable_columns) if known is MISSING else list(known)
    for place, column in enumerate(info.mutable_columns):
        if column.attribute in values:
            kept[place] = Snapshot(values[column.attribute])
        elif column.attribute in made:
            kept[place] = Snapshot(copy.deepcopy(made[column.attribute]))
    set_attribute(instance, "__orm_raw__", tuple(kept))
