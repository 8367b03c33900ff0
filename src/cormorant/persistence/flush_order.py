"""What must come before what in a flush, by tables: parents before children, and within a table level by level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from cormorant._internal.topological import CycleError, sort
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import is_persistent
from cormorant.persistence.changes import DeleteChange, InsertChange, PendingKey, saved_value

# ------------------------------------------------------------------ inserts


def in_order(changes: Sequence[InsertChange]) -> Iterable[tuple[tuple[int, int], InsertChange]]:
    """Gives each insert with its place: parents' tables first, and within a table parents before children.

    Raises:
        CycleError: Tables, or objects, point to each other.
    """
    tables = list(dict.fromkeys([change.info for change in changes]))
    if len(tables) == 1 and not any(relation.target is tables[0] for relation in to_ones(tables[0])):
        return zip(repeat((0, 0)), changes)
    order = {info: place for place, info in enumerate(sort(tables, _targets(tables)))}
    depths = depths_of(changes)
    if not depths:
        by_table: dict[ModelInfo, list[InsertChange]] = {info: [] for info in sorted(tables, key=order.__getitem__)}
        for change in changes:
            by_table[change.info].append(change)
        return chain.from_iterable(zip(repeat((order[info], 0)), those) for info, those in by_table.items())
    placed = [((order[change.info], depths.get(id(change.instance), 0)), change) for change in changes]
    placed.sort(key=itemgetter(0))
    return placed


def _targets(tables: Sequence[ModelInfo]) -> dict[ModelInfo, list[ModelInfo]]:
    return {info: [relation.target for relation in to_ones(info)] for info in tables}


@lru_cache(maxsize=1000)
def to_ones(info: ModelInfo) -> tuple[RelationInfo, ...]:
    """Gives the relations whose key columns are in a model's table."""
    return tuple(relation for relation in info.relations.values() if relation.kind == "to_one")


def depths_of(changes: Sequence[InsertChange]) -> dict[int, int]:
    """Gives how many new rows of its own table must come before each new one, one after another; 0 is left out.

    Raises:
        CycleError: They need each other in a ring.
    """
    infos = dict.fromkeys([change.info for change in changes])
    own = {info for info in infos if any(relation.target is info for relation in to_ones(info))}
    looked_at = [change for change in changes if change.info in own] if own else []
    if not looked_at:
        return {}
    by_id = {id(change.instance): change for change in looked_at}
    by_key = {(c.info, _values(c, c.info.key_attributes)): id(c.instance) for c in looked_at if c.key_given}
    needs: dict[int, list[int]] = {}
    for change in looked_at:
        if kept := [parent for parent in _parents(change, by_key) if parent in by_id]:
            needs[id(change.instance)] = kept
    return _depths(by_id, needs) if needs else {}


def _depths(by_id: Mapping[int, InsertChange], needs: Mapping[int, list[int]]) -> dict[int, int]:
    depths: dict[int, int] = {}
    for node in sort(by_id, needs):
        depths[node] = 1 + max([depths[parent] for parent in needs.get(node, ())], default=-1)
    return depths


def _parents(change: InsertChange, by_key: Mapping[Any, int]) -> Iterable[int]:
    """Gives the new objects of its own table whose rows must exist before this one's."""
    related = change.instance.__orm_related__ or {}
    for relation in to_ones(change.info):
        if relation.target is not change.info:
            continue
        held = related.get(relation.name)
        key = _values(change, relation.local)
        if held is change.instance and any(isinstance(value, PendingKey) for value in key):
            raise CycleError((id(held), id(held)))
        if held is not None and held is not change.instance and not is_persistent(held):
            yield id(held)
            continue
        found = by_key.get((relation.target, key)) if by_key else None
        # a row may point to itself
        if found is not None and found != id(change.instance):
            yield found


def _values(change: InsertChange, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([change.values.get(name) for name in names])


# ------------------------------------------------------------------ deletes


def parents_first(infos: list[ModelInfo], *, rings: bool = False) -> list[ModelInfo]:
    """Gives models so that each comes after those it points to.

    What a model points to by way of others counts too, as far as there is such an order: deleting that may take its
    rows along.

    Args:
        infos: The models.
        rings: Those of a ring stay as they came.

    Raises:
        CycleError: They point to each other in a ring.
    """
    if len(infos) < 2:
        return infos
    with suppress(CycleError):
        return sort(infos, {info: reached_from(info) for info in infos})
    try:
        return sort(infos, _targets(infos))
    except CycleError:
        if rings:
            return infos
        raise


@lru_cache(maxsize=1000)
def reached_from(info: ModelInfo) -> tuple[ModelInfo, ...]:
    """Gives the models that a model points to, and those they point to."""
    found = [info]
    for model in found:
        found += [r.target for r in to_ones(model) if r.target not in found]
    return tuple(dict.fromkeys(found))


def children_first(group: list[DeleteChange], *, together: bool) -> list[list[DeleteChange]]:
    """Splits the deletes of a table that points to itself, so that no row goes before the ones that point to it.

    Args:
        group: The deletes.
        together: One statement deletes several rows, and what points to them is looked at when it ends.

    Raises:
        CycleError: Rows point to each other in a ring.
    """
    if len(group) == 1:
        return [group]
    info = group[0].info
    own = [relation for relation in to_ones(info) if relation.target is info]
    if not own or (together and len({change.version is None for change in group}) == 1):
        return [group]
    by_key = {change.key: change for change in group}
    needs = {key: [p for p in _pointed_to(change, own) if p in by_key] for key, change in by_key.items()}
    depth: dict[Any, int] = {}
    layers: dict[int, list[DeleteChange]] = {}
    for key in sort(by_key, needs):
        depth[key] = 1 + max([depth[parent] for parent in needs[key] if parent != key], default=-1)
        layers.setdefault(depth[key], []).append(by_key[key])
    return [layers[place] for place in sorted(layers, reverse=True)]


def _pointed_to(change: DeleteChange, relations: Sequence[RelationInfo]) -> list[tuple[Any, ...]]:
    """Gives the keys that a row holds by some relations."""
    return [tuple([saved_value(change.instance, name) for name in relation.local]) for relation in relations]
