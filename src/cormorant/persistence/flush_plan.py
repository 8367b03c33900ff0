"""Orders changes and gathers them into statements; pure, and printable before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.persistence.changes import (
    ChangeSet,
    DeleteChange,
    InsertChange,
    LinkChange,
    PendingKey,
    UpdateChange,
)
from cormorant.persistence.flush_order import children_first, in_order, parents_first, split
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

    Rows go before the inserts where they hold a unique value that a new row takes over.

    Args:
        changes: What is pending.
        insert_mode: Tells how several rows are inserted at once.
        batches: Several rows can be updated or deleted by one statement.

    Raises:
        DependencyCycleError: New objects need each other's keys in a ring.
    """
    if changes.rows == len(changes.inserts):
        return FlushPlan(tuple(_inserts(changes.inserts, insert_mode)))
    early_updates, early_deletes, updates, deletes = split(changes)
    steps: list[Step] = [*_links(changes.links, added=False, batches=batches)]
    steps += _updates(early_updates, batches=batches)
    steps += _deletes(early_deletes, batches=batches)
    steps += _inserts(changes.inserts, insert_mode)
    steps += _updates(updates, batches=batches)
    steps += _link_inserts(changes.links, insert_mode)
    steps += _deletes(deletes, batches=batches)
    return FlushPlan(tuple(steps))


# ------------------------------------------------------------------ inserts


def _inserts(changes: Sequence[InsertChange], insert_mode: Batching) -> Iterable[InsertStep]:
    groups: dict[tuple[Any, ...], list[InsertChange]] = {}
    # one object without relations needs no order
    alone = len(changes) == 1 and not changes[0].instance.__orm_related__
    for place, change in [((0, 0), changes[0])] if alone else in_order(changes):
        groups.setdefault((place, change.info, tuple(change.values), change.key_given), []).append(change)
    for (_, info, names, key_given), group in groups.items():
        mode: InsertMode = "row"
        if len(group) > 1 and names:
            ascending = len(info.key_columns) == 1 and info.key_columns[0].identity
            mode = insert_mode(key_given=key_given, ascending=ascending)
        statement, returned = insert_statement(info, names, mode)
        rows = tuple([tuple(change.values.values()) for change in group])
        yield InsertStep(statement, tuple(group), rows, returned)


@lru_cache(maxsize=1000)
def insert_statement(
    info: ModelInfo, names: tuple[str, ...], mode: InsertMode
) -> tuple[Insert, tuple[ColumnInfo, ...]]:
    """Gives the INSERT of rows with values for some columns, and the columns that the database makes."""
    returned = tuple(column for column in info.columns if column.server_made and column.attribute not in names)
    keys = info.key_columns if mode == "by_key" and returned else ()
    statement = Insert(
        table=info.table,
        columns=tuple(info.by_attribute[name].typed for name in names),
        returning=tuple(column.typed for column in (*keys, *returned)),
        mode=mode,
    )
    return statement, returned


# ------------------------------------------------------------------ updates and deletes


def _updates(changes: Sequence[UpdateChange], *, batches: bool) -> Iterable[UpdateStep]:
    groups: dict[tuple[Any, ...], list[UpdateChange]] = {}
    for change in changes:
        groups.setdefault((change.info, tuple(change.values), change.version is not None), []).append(change)
    for (info, names, checked), group in groups.items():
        statement, returned = update_statement(info, names, checked, batches and len(group) > 1)
        rows = tuple([_matched(change, checked) + tuple(change.values.values()) for change in group])
        yield UpdateStep(statement, tuple(group), rows, returned)


def _matched(change: UpdateChange | DeleteChange, checked: bool) -> tuple[Any, ...]:
    return (*change.key, change.version) if checked else change.key


@lru_cache(maxsize=1000)
def update_statement(
    info: ModelInfo, names: tuple[str, ...], checked: bool, batch: bool
) -> tuple[Update, tuple[ColumnInfo, ...]]:
    """Gives the UPDATE of rows with changes to the same columns, and the columns that the database makes.

    Args:
        info: The rows' model.
        names: The attributes that get new values.
        batch: Several rows at once.
        checked: A row must have the version that is known of it.
    """
    version = info.version_column
    returned = tuple(column for column in info.columns if column.spec.computed is not None or column is version)
    statement = Update(
        table=info.table,
        assigned=tuple(info.by_attribute[name].typed for name in names),
        matched=_matched_columns(info, checked),
        bumped=None if version is None else version.name,
        returning=tuple(column.typed for column in returned),
        batch=batch,
    )
    return statement, returned


def _matched_columns(info: ModelInfo, checked: bool) -> tuple[TypedColumn, ...]:
    version = (info.version_column,) if checked and info.version_column is not None else ()
    return tuple(column.typed for column in (*info.key_columns, *version))


def _deletes(changes: Sequence[DeleteChange], *, batches: bool) -> Iterable[DeleteStep]:
    groups: dict[ModelInfo, list[DeleteChange]] = {}
    for change in changes:
        groups.setdefault(change.info, []).append(change)
    for info in reversed(parents_first(list(groups))):
        for group in children_first(groups[info]):
            for checked in (True, False):
                part = [change for change in group if (change.version is not None) is checked]
                if part:
                    statement = Delete(info.table, _matched_columns(info, checked), batch=batches and len(part) > 1)
                    yield DeleteStep(statement, tuple(part), tuple([_matched(change, checked) for change in part]))


# ------------------------------------------------------------------ links


def _links(changes: Sequence[LinkChange], *, added: bool, batches: bool) -> Iterable[LinkStep]:
    for (table, columns, _), group in _link_groups(changes, added=added).items():
        statement = Delete(table, columns, batch=batches and len(group) > 1)
        yield LinkStep(statement, tuple(group), tuple([_link_row(change) for change in group]))


def _link_inserts(changes: Sequence[LinkChange], insert_mode: Batching) -> Iterable[LinkStep]:
    for (table, columns, extra), group in _link_groups(changes, added=True).items():
        mode = insert_mode(key_given=True, ascending=False) if len(group) > 1 else "row"
        statement = Insert(table, (*columns, *extra), mode=mode, skip_existing=True)
        yield LinkStep(statement, tuple(group), tuple([(*_link_row(change), *change.values) for change in group]))


def _link_groups(
    changes: Sequence[LinkChange], *, added: bool
) -> dict[tuple[str, tuple[TypedColumn, ...], tuple[TypedColumn, ...]], list[LinkChange]]:
    groups: dict[tuple[str, tuple[TypedColumn, ...], tuple[TypedColumn, ...]], list[LinkChange]] = {}
    for change in changes:
        if change.added is added:
            groups.setdefault((change.table, change.columns, change.extra), []).append(change)
    return groups


def _link_row(change: LinkChange) -> tuple[Any, ...]:
    return tuple([PendingKey(end, name) for end in change.ends for name in type(end).__info__.key_attributes])
