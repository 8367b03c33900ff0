"""What an operation does to tables that others use, on PostgreSQL: its locks, and whether all rows are read or written.

What is said here is compared with `pg_locks`, with how often PostgreSQL read each table from end to end, and with the
files that it made anew (`tests/integration/test_migration_locks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cormorant.migrations.safety.locks import Lock, LockMode
from cormorant.migrations.safety.type_changes import keeps_bytes
from cormorant.migrations.safety.volatility import is_volatile
from cormorant.schema import column_operations as c
from cormorant.schema import column_types as types
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import shadow_operations as w
from cormorant.schema import snapshot as s
from cormorant.schema.names import beside
from cormorant.schema.table_diff import reads
from cormorant.schema.words import canonical


@dataclass(frozen=True, slots=True)
class Effect:
    """What one stage of an operation does.

    Args:
        locks: The locks that it holds, the strongest on each table.
        scans: The keys of the tables whose rows are all read meanwhile.
        rewrites: The keys of the tables whose rows are all written anew meanwhile, with their indexes.
        looks_in: The keys of the tables in which a row is looked for meanwhile, for each row of the others; where these
            are many, PostgreSQL reads all of it instead.
    """

    locks: tuple[Lock, ...]
    scans: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    looks_in: tuple[str, ...] = ()

    @property
    def works_on(self) -> tuple[str, ...]:
        """The tables whose sizes say how long it takes; none if it is done at once."""
        return (*self.rewrites, *self.scans)


Effects = tuple[Effect, ...]


def effects_of(operation: o.Operation, before: s.SchemaSnapshot) -> Effects:
    """Gives what an operation does on PostgreSQL, stage by stage; nothing for what locks no table.

    Args:
        operation: The operation.
        before: The schema before it.

    Example:
        >>> effects_of(CreateIndex("article", s.Index("ix", (s.IndexItem("title"),))), before)
        (Effect(locks=(Lock("SHARE", "article"),), scans=("article",)),)
    """
    found = _EFFECTS.get(type(operation))
    return () if found is None else found(before, operation)


def _on(mode: LockMode, *tables: str) -> tuple[Lock, ...]:
    return tuple(Lock(mode, table) for table in dict.fromkeys(tables))


def _at_once(mode: LockMode, *tables: str) -> Effects:
    return (Effect(_on(mode, *tables)),)


# ------------------------------------------------------------------ what is linked with what


def keys_of(schema: s.SchemaSnapshot, table: str, column: str) -> list[tuple[str, s.ForeignKey]]:
    """Gives the foreign keys that a column is part of, on either side, each with its table's key."""
    return [
        (each.key, key)
        for each in schema.tables
        for key in each.foreign_keys
        if (each.key == table and column in key.columns) or (key.target == table and column in key.target_columns)
    ]


def linked(schema: s.SchemaSnapshot, table: str, column: str) -> list[str]:
    """Gives the other tables of the foreign keys that a column is part of."""
    found = [(own, key.target) for own, key in keys_of(schema, table, column)]
    return [each for each in dict.fromkeys(name for pair in found for name in pair) if each != table]


def _targets(table: s.Table) -> list[str]:
    return [key for key in dict.fromkeys(key.target for key in table.foreign_keys) if key != table.key]


def unique_keys(table: s.Table) -> list[tuple[str, ...]]:
    """Gives the columns of the primary key, and of each unique constraint."""
    key = [] if table.primary_key is None else [table.primary_key.columns]
    return [*key, *(unique.columns for unique in table.uniques)]


def is_indexed(table: s.Table, column: str) -> bool:
    """Whether an index has a column in its key."""
    return any(column in columns for columns in unique_keys(table)) or any(
        item.column == column or reads(item.expression, frozenset({column}))
        for index in table.indexes
        for item in index.items
    )


def proves_not_null(table: s.Table, column: str) -> bool:
    """Whether a valid check lets PostgreSQL know, without looking at the rows, that a column holds no NULL."""
    return any(check.validated and _says_not_null(check.condition, column) for check in table.checks)


def _says_not_null(condition: s.Sql, column: str) -> bool:
    words = canonical(s.said(condition, "postgresql"))
    name = column if column.islower() else f'"{column}"'
    return words == (name, "is", "not", "null")


def _validated_checks(table: s.Table, column: str) -> bool:
    return any(check.validated and reads(check.condition, frozenset({column})) for check in table.checks)


# ------------------------------------------------------------------ tables and constraints


def _create_table(_: s.SchemaSnapshot, op: o.CreateTable) -> Effects:
    targets = _targets(op.table)
    return _at_once("SHARE ROW EXCLUSIVE", *targets) if targets else ()


def _drop_table(before: s.SchemaSnapshot, op: o.DropTable) -> Effects:
    return _at_once("ACCESS EXCLUSIVE", op.table.key, *_targets(before.table(op.table.key) or op.table))


def _add_constraint(_: s.SchemaSnapshot, op: o.AddConstraint) -> Effects:
    if isinstance(op.constraint, s.ForeignKey):
        target = op.constraint.target
        locks = _on("SHARE ROW EXCLUSIVE", op.table, target)
        return (Effect(locks, (op.table,), looks_in=(target,)) if op.constraint.validated else Effect(locks),)
    if op.concurrently:
        making = Effect(_on("SHARE UPDATE EXCLUSIVE", op.table), (op.table,))
        return (making, Effect(_on("ACCESS EXCLUSIVE", op.table)))
    return (Effect(_on("ACCESS EXCLUSIVE", op.table), (op.table,) if o.is_validated(op.constraint) else ()),)


def _validate(_: s.SchemaSnapshot, op: o.ValidateConstraint) -> Effects:
    own = _on("SHARE UPDATE EXCLUSIVE", op.table)
    if isinstance(op.constraint, s.ForeignKey) and op.constraint.target != op.table:
        target = op.constraint.target
        return (Effect((*own, Lock("ROW SHARE", target)), (op.table,), looks_in=(target,)),)
    return (Effect(own, (op.table,)),)


def _drop_constraint(_: s.SchemaSnapshot, op: o.DropConstraint) -> Effects:
    others = [op.constraint.target] if isinstance(op.constraint, s.ForeignKey) else []
    return _at_once("ACCESS EXCLUSIVE", op.table, *others)


# ------------------------------------------------------------------ columns


def _add_column(_: s.SchemaSnapshot, op: c.AddColumn) -> Effects:
    column = op.column
    value = column.default if column.default is not None else column.fill
    each = column.identity is not None or column.computed is not None or (value is not None and is_volatile(value))
    if each:
        return (Effect(_on("ACCESS EXCLUSIVE", op.table), rewrites=(op.table,)),)
    # without a value for the rows that are there, they are looked at: there must be none
    scans = (op.table,) if value is None and not column.nullable else ()
    return (Effect(_on("ACCESS EXCLUSIVE", op.table), scans),)


def _drop_column(before: s.SchemaSnapshot, op: c.DropColumn) -> Effects:
    return _at_once("ACCESS EXCLUSIVE", op.table, *linked(before, op.table, op.column.name))


def _alter_column(before: s.SchemaSnapshot, op: c.AlterColumn) -> Effects:
    table = before.table(op.table) or s.Table(op.table, (op.before,))
    if only_comments(op):
        return _at_once("SHARE UPDATE EXCLUSIVE", op.table) if op.before.comment != op.after.comment else ()
    if op.begins_to_compute:
        return (Effect(_on("ACCESS EXCLUSIVE", op.table), rewrites=(op.table,)),)
    made = [Effect(_on("ROW EXCLUSIVE", op.table), (op.table,))] if fills(op) else []
    if op.retyped:
        return (*made, _retyped(before, table, op))
    scans = () if not _looks_for_null(table, op) else (op.table,)
    made.append(Effect(_on("ACCESS EXCLUSIVE", op.table), scans))
    if _begins_to_number(op) and not _is_first_of_an_index(table, op.after.name):
        made.append(Effect(_on("ACCESS SHARE", op.table), (op.table,)))
    return tuple(made)


def only_comments(op: c.AlterColumn) -> bool:
    """Whether nothing of a column changes but its comment."""
    parts = ("type", "nullable", "default", "identity", "computed", "collation")
    return all(getattr(op.before, part) == getattr(op.after, part) for part in parts)


def fills(op: c.AlterColumn) -> bool:
    """Whether rows from before are given a value by an UPDATE of its own."""
    return becomes_required(op) and op.after.fill is not None and not op.retyped


def becomes_required(op: c.AlterColumn) -> bool:
    """Whether a column may be NULL no more."""
    return op.before.nullable and not op.after.nullable


def rewrites(op: c.AlterColumn) -> bool:
    """Whether a change of type writes all rows anew."""
    if not op.retyped:
        return False
    by_value = op.using is not None or (becomes_required(op) and op.after.fill is not None)
    return by_value or not keeps_bytes(op.before.type, op.after.type)


def _retyped(before: s.SchemaSnapshot, table: s.Table, op: c.AlterColumn) -> Effect:
    name = op.after.name
    locks = _on("ACCESS EXCLUSIVE", op.table, *linked(before, table.key, name))
    if rewrites(op):
        same = types.base(op.before.type) == types.base(op.after.type)
        # keys between other types are looked at anew
        again = [] if same else [pair for pair in keys_of(before, table.key, name) if pair[1].validated]
        scans = _others(table, (own for own, _ in again))
        return Effect(locks, scans, (op.table,), _others(table, (key.target for _, key in again)))
    recollated = op.before.collation != op.after.collation and is_indexed(table, name)
    looked_at = _validated_checks(table, name) or recollated or _looks_for_null(table, op)
    return Effect(locks, (op.table,) if looked_at else ())


def _swap(before: s.SchemaSnapshot, op: w.SwapColumn) -> Effects:
    table, name = before.table(op.table), w.shadow_of(op.after).name
    shown = op.after.nullable or (table is not None and proves_not_null(table, name))
    return (Effect(_on("ACCESS EXCLUSIVE", op.table), () if shown else (op.table,)),)


def _others(table: s.Table, keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(key for key in dict.fromkeys(keys) if key != table.key)


def _looks_for_null(table: s.Table, op: c.AlterColumn) -> bool:
    return becomes_required(op) and not proves_not_null(table, op.after.name)


def _begins_to_number(op: c.AlterColumn) -> bool:
    before, after = op.before.identity, op.after.identity
    return after is not None and after != before and (before, after) != ("by default", "serial")


def _is_first_of_an_index(table: s.Table, column: str) -> bool:
    firsts = [columns[0] for columns in unique_keys(table)]
    return column in firsts or any(index.items[0].column == column and index.where is None for index in table.indexes)


# ------------------------------------------------------------------ indexes and enum types


def _create_index(_: s.SchemaSnapshot, op: i.CreateIndex | i.CreateSearchIndex) -> Effects:
    mode: LockMode = "SHARE UPDATE EXCLUSIVE" if op.concurrently else "SHARE"
    return (Effect(_on(mode, op.table), (op.table,)),)


def _drop_index(_: s.SchemaSnapshot, op: i.DropIndex | i.DropSearchIndex) -> Effects:
    return _at_once("SHARE UPDATE EXCLUSIVE" if op.concurrently else "ACCESS EXCLUSIVE", op.table)


def _rename_index(_: s.SchemaSnapshot, op: i.RenameIndex) -> Effects:
    return _at_once("SHARE UPDATE EXCLUSIVE", beside(op.table, op.index.name))


def _alter_enum(before: s.SchemaSnapshot, op: i.AlterEnum) -> Effects:
    if not op.swaps:
        return ()
    written = tuple(dict.fromkeys(table for table, _ in op.uses))
    others = [each for table, column in op.uses for each in linked(before, table, column.name)]
    over = [table for table, _ in op.over]
    scans = tuple(dict.fromkeys(table for table in (*others, *over) if table not in written))
    return (Effect(_on("ACCESS EXCLUSIVE", *written, *others, *over), scans, written),)


def _whole(mode: LockMode) -> Callable[[s.SchemaSnapshot, Any], Effects]:
    return lambda _, op: _at_once(mode, op.touched)


_EFFECTS: dict[type[o.Operation], Callable[[s.SchemaSnapshot, Any], Effects]] = {
    o.CreateTable: _create_table,
    o.DropTable: _drop_table,
    o.RenameTable: _whole("ACCESS EXCLUSIVE"),
    o.CommentTable: _whole("SHARE UPDATE EXCLUSIVE"),
    o.AddConstraint: _add_constraint,
    o.ValidateConstraint: _validate,
    o.DropConstraint: _drop_constraint,
    o.RenameConstraint: _whole("ACCESS EXCLUSIVE"),
    c.AddColumn: _add_column,
    c.DropColumn: _drop_column,
    c.AlterColumn: _alter_column,
    c.RenameColumn: _whole("ACCESS EXCLUSIVE"),
    w.ShadowColumn: _whole("ACCESS EXCLUSIVE"),
    w.UnshadowColumn: _whole("ACCESS EXCLUSIVE"),
    w.SwapColumn: _swap,
    w.UnswapColumn: lambda _, op: (Effect(_on("ACCESS EXCLUSIVE", op.table), rewrites=(op.table,)),),
    i.CreateIndex: _create_index,
    i.DropIndex: _drop_index,
    i.RenameIndex: _rename_index,
    i.CreateSearchIndex: _create_index,
    i.DropSearchIndex: _drop_index,
    i.AlterEnum: _alter_enum,
}
