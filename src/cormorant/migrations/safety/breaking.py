"""What a step breaks for a release that was written for the schema before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cormorant.migrations.safety.compatibility import compatibility
from cormorant.migrations.safety.findings import Finding, Rule
from cormorant.migrations.safety.walking import Walk
from cormorant.migrations.step import Backfill, RunSQL, Step
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.state import apply

# whoever adds a constraint knows that it refuses something
_MEANT: frozenset[Rule] = frozenset(
    {"new-check", "new-unique", "new-foreign-key", "enum-value-new", "nullable", "unique-gone"}
)


def breaks(step: Step, walk: Walk) -> Iterator[Finding]:
    """Gives what a step breaks for whoever uses the tables as they are before it.

    Nobody knows here what is still used, so that all of it is a warning.

    Args:
        step: The step.
        walk: Where it is.
    """
    changes = (step,) if isinstance(step, o.Operation) else step.state if isinstance(step, RunSQL) else ()
    after = apply(walk.state, *changes)
    # a step leaves nearly all tables as they are
    same = {id(table) for table in after.tables}
    changed = (table for table in walk.state.tables if id(table) not in same and not walk.is_new(table.key))
    before = replace(walk.state, tables=tuple(changed))
    for finding in compatibility(_but_columns(before, changes), told(after, changes)):
        if finding.rule not in _MEANT:
            yield replace(finding, level="warning", operation=step.describe())


def _but_columns(before: s.SchemaSnapshot, changes: tuple[o.Operation, ...]) -> s.SchemaSnapshot:
    """Leaves tables out where a type gets another name: their columns keep the values that they have."""
    renames = any(isinstance(change, i.RenameEnum) for change in changes)
    return replace(before, tables=()) if renames else before


def told(after: s.SchemaSnapshot, changes: Iterable[Step]) -> s.SchemaSnapshot:
    """Gives a schema that knows what its tables and columns were called before some steps."""
    for change in changes:
        if isinstance(change, o.RenameTable):
            tables = (replace(t, renamed_from=change.old) if t.key == change.new else t for t in after.tables)
            after = replace(after, tables=tuple(tables))
        elif isinstance(change, c.RenameColumn):
            tables = (_column_told(t, change) if t.key == change.table else t for t in after.tables)
            after = replace(after, tables=tuple(tables))
    return after


def _column_told(table: s.Table, change: c.RenameColumn) -> s.Table:
    columns = (replace(x, renamed_from=change.old) if x.name == change.new else x for x in table.columns)
    return replace(table, columns=tuple(columns))


# ------------------------------------------------------------------ what the rows may refuse


def refused(step: Step, walk: Walk) -> Iterator[Finding]:
    """Gives what the database refuses if the rows are such.

    Args:
        step: The step.
        walk: Where it is.
    """
    if isinstance(step, Backfill):
        yield from _without_key(step, walk)
    if not isinstance(step, o.Operation) or walk.is_new(step.touched) or walk.is_empty(step.touched):
        return
    if wants_no_rows(step):
        why = "the database refuses it if the table has rows: nothing says what they get"
        yield _finding(step, "no-value", why, "give it a default, or field(default=...) for the rows that are there")
    if isinstance(step, i.AlterEnum) and (gone := [x for x in step.before.labels if x not in step.after.labels]):
        why = f"the database refuses it if a row has {' or '.join(gone)}"
        yield _finding(step, "enum-value-in-use", why, "correct these rows first, with a Backfill")


def _without_key(step: Backfill, walk: Walk) -> Iterator[Finding]:
    if step.values and not step.key and walk.table(step.table).primary_key is None:
        why = f"nothing tells the rows of {step.table} apart: it has no primary key"
        yield _finding(step, "no-key", why, "name columns that do: Backfill(..., key=('id',))")


def wants_no_rows(step: Step) -> bool:
    """Whether a step adds a column that may not be NULL, and says of no value for the rows that are there."""
    if not isinstance(step, c.AddColumn):
        return False
    column = step.column
    values = (column.default, column.fill, column.identity, column.computed)
    return not column.nullable and all(value is None for value in values)


def _finding(step: Step, rule: Rule, why: str, advice: str) -> Finding:
    return Finding("error", rule, step.describe(), why, advice=advice)
