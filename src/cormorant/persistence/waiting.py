"""The keys that new objects get from the objects they are related to: of most models found by a generated function."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from cormorant._internal.codegen import compile_function
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, value_or_missing
from cormorant.persistence.changes import PendingKey, pending_keys, source_of
from cormorant.persistence.flush_order import to_ones

Known = dict[tuple[int, str], PendingKey]
"""What was found for objects that others wait for, by id and attribute."""

Fill: TypeAlias = Callable[[Any, dict[str, Any], Known], tuple[str, ...]]


@lru_cache(maxsize=1000)
def filler_of(info: ModelInfo) -> Fill | None:
    """Gives the function that puts the keys of related objects among a new object's values; None if it has none.

    It takes the object, its values by attribute in the model's order, MISSING where a key is unset, and what was found
    for others before; it gives the attributes that wait for a key. What stays MISSING it takes out.
    """
    names = [name for name in info.fields if name in info.holders]
    if not names:
        return None
    if any(len(info.holders[name]) > 1 for name in names):
        return _fill
    lines = ["def fill(o, values, known):", "    related = o.__orm_related__", "    waits = ()"]
    for relation in to_ones(info):
        lines += [f"    held = related.get({relation.name!r}) if related else None"]
        for local, remote in zip(relation.local, relation.remote, strict=True):
            lines += [f"    {line}" for line in _key(local, remote)]
    lines += ["    return waits"]
    helpers = {"MISSING": MISSING, "waits_for": waits_for, "other_key": _other_key, "PendingKey": PendingKey}
    return compile_function("fill", "\n".join(lines), helpers)


def _key(local: str, remote: str) -> list[str]:
    return [
        f"v = values[{local!r}]",
        "if held is not None:",
        "    if v is MISSING:",
        f"        found = known.get((id(held), {remote!r}))",
        f"        values[{local!r}] = found or waits_for(held, {remote!r}, known)",
        f"        waits += ({local!r},)",
        f"    elif (v := other_key(held, {remote!r}, v)) is not MISSING:",
        f"        values[{local!r}] = v",
        "elif v is MISSING:",
        f"    del values[{local!r}]",
    ]


def waits_for(held: Model, attribute: str, known: Known) -> PendingKey:
    """Gives whose key is waited for, and remembers it for others that wait for the same."""
    found = known[id(held), attribute] = source_of(held, attribute)
    return found


def _other_key(held: Model, attribute: str, own: Any) -> Any:
    """Gives the key that an object has now, where it is another one than was written; MISSING if it is the same."""
    theirs = value_or_missing(held, attribute)
    return MISSING if theirs is own or theirs is MISSING or theirs == own else theirs


def _fill(instance: Model, values: dict[str, Any], known: Known) -> tuple[str, ...]:
    """Does so where several relations share a column."""
    found = pending_keys(instance, type(instance).__info__) if instance.__orm_related__ else {}
    values.update(found)
    for name in [name for name, value in values.items() if value is MISSING]:
        del values[name]
    return tuple([name for name, value in found.items() if isinstance(value, PendingKey)])
