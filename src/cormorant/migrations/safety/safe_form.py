"""Operations in a form in which others go on reading and writing while they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from cormorant.migrations.safety import effects as e
from cormorant.migrations.safety.second_column import by_second_column, may_have_a_second
from cormorant.migrations.safety.sizes import Sizes
from cormorant.migrations.safety.validating import in_two, named, not_null
from cormorant.migrations.safety.volatility import is_volatile
from cormorant.migrations.safety.walking import Walk
from cormorant.migrations.step import Backfill, Step
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.table_diff import reads


def safe(steps: Sequence[Step], before: s.SchemaSnapshot, sizes: Sizes | None = None) -> list[Step]:
    """Gives steps that lead to the same schema and let others read and write a large table meanwhile.

    What has no such form stays as it is; `lint` tells of it. Steps over new tables and small ones stay too.

    Args:
        steps: What shall be done.
        before: The schema before the first of them.
        sizes: How large tables are; every one that is there counts as large if None.

    Example:
        >>> safe([CreateIndex("article", index)], before)
        [CreateIndex("article", index, concurrently=True)]
    """
    walk, made = Walk(before, sizes), list[Step]()
    for _, step in walk.over(steps):
        made += safe_form(step, walk)
    return made


def safe_form(step: Step, walk: Walk) -> list[Step]:
    """Gives the safe form of one step, or itself alone.

    Args:
        step: The step.
        walk: Where it is.
    """
    form = _FORMS.get(type(step))
    if form is None or not isinstance(step, o.Operation) or not walk.is_large(step.touched):
        return [step]
    made = list(form(walk, step))
    # SQLite numbers the rows of a table by its key: it cannot be left without one while rows are filled
    return [step] if walk.keyless and any(isinstance(each, Backfill) for each in made) else made


# ------------------------------------------------------------------ indexes and constraints


def _index(walk: Walk, op: i.CreateIndex | i.DropIndex | i.CreateSearchIndex | i.DropSearchIndex) -> Iterable[Step]:
    # an index over partitions is made for each of them, in one transaction
    return [op if walk.table(op.table).partitioned else replace(op, concurrently=True)]


def _add_constraint(walk: Walk, op: o.AddConstraint) -> Iterable[Step]:
    table = walk.table(op.table)
    constraint = op.constraint
    if isinstance(constraint, s.Check):
        return in_two(op.table, constraint) if constraint.validated else [op]
    if table.partitioned:
        return [op]
    if isinstance(constraint, s.ForeignKey):
        return in_two(op.table, named(op.table, constraint)) if constraint.validated else [op]
    key = isinstance(constraint, s.PrimaryKey)
    open_ = [each for each in table.columns if key and each.name in constraint.columns and each.nullable]
    return [op] if open_ else [replace(op, concurrently=True)]


def _validate(_: Walk, op: o.ValidateConstraint) -> Iterable[Step]:
    return [replace(op, alone=True)]


# ------------------------------------------------------------------ columns


def _add_column(walk: Walk, op: c.AddColumn) -> Iterable[Step]:
    table = walk.table(op.table)
    column = op.column
    value = column.default if column.default is not None else column.fill
    numbered = column.identity is not None or column.computed is not None
    if value is None or numbered or not is_volatile(value) or table.primary_key is None:
        return [op]
    bare = replace(column, nullable=True, default=None, fill=None)
    wanted = replace(column, fill=None)
    with_default = replace(wanted, nullable=True)
    made: list[Step] = [c.AddColumn(op.table, bare)]
    if column.default is not None:
        made.append(c.AlterColumn(op.table, bare, with_default))
    filling = Backfill(op.table, ((column.name, value),))
    after = replace(table, columns=(*table.columns, bare))
    return [*made, *([filling] if column.nullable else _required(after, with_default, wanted, filling))]


def _alter_column(walk: Walk, op: c.AlterColumn) -> Iterable[Step]:
    table = walk.table(op.table)
    if e.only_comments(op):
        return [op]
    if op.retyped:
        return _retyped(walk, op)
    if not e.becomes_required(op):
        return [op]
    if op.after.fill is not None and table.primary_key is None:
        return [op]
    wanted = replace(op.after, fill=None)
    first = replace(wanted, nullable=True)
    fill = op.after.fill
    filling = None if fill is None else Backfill(op.table, ((wanted.name, fill),))
    made = [] if first == op.before else [c.AlterColumn(op.table, op.before, first, op.using)]
    return [*made, *_required(table, first, wanted, filling)]


def _required(table: s.Table, before: s.Column, after: s.Column, filling: Backfill | None) -> list[Step]:
    """Gives how a column comes to be NULL no more: a check shows it, so that a strong lock is held for no time."""
    last = c.AlterColumn(table.key, before, after)
    if e.proves_not_null(table, after.name):
        return [*([] if filling is None else [filling]), last]
    check = not_null(table, after.name)
    # rows that were written between the first filling and the check are filled by the second
    fillings = [] if filling is None else [filling]
    return [
        *fillings,
        o.AddConstraint(table.key, check),
        *fillings,
        o.ValidateConstraint(table.key, check, alone=True),
        last,
        o.DropConstraint(table.key, check),
    ]


def _retyped(walk: Walk, op: c.AlterColumn) -> Iterable[Step]:
    table = walk.table(op.table)
    if e.rewrites(op):
        return by_second_column(walk.state, table, op) if may_have_a_second(table, op) else [op]
    wanted, last = replace(op.after, fill=None), list[Step]()
    if e.becomes_required(op):
        first = replace(wanted, nullable=True)
        last = _required(table, first, wanted, None)
        op = replace(op, after=first)
    names = frozenset({op.after.name})
    checks = [check for check in table.checks if check.validated and reads(check.condition, names)]
    away = [o.DropConstraint(op.table, check) for check in checks]
    back = [step for check in checks for step in in_two(op.table, check)]
    return [*away, op, *back, *last]


_FORMS: dict[type[Any], Callable[[Walk, Any], Iterable[Step]]] = {
    i.CreateIndex: _index,
    i.DropIndex: _index,
    i.CreateSearchIndex: _index,
    i.DropSearchIndex: _index,
    o.AddConstraint: _add_constraint,
    o.ValidateConstraint: _validate,
    c.AddColumn: _add_column,
    c.AlterColumn: _alter_column,
}
