"""Changes inside JSON documents and arrays, which no assignment tells of: found by comparing with what was saved."""

from __future__ import annotations

import copy
import marshal
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from cormorant._internal.codegen import compile_function
from cormorant._internal.copies import FORMAT, Snapshot, packed
from cormorant._internal.narrowing import is_dict, is_list
from cormorant.models.late import Late, is_unread
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, record_change, set_attribute, value_or_missing
from cormorant.sql.types import Array, SqlType

Decode = Callable[[Any], Any]


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
        return saved.copy()
    if is_unread(saved):
        saved, decode = saved
    return None if saved is None else decode(saved)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a database: to Python, 1, 1.0 and True are equal, also inside a document."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if not (is_dict(one) or is_list(one)):
        return bool(one == other)
    text = packed(one)
    return (text is not None and text == packed(other)) or _same_inside(one, other)


def _same_inside(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if is_dict(one):
        return one.keys() == other.keys() and all(_same_inside(value, other[key]) for key, value in one.items())
    if is_list(one):
        return len(one) == len(other) and all(map(_same_inside, one, other))
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
    for place, saved in enumerate(raw):
        # what nobody has read nobody has changed
        if saved is None or is_unread(saved):
            continue
        name, decode = columns[place]
        current, changes = value_or_missing(instance, name), instance.__orm_changes__
        if changes and name in changes and current is not MISSING:
            # the value that an assignment replaced may have been changed in place before
            changes[name] = saved_value_of(saved, decode)
        elif current is MISSING or (isinstance(saved, Snapshot) and saved.is_surely(current)):
            continue
        elif not same(original := saved_value_of(saved, decode), current):
            found = True
            _note(instance, name, original)
        else:
            _keep_snapshot(instance, place, current)
    return found


@lru_cache(maxsize=1000)
def doubtful_of(info: ModelInfo) -> Callable[[Iterable[Model]], list[Model]]:
    """Gives the function that finds those objects of which not all mutable columns surely are as they were saved.

    All that are loaded are looked at in each flush, so that each is passed over quickly.
    """
    alike = ["o.__orm_changes__ is None"]
    names: dict[str, Any] = {"dumps": marshal.dumps, "FORMAT": FORMAT}
    for place, column in enumerate(info.mutable_columns):
        late = column.attribute in info.read_late
        # of what was read, past what would read it
        value = f"dumps({f'slot{place}(o)' if late else f'o.{column.attribute}'}, FORMAT)"
        unread = "saved.__class__ is tuple or " if late else ""
        if late:
            attribute = cast("Late", vars(info.cls)[column.attribute])
            names[f"slot{place}"] = attribute.read_slot
        alike.append(f"((saved := raw[{place}]) is None or {unread}saved.packed == {value})")
    lines = ["def doubtful(instances):", "    found = []", "    for o in instances:", "        try:"]
    lines += ["            raw = o.__orm_raw__", f"            if {' and '.join(alike)}:", "                continue"]
    # not packed, not loaded, or of types of its own
    lines += ["        except Exception:", "            pass", "        found.append(o)", "    return found"]
    return compile_function("doubtful", "\n".join(lines), names)


def _keep_snapshot(instance: Model, place: int, value: Any) -> None:
    """Keeps a value that is as it was saved in a form that is compared faster the next time."""
    snapshot = Snapshot(value)
    if snapshot.packed is not None:
        raw = instance.__orm_raw__
        set_attribute(instance, "__orm_raw__", (*raw[:place], snapshot, *raw[place + 1 :]))


def _note(instance: Model, name: str, original: Any) -> None:
    record_change(instance, name)
    if instance.__orm_changes__ is not None:
        instance.__orm_changes__[name] = original


def remember_raw(instance: Model, info: ModelInfo, values: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Keeps what mutable columns hold in the database now, to see later changes inside of them.

    `values` are what the program wrote, `made` is what the database made.
    """
    if not info.mutable_columns:
        return
    known = value_or_missing(instance, "__orm_raw__")
    kept: list[Any] = [None] * len(info.mutable_columns) if known is MISSING else list(known)
    for place, column in enumerate(info.mutable_columns):
        if column.attribute in values:
            kept[place] = Snapshot(values[column.attribute])
        elif column.attribute in made:
            kept[place] = Snapshot(made[column.attribute])
    set_attribute(instance, "__orm_raw__", tuple(kept))
