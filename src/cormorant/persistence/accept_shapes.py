"""What the rows of one statement have in common when they are taken over into objects: found once for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cormorant.models.inside import same
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.settling import Settle, settler_of
from cormorant.persistence.linking import Watching, linked, mirrored, watching_of

_NOTHING: Mapping[str, Any] = {}


class Shape(NamedTuple):
    """What new rows have in common for which the same columns were written and made.

    Args:
        settle: Makes an object clean that is as it was written.
        watching: Where it may have to be shown.
        single: The one attribute of the key, if the database has made it.
        filled: The attributes that got a value.
    """

    settle: Settle | None
    watching: Watching | None
    single: str
    filled: tuple[str, ...]


@lru_cache(maxsize=2000)
def shape_of(info: ModelInfo, written: tuple[str, ...], made: tuple[str, ...], waiting: tuple[str, ...]) -> Shape:
    """Gives it, by the rows' model, the attributes that were written and made, and those that waited for a key."""
    name, *others = info.key_attributes
    single = "" if others or name not in made else name
    return Shape(settler_of(info, written, made, waiting), watching_of(info), single, (*made, *waiting))


@lru_cache(maxsize=4000)
def changes_alone(info: ModelInfo, names: tuple[str, ...]) -> bool:
    """Whether nothing but an object's own columns shows what is in them."""
    keys = {name for relation in mirrored(info) for name in relation.local}
    return keys.isdisjoint(names) and info.key_set.isdisjoint(names) and not linked(info)


def is_as_written(instance: Model, info: ModelInfo, values: Mapping[str, Any]) -> bool:
    """Whether an object with values in all columns has changed no further than what was written."""
    changes = instance.__orm_changes__ or _NOTHING
    if type(instance) is not info.cls or len(changes) < len(values):
        return False
    if len(changes) > len(values):
        # what was given the value that it had was not written
        kept = [name for name in changes if name not in values]
        if not all(same(changes[name], getattr(instance, name)) for name in kept):
            return False
    # of what may change in place, a copy was written
    for name, value in values.items():
        now = getattr(instance, name)
        if now is not value and not (info.by_attribute[name].type.mutable and same(value, now)):
            return False
    return True
