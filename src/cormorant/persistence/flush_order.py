"""What must come before what in a flush: parents before children, and rows that make way before those that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from typing import Any

from typing_extensions import TypeIs

from cormorant._internal.narrowing import narrower
from cormorant._internal.topological import CycleError, sort
from cormorant.errors import DependencyCycleError
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import MISSING, is_persistent
from cormorant.models.tables import table_of
from cormorant.persistence.changes import ChangeSet, DeleteChange, InsertChange, PendingKey, UpdateChange, saved_value
from cormorant.sql.columns import Column

is_column: Callable[[object], TypeIs[Column[Any]]] = narrower(Column)

SHOWN_OF_RING = 6
"""The most objects of a ring that an error shows."""


# ------------------------------------------------------------------ inserts


def in_order(changes: Sequence[InsertChange]) -> Iterable[tuple[tuple[int, int], InsertChange]]:
    """Gives each insert with its place: parents' tables first, and within a table parents before children.

    Where tables point to each other, the objects alone decide.
    """
    tables = list(dict.fromkeys([change.info for change in changes]))
    try:
        order = {info: place for place, info in enumerate(sort(tables, _targets(tables)))}
        depths = depths_of(changes, within_table=True)
    except CycleError:
        order = dict.fromkeys(tables, 0)
        depths = depths_of(changes, within_table=False)
    placed = [((order[change.info], depths.get(id(change.instance), 0)), change) for change in changes]
    placed.sort(key=itemgetter(0))
    return placed


def _targets(tables: Sequence[ModelInfo]) -> dict[ModelInfo, list[ModelInfo]]:
    return {info: [relation.target for relation in to_ones(info)] for info in tables}


@lru_cache(maxsize=1000)
def to_ones(info: ModelInfo) -> tuple[RelationInfo, ...]:
    """Gives the relations whose key columns are in a model's table."""
    return tuple(relation for relation in info.relations.values() if relation.kind == "to_one")


def depths_of(changes: Sequence[InsertChange], *, within_table: bool) -> dict[int, int]:
    """Gives how many other new objects must come before each new object, one after another; 0 is left out.

    Raises:
        DependencyCycleError: They need each other in a ring.
    """
    looked_at = [c for c in changes if any(not within_table or r.target is c.info for r in to_ones(c.info))]
    if not looked_at:
        return {}
    by_id = {id(change.instance): change for change in changes}
    by_key = {(c.info, _values(c, c.info.key_attributes)): id(c.instance) for c in changes if c.key_given}
    needs: dict[int, list[int]] = {}
    for change in looked_at:
        parents = _parents(change, by_key)
        kept = [p for p in parents if p in by_id and (not within_table or by_id[p].info is change.info)]
        if kept:
            needs[id(change.instance)] = kept
    return _depths(by_id, needs) if needs else {}


def _depths(by_id: Mapping[int, InsertChange], needs: Mapping[int, list[int]]) -> dict[int, int]:
    try:
        ordered = sort(by_id, needs)
    except CycleError as error:
        ring = [repr(by_id[node].instance) for node in error.cycle if isinstance(node, int)]
        if len(ring) > SHOWN_OF_RING:
            ring = [*ring[:SHOWN_OF_RING], f"... ({len(error.cycle) - 1} objects)"]
        raise DependencyCycleError(
            f"new objects need each other's keys: {' -> '.join(ring)}",
            hint="flush one of them first with the relation left None, then set it",
        ) from None
    depths: dict[int, int] = {}
    for node in ordered:
        depths[node] = 1 + max([depths[parent] for parent in needs.get(node, ())], default=-1)
    return depths


def _parents(change: InsertChange, by_key: Mapping[Any, int]) -> Iterable[int]:
    """Gives the new objects whose rows must exist before this one's."""
    related = change.instance.__orm_related__ or {}
    for relation in to_ones(change.info):
        held = related.get(relation.name)
        if held is change.instance:
            _refuse_own_key(change, relation)
        elif held is not None and not is_persistent(held):
            yield id(held)
            continue
        key = _values(change, relation.local)
        found = by_key.get((relation.target, key)) if by_key else None
        # a row may point to itself
        if found is not None and found != id(change.instance):
            yield found


def _refuse_own_key(change: InsertChange, relation: RelationInfo) -> None:
    if any(isinstance(change.values.get(name), PendingKey) for name in relation.local):
        raise DependencyCycleError(
            f"{change.instance!r} points to itself by {relation.place}, and its key is not made yet",
            hint=f"flush it with {relation.name} left None, then set it",
        )


def _values(change: InsertChange | UpdateChange, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([change.values.get(name) for name in names])


# ------------------------------------------------------------------ deletes


def parents_first(infos: list[ModelInfo]) -> list[ModelInfo]:
    """Gives models so that each comes after those it points to; in a ring, as they came.

    What a model points to by way of others counts too: deleting that may take its rows along.
    """
    if len(infos) < 2:
        return infos
    for needs in ({info: reached_from(info) for info in infos}, _targets(infos)):
        with suppress(CycleError):
            return sort(infos, needs)
    return infos


@lru_cache(maxsize=1000)
def reached_from(info: ModelInfo) -> tuple[ModelInfo, ...]:
    """Gives the models that a model points to, and those they point to."""
    found = [info]
    for model in found:
        found += [r.target for r in to_ones(model) if r.target not in found]
    return tuple(dict.fromkeys(found))


def children_first(group: list[DeleteChange]) -> list[list[DeleteChange]]:
    """Splits the deletes of a table that points to itself, so that no row goes before the ones that point to it."""
    info = group[0].info
    own = [relation for relation in to_ones(info) if relation.target is info]
    if not own or len(group) == 1:
        return [group]
    by_key = {change.key: change for change in group}
    needs = {key: [p for p in _pointed_to(change, own) if p in by_key] for key, change in by_key.items()}
    try:
        ordered = sort(by_key, needs)
    except CycleError:
        # one statement for all of them, where the database checks at its end
        return [group]
    depth: dict[Any, int] = {}
    layers: dict[int, list[DeleteChange]] = {}
    for key in ordered:
        depth[key] = 1 + max([depth[parent] for parent in needs[key] if parent != key], default=-1)
        layers.setdefault(depth[key], []).append(by_key[key])
    return [layers[place] for place in sorted(layers, reverse=True)]


def _pointed_to(change: DeleteChange, relations: Sequence[RelationInfo]) -> list[tuple[Any, ...]]:
    """Gives the keys that a row holds by some relations."""
    return [tuple([saved_value(change.instance, name) for name in relation.local]) for relation in relations]


# ------------------------------------------------------------------ values that are taken over


def split(
    changes: ChangeSet,
) -> tuple[list[UpdateChange], list[DeleteChange], Sequence[UpdateChange], Sequence[DeleteChange]]:
    """Gives the updates and deletes that must come before the inserts, and the others.

    A row goes first if a new one takes over one of its unique values; with it go the rows that point to it and are
    deleted too, and before them the updates that make rows point elsewhere.
    """
    early = _taken_over(changes)
    if not early:
        return [], [], changes.updates, changes.deletes
    gone = {(change.info, change.key) for change in early}
    while more := [c for c in changes.deletes if (c.info, c.key) not in gone and _points_to(c, gone)]:
        gone.update((change.info, change.key) for change in more)
    deletes = [change for change in changes.deletes if (change.info, change.key) in gone]
    updates = [change for change in changes.updates if _turns_from(change, gone)]
    chosen = {id(change) for change in (*updates, *deletes)}
    return (
        updates,
        deletes,
        [change for change in changes.updates if id(change) not in chosen],
        [change for change in changes.deletes if id(change) not in chosen],
    )


def _taken_over(changes: ChangeSet) -> list[DeleteChange]:
    both = {change.info for change in changes.inserts} & {change.info for change in changes.deletes}
    found: list[DeleteChange] = []
    for info in both:
        for names in unique_sets(info):
            wanted = {_values(change, names) for change in changes.inserts if change.info is info}
            found += [c for c in changes.deletes if c.info is info and _saved(c, names) in wanted]
    return found


def _saved(change: DeleteChange | UpdateChange, names: tuple[str, ...]) -> tuple[Any, ...] | None:
    values = tuple([saved_value(change.instance, name) for name in names])
    return None if None in values or MISSING in values else values


def _points_to(change: DeleteChange, gone: set[tuple[ModelInfo, tuple[Any, ...]]]) -> bool:
    return any((relation.target, _saved(change, relation.local)) in gone for relation in to_ones(change.info))


def _turns_from(change: UpdateChange, gone: set[tuple[ModelInfo, tuple[Any, ...]]]) -> bool:
    """Whether an update makes a row point elsewhere than to a row that goes, and waits for no new key."""
    if any(isinstance(value, PendingKey) for value in change.values.values()):
        return False
    turned = (r for r in to_ones(change.info) if not change.values.keys().isdisjoint(r.local))
    return any((relation.target, _saved(change, relation.local)) in gone for relation in turned)


@lru_cache(maxsize=1000)
def unique_sets(info: ModelInfo) -> tuple[tuple[str, ...], ...]:
    """Gives the sets of attributes whose values no two rows share."""
    attributes = {column.name: column.attribute for column in info.columns}
    table = table_of(info)
    indexes = [[order.expr for order in index.items] for index in table.indexes if index.unique]
    names = [
        table.primary_key,
        *(constraint.columns for constraint in table.uniques),
        # an index over expressions is not looked into
        *([column.name for column in items if is_column(column)] for items in indexes if all(map(is_column, items))),
    ]
    return tuple([tuple([attributes[name] for name in group]) for group in names])
