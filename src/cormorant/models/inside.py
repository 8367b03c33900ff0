"""Changes inside JSON documents and arrays, which no assignment tells of: found by comparing with what was saved."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, record_change, set_attribute, value_or_missing
from cormorant.sql.types import SqlType

Decode = Callable[[Any], Any]


class Snapshot:
    """A saved value of a mutable column, as opposed to what a driver gave."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def readers(info: ModelInfo, decoder: Callable[[SqlType], Decode | None]) -> list[tuple[str, Decode]]:
    """Gives a model's mutable columns, each with what makes a value of the driver's: one that nobody else holds."""
    return [(column.attribute, decoder(column.type) or list) for column in info.mutable_columns]


def find_changes_inside(instance: Model, columns: Sequence[tuple[str, Decode]]) -> None:
    """Notes a column as changed if its value is no longer what was loaded or saved."""
    raw = value_or_missing(instance, "__orm_raw__")
    if raw is MISSING:
        return
    changes = instance.__orm_changes__ or ()
    for saved, (name, decode) in zip(raw, columns, strict=True):
        if saved is None or name in changes:
            continue
        original = saved.value if isinstance(saved, Snapshot) else decode(saved)
        if original != value_or_missing(instance, name):
            _note(instance, name, copy.deepcopy(original))


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
