"""Another type for a column by a second one, which is made and filled while others work, and then takes its place.

Keys and indexes over the second column are made before, while others write; foreign keys and checks are dropped in the
transaction in which it takes the place, hold for new rows at once, and are validated afterwards.
"""

from __future__ import annotations

from dataclasses import replace

from cormorant.migrations.safety.effects import keys_of
from cormorant.migrations.safety.validating import in_two, named, not_null, quoted_name
from cormorant.migrations.step import Backfill, Step
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import shadow_operations as w
from cormorant.schema import snapshot as s
from cormorant.schema.table_diff import reads


def may_have_a_second(table: s.Table, op: c.AlterColumn) -> bool:
    """Whether a column can be replaced by another one.

    Args:
        table: Its table.
        op: What becomes of it.
    """
    names = frozenset({op.after.name})
    expressions = [column.computed for column in table.columns if column.computed is not None]
    for index in table.indexes:
        expressions += [x for x in (index.where, *(item.expression for item in index.items)) if x is not None]
    before, after = op.before, op.after
    return (
        before.computed is None
        and after.computed is None
        and (before.identity is None) == (after.identity is None)
        and table.primary_key is not None
        and not table.partitioned
        and table.column(w.shadow_of(after).name) is None
        and not any(after.name in search.columns for search in table.searches)
        and not any(reads(sql, names) for sql in expressions)
    )


def by_second_column(schema: s.SchemaSnapshot, table: s.Table, op: c.AlterColumn) -> list[Step]:
    """Gives the steps.

    Args:
        schema: The schema before them.
        table: The column's table.
        op: What becomes of it.
    """
    away, back = _around(schema, table, op.after.name)
    indexes = tuple(index for index in table.indexes if _is_over(index, op.after.name))
    keys = _keys(table, op.after.name)
    given = _given(table, op.after)
    made = _filled(op)
    for index in (*(w.index_of(key) for key in keys), *indexes):
        made.append(i.CreateIndex(op.table, w.shadow_index(index, op.after), concurrently=True))
    made += [] if given is None else in_two(op.table, given)
    return [*made, *away, w.SwapColumn(op.table, op.before, op.after, op.using, indexes, given, keys), *back]


def _filled(op: c.AlterColumn) -> list[Step]:
    shadow, column = w.ShadowColumn(op.table, op.before, op.after, op.using), w.shadow_of(op.after)
    where = None
    if op.using is None and op.after.fill is None:
        where = f"{quoted_name(column.name)} IS NULL AND {quoted_name(op.before.name)} IS NOT NULL"
    return [shadow, Backfill(op.table, ((column.name, shadow.value),), where=where)]


def _given(table: s.Table, after: s.Column) -> s.Check | None:
    if after.nullable:
        return None
    check = not_null(table, w.shadow_of(after).name)
    # SQLite keeps no second column in step: it makes the values when it copies the table
    shown = (("postgresql", s.said(check.condition, "postgresql")), ("sqlite", "1 = 1"))
    return replace(check, condition=s.ByDialect(shown))


def _is_over(index: s.Index, column: str) -> bool:
    return column in index.include or any(item.column == column for item in index.items)


def _keys(table: s.Table, column: str) -> tuple[s.PrimaryKey | s.Unique, ...]:
    found: list[s.PrimaryKey | s.Unique] = [] if table.primary_key is None else [table.primary_key]
    found += table.uniques
    over = [key for key in found if column in key.columns]
    return tuple(replace(key, name=key.name or o.default_name(table.key, key)) for key in over)


def _around(schema: s.SchemaSnapshot, table: s.Table, column: str) -> tuple[list[Step], list[Step]]:
    """Gives what is dropped before the second column takes the place, and how it comes back."""
    held: list[tuple[str, s.Check | s.ForeignKey]] = [
        (own, named(own, key)) for own, key in keys_of(schema, table.key, column)
    ]
    held += [(table.key, check) for check in table.checks if reads(check.condition, frozenset({column}))]
    added = [o.AddConstraint(own, replace(each, validated=False)) for own, each in held]
    validated = [in_two(own, each)[1] for own, each in held if each.validated]
    return [o.DropConstraint(own, each) for own, each in held], [*added, *validated]
