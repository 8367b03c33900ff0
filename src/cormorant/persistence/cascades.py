"""What deleting rows does to objects that are loaded: by `on_delete`, the database deletes and changes more rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

from cormorant.errors import CormorantError, FlushError, ForeignKeyViolation
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, bare_key, value_or_missing
from cormorant.persistence.changes import ChangeSet, InsertChange, UpdateChange, row_key, saved_key, saved_value
from cormorant.persistence.flush_order import to_ones
from cormorant.persistence.key_changes import moved, new_key
from cormorant.sql.expr import is_expr

Loaded: TypeAlias = Mapping[ModelInfo, Mapping[Any, Model]]
Row: TypeAlias = tuple[ModelInfo, Any]
"""A row by its model and key."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What the database does by itself when rows are deleted, as far as the objects are loaded.

    Args:
        deleted: Objects whose rows it deletes too, by id.
        turned: Objects whose key of a deleted row it sets to NULL, or to the default, with the relation.
    """

    deleted: dict[int, Model] = field(default_factory=dict[int, Model])
    turned: list[tuple[Model, RelationInfo]] = field(default_factory=list[tuple[Model, RelationInfo]])


def consequences(loaded: Loaded, gone: Iterable[Row], value_of: Callable[[Model, str], Any]) -> Consequences:
    """Follows `on_delete` from deleted rows to the objects that point to them, and from those on.

    Args:
        loaded: The session's objects.
        gone: The deleted rows; objects of theirs are not told again.
        value_of: Gives a column of an object as its row has it when the rows are deleted.
    """
    found = Consequences()
    acting = acting_among(loaded)
    if not acting:
        return found
    seen = set(gone)
    wave: set[Row] = seen.copy()
    while wave:
        keys: dict[ModelInfo, set[Any]] = {}
        for info, key in wave:
            keys.setdefault(info, set()).add(key)
        wave = set()
        for relation in acting:
            for child in _pointing(loaded, relation, keys.get(relation.target), value_of):
                row = (relation.owner, row_key(child))
                if row in seen:
                    continue
                if relation.on_delete == "cascade":
                    found.deleted[id(child)] = child
                    wave.add(row)
                else:
                    found.turned.append((child, relation))
        seen |= wave
    found.turned[:] = [(child, relation) for child, relation in found.turned if id(child) not in found.deleted]
    return found


def acting_among(loaded: Loaded) -> list[RelationInfo]:
    """Gives the relations of loaded objects by which deleting a row does something to theirs."""
    return list(chain.from_iterable(map(_acting, list(loaded))))


@lru_cache(maxsize=1000)
def _acting(info: ModelInfo) -> tuple[RelationInfo, ...]:
    return tuple(relation for relation in to_ones(info) if relation.on_delete not in ("restrict", "no_action"))


def _pointing(
    loaded: Loaded, relation: RelationInfo, keys: set[Any] | None, value_of: Callable[[Model, str], Any]
) -> list[Model]:
    """Gives the loaded objects whose key of a relation is one of these."""
    known = loaded.get(relation.owner)
    if not keys or not known:
        return []
    cls, read = relation.owner.cls, attrgetter(*relation.local)
    # all that are loaded are looked at, so that each is passed over quickly; what was changed, or may lack columns,
    # is looked at twice
    perhaps = [
        child
        for child in known.values()
        if child.__orm_changes__ is not None or type(child) is not cls or read(child) in keys
    ]
    return [child for child in perhaps if bare_key(tuple([value_of(child, name) for name in relation.local])) in keys]


def takes_its_own(info: ModelInfo) -> bool:
    """Whether deleting a row may take other rows of the same table along."""
    return any(relation.target is info and relation.on_delete == "cascade" for relation in to_ones(info))


def taken_along(deleted: Mapping[int, Model], loaded: Loaded) -> dict[int, Model]:
    """Gives the objects whose rows the database will delete together with these, by id."""
    if not acting_among(loaded):
        return {}
    rows = [(type(instance).__info__, row_key(instance)) for instance in deleted.values()]
    # what is turned elsewhere is written before anything is deleted
    return consequences(loaded, rows, value_or_missing).deleted


def link_objects(relation: RelationInfo, owner: Model, removed: Iterable[Model] | None, loaded: Loaded) -> list[Model]:
    """Gives the loaded objects of a table of links whose rows go when an object's links are dropped.

    Args:
        relation: The relation of the links.
        owner: The object.
        removed: The members that it is linked to no more; None for all of them.
        loaded: The session's instances.
    """
    link = relation.link
    keys = None if removed is None else {saved_key(owner) + saved_key(member) for member in removed}
    # no symmetrical relation goes through a model, which would stand for two links
    if keys == set() or link is None or link.through is None:
        return []
    attributes = {column.name: column.attribute for column in link.through.columns}
    ends = [attributes[name] for name in (link.near if keys is None else (*link.near, *link.far))]
    wanted = {saved_key(owner)} if keys is None else keys
    known = list(loaded.get(link.through, {}).values())
    return [one for one in known if tuple([saved_value(one, name) for name in ends]) in wanted]


def default_of(column: ColumnInfo) -> Any:
    """Gives the value a row gets by a column's default; MISSING where only the database knows it."""
    value = column.spec.server_default
    if value is MISSING:
        return None
    return MISSING if is_expr(value) else value


# ---- what cannot be written beside a delete


def without_lost_links(changes: ChangeSet, gone: Mapping[int, Model]) -> ChangeSet:
    """Leaves out new links to objects whose rows are deleted: nobody could see them any more."""
    if not changes.links:
        return changes
    links = [link for link in changes.links if not (link.added and any(id(end) in gone for end in link.ends))]
    return changes if len(links) == len(changes.links) else changes._replace(links=tuple(links))


def refuse_lost_children(changes: ChangeSet, gone: Mapping[int, Model]) -> None:
    """Refuses rows that would point to a row which the same flush deletes.

    Args:
        changes: What is to be written.
        gone: The objects whose rows are deleted, by id.

    Raises:
        FlushError: Naming the object and its target.
    """
    if not (changes.inserts or changes.updates):
        return
    keys = {(type(instance).__info__, row_key(instance)): instance for instance in gone.values()}
    # a key that is given up is taken over by these
    for new in changes.inserts:
        keys.pop((new.info, bare_key(tuple([new.values.get(name) for name in new.info.key_attributes]))), None)
    for mover in moved(changes.updates):
        keys.pop((mover.info, bare_key(new_key(mover))), None)
    written: list[InsertChange | UpdateChange] = [*changes.inserts, *changes.updates]
    for change in written:
        for relation in to_ones(change.info):
            target = _target(change, relation, keys)
            if target is not None and change.instance is not target:
                raise _lost(change.instance, relation, target)


def _target(change: InsertChange | UpdateChange, relation: RelationInfo, gone: Mapping[Row, Model]) -> Model | None:
    """Gives the deleted object that a change makes a row point to."""
    if change.values.keys().isdisjoint(relation.local):
        return None
    key = tuple([_value(change, name) for name in relation.local])
    return gone.get((relation.target, bare_key(key)))


def _value(change: InsertChange | UpdateChange, name: str) -> Any:
    return change.values[name] if name in change.values else value_or_missing(change.instance, name)


def _lost(instance: Model, relation: RelationInfo, target: Model) -> FlushError:
    me, name = relation.owner.name.lower(), relation.name
    return FlushError(
        f"{instance!r} points by {relation.place} to {target!r}, which the same flush deletes",
        hint=f"give it another: {me}.{name} = ...; delete it too: session.delete({me}); "
        f"or keep the {relation.target.name}: session.add(...) takes its deletion back",
    )


def children_named(error: ForeignKeyViolation, info: ModelInfo) -> ForeignKeyViolation:
    """Gives the refusal to delete rows that are pointed to, with what points to them, and what to do."""
    return ForeignKeyViolation(
        f"{info.name} rows are still pointed to: {error.message}",
        statement=error.statement,
        code=error.code,
        constraint=error.constraint,
        table=error.table,
        columns=error.columns,
        hint=_remedy(info),
    )


def _resolved(info: ModelInfo) -> tuple[RelationInfo, ...]:
    # a model that is declared wrongly says so where it is used, and not in the place of another's error
    try:
        return to_ones(info)
    except CormorantError:
        return ()


def _remedy(info: ModelInfo) -> str:
    pointing = [relation for other in info.registry for relation in _resolved(other) if relation.target is info]
    holding = [f"{r.place} ({r.on_delete})" for r in pointing if r.on_delete in ("restrict", "no_action")]
    by = f" by {' or '.join(holding)}" if holding else ""
    return (
        f"delete what points there{by} in the same flush, or give it another target; "
        'foreign_key(on_delete="cascade") or "set_null" has the database do it'
    )
