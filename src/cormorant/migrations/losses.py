"""What operations would take from a database for ever."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from cormorant.dialects.base import Dialect
from cormorant.errors import Loss
from cormorant.migrations.step import Step
from cormorant.schema import column_operations as c
from cormorant.schema import column_types as types
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.names import quoted


def losses_of(operations: Iterable[Step]) -> list[Loss]:
    """Gives the tables, columns and digits that would be lost."""
    found: list[Loss] = []
    for operation in operations:
        match operation:
            case o.DropTable(table=table):
                found.append(Loss(table.key))
            case c.DropColumn(table=key, column=column) if column.computed is None:
                found.append(Loss(key, column.name))
            case c.AlterColumn(table=key, before=before) if operation.begins_to_compute:
                found.append(Loss(key, before.name))
            case c.AlterColumn(table=key, before=before, after=after, using=None) if narrows(before.type, after.type):
                found.append(Loss(key, after.name, narrowed=f"{before.type} to {after.type}"))
            case _:
                pass
    return found


def count_sql(loss: Loss, dialect: Dialect) -> str:
    """Gives the query that counts what would be lost: rows of a table, values of a column."""
    what = "*" if loss.column is None else dialect.quote(loss.column)
    return f"SELECT count({what}) FROM {quoted(dialect, loss.table)}"


def retire_hint(loss: Loss, operations: Iterable[Step] = ()) -> str:
    """Gives what to say so that something may go: in its model, unless that has a column of the same name."""
    again = (step for step in operations if isinstance(step, c.AddColumn))
    if any((step.table, step.column.name) == (loss.table, loss.column) for step in again):
        return f'{loss.name} is computed then; if its values may go, say --drop {loss.name}, retired=["{loss.name}"]'
    if loss.narrowed is not None:
        return f"if {loss.name} may lose digits, say how: AlterColumn(..., using=...)"
    if loss.column is None:
        return f'import the models of {loss.table}, or say class ...(Model, table="{loss.table}", retired=True)'
    said = f"{loss.column} = retired()" if loss.column.isidentifier() else f'... = retired(column="{loss.column}")'
    return f"say {said} in the model of {loss.table}"


_ZEROS = {
    "text": "''",
    "varchar": "''",
    "smallint": "0",
    "integer": "0",
    "bigint": "0",
    "numeric": "0",
    "double precision": "0",
    "real": "0",
    "boolean": "false",
    "jsonb": "'{}'",
}


def fill_back(column: s.Column) -> s.Column:
    """Gives a column that goes with what rows get in it if it is brought back; its values are lost then anyway."""
    zero = _ZEROS.get(types.base(column.type))
    given = column.nullable or column.fill is not None or column.default is not None
    if zero is None or given or column.computed is not None or column.identity is not None:
        return replace(column, renamed_from=None)
    return replace(column, fill=zero, renamed_from=None)


_WHOLE = ("smallint", "integer", "bigint")
_FLOATING = ("real", "double precision")


def narrows(before: str, after: str) -> bool:
    """Whether a change of type rounds or cuts values without a word; what a database refuses is no loss."""
    old, new = types.base(before), types.base(after)
    if old in ("timestamptz", "timestamp") and new in ("date", "time"):
        return True
    if old in (*_FLOATING, "numeric") and new in _WHOLE:
        return True
    if old == "numeric" and new == "numeric":
        return _scale(after) < _scale(before)
    return (old, new) == ("double precision", "real") or (old in _FLOATING and new == "numeric" and _scale(after) < 15)


def _scale(type_: str) -> int:
    match = re.search(r"\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)", type_)
    return 1_000 if match is None else int(match[1] or 0)


def rename_hints(operations: Sequence[Step]) -> list[str]:
    """Gives what to write if things that go and things that come are the same under another name."""
    return [*_tables(operations), *_columns(operations)]


def _columns(operations: Sequence[Step]) -> Iterator[str]:
    added = [step for step in operations if isinstance(step, c.AddColumn)]
    for step in operations:
        if not isinstance(step, c.DropColumn):
            continue
        for other in added:
            old, new = step.column.name, other.column.name
            # what is made anew under its own name is computed from then on
            named = other.table == step.table and old != new
            if named and types.related(other.column.type, step.column.type):
                yield f"if {step.table}.{old} is {new} now, say {_renamed_from(operations, step)} there"


def _renamed_from(operations: Sequence[Step], gone: c.DropColumn) -> str:
    """Gives what a column says of its former name; that of a key is said by its relation."""
    keys = [step.constraint for step in operations if isinstance(step, o.DropConstraint) and step.table == gone.table]
    name = gone.column.name
    if any(isinstance(key, s.ForeignKey) and key.columns == (name,) for key in keys):
        return f'foreign_key(renamed_from="{name.removesuffix("_id")}")'
    return f'field(renamed_from="{name}")'


def _tables(operations: Sequence[Step]) -> Iterator[str]:
    created = [step.table for step in operations if isinstance(step, o.CreateTable)]
    dropped = [step.table for step in operations if isinstance(step, o.DropTable)]
    for table in dropped:
        for other in created:
            if _alike(table, other):
                yield f'if {table.key} is {other.key} now, say class ...(Model, renamed_from="{table.key}")'


def _alike(one: s.Table, other: s.Table) -> bool:
    names, others = ({column.name for column in table.columns} for table in (one, other))
    return len(names & others) * 2 > len(names | others)
