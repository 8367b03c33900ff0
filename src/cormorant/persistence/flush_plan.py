"""Orders changes and gathers them into statements; pure, and printable before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from cormorant._internal.topological import CycleError
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.persistence.changes import (
    ChangeSet,
    DeleteChange,
    InsertChange,
    LinkChange,
    UpdateChange,
    saved_value,
    source_of,
)
from cormorant.persistence.flush_order import children_first, in_order, parents_first
from cormorant.persistence.key_changes import moved, without_followers
from cormorant.persistence.row_order import Change, ordered_rows
from cormorant.persistence.unique_values import handed_over, perhaps_handed_over
from cormorant.sql.statements import Delete, Insert, InsertMode, TypedColumn, Update

T = TypeVar("T")

# read by C, once for each row
_key_of: Callable[[UpdateChange | DeleteChange], tuple[Any, ...]] = attrgetter("key")

CHUNK = 10_000
"""The most rows that one statement inserts or updates: PostgreSQL takes messages of up to 1 GB, 100 KB for each."""


class InsertStep(NamedTuple):
    """One INSERT for rows of one table with the same columns.

    Args:
        rows: The values in the statement's column order.
        returned: The attributes that the statement gives back, in order.
    """

    statement: Insert
    changes: tuple[InsertChange, ...]
    rows: tuple[tuple[Any, ...], ...]
    returned: tuple[ColumnInfo, ...]


class UpdateStep(NamedTuple):
    """One UPDATE for rows of one table with the same changed columns."""

    statement: Update
    changes: tuple[UpdateChange, ...]
    rows: tuple[tuple[Any, ...], ...]
    returned: tuple[ColumnInfo, ...]


class DeleteStep(NamedTuple):
    """One DELETE for rows of one table."""

    statement: Delete
    changes: tuple[DeleteChange, ...]
    rows: tuple[tuple[Any, ...], ...]


class LinkStep(NamedTuple):
    """One INSERT or DELETE for rows of a table of links."""

    statement: Insert | Delete
    changes: tuple[LinkChange, ...]
    rows: tuple[tuple[Any, ...], ...]


Step: TypeAlias = InsertStep | UpdateStep | DeleteStep | LinkStep


class FlushPlan(NamedTuple):
    """The steps of one flush, in order.

    Args:
        server_version: The server's version that it was made for.
    """

    steps: tuple[Step, ...]
    server_version: tuple[int, ...] = ()

    @property
    def is_single(self) -> bool:
        """Whether it writes one row by one statement."""
        return len(self.steps) == 1 and len(self.steps[0].rows) == 1

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


def plan_flush(
    changes: ChangeSet,
    insert_mode: Batching,
    *,
    batches: bool,
    deferrable: bool = False,
    server_version: tuple[int, ...] = (),
) -> FlushPlan:
    """Gives the steps that write the changes: links dropped, rows inserted, updated, links made, rows deleted.

    Where rows of one flush take over each other's unique values, where keys change, and where rows point to each other
    in a ring, the order is that of the single rows.

    Args:
        changes: What is pending.
        insert_mode: Tells how several rows are inserted at once.
        batches: Several rows can be updated or deleted by one statement.
        deferrable: The database can look at unique values at the end of the transaction.
        server_version: What the way of inserting goes by.

    Raises:
        DependencyCycleError: Rows need each other in a ring, by columns that are never None or by unique values.
    """
    if not (changes.updates or changes.deletes) or not _depends_on_rows(changes, deferrable=deferrable):
        # where tables or rows point to each other, single rows decide
        with suppress(CycleError):
            return FlushPlan(tuple(_by_tables(changes, insert_mode, batches=batches)), server_version)
    steps: list[Step] = []
    for batch in ordered_rows(without_followers(changes), deferrable=deferrable, together=batches):
        steps += _of_one_kind(batch, insert_mode, batches=batches)
    return FlushPlan(tuple(_joined(steps)), server_version)


def _depends_on_rows(changes: ChangeSet, *, deferrable: bool) -> bool:
    if changes.keeps_keys:
        # then only what is deleted has something to hand over
        if not changes.deletes:
            return False
    elif changes.updates and moved(changes.updates):
        return True
    if len(changes.updates) + len(changes.deletes) == 1 and not (changes.inserts or changes.links):
        # nobody is there to hand anything over to
        return False
    sets = (unique for found in (handed_over, perhaps_handed_over) for _, _, unique in found(changes))
    return any(not (unique.deferrable and deferrable) for unique in sets)


def _by_tables(changes: ChangeSet, insert_mode: Batching, *, batches: bool) -> list[Step]:
    steps: list[Step] = []
    if changes.links:
        steps += _link_deletes(changes.links, batches=batches)
    if changes.inserts:
        steps += _inserts(changes.inserts, insert_mode)
    if changes.updates:
        steps += _updates(changes.updates, batches=batches)
    if changes.links:
        steps += _link_inserts(changes.links, insert_mode)
    if changes.deletes:
        steps += _deletes(changes.deletes, batches=batches)
    return steps


def _of_one_kind(batch: Sequence[Change], insert_mode: Batching, *, batches: bool) -> Iterable[Step]:
    """Gives the steps of changes that differ in their values only."""
    first = batch[0]
    if isinstance(first, InsertChange):
        return insert_steps(cast("Sequence[InsertChange]", batch), insert_mode)
    if isinstance(first, UpdateChange):
        return _updates(cast("Sequence[UpdateChange]", batch), batches=batches)
    if isinstance(first, DeleteChange):
        return [delete_step(cast("Sequence[DeleteChange]", batch), batches=batches)]
    links = cast("Sequence[LinkChange]", batch)
    return _link_inserts(links, insert_mode) if first.added else _link_deletes(links, batches=batches)


def _joined(steps: Iterable[Step]) -> Iterable[Step]:
    """Gives steps so that rows that are updated one after another are one step, sent row by row."""
    run: list[UpdateStep] = []
    for step in steps:
        if isinstance(step, UpdateStep) and not step.statement.batch:
            if run and run[0].statement != step.statement:
                yield _one_step(run)
                run = []
            run.append(step)
            continue
        if run:
            yield _one_step(run)
            run = []
        yield step
    if run:
        yield _one_step(run)


def _one_step(run: Sequence[UpdateStep]) -> UpdateStep:
    """Gives steps of one statement as one."""
    if len(run) == 1:
        return run[0]
    changes = tuple([change for step in run for change in step.changes])
    return run[0]._replace(changes=changes, rows=tuple([row for step in run for row in step.rows]))


def _chunks(group: Sequence[T]) -> Iterable[Sequence[T]]:
    return [group] if len(group) <= CHUNK else [group[at : at + CHUNK] for at in range(0, len(group), CHUNK)]


# ------------------------------------------------------------------ inserts


def _inserts(changes: Sequence[InsertChange], insert_mode: Batching) -> Iterable[InsertStep]:
    # one object that waits for no key needs no order
    if len(changes) == 1 and not changes[0].waiting:
        return insert_steps(changes, insert_mode)
    groups: dict[tuple[Any, ...], list[InsertChange]] = {}
    group: list[InsertChange] = []
    last: tuple[Any, ...] = ()
    for place, change in in_order(changes):
        key = (place, change.info, change.names or tuple(change.values), change.key_given)
        # most come together, and a comparison costs less than a hash
        if key != last:
            group, last = groups.setdefault(key, []), key
        group.append(change)
    return [step for group in groups.values() for step in insert_steps(group, insert_mode)]


def insert_steps(group: Sequence[InsertChange], insert_mode: Batching) -> list[InsertStep]:
    """Gives the steps that insert rows of one table with the same columns."""
    first = group[0]
    info, names = first.info, tuple(first.values)
    mode: InsertMode = "row"
    if len(group) > 1 and names:
        ascending = len(info.key_columns) == 1 and info.key_columns[0].identity
        mode = insert_mode(key_given=first.key_given, ascending=ascending)
    statement, returned = insert_statement(info, names, mode)
    if len(group) == 1:
        return [InsertStep(statement, (first,), (tuple(first.values.values()),), returned)]
    return [
        InsertStep(statement, tuple(part), tuple([tuple(change.values.values()) for change in part]), returned)
        for part in _chunks(group)
    ]


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
    if len(changes) == 1:
        return [_update_step(changes, batch=False)]
    groups: dict[tuple[Any, ...], list[UpdateChange]] = {}
    group: list[UpdateChange] = []
    last: tuple[Any, ...] = ()
    for change in changes:
        key = (change.info, tuple(change.values), change.version is not None, change.part)
        if key != last:
            group, last = groups.setdefault(key, []), key
        group.append(change)
    return [
        _update_step(chunk, batch=batches and len(group) > 1) for group in groups.values() for chunk in _chunks(group)
    ]


def _update_step(group: Sequence[UpdateChange], *, batch: bool) -> UpdateStep:
    """Gives the step that updates rows of one table in the same columns, all of them with a known version or none."""
    first = group[0]
    checked = first.version is not None
    statement, returned = update_statement(first.info, tuple(first.values), checked, batch, counted=not first.part)
    matched = _matched(group, checked)
    rows = tuple([(*found, *change.values.values()) for found, change in zip(matched, group, strict=True)])
    return UpdateStep(statement, tuple(group), rows, returned)


def _matched(group: Sequence[UpdateChange] | Sequence[DeleteChange], checked: bool) -> Sequence[tuple[Any, ...]]:
    """Gives what each row is found by."""
    if not checked:
        return tuple(map(_key_of, group))
    return tuple([(*change.key, change.version) for change in group])


@lru_cache(maxsize=1000)
def update_statement(
    info: ModelInfo, names: tuple[str, ...], checked: bool, batch: bool, *, counted: bool = True
) -> tuple[Update, tuple[ColumnInfo, ...]]:
    """Gives the UPDATE of rows with changes to the same columns, and the columns that the database makes.

    Args:
        info: The rows' model.
        names: The attributes that get new values.
        batch: Several rows at once.
        checked: A row must have the version that is known of it.
        counted: It counts as a change of the row.
    """
    version = info.version_column if counted else None
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
    if len(changes) == 1:
        return [delete_step(changes, batches=batches)]
    groups: dict[ModelInfo, list[DeleteChange]] = {}
    for change in changes:
        groups.setdefault(change.info, []).append(change)
    steps: list[DeleteStep] = []
    for info in reversed(parents_first(list(groups))):
        for group in children_first(groups[info], together=batches):
            for checked in (True, False):
                part = [change for change in group if (change.version is not None) is checked]
                steps += [delete_step(part, batches=batches)] if part else []
    return steps


def delete_step(group: Sequence[DeleteChange], *, batches: bool) -> DeleteStep:
    """Gives the step that deletes rows of one table, all of them with a known version or none.

    They are one statement, however many: rows that point to each other may go together.
    """
    checked = group[0].version is not None
    info = group[0].info
    statement = delete_statement(info, checked, batches and len(group) > 1)
    return DeleteStep(statement, tuple(group), tuple(_matched(group, checked)))


@lru_cache(maxsize=1000)
def delete_statement(info: ModelInfo, checked: bool, batch: bool) -> Delete:
    """Gives the DELETE of rows, one or several, which must have the version that is known of them or need not."""
    return Delete(info.table, _matched_columns(info, checked), batch=batch)


# ------------------------------------------------------------------ links


def _link_deletes(changes: Sequence[LinkChange], *, batches: bool) -> Iterable[LinkStep]:
    for (table, columns, _), group in _link_groups(changes, added=False).items():
        statement = Delete(table, columns, batch=batches and len(group) > 1)
        yield LinkStep(statement, tuple(group), tuple([_link_row(change) for change in group]))


def _link_inserts(changes: Sequence[LinkChange], insert_mode: Batching) -> Iterable[LinkStep]:
    for (table, columns, extra), group in _link_groups(changes, added=True).items():
        mode = insert_mode(key_given=True, ascending=False) if len(group) > 1 else "row"
        statement = Insert(table, (*columns, *extra), mode=mode, skip_existing=True)
        for part in _chunks(group):
            yield LinkStep(statement, tuple(part), tuple([(*_link_row(change), *change.values) for change in part]))


def _link_groups(
    changes: Sequence[LinkChange], *, added: bool
) -> dict[tuple[str, tuple[TypedColumn, ...], tuple[TypedColumn, ...]], list[LinkChange]]:
    groups: dict[tuple[str, tuple[TypedColumn, ...], tuple[TypedColumn, ...]], list[LinkChange]] = {}
    for change in changes:
        if change.added is added:
            groups.setdefault((change.table, change.columns, change.extra), []).append(change)
    return groups


def _link_row(change: LinkChange) -> tuple[Any, ...]:
    pairs = [(end, name) for end in change.ends for name in type(end).__info__.key_attributes]
    # a link that goes is found by the keys that its ends have had
    return tuple([source_of(end, name) if change.added else saved_value(end, name) for end, name in pairs])
