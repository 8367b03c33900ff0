"""What steps change and what they stand on, so that one can tell which of them may change places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cormorant.migrations.step import Backfill, RunSession, RunSQL, Step
from cormorant.schema import column_operations as c
from cormorant.schema import column_types as types
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.operations import Operation
from cormorant.schema.words import tokens, unquoted

WHOLE = ""
"""Stands for all that belongs to a table, and for whether it is there."""

Part = tuple[str, str]
"""A table's key, and what of it: WHOLE, a column, "constraint uq_essay_title"; types are "type mood"."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What steps change, and what they need as it is.

    Args:
        writes: What they change.
        reads: What they stand on.
        anything: They may change whatever there is.
    """

    writes: frozenset[Part] = field(default=frozenset())
    reads: frozenset[Part] = field(default=frozenset())
    anything: bool = False

    def __or__(self, other: Footprint) -> Footprint:
        return Footprint(self.writes | other.writes, self.reads | other.reads, self.anything or other.anything)

    def clashes(self, other: Footprint) -> list[str]:
        """Gives what both are about so that they must not change places: "essay", "essay.stars"."""
        found = _common(self.writes, other.writes | other.reads) | _common(other.writes, self.reads)
        return sorted(found)


def _common(writes: Iterable[Part], others: Iterable[Part]) -> set[str]:
    by_table: dict[str, set[str]] = {}
    for table, part in others:
        by_table.setdefault(table, set()).add(part)
    found: set[str] = set()
    for table, part in writes:
        there = by_table.get(table, set())
        if part in there or (there and WHOLE in (part, *there)):
            found.add(f"{table}.{part}" if part in there and part != WHOLE else table)
    return found


def footprint(steps: Iterable[Step]) -> Footprint:
    """Gives what steps change and need, all together."""
    whole = Footprint()
    for step in steps:
        whole |= _of(step)
    return whole


def _of(step: Step) -> Footprint:
    match step:
        case RunSQL() | RunSession():
            state = footprint(step.state) if isinstance(step, RunSQL) else Footprint()
            named = frozenset((table, WHOLE) for table in step.tables or ())
            return state | Footprint(named, anything=step.tables is None)
        case Backfill(table=table, values=values):
            sql = [step.where, *(each for _, each in values)]
            return Footprint(_columns(table, [name for name, _ in values]), _read(table, *sql))
        case _:
            return _of_operation(step)


def _of_operation(operation: Operation) -> Footprint:
    for kinds, find in _KINDS:
        if isinstance(operation, kinds):
            return find(operation)
    return Footprint(frozenset({(operation.touched, WHOLE)}))


def _columns(table: str, names: Iterable[str]) -> frozenset[Part]:
    return frozenset((table, name.lower()) for name in names)


def _read(table: str, *expressions: s.Sql | None) -> frozenset[Part]:
    """Gives the words of expressions as columns; those that are none do no harm."""
    texts: list[str] = []
    for sql in expressions:
        texts += [] if sql is None else [sql] if isinstance(sql, str) else [text for _, text in sql.texts]
    words = (unquoted(word) for text in texts for kind, word in tokens(text) if kind in ("word", "quoted"))
    return _columns(table, words)


def _types(columns: Iterable[s.Column]) -> frozenset[Part]:
    names = (types.enum_of(column.type) for column in columns)
    return frozenset((f"type {name}", WHOLE) for name in names if name is not None)


# ------------------------------------------------------------------ by kinds of operations


def _table(operation: o.CreateTable | o.DropTable) -> Footprint:
    table = operation.table
    reads = _types(table.columns)
    for key in table.foreign_keys:
        reads |= _columns(key.target, key.target_columns) | {(key.target, "primary key")}
    return Footprint(frozenset({(table.key, WHOLE)}), reads)


def _renamed_table(operation: o.RenameTable) -> Footprint:
    return Footprint(frozenset({(operation.old, WHOLE), (operation.new, WHOLE)}))


def _constraint(
    operation: o.AddConstraint | o.DropConstraint | o.ValidateConstraint | o.UnvalidateConstraint,
) -> Footprint:
    table, constraint = operation.table, operation.constraint
    if isinstance(constraint, s.Check):
        return Footprint(frozenset({(table, f"constraint {constraint.name}")}), _read(table, constraint.condition))
    reads = _columns(table, constraint.columns)
    if isinstance(constraint, s.PrimaryKey):
        return Footprint(frozenset({(table, "primary key")}), reads)
    if isinstance(constraint, s.ForeignKey):
        reads |= _columns(constraint.target, constraint.target_columns) | {(constraint.target, "primary key")}
    name = constraint.name or o.default_name(table, constraint)
    return Footprint(frozenset({(table, f"constraint {name}")}), reads)


def _renamed_constraint(operation: o.RenameConstraint) -> Footprint:
    return Footprint(frozenset((operation.table, f"constraint {name}") for name in (operation.old, operation.new)))


def _comment(operation: o.CommentTable) -> Footprint:
    return Footprint(frozenset({(operation.table, "comment")}))


def _column(operation: c.AddColumn | c.DropColumn) -> Footprint:
    reads = _types([operation.column]) | _read(operation.table, operation.column.computed)
    return Footprint(_columns(operation.table, [operation.column.name]), reads)


def _altered_column(operation: c.AlterColumn) -> Footprint:
    reads = _types([operation.before, operation.after])
    reads |= _read(operation.table, operation.after.computed, operation.using)
    return Footprint(_columns(operation.table, [operation.after.name]), reads)


def _renamed_column(operation: c.RenameColumn) -> Footprint:
    return Footprint(_columns(operation.table, [operation.old, operation.new]))


def _index(operation: i.CreateIndex | i.DropIndex | i.RenameIndex) -> Footprint:
    table, index = operation.table, operation.index
    names = [item.column for item in index.items if item.column is not None]
    expressions = [index.where, *(item.expression for item in index.items)]
    reads = _columns(table, [*names, *index.include]) | _read(table, *expressions)
    new = {operation.new} if isinstance(operation, i.RenameIndex) else set[str]()
    return Footprint(frozenset((table, f"index {name}") for name in {index.name, *new}), reads)


def _search(operation: i.CreateSearchIndex | i.DropSearchIndex) -> Footprint:
    table, search = operation.table, operation.search
    return Footprint(frozenset({(table, f"index {search.name}")}), _columns(table, search.columns))


def _enum(operation: i.CreateEnum | i.DropEnum) -> Footprint:
    return Footprint(frozenset({(f"type {operation.enum.name}", WHOLE)}))


def _altered_enum(operation: i.AlterEnum) -> Footprint:
    used = frozenset((table, column.name.lower()) for table, column in operation.uses)
    name = frozenset({(f"type {operation.after.name}", WHOLE)})
    return Footprint(name | used) if operation.swaps else Footprint(name, used)


_KINDS: tuple[tuple[tuple[type[Operation], ...], Callable[[Any], Footprint]], ...] = (
    ((o.CreateTable, o.DropTable), _table),
    ((o.RenameTable,), _renamed_table),
    ((o.AddConstraint, o.DropConstraint, o.ValidateConstraint, o.UnvalidateConstraint), _constraint),
    ((o.RenameConstraint,), _renamed_constraint),
    ((o.CommentTable,), _comment),
    ((c.AddColumn, c.DropColumn), _column),
    ((c.AlterColumn,), _altered_column),
    ((c.RenameColumn,), _renamed_column),
    ((i.CreateIndex, i.DropIndex, i.RenameIndex), _index),
    ((i.CreateSearchIndex, i.DropSearchIndex), _search),
    ((i.CreateEnum, i.DropEnum), _enum),
    ((i.AlterEnum,), _altered_enum),
)
