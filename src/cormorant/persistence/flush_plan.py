"""Orders changes and gathers them into statements; pure, and printable before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from cormorant._internal.topological import CycleError, sort
from cormorant.errors import DependencyCycleError
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import value_or_missing
from cormorant.persistence.changes import (
    ChangeSet,
    DeleteChange,
    InsertChange,
    LinkChange,
    PendingKey,
    UpdateChange,
)
from cormorant.sql.statements import Delete, Insert, InsertMode, TypedColumn, Update


@dataclass(frozen=True, slots=True)
class InsertStep:
    """One INSERT for rows of one table with the same columns.

    Args:
        rows: The values in the statement's column order.
        returned: The attributes that the statement gives back, in order.
    """

    statement: Insert
    changes: tuple[InsertChange, ...]
    rows: tuple[tuple[Any, ...], ...]
    returned: tuple[ColumnInfo, ...]


@dataclass(frozen=True, slots=True)
class UpdateStep:
    """One UPDATE for rows of one table with the same changed columns."""

    statement: Update
    changes: tuple[UpdateChange, ...]
    rows: tuple[tuple[Any, ...], ...]
    returned: tuple[ColumnInfo, ...]


@dataclass(frozen=True, slots=True)
class DeleteStep:
    """One DELETE for rows of one table."""

    statement: Delete
    changes: tuple[DeleteChange, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class LinkStep:
    """One INSERT or DELETE for rows of a table of links."""

    statement: Insert | Delete
    changes: tuple[LinkChange, ...]
    rows: tuple[tuple[Any, ...], ...]


Step: TypeAlias = InsertStep | UpdateStep | DeleteStep | LinkStep


@dataclass(slots=True)
class FlushResult:
    """What the database made: for each object, by its id, the values by attribute."""

    made: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    def value(self, pending: PendingKey) -> Any:
        """Gives a key made by an earlier step, or the one the object had all along."""
        made = self.made.get(id(pending.instance))
        if made is not None and pending.attribute in made:
            return made[pending.attribute]
        return value_or_missing(pending.instance, pending.attribute)


@dataclass(frozen=True, slots=True)
class FlushPlan:
    """The steps of one flush, in order."""

    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """How many rows are written."""
        return sum(len(step.rows) for step in self.steps)

    def __str__(self) -> str:
        lines = (f"{type(s.statement).__name__.upper()} {s.statement.table}: {len(s.rows)} rows" for s in self.steps)
        return "\n".join(lines) or "nothing to write"


class Batching(Protocol):
    """How a database wants batches."""

    def __call__(self, *, key_given: bool, ascending: bool) -> InsertMode: ...


def plan_flush(changes: ChangeSet, insert_mode: Batching, *, batches: bool) -> FlushPlan:
    """Gives the steps that write the changes: links dropped, rows inserted, updated, links made, rows deleted.

    Args:
        changes: What is pending.
        insert_mode: Tells how several rows are inserted at once.
        batches: Several rows can be updated or deleted by one statement.

    Raises:
        DependencyCycleError: New objects need each other's keys in a ring.
    """
    steps: list[Step] = [*_links(changes.links, added=False, batches=batches)]
    steps += _inserts(changes.inserts, insert_mode)
    steps += _updates(changes.updates, batches=batches)
    steps += _link_inserts(changes.links, insert_mode)
    steps += _deletes(changes.deletes, batches=batches)
    return FlushPlan(tuple(steps))


# ------------------------------------------------------------------ inserts


def _inserts(changes: Sequence[InsertChange], insert_mode: Batching) -> Iterable[InsertStep]:
    if not changes:
        return
    groups: dict[tuple[Any, ...], list[InsertChange]] = {}
    for place, change in in_order(changes):
        groups.setdefault((place, change.info, tuple(change.values), change.key_given), []).append(change)
    for (_, info, names, key_given), group in groups.items():
        yield _insert_step(info, names, key_given, group, insert_mode)


def _insert_step(
    info: ModelInfo, names: tuple[str, ...], key_given: bool, group: list[InsertChange], insert_mode: Batching
) -> InsertStep:
    returned = tuple(column for column in info.columns if column.server_made and column.attribute not in names)
    mode: InsertMode = "row"
    if len(group) > 1 and names:
        ascending = len(info.key_columns) == 1 and info.key_columns[0].identity
        mode = insert_mode(key_given=key_given, ascending=ascending)
    keys = () if mode != "by_key" or not returned else info.key_columns
    statement = Insert(
        table=info.table,
        columns=tuple(info.by_attribute[name].typed for name in names),
        returning=tuple(column.typed for column in (*keys, *returned)),
        mode=mode,
    )
    rows = tuple(tuple(change.values.values()) for change in group)
    return InsertStep(statement, tuple(group), rows, returned)


def in_order(changes: Sequence[InsertChange]) -> Iterable[tuple[tuple[int, ...], InsertChange]]:
    """Gives each insert with its place: parents' tables first, and within a table parents before children.

    Where tables point to each other, the objects alone decide.
    """
    tables = list(dict.fromkeys(change.info for change in changes))
    needs = {info: [r.target for r in info.relations.values() if r.kind == "to_one"] for info in tables}
    try:
        order = {info: place for place, info in enumerate(sort(tables, needs))}
        depths = depths_of(changes, within_table=True)
    except CycleError:
        order = dict.fromkeys(tables, 0)
        depths = depths_of(changes, within_table=False)
    placed = [((order[change.info], depths[id(change.instance)]), change) for change in changes]
    placed.sort(key=lambda item: item[0])
    return placed


def depths_of(changes: Sequence[InsertChange], *, within_table: bool) -> dict[int, int]:
    """Gives for each new object how many other new ones must come before it, one after another.

    Raises:
        DependencyCycleError: They need each other in a ring.
    """
    by_id = {id(change.instance): change for change in changes}
    needs: dict[int, list[int]] = {}
    for change in changes:
        parents = _parents(change)
        kept = [p for p in parents if p in by_id and (not within_table or by_id[p].info is change.info)]
        if kept:
            needs[id(change.instance)] = kept
    if not needs:
        return dict.fromkeys(by_id, 0)
    try:
        ordered = sort(by_id, needs)
    except CycleError as error:
        ring = " -> ".join(repr(by_id[node].instance) for node in error.cycle if isinstance(node, int))
        raise DependencyCycleError(
            f"new objects need each other's keys: {ring}",
            hint="flush one of them first with the relation left None, then set it",
        ) from None
    depths: dict[int, int] = {}
    for node in ordered:
        depths[node] = 1 + max((depths[parent] for parent in needs.get(node, ())), default=-1)
    return depths


def _parents(change: InsertChange) -> list[int]:
    """Gives the new objects whose rows must exist before this one's."""
    found = [id(value.instance) for value in change.values.values() if isinstance(value, PendingKey)]
    for name, value in (change.instance.__orm_related__ or {}).items():
        if value is not None and name in change.info.relation_specs and isinstance(value, Model):
            found.append(id(value))
    return found


# ------------------------------------------------------------------ updates and deletes


def _updates(changes: Sequence[UpdateChange], *, batches: bool) -> Iterable[UpdateStep]:
    groups: dict[tuple[Any, ...], list[UpdateChange]] = {}
    for change in changes:
        groups.setdefault((change.info, tuple(change.values), change.version is None), []).append(change)
    for (info, names, _), group in groups.items():
        yield _update_step(info, names, group, batches=batches)


def _update_step(info: ModelInfo, names: tuple[str, ...], group: list[UpdateChange], *, batches: bool) -> UpdateStep:
    version = info.version_column
    checked = () if version is None or group[0].version is None else (version,)
    returned = tuple(column for column in info.columns if column.spec.computed is not None or column is version)
    statement = Update(
        table=info.table,
        assigned=tuple(info.by_attribute[name].typed for name in names),
        matched=tuple(column.typed for column in (*info.key_columns, *checked)),
        bumped=None if version is None else version.name,
        returning=tuple(column.typed for column in returned),
        batch=batches and len(group) > 1,
    )
    rows = tuple((*change.key, *((change.version,) if checked else ()), *change.values.values()) for change in group)
    return UpdateStep(statement, tuple(group), rows, returned)


def _deletes(changes: Sequence[DeleteChange], *, batches: bool) -> Iterable[DeleteStep]:
    groups: dict[ModelInfo, list[DeleteChange]] = {}
    for change in changes:
        groups.setdefault(change.info, []).append(change)
    for info in reversed(_parents_first(list(groups))):
        for group in _children_first(groups[info]):
            yield _delete_step(info, group, batches=batches)


def _parents_first(infos: list[ModelInfo]) -> list[ModelInfo]:
    needs = {info: [r.target for r in info.relations.values() if r.kind == "to_one"] for info in infos}
    try:
        return sort(infos, needs)
    except CycleError:
        return infos


def _children_first(group: list[DeleteChange]) -> list[list[DeleteChange]]:
    """Splits the deletes of a table that points to itself, so that no row goes before the ones that point to it."""
    info = group[0].info
    own = [r for r in info.relations.values() if r.kind == "to_one" and r.target is info]
    if not own or len(group) == 1:
        return [group]
    by_key = {change.key: change for change in group}

    def parents(change: DeleteChange) -> list[tuple[Any, ...]]:
        return [tuple(value_or_missing(change.instance, name) for name in r.local) for r in own]

    needs = {key: [p for p in parents(change) if p in by_key] for key, change in by_key.items()}
    try:
        ordered = sort(by_key, needs)
    except CycleError:
        return [group]
    depth: dict[Any, int] = {}
    for key in ordered:
        depth[key] = 1 + max((depth[parent] for parent in needs[key] if parent in depth), default=-1)
    layers: dict[int, list[DeleteChange]] = {}
    for key in ordered:
        layers.setdefault(depth[key], []).append(by_key[key])
    return [layers[place] for place in sorted(layers, reverse=True)]


def _delete_step(info: ModelInfo, group: list[DeleteChange], *, batches: bool) -> DeleteStep:
    version = info.version_column
    checked = () if version is None or any(change.version is None for change in group) else (version,)
    matched = tuple(column.typed for column in (*info.key_columns, *checked))
    rows = tuple((*change.key, *((change.version,) if checked else ())) for change in group)
    return DeleteStep(Delete(info.table, matched, batch=batches and len(group) > 1), tuple(group), rows)


# ------------------------------------------------------------------ links


def _links(changes: Sequence[LinkChange], *, added: bool, batches: bool) -> Iterable[LinkStep]:
    for table, columns, group in _link_groups(changes, added=added):
        statement = Delete(table, columns, batch=batches and len(group) > 1)
        yield LinkStep(statement, tuple(group), tuple(map(_link_row, group)))


def _link_inserts(changes: Sequence[LinkChange], insert_mode: Batching) -> Iterable[LinkStep]:
    for table, columns, group in _link_groups(changes, added=True):
        mode = insert_mode(key_given=True, ascending=False) if len(group) > 1 else "row"
        yield LinkStep(Insert(table, columns, mode=mode), tuple(group), tuple(map(_link_row, group)))


def _link_groups(
    changes: Sequence[LinkChange], *, added: bool
) -> Iterable[tuple[str, tuple[TypedColumn, ...], list[LinkChange]]]:
    groups: dict[tuple[str, tuple[str, ...]], list[LinkChange]] = {}
    for change in changes:
        if change.added is added:
            groups.setdefault((change.link.table, change.link.near), []).append(change)
    for (table, _), group in groups.items():
        first = group[0]
        near = _typed(first.link.near, first.relation.owner)
        far = _typed(first.link.far, first.relation.target)
        yield table, (*near, *far), group


def _typed(names: tuple[str, ...], info: ModelInfo) -> tuple[TypedColumn, ...]:
    return tuple(TypedColumn(name, column.type) for name, column in zip(names, info.key_columns, strict=True))


def _link_row(change: LinkChange) -> tuple[Any, ...]:
    return (*_keys(change.near), *_keys(change.far))


def _keys(instance: Model) -> tuple[Any, ...]:
    return tuple(PendingKey(instance, name) for name in type(instance).__info__.key_attributes)
