"""Puts single objects back as they were, without tracking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cormorant.models.model import Model
from cormorant.models.state import MISSING, Origin, set_attribute, set_class, unset_silently


def restore(instance: Model, values: Mapping[str, Any]) -> None:
    """Puts columns back, without tracking; those that had no value become unset."""
    info = type(instance).__info__
    for name, value in values.items():
        if value is MISSING:
            unset_silently(instance, name)
            set_class(instance, info.ghost)
        else:
            set_attribute(instance, name, value)
    related = instance.__orm_related__
    for name in [n for n, s in info.relation_specs.items() if s.kind == "foreign_key" and related and n in related]:
        assert related is not None
        del related[name]
    set_attribute(instance, "__orm_changes__", None)


def unload(instance: Model, origin: Origin) -> None:
    """Makes an instance a reference: nothing but its key."""
    info = type(instance).__info__
    for name in info.fields:
        if name not in info.key_attributes:
            unset_silently(instance, name)
    unset_silently(instance, "__orm_raw__")
    restore(instance, {})
    set_attribute(instance, "__orm_related__", None)
    set_attribute(instance, "__orm_origin__", origin)
    set_class(instance, info.ghost)
