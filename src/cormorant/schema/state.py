"""What a schema is after an operation, without a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from cormorant.errors import ModelError
from cormorant.schema import column_operations as c
from cormorant.schema import column_types as types
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import shadow_operations as w
from cormorant.schema import snapshot as s
from cormorant.schema.matching import Named, same_sql
from cormorant.schema.names import name_of, split
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.words import renamed

T = TypeVar("T")
N = TypeVar("N", bound=Named)


def apply(snapshot: s.SchemaSnapshot, *operations: o.Operation) -> s.SchemaSnapshot:
    """Gives the schema after operations.

    Raises:
        ModelError: One is about a table, or an enum type, that is not there.
    """
    return reduce(lambda state, operation: _APPLY[type(operation)](state, operation), operations, snapshot)


def changed_table(snapshot: s.SchemaSnapshot, key: str, change: Callable[[s.Table], s.Table]) -> s.SchemaSnapshot:
    """Gives a schema with one table changed."""
    if snapshot.table(key) is None:
        raise ModelError(f"the schema has no table {key!r}", hint="run the operations in their order, from the start")
    return replace(snapshot, tables=tuple(change(t) if t.key == key else t for t in snapshot.tables))


def _create_table(state: s.SchemaSnapshot, op: o.CreateTable) -> s.SchemaSnapshot:
    if state.table(op.table.key) is not None:
        raise ModelError(f"the schema has a table {op.table.key!r} already", hint="drop or rename it first")
    return replace(state, tables=(*state.tables, op.table))


def _drop_table(state: s.SchemaSnapshot, op: o.DropTable) -> s.SchemaSnapshot:
    changed_table(state, op.table.key, lambda table: table)
    return replace(state, tables=tuple(table for table in state.tables if table.key != op.table.key))


def _rename_table(state: s.SchemaSnapshot, op: o.RenameTable) -> s.SchemaSnapshot:
    schema, name = split(op.new)

    def change(table: s.Table) -> s.Table:
        key = table.primary_key
        if key is not None and not key.name:
            # PostgreSQL has named it after the table, and goes on calling it so
            key = replace(key, name=o.default_name(op.old, key))
        return replace(table, name=name, schema=schema, primary_key=key, renamed_from=None)

    changed = changed_table(state, op.old, change)

    def follow(table: s.Table) -> s.Table:
        keys = tuple(replace(k, target=op.new) if k.target == op.old else k for k in table.foreign_keys)
        return replace(table, foreign_keys=keys)

    return replace(changed, tables=tuple(map(follow, changed.tables)))


def _comment(state: s.SchemaSnapshot, op: o.CommentTable) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: replace(table, comment=op.after))


# ------------------------------------------------------------------ columns


def _add_column(state: s.SchemaSnapshot, op: c.AddColumn) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: replace(table, columns=(*table.columns, op.column)))


def _drop_column(state: s.SchemaSnapshot, op: c.DropColumn) -> s.SchemaSnapshot:
    def change(table: s.Table) -> s.Table:
        return replace(table, columns=tuple(column for column in table.columns if column.name != op.column.name))

    return changed_table(state, op.table, change)


def _alter_column(state: s.SchemaSnapshot, op: c.AlterColumn) -> s.SchemaSnapshot:
    def change(table: s.Table) -> s.Table:
        return replace(table, columns=tuple(op.after if x.name == op.after.name else x for x in table.columns))

    return changed_table(state, op.table, change)


def _rename_column(state: s.SchemaSnapshot, op: c.RenameColumn) -> s.SchemaSnapshot:
    changed = changed_table(state, op.table, lambda table: with_renamed(table, {op.old: op.new}))

    def follow(table: s.Table) -> s.Table:
        keys = tuple(
            replace(k, target_columns=_all({op.old: op.new}, k.target_columns)) if k.target == op.table else k
            for k in table.foreign_keys
        )
        return replace(table, foreign_keys=keys)

    return replace(changed, tables=tuple(map(follow, changed.tables)))


def _all(names: Mapping[str, str], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(names.get(column, column) for column in columns)


def in_words(sql: s.Sql, change: Callable[[str], str]) -> s.Sql:
    """Gives an expression with each of its texts changed."""
    if isinstance(sql, str):
        return change(sql)
    return s.ByDialect(tuple((dialect, change(text)) for dialect, text in sql.texts))


def with_renamed(table: s.Table, names: Mapping[str, str]) -> s.Table:
    """Gives a table whose columns have other names, in all that it says of them; constraints keep theirs."""

    def words(sql: s.Sql | None) -> s.Sql | None:
        return None if sql is None else in_words(sql, lambda text: renamed(text, names))

    def item(each: s.IndexItem) -> s.IndexItem:
        column = None if each.column is None else names.get(each.column, each.column)
        return replace(each, column=column, expression=words(each.expression))

    def index(each: s.Index) -> s.Index:
        items = tuple(map(item, each.items))
        return replace(each, items=items, where=words(each.where), include=_all(names, each.include))

    key = table.primary_key
    return replace(
        table,
        columns=tuple(replace(x, name=names.get(x.name, x.name), computed=words(x.computed)) for x in table.columns),
        primary_key=None if key is None else replace(key, columns=_all(names, key.columns)),
        foreign_keys=tuple(replace(k, columns=_all(names, k.columns)) for k in table.foreign_keys),
        uniques=tuple(replace(u, columns=_all(names, u.columns)) for u in table.uniques),
        checks=tuple(replace(x, condition=words(x.condition) or "") for x in table.checks),
        indexes=tuple(map(index, table.indexes)),
        searches=tuple(replace(x, columns=_all(names, x.columns), key=names.get(x.key, x.key)) for x in table.searches),
    )


# ------------------------------------------------------------------ constraints and indexes


def _without(items: tuple[T, ...], gone: object) -> tuple[T, ...]:
    return tuple(item for item in items if item != gone)


def _add_constraint(state: s.SchemaSnapshot, op: o.AddConstraint) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: _constrained(table, op.constraint, there=True))


def _drop_constraint(state: s.SchemaSnapshot, op: o.DropConstraint) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: _constrained(table, op.constraint, there=False))


def _constrained(table: s.Table, constraint: s.Constraint, *, there: bool) -> s.Table:
    if isinstance(constraint, s.PrimaryKey):
        return replace(table, primary_key=constraint if there else None)
    if isinstance(constraint, s.ForeignKey):
        return replace(table, foreign_keys=_with(table.foreign_keys, constraint, there=there))
    if isinstance(constraint, s.Unique):
        return replace(table, uniques=_with(table.uniques, constraint, there=there))
    return replace(table, checks=_with(table.checks, constraint, there=there))


def _with(items: tuple[N, ...], item: N, *, there: bool) -> tuple[N, ...]:
    if there:
        return (*items, item)
    # a database may say it in other words; its name is the same, and on SQLite perhaps that of another one too
    named = [each for each in items if item.name and each.name == item.name]
    gone = named if len(named) == 1 else [each for each in named or items if _alike(each, item)]
    return tuple(each for each in items if each not in gone)


def _alike(one: Named, other: Named) -> bool:
    if isinstance(one, s.ForeignKey) and isinstance(other, s.ForeignKey):
        return (one.columns, one.target) == (other.columns, other.target)
    if isinstance(one, s.Check) and isinstance(other, s.Check):
        return same_sql(one.condition, other.condition)
    return isinstance(one, s.Unique) and isinstance(other, s.Unique) and one.columns == other.columns


def _validated(state: s.SchemaSnapshot, op: o.ValidateConstraint, there: bool = True) -> s.SchemaSnapshot:
    def mark(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(x, validated=there) if x.name == op.constraint.name else x for x in items)

    def change(table: s.Table) -> s.Table:
        if isinstance(op.constraint, s.Check):
            return replace(table, checks=mark(table.checks))
        return replace(table, foreign_keys=mark(table.foreign_keys))

    return changed_table(state, op.table, change)


def _rename_constraint(state: s.SchemaSnapshot, op: o.RenameConstraint) -> s.SchemaSnapshot:
    def named(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(item, name=op.new) if item.name == op.old else item for item in items)

    def change(table: s.Table) -> s.Table:
        keys, key = named(table.foreign_keys), table.primary_key
        if key is not None and key.name == op.old:
            key = replace(key, name=op.new)
        parts = replace(table, uniques=named(table.uniques), checks=named(table.checks))
        return replace(parts, foreign_keys=keys, primary_key=key)

    return changed_table(state, op.table, change)


def _create_index(state: s.SchemaSnapshot, op: i.CreateIndex) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: replace(table, indexes=(*table.indexes, op.index)))


def _drop_index(state: s.SchemaSnapshot, op: i.DropIndex) -> s.SchemaSnapshot:
    def change(table: s.Table) -> s.Table:
        return replace(table, indexes=tuple(x for x in table.indexes if x.name != op.index.name))

    return changed_table(state, op.table, change)


def _rename_index(state: s.SchemaSnapshot, op: i.RenameIndex) -> s.SchemaSnapshot:
    def change(table: s.Table) -> s.Table:
        named = (replace(x, name=op.new) if x.name == op.index.name else x for x in table.indexes)
        return replace(table, indexes=tuple(named))

    return changed_table(state, op.table, change)


def _create_search(state: s.SchemaSnapshot, op: i.CreateSearchIndex) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: replace(table, searches=(*table.searches, op.search)))


def _drop_search(state: s.SchemaSnapshot, op: i.DropSearchIndex) -> s.SchemaSnapshot:
    return changed_table(state, op.table, lambda table: replace(table, searches=_without(table.searches, op.search)))


# ------------------------------------------------------------------ enum types


def _alter_enum(state: s.SchemaSnapshot, op: i.AlterEnum) -> s.SchemaSnapshot:
    return replace(state, enums=tuple(op.after if enum.key == op.before.key else enum for enum in state.enums))


def _rename_enum(state: s.SchemaSnapshot, op: i.RenameEnum) -> s.SchemaSnapshot:
    schema, name = split(op.new)
    enums = tuple(replace(e, name=name, schema=schema) if e.key == op.old else e for e in state.enums)
    old = name_of(op.old)

    def typed(column: s.Column) -> s.Column:
        if types.enum_of(column.type) != old:
            return column
        each = "[]" if column.type.endswith("[]") else ""
        return replace(column, type=types.enum_type(name) + each)

    tables = tuple(replace(table, columns=tuple(map(typed, table.columns))) for table in state.tables)
    return replace(state, enums=enums, tables=tables)


# ------------------------------------------------------------------ columns that take the place of others


def _shadow(state: s.SchemaSnapshot, op: w.ShadowColumn) -> s.SchemaSnapshot:
    return _add_column(state, c.AddColumn(op.table, w.shadow_of(op.after)))


def _unshadow(state: s.SchemaSnapshot, op: w.UnshadowColumn) -> s.SchemaSnapshot:
    return _drop_column(state, c.DropColumn(op.table, w.shadow_of(op.after)))


def _swap(state: s.SchemaSnapshot, op: w.SwapColumn) -> s.SchemaSnapshot:
    gone = {w.shadow_index(index, op.after).name for index in (*map(w.index_of, op.keys), *op.indexes)}
    shadow = w.shadow_of(op.after).name

    def change(table: s.Table) -> s.Table:
        columns = (op.after if x.name == op.before.name else x for x in table.columns if x.name != shadow)
        indexes = tuple(index for index in table.indexes if index.name not in gone)
        checks = tuple(check for check in table.checks if op.given is None or check.name != op.given.name)
        return replace(table, columns=tuple(columns), indexes=indexes, checks=checks)

    return changed_table(state, op.table, change)


def _unswap(state: s.SchemaSnapshot, op: w.UnswapColumn) -> s.SchemaSnapshot:
    given = () if op.given is None else (op.given,)

    def change(table: s.Table) -> s.Table:
        columns = (op.before if x.name == op.after.name else x for x in table.columns)
        indexes = (w.shadow_index(index, op.after) for index in (*map(w.index_of, op.keys), *op.indexes))
        return replace(
            table,
            columns=(*columns, w.shadow_of(op.after)),
            indexes=(*table.indexes, *indexes),
            checks=(*table.checks, *given),
        )

    return changed_table(state, op.table, change)


_APPLY: dict[type[o.Operation], Callable[[s.SchemaSnapshot, Any], s.SchemaSnapshot]] = {
    o.CreateSchema: lambda state, op: replace(state, schemas=(*state.schemas, op.name)),
    o.DropSchema: lambda state, op: replace(state, schemas=_without(state.schemas, op.name)),
    o.CreateTable: _create_table,
    o.DropTable: _drop_table,
    o.RenameTable: _rename_table,
    o.CommentTable: _comment,
    o.AddConstraint: _add_constraint,
    o.DropConstraint: _drop_constraint,
    o.ValidateConstraint: _validated,
    o.UnvalidateConstraint: lambda state, op: _validated(state, op, there=False),
    o.RenameConstraint: _rename_constraint,
    c.AddColumn: _add_column,
    c.DropColumn: _drop_column,
    c.AlterColumn: _alter_column,
    c.RenameColumn: _rename_column,
    i.CreateIndex: _create_index,
    i.DropIndex: _drop_index,
    i.RenameIndex: _rename_index,
    i.CreateSearchIndex: _create_search,
    i.DropSearchIndex: _drop_search,
    i.CreateEnum: lambda state, op: replace(state, enums=(*state.enums, op.enum)),
    i.DropEnum: lambda state, op: replace(state, enums=tuple(e for e in state.enums if e.key != op.enum.key)),
    i.AlterEnum: _alter_enum,
    i.RenameEnum: _rename_enum,
    w.ShadowColumn: _shadow,
    w.UnshadowColumn: _unshadow,
    w.SwapColumn: _swap,
    w.UnswapColumn: _unswap,
    RebuildTable: lambda state, op: changed_table(state, op.before.key, lambda _: op.after),
}
