"""Operations in a form in which others go on reading and writing while they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from cormorant.migrations import effects as e
from cormorant.migrations.sizes import Sizes
from cormorant.migrations.step import Backfill, Step
from cormorant.migrations.volatility import is_volatile
from cormorant.migrations.walking import Walk
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import shadow_operations as w
from cormorant.schema import snapshot as s
from cormorant.schema.names import name_of
from cormorant.schema.table_diff import reads

_NAME = 63
"""Bytes that a name may have."""


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
    return list(form(walk.table(step.touched), step))


# ------------------------------------------------------------------ indexes and constraints


def _index(table: s.Table, op: i.CreateIndex | i.DropIndex | i.CreateSearchIndex | i.DropSearchIndex) -> Iterable[Step]:
    # an index over partitions is made for each of them, in one transaction
    return [op if table.partitioned else replace(op, concurrently=True)]


def _add_constraint(table: s.Table, op: o.AddConstraint) -> Iterable[Step]:
    constraint = op.constraint
    if isinstance(constraint, s.Check):
        return _in_two(op.table, constraint) if constraint.validated else [op]
    if table.partitioned:
        return [op]
    if isinstance(constraint, s.ForeignKey):
        return _in_two(op.table, _named(op.table, constraint)) if constraint.validated else [op]
    key = isinstance(constraint, s.PrimaryKey)
    open_ = [each for each in table.columns if key and each.name in constraint.columns and each.nullable]
    return [op] if open_ else [replace(op, concurrently=True)]


def _named(table: str, key: s.ForeignKey) -> s.ForeignKey:
    return key if key.name else replace(key, name=o.default_name(table, key))


def _in_two(table: str, constraint: s.Check | s.ForeignKey) -> list[Step]:
    """Gives a constraint that holds for new rows at first, and then for those from before."""
    later = replace(constraint, validated=False)
    return [o.AddConstraint(table, later), o.ValidateConstraint(table, later, alone=True)]


def _validate(_: s.Table, op: o.ValidateConstraint) -> Iterable[Step]:
    return [replace(op, alone=True)]


# ------------------------------------------------------------------ columns


def _add_column(table: s.Table, op: c.AddColumn) -> Iterable[Step]:
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


def _alter_column(table: s.Table, op: c.AlterColumn) -> Iterable[Step]:
    if e.only_comments(op):
        return [op]
    if op.retyped:
        return _retyped(table, op)
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
    check = s.Check(_free_name(table, after.name), f"{_quoted(after.name)} IS NOT NULL", validated=False)
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


def _free_name(table: s.Table, column: str) -> str:
    taken = {check.name for check in table.checks}
    names = (f"ck_{name_of(table.key)}_{column}_given{again or ''}" for again in range(len(taken) + 1))
    return next(name for each in names if (name := _short(each)) not in taken)


def _short(name: str) -> str:
    return name if len(name.encode()) <= _NAME else "ck_" + name.encode()[3 - _NAME :].decode(errors="ignore")


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _retyped(table: s.Table, op: c.AlterColumn) -> Iterable[Step]:
    if e.rewrites(op):
        return _by_second_column(table, op) if _may_have_a_second(table, op) else [op]
    wanted, last = replace(op.after, fill=None), list[Step]()
    if e.becomes_required(op):
        first = replace(wanted, nullable=True)
        last = _required(table, first, wanted, None)
        op = replace(op, after=first)
    names = frozenset({op.after.name})
    checks = [check for check in table.checks if check.validated and reads(check.condition, names)]
    away = [o.DropConstraint(op.table, check) for check in checks]
    back = [step for check in checks for step in _in_two(op.table, check)]
    return [*away, op, *back, *last]


def _may_have_a_second(table: s.Table, op: c.AlterColumn) -> bool:
    """Whether a column can be replaced by another one: nothing stands on it but plain indexes."""
    names = frozenset({op.after.name})
    keys = [*e.unique_keys(table), *(key.columns for key in table.foreign_keys), *(x.columns for x in table.searches)]
    expressions = [check.condition for check in table.checks]
    expressions += [column.computed for column in table.columns if column.computed is not None]
    for index in table.indexes:
        expressions += [x for x in (index.where, *(item.expression for item in index.items)) if x is not None]
    made = any(x.computed is not None or x.identity is not None for x in (op.before, op.after))
    return (
        not made
        and table.column(w.shadow_of(op.after).name) is None
        and table.primary_key is not None
        and not table.partitioned
        and not any(op.after.name in columns for columns in keys)
        and not any(reads(sql, names) for sql in expressions)
    )


def _by_second_column(table: s.Table, op: c.AlterColumn) -> list[Step]:
    shadow = w.ShadowColumn(op.table, op.before, op.after, op.using)
    column = w.shadow_of(op.after)
    where = None
    if op.using is None and op.after.fill is None:
        where = f"{_quoted(column.name)} IS NULL AND {_quoted(op.before.name)} IS NOT NULL"
    made: list[Step] = [shadow, Backfill(op.table, ((column.name, shadow.value),), where=where)]
    over = tuple(index for index in table.indexes if _is_over(index, op.after.name))
    made += [i.CreateIndex(op.table, w.shadow_index(index, op.after), concurrently=True) for index in over]
    given = None
    if not op.after.nullable:
        # SQLite keeps no second column in step: it makes the values when it copies the table
        shown = s.ByDialect((("postgresql", f"{_quoted(column.name)} IS NOT NULL"), ("sqlite", "1 = 1")))
        check = s.Check(_free_name(table, column.name), shown)
        made += _in_two(op.table, check)
        given = replace(check, validated=False)
    return [*made, w.SwapColumn(op.table, op.before, op.after, op.using, over, given)]


def _is_over(index: s.Index, column: str) -> bool:
    return column in index.include or any(item.column == column for item in index.items)


_FORMS: dict[type[Any], Callable[[s.Table, Any], Iterable[Step]]] = {
    i.CreateIndex: _index,
    i.DropIndex: _index,
    i.CreateSearchIndex: _index,
    i.DropSearchIndex: _index,
    o.AddConstraint: _add_constraint,
    o.ValidateConstraint: _validate,
    c.AddColumn: _add_column,
    c.AlterColumn: _alter_column,
}
