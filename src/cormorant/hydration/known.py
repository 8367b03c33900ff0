"""What a row may do to an object that is known already: refresh it, fill what it lacks, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cormorant.models.inside import Decode, copier, find_changes_inside, readers
from cormorant.models.late import unread_of
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, is_ghost, is_set, keep_related, set_attribute, set_class, value_or_missing
from cormorant.sql.types import SqlType

Decoders: TypeAlias = Callable[[SqlType], "Decode | None"]
Fill: TypeAlias = Callable[..., None]


def compile_fill(info: ModelInfo, decoders: Decoders, names: Sequence[str] | None = None) -> Fill:
    """Gives the function that sets the columns an object lacks, and leaves those that have a value."""
    columns = _columns(info, decoders, names)

    def fill(instance: Any, *values: Any) -> None:
        changes = instance.__orm_changes__ or ()
        raw = list(_raw_of(instance, info))
        unset = _unset(instance, info, raw)
        lacking: dict[str, Any] = {}
        # decoded before anything is written: what cannot be read leaves the object as it is
        for (column, decode, place), value in zip(columns, values, strict=True):
            name = column.attribute
            # what was taken away waits for the key of a new object
            if name not in changes and name in unset:
                lacking[name] = value if decode is None or value is None else decode(value)
                if place is not None:
                    raw[place] = value
        for name, value in lacking.items():
            set_attribute(instance, name, value)
        _settle(instance, info, raw)

    return fill


def compile_take(info: ModelInfo, decoders: Decoders, names: Sequence[str]) -> Fill:
    """Gives the function by which a clean object takes a row of some of its columns.

    An object that has none but these is refreshed. One that has more is filled only: of two moments of a row it would
    show a mixture that never was.
    """
    fill = compile_fill(info, decoders, names)
    columns = _columns(info, decoders, names)
    mutable = readers(info, decoders)
    others = [name for name in info.fields if name not in names]

    def take(instance: Any, origin: Any, *values: Any) -> None:
        if not _unset(instance, info, _raw_of(instance, info)).issuperset(others):
            if is_ghost(instance):
                fill(instance, *values)
            return
        if info.mutable_columns and find_changes_inside(instance, mutable):
            if is_ghost(instance):
                fill(instance, *values)
            return
        decoded = [v if d is None or v is None else d(v) for (_, d, _), v in zip(columns, values, strict=True)]
        raw = list(_raw_of(instance, info))
        for (column, _, place), value, driven in zip(columns, decoded, values, strict=True):
            set_attribute(instance, column.attribute, value)
            if place is not None:
                raw[place] = driven
        set_attribute(instance, "__orm_origin__", origin)
        _settle(instance, info, raw)
        if instance.__orm_related__ is not None:
            prune_related(instance)

    return take


def _columns(
    info: ModelInfo, decoders: Decoders, names: Sequence[str] | None
) -> list[tuple[ColumnInfo, Decode | None, int | None]]:
    """Gives the columns of a row, each with its decoder and its place among the mutable ones."""
    places = {column.attribute: place for place, column in enumerate(info.mutable_columns)}
    chosen = info.columns if names is None else [info.by_attribute[name] for name in names]
    return [(c, decoders(c.type) or copier(c.type), places.get(c.attribute)) for c in chosen]


def _raw_of(instance: Model, info: ModelInfo) -> Sequence[Any]:
    raw = value_or_missing(instance, "__orm_raw__")
    return [None] * len(info.mutable_columns) if raw is MISSING else raw


def _unset(instance: Model, info: ModelInfo, raw: Sequence[Any]) -> set[str]:
    """Gives the columns that an object has no value of; it may have others that nobody has asked for."""
    unread = unread_of(info, raw)
    return {name for name in info.fields if name not in unread and not is_set(instance, name)}


def _settle(instance: Model, info: ModelInfo, raw: list[Any]) -> None:
    if info.mutable_columns:
        set_attribute(instance, "__orm_raw__", tuple(raw))
    if is_ghost(instance) and not _unset(instance, info, raw):
        set_class(instance, info.cls)


def prune_related(instance: Model) -> None:
    """Forgets the objects of to-one relations whose key is another one now."""
    relations = type(instance).__info__.relations
    related = instance.__orm_related__ or {}
    for name in [name for name in related if name in relations and relations[name].kind == "to_one"]:
        if not _has_key_of(instance, relations[name], related[name]):
            del related[name]


def _has_key_of(instance: Model, relation: RelationInfo, held: Model | None) -> bool:
    keys = tuple(value_or_missing(instance, name) for name in relation.local)
    if MISSING in keys:
        return True
    return None in keys if held is None else keys == tuple(value_or_missing(held, name) for name in relation.remote)


def attach(instance: Model, relation: RelationInfo, held: Model | None) -> None:
    """Gives an object that the row did not refresh its related object, as far as its columns still say so."""
    if relation.kind == "to_one":
        if held is not None and _has_key_of(instance, relation, held):
            keep_related(instance, relation.name, held)
    elif held is None:
        if relation.name not in (instance.__orm_related__ or {}):
            keep_related(instance, relation.name, None)
    elif all(
        value_or_missing(held, theirs) == value_or_missing(instance, mine)
        for mine, theirs in zip(relation.local, relation.remote, strict=True)
    ):
        keep_related(instance, relation.name, held)
